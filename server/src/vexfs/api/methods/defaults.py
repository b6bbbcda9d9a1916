"""Limits and defaults the methods share, as GetServerInfo tells them."""

import os

DIRECTORY_MODE = 0o755
FILE_MODE = 0o644
PIECE_BYTES = 1024 * 1024
"""A piece of a stream of content."""
CONTENT_MAX_BYTES = 4 * 1024 * 1024 - 64 * 1024
"""Content in one message: gRPC clients take messages up to 4 MiB unless told otherwise."""
PAGE_DEFAULT = 1000
PAGE_MAX = 10_000
PAGE_PATH_BYTES_MAX = 2 * 1024 * 1024
"""A page of files ends early before its paths take more than this, so that every client can receive it."""
VECTORS_MAX_BYTES = 3 * 1024 * 1024
"""A page of points ends early before its vectors and payloads take more than this."""
SEARCH_LIMIT_DEFAULT = 10
SEARCH_LIMIT_MAX = 1000
POINTS_MAX = 10_000
BATCH_HITS_MAX = 10_000
"""So many hits the queries of a batch may ask for together."""


def owner() -> dict[str, int]:
    """Who owns what the API makes: the user the server runs as."""
    return {"uid": os.getuid(), "gid": os.getgid()}
