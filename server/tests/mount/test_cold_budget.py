"""What a fresh mount costs, of which the kernel knows nothing yet, and what it costs again: requests of the kernel and system
calls of the mount process, counted with the spin off.
"""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from .conftest import MakeMount
from .test_budget import FORGETTING, Cost, Meter, make_meter, read

ENTRIES = 3000
ENTRIES_A_REQUEST = 170
"""So many fit into the 32 KiB that a C library asks for at a time."""
IDLE_CALLS = 4
"""A signal with which the meter asks can wake the loop, which then finds nothing to read: so many calls may be no request's."""
FOLDERS, FILES_A_FOLDER = 20, 20


def fresh(meter: Meter) -> None:
    """Mount again: whatever the kernel knew is gone."""
    assert meter.mount.stop() == 0
    meter.mount.restart()


def filled(meter: Meter) -> Path:
    folder = meter.mount.path / "d"
    folder.mkdir()
    for number in range(ENTRIES):
        (folder / f"n{number:05}").write_bytes(b"x" * 100)
    fresh(meter)
    return folder


def each(folder: Path, operation: Callable[[Path], object]) -> Callable[[], None]:
    def all_entries() -> None:
        for number in range(ENTRIES):
            operation(folder / f"n{number:05}")

    return all_entries


def check(cost: Cost, expected: set[str]) -> None:
    """Each of the expected requests comes once an operation, and no other but once for all; two system calls each."""
    requests = {name: count for name, count in cost.requests.items() if name not in FORGETTING and count > 0.01}
    assert requests.keys() == expected, cost
    assert all(count < 1.01 for count in requests.values()), cost
    assert cost.calls <= 2 * len(expected) + 0.05, cost


def test_a_stat_of_a_name_is_one_request_and_the_next_none(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder)
    stat = each(filled(meter), os.stat)
    check(meter.measure_once(stat, ENTRIES), {"LOOKUP"})
    check(meter.measure_once(stat, ENTRIES), set())


def test_reading_a_small_file_is_four_requests_and_the_next_time_two(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder)
    read_all = each(filled(meter), read)
    check(meter.measure_once(read_all, ENTRIES), {"LOOKUP", "OPEN", "READ", "RELEASE"})
    check(meter.measure_once(read_all, ENTRIES), {"OPEN", "RELEASE"})


def test_a_large_directory_is_listed_by_the_bufferful_and_is_known_then(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder)
    top = filled(meter)
    for _ in range(2):
        cost = meter.measure_once(lambda: os.listdir(top), 1)  # noqa: PTH208
        assert cost.requests["READDIRPLUS"] <= ENTRIES / ENTRIES_A_REQUEST + 1, cost
        assert sum(cost.requests.values()) - cost.requests["READDIRPLUS"] <= 4, cost
        assert cost.calls <= 2 * sum(cost.requests.values()) + IDLE_CALLS, cost
    check(meter.measure_once(each(top, os.stat), ENTRIES), set())
    check(meter.measure_once(each(top, read), ENTRIES), {"OPEN", "READ", "RELEASE"})


def test_git_status_asks_for_each_file_once_and_then_for_folders_alone(make_mount: MakeMount, folder: Path) -> None:
    meter = make_meter(make_mount, folder)
    repository = meter.mount.path / "repository"

    def git(*arguments: str) -> None:
        command = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments]
        subprocess.run(command, cwd=repository, check=True, capture_output=True)

    repository.mkdir()
    git("init")
    for place in (repository / f"d{number}" for number in range(FOLDERS)):
        place.mkdir()
        for number in range(FILES_A_FOLDER):
            (place / f"f{number}").write_text(f"{place.name} {number}")
            os.utime(place / f"f{number}", (1_000_000_000, 1_000_000_000))  # git reads again what is as young as its index
    git("add", ".")
    git("commit", "-m", "all of it")
    fresh(meter)
    files = FOLDERS * FILES_A_FOLDER
    first, again = (meter.measure_once(lambda: git("status"), 1) for _ in range(2))
    others = 5 * FOLDERS + 150  # each folder is opened and listed, and git looks at its own files
    assert files <= first.requests["LOOKUP"] and sum(first.requests.values()) <= files + others, first
    assert 2 * FOLDERS <= sum(again.requests.values()) <= others, again
