"""Finding what was written: by meaning, over every surface, while an import goes on, and with the indexer stopped."""

import io
import json
import os
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vexfs.cli import exits
from vexfs.contract.v1 import search_pb2

from .conftest import needs_mount
from .running import Server, lines, vexfs_outcome, wait_until

NOTES = {
    "cats.md": "# Feeding\n\nThe cat gets her dinner at six o'clock. Wet food only, the vet said.\n",
    "backup.md": "# Tapes\n\nCopies of the customer database are kept on tape in the cellar for thirty days.\n",
    "garden.md": "# Spring\n\nTomatoes want sun, compost and a stake each. Do not plant them before the last frost.\n",
    "deploy.md": "# Release\n\nTag the commit, wait for green tests, then roll out to one region at a time.\n",
    "bread.md": "# Sourdough\n\nMix flour, water and starter, fold it every half hour, bake it very hot with steam.\n",
}
#: Questions that share no word with their answers.
QUESTIONS = {
    "what does my pet eat": "cats.md",
    "how long do we retain old snapshots": "backup.md",
    "growing vegetables outdoors": "garden.md",
    "shipping a new version of our software": "deploy.md",
    "recipe from an oven": "bread.md",
}


@pytest.fixture(scope="module")
def notes(server: Server) -> str:
    """A few notes, findable."""
    for name, text in NOTES.items():
        server.vexfs("put", "-", f"/notes/{name}", "--parents", stdin=text.encode())
    server.vexfs("wait", "--timeout", "60")
    return "/notes"


@pytest.mark.parametrize(("question", "answer"), QUESTIONS.items())
def test_a_question_that_shares_no_word_finds_its_answer(server: Server, notes: str, question: str, answer: str) -> None:
    hits = server.search(question, "--mode", "dense", "--path", notes)
    assert hits[0]["file"] == f"{notes}/{answer}"


def test_a_hit_says_where_in_the_file_its_passage_stands(server: Server, notes: str) -> None:
    hit = server.search("planting tomatoes", "--path", notes)[0]
    assert hit["file"] == f"{notes}/garden.md"
    content = NOTES["garden.md"].encode()
    assert content[hit["start_byte"] : hit["end_byte"]].decode().strip() == hit["passage"].strip()
    assert (hit["start_line"], hit["end_line"]) == (1, 3)
    assert hit["score"] > 0


def test_a_word_document_is_found_and_names_no_line(server: Server) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        text = "<w:p><w:r><w:t>The lighthouse keeper paints the stairs in May.</w:t></w:r></w:p>"
        root = f'<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{text}</w:body></w:document>'
        archive.writestr("word/document.xml", root)
    server.vexfs("put", "-", "/letters/may.docx", "--parents", stdin=out.getvalue())
    server.vexfs("wait", "--timeout", "60")
    (hit,) = server.search("lighthouse stairs", "--path", "/letters")
    assert (hit["file"], hit["passage"].strip()) == ("/letters/may.docx", "The lighthouse keeper paints the stairs in May.")
    assert [hit[name] for name in ("start_byte", "end_byte", "start_line", "end_line")] == [0, len(out.getvalue()), 0, 0]
    assert server.vexfs("search", "lighthouse stairs", "--path", "/letters").startswith(" 1. /letters/may.docx  ")


def test_every_surface_gives_the_same_hits(server: Server, notes: str) -> None:
    expected = [(hit["file"], hit["passage"]) for hit in server.search("tape in the cellar", "--path", notes)]
    assert expected[0][0] == f"{notes}/backup.md"
    over_grpc = server.search("tape in the cellar", "--path", notes, VEXFS_ADDRESS=server.record["grpc"])
    assert [(hit["file"], hit["passage"]) for hit in over_grpc] == expected
    over_rest = server.search("tape in the cellar", "--path", notes, VEXFS_URL=server.record["rest"])
    assert [(hit["file"], hit["passage"]) for hit in over_rest] == expected
    answer = server.post("/v1/search", {"text": "tape in the cellar", "scope": {"path": notes}})
    assert [(hit["file"]["path"], hit["passage"]["text"]) for hit in answer["hits"]] == expected


def test_the_limit_and_the_mode_count(server: Server, notes: str) -> None:
    assert len(server.search("tomatoes", "--path", notes, "--limit", "2", "--mode", "dense")) == 2
    assert [hit["file"] for hit in server.search("tomatoes", "--path", notes, "--mode", "lexical")] == [f"{notes}/garden.md"]
    assert server.search("zzyzx", "--path", notes, "--mode", "lexical") == []


def test_people_see_file_lines_and_passage(server: Server, notes: str) -> None:
    shown = server.vexfs("search", "planting tomatoes", "--path", notes, "--limit", "1").splitlines()
    assert shown[0].startswith(f" 1. {notes}/garden.md:1-3")
    assert any("Tomatoes want sun" in line for line in shown)
    assert "\x1b[" not in "\n".join(shown)


@needs_mount
def test_the_shell_finds_by_listing_a_question(server: Server, notes: str) -> None:
    assert server.mount is not None
    directory = server.mount / ".search" / "tomatoes want sun and compost"
    listed = subprocess.run(["ls", str(directory)], capture_output=True, text=True, check=True, timeout=30).stdout.split()
    assert listed[0].endswith("_garden.md")
    assert (directory / listed[0]).read_text() == NOTES["garden.md"]
    results = [json.loads(line) for line in (directory / ".results.jsonl").read_text().splitlines()]
    assert results[0]["file"]["path"] == f"{notes}/garden.md"
    json.loads((server.mount / ".search" / ".status").read_text())


