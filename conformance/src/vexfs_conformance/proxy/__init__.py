"""The fault proxy: stands between a lane and the server, and makes go wrong what a step wants.

`FaultProxy.during` runs one step's call through it. One proxy serves one lane, one call at a time.
"""

import time
from dataclasses import replace
from urllib.parse import urlsplit

from vexfs_conformance.matching import Difference
from vexfs_conformance.outcomes import CallSpec, Endpoint, Lane, Outcome
from vexfs_conformance.proxy.grpc_side import GrpcSide
from vexfs_conformance.proxy.http_side import HttpSide
from vexfs_conformance.proxy.script import Script
from vexfs_conformance.proxy.tcp_side import TcpSide
from vexfs_conformance.suites import FaultPlan, Step

_PATIENCE = (1, 3, 9)
"""A call that a busy machine ends before it was seen shows nothing: it is made again with so many times as long."""


class FaultProxy:
    """Both sides, on free ports of this machine, in front of one endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._script = [Script(FaultPlan())]
        """The one of the sides as they are now. Sides that were closed keep the list, and so their own."""
        self._grpc: GrpcSide | None = None
        self._http: HttpSide | None = None

    def during(self, step: Step, spec: CallSpec, lane: Lane) -> tuple[Outcome, list[Difference]]:
        """Make a step's call through the proxy; returns its outcome and what the proxy saw that it should not have."""
        plan = step.fault or FaultPlan()
        if plan.reset_after_bytes:
            return self._resetting(spec, lane, plan), []
        for times in _PATIENCE:
            script = Script(plan)
            if times == _PATIENCE[0]:
                self._script[0] = script
            else:  # what of the call before arrives late is not to be counted as this one's
                self.close()
                self._grpc = self._http = None
                self._script = [script]
            patient = _with_more_time(replace(spec, endpoint=self._through(spec.endpoint, lane.transport)), times)
            started = time.monotonic()
            outcome = lane.call(patient)
            milliseconds = (time.monotonic() - started) * 1000
            if not plan.delay_ms or script.saw_one():
                break
        found = script.judge(step.expect_seen, milliseconds)
        if step.expect_seen.get("user_agent") and not lane.raw:
            found += script.judge_user_agent(lane.name)
        return outcome, found

    def _through(self, endpoint: Endpoint, transport: str) -> Endpoint:
        """The endpoint with this proxy's addresses; to the proxy there is no TLS."""
        script = self._script
        plain = replace(endpoint, tls=None, tls_ca=None, tls_client_cert=None, tls_client_key=None)
        if transport == "grpc":
            self._grpc = self._grpc or GrpcSide(self._endpoint, lambda: script[0])
            return replace(plain, address=self._grpc.address)
        self._http = self._http or HttpSide(self._endpoint, lambda: script[0])
        return replace(plain, url=self._http.url)

    def _resetting(self, spec: CallSpec, lane: Lane, plan: FaultPlan) -> Outcome:
        endpoint = spec.endpoint
        parts = urlsplit(endpoint.url or "")
        upstream = endpoint.address if lane.transport == "grpc" else parts.netloc
        side = TcpSide(upstream or "", lambda: plan.reset_after_bytes)
        try:
            if lane.transport == "grpc":
                changed = replace(endpoint, address=side.address)
            else:
                changed = replace(endpoint, url=f"{parts.scheme}://{side.address}")
            return lane.call(replace(spec, endpoint=changed))
        finally:
            side.close()

    def close(self) -> None:
        """Stop listening on both sides."""
        for side in (self._grpc, self._http):
            if side is not None:
                side.close()


def _with_more_time(spec: CallSpec, times: int) -> CallSpec:
    def longer(milliseconds: int | None) -> int | None:
        return milliseconds and milliseconds * times

    return replace(
        spec,
        endpoint=replace(spec.endpoint, timeout_ms=longer(spec.endpoint.timeout_ms)),
        timeout_ms=longer(spec.timeout_ms),
        cancel_after_ms=longer(spec.cancel_after_ms),
    )
