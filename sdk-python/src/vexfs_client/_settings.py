"""Which server, as whom and how patiently: the settings of a client, from arguments, `VEXFS_*` variables and defaults.

The table in docs/sdk.md is the contract; a test compares it with `SETTINGS`. Pure but for reading the environment and the
PEM files.
"""

import math
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args
from urllib.parse import urlsplit

from vexfs_client._errors import SettingsError

TransportName = Literal["grpc", "rest"]
"""How a client speaks to the server; an argument only, without a variable."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: the variable, the default, and how text becomes a value (raises ValueError)."""

    variable: str
    default: Any
    parse: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Pem:
    """The contents of the PEM files, None where none was named, and TLS made of them: without `ca` it trusts nobody yet."""

    ca: bytes | None
    client_cert: bytes | None
    client_key: bytes | None
    context: ssl.SSLContext


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client works with. `timeout` in seconds, 0 for no limit; `pem` is None without TLS."""

    transport: TransportName
    address: str
    url: str
    token: str | None
    timeout: float
    max_attempts: int
    pem: Pem | None

    @property
    def server(self) -> tuple[str, int]:
        """The host and the port that this transport goes to."""
        if self.transport == "rest":
            parts = urlsplit(self.url)
            return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        host, _, port = self.address.rpartition(":")
        return host, int(port)


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or "/" in host or (":" in host and not bracketed):
        raise ValueError("is no host:port")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError("has no port between 1 and 65535")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)  # leaves out line breaks and the like without a word
        port = parts.port
    except ValueError:
        raise ValueError("has a host or a port that cannot be read") from None
    if not text.isascii() or not text.isprintable() or " " in text or parts.scheme not in ("http", "https"):
        raise ValueError("is no address such as http://127.0.0.1:8080")
    if not parts.hostname or "@" in parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("is more or less than http:// or https://, a host and perhaps a port")
    if port == 0:
        raise ValueError("has no port between 1 and 65535")
    return f"{parts.scheme}://{parts.netloc}"


def _token(text: str) -> str:
    if not (text.isascii() and text.isprintable()) or " " in text:
        raise ValueError("holds characters that no token has")
    return text


def _switch(text: str) -> bool:
    match text.lower():
        case "1" | "true":
            return True
        case "0" | "false":
            return False
    raise ValueError("is neither 1, true, 0 nor false")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError("is no number of seconds") from None
    if not 0 <= seconds < math.inf:
        raise ValueError("is no time-out: 0 (no limit) or a number of seconds above it")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise ValueError("is no whole number from 1 on")
    return int(text)


SETTINGS: Mapping[str, Setting] = {
    "address": Setting("VEXFS_ADDRESS", "127.0.0.1:8083", _address),
    "url": Setting("VEXFS_URL", "http://127.0.0.1:8080", _url),
    "token": Setting("VEXFS_TOKEN", None, _token),
    "tls": Setting("VEXFS_TLS", False, _switch),
    "tls_ca": Setting("VEXFS_TLS_CA", None, str),
    "tls_client_cert": Setting("VEXFS_TLS_CLIENT_CERT", None, str),
    "tls_client_key": Setting("VEXFS_TLS_CLIENT_KEY", None, str),
    "timeout": Setting("VEXFS_TIMEOUT", 30.0, _seconds),
    "max_attempts": Setting("VEXFS_MAX_ATTEMPTS", 4, _count),
}
"""Every setting of this client by name, but for the transport."""


def load(arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings from `arguments` (None: not given) and the environment. Raises SettingsError, which names the setting."""
    variables = os.environ if environment is None else environment
    given = arguments.get("transport")
    transport: TransportName = "grpc" if given is None else given
    if transport not in get_args(TransportName):
        _refuse("transport", f"{transport!r} is neither grpc nor rest")
    values = {name: _value(name, setting, arguments.get(name), variables) for name, setting in SETTINGS.items()}
    pem = _pem(values)
    if transport == "rest":
        tls = values["url"].startswith("https:")
    elif arguments.get("tls") is not None or variables.get("VEXFS_TLS"):
        tls = values["tls"]
    else:
        tls = any((pem.ca, pem.client_cert))
    return Settings(
        transport=transport,
        address=values["address"],
        url=values["url"],
        token=values["token"],
        timeout=values["timeout"],
        max_attempts=values["max_attempts"],
        pem=pem if tls else None,
    )


def _value(name: str, setting: Setting, argument: Any, variables: Mapping[str, str]) -> Any:
    if argument is not None:
        return _parse(name, setting, name, _text(name, argument))
    variable = variables.get(setting.variable, "")
    return _parse(name, setting, setting.variable, variable) if variable else setting.default


def _text(name: str, argument: Any) -> str:
    if isinstance(argument, bool):
        return str(argument).lower()
    try:
        return os.fspath(argument) if isinstance(argument, os.PathLike) else str(argument)
    except TypeError as error:
        raise SettingsError(name, f"{name}: {error}") from None


def _parse(name: str, setting: Setting, source: str, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as error:
        shown = "its value" if name == "token" else repr(text)
        raise SettingsError(name, f"{source}: {shown} {error}") from None


def _pem(values: Mapping[str, Any]) -> Pem:
    ca, cert, key = (values[name] for name in ("tls_ca", "tls_client_cert", "tls_client_key"))
    if cert and not key:
        _refuse("tls_client_key", "a client certificate is given without its key")
    if key and not cert:
        _refuse("tls_client_cert", "a client key is given without its certificate")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pem = Pem(_read("tls_ca", ca), _read("tls_client_cert", cert), _read("tls_client_key", key), context)
    _check(pem, cert, key)
    return pem


def _read(name: str, path: str | None) -> bytes | None:
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        _refuse(name, f"{path!r} cannot be read: {error.strerror}")


def _check(pem: Pem, cert: str | None, key: str | None) -> None:
    """Refuse files that are no PEM, and a key of another certificate, before a handshake fails without saying why."""
    if pem.ca is not None:
        try:
            pem.context.load_verify_locations(cadata=pem.ca.decode("ascii"))
        except (ssl.SSLError, ValueError):
            _refuse("tls_ca", "the file holds no PEM certificates")
    if cert is None or key is None:
        return
    try:
        pem.context.load_cert_chain(cert, key, password=lambda: b"")
    except (ssl.SSLError, ValueError, OSError) as error:
        mismatch = isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH"
        text = "is of another certificate" if mismatch else "and its certificate are no unencrypted PEM files that go together"
        _refuse("tls_client_key", f"the key {text}")


def _refuse(name: str, text: str) -> NoReturn:
    raise SettingsError(name, f"{name}: {text}")
