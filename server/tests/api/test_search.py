"""Search over gRPC and REST with a real indexer and the real model: meaning, words, vectors, scopes, filters, waiting."""

import json
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct, Value
from running import Client, Server, refused, running

from vexfs.contract.v1.collections_pb2 import CollectionSchema, VectorSpec
from vexfs.contract.v1.common_pb2 import FileRef, Vector
from vexfs.contract.v1.content_pb2 import WriteOptions
from vexfs.contract.v1.filter_pb2 import AttributeCondition, Filter, FilterList, MetadataCondition, NumberRange
from vexfs.contract.v1.points_pb2 import PointInput
from vexfs.contract.v1.search_pb2 import SEARCH_MODE_DENSE, SEARCH_MODE_LEXICAL, SearchRequest, SearchResponse

DOCUMENTS = {
    "/docs/rotation.md": "# Credentials\n\nReplace the secret tokens of every service each ninety days.\n",
    "/docs/bread.md": "# Sourdough\n\nKnead flour with water and salt, let the dough rise over night, bake it hot.\n",
    "/docs/deep/trains.txt": "The express leaves the station at noon and arrives in the evening.\n",
    "/code/parse.py": "def parse_arguments(line):\n    '''Split what was typed at the shell.'''\n    return line.split()\n",
}


PENDING_AGE_SECONDS = 0.2
"""The count of what is pending may be 0.1 s old: an answer right after a wait may still name what was pending before it."""


class Served:
    """A server with its indexer."""

    def __init__(self, server: Server, indexer: "subprocess.Popen[bytes]") -> None:
        self.server = server
        self.indexer = indexer
        self.api = Client(server)

    def put(self, path: str, data: bytes) -> int:
        options = WriteOptions(make_parents=True)
        return int(self.api.put_content(file=FileRef(path=path), data=data, options=options).revision)

    def found(self, text: str, **fields: object) -> list[str]:
        return [hit.file.path for hit in self.api.search(text=text, **fields).hits]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    data = tmp_path_factory.mktemp("search")
    with running(data, ["-m", "vexfs.api"]) as server:
        command = [sys.executable, "-m", "vexfs.views.indexer", "--data", str(data)]
        with (data / "indexer.log").open("wb") as log:
            indexer = subprocess.Popen(command, stderr=log)
        try:
            served = Served(server, indexer)
            for path, text in DOCUMENTS.items():
                served.put(path, text.encode())
            served.put("/docs/noise.bin", bytes(range(256)) * 10)
            served.api.wait_for_views(timeout=60)
            time.sleep(PENDING_AGE_SECONDS)
            yield served
            served.api.close()
        finally:
            indexer.send_signal(signal.SIGCONT)
            indexer.terminate()
            indexer.wait(30)


def test_a_question_that_shares_no_word_with_its_answer_finds_it(served: Served) -> None:
    answer = served.api.search(text="how often must passwords be changed", mode=SEARCH_MODE_DENSE)
    best = answer.hits[0]
    assert best.file.path == "/docs/rotation.md"
    assert (
        DOCUMENTS["/docs/rotation.md"].encode()[best.passage.start_byte : best.passage.end_byte].decode() == best.passage.text
    )
    assert (best.passage.start_line >= 1, best.matches[0].mode, best.matches[0].rank) == (True, SEARCH_MODE_DENSE, 1)
    assert not answer.partial
    assert (answer.pending, answer.exact) == (0, True)
    assert answer.revision >= best.file.content_revision


def test_the_caches_count_their_hits_and_misses(served: Served) -> None:
    def counts() -> dict[str, float]:
        lines = served.server.http("GET", "/metrics").body.decode().splitlines()
        return {
            name: float(value)
            for name, value in (line.rsplit(" ", 1) for line in lines if line.startswith("vexfs_search_cache_"))
        }

    before = counts()
    for _ in range(2):
        served.found("a question that nobody has asked before")
    after = counts()

    def more(cache: str) -> list[float]:
        names = [f'vexfs_search_cache_{kind}_total{{cache="{cache}"}}' for kind in ("hits", "misses")]
        return [after[name] - before.get(name, 0) for name in names]

    assert more("results") == [1, 1]
    assert more("query_vectors") == [0, 1], "the second answer came whole out of the other cache"
    assert after['vexfs_search_cache_bytes{cache="results"}'] > 0


def test_words_find_what_holds_them(served: Served) -> None:
    answer = served.api.search(text="sourdough", mode=SEARCH_MODE_LEXICAL)
    assert [hit.file.path for hit in answer.hits] == ["/docs/bread.md"]
    assert (answer.strategy, list(answer.hits[0].matches[0].terms)) == ("lexical", ["Sourdough"])


