"""The metrics of this process: live counters in one registry, rendered in the Prometheus text format.

A metric is registered where it is counted, against `REGISTRY`; one that nothing increments does not exist. Thread-safe.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for every label, that nobody asks for

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

OPERATIONS = Counter(
    "vexfs_operations",
    "Operations ended, by surface, operation and outcome (OK, CANCELLED, or the error reason).",
    ("surface", "operation", "outcome"),
    registry=REGISTRY,
)
OPERATION_SECONDS = Histogram(
    "vexfs_operation_duration_seconds",
    "Time from the start of an operation to its end, queueing included.",
    ("surface", "operation"),
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
    registry=REGISTRY,
)
OPERATIONS_RUNNING = Gauge(
    "vexfs_operations_running",
    "Operations begun and not ended.",
    ("surface",),
    registry=REGISTRY,
)


def render() -> bytes:
    """All metrics of this process in the text format that `CONTENT_TYPE` names."""
    return generate_latest(REGISTRY)
