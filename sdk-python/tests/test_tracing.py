"""A span for each call when OpenTelemetry is there, and nothing when it is not."""

import subprocess
import sys
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from vexfs_client import Client, NotFoundError

from .faulty import Failure, Peer
from .test_retry import STAT

EXPORTER = InMemorySpanExporter()


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    if not isinstance(trace.get_tracer_provider(), TracerProvider):
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(EXPORTER))
        trace.set_tracer_provider(provider)
    EXPORTER.clear()
    yield EXPORTER
    EXPORTER.clear()


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_a_call_has_a_span_and_sends_its_context(spans: InMemorySpanExporter, peer: Peer) -> None:
    with peer(Failure(), STAT) as server, Client(**server.reach) as client:
        with trace.get_tracer("test").start_as_current_span("outer") as outer:
            client.files.stat("/a")
        inner, _ = spans.get_finished_spans()
        assert inner.name == "vexfs.v1.FilesService/StatFile"
        assert inner.kind is trace.SpanKind.CLIENT
        assert inner.parent is not None
        assert inner.parent.span_id == outer.get_span_context().span_id
        shown = attributes(inner)
        assert shown["rpc.response.status_code"] == "OK"
        assert shown["vexfs.attempts"] == 2
        assert shown["server.port"] == server.port
        assert inner.context is not None
        assert f"{inner.context.span_id:016x}" in str(server.seen[0].metadata["traceparent"])


def test_a_failed_call_is_marked(spans: InMemorySpanExporter, peer: Peer) -> None:
    with peer(Failure(grpc.StatusCode.NOT_FOUND, "FILE_NOT_FOUND")) as server, Client(**server.reach) as client:
        with pytest.raises(NotFoundError):
            client.files.stat("/a")
        with pytest.raises(NotFoundError):
            client.files.write("/a", [b"x"])
        with pytest.raises(NotFoundError):
            list(client.files.read_stream("/a"))
    finished = spans.get_finished_spans()
    assert [span.name.rpartition("/")[2] for span in finished] == ["StatFile", "WriteFile", "ReadFile"]
    for span in finished:
        assert span.status.status_code is trace.StatusCode.ERROR
        assert attributes(span)["rpc.response.status_code"] == "NOT_FOUND"


def test_without_the_library_there_are_no_spans_and_calls_work() -> None:
    script = """
import sys
sys.modules["opentelemetry"] = None
from vexfs_client import Client, UnavailableError
with Client(address="127.0.0.1:1", max_attempts=1) as client:
    try:
        client.files.stat("/")
    except UnavailableError:
        print("works")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "works\n", done.stderr
