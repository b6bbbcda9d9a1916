"""What goes with a request: who asks, and the `request_id` of a writing call. Pure but for randomness."""

import uuid

from vexfs_client._settings import Settings
from vexfs_client._version import __version__

USER_AGENT = f"vexfs-python/{__version__}"

Headers = tuple[tuple[str, str], ...]
"""Headers of HTTP and metadata of gRPC, the names in lower case."""


def headers(settings: Settings) -> Headers:
    """What is sent with every call."""
    return (("authorization", f"Bearer {settings.token}"),) if settings.token else ()


def new_request_id(given: str | None) -> str:
    """The one that was given, even an empty one; otherwise a random UUID."""
    return str(uuid.uuid4()) if given is None else given
