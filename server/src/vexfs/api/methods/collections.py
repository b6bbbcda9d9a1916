"""CollectionsService: directories with a vector schema."""

from vexfs.api.context import CallContext
from vexfs.api.methods import messages, references
from vexfs.api.methods.defaults import DIRECTORY_MODE, PAGE_DEFAULT, owner
from vexfs.api.methods.references import Found
from vexfs.api.registry import Handler
from vexfs.contract.v1 import collections_pb2 as pb
from vexfs.contract.v1.common_pb2 import FileRef
from vexfs.core import collections, files, paths, trees
from vexfs.core.errors import InvalidSchema, NotFound, RootImmutable, VectorsDoNotFit
from vexfs.core.types import ROOT_INO, Collection, CollectionSchema, VectorSpec
from vexfs.store.reader import Reader
from vexfs.store.writer import Transaction

_METRICS = {pb.METRIC_UNSPECIFIED: "cosine", pb.METRIC_COSINE: "cosine", pb.METRIC_DOT: "dot", pb.METRIC_EUCLIDEAN: "euclidean"}
_METRIC_NUMBERS = {"cosine": pb.METRIC_COSINE, "dot": pb.METRIC_DOT, "euclidean": pb.METRIC_EUCLIDEAN}
_STORAGES = {
    pb.VECTOR_STORAGE_UNSPECIFIED: "float32",
    pb.VECTOR_STORAGE_FLOAT32: "float32",
    pb.VECTOR_STORAGE_BFLOAT16: "bfloat16",
    pb.VECTOR_STORAGE_INT8: "int8",
}
_STORAGE_NUMBERS = {name: number for number, name in _STORAGES.items()}  # the last of a name: that which says it


async def create_collection(context: CallContext, request: pb.CreateCollectionRequest) -> pb.CreateCollectionResponse:
    schema = _schema(request.schema)

    def run(txn: Transaction) -> pb.CreateCollectionResponse:
        node, path = _directory(txn, request.collection)
        collection = collections.create(txn, node.ino, schema)
        return pb.CreateCollectionResponse(revision=txn.revision, collection=_message(txn, collection, path))

    return await context.write(pb.CreateCollectionResponse, run)


async def get_collection(context: CallContext, request: pb.GetCollectionRequest) -> pb.GetCollectionResponse:
    def run(view: Reader, revision: int) -> pb.GetCollectionResponse:
        node, path = references.find(view, request.collection)
        collection = collections.get(view, node.ino)
        return pb.GetCollectionResponse(revision=revision, collection=_message(view, collection, path))

    return await context.read(run)


async def list_collections(context: CallContext, request: pb.ListCollectionsRequest) -> pb.ListCollectionsResponse:
    limit = request.page_size or PAGE_DEFAULT
    after = int.from_bytes(messages.page_position(request.page_token)[:8], "big")

    def run(view: Reader, revision: int) -> pb.ListCollectionsResponse:
        declared = collections.list_all(view)
        if not declared or declared[0].ino != ROOT_INO:
            declared.insert(0, collections.get(view, ROOT_INO))
        page = [collection for collection in declared if collection.ino > after]
        response = pb.ListCollectionsResponse(revision=revision)
        for collection in page[:limit]:
            response.collections.append(_message(view, collection, paths.path_of(view, collection.ino)))
        if len(page) > limit:
            response.next_page_token = messages.page_token(page[limit - 1].ino.to_bytes(8, "big"))
        return response

    return await context.read(run)


async def delete_collection(context: CallContext, request: pb.DeleteCollectionRequest) -> pb.DeleteCollectionResponse:
    def step(txn: Transaction) -> bool:
        return trees.drop_vectors_step(txn, _declared(txn, request.collection))

    def finish(txn: Transaction) -> pb.DeleteCollectionResponse:
        collection = _declared(txn, request.collection)
        trees.drop_vectors_step(txn, collection)
        collections.delete(txn, collection.ino)
        return pb.DeleteCollectionResponse(revision=txn.revision)

    while True:
        try:
            return await context.write(pb.DeleteCollectionResponse, finish)
        except VectorsDoNotFit:  # more vectors than one transaction drops
            while not await context.step(step):
                context.deadline.check()


def _directory(txn: Transaction, ref: FileRef) -> Found:
    try:
        return references.find(txn, ref)
    except NotFound:
        if ref.WhichOneof("name") == "id":
            raise
        place = references.new_place(txn, ref)
        return Found(files.make_directory(txn, place.parent, place.name, mode=DIRECTORY_MODE, **owner()), place.path)


def _declared(txn: Transaction, ref: FileRef) -> Collection:
    node = references.find(txn, ref).node
    if node.ino == ROOT_INO and not any(collection.ino == ROOT_INO for collection in collections.list_all(txn)):
        raise RootImmutable("the root always has its default schema: there is nothing to delete")
    return collections.get(txn, node.ino)


def _schema(schema: pb.CollectionSchema) -> CollectionSchema:
    if not schema.vectors and not schema.embed_text:
        raise InvalidSchema("a collection has a vector, or embeds text, or both")
    vectors = tuple(
        VectorSpec(spec.name, spec.dimension, _METRICS[spec.metric], _STORAGES[spec.storage]) for spec in schema.vectors
    )
    return CollectionSchema(vectors, schema.embed_text)


def _message(view: Reader, collection: Collection, path: bytes | None) -> pb.Collection:
    vectors = [
        pb.VectorSpec(
            name=spec.name,
            dimension=spec.dimension,
            metric=_METRIC_NUMBERS[spec.metric],
            storage=_STORAGE_NUMBERS[spec.storage],
        )
        for spec in collection.schema.vectors
    ]
    return pb.Collection(
        id=collection.ino,
        schema=pb.CollectionSchema(vectors=vectors, embed_text=collection.schema.embed_text),
        revision=collection.revision,
        point_count=trees.count_points(view, collection.ino) if vectors else 0,
        **messages.path_fields(path),
    )


HANDLERS: dict[str, Handler] = {
    "vexfs.v1.CollectionsService.CreateCollection": create_collection,
    "vexfs.v1.CollectionsService.GetCollection": get_collection,
    "vexfs.v1.CollectionsService.ListCollections": list_collections,
    "vexfs.v1.CollectionsService.DeleteCollection": delete_collection,
}
