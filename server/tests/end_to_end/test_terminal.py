"""What a person sees at a terminal and a program does not: progress, remarks, colours, sentences instead of JSON."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs.cli import exits

from .running import Server, lines, vexfs, wait_until
from .terminal import OnTerminal

Start = Callable[..., OnTerminal]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts commands on terminals of their own; they end with the test."""
    started: list[OnTerminal] = []

    def begin(*arguments: str, data: Path) -> OnTerminal:
        started.append(OnTerminal(*arguments, data=data))
        return started[-1]

    yield begin
    for terminal in started:
        terminal.close()


def test_an_import_shows_how_far_it_is_and_then_what_it_did(server: Server, start: Start, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.md").write_text(f"number {number}")
    terminal = start("import", str(tmp_path), "--into", "/shown", data=server.data)
    assert terminal.end() == exits.OK
    assert f"importing {tmp_path}" in terminal.shown
    assert "20/20" in terminal.shown
    assert "20 files stored, 0 unchanged, 0 skipped, 0 failed" in terminal.shown


def test_an_import_that_waits_and_the_status_tell_how_long_it_will_take(
    make_server: Callable[..., Server], start: Start, tmp_path: Path
) -> None:
    running = make_server().start()
    running.vexfs("wait", "--timeout", "60")
    how_long = r"passages to embed, \d+ a second, about \d+ \w+ left"
    for files in (40, 200, 1_000):  # a fast machine may have embedded the first before `status` has started
        source = tmp_path / f"{files}"
        source.mkdir()
        for number in range(files):
            text = "\n\n".join(f"Paragraph {number}/{part} of {files} tells of {number * part}. " * 12 for part in range(15))
            (source / f"{number}.md").write_text(text)
        terminal = start("import", str(source), "--wait", data=running.data)
        terminal.wait_for(" passages to embed, ")
        status = start("status", data=running.data)
        assert status.end() == exits.OK
        assert terminal.end(300) == exits.OK
        told_status = re.search(f"indexing  .*{how_long}", status.shown)
        told_import = re.search(f"waiting for the views: .*{how_long}", terminal.shown)
        if told_status and told_import:
            break
    assert told_status, status.shown
    assert told_import, terminal.shown
    assert "indexing" not in running.vexfs("status")


def test_files_are_named_where_a_program_is_told_nothing(server: Server, start: Start, tmp_path: Path) -> None:
    local = tmp_path / "note.md"
    local.write_text("five!")
    for arguments, remark in (
        (("put", str(local), "/remarked.md"), "/remarked.md  5 B"),
        (("get", "/remarked.md", str(tmp_path / "back.md")), f"{tmp_path / 'back.md'}  5 B"),
        (("mkdir", "/remarks"), "/remarks"),
        (("mv", "/remarked.md", "/remarks"), "/remarks/remarked.md"),
        (("search", "zzyzx", "--mode", "lexical", "--path", "/remarks"), "no file answers that"),
        (("ls", "/remarks/.."), "vexfs: "),
    ):
        terminal = start(*arguments, data=server.data)
        terminal.end()
        assert remark in terminal.shown


def test_directories_and_links_are_told_apart_by_colour(server: Server, start: Start) -> None:
    server.vexfs("mkdir", "-p", "/colours/directory")
    server.vexfs("ln", "-s", "directory", "/colours/link")
    terminal = start("ls", "/colours", data=server.data)
    assert terminal.end() == exits.OK
    assert "\x1b[34m\x1b[1mdirectory/\x1b[0m" in terminal.shown
    assert "\x1b[36mlink\x1b[0m" in terminal.shown


def test_the_words_of_a_question_are_bold_in_what_is_found(server: Server, start: Start) -> None:
    server.vexfs(
        "put", "-", "/bold/keys.md", "--parents", stdin=b"We are rotating the keys, not the monkey's. Rotate keys now."
    )
    server.vexfs("wait", "--timeout", "60")
    for question, shown in (
        ("rotate key", "We are \x1b[1mrotating\x1b[0m the \x1b[1mkeys\x1b[0m, not the monkey's."),
        ('"rotate keys"', "not the monkey's. \x1b[1mRotate keys\x1b[0m now."),
        ("monk*", "not the \x1b[1mmonkey\x1b[0m's."),
    ):
        terminal = start("search", question, "--path", "/bold", data=server.data)
        assert terminal.end() == exits.OK
        assert shown in terminal.shown
    assert "\x1b" not in server.vexfs("search", "rotate", "--path", "/bold")


def test_waiting_shows_what_is_pending_and_ctrl_c_ends_it(make_server: Callable[..., Server], start: Start) -> None:
    running = make_server().start()
    running.vexfs("wait", "--timeout", "60")
    os.kill(running.pid_of("indexer"), signal.SIGSTOP)
    try:
        running.vexfs("put", "-", "/late.md", stdin=b"late")
        terminal = start("wait", "--timeout", "60", data=running.data)
        terminal.wait_for("waiting for the views: ")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == exits.INTERRUPTED
        assert "Traceback" not in terminal.shown
    finally:
        os.kill(running.pid_of("indexer"), signal.SIGCONT)
    running.vexfs("wait", "--timeout", "60")
    assert [hit["file"] for hit in running.search("late", "--mode", "lexical")] == ["/late.md"]


def test_checking_names_the_rules_as_it_goes(make_server: Callable[..., Server], start: Start) -> None:
    running = make_server().start()
    running.stop()
    terminal = start("check", data=running.data)
    assert terminal.end() == exits.OK
    assert "checking database-sound" in terminal.shown
    assert f"{running.data}: clean" in terminal.shown


def test_a_server_at_a_terminal_speaks_in_sentences(start: Start, tmp_path: Path) -> None:
    data = tmp_path / "data"
    terminal = start("serve", "--rest-port", "0", "--grpc-port", "0", data=data)
    terminal.wait_for("vexfs serve: serving ")
    vexfs("put", "-", "/a.md", data=data, stdin=b"a")
    assert start("wait", "--timeout", "60", data=data).end() == exits.OK
    status = start("status", data=data)
    assert status.end() == exits.OK
    assert "\x1b[32mready" in status.shown
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.end() == exits.OK
    assert '{"' not in terminal.shown


def test_a_server_whose_terminal_is_closed_ends(make_server: Callable[..., Server]) -> None:
    running = make_server().start()
    pids = [running.pid_of(name) for name in ("api", "indexer")]
    running.stop(signal.SIGHUP)
    assert running.process is not None
    assert running.process.returncode == 0
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), what="the end of the processes")
    assert lines(running.vexfs("check", "--json")) == []
