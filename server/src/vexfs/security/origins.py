"""The Host and Origin check: a web page of another site must not reach a server on this machine.

A browser sends what a page tells it to, to any address, with a Host the page's own DNS can point here (rebinding). So a
request is answered only when its Host names this server, and its Origin, if it has one, is a page this server's own
names serve. Pure functions on strings, no lookups.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from vexfs.core.errors import ForeignOrigin

_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


class OriginGuard:
    """Knows the names of one server: loopback always, the host it was told to listen on, and further ones by configuration."""

    def __init__(self, host: str, further_names: frozenset[str] = frozenset()) -> None:
        self._any_address = _is_wildcard(host)
        own = {socket.gethostname().lower()} if self._any_address else {host.strip("[]").lower()}
        self._names = _LOOPBACK_NAMES | own | {name.lower() for name in further_names}

    def check(self, host: str | None, origin: str | None) -> None:
        """Raise ForeignOrigin unless both name this server.

        `host` is the Host header (None when the transport has none to give), `origin` the Origin header (None when absent).
        """
        if host is not None and not self._is_own(_hostname(f"//{host}")):
            raise ForeignOrigin(f"this server is not called {host!r}; use its address, or localhost", host=host[:255])
        if origin is not None and not self._is_own(_hostname(origin)):
            raise ForeignOrigin(f"pages of {origin!r} may not call this server", origin=origin[:255])

    def _is_own(self, name: str | None) -> bool:
        if not name:
            return False
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # An address cannot be rebound as a name can, so a server that listens on all of its addresses answers to any.
        return address.is_loopback or self._any_address


def _is_wildcard(host: str) -> bool:
    if host == "":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return False


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
