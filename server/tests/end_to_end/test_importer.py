"""An import that something comes in between of: it says what did not arrive, and goes on where it stopped."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs.cli import importer
from vexfs.cli.client import Client
from vexfs.cli.connect import connected
from vexfs.cli.exits import RemoteError
from vexfs.cli.importer import Importer, Report
from vexfs.cli.options import Target

from .running import Server, lines


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with connected(Target(server.data, None, None, None, None, None, 30.0)) as found:
        yield found


@pytest.fixture
def source(tmp_path: Path) -> Path:
    root = tmp_path / "source"
    root.mkdir()
    for number in range(60):
        (root / f"{number:02d}.md").write_text(f"number {number}")
    return root


def test_a_file_that_vanishes_meanwhile_is_named_and_the_rest_arrives(server: Server, client: Client, source: Path) -> None:
    def remove_one(report: Report) -> None:
        (source / "59.md").unlink(missing_ok=True)

    report = Importer(client, source, "/vanishing", progress=remove_one).run()
    assert [failed.path.name for failed in report.failed] == ["59.md"]
    assert "No such file" in report.failed[0].reason
    assert (report.stored, report.done, report.total_files) == (59, 60, 60)
    assert len(server.vexfs("ls", "/vanishing").split()) == 59


def test_an_import_that_is_stopped_goes_on_where_it_stopped(server: Server, client: Client, source: Path) -> None:
    def stop_soon(report: Report) -> None:
        if report.stored >= 10:
            first.stop()

    first = Importer(client, source, "/stopped", progress=stop_soon)
    stored = first.run().stored
    assert 10 <= stored < 60
    second = Importer(client, source, "/stopped").run()
    assert (second.stored, second.unchanged) == (60 - stored, stored)
    assert server.vexfs("cat", "/stopped/00.md", "/stopped/59.md") == "number 0number 59"


def test_a_link_that_leads_elsewhere_now_is_made_anew(server: Server, client: Client, tmp_path: Path) -> None:
    root = tmp_path / "links"
    root.mkdir()
    (root / "link").symlink_to("first")
    (root / "odd").symlink_to(os.fsdecode(b"caf\xe9"))
    Importer(client, root, "/links").run()
    (root / "link").unlink()
    (root / "link").symlink_to("second")
    assert Importer(client, root, "/links").run().failed == []
    assert [record["target"] for record in map(_stat(server), ("/links/link", "/links/odd"))] == ["second", "caf\\xe9"]


def _stat(server: Server) -> Callable[[str], dict[str, object]]:
    return lambda path: lines(server.vexfs("stat", "--json", path))[0]


@pytest.mark.parametrize("into", ["/", "/deep/er/place"])
def test_any_directory_can_take_an_import(server: Server, client: Client, tmp_path: Path, into: str) -> None:
    root = tmp_path / "small"
    (root / f"of-{into.count('/')}").mkdir(parents=True)
    (root / f"of-{into.count('/')}" / "a.md").write_text("a")
    assert Importer(client, root, into).run().stored == 1
    assert server.vexfs("cat", f"{into.rstrip('/')}/of-{into.count('/')}/a.md") == "a"


def test_a_server_that_goes_away_ends_the_import_and_the_next_one_goes_on(
    make_server: Callable[..., Server], source: Path
) -> None:
    running = make_server().start()

    pids = [running.pid_of("api")]

    def end_the_server(report: Report) -> None:
        if report.stored >= 5 and pids:
            os.kill(pids.pop(), signal.SIGKILL)

    with (
        connected(Target(running.data, None, running.record["rest"], None, None, None, 30.0)) as found,
        pytest.raises(RemoteError) as caught,
    ):
        Importer(found, source, "/gone", progress=end_the_server).run()
    assert caught.value.code == "UNAVAILABLE"
    running.stop()
    running.start()
    summary = running.vexfs("import", str(source), "--into", "/gone")
    assert " 0 failed" in summary
    assert len(running.vexfs("ls", "/gone").split()) == 60


def test_what_can_be_tried_again_is_tried_again_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = RemoteError("RESOURCE_EXHAUSTED", "OVERLOADED", "busy", {"retryable": "true"})
    answers: list[RemoteError | None] = [busy, busy, None]

    def act() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    importer._retrying(act)
    assert answers == []
    answers = [RemoteError("NOT_FOUND", "FILE_NOT_FOUND", "no", {"retryable": "false"}), None]
    with pytest.raises(RemoteError, match="no"):
        importer._retrying(act)
    monkeypatch.setattr(importer, "RETRY_SECONDS", 0.0)
    answers = [busy, None]
    with pytest.raises(RemoteError, match="busy"):
        importer._retrying(act)