def import_reports(running: Server, folder: Path) -> None:
    """Store what takes the indexer a while."""
    bulk = folder / "bulk"
    bulk.mkdir()
    for number in range(300):
        sentences = [
            f"Paragraph {line} of report {number} is about shelf {line * number} of the warehouse." for line in range(40)
        ]
        (bulk / f"report-{number}.md").write_text("\n\n".join(sentences))
    running.vexfs("import", str(bulk), "--into", "/bulk")


@needs_mount
def test_a_file_copied_into_the_mount_is_found_although_an_import_goes_on(
    make_server: Callable[..., Server], tmp_path: Path
) -> None:
    running = make_server(mounted=True).start()
    assert running.mount is not None
    import_reports(running, tmp_path)
    (tmp_path / "note.md").write_text(NOTES["cats.md"])
    subprocess.run(["cp", str(tmp_path / "note.md"), str(running.mount)], check=True)
    subprocess.run(["sync", str(running.mount / "note.md")], check=True, timeout=10)

    def is_found() -> bool:
        return "/note.md" in [hit["file"] for hit in running.search("what does my pet eat", "--limit", "3")]

    wait_until(is_found, 30.0, "finding the note")
    assert dense_pending(running) > 0, "the import was over before the note was found: this test has shown nothing"


def dense_pending(running: Server) -> int:
    views = lines(running.vexfs("status", "--json"))[0]["views"]
    return next(int(view["pending"]) for view in views if view["view"] == "dense")


@needs_mount
def test_a_note_is_found_when_fsync_returns_also_during_an_import(make_server: Callable[..., Server], tmp_path: Path) -> None:
    running = make_server(mounted=True).start()
    assert running.mount is not None
    import_reports(running, tmp_path)
    for number in range(20):
        time.sleep(2.5)  # a person's pace: what comes faster, or after a wait that brought nothing, is not waited for
        with (running.mount / f"note-{number}.md").open("w") as file:
            file.write(f"Visitor {number} left a green umbrella at the reception.")
            file.flush()
            os.fsync(file.fileno())
        answer = running.post("/v1/search", {"text": f"umbrella of visitor {number}", "mode": "SEARCH_MODE_DENSE", "limit": 30})
        pending = dense_pending(running)
        assert pending > 0, "the import was over before a note was found at once"
        if f"/note-{number}.md" in [hit["file"]["path"] for hit in answer["hits"]]:
            return
    raise AssertionError("20 notes, and not one could be found when its fsync had returned")


@pytest.fixture
def stopped(make_server: Callable[..., Server]) -> Iterator[Server]:
    """A server whose indexer stands still after it has indexed one note."""
    running = make_server(mounted=True).start()
    running.vexfs("put", "-", "/cats.md", stdin=NOTES["cats.md"].encode())
    running.vexfs("wait", "--timeout", "60")
    pid = running.pid_of("indexer")
    os.kill(pid, signal.SIGSTOP)
    yield running
    os.kill(pid, signal.SIGCONT)


@needs_mount
def test_with_the_indexer_stopped_nothing_hangs_and_nobody_is_misled(stopped: Server) -> None:
    assert stopped.mount is not None
    begun = time.monotonic()
    with (stopped.mount / "late.md").open("w") as file:
        file.write(NOTES["backup.md"])
        file.flush()
        os.fsync(file.fileno())
    assert time.monotonic() - begun < 20, "fsync waits for an indexer that stands still"
    revision = lines(stopped.vexfs("status", "--json"))[0]["revision"]

    outcome = vexfs_outcome("search", "tape in the cellar", "--json", data=stopped.data)
    assert outcome.returncode == exits.OK
    assert "/cats.md" in [hit["file"] for hit in lines(outcome.stdout.decode())] or outcome.stdout == b""
    facts = lines(outcome.stderr.decode())[0]
    assert facts["partial"] or facts["pending"] > 0

    for arguments in (("search", "x", "--min-revision", str(revision), "--timeout", "1"), ("wait", "--timeout", "1")):
        begun = time.monotonic()
        outcome = vexfs_outcome(*arguments, "--json", data=stopped.data)
        assert outcome.returncode == exits.DEADLINE
        assert 0.9 < time.monotonic() - begun < 30
        error = lines(outcome.stderr.decode())[0]["error"]
        assert error["reason"] == "REVISION_NOT_REACHED"

    os.kill(stopped.pid_of("indexer"), signal.SIGCONT)
    stopped.vexfs("wait", "--timeout", "60")
    assert stopped.search("how long do we retain old snapshots", "--mode", "dense")[0]["file"] == "/late.md"


def test_lost_views_are_rebuilt_and_searches_say_so_meanwhile(make_server: Callable[..., Server]) -> None:
    running = make_server().start()
    for name, text in NOTES.items():
        running.vexfs("put", "-", f"/{name}", stdin=text.encode())
    running.vexfs("wait", "--timeout", "60")
    running.stop()
    subprocess.run(["rm", "-rf", str(running.data / "volumes" / "main" / "derived")], check=True)
    running.start()
    answer = running.post("/v1/search", {"text": "growing vegetables outdoors"})
    found = [hit["file"]["path"] for hit in answer.get("hits", [])]
    assert found[:1] == ["/garden.md"] or answer["partial"] or int(answer["pending"]) > 0
    running.vexfs("wait", "--timeout", "60")
    assert running.search("growing vegetables outdoors", "--mode", "dense")[0]["file"] == "/garden.md"


def test_the_modes_of_the_command_are_those_of_the_contract() -> None:
    from vexfs.cli.search import _MODES

    assert sorted(_MODES.values()) == [value for value in search_pb2.SearchMode.values() if value]