def test_hybrid_is_the_default_and_says_why_each_hit_is_there(served: Served) -> None:
    answer = served.api.search(text="bake sourdough bread", limit=2)
    assert answer.strategy.startswith("hybrid")
    assert {match.mode for match in answer.hits[0].matches} == {SEARCH_MODE_DENSE, SEARCH_MODE_LEXICAL}
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)


def test_what_is_like_a_file_is_found_from_the_command_line_too(served: Served) -> None:
    answer = served.api.search(like=FileRef(path="/docs/bread.md"), limit=2)
    assert len(answer.hits) == 2 and "/docs/bread.md" not in [hit.file.path for hit in answer.hits]
    command = [sys.executable, "-m", "vexfs.cli.main", "search", "--json", "--limit", "2", "--like", "/docs/bread.md"]
    variables = {**os.environ, "VEXFS_ADDRESS": served.server.grpc_address, "VEXFS_TOKEN": served.server.token}
    outcome = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=60, check=True)
    shown = [json.loads(line)["file"] for line in outcome.stdout.splitlines()]
    assert shown == [hit.file.path for hit in answer.hits]
    both = subprocess.run([*command, "a question"], capture_output=True, text=True, env=variables, timeout=60, check=False)
    assert both.returncode == 2 and "--like" in both.stderr


def test_rest_answers_the_same(served: Served) -> None:
    over_grpc = served.api.search(text="departure times", limit=3)
    answer = served.server.http("POST", "/v1/search", {"text": "departure times", "limit": 3})
    assert json_format.ParseDict(answer.json, SearchResponse()) == over_grpc
    assert over_grpc.hits[0].file.path == "/docs/deep/trains.txt"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("/docs", {"/docs/rotation.md", "/docs/bread.md", "/docs/deep/trains.txt"}),
        ("/docs/deep", {"/docs/deep/trains.txt"}),
        ("/code/parse.py", {"/code/parse.py"}),
    ],
)
def test_a_scope_limits_the_answer_to_what_lies_there(served: Served, scope: str, expected: set[str]) -> None:
    assert set(served.found("anything at all", scope=FileRef(path=scope), limit=50)) == expected


def test_filters_on_metadata_and_attributes_limit_the_answer(served: Served) -> None:
    metadata = Struct()
    metadata.update({"author": {"name": "ada"}, "year": 1843})
    served.api.set_metadata(file=FileRef(path="/docs/bread.md"), metadata=metadata)

    def found(condition: Filter) -> set[str]:
        return set(served.found("anything at all", filter=condition, limit=50))

    def on(key: str, **test: object) -> Filter:
        return Filter(metadata=MetadataCondition(key=key, **test))  # type: ignore[arg-type]

    assert found(on("author.name", equals=Value(string_value="ada"))) == {"/docs/bread.md"}
    assert found(on("year", range=NumberRange(gte=1800, lt=1900))) == {"/docs/bread.md"}
    assert found(on("year", range=NumberRange(gt=1843))) == set()
    assert found(on("author", exists=True)) == {"/docs/bread.md"}
    assert "/docs/bread.md" not in found(Filter(negated=on("author", exists=True)))
    by_name = Filter(attribute=AttributeCondition(name="*.py"))
    assert found(by_name) == {"/code/parse.py"}
    either = Filter(any=FilterList(filters=[by_name, on("author.name", prefix="a")]))
    assert found(either) == {"/code/parse.py", "/docs/bread.md"}
    assert found(Filter(all=FilterList(filters=[by_name, on("year", exists=True)]))) == set()
    body = {"text": "x", "filter": {"metadata": {"key": "year", "equals": 1843}}}
    hits = served.server.http("POST", "/v1/search", body).json["hits"]
    assert [hit["file"]["path"] for hit in hits] == ["/docs/bread.md"]


def test_an_answer_that_waits_for_a_write_has_it(served: Served) -> None:
    revision = served.put("/docs/whale.md", b"Blue whales feed on krill in cold oceans.\n")
    question = {"text": "what do the largest sea mammals eat", "mode": SEARCH_MODE_DENSE}
    answer = served.api.search(**question, min_revision=revision, timeout=20)
    assert answer.hits[0].file.path == "/docs/whale.md"
    assert answer.revision >= revision


def test_what_was_not_indexed_is_listed_with_its_reason(served: Served) -> None:
    skipped = {skipped.file.path: skipped.reason for skipped in served.api.list_skipped_files().files}
    assert skipped["/docs/noise.bin"]
    assert not set(DOCUMENTS) & set(skipped)
    assert [each.file.path for each in served.api.list_skipped_files(scope=FileRef(path="/code")).files] == []


def test_the_server_tells_what_it_has(served: Served) -> None:
    info = served.api.get_server_info()
    assert {view.view for view in info.views} == {"text", "dense", "lexical"}
    assert info.text.ready >= len(DOCUMENTS)
    assert info.text.passages >= info.text.ready
    assert info.embedding.dimension == 384
    assert (info.store.revision, info.store.read_only) == (info.revision, False)
    assert info.store.file_count > len(DOCUMENTS)


