"""QueryPoints on a server of its own, with a collection large enough for a generation: what is approximate, and what is not."""

import time
from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from running import Client, refused, running

from vexfs.contract.v1.collections_pb2 import CollectionSchema, VectorSpec
from vexfs.contract.v1.common_pb2 import FileRef, Vector
from vexfs.contract.v1.points_pb2 import Example, Examples, PointInput, QueryPointsResponse

COUNT = 3000
DIMENSION = 96
POINTS = FileRef(path="/points")
READY_S = 60


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with one collection of 3,000 points, p0000 and so on, that has a generation."""
    with running(tmp_path_factory.mktemp("queries"), ["-m", "vexfs.api"]) as server:
        client = Client(server)
        client.create_collection(
            collection=POINTS, schema=CollectionSchema(vectors=[VectorSpec(name="v", dimension=DIMENSION)])
        )
        made = [PointInput(id=f"p{number:04}", vectors={"v": packed(row)}) for number, row in enumerate(rows())]
        for start in range(0, COUNT, 1000):
            revision = client.upsert_points(collection=POINTS, points=made[start : start + 1000]).revision
        end = time.monotonic() + READY_S
        while not (answer := client.query_points(collection=POINTS, point_id="p0000", min_revision=revision)).generation:
            assert time.monotonic() < end, answer
            time.sleep(0.1)
        yield client
        client.close()


@cache
def rows() -> np.ndarray:
    """Unit vectors with what those of text have: far fewer directions that matter than dimensions."""
    random = np.random.default_rng(11)
    made = random.standard_normal((COUNT, 12)) @ random.standard_normal((12, DIMENSION))
    made += 0.3 * random.standard_normal(made.shape)
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


def packed(row: np.ndarray) -> Vector:
    return Vector(values=row.astype("<f4").tobytes())


def ids(answer: QueryPointsResponse) -> list[str]:
    return [hit.point.id for hit in answer.hits]


def test_only_an_exact_query_compares_with_every_vector(api: Client) -> None:
    for number in range(0, COUNT, 150):
        asked = rows()[number] + 0.7 * rows()[(number * 7 + 1) % COUNT]
        approximate = api.query_points(collection=POINTS, vector=packed(asked), limit=20)
        assert (approximate.exact, approximate.strategy) == (False, "scann")
        exact = api.query_points(collection=POINTS, vector=packed(asked), limit=20, exact=True)
        assert (exact.exact, exact.strategy) == (True, "exact")
        nearest = np.argsort(-(rows() @ asked), kind="stable")[:20]
        assert ids(exact) == [f"p{place:04}" for place in nearest]


def test_a_search_with_a_named_vector_can_be_exact_too(api: Client) -> None:
    asked = {"vector": packed(rows()[5]), "vector_name": "v", "scope": POINTS, "limit": 5}
    assert (api.search(**asked).exact, api.search(**asked, exact=True).exact) == (False, True)


def test_examples_answer_what_their_vector_answers_without_the_points_among_them(api: Client) -> None:
    for number in range(0, COUNT - 3, 300):
        like, unlike = [number, number + 1], [number + 2]
        mean = 2 * rows()[like].mean(axis=0) - rows()[unlike].mean(axis=0)
        given = Examples(
            positive=[Example(point_id=f"p{like[0]:04}"), Example(vector=packed(rows()[like[1]]))],
            negative=[Example(point_id=f"p{unlike[0]:04}")],
        )
        by_examples = api.query_points(collection=POINTS, examples=given, limit=20, exact=True)
        by_vector = api.query_points(collection=POINTS, vector=packed(mean), limit=22, exact=True)
        named = {f"p{place:04}" for place in (like[0], unlike[0])}
        assert len(by_examples.hits) == 20 and not named & set(ids(by_examples))
        assert ids(by_examples) == [id for id in ids(by_vector) if id not in named][:20]


def test_many_examples_leave_a_full_answer(api: Client) -> None:
    near = ids(api.query_points(collection=POINTS, point_id="p0000", limit=99, exact=True))
    given = Examples(positive=[Example(point_id=id) for id in ["p0000", *near]])
    for exact in (False, True):
        answer = api.query_points(collection=POINTS, examples=given, limit=10, exact=exact)
        assert len(answer.hits) == 10 and not {"p0000", *near} & set(ids(answer))


def test_examples_are_checked(api: Client) -> None:
    here = Example(point_id="p0001")
    for reason, given in {
        "POINT_NOT_FOUND": Examples(positive=[here, Example(point_id="nobody")]),
        "DIMENSION_MISMATCH": Examples(positive=[here], negative=[Example(vector=Vector(values=b"\0\0\0\0"))]),
        "INVALID_VECTOR": Examples(positive=[here, Example(vector=packed(-rows()[1]))]),
        "INVALID_ARGUMENT": Examples(positive=[Example()]),
    }.items():
        with refused(reason):
            api.query_points(collection=POINTS, examples=given)
    for given in (Examples(negative=[here]), Examples(positive=[here] * 101), Examples(positive=[here], negative=[here] * 101)):
        with refused("INVALID_ARGUMENT"):
            api.query_points(collection=POINTS, examples=given)
