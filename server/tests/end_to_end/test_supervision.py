"""The life of a server: how it says that it is ready, what it does when a process dies, how it ends."""

import json
import os
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vexfs import runtime
from vexfs.cli import exits
from vexfs.mount import lifecycle

from .conftest import needs_mount
from .running import Server, begin_serving, lines, vexfs, vexfs_outcome, wait_until

STOP_SECONDS = 15.0
"""The promise is 3 s on a machine that has nothing else to do. A child that nobody ends is waited for in vain."""

MakeServer = Callable[..., Server]


def test_the_ready_file_is_exactly_what_is_promised(server: Server) -> None:
    assert server.process is not None
    content = json.loads(server.ready_file.read_text())
    assert list(content) == ["pid", "grpc", "rest", "token_file"]
    assert content["pid"] == server.process.pid
    assert content["rest"].startswith("http://127.0.0.1:")
    assert content["grpc"].startswith("127.0.0.1:")
    assert content["token_file"] == str(server.data / "token")


def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(server: Server) -> None:
    assert server.process is not None
    outcome = vexfs_outcome("serve", "--rest-port", "0", "--grpc-port", "0", data=server.data)
    assert outcome.returncode == exits.UNREACHABLE
    assert f"process {server.process.pid}" in outcome.stderr.decode()
    assert server.ready_file.exists()
    assert server.vexfs("status").startswith("VexFS ")


@pytest.mark.parametrize("which", ["rest", "grpc"])
def test_a_port_that_is_taken_is_named_and_nothing_is_made(server: Server, make_server: MakeServer, which: str) -> None:
    port = server.record[which].rpartition(":")[2]
    other = make_server(arguments=(f"--{which}-port", port))
    with pytest.raises(AssertionError, match="did not start"):
        other.start()
    assert f"the address 127.0.0.1:{port} is taken by another program" in other.log()
    assert not other.ready_file.exists()
    assert not (other.data / "volumes").exists()


def test_a_token_file_is_made_with_its_folder(make_server: MakeServer, tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "of mine" / "token"
    running = make_server(arguments=("--token-file", str(path))).start()
    assert running.record["token_file"] == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert running.vexfs("status").startswith("VexFS ")


@needs_mount
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_everything(make_server: MakeServer, number: signal.Signals) -> None:
    running = make_server(mounted=True).start()
    assert running.mount is not None
    pids = [running.pid_of(name) for name in ("api", "indexer", "mount")]
    (running.mount / "last.md").write_text("written just before the end")
    assert running.stop(number) < STOP_SECONDS
    assert running.process is not None
    assert running.process.returncode == 0
    assert not any(runtime.is_alive(pid) for pid in pids)
    assert not lifecycle.is_mounted(running.mount)
    assert not running.ready_file.exists()
    running.start()
    assert running.vexfs("cat", "/last.md") == "written just before the end"


@needs_mount
@pytest.mark.parametrize("name", ["api", "indexer", "mount"])
def test_a_stopped_process_does_not_hold_up_the_end(make_server: MakeServer, name: str) -> None:
    running = make_server(mounted=True).start()
    assert running.mount is not None
    pid = running.pid_of(name)
    os.kill(pid, signal.SIGSTOP)
    assert running.stop() < STOP_SECONDS
    assert f"the {name} process did not stop in time and is ended by force" in running.log()
    assert not runtime.is_alive(pid)
    assert not lifecycle.is_mounted(running.mount)


def test_a_signal_while_it_starts_ends_it_in_good_order(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    process = begin_serving(tmp_path / "data", tmp_path / "log", "--ready-file", str(ready))
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    wait_until(lambda: children.read_text().strip(), 30, "the start of the API")
    pids = [int(pid) for pid in children.read_text().split()]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0, (tmp_path / "log").read_text()
    assert not any(runtime.is_alive(pid) for pid in pids)
    assert not ready.exists()


def test_a_process_that_does_not_come_up_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "data/volumes/main").mkdir(parents=True)
    (tmp_path / "data/volumes/main/vexfs.db").write_bytes(b"no database" * 1000)
    process = begin_serving(tmp_path / "data", tmp_path / "log")
    assert process.wait(60) == exits.UNREACHABLE
    assert "while starting; its log says why" in (tmp_path / "log").read_text()
    assert runtime.read_server(tmp_path / "data") is None


@needs_mount
def test_a_mount_point_whose_mount_is_dead_is_used_again(make_server: MakeServer) -> None:
    running = make_server(mounted=True)
    assert running.mount is not None
    other = running.folder / "other"
    begin = begin_serving(other, running.folder / "other.log")
    wait_until(lambda: runtime.read_server(other) is not None, 60, "the other server")
    pid = lines(vexfs("mount", str(running.mount), "--json", data=other))[0]["pid"]
    begin.terminate()
    begin.wait(30)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: lifecycle.is_dead(running.mount or ""), what="the end of the connection")
    running.start()
    assert "had lost its process; mounting it again" in running.log()
    (running.mount / "a.md").write_text("a")
    assert running.vexfs("cat", "/a.md") == "a"