def test_points_are_found_by_vector_and_by_point(served: Served) -> None:
    api = served.api
    points = FileRef(path="/points")
    api.create_collection(collection=points, schema=CollectionSchema(vectors=[VectorSpec(name="v", dimension=2)]))
    angles = {"east": (1, 0), "north": (0, 1), "north-east": (1, 1), "west": (-1, 0)}
    made = []
    for number, (name, values) in enumerate(angles.items()):
        metadata = Struct()
        metadata.update({"number": number})
        made.append(PointInput(id=name, vectors={"v": Vector(values=struct.pack("<2f", *values))}, metadata=metadata))
    revision = api.upsert_points(collection=points, points=made).revision
    near = Vector(values=struct.pack("<2f", 2, 0.1))
    answer = api.query_points(collection=points, vector=near, limit=2, min_revision=revision, with_vectors=True)
    assert [hit.point.id for hit in answer.hits] == ["east", "north-east"]
    assert (answer.exact, answer.strategy) == (True, "exact")
    assert answer.hits[0].score == pytest.approx(0.99875, abs=1e-4)
    assert answer.hits[0].point.vectors["v"].values == struct.pack("<2f", 1, 0)
    by_point = api.query_points(collection=points, point_id="east", limit=10)
    assert [hit.point.id for hit in by_point.hits] == ["north-east", "north", "west"]
    few = Filter(metadata=MetadataCondition(key="number", range=NumberRange(gte=2)))
    filtered = api.query_points(collection=points, point_id="east", filter=few)
    assert {hit.point.id for hit in filtered.hits} == {"north-east", "west"}
    over_search = api.search(vector=near, vector_name="v", scope=points, limit=1)
    assert [hit.file.path for hit in over_search.hits] == ["/points/east"]


def test_a_batch_answers_what_its_searches_answer_one_by_one(served: Served) -> None:
    api = served.api
    points = FileRef(path="/batched")
    api.create_collection(collection=points, schema=CollectionSchema(vectors=[VectorSpec(name="v", dimension=2)]))
    east = Vector(values=struct.pack("<2f", 1, 0))
    revision = api.upsert_points(collection=points, points=[PointInput(id="east", vectors={"v": east})]).revision
    api.wait_for_views(min_revision=revision, timeout=60)
    asked: list[dict[str, Any]] = [
        {"text": "how often must passwords be changed"},
        {"text": "how often must passwords be changed", "mode": SEARCH_MODE_DENSE, "limit": 2},
        {"text": "arguments", "mode": SEARCH_MODE_LEXICAL, "scope": FileRef(path="/code")},
        {"vector": east, "vector_name": "v", "scope": points},
        {"like": FileRef(path=next(iter(DOCUMENTS))), "limit": 3, "exact": True},
        {"text": "what nobody wrote about", "filter": Filter(metadata=MetadataCondition(key="k", exists=True))},
        {"text": "arguments", "dense_weight": 0.5},
        {"vector": Vector(values=struct.pack("<2f", 1, 1)), "vector_name": "v", "scope": points, "limit": 1},
    ]
    answer = api.batch_search(searches=[SearchRequest(**fields) for fields in asked], min_revision=revision)
    assert answer.revision == min(one.revision for one in answer.answers) >= revision
    assert all(one.hits for one in answer.answers[:5]) and not answer.answers[5].hits
    remembered = cache_count(served, "hits")
    assert [api.search(**fields) for fields in asked] == list(answer.answers)
    by_words = [fields for fields in asked if "vector" not in fields]
    assert cache_count(served, "hits") - remembered == len(by_words), (
        "what a batch has found single searches need not find again"
    )
    later = api.make_directory(directory=FileRef(path="/ends-what-is-remembered")).revision
    api.wait_for_views(min_revision=later, timeout=60)
    singles = [api.search(**fields) for fields in asked]
    assert cache_count(served, "hits") - remembered == len(by_words)
    for message in (*singles, *answer.answers):
        message.revision = 0
    assert singles == list(answer.answers)


def cache_count(served: Served, kind: str) -> float:
    """Look-ups of answers so far that were hits, or misses."""
    page = served.server.http("GET", "/metrics").body.decode()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in page.splitlines()
        if line.startswith(f'vexfs_search_cache_{kind}_total{{cache="results"}}')
    )


