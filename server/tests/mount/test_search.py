"""`.search` on a real mount. The API's side of the socket is played by a small server of the same contract.

So slow, failing and partial answers can be had at will; the whole way is tested end to end elsewhere.
"""

# ruff: noqa: PTH115, PTH116, PTH208 - these tests call the system calls by their own names
import errno
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.mount.conftest import MakeMount, Mounted, eventually
from vexfs import runtime
from vexfs.contract.v1 import search_pb2, search_pb2_grpc, server_pb2, server_pb2_grpc
from vexfs.core import files
from vexfs.core.types import ROOT_INO
from vexfs.security import token
from vexfs.store.volume import Volume
from vexfs.store.writer import Transaction

SLOW_S = 60.0


class Answers(search_pb2_grpc.SearchServiceServicer, server_pb2_grpc.ServerServiceServicer):
    """Answers by the query's first word; counts searches and checks the token."""

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.searches: list[str] = []
        self.waits: list[int] = []
        self.cancelled = threading.Event()
        self.pending = 0
        self.stands_still = False
        self.moved = False

    def _check(self, context: Any) -> None:
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {self.secret}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token")

    def Search(self, request: Any, context: Any) -> Any:
        self._check(context)
        self.searches.append(request.text)
        kind = request.text.split()[0]
        if kind == "fail":
            context.abort(grpc.StatusCode.UNAVAILABLE, "the views are being rebuilt")
        if kind == "slow":
            context.add_callback(self.cancelled.set)
            self.cancelled.wait(SLOW_S)
        response = search_pb2.SearchResponse(revision=7, strategy="hybrid", partial=kind == "partial")
        if kind in ("nothing", "partial"):
            return response
        names = ("/moved/rotation.md" if self.moved else "/docs/ops/rotation.md", "/plain.txt", "/" + "n" * 250 + ".md")
        for rank, path in enumerate(names, start=1):
            hit = response.hits.add(score=0.912 / rank)
            hit.file.path, hit.file.id = path, rank + 10
            hit.passage.text, hit.passage.start_line = f"passage {len(self.searches)}", rank
        return response

    def WaitForViews(self, request: Any, context: Any) -> Any:
        self._check(context)
        self.waits.append(request.min_revision)
        if self.stands_still:
            self.cancelled.wait(SLOW_S)
            context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "the views stand still")
        return search_pb2.WaitForViewsResponse(revision=request.min_revision)

    def GetServerInfo(self, request: Any, context: Any) -> Any:
        self._check(context)
        response = server_pb2.GetServerInfoResponse(revision=9, version="test")
        response.text.pending = self.pending
        response.views.add(view="dense", revision=9, state=1)
        return response


@pytest.fixture
def api(mount: Mounted) -> Iterator[Answers]:
    answers = Answers(token.load_or_create(runtime.DataFolder(mount.data).token_file))
    server = grpc.server(futures.ThreadPoolExecutor(8))
    search_pb2_grpc.add_SearchServiceServicer_to_server(answers, server)
    server_pb2_grpc.add_ServerServiceServicer_to_server(answers, server)
    server.add_insecure_port(f"unix:{runtime.socket_path(mount.data, 'api')}")
    server.start()
    try:
        yield answers
    finally:
        answers.cancelled.set()
        server.stop(0).wait()


def make_files(root: Path) -> None:
    (root / "docs" / "ops").mkdir(parents=True)
    (root / "docs" / "ops" / "rotation.md").write_text("how to rotate keys")
    (root / "plain.txt").write_text("plain")


def test_a_query_is_a_directory_of_ranked_links(root: Path, api: Answers) -> None:
    make_files(root)
    query = root / ".search" / "rotate api keys"
    names = sorted(os.listdir(query))
    links = [name for name in names if not name.startswith(".")]
    assert links[:2] == ["001_0.912_rotation.md", "002_0.456_plain.txt"]
    assert names[:3] == [".explain", ".results.jsonl", ".status"]
    assert len(links[2]) == 255
    assert links[2].endswith(".md")
    assert os.readlink(query / links[0]) == "../../docs/ops/rotation.md"
    assert (query / links[0]).read_text() == "how to rotate keys"
    assert [path.read_text() for path in sorted(query.glob("00[12]*"))] == ["how to rotate keys", "plain"]
    assert api.searches == ["rotate api keys"]


