"""The package as users get it: built as a wheel, installed into a new environment, typed."""

import json
import re
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from .server import REPOSITORY, Server


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_wheel_installs_and_works(tmp_path: Path, server: Server) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path]
    run(*build, REPOSITORY / "sdk-python", cwd=tmp_path)
    (wheel,) = tmp_path.glob("vexfs_client-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "vexfs_client/py.typed" in names
    assert "vexfs_client/_generated/vexfs/v1/__init__.py" in names
    assert "vexfs_client/_generated_rest/__init__.py" in names
    assert not [name for name in names if not name.startswith(("vexfs_client/", "vexfs_client-"))]

    # The new environment sees the packages that the tests run with, but for the package itself: nothing is downloaded.
    fresh = tmp_path / "venv"
    venv.create(fresh, with_pip=False)
    python = fresh / "bin" / "python"
    site = Path(run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=tmp_path).strip())
    installed = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    run(*installed, cwd=tmp_path)
    assert (site / "vexfs_client" / "__init__.py").exists()
    tests_packages = next(path for path in map(Path, sys.path) if (path / "betterproto2").is_dir())
    (site / "of_the_tests.pth").write_text(f"{tests_packages}\n")
    # What the extra asks for has to be there: pip fails otherwise, for it may not look elsewhere.
    asked = run(sys.executable, "-m", "pip", "--python", python, "install", "--no-index", f"{wheel}[rest]", cwd=tmp_path)
    assert re.search(r"already satisfied: httpcore", asked)
    script = (
        "import json, sys, vexfs_client as v; print(v.__file__)\n"
        "for reach in json.loads(sys.argv[1]):\n"
        "    with v.Client(**reach, token=sys.argv[2]) as c: print(c.files.stat('/').id, v.__version__)\n"
    )
    reach = json.dumps([server.reach("grpc"), server.reach("rest")])
    where, *said = run(python, "-W", "error", "-c", script, reach, server.token, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(fresh)
    assert said == ["1 0.1.0", "1 0.1.0"]


def test_types_reach_the_user(tmp_path: Path) -> None:
    """What mypy says about a program of a user: right is right, wrong is wrong."""
    (tmp_path / "user.py").write_text(
        "from vexfs_client import AsyncClient, Client, File\n"
        "with Client() as client:\n"
        "    file: File = client.files.stat('/')\n"
        "    content: bytes = client.files.read(file)\n"
        "    paths: list[str] = [one.path for one in client.files.list('/')]\n"
        "    client.files.stat(1.5)  # E\n"
        "    client.files.open('/', 'r')  # E\n"
        "    client.search('x', 5)  # E\n"
        "Client(transport='rest', url='http://localhost')\n"
        "Client(transport='carrier pigeon')  # E\n"
        "async def main(client: AsyncClient) -> None:\n"
        "    one: File = await client.files.stat('/')\n"
        "    two: File = client.files.stat('/')  # E\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "user.py"]
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False, timeout=600)
    wrong = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert wrong == {6, 7, 8, 10, 13}, done.stdout
