"""`vexfs mount` and `vexfs umount` on a data folder, with and without a server."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs import runtime
from vexfs.cli import exits
from vexfs.cli.mounting import ready_name
from vexfs.mount import lifecycle
from vexfs.store.volume import Volume

from .conftest import needs_mount
from .running import Server, lines, settings_removed, vexfs, vexfs_outcome, wait_until

pytestmark = needs_mount


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "here"
    yield path
    lifecycle.detach(path)


def test_a_second_mount_sees_what_the_first_and_the_api_write(server: Server, target: Path) -> None:
    record = lines(server.vexfs("mount", str(target), "--json"))[0]
    assert record["mountpoint"] == str(target)
    server.vexfs("put", "-", "/from-api.md", stdin=b"api")
    assert (target / "from-api.md").read_bytes() == b"api"
    assert server.mount is not None
    (target / "from-here.md").write_text("here")
    wait_until((server.mount / "from-here.md").exists, what="the change in the other mount")
    (target / "from-api.md").unlink()
    (target / "from-here.md").unlink()
    server.vexfs("umount", str(target))
    assert not lifecycle.is_mounted(target)
    assert not runtime.is_alive(record["pid"])


def test_what_was_written_is_there_when_umount_returns(server: Server, target: Path) -> None:
    server.vexfs("mount", str(target))
    (target / "unsynced.md").write_text("not synced by hand")
    server.vexfs("umount", str(target))
    assert server.vexfs("cat", "/unsynced.md") == "not synced by hand"
    server.vexfs("rm", "/unsynced.md")


def test_a_mount_whose_process_died_is_repaired(server: Server, target: Path) -> None:
    pid = lines(server.vexfs("mount", str(target), "--json"))[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not runtime.is_alive(pid), what="the end of the mount process")
    # Its last thread may still be closing the connection, and a request caught by that is aborted instead.
    wait_until(lambda: lifecycle.is_dead(target), what="the end of the connection")
    with pytest.raises(OSError, match="not connected"):
        list(target.iterdir())
    again = lines(server.vexfs("mount", str(target), "--json"))[0]
    assert again["pid"] != pid
    list(target.iterdir())
    server.vexfs("umount", str(target))


def test_a_mount_that_serves_is_left_alone(server: Server) -> None:
    outcome = vexfs_outcome("mount", str(server.mount), data=server.data)
    assert outcome.returncode != exits.OK
    assert "already" in outcome.stderr.decode()
    assert server.mount is not None
    list(server.mount.iterdir())


def test_files_in_use_keep_a_mount_unless_it_goes_lazily(server: Server, target: Path) -> None:
    server.vexfs("mount", str(target))
    with (target / "busy.md").open("w") as file:
        outcome = vexfs_outcome("umount", str(target), data=server.data)
        assert outcome.returncode == exits.UNREACHABLE
        assert lifecycle.is_mounted(target)
        file.write("still here")
        file.flush()
        server.vexfs("umount", "--lazy", str(target))
        assert not lifecycle.is_mounted(target)
    wait_until(lambda: server.vexfs("cat", "/busy.md") == "still here", what="the last write of the lazy mount")
    server.vexfs("rm", "/busy.md")


def test_reading_and_writing_need_no_server(make_server: Callable[..., Server], target: Path) -> None:
    running = make_server().start()
    running.vexfs("put", "-", "/a.md", stdin=b"a")
    running.stop()
    running.vexfs("mount", str(target))
    assert (target / "a.md").read_bytes() == b"a"
    (target / "b.md").write_text("b")
    running.vexfs("umount", str(target))
    running.start()
    assert running.vexfs("cat", "/b.md") == "b"


def test_repairing_waits_for_nobody_to_have_the_volume_open(make_server: Callable[..., Server], target: Path) -> None:
    running = make_server().start()
    assert running.process is not None
    outcome = vexfs_outcome("check", "--repair", data=running.data)
    assert outcome.returncode == exits.UNREACHABLE
    assert str(running.process.pid) in outcome.stderr.decode()
    running.stop()
    running.vexfs("mount", str(target))
    outcome = vexfs_outcome("check", "--repair", data=running.data)
    assert outcome.returncode == exits.UNREACHABLE
    assert ready_name(target) in outcome.stderr.decode()
    running.vexfs("umount", str(target))
    assert running.vexfs("check", "--repair", "--deep").endswith("clean, 0 repaired\n")


def test_what_is_mounted_after_a_lazy_unmount_stays_when_the_old_mount_ends(server: Server, target: Path) -> None:
    before = lines(server.vexfs("mount", str(target), "--json"))[0]
    with (target / "held.md").open("w") as held:
        server.vexfs("umount", "--lazy", str(target))
        server.vexfs("mount", str(target))
        held.write("written through the old one")
    wait_until(lambda: not runtime.is_alive(before["pid"]), 30, "the end of the old mount")
    assert lifecycle.is_mounted(target)
    wait_until(lambda: (target / "held.md").read_text() == "written through the old one", what="its last write")
    (target / "held.md").unlink()
    server.vexfs("umount", str(target))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_mount_in_the_foreground_ends_with_its_command(server: Server, target: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "vexfs.cli.main", "mount", "--foreground", "--allow-other", str(target)]
    process = subprocess.Popen(command, env=settings_removed() | {"VEXFS_DATA": str(server.data)}, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: lifecycle.is_mounted(target), 30, "the mount")
        (target / "foreground.md").write_text("written just before the end")
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.wait()
    assert not lifecycle.is_mounted(target)
    assert server.vexfs("cat", "/foreground.md") == "written just before the end"
    server.vexfs("rm", "/foreground.md")


def test_programs_are_told_what_was_unmounted(server: Server, target: Path) -> None:
    server.vexfs("mount", str(target))
    assert lines(server.vexfs("umount", "--json", str(target))) == [{"mountpoint": str(target), "unmounted": True}]


@pytest.mark.parametrize(
    ("options", "writable"),
    [(["--read-only"], False), (["-o", "ro"], False), (["-o", "ro,rw,allow_other"], True), ([], True)],
)
def test_a_mount_is_read_only_when_it_is_told_so(server: Server, target: Path, options: list[str], writable: bool) -> None:
    server.vexfs("mount", *options, str(target))
    try:
        if writable:
            (target / "new.md").write_text("new")
            (target / "new.md").unlink()
        else:
            with pytest.raises(OSError, match="Read-only"):
                (target / "new.md").write_text("new")
        (line,) = [line for line in Path("/proc/mounts").read_text().splitlines() if f" {target} " in line]
        assert ("allow_other" in line) == ("allow_other" in "".join(options))
    finally:
        server.vexfs("umount", str(target))


@pytest.mark.parametrize("options", [["--shared-locks"], ["-o", "rw,shared_locks"], []])
def test_a_mount_shares_its_locks_when_it_is_told_so(target: Path, tmp_path: Path, options: list[str]) -> None:
    data = tmp_path / "data"
    Volume.open(data / "volumes" / "main", "test", create=True).close()
    vexfs("mount", *options, str(target), data=data)
    try:
        record = runtime.read_ready(data, ready_name(target))
        assert record is not None
        assert record["locks_shared"] is bool(options)
    finally:
        vexfs("umount", str(target), data=data)


def test_locks_hold_on_the_server_s_mount_and_on_others(make_server: Callable[..., Server], target: Path) -> None:
    server = make_server(mounted=True, arguments=("--shared-locks",)).start()
    assert server.mount is not None
    server.vexfs("mount", str(target))
    try:
        (server.mount / "locked").write_text("")
        wait_until((target / "locked").exists, what="the file in the other mount")
        with (server.mount / "locked").open() as one, (target / "locked").open() as two:
            fcntl.flock(one, fcntl.LOCK_EX)
            with pytest.raises(BlockingIOError):
                fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        server.vexfs("umount", str(target))


def test_an_unknown_mount_option_is_named(server: Server, target: Path) -> None:
    outcome = vexfs_outcome("mount", "-o", "sync", str(target), data=server.data)
    assert outcome.returncode == exits.USAGE
    assert "'sync'" in outcome.stderr.decode()
    assert not lifecycle.is_mounted(target)


def test_a_folder_without_data_is_not_mounted(tmp_path: Path, target: Path) -> None:
    outcome = vexfs_outcome("mount", str(target), data=tmp_path / "nothing")
    assert outcome.returncode == exits.NOT_FOUND
    assert "vexfs serve" in outcome.stderr.decode()
