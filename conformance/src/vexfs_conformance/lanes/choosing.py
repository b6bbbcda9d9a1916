"""Which lanes does a run have? From what a person typed, and from what this machine and the target have."""

from collections.abc import Sequence
from pathlib import Path

from vexfs_conformance import mounting
from vexfs_conformance.lanes.adapter import AdapterProcess, SdkLane, command_of
from vexfs_conformance.lanes.raw import RawLane
from vexfs_conformance.lanes.raw_connect import RawConnect
from vexfs_conformance.lanes.raw_grpc import RawGrpc
from vexfs_conformance.lanes.raw_mount import RawMount
from vexfs_conformance.lanes.raw_rest import RawRest
from vexfs_conformance.outcomes import Answered, CallSpec, HarnessError, Lane
from vexfs_conformance.server import Target
from vexfs_conformance.session import MOUNT

RAW_LANES: dict[str, type[RawLane]] = {"grpc": RawGrpc, "rest": RawRest, "connect": RawConnect}
"""The surfaces that an address reaches; the lane mount needs a folder, too."""


def mount(names: str | None, folder: Path | None, *, serve: bool) -> tuple[bool, list[str]]:
    """Whether the lane mount runs, and why it is left out if only this machine or the command line lacks what it needs.

    Raises HarnessError, or ValueError, if it is asked for by name and cannot run.
    """
    named = bool(names) and MOUNT in (names or "").split(",")
    if serve and folder:
        raise ValueError("--mount names where a --target is mounted; --serve mounts its server by itself")
    if names and not named:
        return False, []
    if serve:
        why = mounting.obstacle()
        if why and named:
            raise HarnessError(f"the lane {MOUNT} cannot run here: {why}")
    else:
        why = "" if folder else "no --mount FOLDER says where the target is mounted"
        if why and named:
            raise ValueError(f"the lane {MOUNT} cannot run: {why}")
    return not why, [f"{MOUNT}: {why}"] if why else []


def raw_lanes(named: str | None, target: Target, folder: Path | None) -> list[RawLane]:
    """The surfaces that are named, else those that answer. Raises HarnessError if `folder` does not show the target, and
    ValueError for a name that is none.
    """
    names = named.split(",") if named else [*target.surfaces, *(["connect"] if _speaks_connect(target) else [])]
    for name in names:
        if name not in (*RAW_LANES, MOUNT, "none"):
            raise ValueError(f"there is no lane {name}; there are {', '.join(RAW_LANES)}, {MOUNT}")
    found = [RAW_LANES[name]() for name in names if name in RAW_LANES]
    if folder is not None:
        mounted, surface = RawMount(folder, target.endpoint), RAW_LANES[target.surfaces[0]]()
        mounting.check(mounted, surface, target.endpoint)
        surface.close()
        found.append(mounted)
    return found


def sdk_lanes(names: str, given: Sequence[str], transports: str) -> list[Lane]:
    """The SDKs whose adapters lie beside the suite, and the adapters that are given as NAME=COMMAND, over each transport that
    is wanted. Starts them; raises HarnessError for one that does not start, and ValueError for what is no NAME=COMMAND.
    """
    found: list[Lane] = []
    adapters = [(name, command_of(name)) for name in names.split(",") if name]
    for entry in given:
        name, _, command = entry.partition("=")
        if not command:
            raise ValueError(f"--adapter takes NAME=COMMAND, not {entry}")
        adapters.append((name, ["/bin/sh", "-c", f"exec {command}"]))
    wanted = [name for name in transports.split(",") if name]
    for name, words in adapters:
        process = AdapterProcess(name, words)
        found += [SdkLane(process, each) for each in process.hello.transports if not wanted or each in wanted]
    return found


def _speaks_connect(target: Target) -> bool:
    lane = RawConnect()
    try:
        return "rest" in target.surfaces and isinstance(lane.call(CallSpec("GetServerInfo", [{}], target.endpoint)), Answered)
    finally:
        lane.close()
