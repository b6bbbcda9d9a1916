"""What is particular to REST: every method gets there, answers that are none of ours, streams, connections, packages."""

import asyncio
import base64
import gc
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.request
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from vexfs_client import (
    AsyncClient,
    CancelledError,
    Client,
    FileKind,
    InternalError,
    NotSupportedError,
    PointInput,
    PointsQuery,
    ResourceExhaustedError,
    SearchMode,
    SearchQuery,
    UnavailableError,
    VectorSpec,
    VexfsError,
    _methods,
    _rest,
)
from vexfs_client._generated.vexfs import v1

from .faulty import Failure
from .faulty_http import Early, FaultyHttpServer, Raw
from .server import Server
from .test_retry import STAT, Hanging, Run, _async, _sync

FULL = Failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "VOLUME_FULL")


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a call on a client of either kind."""
    driver: Run = request.param
    return driver


def stat(client: Any) -> Any:
    return client.files.stat("/a")


# ---- Every method, on a real server. ---------------------------------------------------------------------------------------


def _answered(server: Server) -> dict[str, float]:
    """How often the server has answered each method over REST, by its own count."""
    request = urllib.request.Request(f"{server.record['rest']}/metrics", headers={"Authorization": f"Bearer {server.token}"})
    text = urllib.request.urlopen(request, timeout=60).read().decode()
    counted = re.findall(r"^vexfs_operations_total{(.*)} (\S+)$", text, re.MULTILINE)
    found = {}
    for labels, count in counted:
        label = dict(re.findall(r'(\w+)="(.*?)"', labels))
        if (label["surface"], label["outcome"]) == ("rest", "OK"):
            found[label["operation"]] = float(count)
    return found


def test_every_method_gets_to_the_server_over_rest(server: Server, folder: str) -> None:
    before = _answered(server)
    with Client(**server.reach("rest"), token=server.token, timeout=120) as client:
        _every_method(client, f"{folder}/rest")
    after = _answered(server)
    reached = {name.rpartition(".")[2] for name, count in after.items() if count > before.get(name, 0)}
    ours = {method.path.rpartition("/")[2] for method in vars(_methods).values() if isinstance(method, _methods.Method)}
    assert len(ours) == 36
    assert reached >= ours, ours - reached


def _every_method(client: Client, folder: str) -> None:
    files, collections, points = client.files, client.collections, client.points
    files.make_directory(folder)
    written = files.write(f"{folder}/a", b"Penguins cannot fly.")
    assert files.write(f"{folder}/b", iter([b"some ", b"pieces"])).size_bytes == 11
    assert files.stat(written) == written
    assert files.read(written) == b"Penguins cannot fly."
    assert b"".join(files.read_stream(f"{folder}/b")) == b"some pieces"
    assert [file.name for file in files.list(folder)] == ["a", "b"]
    files.copy(f"{folder}/b", f"{folder}/c")
    files.move(f"{folder}/c", f"{folder}/d")
    assert files.remove(f"{folder}/d").removed == 1
    files.symlink(f"{folder}/s", b"\xff")
    assert files.read_symlink(f"{folder}/s") == b"\xff"
    assert files.link(written, f"{folder}/l").nlink == 2
    assert files.set_attributes(written, mode=0).mode == 0
    files.set_xattr(written, "user.x", b"\x00\xff")
    assert files.get_xattr(written, "user.x") == b"\x00\xff"
    assert files.list_xattrs(written) == ["user.x"]
    files.remove_xattr(written, "user.x")
    files.set_metadata(written, {"n": 1, "x": 1.5, "deep": [{"a": None, "b": True}]})
    assert files.get_metadata(written) == {"n": 1, "x": 1.5, "deep": [{"a": None, "b": True}]}
    made = collections.create(f"{folder}/k", vectors=[VectorSpec("v", 2)])
    assert collections.get(made.id) == made
    assert made.path in {one.path for one in collections.list()}
    put = points.upsert(made.id, [PointInput("p", {"v": [1.5, 0]}, {"a": 1}), PointInput("q", {"v": [0, 1]})])
    assert put.upserted == 2
    assert points.upsert_stream(made.id, iter([PointInput("q", {"v": [0, 2]})])).upserted == 1
    (point,) = points.get(made.id, ["p"], with_vectors=True)
    assert (point.metadata, list(point.vectors["v"])) == ({"a": 1}, [1.5, 0])
    assert [one.id for one in points.list(made.id)] == ["p", "q"]
    assert [hit.point.id for hit in points.query(made.id, [0, 1], limit=1, min_revision=put.revision).hits] == ["q"]
    assert [len(found.hits) for found in points.batch_query([PointsQuery(collection=made.id, point_id="q", limit=1)])] == [1]
    assert points.delete(made.id, ["p"]).deleted == 1
    collections.delete(made.id)
    client.wait_for_views()
    assert client.search("penguins", scope=folder).hits[0].file.id == written.id
    (answer,) = client.batch_search([SearchQuery(text="penguins", scope=folder)])
    assert answer.hits[0].file.id == written.id
    list(client.list_skipped_files(scope=folder))
    assert client.server_info().version


# ---- What is answered. -----------------------------------------------------------------------------------------------------

HTML = b"<html>Bad gateway</html>"


@pytest.mark.parametrize(
    ("answer", "kind", "attempts"),
    [
        (Raw(502, HTML), UnavailableError, 2),
        (Raw(503, b""), UnavailableError, 2),
        (Raw(404, HTML), NotSupportedError, 1),
        (Raw(418, HTML), VexfsError, 1),
        (Raw(302, b"", headers=[("location", "http://127.0.0.1:1/")]), VexfsError, 1),
        (Raw(500, b'{"error": {"status": "NO_SUCH_CODE", "message": "", "details": []}}'), VexfsError, 1),
        (Raw(500, b'{"error": "text"}'), VexfsError, 1),
        (Raw(500, b"[]"), VexfsError, 1),
        (Raw(200, HTML), InternalError, 1),
        (Raw(200, b"[]"), InternalError, 1),
        (Raw(200, b'{"file": 7}'), InternalError, 1),
        (Raw(200, b'{"file": {"id": "seven"}}'), InternalError, 1),
        (Raw(200, b'{"revision": "7"', cut=True), UnavailableError, 2),
        (Raw(204), VexfsError, 1),
    ],
)
async def test_answers_of_something_else_are_errors_of_a_kind(
    run: Run, answer: Raw, kind: type[VexfsError], attempts: int
) -> None:
    with FaultyHttpServer(answer) as server, pytest.raises(VexfsError) as error:
        await run(stat, server, {"max_attempts": 2})
    assert type(error.value) is kind
    assert (error.value.reason, error.value.attempts) == ("", attempts)
    assert len(server.seen) == attempts


def test_names_and_fields_of_a_newer_server_are_passed_over() -> None:
    file = {"id": "7", "kind": "FILE_KIND_OF_LATER", "of_later": {"a": 1}}
    hit = {"file": file, "matches": [{"mode": "SEARCH_MODE_OF_LATER", "rank": 1}, {"mode": "SEARCH_MODE_DENSE"}]}
    answers = [{"revision": "3", "file": file, "more": []}, {"revision": "3", "hits": [hit], "strategy": "later"}]
    script = [Raw(200, json.dumps(answer).encode()) for answer in answers]
    with FaultyHttpServer(*script) as server, Client(**server.reach) as client:
        assert client.files.stat("/a").kind is FileKind.UNSPECIFIED
        (found,) = client.search("x").hits
    assert found.file.id == 7
    assert [match.mode for match in found.matches] == [SearchMode.UNSPECIFIED, SearchMode.DENSE]


def test_whole_numbers_of_metadata_are_ints_again() -> None:
    metadata = {"a": 3, "b": 3.5, "c": 10**17, "d": 9007199254740992, "e": True}
    with FaultyHttpServer(Raw(200, json.dumps({"metadata": metadata}).encode())) as server, Client(**server.reach) as client:
        got = client.files.get_metadata("/a")
    assert got == metadata
    assert [type(value) for value in got.values()] == [int, float, float, int, bool]


def test_what_is_not_utf8_is_refused_before_it_is_sent() -> None:
    with FaultyHttpServer(STAT) as server, Client(**server.reach) as client:
        for call in (lambda: client.files.stat("/\udcff"), lambda: client.files.write("/\udcff", b"x")):
            with pytest.raises(UnicodeEncodeError):
                call()
    assert not server.seen


@pytest.mark.parametrize(
    ("seconds", "header"),
    [(1.5, "1500m"), (0, "0m"), (0.0001, "1m"), (99_999, "99999000m"), (1e6, "1000000S"), (1e30, "99999999S")],
)
def test_a_deadline_as_the_server_reads_it(seconds: float, header: str) -> None:
    assert _rest.deadline(seconds) == (("grpc-timeout", header),)


async def test_without_a_deadline_none_is_sent(run: Run) -> None:
    with FaultyHttpServer(STAT) as server:
        await run(stat, server, {"timeout": 0})
    assert "grpc-timeout" not in server.seen[0].metadata


# ---- Streams of lines. -----------------------------------------------------------------------------------------------------


def _piece(data: bytes, offset: int) -> v1.ReadFileResponse:
    return v1.ReadFileResponse(revision=9, data=data, offset=offset, file=v1.File(id=5, path="/a", size_bytes=8))


def _read(client: Any) -> Any:
    async def read() -> bytes:
        return b"".join([piece async for piece in client.files.read_stream("/a")])

    return b"".join(client.files.read_stream("/a")) if isinstance(client, Client) else read()


HALF_A_LINE = b'{"revision": "9", "data": "' + base64.b64encode(b"def")


@pytest.mark.parametrize(
    "end", [[Raw(body=HALF_A_LINE, cut=True)], [Raw(body=HALF_A_LINE)], []], ids=["broken", "half-a-line", "too-early"]
)
async def test_a_stream_that_ends_too_early_is_gone_on_with(run: Run, end: list[Raw]) -> None:
    with FaultyHttpServer([_piece(b"abc", 0), *end], [_piece(b"defgh", 3)]) as server:
        assert await run(_read, server, {}) == b"abcdefgh"
    again = server.seen[1].request.of(v1.ReadFileRequest)
    assert (again.offset, again.length, again.at_revision) == (3, 5, 9)


@pytest.mark.parametrize("line", [b"nonsense\n", b"[]\n", b'{"offset": "three"}\n', b'{"error": "why"}\n'])
async def test_a_line_that_is_no_piece_ends_the_stream(run: Run, line: bytes) -> None:
    with FaultyHttpServer([_piece(b"abc", 0), Raw(body=line)]) as server, pytest.raises(VexfsError) as error:
        await run(_read, server, {})
    assert error.value.code in ("INTERNAL", "UNKNOWN")
    assert len(server.seen) == 1


async def test_a_refusal_ends_an_upload_at_once(run: Run) -> None:
    """The server answers without reading, as one whose disk is full; there is no end to what the caller has to say."""
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(100_000)

    with FaultyHttpServer(Early(FULL)) as server, pytest.raises(ResourceExhaustedError) as error:
        await run(lambda client: client.files.write("/a", endless()), server, {})
    assert (error.value.reason, error.value.attempts) == ("VOLUME_FULL", 1)
    assert taken < 1000


def test_a_refusal_is_told_to_who_writes_slowly() -> None:
    with FaultyHttpServer(Early(FULL)) as server, Client(**server.reach) as client:
        file = client.files.open("/a", "wb")
        with pytest.raises(ResourceExhaustedError) as error:
            end = time.monotonic() + 30
            while time.monotonic() < end:
                file.write(bytes(2_000_000))
                time.sleep(0.1)
        assert error.value.reason == "VOLUME_FULL"
        file.discard()


async def test_after_a_refusal_the_connection_is_not_used_again(run: Run) -> None:
    """The rest of the refused request, which fits in no buffer, was never sent: the next one would be taken for it."""
    large = [PointInput("a", {"v": np.zeros(4_000_000, np.float32)})]

    def refused_then_read(client: Any) -> Any:
        if isinstance(client, Client):
            with pytest.raises(ResourceExhaustedError):
                client.points.upsert("/a", large)
            return client.files.stat("/a")

        async def both() -> Any:
            with pytest.raises(ResourceExhaustedError):
                await client.points.upsert("/a", large)
            return await client.files.stat("/a")

        return both()

    with FaultyHttpServer(Early(FULL), STAT) as server:
        assert (await run(refused_then_read, server, {"max_attempts": 1})).id == 2
        assert server.connections == 2


def test_content_of_any_size_takes_little_memory(server: Server, folder: str) -> None:
    piece = os.urandom(1_000_000)
    with Client(**server.reach("rest"), token=server.token, timeout=120) as client:
        client.files.write(f"{folder}/warm", [piece])
        tracemalloc.start()
        try:
            client.files.write(f"{folder}/large", (piece for _ in range(64)))
            size = sum(len(part) for part in client.files.read_stream(f"{folder}/large"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert size == 64_000_000
    assert peak < 24_000_000


# ---- Connections. ----------------------------------------------------------------------------------------------------------


async def test_a_connection_is_kept_for_the_next_call(run: Run) -> None:
    def three(client: Any) -> Any:
        async def calls() -> None:
            for _ in range(3):
                await client.files.stat("/a")

        return [client.files.stat("/a") for _ in range(3)] if isinstance(client, Client) else calls()

    with FaultyHttpServer(STAT) as server:
        await run(three, server, {})
        assert (len(server.seen), server.connections) == (3, 1)


def test_calls_of_many_threads_run_side_by_side() -> None:
    barrier = threading.Barrier(4)

    def together() -> v1.StatFileResponse:
        barrier.wait(30)  # nobody is answered before all have come
        return STAT

    with FaultyHttpServer(together) as server, Client(**server.reach) as client:
        threads = [threading.Thread(target=client.files.stat, args=("/a",)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(server.seen) == 4


async def test_proxies_of_the_environment_are_not_used(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with FaultyHttpServer(STAT) as server:
        assert (await run(stat, server, {"max_attempts": 1})).id == 2


async def test_closing_the_client_closes_its_connections() -> None:
    with FaultyHttpServer([_piece(b"abc", 0), Hanging()]) as server:
        client = AsyncClient(**server.reach)
        stream = client.files.read_stream("/a")
        assert await anext(stream) == b"abc"
        await client.aclose()
        assert await asyncio.to_thread(server.seen[0].ended.wait, 10), "although nobody waits for the stream right now"
        with pytest.raises(CancelledError):
            await anext(stream)
        server.answers[0][1].release.set()


# ---- The thread of the synchronous client. ---------------------------------------------------------------------------------


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "vexfs-client"]


def test_the_thread_ends_with_the_client() -> None:
    with FaultyHttpServer(STAT) as server:
        with Client(**server.reach) as client:
            assert not _threads(), "it begins with the first call"
            client.files.stat("/a")
            (thread,) = _threads()
        assert not thread.is_alive()


def test_the_thread_ends_when_the_client_is_forgotten() -> None:
    with FaultyHttpServer(STAT) as server:
        client = Client(**server.reach)
        client.files.stat("/a")
        (thread,) = _threads()
        del client
        gc.collect()
        thread.join(10)
        assert not thread.is_alive()


def test_a_forgotten_stream_ends_its_call() -> None:
    hanging = Hanging()
    with FaultyHttpServer([_piece(b"abc", 0), hanging]) as server, Client(**server.reach) as client:
        stream: Any = client.files.read_stream("/a")
        assert next(stream) == b"abc"
        cycle = [stream]
        cycle.append(cycle)  # only the garbage collector finds it
        del stream, cycle
        gc.collect()
        assert server.seen[0].ended.wait(10)
        hanging.release.set()


def test_an_interrupt_ends_the_call_on_the_server() -> None:
    hanging = Hanging()

    def interrupt() -> None:
        hanging.arrived.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    # A shell that starts these tests in the background has them ignore SIGINT; what a person starts does not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with FaultyHttpServer(hanging) as server, Client(**server.reach) as client:
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                client.files.stat("/a")
            thread.join()
        finally:
            signal.signal(signal.SIGINT, before)
        assert server.seen[0].ended.wait(10)
        hanging.release.set()
        server.answers = [STAT]
        assert client.files.stat("/a").id == 2, "the client goes on"


def test_an_interrupt_while_a_call_is_handed_over_ends_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that runs the call may be faster than the one that waits for it, which then has not begun to wait."""
    hanging, hand_over = Hanging(), asyncio.BaseEventLoop.call_soon_threadsafe

    def interrupted(loop: asyncio.BaseEventLoop, *arguments: Any, **options: Any) -> asyncio.Handle:
        handle = hand_over(loop, *arguments, **options)
        if threading.current_thread() is threading.main_thread():
            monkeypatch.undo()
            assert hanging.arrived.wait(30)
            raise KeyboardInterrupt
        return handle

    with FaultyHttpServer(hanging) as server, Client(**server.reach) as client:
        monkeypatch.setattr(asyncio.BaseEventLoop, "call_soon_threadsafe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.files.stat("/a")
        assert server.seen[0].ended.wait(10)
        hanging.release.set()
        server.answers = [STAT]
        assert client.files.stat("/a").id == 2, "the client goes on"


def test_a_client_that_was_used_before_a_fork_says_so() -> None:
    script = """
import os, sys
from vexfs_client import CancelledError, Client
client = Client(transport="rest", url=sys.argv[1], max_attempts=1)
print(client.files.stat("/a").id, flush=True)
child = os.fork()
if child == 0:
    try:
        client.files.stat("/a")
    except CancelledError as error:
        print("fork" in str(error), flush=True)
    with Client(transport="rest", url=sys.argv[1]) as own:
        print(own.files.stat("/a").id, flush=True)
    os._exit(0)
os.waitpid(child, 0)
client.close()
"""
    with FaultyHttpServer(STAT) as server:
        command = [sys.executable, "-c", script, server.reach["url"]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["2", "True", "2"], done.stderr


# ---- The package it needs. -------------------------------------------------------------------------------------------------


def test_without_the_package_the_error_says_what_to_install() -> None:
    script = """
import sys
sys.modules["httpcore"] = None
from vexfs_client import AsyncClient, Client, SettingsError
for kind in (Client, AsyncClient):
    kind(address="127.0.0.1:1")
    try:
        kind(transport="rest")
    except SettingsError as error:
        print(error.setting, error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    said = "transport transport: rest needs a package that is not there (httpcore): pip install 'vexfs-client[rest]'\n"
    assert done.stdout == said * 2, done.stderr


def test_who_speaks_grpc_does_not_load_it() -> None:
    script = "import sys; from vexfs_client import Client; Client().close(); print({'httpcore', 'anyio'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "set()\n", done.stderr
