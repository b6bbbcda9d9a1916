"""The suite as people have it: a wheel, installed away from its source, and its command."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]


class Installed:
    """The suite, built and installed below `folder`; its command runs there, without what this shell knows of VexFS."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packages = folder / "packages"
        pip = [sys.executable, "-m", "pip"]
        build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(folder), str(_ROOT)]
        subprocess.run(build, check=True, timeout=120)
        (wheel,) = folder.glob("*.whl")
        install = [*pip, "install", "--quiet", "--no-deps", "--no-index", "--target", str(self.packages), str(wheel)]
        subprocess.run(install, check=True, timeout=120)

    def start(self, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
        """Start `vexfs-conformance`; it has its own process group, as a command at a terminal has."""
        outside = {name: value for name, value in os.environ.items() if not name.startswith("VEXFS_")}
        return subprocess.Popen(
            [str(self.packages / "bin" / "vexfs-conformance"), *arguments],
            env={**outside, "PYTHONPATH": str(self.packages), **variables},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def run(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run `vexfs-conformance` to its end."""
        process = self.start(*arguments, **variables)
        try:
            out, err = process.communicate(timeout=240)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
