"""client.collections and client.points against a real server."""

from collections.abc import Iterator

import numpy as np
import pytest

from vexfs_client import (
    AlreadyExistsError,
    Client,
    Filter,
    InvalidArgumentError,
    Metric,
    NotFoundError,
    PointInput,
    PointsQuery,
    Reason,
    ResourceExhaustedError,
    VectorSpec,
    VectorStorage,
)


@pytest.fixture
def collection(client: Client, folder: str) -> str:
    specs = [VectorSpec("main", 3), VectorSpec("other", 2, Metric.EUCLIDEAN, "int8")]
    return client.collections.create(f"{folder}/c", vectors=specs).path


@pytest.fixture
def filled(client: Client, collection: str) -> str:
    points = [
        PointInput(
            f"p{number}",
            {"main": [1.0, number, 0.0], "other": np.array([number, 0])},
            {"number": number, "even": number % 2 == 0},
        )
        for number in range(6)
    ]
    put = client.points.upsert(collection, points)
    assert put.upserted == 6
    client.wait_for_views(min_revision=put.revision)
    return collection


def test_collections(client: Client, collection: str) -> None:
    got = client.collections.get(collection)
    assert got.vectors == [
        VectorSpec("main", 3, Metric.COSINE, VectorStorage.FLOAT32),
        VectorSpec("other", 2, Metric.EUCLIDEAN, VectorStorage.INT8),
    ]
    assert (got.path, got.embed_text, got.point_count) == (collection, False, 0)
    assert got.at_revision >= got.revision
    listed = list(client.collections.list(page_size=1))
    assert listed[0].path == "/"
    assert got in listed
    assert client.collections.list(page_size=1).page().next_page_token
    with pytest.raises(AlreadyExistsError) as error:
        client.collections.create(collection, vectors=[VectorSpec("x", 4, "dot")])
    assert error.value.reason == Reason.COLLECTION_EXISTS
    assert client.collections.delete(collection) > got.revision
    with pytest.raises(NotFoundError) as gone:
        client.collections.get(collection)
    assert gone.value.reason == Reason.COLLECTION_NOT_FOUND
    with pytest.raises(ValueError, match="manhattan"):
        client.collections.create(collection, vectors=[VectorSpec("x", 4, "manhattan")])
    with pytest.raises(ValueError, match="float8"):
        client.collections.create(collection, vectors=[VectorSpec("x", 4, storage="float8")])


def test_points_are_put_read_listed_and_deleted(client: Client, filled: str) -> None:
    two = client.points.get(filled, ["p4", "none", "p1"], with_vectors=True)
    assert [point.id for point in two] == ["p4", "p1"]
    assert two[0].metadata == {"number": 4, "even": True}
    main = two[0].vectors["main"]
    assert main.dtype == np.float32
    assert main.tolist() == [1.0, 4.0, 0.0]
    main[0] = 9  # an array of the caller's own
    assert client.points.get(filled, ["p1"])[0].vectors == {}
    assert [point.id for point in client.points.list(filled, page_size=4)] == [f"p{number}" for number in range(6)]
    deleted = client.points.delete(filled, ["p0", "p5", "none"])
    assert deleted.deleted == 2
    assert len(list(client.points.list(filled))) == 4
    assert client.files.get_metadata(f"{filled}/p1") == {"number": 1, "even": False}


def test_a_points_content(client: Client, collection: str) -> None:
    client.points.upsert(collection, [PointInput("a", {"main": [1, 2, 3]}, content=b"text")])
    client.points.upsert(collection, [PointInput("a", {"main": [3, 2, 1]})])
    assert client.files.read(f"{collection}/a") == b"text"


def test_query(client: Client, filled: str) -> None:
    result = client.points.query(filled, [1, 5, 0], limit=2, with_vectors=True)
    assert [hit.point.id for hit in result.hits] == ["p5", "p4"]
    assert result.hits[0].score == pytest.approx(1.0, abs=1e-6)
    assert result.hits[0].point.vectors["main"].tolist() == [1.0, 5.0, 0.0]
    assert (result.partial, result.exact) == (False, True)
    near = client.points.query(filled, point_id="p0", vector_name="other", limit=3, exact=True)
    assert [hit.point.id for hit in near.hits] == ["p1", "p2", "p3"]
    assert near.hits[0].score == pytest.approx(-1.0)
    rest = client.points.query(filled, point_id="p0", vector_name="other", exact=True, page_token=near.next_page_token)
    assert [hit.point.id for hit in rest.hits] == ["p4", "p5"]
    assert rest.next_page_token == ""
    with pytest.raises(InvalidArgumentError, match="another question"):
        client.points.query(filled, point_id="p0", exact=True, page_token=near.next_page_token)


def test_query_by_examples(client: Client, filled: str) -> None:
    like = client.points.query(filled, positive=["p0", np.array([0.0, 5.0, 0.0])], negative=(name for name in ["p5"]), limit=2)
    assert like.hits and not {"p0", "p5"} & {hit.point.id for hit in like.hits}
    with pytest.raises(NotFoundError):
        client.points.query(filled, positive=["none"])
    with pytest.raises(InvalidArgumentError):
        client.points.query(filled, negative=["p0"])


