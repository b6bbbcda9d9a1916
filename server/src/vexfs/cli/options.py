"""The options that several commands share, each defined once: what do --data, --json, --address mean?

Decorators for click commands. `server_options` hands the command a `Target`, which `vexfs.cli.connect` turns into a client.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from vexfs import config

_PEM = click.Path(exists=True, dir_okay=False, path_type=Path)

SHARED_LOCKS_HELP = "Programs' locks hold on every mount of the data folder, not on this one only."

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Target:
    """Which server a command talks to, and for how long: what the options and variables said, not yet resolved."""

    data: Path
    address: str | None
    url: str | None
    tls_ca: Path | None
    tls_client_cert: Path | None
    tls_client_key: Path | None
    timeout_s: float | None


def data_option(command: Command) -> Command:
    """--data: the data folder."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=config.DEFAULT_DATA,
        envvar="VEXFS_DATA",
        show_default=True,
        help="Data folder.",
    )(command)


def json_option(command: Command) -> Command:
    """--json: for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line for lists.")(command)


def server_options(*, timeout_s: float | None = 30.0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """--data, --address, --url, --tls-ca, --timeout and --json; the command gets `target` and `as_json`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @json_option
        @click.option("--timeout", "timeout_s", type=click.FloatRange(min=0.001), default=timeout_s,
                      show_default=timeout_s is not None, help="Seconds until the command gives up.")  # fmt: skip
        @click.option("--tls-client-key", type=_PEM, envvar="VEXFS_TLS_CLIENT_KEY", help="Key of --tls-client-cert (PEM).")
        @click.option("--tls-client-cert", type=_PEM, envvar="VEXFS_TLS_CLIENT_CERT", help="Certificate to show (PEM).")
        @click.option("--tls-ca", type=_PEM, envvar="VEXFS_TLS_CA", help="Trust servers that one of these signed (PEM).")
        @click.option("--url", envvar="VEXFS_URL", help="Talk REST to http://host:port.")
        @click.option("--address", envvar="VEXFS_ADDRESS", help="Talk gRPC to host:port.")
        @data_option
        @functools.wraps(command)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if _given("url") and not _given("address"):
                options["address"] = None  # what the command line says counts more than VEXFS_ADDRESS
            target = Target(**{field: options.pop(field) for field in Target.__dataclass_fields__})
            return command(*arguments, target=target, **options)

        return wrapped

    return decorate


def _given(parameter: str) -> bool:
    source = click.get_current_context().get_parameter_source(parameter)
    return source is click.core.ParameterSource.COMMANDLINE
