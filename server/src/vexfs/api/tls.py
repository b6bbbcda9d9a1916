"""TLS for the API's ports: one pair of files, both surfaces.

Read at the start; a file that cannot be used stops the start with a sentence that names it. With a client CA every
caller has to present a certificate it signed (mutual TLS), besides the token.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

import grpc  # type: ignore[import-untyped]

from vexfs.core.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the server's certificate (with its chain), its key, and the CA of the callers for mutual TLS."""

    certificate: Path
    key: Path
    client_ca: Path | None

    def ssl_context(self) -> ssl.SSLContext:
        """For the HTTP port. Raises InvalidRequest naming the files when they do not fit."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key)
            if self.client_ca is not None:
                context.load_verify_locations(self.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ssl.SSLError) as error:
            raise InvalidRequest(f"the TLS files {self.certificate}, {self.key} cannot be used: {error}") from error
        return context

    def grpc_credentials(self) -> grpc.ServerCredentials:
        """For the gRPC port; call `ssl_context` first, which checks that the files fit."""
        return grpc.ssl_server_credentials(
            [(self.key.read_bytes(), self.certificate.read_bytes())],
            root_certificates=self.client_ca.read_bytes() if self.client_ca is not None else None,
            require_client_auth=self.client_ca is not None,
        )
