"""`vexfs serve`: what can a server be told at its start? Parses and checks the options; `vexfs.supervisor` does the work."""

import logging
import os
import sys
from pathlib import Path

import click
from click.core import ParameterSource

from vexfs import config
from vexfs.cli import sizes
from vexfs.cli.options import SHARED_LOCKS_HELP, data_option
from vexfs.core.errors import InvalidRequest
from vexfs.security.origins import parse_origin

_EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True)


def _origins(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Every site as browsers write it; the variable holds several with commas between."""
    try:
        return tuple(parse_origin(each) for value in values for each in value.split(",") if each.strip())
    except InvalidRequest as error:
        raise click.BadParameter(str(error)) from error


def _model(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """As every process finds it, whatever its working directory."""
    if not value or not value.strip():
        return None
    value = value.strip()
    return value if value.startswith(("http://", "https://")) else str(Path(value).expanduser().absolute())


def _size(_context: click.Context, _parameter: click.Parameter, value: str | None) -> int | None:
    """A number of bytes as people write it; empty is none."""
    if value is None or not value.strip():
        return None
    try:
        return sizes.parse(value)
    except InvalidRequest as error:
        raise click.BadParameter(error.message) from error


@click.command("serve")
@data_option
@click.option("--mount", type=click.Path(path_type=Path), envvar="VEXFS_MOUNT", help="Directory to mount the files on.")
@click.option("--shared-locks", is_flag=True, envvar="VEXFS_MOUNT_SHARED_LOCKS", help=SHARED_LOCKS_HELP)
@click.option("--quota", "quota_bytes", envvar="VEXFS_QUOTA", metavar="SIZE", callback=_size,
              help="Bytes the volume may hold, such as 500MB or 10GiB.  [default: no limit]")  # fmt: skip
@click.option("--quota-files", type=click.IntRange(1), envvar="VEXFS_QUOTA_FILES", metavar="N",
              help="Files, directories and links it may hold.  [default: no limit]")  # fmt: skip
@click.option("--host", default=config.DEFAULT_HOST, envvar="VEXFS_HOST", show_default=True, help="Address to listen on.")
@click.option("--rest-port", type=click.IntRange(0, 65535), default=config.DEFAULT_REST_PORT, envvar="VEXFS_REST_PORT",
              show_default=True, help="Port of REST; 0 takes a free one.")  # fmt: skip
@click.option("--grpc-port", type=click.IntRange(0, 65535), default=config.DEFAULT_GRPC_PORT, envvar="VEXFS_GRPC_PORT",
              show_default=True, help="Port of gRPC; 0 takes a free one.")  # fmt: skip
@click.option("--api-processes", type=click.IntRange(1, config.API_PROCESSES_MAX), default=1, envvar="VEXFS_API_PROCESSES",
              show_default=True, help="Processes that answer reads over gRPC; each has the vectors in memory.")  # fmt: skip
@click.option(
    "--ready-file", type=click.Path(dir_okay=False, path_type=Path), help="JSON file that appears when everything answers."
)
@click.option("--tls-cert", type=_EXISTING, envvar="VEXFS_TLS_CERT", help="Certificate chain (PEM); needs --tls-key.")
@click.option("--tls-key", type=_EXISTING, envvar="VEXFS_TLS_KEY", help="Key of the certificate (PEM).")
@click.option("--tls-client-ca", type=_EXISTING, envvar="VEXFS_TLS_CLIENT_CA",
              help="Clients must show a certificate signed by one of these (PEM).")  # fmt: skip
@click.option("--token-file", type=click.Path(dir_okay=False, path_type=Path), envvar="VEXFS_TOKEN_FILE",
              help="File with the token, made when missing.  [default: DATA/token]")  # fmt: skip
@click.option("--cors-origin", "cors_origins", multiple=True, callback=_origins, envvar="VEXFS_CORS_ORIGINS",
              help="Site whose pages may call, such as https://app.example; repeatable.")  # fmt: skip
@click.option("--model", envvar="VEXFS_MODEL", metavar="FOLDER|URL", callback=_model,
              help="Embedding model: a folder with it as ONNX, or an endpoint.  [default: the built-in one]")  # fmt: skip
def serve_command(
    data: Path,
    mount: Path | None,
    shared_locks: bool,
    quota_bytes: int | None,
    quota_files: int | None,
    host: str,
    rest_port: int,
    grpc_port: int,
    api_processes: int,
    ready_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    token_file: Path | None,
    cors_origins: tuple[str, ...],
    model: str | None,
) -> int:
    """Run a server on a data folder until Ctrl-C."""
    if mount is None and _is_on_the_command_line("shared_locks"):
        raise click.UsageError("--shared-locks is for the mount: give --mount, too")
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if tls_client_ca is not None and tls_cert is None:
        raise click.UsageError("--tls-client-ca needs --tls-cert and --tls-key")
    if rest_port == grpc_port != 0:
        raise click.UsageError("REST and gRPC need ports of their own")
    from vexfs.supervisor import Supervisor

    _configure_logs()
    settings = config.ServeSettings(
        data=data.absolute(),
        mount=mount.absolute() if mount else None,
        shared_locks=shared_locks,
        quota_bytes=quota_bytes,
        quota_files=quota_files,
        host=host,
        rest_port=rest_port,
        grpc_port=grpc_port,
        api_processes=api_processes,
        ready_file=ready_file.absolute() if ready_file else None,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        token_file=token_file.absolute() if token_file else None,
        cors_origins=cors_origins,
        model=model,
    )
    return Supervisor(settings).run()


def _is_on_the_command_line(parameter: str) -> bool:
    """Whether somebody typed that option: what only the environment says may be meant for another start."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def _configure_logs() -> None:
    """Plain sentences for a person at a terminal, JSON lines for everything else."""
    if sys.stderr.isatty() and "VEXFS_LOG_LEVEL" not in os.environ:
        logging.basicConfig(format="vexfs serve: %(message)s", level=logging.INFO, stream=sys.stderr)
        return
    from vexfs.observability import logs

    logs.configure("supervisor")
