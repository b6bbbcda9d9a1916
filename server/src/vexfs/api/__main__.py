"""`python -m vexfs.api`: the API process, as the supervisor starts it."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from vexfs.api.application import Settings
from vexfs.api.tls import TlsFiles
from vexfs.core.errors import InvalidRequest
from vexfs.observability import logs
from vexfs.security.origins import parse_origin


def settings_from(arguments: list[str]) -> Settings:
    """The settings that command-line arguments describe; ends the process with a usage text when they describe none."""
    parser = argparse.ArgumentParser(prog="python -m vexfs.api", description="The API process of VexFS.")
    parser.add_argument("--data", type=Path, required=True, help="the data folder")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--rest-port", type=int, default=8080, help="0 takes a free one")
    parser.add_argument("--grpc-port", type=int, default=8083, help="0 takes a free one")
    parser.add_argument("--token-file", type=Path, help="by default the data folder's own")
    parser.add_argument("--tls-cert", type=Path, help="PEM file: certificate and chain")
    parser.add_argument("--tls-key", type=Path, help="PEM file: the key of the certificate")
    parser.add_argument("--tls-client-ca", type=Path, help="PEM file: callers need a certificate signed by this CA")
    parser.add_argument("--cors-origin", action="append", default=[], help="a site whose pages may call; repeatable")
    parser.add_argument("--quota-bytes", type=int, help="how many bytes the volume may hold")
    parser.add_argument("--quota-files", type=int, help="how many files the volume may hold")
    parser.add_argument("--processes", type=int, default=1, help="how many API processes share the gRPC port")
    parser.add_argument("--replica", type=int, default=0, help="be that one of the further ones, from 1")
    parsed = parser.parse_args(arguments)
    if (parsed.tls_cert is None) != (parsed.tls_key is None) or (parsed.tls_client_ca and parsed.tls_cert is None):
        parser.error("TLS needs both --tls-cert and --tls-key")
    tls = TlsFiles(parsed.tls_cert, parsed.tls_key, parsed.tls_client_ca) if parsed.tls_cert else None
    try:
        pages = frozenset(map(parse_origin, parsed.cors_origin))
    except InvalidRequest as error:
        parser.error(f"--cors-origin: {error}")
    return Settings(
        data=parsed.data,
        host=parsed.host,
        rest_port=parsed.rest_port,
        grpc_port=parsed.grpc_port,
        token_file=parsed.token_file,
        tls=tls,
        cors_origins=pages,
        quota_bytes=parsed.quota_bytes,
        quota_files=parsed.quota_files,
        processes=parsed.processes,
        replica=parsed.replica,
    )


def main() -> NoReturn:
    """Run until stopped."""
    settings = settings_from(sys.argv[1:])
    logs.configure(settings.process_name)
    from vexfs.api.methods import HANDLERS  # here, so that a wrong argument is answered before everything is loaded
    from vexfs.api.server import run

    run(settings, HANDLERS)


if __name__ == "__main__":
    main()
