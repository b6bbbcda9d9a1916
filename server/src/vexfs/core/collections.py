"""Collections: directories with a vector schema, and the rule that a file's vectors fit the collection it lies in.

Called by the surfaces and by `vexfs.core`. A file belongs to the nearest ancestor with a schema; the root always has one
(its default embeds text and takes no client vectors).
"""

import msgspec

from vexfs.core import files, paths
from vexfs.core.errors import CollectionExists, CollectionNotFound, InvalidSchema, NotADirectory, VectorsDoNotFit
from vexfs.core.types import (
    CHANGE_COLLECTION,
    DIMENSION_MAX,
    ROOT_INO,
    Change,
    Collection,
    CollectionSchema,
    Ino,
    Node,
    VectorSpec,
)
from vexfs.store import dentries, versioned
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

METRICS = ("cosine", "dot", "euclidean")
STORAGES = ("float32", "bfloat16", "int8")
VECTORS_MAX = 16
"""Named vectors in a schema at most."""
_VECTOR_NAME_MAX_BYTES = 64
_DEFAULT_SCHEMA = CollectionSchema((), embed_text=True)

_decode = msgspec.json.Decoder(CollectionSchema).decode


def check_schema(schema: CollectionSchema) -> None:
    """Raise InvalidSchema unless names, dimensions, metrics and storages are within the limits."""
    if len(schema.vectors) > VECTORS_MAX:
        raise InvalidSchema(f"a collection has at most {VECTORS_MAX} named vectors")
    if len({spec.name for spec in schema.vectors}) != len(schema.vectors):
        raise InvalidSchema("two vectors of the collection have the same name")
    for spec in schema.vectors:
        if not 1 <= spec.dimension <= DIMENSION_MAX:
            raise InvalidSchema(f"dimension {spec.dimension} is outside 1 to {DIMENSION_MAX}", limit=str(DIMENSION_MAX))
        if spec.metric not in METRICS:
            raise InvalidSchema(f"metric {spec.metric!r} is none of {', '.join(METRICS)}")
        if spec.storage not in STORAGES:
            raise InvalidSchema(f"storage {spec.storage!r} is none of {', '.join(STORAGES)}")
        if not spec.name or len(spec.name.encode()) > _VECTOR_NAME_MAX_BYTES:
            raise InvalidSchema(f"a vector's name has 1 to {_VECTOR_NAME_MAX_BYTES} bytes")


def create(txn: Transaction, ino: Ino, schema: CollectionSchema) -> Collection:
    """Give a directory a schema. Raises NotFound, NotADirectory, CollectionExists, InvalidSchema, VectorsDoNotFit."""
    check_schema(schema)
    node = files.stat(txn, ino)
    if not node.is_directory:
        raise NotADirectory("a collection is a directory")
    if versioned.get_schema(txn, ino) is not None:
        raise CollectionExists("the directory is a collection already")
    if _vectors_below(txn, node):
        raise VectorsDoNotFit("files below the directory have vectors of another collection: move them away first")
    versioned.put_schema(txn, ino, msgspec.json.encode(schema).decode(), born=txn.revision)
    txn.note(Change(CHANGE_COLLECTION, ino))
    return Collection(ino, schema, txn.revision)


def get(view: Reader, ino: Ino) -> Collection:
    """The schema of that directory. Raises CollectionNotFound."""
    found = versioned.get_schema(view, ino)
    if found is not None:
        return Collection(ino, _decode(found[1]), found[0])
    if ino == ROOT_INO:
        return Collection(ROOT_INO, _DEFAULT_SCHEMA, 0)
    raise CollectionNotFound(f"directory {ino} is not a collection: create one there first", file_id=str(ino))


def resolve(view: Reader, components: tuple[bytes, ...]) -> Collection:
    """The collection at a path. Raises NotFound, CollectionNotFound."""
    return get(view, paths.resolve(view, components).ino)


def list_all(view: Reader) -> list[Collection]:
    """Every declared collection, by ino."""
    return [Collection(Ino(ino), _decode(schema), born) for ino, born, schema in versioned.all_schemas(view)]


def owner_of(view: Reader, ino: Ino) -> Collection:
    """The collection a file or directory belongs to: the nearest ancestor with a schema, itself included."""
    declared = {found.ino: found for found in list_all(view)}
    return _owner(view, ino, declared)


def _owner(view: Reader, ino: Ino, declared: dict[Ino, Collection]) -> Collection:
    current = ino
    while current != ROOT_INO:
        if current in declared:
            return declared[current]
        names = dentries.names_of(view, current)
        if not names:
            break
        current = names[0][0]
    return declared.get(ROOT_INO, Collection(ROOT_INO, _DEFAULT_SCHEMA, 0))


def delete(txn: Transaction, ino: Ino) -> None:
    """Take the schema away; the files stay. Raises CollectionNotFound, and VectorsDoNotFit while files have vectors."""
    if versioned.get_schema(txn, ino) is None:
        raise CollectionNotFound(f"directory {ino} is not a collection", file_id=str(ino))
    if _vectors_below(txn, files.stat(txn, ino)):
        raise VectorsDoNotFit("the collection still holds vectors: delete its points first")
    forget_schema(txn, ino)


def forget_schema(txn: Transaction, ino: Ino) -> None:
    """The directory is going: so is its schema, if it has one."""
    if versioned.get_schema(txn, ino) is not None:
        versioned.put_schema(txn, ino, None, born=txn.revision)
        txn.note(Change(CHANGE_COLLECTION, ino))


def check_new_parent(txn: Transaction, node: Node, parent: Ino) -> None:
    """Raise VectorsDoNotFit when `node` (with all below it) has vectors and would come to another collection.

    A directory that is a collection itself takes its schema along; what lies in it does not change its collection.
    """
    declared = {found.ino: found for found in list_all(txn)}
    if not declared or node.ino in declared:
        return
    if _owner(txn, node.ino, declared).ino == _owner(txn, parent, declared).ino:
        return
    if _vectors_below(txn, node):
        raise VectorsDoNotFit("the file's vectors belong to its collection: it cannot move or be linked to another one")


def _vectors_below(view: Reader, node: Node) -> bool:
    """Whether the file, or any file below the directory, has a vector."""
    if not node.is_directory:
        return bool(versioned.get_vectors(view, node.ino))
    for directory in dentries.directories_below(view, node.ino):
        sql = "SELECT DISTINCT v.ino FROM dentry d JOIN vector v ON v.ino=d.ino WHERE d.parent=?"
        if any(versioned.get_vectors(view, ino) for (ino,) in view.execute(sql, (directory,)).fetchall()):
            return True
    return False


def vector_spec(collection: Collection, name: str) -> VectorSpec:
    """The schema's vector of that name ("" for the first). Raises InvalidSchema when it has none such."""
    for spec in collection.schema.vectors:
        if name in ("", spec.name):
            return spec
    raise InvalidSchema(f"the collection has no vector named {name!r}" if name else "the collection takes no client vectors")
