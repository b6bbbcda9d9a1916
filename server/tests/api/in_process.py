"""The parts of an API process inside of a test, called through the dispatcher: for what no surface is needed."""

from typing import Any

import numpy as np

from vexfs.api.application import Application
from vexfs.api.context import Caller
from vexfs.api.dispatch import Dispatcher
from vexfs.api.methods import HANDLERS
from vexfs.api.registry import Method, build
from vexfs.contract.v1 import collections_pb2, common_pb2, points_pb2

TIMEOUT_SECONDS = 20.0


class InProcess:
    """An application, and calls to it."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self._dispatcher = Dispatcher(application)
        self._methods: dict[str, Method] = build(HANDLERS)
        token = (application.settings.data / "token").read_text(encoding="utf-8").strip()
        self._authorization = f"Bearer {token}"

    async def call(self, name: str, request: Any, timeout_seconds: float = TIMEOUT_SECONDS) -> Any:
        async def load(_: object) -> Any:
            return request

        caller = Caller("grpc", self._authorization, None, None, timeout_seconds, lambda: "here")
        return await self._dispatcher.unary(self._methods[f"vexfs.v1.{name}"], caller, load)

    async def put_points(self, collection: common_pb2.FileRef, rows: np.ndarray) -> int:
        """Makes a collection with a point for each row, `0` and so on, whose vector is called `v`; the points' revision."""
        spec = collections_pb2.VectorSpec(name="v", dimension=rows.shape[1])
        schema = collections_pb2.CollectionSchema(vectors=[spec])
        create = collections_pb2.CreateCollectionRequest(collection=collection, schema=schema)
        await self.call("CollectionsService.CreateCollection", create)
        points = [
            points_pb2.PointInput(id=str(number), vectors={"v": common_pb2.Vector(values=row.tobytes())})
            for number, row in enumerate(rows)
        ]
        upsert = points_pb2.UpsertPointsRequest(collection=collection, points=points)
        revision: int = (await self.call("PointsService.UpsertPoints", upsert)).revision
        return revision
