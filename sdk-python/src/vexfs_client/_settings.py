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
from typing import Any, NoReturn

from vexfs_client._errors import SettingsError


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table: the variable, the default, and how text becomes a value (raises ValueError)."""

    variable: str
    default: Any
    parse: Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Pem:
    """The contents of the PEM files; None where none was named."""

    ca: bytes | None
    client_cert: bytes | None
    client_key: bytes | None


@dataclass(frozen=True, slots=True)
class Settings:
    """What a client works with. `timeout` in seconds, 0 for no limit; `pem` is None without TLS."""

    address: str
    token: str | None
    timeout: float
    max_attempts: int
    pem: Pem | None


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if not colon or not host or "/" in host or (":" in host and not bracketed):
        raise ValueError("is no host:port")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise ValueError("has no port between 1 and 65535")
    return text


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
    "token": Setting("VEXFS_TOKEN", None, _token),
    "tls": Setting("VEXFS_TLS", False, _switch),
    "tls_ca": Setting("VEXFS_TLS_CA", None, str),
    "tls_client_cert": Setting("VEXFS_TLS_CLIENT_CERT", None, str),
    "tls_client_key": Setting("VEXFS_TLS_CLIENT_KEY", None, str),
    "timeout": Setting("VEXFS_TIMEOUT", 30.0, _seconds),
    "max_attempts": Setting("VEXFS_MAX_ATTEMPTS", 4, _count),
}
"""Every setting of this client by name."""


def load(arguments: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Settings:
    """The settings from `arguments` (None: not given) and the environment. Raises SettingsError, which names the setting."""
    variables = os.environ if environment is None else environment
    values = {name: _value(name, setting, arguments.get(name), variables) for name, setting in SETTINGS.items()}
    return Settings(
        address=values["address"],
        token=values["token"],
        timeout=values["timeout"],
        max_attempts=values["max_attempts"],
        pem=_pem(values),
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


def _pem(values: Mapping[str, Any]) -> Pem | None:
    ca, cert, key = (values[name] for name in ("tls_ca", "tls_client_cert", "tls_client_key"))
    if not (values["tls"] or ca or cert or key):
        return None
    if cert and not key:
        _refuse("tls_client_key", "a client certificate is given without its key")
    if key and not cert:
        _refuse("tls_client_cert", "a client key is given without its certificate")
    pem = Pem(_read("tls_ca", ca), _read("tls_client_cert", cert), _read("tls_client_key", key))
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
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if pem.ca is not None:
        try:
            context.load_verify_locations(cadata=pem.ca.decode("ascii"))
        except (ssl.SSLError, ValueError):
            _refuse("tls_ca", "the file holds no PEM certificates")
    if cert is None or key is None:
        return
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (ssl.SSLError, ValueError, OSError) as error:
        mismatch = isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH"
        text = "is of another certificate" if mismatch else "and its certificate are no unencrypted PEM files that go together"
        _refuse("tls_client_key", f"the key {text}")


def _refuse(name: str, text: str) -> NoReturn:
    raise SettingsError(name, f"{name}: {text}")
