"""A mount process with a socket in the place of /dev/fuse: the test is the kernel, and may send what a kernel never would."""

import itertools
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from vexfs.mount import wire

#: The whole process as it is, but for the one call that opens and mounts the device.
PROGRAM = """
import sys
from vexfs.mount import device, process
fd = int(sys.argv.pop(1))
device.open_and_mount = lambda *_: fd
sys.exit(process.main(sys.argv[1:]))
"""
ANSWER_S = 60.0
KERNEL_MINOR = 45
OFFERED = 0xFFFFFFFF
_IN = struct.Struct("<IIQQIII4x")
_OUT = struct.Struct("<IiQ")


class Answer(NamedTuple):
    error: int
    """0, or an errno."""
    payload: bytes


class SocketMount:
    """The process, and the kernel's end of its connection: each message on it is one request or one answer."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.settimeout(ANSWER_S)
        self._uniques = itertools.count(2, 2)
        self.log = folder / "log"
        mountpoint = folder / "mnt"
        mountpoint.mkdir()
        options = ["--data", str(folder / "data"), str(mountpoint), "--no-wait-findable", *arguments]
        with theirs, self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(theirs.fileno()), *options], pass_fds=[theirs.fileno()], stderr=log
            )

    def agree(self) -> None:
        """INIT, as the kernel sends it first."""
        answer = self.ask(wire.FUSE_INIT, 0, struct.pack("<IIIII44x", 7, KERNEL_MINOR, 1 << 17, OFFERED, OFFERED))
        assert answer.error == 0, answer

    def send(self, opcode: int, nodeid: int, body: bytes = b"", *, length: int | None = None) -> int:
        """A request; `length` is what its header says instead of the truth. Returns its number."""
        unique = next(self._uniques)
        told = _IN.size + len(body) if length is None else length
        self.send_bytes(_IN.pack(told, opcode, unique, nodeid, os.getuid(), os.getgid(), os.getpid()) + body)
        return unique

    def send_bytes(self, message: bytes) -> None:
        self._ours.sendall(message)

    def answer(self, unique: int) -> Answer:
        """The answer to that request; each has the form the kernel takes, and none comes twice or to nothing."""
        while True:
            message = self._ours.recv(wire.READ_BUFFER_BYTES)
            assert message, f"the mount has ended: {self.log.read_text()[-3000:]}"
            length, error, told = _OUT.unpack_from(message)
            assert length == len(message)
            if told == 0:  # a notification
                continue
            assert told == unique, f"an answer to {told} where one to {unique} was due"
            assert -512 < error <= 0
            assert error == 0 or length == _OUT.size
            return Answer(-error, message[_OUT.size :])

    def ask(self, opcode: int, nodeid: int, body: bytes = b"", *, length: int | None = None) -> Answer:
        return self.answer(self.send(opcode, nodeid, body, length=length))

    def hang_up(self) -> int:
        """Close the connection, as an unmount does; the exit status of the process."""
        self._ours.shutdown(socket.SHUT_WR)
        return self.process.wait(ANSWER_S)

    def end(self) -> None:
        self._ours.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
