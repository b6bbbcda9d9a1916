"""Cross-origin requests of browsers (CORS): what is a page of another site, which the settings allow, told?

Used by the HTTP server for every request. Whether a caller is admitted at all is the origin check's business
(`vexfs.security.origins`); these headers only tell the browser. Holds no state.
"""

from collections.abc import Iterable, Mapping

from aiohttp import web

from vexfs.security.origins import OriginGuard

PREFLIGHT_SECONDS = 7200
"""How long a browser may remember the answer; Chromium caps it at this."""
REQUEST_HEADERS = (
    "Authorization",
    "Baggage",
    "Connect-Accept-Encoding",
    "Connect-Content-Encoding",
    "Connect-Protocol-Version",
    "Connect-Timeout-Ms",
    "Content-Encoding",
    "Content-Type",
    "Grpc-Timeout",
    "If-Match",
    "If-None-Match",
    "If-Range",
    "Range",
    "Traceparent",
    "Tracestate",
    "User-Agent",
    "X-User-Agent",
)
"""What a page may send: of Connect, of REST, of raw content, and of tracing."""
RESPONSE_HEADERS = (
    "Accept-Ranges",
    "Allow",
    "Connect-Content-Encoding",
    "Content-Encoding",
    "Content-Range",
    "ETag",
    "Retry-After",
    "VexFS-File-Id",
    "VexFS-Revision",
    "WWW-Authenticate",
)
"""What a page may read, beside the headers that browsers always show."""


class Cors:
    """Knows the pages and verbs of one server."""

    def __init__(self, origins: OriginGuard, verbs: Iterable[str]) -> None:
        self._origins = origins
        self._verbs = ", ".join(sorted(set(verbs)))

    def headers(self, request: web.BaseRequest) -> Mapping[str, str]:
        """What every response to this request carries."""
        if not self._origins.pages:
            return {}
        origin = request.headers.get("Origin")
        if origin is None or not self._origins.is_allowed_page(origin):
            return {"Vary": "Origin"}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": ", ".join(RESPONSE_HEADERS),
            "Vary": "Origin",
        }

    def preflight(self, request: web.BaseRequest) -> web.Response | None:
        """The answer to a browser that asks before it sends a page's request; None when this is no such question."""
        headers = request.headers
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in headers:
            return None
        if not self._origins.is_allowed_page(headers.get("Origin", "")):
            return None
        answer = {
            "Access-Control-Allow-Methods": self._verbs,
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
        }
        return web.Response(status=204, headers=answer)
