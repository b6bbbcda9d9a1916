"""What does `.search` of a mount tell? A question as a directory name, and how the server is.

Called by the mount lane, as functions of `mount_files` are. The hits come in the order in which `ls` shows the links; what
`.results.jsonl` says of each must be true of the file that its link leads to. Raises `Contradiction` if it is not, or if a
file is not in the form of the contract. `.search` shows what it found again for some seconds: the question is put again until
the answer is younger. Stateless.
"""

import base64
import json
import os
import time
from typing import Any

from google.protobuf import json_format

from vexfs_conformance import contract
from vexfs_conformance.lanes.mount_places import Contradiction, NotAsked, Places
from vexfs_conformance.outcomes import Json

LIMIT = 20
"""So many hits a directory of `.search` shows at most."""
NAME_MAX_BYTES = 255
PATIENCE_S = 15.0
"""How long the answer to an earlier question may be shown."""
_AGAIN_S = 0.1
_SEARCH = b"/.search/"
_UNSAID = ("vector", "like", "scope", "filter", "vector_name", "exact", "dense_weight", "lexical_weight", "page_token")
_HYBRID = 1


def search(places: Places, request: Any) -> Any:
    """readdir(3) of the question, then its `.results.jsonl` and `.status`."""
    directory = places.folder + _SEARCH + _question(request)
    names = _links(directory)
    lines = {line["name"]: line for line in map(json.loads, _read(directory + b"/.results.jsonl").splitlines())}
    if sorted(lines) != [_shown(name) for name in names]:
        raise Contradiction(f"the links are {names}, and .results.jsonl has {sorted(lines)}")
    answer = json.loads(_read(directory + b"/.status"))
    if answer.pop("state") != "answered" or answer["hits"] != len(names):
        raise Contradiction(f"there are {len(names)} links, and .status tells {answer}")
    answer["hits"] = [_hit(places, directory + b"/" + name, lines[_shown(name)]) for name in names]
    return _message("Search", answer)


def _links(directory: bytes) -> list[bytes]:
    """The names of the links as `ls` shows them, of an answer that was found after this call."""
    asked_ns, end = time.time_ns(), time.monotonic() + PATIENCE_S
    while True:
        names = sorted(name for name in os.listdir(directory) if not name.startswith(b"."))
        if all(os.lstat(directory + b"/" + name).st_mtime_ns >= asked_ns for name in names):
            return names
        if time.monotonic() > end:
            raise Contradiction(f"for {PATIENCE_S:g} s an answer was shown that is older than the question")
        time.sleep(_AGAIN_S)


def _question(request: Any) -> bytes:
    for field, _ in request.ListFields():
        if field.name in _UNSAID:
            raise NotAsked(f"a question in `.search` has no {field.name.replace('_', ' ')}")
    if request.mode not in (0, _HYBRID):
        raise NotAsked("a question in `.search` is always hybrid")
    if request.limit != LIMIT:
        raise NotAsked(f"a directory of `.search` always shows {LIMIT} hits at most")
    question: bytes = request.text.encode()
    if not question.strip() or question.startswith(b".") or {0, ord("/")} & set(question) or len(question) > NAME_MAX_BYTES:
        raise NotAsked("a question in `.search` is one name")
    return question


def _hit(places: Places, link: bytes, line: Json) -> Json:
    """A line of `.results.jsonl`, which must be about the file that the link leads to."""
    hit = {key: value for key, value in line.items() if key not in ("rank", "name", "path")}
    file = hit["file"]
    told = base64.b64decode(file["path_bytes"]) if "path_bytes" in file else file["path"].encode()
    leads_to = os.path.realpath(link), os.stat(link).st_ino, line["path"]
    if leads_to != (places.folder + told, int(file["id"]), _shown(told)):
        raise Contradiction(f"{link!r} leads to {leads_to}, and .results.jsonl tells {line}")
    return hit


def get_server_info(places: Places, request: Any) -> Any:  # noqa: ARG001 – it has nothing to say but what is refused before
    """The file `.status` of `.search` itself."""
    answer = json.loads(_read(places.folder + _SEARCH + b".status"))
    if answer.pop("state") == "unavailable":
        raise Contradiction(f"the server runs, and .status tells {answer}")
    return _message("GetServerInfo", answer)


def _read(path: bytes) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _shown(name: bytes) -> str:
    """A name as `.results.jsonl` has it: UTF-8, other bytes escaped."""
    return name.decode("utf-8", "backslashreplace")


def _message(method: str, answer: Json) -> Any:
    response = contract.methods()[method].new_response()
    try:
        json_format.ParseDict(answer, response)
    except json_format.ParseError as error:
        raise Contradiction(f"what .search tells is not {response.DESCRIPTOR.name}: {error}") from error
    return response


CALLS = {"Search": search, "GetServerInfo": get_server_info}
