"""The settings of VexFS: each name, its variable and its default, once. What can be set, and where does a value come from?

A value comes from the command line's option, else from the environment variable, else from the default. Read by the command
line and the supervisor; the table in docs/operations.md is held against `SETTINGS` by a test. Holds no state.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

DEFAULT_DATA = "data"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_REST_PORT = 8080
DEFAULT_GRPC_PORT = 8083
API_PROCESSES_MAX = 64


class Setting(NamedTuple):
    """One row of the settings table. `option` is None for what only the environment says."""

    option: str | None
    variable: str | None
    default: str
    meaning: str


SETTINGS = (
    Setting("--data", "VEXFS_DATA", DEFAULT_DATA, "the data folder: files, indexes, token"),
    Setting("--mount", "VEXFS_MOUNT", "no mount", "the directory to mount the volume on"),
    Setting(
        "--shared-locks", "VEXFS_MOUNT_SHARED_LOCKS", "not set", "1: programs' locks hold on every mount of the data folder"
    ),
    Setting("--quota", "VEXFS_QUOTA", "none", "how many bytes the volume may hold, such as 10GiB"),
    Setting("--quota-files", "VEXFS_QUOTA_FILES", "none", "how many files, directories and links it may hold"),
    Setting("--host", "VEXFS_HOST", DEFAULT_HOST, "the address REST and gRPC listen on"),
    Setting("--rest-port", "VEXFS_REST_PORT", str(DEFAULT_REST_PORT), "the port of REST; 0 takes a free one"),
    Setting("--grpc-port", "VEXFS_GRPC_PORT", str(DEFAULT_GRPC_PORT), "the port of gRPC; 0 takes a free one"),
    Setting("--api-processes", "VEXFS_API_PROCESSES", "1", "how many processes answer reads over gRPC"),
    Setting("--ready-file", None, "none", "a JSON file that appears when everything answers"),
    Setting("--tls-cert", "VEXFS_TLS_CERT", "no TLS", "the server's certificate chain (PEM)"),
    Setting("--tls-key", "VEXFS_TLS_KEY", "no TLS", "the key of that certificate (PEM)"),
    Setting("--tls-client-ca", "VEXFS_TLS_CLIENT_CA", "none", "clients must show a certificate signed by one of these (PEM)"),
    Setting("--token-file", "VEXFS_TOKEN_FILE", "DATA/token", "the file with the token; made when it is missing"),
    Setting("--cors-origin", "VEXFS_CORS_ORIGINS", "none", "a site whose pages may call; repeatable, commas in the variable"),
    Setting(
        "--model",
        "VEXFS_MODEL",
        "the built-in model",
        "a folder with another embedding model as ONNX, or an endpoint's address",
    ),
    Setting("--address", "VEXFS_ADDRESS", "the local server", "the gRPC address a command talks to, as host:port"),
    Setting("--url", "VEXFS_URL", "the local server", "the REST address a command talks to, as http://host:port"),
    Setting(None, "VEXFS_TOKEN", "the local data folder's", "the token a command sends"),
    Setting(None, "VEXFS_LOG_LEVEL", "INFO", "how much the server logs: DEBUG, INFO, WARNING, ERROR"),
    Setting(None, "VEXFS_MODEL_NAME", "none", "the model of that endpoint"),
    Setting(None, "VEXFS_MODEL_DIMENSIONS", "the model's own", "how many components its vectors shall have"),
    Setting(None, "VEXFS_MODEL_KEY", "none", "the endpoint's key"),
    Setting(None, "VEXFS_MODEL_KEY_FILE", "none", "the file with that key"),
    Setting(None, "VEXFS_MODEL_DIR", "the cache", "the folder with the built-in model's weights"),
    Setting(
        None, "VEXFS_RERANKER", "none", "the folder with a cross-encoder as ONNX that orders the first hits of a search anew"
    ),
    Setting(None, "VEXFS_RERANKER_HITS", "20", "how many hits it scores; a search for more is not reranked"),
    Setting(None, "VEXFS_CACHE_DIR", "~/.cache/vexfs", "where `make setup` puts the weights"),
    Setting(None, "VEXFS_OFFLINE", "not set", "if set, nothing is ever downloaded"),
    Setting(None, "VEXFS_RESULT_CACHE_MIB", "32", "memory for answers of searches that are asked again, in MiB; 0 keeps none"),
    Setting(
        None, "VEXFS_REQUEST_MEMORY_MIB", "256", "memory for requests that are worked on, in MiB; more are told to come again"
    ),
    Setting(None, "VEXFS_EMBEDDING_THREADS", "one a core", "how many passages are embedded at once, at the lowest priority"),
    Setting("--tls-ca", "VEXFS_TLS_CA", "the system's", "whom a command trusts when it talks TLS (PEM)"),
    Setting("--tls-client-cert", "VEXFS_TLS_CLIENT_CERT", "none", "the certificate a command shows when asked (PEM)"),
    Setting("--tls-client-key", "VEXFS_TLS_CLIENT_KEY", "none", "the key of that certificate (PEM)"),
)


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """What `vexfs serve` was asked for. Paths are absolute. `mount` None means no mount; ports 0 take free ones."""

    data: Path
    mount: Path | None = None
    #: Programs' locks hold on every mount of the data folder.
    shared_locks: bool = False
    #: How many bytes, and how many files, the volume may hold; None is no limit.
    quota_bytes: int | None = None
    quota_files: int | None = None
    host: str = DEFAULT_HOST
    rest_port: int = DEFAULT_REST_PORT
    grpc_port: int = DEFAULT_GRPC_PORT
    #: How many processes answer reads over gRPC: the API process and its replicas.
    api_processes: int = 1
    ready_file: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    token_file: Path | None = None
    #: Sites whose pages may call, as browsers write their origins.
    cors_origins: tuple[str, ...] = ()
    #: The folder or address of the embedding model; None is the built-in one.
    model: str | None = None
