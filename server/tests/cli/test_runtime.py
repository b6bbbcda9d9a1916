"""The data folder's small files: sockets, tokens, the server's lock, ready files, children that end with their parent."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from vexfs import runtime
from vexfs.core.errors import PermissionDenied, VolumeInUse


def test_a_short_data_folder_keeps_its_sockets_inside() -> None:
    assert runtime.socket_path("/srv/v", "api") == Path("/srv/v/run/api.sock")


def test_a_long_data_folder_gets_a_private_short_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path)) if len(str(tmp_path)) <= 40 else monkeypatch.delenv(
        "XDG_RUNTIME_DIR", False
    )
    data = tmp_path / ("long" * 30)
    path = runtime.socket_path(data, "api")
    assert len(os.fsencode(path)) <= runtime.SOCKET_PATH_MAX_BYTES
    assert path == runtime.socket_path(str(data), "api")
    assert path != runtime.socket_path(tmp_path / ("other" * 30), "api")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.parent.chmod(0o755)
    with pytest.raises(PermissionDenied):
        runtime.socket_path(data, "api")
    path.parent.rmdir()


def test_a_second_server_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from vexfs.runtime import ServerLock; lock = ServerLock(sys.argv[1]); lock.acquire();"
            "print('held', flush=True); time.sleep(60)",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(VolumeInUse, match=f"process {holder.pid}"):
            runtime.ServerLock(tmp_path).acquire()
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    lock = runtime.ServerLock(tmp_path)  # a killed holder frees it
    lock.acquire()
    lock.release()


def test_a_ready_file_of_a_dead_process_counts_for_nothing(tmp_path: Path) -> None:
    runtime.announce_ready(tmp_path, "api", {"rest": "http://127.0.0.1:1"})
    assert runtime.read_ready(tmp_path, "api") == {"pid": os.getpid(), "rest": "http://127.0.0.1:1"}
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    runtime.DataFolder(tmp_path).ready_file("api").write_text(json.dumps({"pid": gone.pid}))
    assert runtime.read_ready(tmp_path, "api") is None


MADE_BY_ANOTHER = """
import os
from vexfs.runtime import die_with_parent
arrange = die_with_parent()
child = os.fork()
if child == 0:
    grandchild = os.fork()
    if grandchild == 0:
        arrange()
        os._exit(0)
    os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_whose_parent_is_not_the_one_that_started_it_ends_at_once() -> None:
    command = [sys.executable, "-W", "ignore", "-c", MADE_BY_ANOTHER]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert outcome.stdout == "1\n"


def test_a_small_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    runtime.write_atomically(tmp_path / "file", "before")
    with pytest.raises(UnicodeEncodeError):
        runtime.write_atomically(tmp_path / "file", "after \ud800")
    assert (tmp_path / "file").read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_process_has_the_number_zero_or_less() -> None:
    assert not runtime.is_alive(0)
    assert not runtime.is_alive(-1)
    assert runtime.is_alive(os.getpid())


def test_a_child_ends_with_its_parent() -> None:
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import subprocess, sys, time; from vexfs.runtime import die_with_parent;"
            "child = subprocess.Popen(['sleep', '60'], preexec_fn=die_with_parent());"
            "print(child.pid, flush=True); time.sleep(60)",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert runtime.is_alive(child)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while runtime.is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not runtime.is_alive(child)
