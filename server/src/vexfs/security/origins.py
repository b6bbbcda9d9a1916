"""The Host and Origin check: a web page of another site must not reach a server on this machine.

A browser sends what a page tells it to, to any address, with a Host the page's own DNS can point here (rebinding). So a
request is answered only when its Host names this server, and its Origin, if it has one, is a page this server's own
names serve, or one of the pages that the settings allow. Pure functions on strings, no lookups.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

from vexfs.core.errors import ForeignOrigin, InvalidRequest

_PORTS = {"http": 80, "https": 443}
_LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


class OriginGuard:
    """Knows the names of one server: loopback always, the host it was told to listen on, and further ones by configuration.

    `pages` are the origins of other sites, as `parse_origin` gives them, whose pages may call it.
    """

    def __init__(self, host: str, further_names: frozenset[str] = frozenset(), pages: frozenset[str] = frozenset()) -> None:
        self._any_address = _is_wildcard(host)
        own = {socket.gethostname().lower()} if self._any_address else {host.strip("[]").lower()}
        self._names = _LOOPBACK_NAMES | own | {name.lower() for name in further_names}
        self.pages = pages

    def check(self, host: str | None, origin: str | None) -> None:
        """Raise ForeignOrigin unless both name this server.

        `host` is the Host header (None when the transport has none to give), `origin` the Origin header (None when absent).
        """
        if host is not None and not self._is_own(_hostname(f"//{host}")):
            raise ForeignOrigin(f"this server is not called {host!r}; use its address, or localhost", host=host[:255])
        if origin is not None and not self.is_allowed_page(origin) and not self._is_own(_hostname(origin)):
            raise ForeignOrigin(f"pages of {origin!r} may not call this server", origin=origin[:255])

    def is_allowed_page(self, origin: str) -> bool:
        """Whether this is one of `pages`; a browser writes an origin in exactly one way."""
        return origin in self.pages

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


def parse_origin(text: str) -> str:
    """An origin as browsers write it: scheme, host in lower case, and the port unless it is the scheme's own.

    Raises InvalidRequest for anything else, such as an address with a path, or a wildcard: pages are named one by one.
    """
    fault = InvalidRequest(
        f"{text[:200]!r} is no origin; write https://app.example or http://localhost:3000, as a browser does"
    )
    try:
        parts = urlsplit(text.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise fault from None
    beyond = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in _PORTS or not host or beyond or not host.isascii() or set(host) & set("*\\ "):
        raise fault
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


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