def test_a_batch_of_queries(client: Client, filled: str) -> None:
    queries = [
        PointsQuery(collection=filled, vector=[1, 5, 0], limit=2, with_vectors=True),
        PointsQuery(collection=filled, point_id="p0", vector_name="other", limit=3, exact=True),
        PointsQuery(collection=filled, positive=["p0"], negative=["p5"], filter=Filter.metadata("even", equals=True)),
    ]
    first, second, third = client.points.batch_query(queries)
    assert [hit.point.id for hit in first.hits] == ["p5", "p4"]
    assert first.hits[0].point.vectors["main"].tolist() == [1.0, 5.0, 0.0]
    assert [hit.point.id for hit in second.hits] == ["p1", "p2", "p3"]
    assert {hit.point.id for hit in third.hits} == {"p2", "p4"}
    assert first.revision == second.revision == third.revision > 0
    with pytest.raises(NotFoundError, match=r"queries\[1\]") as error:
        client.points.batch_query([queries[0], PointsQuery(collection=filled, point_id="none")])
    assert error.value.metadata["index"] == "1"
    with pytest.raises(InvalidArgumentError):
        client.points.batch_query([])


def test_query_with_filters(client: Client, filled: str) -> None:
    def ids(condition: Filter) -> list[str]:
        hits = client.points.query(filled, np.array([1.0, 0.0, 0.0]), filter=condition, limit=10).hits
        return sorted(hit.point.id for hit in hits)

    even = Filter.metadata("even", equals=True)
    assert ids(even) == ["p0", "p2", "p4"]
    assert ids(even & Filter.metadata("number", gt=0, lte=4)) == ["p2", "p4"]
    assert ids(~even) == ["p1", "p3", "p5"]
    assert ids(Filter.metadata("number", one_of=[1, 2]) | Filter.name("p5")) == ["p1", "p2", "p5"]
    assert ids(Filter.metadata("none", exists=False)) == [f"p{number}" for number in range(6)]
    assert ids(Filter.size_bytes(gt=0)) == []
    assert ids(Filter.all(even, Filter.name("p[0-2]"))) == ["p0", "p2"]
    assert ids(Filter.any(Filter.uid(10**6), Filter.name("p3"))) == ["p3"]
    with pytest.raises(ValueError, match="one test"):
        Filter.metadata("number")
    with pytest.raises(ValueError, match="one test"):
        Filter.metadata("number", equals=1, prefix="x")
    with pytest.raises(InvalidArgumentError):
        ids(Filter.all())


@pytest.mark.parametrize("vector", [[1, 2], [float("nan"), 0, 1], [1e300, 0, 0], [0, 0, 0]])
def test_vectors_that_do_not_fit(client: Client, collection: str, vector: list[float]) -> None:
    with pytest.raises(InvalidArgumentError) as error:
        client.points.upsert(collection, [PointInput("a", {"main": vector})])
    assert error.value.reason in (Reason.DIMENSION_MISMATCH, Reason.INVALID_VECTOR)


def test_what_is_no_vector(client: Client, collection: str) -> None:
    with pytest.raises(ValueError, match="dimension"):
        client.points.query(collection, [[1, 2, 3]])  # type: ignore[list-item]
    with pytest.raises(NotFoundError) as error:
        client.points.query(collection, point_id="none")
    assert error.value.reason == Reason.POINT_NOT_FOUND


def numbered(count: int) -> Iterator[PointInput]:
    return (PointInput(f"n{number:05}", {"main": [1.0, number, 0.0]}, {"number": number}) for number in range(count))


def test_points_of_any_number_are_put_as_they_come(client: Client, collection: str) -> None:
    put = client.points.upsert_stream(collection, numbered(1100))
    assert put.upserted == 1100
    assert [point.id for point in client.points.list(collection)] == [f"n{number:05}" for number in range(1100)]
    assert client.points.get(collection, ["n01099"], min_revision=put.revision)[0].metadata == {"number": 1099}
    assert client.points.upsert_stream(collection, []).upserted == 0


def test_a_stream_of_large_points_goes_in_small_messages(client: Client, collection: str) -> None:
    points = [
        *(PointInput(f"l{number}", content=bytes(700_000)) for number in range(40)),
        *(PointInput(f"m{number}", metadata={"text": "x" * 60_000}) for number in range(100)),
    ]
    assert client.points.upsert_stream(collection, points).upserted == 140
    assert client.files.stat(f"{collection}/l39").size_bytes == 700_000
    with pytest.raises(ResourceExhaustedError):
        client.points.upsert(collection, points)


def test_a_stream_that_is_refused_says_how_many_are_put(client: Client, collection: str) -> None:
    def points() -> Iterator[PointInput]:
        yield from numbered(600)
        yield PointInput("bad", {"main": [1.0]})
        yield from numbered(10_000)

    with pytest.raises(InvalidArgumentError) as error:
        client.points.upsert_stream(collection, points())
    assert (error.value.reason, error.value.metadata["upserted"]) == (Reason.DIMENSION_MISMATCH, "500")
    assert len(list(client.points.list(collection))) == 500
    with pytest.raises(NotFoundError) as missing:
        client.points.upsert_stream(f"{collection}-none", numbered(1))
    assert missing.value.reason == Reason.FILE_NOT_FOUND


def test_a_source_that_fails_ends_the_stream(client: Client, collection: str) -> None:
    def points() -> Iterator[PointInput]:
        yield from numbered(300)
        raise KeyError("the source")

    with pytest.raises(KeyError, match="the source"):
        client.points.upsert_stream(collection, points())
    assert len(list(client.points.list(collection))) in (0, 250)


def test_a_stream_sent_again_takes_effect_once(client: Client, collection: str) -> None:
    first = client.points.upsert_stream(collection, numbered(300), request_id=f"{collection}-stream")
    client.points.delete(collection, ["n00000"])
    assert client.points.upsert_stream(collection, numbered(300), request_id=f"{collection}-stream") == first
    assert client.points.get(collection, ["n00000"]) == []
