"""The gRPC channel of a client: its options, its credentials, and the failures of its calls. Used by both gRPC drivers."""

import ssl
from pathlib import Path
from typing import Any

import grpc

from vexfs_client._request import USER_AGENT
from vexfs_client._settings import Pem
from vexfs_client._status import Failure, failure_from

_MESSAGE_MAX_BYTES = 64 * 1024 * 1024


def options() -> list[tuple[str, str | int]]:
    """Channel arguments."""
    return [
        ("grpc.primary_user_agent", USER_AGENT),
        # One layer tries again, and it is not this one.
        ("grpc.enable_retries", 0),
        # Answers are smaller than 4 MiB but for one: 1,000 hits of a query with their vectors.
        ("grpc.max_receive_message_length", _MESSAGE_MAX_BYTES),
        # gRPC waits a second before it connects again, and fails every call until then: longer than our attempts last.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        # Clients share no connection: closing one ends its own calls only.
        ("grpc.use_local_subchannel_pool", 1),
    ]


def credentials(pem: Pem) -> grpc.ChannelCredentials:
    """TLS that trusts `tls_ca`, or the system's certificates, and shows the client's certificate if there is one."""
    roots = pem.ca if pem.ca is not None else _system_roots()
    return grpc.ssl_channel_credentials(roots, pem.client_key, pem.client_cert)


def failure(error: grpc.RpcError) -> Failure:
    """What an attempt ended with."""
    status: Any = error  # grpc.Call or grpc.aio.AioRpcError: the same three methods, no common type
    return failure_from(status.code(), status.details(), status.trailing_metadata())


def _system_roots() -> bytes | None:
    """The system's certificates; None, which means those that gRPC brings, if they are in no single file."""
    file = ssl.get_default_verify_paths().cafile
    return Path(file).read_bytes() if file is not None else None
