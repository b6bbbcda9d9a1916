"""`vexfs check` on a data folder that something has gone wrong with: what it says, how it ends, what a repair leaves."""

import os
from collections.abc import Callable

import pytest

from vexfs.cli import exits
from vexfs.store import sqlite

from .running import Server, lines, vexfs_outcome

LARGE = os.urandom(700_000)


@pytest.fixture
def damaged(make_server: Callable[..., Server]) -> Server:
    """A stopped server whose folder has lost a large content, and a file of which has a wrong link count."""
    running = make_server().start()
    running.vexfs("put", "-", "/kept.md", stdin=b"kept")
    running.vexfs("put", "-", "/large.bin", stdin=LARGE)
    running.stop()
    (blob,) = [path for path in (running.data / "volumes/main/blobs").rglob("*") if path.is_file() and len(path.name) == 64]
    blob.unlink()
    connection = sqlite.connect(running.data / "volumes/main/vexfs.db")
    connection.execute("UPDATE node SET nlink=7 WHERE ino=(SELECT ino FROM dentry WHERE name=CAST('kept.md' AS BLOB))")
    connection.close()
    return running


def test_people_read_what_is_broken_and_what_to_do(damaged: Server) -> None:
    outcome = vexfs_outcome("check", data=damaged.data)
    assert outcome.returncode == exits.ERROR
    *findings, summary = outcome.stdout.decode().splitlines()
    assert [line.split()[0] for line in findings] == ["link-count", "blob-on-disk"]
    assert all(line.endswith("(not repaired)") for line in findings)
    assert summary == f"{damaged.data}: 2 broken"
    assert "vexfs check --repair" in outcome.stderr.decode()


def test_programs_get_an_object_for_each_finding(damaged: Server) -> None:
    outcome = vexfs_outcome("check", "--json", data=damaged.data)
    assert outcome.returncode == exits.ERROR
    findings = lines(outcome.stdout.decode())
    assert [finding["invariant"] for finding in findings] == ["link-count", "blob-on-disk"]
    assert all(finding["repaired"] is False and finding["subject"] and finding["message"] for finding in findings)


def test_after_a_repair_the_rest_is_served_and_what_was_lost_says_so(damaged: Server) -> None:
    outcome = vexfs_outcome("check", "--repair", "--json", data=damaged.data)
    assert outcome.returncode == exits.OK
    assert all(finding["repaired"] for finding in lines(outcome.stdout.decode()))
    assert damaged.vexfs("check", "--deep") == f"{damaged.data}: clean\n"
    damaged.start()
    assert damaged.vexfs("cat", "/kept.md") == "kept"
    assert vexfs_outcome("cat", "/large.bin", data=damaged.data).stdout == bytes(len(LARGE))
    record = lines(damaged.vexfs("stat", "--json", "/large.bin", "/kept.md"))
    assert record[0]["xattrs"] == ["user.vexfs.damaged"]
    assert record[1]["nlink"] == 1


def test_a_file_that_is_no_database_is_named_and_left_alone(make_server: Callable[..., Server]) -> None:
    running = make_server().start()
    running.stop()
    database = running.data / "volumes/main/vexfs.db"
    database.write_bytes(b"this was a database once" * 1000)
    before = database.read_bytes()
    for arguments in (("check",), ("check", "--repair")):
        outcome = vexfs_outcome(*arguments, data=running.data)
        assert outcome.returncode not in (exits.OK, exits.USAGE)
        assert "Traceback" not in outcome.stderr.decode()
        assert outcome.stderr.decode().startswith("vexfs: ")
        assert database.read_bytes() == before
