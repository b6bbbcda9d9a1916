"""Metrics are live counters, logs are JSON lines, slow operations are named."""

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from running import Server, running

ECHO_SERVER = [str(Path(__file__).parent / "echo_server.py")]


def samples(server: Server) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = server.http("GET", "/metrics")
    assert answer.status == 200
    families = text_string_to_metric_families(answer.body.decode())
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def count(server: Server, operation: str, outcome: str) -> float:
    labels = frozenset({("surface", "rest"), ("operation", operation), ("outcome", outcome)})
    return samples(server).get(("vexfs_operations_total", labels), 0.0)


@pytest.mark.parametrize(
    ("verb", "path", "token", "operation", "outcome"),
    [
        ("GET", "/test/echo/a", "", "Echo", "OK"),
        ("GET", "/test/echo/a?small=-1", "", "Echo", "INVALID_ARGUMENT"),
        ("GET", "/test/echo/a", None, "Echo", "UNAUTHENTICATED"),
        ("DELETE", "/test/fail/NotFound", "", "Fail", "FILE_NOT_FOUND"),
        ("DELETE", "/test/fail/KeyError", "", "Fail", "INTERNAL"),
        ("GET", "/test/count?upto=2&failAfter=-1", "", "Count", "OK"),
    ],
)
def test_every_operation_is_counted_with_its_outcome(
    echo: Server, verb: str, path: str, token: str | None, operation: str, outcome: str
) -> None:
    before = count(echo, operation, outcome)
    echo.http(verb, path, token=token)
    assert count(echo, operation, outcome) == before + 1


def test_latency_is_measured(echo: Server) -> None:
    echo.http("GET", "/test/sleep?seconds=0.2")
    labels = frozenset({("surface", "rest"), ("operation", "Sleep")})
    assert samples(echo)["vexfs_operation_duration_seconds_sum", labels] >= 0.2


def test_slow_operations_are_logged_and_every_log_line_is_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEXFS_SLOW_SECONDS", "1")
    with running(tmp_path, ECHO_SERVER) as server:
        server.http("GET", "/test/sleep?seconds=1.1")
        server.http("GET", "/test/sleep?seconds=0")
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    slow = [line for line in lines if line["message"] == "slow operation"]
    assert [line["operation"] for line in slow] == ["Sleep"]
    assert slow[0]["seconds"] >= 1.1
    assert all({"time", "level", "process", "logger", "message"} <= set(line) for line in lines)
