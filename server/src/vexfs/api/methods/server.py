"""ServerService: what this server is, what it can, how it is."""

import vexfs
from vexfs.api.application import Application
from vexfs.api.context import CallContext
from vexfs.api.limits import MESSAGE_MAX_BYTES
from vexfs.api.methods.defaults import CONTENT_MAX_BYTES, PAGE_MAX, POINTS_MAX, SEARCH_LIMIT_MAX
from vexfs.api.methods.search import view_position
from vexfs.api.registry import Handler
from vexfs.contract.v1 import server_pb2 as pb
from vexfs.core.errors import ViewUnavailable
from vexfs.core.types import DIMENSION_MAX, METADATA_MAX_BYTES, NAME_MAX_BYTES, PATH_MAX_BYTES
from vexfs.store import usage
from vexfs.store.reader import Reader

CAPABILITIES = ("files", "collections", "points", "search.dense", "search.lexical", "history")
_LIMITS = pb.Limits(
    message_size_bytes=MESSAGE_MAX_BYTES,
    content_size_bytes=CONTENT_MAX_BYTES,
    search_hits=SEARCH_LIMIT_MAX,
    page_size=PAGE_MAX,
    points=POINTS_MAX,
    dimension=DIMENSION_MAX,
    metadata_size_bytes=METADATA_MAX_BYTES,
    name_size_bytes=NAME_MAX_BYTES,
    path_size_bytes=PATH_MAX_BYTES,
)


async def get_server_info(context: CallContext, request: pb.GetServerInfoRequest) -> pb.GetServerInfoResponse:
    del request
    application = context.application

    def run(view: Reader, revision: int) -> pb.GetServerInfoResponse:
        progress = application.engine.progress
        used = usage.read(view)
        response = pb.GetServerInfoResponse(
            revision=revision,
            version=vexfs.__version__,
            capabilities=CAPABILITIES,
            limits=_LIMITS,
            store=pb.StorePosition(
                revision=revision,
                oldest_revision=application.volume.tail.oldest(),
                read_only=application.volume.failure is not None,
                file_count=used.files,
                used_bytes=used.bytes,
                quota_bytes=used.limit_bytes or 0,
                quota_files=used.limit_files or 0,
            ),
            views=[view_position(status) for status in progress.views()],
        )
        try:
            counts = progress.text_counts()
        except ViewUnavailable:
            pass  # the positions say that the view is being rebuilt
        else:
            response.text.CopyFrom(pb.TextCounts(**counts._asdict()))
        embedding = _embedding(application)
        if embedding is not None:
            response.embedding.CopyFrom(embedding)
        return response

    return await context.read(run)


def _embedding(application: Application) -> pb.EmbeddingModel | None:
    """The models as the contract has them; None until questions can be embedded, unless it is known why they cannot.

    Before anything is embedded, the model that was chosen is said to serve.
    """
    model = application.engine.queries.model
    name, dimension = model or ("", 0)
    try:
        status = application.engine.progress.embedding()
    except ViewUnavailable:
        return None if model is None else pb.EmbeddingModel(name=name, dimension=dimension)
    if model is None and not status.failure:
        return None
    if status.model:
        name, dimension = status.model, status.dimension or dimension
    return pb.EmbeddingModel(
        name=name,
        dimension=dimension,
        next_name=status.next_model,
        next_done=status.done,
        next_total=status.total,
        failure=status.failure,
    )


HANDLERS: dict[str, Handler] = {"vexfs.v1.ServerService.GetServerInfo": get_server_info}