@needs_mount
def test_a_mount_point_that_is_taken_ends_the_start_and_leaves_the_mount(make_server: MakeServer, server: Server) -> None:
    running = make_server(mounted=True)
    assert running.mount is not None
    server.vexfs("mount", str(running.mount))
    (running.mount / "of-the-other.md").write_text("other")
    with pytest.raises(AssertionError, match="did not start"):
        running.start()
    assert "the mount process ended with status 1 while starting" in running.log()
    assert (running.mount / "of-the-other.md").read_text() == "other"
    (running.mount / "of-the-other.md").unlink()
    server.vexfs("umount", str(running.mount))


@needs_mount
def test_who_mounts_where_a_servers_mount_was_keeps_it_when_the_server_ends(make_server: MakeServer, server: Server) -> None:
    running = make_server(mounted=True).start()
    assert running.mount is not None
    running.vexfs("umount", str(running.mount))
    wait_until(lambda: "was unmounted" in running.log(), what="the server's notice")
    server.vexfs("mount", str(running.mount))
    running.stop()
    assert lifecycle.is_mounted(running.mount)
    server.vexfs("umount", str(running.mount))


@needs_mount
def test_when_the_supervisor_is_killed_everything_ends_with_it(make_server: MakeServer) -> None:
    running = make_server(mounted=True).start()
    assert running.process is not None and running.mount is not None
    pids = [running.pid_of(name) for name in ("api", "indexer", "mount")]
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not any(runtime.is_alive(pid) for pid in pids), what="the end of the children")
    running.ready_file.unlink()
    running.start()
    assert list(running.mount.iterdir()) == []


@needs_mount
@pytest.mark.parametrize("name", ["api", "indexer", "mount"])
def test_a_crashed_process_is_started_again_and_the_log_says_so(make_server: MakeServer, name: str) -> None:
    running = make_server(mounted=True).start()
    assert running.mount is not None
    running.vexfs("put", "-", "/before.md", stdin=b"before")
    before = running.pid_of(name)
    os.kill(before, signal.SIGKILL)
    wait_until(
        lambda: (runtime.read_ready(running.data, name) or {"pid": before})["pid"] != before, 30, f"the return of the {name}"
    )
    assert f"the {name} process was ended by SIGKILL; starting it again in 0.2 s" in running.log()
    running.vexfs("put", "-", "/after.md", stdin=b"after", VEXFS_URL=running.record["rest"])
    assert (running.mount / "before.md").read_text() == "before"
    assert (running.mount / "after.md").read_text() == "after"
    assert json.loads(running.ready_file.read_text()) == running.record


@needs_mount
def test_what_a_person_unmounts_stays_unmounted(make_server: MakeServer) -> None:
    running = make_server(mounted=True).start()
    assert running.mount is not None
    running.vexfs("umount", str(running.mount))
    wait_until(lambda: "was unmounted" in running.log(), what="the server's notice")
    time.sleep(1.0)
    assert not lifecycle.is_mounted(running.mount)
    assert running.vexfs("ls") == ""
