"""The group `client.collections`: every method of CollectionsService."""

from collections.abc import Sequence

from vexfs_client import _convert, _methods
from vexfs_client._generated.vexfs import v1
from vexfs_client._request import new_request_id
from vexfs_client._types import Collection, Page, VectorSpec
from vexfs_client._values import FileName, check_32_bits, to_metric, to_ref, to_storage

from .paging import AsyncItems
from .transport import AsyncTransport


class AsyncCollections:
    """Directories whose files carry vectors of a declared form. Reached as `client.collections`.

    `timeout`, `request_id` and `min_revision` are as for `client.files`. All methods raise VexfsError.
    """

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
        self,
        collection: FileName,
        *,
        vectors: Sequence[VectorSpec] = (),
        embed_text: bool = False,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Collection:
        """Give a directory a vector schema. A path that is not there is made; the directory above it must be there.

        `vectors` are those that clients put, at most 16, the first meant when a call names none; `embed_text` embeds the
        content of the files, as everywhere else. It has a vector, or embeds text, or both. Raises AlreadyExistsError,
        InvalidArgumentError (INVALID_SCHEMA), FailedPreconditionError (VECTORS_DO_NOT_FIT).
        """
        check_32_bits(**{f"dimension of {spec.name}": spec.dimension for spec in vectors})
        specs = [
            v1.VectorSpec(
                name=spec.name,
                dimension=spec.dimension,
                metric=to_metric(spec.metric),
                storage=to_storage(spec.storage),
            )
            for spec in vectors
        ]
        request = v1.CreateCollectionRequest(
            collection=to_ref(collection),
            schema=v1.CollectionSchema(vectors=specs, embed_text=embed_text),
            request_id=new_request_id(request_id),
        )
        answer = await self._transport.unary(
            _methods.CREATE_COLLECTION, request, timeout=timeout, request_id=request.request_id
        )
        return _convert.collection(answer.collection, answer.revision)

    async def get(self, collection: FileName, *, min_revision: int = 0, timeout: float | None = None) -> Collection:
        """A collection. Raises NotFoundError (COLLECTION_NOT_FOUND)."""
        request = v1.GetCollectionRequest(collection=to_ref(collection), min_revision=min_revision)
        answer = await self._transport.unary(_methods.GET_COLLECTION, request, timeout=timeout)
        return _convert.collection(answer.collection, answer.revision)

    def list(self, *, page_size: int = 0, min_revision: int = 0, timeout: float | None = None) -> AsyncItems[Collection]:
        """All collections by id, the root's first; an iterator that pages by itself (`page_size` at once; 0: 1,000)."""

        async def fetch(page_token: str, page_size: int) -> Page[Collection]:
            check_32_bits(page_size=page_size)
            request = v1.ListCollectionsRequest(page_size=page_size, page_token=page_token, min_revision=min_revision)
            answer = await self._transport.unary(_methods.LIST_COLLECTIONS, request, timeout=timeout)
            items = [_convert.collection(collection, answer.revision) for collection in answer.collections]
            return Page(answer.revision, items, answer.next_page_token)

        return AsyncItems(fetch, page_size)

    async def delete(self, collection: FileName, *, request_id: str | None = None, timeout: float | None = None) -> int:
        """Take the schema away from a directory, and with it the vectors of its points; the files stay. Answers the revision.

        Raises NotFoundError (COLLECTION_NOT_FOUND), FailedPreconditionError (ROOT_IMMUTABLE).
        """
        request = v1.DeleteCollectionRequest(collection=to_ref(collection), request_id=new_request_id(request_id))
        answer = await self._transport.unary(
            _methods.DELETE_COLLECTION, request, timeout=timeout, request_id=request.request_id
        )
        return answer.revision