def test_results_and_status_are_files(root: Path, api: Answers) -> None:
    query = root / ".search" / "anything"
    records = [json.loads(line) for line in (query / ".results.jsonl").read_text().splitlines()]
    assert [record["path"] for record in records[:2]] == ["/docs/ops/rotation.md", "/plain.txt"]
    assert records[0]["rank"] == 1
    assert records[0]["passage"]["text"] == "passage 1"
    status = json.loads((query / ".status").read_text())
    assert (status["state"], status["hits"], status["strategy"]) == ("answered", 3, "hybrid")
    assert (query / ".results.jsonl").stat().st_size == len((query / ".results.jsonl").read_bytes())
    overall = json.loads((root / ".search" / ".status").read_text())
    assert overall["state"] == "ready"
    assert api.searches == ["anything"]


def test_names_with_a_dot_never_search(root: Path, api: Answers) -> None:
    for name in (".git", ".hidden query"):
        assert not (root / ".search" / name).exists()
    (root / ".search" / "a query").stat()
    assert not (root / ".search" / "a query" / ".gitignore").exists()
    assert not (root / ".search" / "a query" / "no-rank").exists()
    assert api.searches == []


def test_names_that_are_no_question_are_refused_and_ask_nobody(root: Path, api: Answers) -> None:
    search = os.fsencode(root / ".search")
    for name, number in ((b"x" * 300, errno.ENAMETOOLONG), (b"caf\xe9", errno.EILSEQ), (b"  ", errno.ENOENT)):
        with pytest.raises(OSError, check=lambda error, number=number: error.errno == number):
            os.stat(search + b"/" + name)
    assert os.listxattr(search) == []
    with pytest.raises(OSError):
        os.open(search + b"/.status", os.O_WRONLY)
    assert api.searches == []


def test_an_empty_answer_from_views_that_lack_something_is_a_failure_not_an_answer(root: Path, api: Answers) -> None:
    assert os.listdir(root / ".search" / "nothing to find") == [".results.jsonl", ".status", ".explain"]
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
        os.listdir(root / ".search" / "partial answer")
    assert "not everything could be looked through" in (root / ".search" / "partial answer" / ".status").read_text()


def test_a_failed_search_is_an_io_error_with_its_reason_in_status(root: Path, api: Answers) -> None:
    query = root / ".search" / "fail now"
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
        os.listdir(query)
    status = json.loads((query / ".status").read_text())
    assert status["state"] == "failed"
    assert "being rebuilt" in status["error"]
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
        os.listdir(root / ".search" / "partial answer")
    assert [name for name in os.listdir(root / ".search" / "nothing found") if not name.startswith(".")] == []
    assert api.searches.count("partial answer") > 1  # views that lack something get a moment


def test_without_the_api_it_fails_and_says_so(root: Path) -> None:
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EIO):
        os.listdir(root / ".search" / "anybody there")
    assert json.loads((root / ".search" / ".status").read_text())["state"] == "unavailable"


def test_a_slow_search_holds_up_nothing_else(root: Path, api: Answers) -> None:
    listing = threading.Thread(target=lambda: os.listdir(root / ".search" / "slow question"))
    listing.start()
    while not api.searches:
        time.sleep(0.01)
    slowest = 0.0
    for index in range(50):
        begun = time.monotonic()
        (root / f"f{index}").write_bytes(b"x" * 100)
        assert (root / f"f{index}").read_bytes() == b"x" * 100
        slowest = max(slowest, time.monotonic() - begun)
    assert listing.is_alive()
    assert slowest < 10
    api.cancelled.set()
    listing.join(5)
    assert not listing.is_alive()


def test_an_interrupt_ends_a_search(root: Path, api: Answers) -> None:
    process = subprocess.Popen([sys.executable, "-c", f"import os; os.listdir({str(root / '.search' / 'slow one')!r})"])
    while not api.searches:
        time.sleep(0.01)
    time.sleep(0.1)
    begun = time.monotonic()
    process.terminate()
    process.wait(30)
    assert time.monotonic() - begun < 10
    assert api.cancelled.wait(10)


