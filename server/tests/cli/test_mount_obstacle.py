"""What keeps a machine from mounting is named together with how to get it."""

import os
import shutil
from pathlib import Path

import pytest

from vexfs.cli.run import mount_obstacle

FUSE = "/dev/fuse"


@pytest.mark.parametrize(
    ("device", "root", "program", "openable", "words"),
    [
        (False, True, True, True, "modprobe fuse"),
        (True, False, False, True, "fuse3"),
        (True, False, True, False, "chmod 666 /dev/fuse"),
        (True, True, True, False, "--device /dev/fuse --cap-add SYS_ADMIN"),
        (True, True, False, True, None),
        (True, False, True, True, None),
    ],
)
def test_each_obstacle_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, device: bool, root: bool, program: bool, openable: bool, words: str | None
) -> None:
    exists, access = Path.exists, os.access
    monkeypatch.setattr(Path, "exists", lambda path, **kind: device if str(path) == FUSE else exists(path, **kind))
    monkeypatch.setattr(os, "access", lambda path, mode: openable if str(path) == FUSE else access(path, mode))
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/fusermount3" if program else None)
    obstacle = mount_obstacle()
    assert obstacle is None if words is None else obstacle is not None and words in obstacle
