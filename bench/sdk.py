"""What each client adds to a small call, beside the bare stub of its language: how thin are the thin layers?"""

from __future__ import annotations

import json
import subprocess
import sys

from bench.runner import build, machine, processes
from bench.runner.mounted import settle
from bench.runner.record import Benchmark, Key, Options, Ratio, Record, Target
from bench.runner.systems import VEXFS, Server, VexfsServe

ABOUT = """
The smallest call there is, StatFile of the root, one after another over gRPC from one process: through the client, and
through the generated stub below it with the same token and deadline. The two take turns of 50 calls in one process on the
same server, so that what else the machine does hits both; a round is the median of each. What a client adds is checking,
settings, the retry layer, the deadline over all attempts, its own types, and errors with a reason. Python's client is
compared with grpcio and protobuf's own C messages, although its messages are betterproto2's, in Python: that is what a
user could have had instead.
"""

LANGUAGES = {"python": 1.8, "js": 1.2, "go": 1.2, "rust": 1.2}
"""Each client, and how many times as long as the stub it may take."""
UNIT = "µs"
WORKLOAD = "StatFile"


def run(options: Options, record: Record) -> None:
    rounds, calls = options.rounds_or(7), options.size(2000, 500, 5)
    languages = [name for name in LANGUAGES if options.wants(name)]
    system = VexfsServe(mount=False)
    record.configuration |= {"rounds": rounds, "calls a round": calls, VEXFS: system.configuration}
    programs = {name: build.overhead(name) for name in languages}
    for number in range(rounds):
        with system.start(processes.FREE) as server:
            settle(server, record, options, VEXFS)
            for name in languages:
                sys.stderr.write(f"round {number + 1}/{rounds}, {name}\n")
                for way, value in measure(programs[name], server, calls).items():
                    record.add(_key(name, way), number, value)
    for name in languages:
        ratio = Ratio(f"{WORKLOAD}: {name}, client / stub", _key(name, "client"), _key(name, "stub"))
        record.ratios.append(ratio)
        record.targets.append(Target(ratio, "median", "<=", LANGUAGES[name]))


def measure(program: list[str], server: Server, calls: int) -> dict[str, float]:
    """The medians of one round in microseconds, after one that warms up."""
    done = subprocess.run(
        [*program, "2", str(calls)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=machine.ROOT,
        env=processes.environment(**server.environment()),
    )
    _, counted = map(json.loads, done.stdout.splitlines())
    return {"client": counted["sdk_us"], "stub": counted["stub_us"]}


def _key(language: str, way: str) -> Key:
    return Key(f"{WORKLOAD}, {language}", way, "", UNIT)


BENCHMARK = Benchmark("sdk", "What the clients add to a call", ABOUT, run)
