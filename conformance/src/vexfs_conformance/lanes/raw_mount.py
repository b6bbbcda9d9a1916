"""The surface mount itself: the contract's calls as system calls on files below a folder. Used by one thread at a time.

What no system call can say is unsupported, each with the reason. An error is the kernel's errno. What POSIX does not tell,
such as revisions, is in `unreported`. Each call is made in a thread of its own, so that a mount which never answers is a
fault and not a run that never ends.
"""

import errno
import os
import queue
import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from vexfs_conformance import contract
from vexfs_conformance.lanes import mount_files, mount_search
from vexfs_conformance.lanes.mount_places import NotAsked, Places
from vexfs_conformance.lanes.raw import RawLane, to_json, to_message
from vexfs_conformance.outcomes import Answered, CallSpec, Endpoint, Failed, Fault, Outcome, Unsupported

PATIENCE_S = 60.0
"""How long a system call may take."""
CALLS = {**mount_files.CALLS, **mount_search.CALLS}
_NO_CALL = {
    "CopyFile": "no system call copies metadata and vectors along",
    "GetMetadata": "POSIX has no metadata in JSON",
    "SetMetadata": "POSIX has no metadata in JSON",
    "WaitForViews": "no system call waits for the views",
    "ListSkippedFiles": "a mount does not list what is not indexed",
    "BatchSearch": "a directory of `.search` answers one question",
}
_NO_SERVICE = {
    "CollectionsService": "a mount shows a collection as a directory, without its schema",
    "PointsService": "a mount shows a point as a file, without its vectors",
}
_NO_FIELD = {
    "at_revision": "a mount shows the present, no earlier revision",
    "min_revision": "a system call waits for no revision",
    "request_id": "a system call has no request id",
    "page_size": "a directory is read without pages",
    "page_token": "a directory is read without pages",
}
_TOLD_BY_SEARCH = ("SearchResponse", "GetServerInfoResponse")
UNREPORTED = frozenset(
    {
        *(
            f"{name}.revision"
            for name in (method.response_name.rpartition(".")[2] for method in contract.methods().values())
            if name not in _TOLD_BY_SEARCH
        ),
        *(f"File.{name}" for name in ("revision", "content_revision", "btime")),
        *(f"GetServerInfoResponse.{name}" for name in ("capabilities", "limits", "embedding")),
    }
)


class RawMount(RawLane):
    """A mount of the target on this machine."""

    name = "mount"
    transport = "mount"
    features = frozenset({"raw"})
    unreported = UNREPORTED

    def __init__(self, folder: Path, endpoint: Endpoint, *, patience_s: float = PATIENCE_S) -> None:
        self._places = Places(folder)
        self._endpoint = endpoint
        self._patience_s = patience_s

    def once(self, spec: CallSpec, method: contract.Method) -> Outcome:
        requests = [to_message(request, method.request_name) for request in spec.requests]
        why = self._obstacle(spec, method, requests)
        if why:
            return Unsupported(why)
        outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        threading.Thread(
            target=lambda: outcomes.put(self._made(CALLS[method.name], requests)), name="mount-call", daemon=True
        ).start()
        try:
            return outcomes.get(timeout=self._patience_s)
        except queue.Empty:
            return Fault(f"the mount did not answer {method.name} in {self._patience_s:g} s")

    def _obstacle(self, spec: CallSpec, method: contract.Method, requests: Sequence[Any]) -> str:
        """Why a mount cannot be asked this; empty if it can."""
        if method.name not in CALLS:
            return _NO_CALL.get(method.name) or _NO_SERVICE[method.service]
        if spec.endpoint != self._endpoint:
            return "a mount has no settings of a connection"
        if spec.timeout_ms is not None or spec.cancel_after_ms is not None:
            return "a system call has no deadline"
        if spec.one_page or spec.hits_page_size is not None:
            return "a directory is read without pages"
        fields = {field.name for request in requests for field, _ in request.ListFields()}
        return next((why for field, why in _NO_FIELD.items() if field in fields), "")

    def _made(self, call: Callable[..., Any], requests: Sequence[Any]) -> Outcome:
        try:
            answer = call(self._places, *requests)
        except NotAsked as error:
            return Unsupported(str(error))
        except OSError as error:
            return _failed(error)
        except Exception:
            return Fault(traceback.format_exc())
        return Answered([to_json(each) for each in (answer if isinstance(answer, list) else [answer])])


def _failed(error: OSError) -> Outcome:
    if error.errno == errno.ELOOP:
        return Unsupported("the kernel itself does not open a symbolic link: ELOOP")
    number = error.errno or errno.EIO
    return Failed("", message=f"{os.strerror(number)}: {error.filename!r}", attempts=1, errno=number)
