"""Examples of a query of points: which vectors they are, and which points.

Called by `queries` in a thread that may read the volume. Reads all points of a request at once; what is made of the vectors is
`vexfs.core.search.recommend`'s.
"""

from vexfs.contract.v1 import points_pb2 as pb
from vexfs.core import points
from vexfs.core.errors import InvalidRequest, PointNotFound
from vexfs.core.search import recommend
from vexfs.core.types import Collection, Ino, Point, VectorSpec
from vexfs.store.reader import Reader


def resolve(view: Reader, collection: Collection, spec: VectorSpec, examples: pb.Examples) -> tuple[bytes, tuple[Ino, ...]]:
    """The vector that the examples make, and the files of the points among them.

    Raises PointNotFound, InvalidRequest (a point without that vector), InvalidVector, DimensionMismatch.
    """
    ids = [example.point_id for example in (*examples.positive, *examples.negative) if example.HasField("point_id")]
    found = {point.id: point for point in points.get_many(view, collection, ids, with_vectors=True)} if ids else {}
    positive, negative = (
        [_vector_of(example, spec, found) for example in part] for part in (examples.positive, examples.negative)
    )
    return recommend.vector_of(spec, positive, negative), tuple(point.ino for point in found.values())


def vector_named(point: Point, name: str) -> bytes:
    """The vector of that name. Raises InvalidRequest when the point has none."""
    if name not in point.vectors:
        raise InvalidRequest(f"the point {point.id!r} has no vector named {name!r} to compare with")
    return point.vectors[name]


def _vector_of(example: pb.Example, spec: VectorSpec, found: dict[str, Point]) -> bytes:
    if not example.HasField("point_id"):
        return example.vector.values
    point = found.get(example.point_id)
    if point is None:
        raise PointNotFound(f"the collection has no point {example.point_id!r}", id=example.point_id)
    return vector_named(point, spec.name)
