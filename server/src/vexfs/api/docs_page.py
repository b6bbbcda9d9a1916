"""The page at /docs: every method with a form to try it. Which files make it, and what may they do in a browser?

Part of the HTTP server that `rest.py` starts. The page is a few files in `docs_page_files/`, held in memory; it builds itself
from /openapi.json in the browser and calls REST as any client does. It needs no token to be read, only to call. Nothing is
loaded from elsewhere, and its policy forbids that.
"""

from collections.abc import Awaitable, Callable
from importlib import resources

from aiohttp import web

from vexfs.api.context import Caller
from vexfs.api.dispatch import Dispatcher

ADDRESS = "/docs"
_FILES = {
    ADDRESS: ("page.html", "text/html; charset=utf-8"),
    f"{ADDRESS}/page.css": ("page.css", "text/css; charset=utf-8"),
    f"{ADDRESS}/page.js": ("page.js", "text/javascript; charset=utf-8"),
    f"{ADDRESS}/description.js": ("description.js", "text/javascript; charset=utf-8"),
    f"{ADDRESS}/icon.svg": ("icon.svg", "image/svg+xml"),
}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class DocsPage:
    """Answers for the page's files."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        folder = resources.files("vexfs.api").joinpath("docs_page_files")
        self.pages = {
            path: self._page(folder.joinpath(name).read_bytes(), content_type) for path, (name, content_type) in _FILES.items()
        }

    def _page(self, body: bytes, content_type: str) -> Callable[[web.BaseRequest, Caller], Awaitable[web.StreamResponse]]:
        async def answer(request: web.BaseRequest, caller: Caller) -> web.StreamResponse:
            del request
            self._dispatcher.admit_origin(caller)
            return web.Response(body=body, headers={"Content-Type": content_type, **_HEADERS})

        return answer
