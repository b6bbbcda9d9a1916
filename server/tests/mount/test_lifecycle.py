"""An ordinary user mounts through fusermount3; odd paths work; what is not a VexFS mount is left alone."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.mount.conftest import MakeMount, Mounted
from vexfs.core.errors import NotSupported
from vexfs.mount import lifecycle
from vexfs.mount.options import MountOptions

#: The mount process as it behaves for a user who is not root: mount(2) is not tried.
AS_USER = """
import sys
from vexfs.mount import device, lifecycle, process
device._mount_as_root = None
device.os = type("os", (), {**vars(device.os), "geteuid": staticmethod(lambda: 1000)})
lifecycle.os = device.os
sys.exit(process.main(sys.argv[1:]))
"""


def test_an_ordinary_user_mounts_and_unmounts_through_fusermount3(make_mount: MakeMount) -> None:
    if shutil.which("fusermount3") is None:
        pytest.fail("fusermount3 is missing: install fuse3 (apt install fuse3), or set VEXFS_NO_FUSE=1")
    mount = make_mount(program=[sys.executable, "-c", AS_USER])
    (mount.path / "f").write_text("through fusermount3")
    assert (mount.path / "f").read_text() == "through fusermount3"
    assert lifecycle.is_mounted(mount.path)
    assert mount.stop() == 0
    assert not lifecycle.is_mounted(mount.path)


def test_a_missing_fusermount3_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(NotSupported, match="apt install fuse3"):
        lifecycle.find_fusermount()


def test_a_mount_point_with_spaces_and_other_signs(make_mount: MakeMount, folder: Path) -> None:
    mount = make_mount()
    odd = Mounted(folder / "data", folder / "ä place\twith spaces", folder / "log-odd", [], mount._command[:3])
    try:
        odd.start()
        assert lifecycle.is_mounted(odd.path)
        assert lifecycle.is_mounted(str(odd.path) + "/")
        (odd.path / "f").touch()
        assert odd.stop() == 0
        assert not lifecycle.is_mounted(odd.path)
    finally:
        odd.end()


def test_other_mounts_and_plain_folders_are_left_alone(folder: Path) -> None:
    plain = folder / "plain"
    plain.mkdir()
    for path in (Path("/"), Path("/proc"), plain, folder / "absent"):
        assert not lifecycle.is_mounted(path)
        assert not lifecycle.is_dead(path)
        lifecycle.detach(path)
        lifecycle.unmount(path)
    assert subprocess.run(["mountpoint", "-q", "/proc"], check=False).returncode == 0


def test_a_busy_mount_is_reported(mount: Mounted) -> None:
    from vexfs.core.errors import Unavailable

    with (mount.path / "f").open("w"), pytest.raises(Unavailable, match="busy"):
        lifecycle.unmount(mount.path, timeout_s=0.2)
    lifecycle.unmount(mount.path)


def test_the_kernel_checks_permissions_wherever_somebody_else_can_reach_the_mount(tmp_path: Path) -> None:
    options = MountOptions(data=tmp_path, mountpoint=tmp_path, token_file=tmp_path / "token", allow_other=True)
    assert options.kernel_permissions