def test_the_search_of_a_batch_that_is_wrong_is_named(served: Served) -> None:
    good = SearchRequest(text="x")
    for reason, wrong in {
        "INVALID_ARGUMENT": SearchRequest(text=" "),
        "FILE_NOT_FOUND": SearchRequest(text="x", scope=FileRef(path="/nowhere")),
        "DIMENSION_MISMATCH": SearchRequest(vector=Vector(values=struct.pack("<3f", 1, 2, 3))),
        "COLLECTION_NOT_FOUND": SearchRequest(
            vector=Vector(values=struct.pack("<f", 1)), vector_name="v", scope=FileRef(path="/docs")
        ),
    }.items():
        with refused(reason) as info:
            served.api.batch_search(searches=[good, wrong, good])
        assert info.metadata["index"] == "1"
    points = FileRef(path="/named")
    served.api.create_collection(collection=points, schema=CollectionSchema(vectors=[VectorSpec(name="v", dimension=2)]))
    near, short = (
        SearchRequest(vector=Vector(values=struct.pack(f"<{count}f", *[1] * count)), vector_name="v", scope=points)
        for count in (2, 1)
    )
    with refused("DIMENSION_MISMATCH") as info:
        served.api.batch_search(searches=[near, good, near, short, near, short])
    assert info.metadata["index"] == "3"
    with refused("INVALID_ARGUMENT"):
        served.api.batch_search(searches=[good] * 101)
    with refused("TOO_LARGE"):
        served.api.batch_search(searches=[SearchRequest(text="x", limit=1000)] * 11)


def test_bad_questions_are_refused(served: Served) -> None:
    api = served.api
    api.create_collection(collection=FileRef(path="/bad"), schema=CollectionSchema(vectors=[VectorSpec(name="v", dimension=3)]))
    bad, vector = FileRef(path="/bad"), struct.pack
    for reason, fields in {
        "DIMENSION_MISMATCH": {"vector": Vector(values=vector("<2f", 1, 2))},
        "INVALID_VECTOR": {"vector": Vector(values=vector("<3f", 1, float("nan"), 0))},
        "POINT_NOT_FOUND": {"point_id": "nobody"},
        "INVALID_ARGUMENT": {"vector": Vector(values=vector("<3f", 1, 2, 3)), "vector_name": "w"},
    }.items():
        with refused(reason):
            api.query_points(collection=bad, **fields)
    with refused("DIMENSION_MISMATCH"):
        api.search(vector=Vector(values=vector("<3f", 1, 2, 3)))
    with refused("INVALID_VECTOR"):
        api.search(vector=Vector(values=vector("<384f", *[float("inf")] * 384)))
    with refused("INVALID_ARGUMENT"):
        api.search(text="")
    with refused("INVALID_ARGUMENT"):
        api.search(text="x" * 8193)
    with refused("INVALID_ARGUMENT"):
        api.search(text="x", limit=1001)
    with refused("FILE_NOT_FOUND"):
        api.search(text="x", scope=FileRef(path="/nowhere"))
    deep = Filter(metadata=MetadataCondition(key="k", exists=True))
    for _ in range(10):
        deep = Filter(negated=deep)
    with refused("INVALID_FILTER"):
        api.search(text="x", filter=deep)
    nested = Value()
    nested.list_value.values.add().number_value = 1
    with refused("INVALID_FILTER"):
        api.search(text="x", filter=Filter(metadata=MetadataCondition(key="k", equals=nested)))


def test_without_the_indexer_waiting_ends_at_the_deadline_and_searching_goes_on(served: Served) -> None:
    served.indexer.send_signal(signal.SIGSTOP)
    try:
        revision = served.put("/docs/later.md", b"Penguins breed on the ice of the far south.\n")
        for call in (
            lambda: served.api.wait_for_views(timeout=2),
            lambda: served.api.search(text="penguins", min_revision=revision, timeout=2),
        ):
            started = time.monotonic()
            with refused("REVISION_NOT_REACHED") as info:
                call()
            assert time.monotonic() - started < 20
            assert int(info.metadata["pending"]) >= 1
        answer = served.api.search(text="penguins", timeout=5)
        assert answer.partial
        assert answer.partial_reasons
        assert answer.pending >= 1
        assert "/docs/later.md" not in {hit.file.path for hit in answer.hits}
    finally:
        served.indexer.send_signal(signal.SIGCONT)
    answer = served.api.search(text="penguins", min_revision=revision, timeout=20)
    assert answer.hits[0].file.path == "/docs/later.md"
    time.sleep(PENDING_AGE_SECONDS)
    assert not served.api.search(text="penguins").partial


def test_a_search_is_counted_like_every_operation(served: Served) -> None:
    def count() -> float:
        metrics = served.server.http("GET", "/metrics").body.decode()
        line = next(line for line in metrics.splitlines() if 'operation="Search",outcome="OK",surface="rest"' in line)
        return float(line.rpartition(" ")[2])

    served.server.http("POST", "/v1/search", {"text": "x"})
    before = count()
    served.server.http("POST", "/v1/search", {"text": "x"})
    assert count() == before + 1
    assert json.loads(served.server.http("GET", "/healthz").body) == {"status": "SERVING"}