def test_listings_are_asked_anew_after_a_while_and_old_names_still_open(root: Path, api: Answers) -> None:
    query = root / ".search" / "again"
    first = sorted(os.listdir(query))
    assert sorted(os.listdir(query)) == first
    assert len(api.searches) == 1
    time.sleep(5.2)
    assert sorted(os.listdir(query)) == first
    assert len(api.searches) == 2
    assert os.readlink(query / first[3]) == "../../docs/ops/rotation.md"
    assert len(api.searches) == 2


def test_a_name_that_two_answers_have_leads_where_the_newer_one_says(root: Path, api: Answers) -> None:
    """The same rank, score and name, of a file that was moved meanwhile."""
    query = root / ".search" / "moving"
    first = sorted(os.listdir(query))
    assert os.readlink(query / first[3]) == "../../docs/ops/rotation.md"
    api.moved = True
    time.sleep(5.2)
    assert sorted(os.listdir(query)) == first
    assert os.readlink(query / first[3]) == "../../moved/rotation.md"
    assert json.loads((query / ".results.jsonl").read_text().splitlines()[0])["path"] == "/moved/rotation.md"


def test_the_name_is_reserved_and_nothing_can_be_made_inside(root: Path, api: Answers) -> None:
    assert ".search" not in os.listdir(root)
    with pytest.raises(OSError):
        (root / ".search").mkdir()
    (root / "d").mkdir()
    with pytest.raises(OSError):
        (root / "d").rename(root / ".search")
    with pytest.raises(OSError, check=lambda error: error.errno == errno.EROFS):
        (root / ".search" / "q" / "file").mkdir()
    (root / "d" / ".search").mkdir()
    assert os.listdir(root / "d") == [".search"]
    assert api.searches == []


def test_what_has_the_name_in_the_volume_does_not_stand_in_the_way(root: Path, api: Answers, beside: Volume) -> None:
    def make(txn: Transaction) -> None:
        taken = files.make_directory(txn, ROOT_INO, b".search", mode=0o755, uid=0, gid=0).ino
        files.make_directory(txn, taken, b".search", mode=0o755, uid=0, gid=0)

    beside.queue.submit("test", make).result(10)
    (root / "shown").touch()
    eventually(lambda: "shown" in os.listdir(root), 1.0)
    assert subprocess.run(["ls", "-la", str(root)], capture_output=True, check=True).stdout.count(b".search") == 0
    assert any(name.startswith("001_") for name in os.listdir(root / ".search" / "a question"))


def test_only_the_owner_may_search(make_mount: MakeMount) -> None:
    mount = make_mount("--allow-other")
    mount.path.parent.chmod(0o755)
    mount.path.chmod(0o755)
    (mount.path / "f").write_text("for all")
    code = "import os, sys; print(open(sys.argv[1] + '/f').read()); os.listdir(sys.argv[1] + '/.search')"
    outcome = subprocess.run(
        ["/usr/bin/env", "python3", "-S", "-c", code, str(mount.path)],
        user=65534,
        group=65534,
        extra_groups=[],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.stdout == "for all\n"
    assert "PermissionError" in outcome.stderr


def save(path: Path, size: int) -> None:
    """Write and fsync, as an editor does: not right after another one."""
    time.sleep(0.6)
    with path.open("wb") as file:
        file.write(b"text " * size)
        file.flush()
        os.fsync(file.fileno())


def test_fsync_of_a_small_file_waits_until_it_is_findable(root: Path, api: Answers) -> None:
    deadline = time.monotonic() + 30
    while not api.waits and time.monotonic() < deadline:
        save(root / "small", 10)
    waits = len(api.waits)
    assert waits > 0
    for index in range(5):  # fsyncs in quick succession only sync
        with (root / f"quick{index}").open("wb") as file:
            file.write(b"text")
            file.flush()
            os.fsync(file.fileno())
    save(root / "large", 10_000)
    api.pending = 100
    save(root / "while others are pending", 10)
    assert len(api.waits) == waits


def test_fsync_returns_in_time_when_the_views_stand_still(root: Path, api: Answers) -> None:
    api.stands_still = True
    for index in range(8):
        begun = time.monotonic()
        save(root / f"f{index}", 10)
        assert time.monotonic() - begun < 20
    assert len(api.waits) <= 1
