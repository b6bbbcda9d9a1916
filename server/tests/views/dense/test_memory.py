"""What memory is available: to the machine, and in the limits of its control groups."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from vexfs.views.dense import memory

MIB = 1 << 20
_MEMINFO = "MemTotal:        4096000 kB\nMemAvailable:    2048000 kB\nHugePages_Total:       0\n"
_V1 = Path("/sys/fs/cgroup/memory")


def system(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in {"proc/meminfo": _MEMINFO, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def group(folder: str, limit: str, used: int, cached: int) -> dict[str, str]:
    stat = f"anon {used - cached}\ninactive_file {cached}\nactive_file 0\n"
    return {f"{folder}/memory.max": limit, f"{folder}/memory.current": f"{used}\n", f"{folder}/memory.stat": stat}


def test_a_machine_without_groups_has_what_it_says(tmp_path: Path) -> None:
    assert memory.available_bytes(system(tmp_path, {})) == 2_048_000 * 1024
    assert memory.available_bytes(system(tmp_path, {"proc/self/cgroup": "0::/a\n"})) == 2_048_000 * 1024


def test_the_tightest_of_the_groups_counts_and_cached_files_are_not_used(tmp_path: Path) -> None:
    outer = group("sys/fs/cgroup/a", f"{512 * MIB}\n", 400 * MIB, 300 * MIB)
    inner = group("sys/fs/cgroup/a/b", "max\n", 100 * MIB, 0)
    root = system(tmp_path, {"proc/self/cgroup": "0::/a/b\n", **outer, **inner})
    assert memory.available_bytes(root) == 412 * MIB
    system(tmp_path, group("sys/fs/cgroup/a/b", f"{110 * MIB}\n", 100 * MIB, 5 * MIB))
    assert memory.available_bytes(root) == 15 * MIB
    system(tmp_path, group("sys/fs/cgroup/a/b", f"{90 * MIB}\n", 100 * MIB, 5 * MIB))
    assert memory.available_bytes(root) == 0, "it has more than it was left"


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of 200 MiB, of version 1 (where version 2 has the memory, a process may not be alone in charge of it)."""
    folder = _V1 / f"vexfs-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / "memory.limit_in_bytes").write_text(str(200 * MIB))
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    yield folder
    folder.rmdir()


def test_the_limit_of_a_real_group_counts(small_group: Path) -> None:
    program = (
        "import os, pathlib; from vexfs.views.dense import memory\n"
        f"pathlib.Path({str(small_group / 'cgroup.procs')!r}).write_text(str(os.getpid()))\n"
        "before = memory.available_bytes(); held = bytearray(os.urandom(1)) * (50 << 20)\n"
        "print(before, memory.available_bytes())"
    )
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60).stdout
    before, after = map(int, printed.split())
    assert 150 * MIB < before <= 200 * MIB and 45 * MIB < before - after < 60 * MIB
