"""A power cut never leaves a generation ahead of the volume it was made of, at any point of its making."""

import os
import subprocess
import sys
from pathlib import Path

from vexfs.store.volume import Volume
from vexfs.views.dense import builder, generation

from . import recorder
from .cuts import Cut, check_cuts
from .disk import Disk, Survival
from .events import Kind, read_events
from .promises import VOLUME
from .test_power_cut import PACKAGE

_SERVER = Path(__file__).parents[2]


def _verify(folder: Path, marks: list[bytes]) -> int:
    found = generation.manifests(builder.generations_folder(folder / VOLUME))
    assert found or not marks, "a generation that was built is gone"
    if not found:
        return 0
    with Volume.open(folder / VOLUME, "reader") as volume:
        assert volume.head() >= found[0].position, "the generation is ahead of its volume"
    return 1


def test_a_power_cut_leaves_no_generation_ahead_of_its_volume(scratch: Path) -> None:
    root = scratch / "root"
    root.mkdir()
    disk = Disk(root)
    environment = recorder.environment(root, scratch / "events")
    environment["PYTHONPATH"] = os.pathsep.join((str(PACKAGE.parent), str(_SERVER)))
    subprocess.run([sys.executable, "-m", "tests.power.building", str(root / VOLUME)], check=True, env=environment, timeout=120)
    events = read_events(scratch / "events")
    last = next(at for at, event in enumerate(events, start=1) if event.kind == Kind.MARK)
    first = next(at for at, event in enumerate(events, start=1) if event.path.endswith("manifest.json"))
    cuts = [
        Cut(at, survival, at)
        for at in range(first, last + 1)
        for survival in (Survival.NOTHING, Survival.EVERYTHING, Survival.FILES, Survival.ANY)
    ]
    assert check_cuts(disk, events, cuts, _verify, scratch / "after").promises > 1
