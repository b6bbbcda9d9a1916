"""A span for every call, if the OpenTelemetry API is installed; otherwise nothing.

The API does nothing by itself: spans go where the application's SDK sends them. The trace's context travels with the call.
A span is never made current: a stream would leave it current between two pieces.
"""

from typing import TYPE_CHECKING

from vexfs_client._settings import Settings
from vexfs_client._version import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Span

try:
    from opentelemetry import propagate, trace
except ImportError:

    def start(path: str, settings: Settings) -> "Span | None":
        """No span: the API is not installed."""
        del path, settings
        return None

    def headers(span: "Span | None") -> tuple[tuple[str, str], ...]:
        """Nothing to send."""
        del span
        return ()

    def end(span: "Span | None", code: str, attempts: int, error: BaseException | None) -> None:
        """Nothing to end."""
        del span, code, attempts, error
else:
    _tracer = trace.get_tracer("vexfs_client", __version__)

    def start(path: str, settings: Settings) -> "Span | None":
        """A client span named after the method, child of the current span."""
        name = path.lstrip("/")
        host, port = settings.server
        attributes: dict[str, str | int] = {
            "rpc.system.name": settings.transport,
            "rpc.method": name,
            "server.address": host,
            "server.port": port,
        }
        return _tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)

    def headers(span: "Span | None") -> tuple[tuple[str, str], ...]:
        """What carries the trace's context to the server."""
        if span is None:
            return ()
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(span))
        return tuple(carrier.items())

    def end(span: "Span | None", code: str, attempts: int, error: BaseException | None) -> None:
        """The call ended with this gRPC code after so many attempts."""
        if span is None:
            return
        span.set_attributes({"rpc.response.status_code": code, "vexfs.attempts": attempts})
        if error is not None:
            span.record_exception(error)
            span.set_status(trace.StatusCode.ERROR, code)
        span.end()
