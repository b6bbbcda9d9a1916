"""What the kernel sends is input: a request that is cut off, or says nonsense, is refused, and the mount goes on."""

import contextlib
import errno
import os
import re
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vexfs.mount import wire
from vexfs.mount.session import Session

from .conftest import MakeMount
from .on_socket import SocketMount
from .opcodes import OPCODES
from .test_files import raises

SILENT = {wire.FUSE_FORGET, wire.FUSE_BATCH_FORGET, wire.FUSE_INTERRUPT}
"""Requests without an answer."""
ENDING = {wire.FUSE_DESTROY}
ROOT = wire.FUSE_ROOT_ID
SEARCH = 1 << 62


@pytest.fixture(scope="module")
def mount() -> Iterator[SocketMount]:
    with tempfile.TemporaryDirectory(prefix="vexfs-socket-", dir="/tmp") as folder:
        running = SocketMount(Path(folder), "--shared-locks")
        try:
            running.agree()
            yield running
            assert running.hang_up() == 0, running.log.read_text()
        finally:
            running.end()


def still_serves(mount: SocketMount) -> None:
    answer = mount.ask(wire.FUSE_GETATTR, ROOT, bytes(16))
    assert answer.error == 0
    assert struct.unpack_from("<Q", answer.payload, 16) == (ROOT,)


def answered(mount: SocketMount, opcode: int, nodeid: int, body: bytes, length: int | None = None) -> int | None:
    """The errno, 0 when it was done, None when the request has no answer. Who waits for a lock is interrupted."""
    unique = mount.send(opcode, nodeid, body, length=length)
    if opcode in SILENT:
        return None
    if opcode == wire.FUSE_SETLKW:
        mount.send(wire.FUSE_INTERRUPT, 0, struct.pack("<Q", unique))
    return mount.answer(unique).error


# -- cut off -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", sorted(wire.SHAPES.keys() - SILENT - ENDING), ids=OPCODES.get)
def test_a_request_that_is_shorter_than_its_struct_is_refused(mount: SocketMount, opcode: int) -> None:
    size, names = wire.SHAPES[opcode]
    whole = bytes(size) + b"a\0" * names
    for kept in range(len(whole)):
        assert answered(mount, opcode, ROOT, whole[:kept]) == errno.EINVAL, kept
    if names:
        assert answered(mount, opcode, ROOT, bytes(size) + b"a\0" * (names - 1) + b"abc") == errno.EINVAL
    still_serves(mount)


@pytest.mark.parametrize("opcode", sorted(SILENT), ids=OPCODES.get)
def test_a_cut_off_request_without_an_answer_gets_none(mount: SocketMount, opcode: int) -> None:
    for kept in range(8):
        mount.send(opcode, ROOT, bytes(kept), length=3)
        mount.send(opcode, ROOT, bytes(kept))
    still_serves(mount)


def test_a_request_without_a_whole_header_is_passed_over(mount: SocketMount) -> None:
    for length in range(1, wire.IN_HEADER_BYTES):
        mount.send_bytes(b"\x03" * length)
    still_serves(mount)


@pytest.mark.parametrize("length", [0, 39, 55, 57, 1 << 20, 0xFFFFFFFF])
def test_a_request_of_another_length_than_it_says_is_refused(mount: SocketMount, length: int) -> None:
    assert mount.ask(wire.FUSE_GETATTR, ROOT, bytes(16), length=length).error == errno.EINVAL


def test_values_of_another_length_than_their_request_says_are_refused(mount: SocketMount) -> None:
    """Else what an earlier request has left in the buffer would be written."""
    created = mount.ask(wire.FUSE_CREATE, ROOT, struct.pack("<IIII", os.O_RDWR, 0o100644, 0, 0) + b"lengths\0")
    (ino,) = struct.unpack_from("<Q", created.payload)
    for size in (0, 3, 5, 100, 1 << 20, 0xFFFFFFFF):
        body = struct.pack("<QQIIQI4x", 0, 0, size, 0, 0, 0) + b"data"
        assert mount.ask(wire.FUSE_WRITE, ino, body).error == errno.EINVAL, size
        body = struct.pack("<III4x", size, 0, 0) + b"user.x\0data"
        assert mount.ask(wire.FUSE_SETXATTR, ino, body).error == errno.EINVAL, size
    assert mount.ask(wire.FUSE_SETXATTR, ino, struct.pack("<III4x", 4, 0, 0) + b"user.x").error == errno.EINVAL
    assert mount.ask(wire.FUSE_READ, ino, struct.pack("<QQIIQI4x", 0, 0, (1 << 20) + 1, 0, 0, 0)).error == errno.EINVAL
    assert mount.ask(wire.FUSE_READ, ino, struct.pack("<QQIIQI4x", 0, 0, 1 << 20, 0, 0, 0)).payload == b""


@pytest.mark.parametrize("opcode", [*sorted(set(range(wire.OPCODE_MAX + 3)) - wire.SHAPES.keys()), 4096, 0xFFFFFFFF])
def test_an_unknown_request_is_not_supported(mount: SocketMount, opcode: int) -> None:
    assert mount.ask(opcode, ROOT, b"whatever it is").error == errno.ENOSYS


def test_destroy_ends_the_mount_in_order() -> None:
    with tempfile.TemporaryDirectory(prefix="vexfs-socket-", dir="/tmp") as folder:
        running = SocketMount(Path(folder))
        try:
            running.agree()
            assert running.ask(wire.FUSE_DESTROY, 0).error == 0
            assert running.process.wait(10) == 0
        finally:
            running.end()


@pytest.mark.parametrize("body", [b"", struct.pack("<IIII", 7, 45, 0, 0)[:15], struct.pack("<IIII", 6, 45, 0, 0)])
def test_a_connection_that_cannot_be_agreed_on_ends_with_a_sentence(body: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="vexfs-socket-", dir="/tmp") as folder:
        running = SocketMount(Path(folder))
        try:
            running.send(wire.FUSE_INIT, 0, body)
            assert running.process.wait(10) == 1
            assert re.search("^vexfs mount: (this kernel speaks|the kernel began with)", running.log.read_text(), re.M)
        finally:
            running.end()


# -- nonsense ------------------------------------------------------------------------------------------

WORDS = st.one_of(
    st.integers(0, 16),
    st.sampled_from([(1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]),
    st.integers(0, (1 << 64) - 1),
)
NODES = st.one_of(
    st.integers(0, 12),
    st.integers(0, 70).map(lambda kind: SEARCH | kind << 56),
    st.integers(0, (1 << 64) - 1),
)
NAMES = st.one_of(st.sampled_from([b"a", b"b", b".", b"..", b".search", b"a/b", b"user.a", b"x" * 256]), st.binary(max_size=20))
COUNTS = {
    wire.FUSE_READ: 16,
    wire.FUSE_READDIR: 16,
    wire.FUSE_READDIRPLUS: 16,
}
"""Where the number of bytes asked for stands: what is answered has to fit into the socket's buffer."""


@st.composite
def requests(draw: st.DrawFn) -> tuple[int, int, bytes, int | None]:
    """Opcode, node, body, and the length it is said to have: structs with any numbers, names with any bytes, or anything."""
    opcode = draw(st.sampled_from(sorted(wire.SHAPES.keys() - ENDING)) | st.integers(0, 80))
    if opcode in ENDING:
        opcode = wire.FUSE_STATFS
    size, names = wire.SHAPES.get(opcode, (8, 1))
    if draw(st.integers(0, 4)):
        words = b"".join(draw(WORDS).to_bytes(8, "little") for _ in range((size + 7) // 8))
        body = words[:size] + b"".join(draw(NAMES) + b"\0" for _ in range(names))
        if opcode in (wire.FUSE_WRITE, wire.FUSE_SETXATTR):
            body = _with_value(opcode, body, draw(NAMES), draw(st.binary(max_size=64)))
    else:
        body = draw(st.binary(max_size=200))
    if opcode in COUNTS and len(body) >= COUNTS[opcode] + 4:
        at = COUNTS[opcode]
        body = (
            body[:at]
            + struct.pack("<I", draw(st.integers(0, 65536) | st.integers((1 << 20) + 1, (1 << 32) - 1)))
            + body[at + 4 :]
        )
    if draw(st.integers(0, 7)) == 0:
        body = body[: draw(st.integers(0, len(body)))]
    length = draw(WORDS) & 0xFFFFFFFF if draw(st.integers(0, 15)) == 0 else None
    return opcode, draw(NODES), body, length


def _with_value(opcode: int, body: bytes, name: bytes, value: bytes) -> bytes:
    if opcode == wire.FUSE_WRITE:
        return body[:16] + struct.pack("<I", len(value)) + body[20:] + value
    return struct.pack("<I", len(value)) + body[4:] + bytes(8) + name + b"\0" + value


@settings(max_examples=int(os.environ.get("VEXFS_FUZZ_EXAMPLES", "150")))
@given(sent=st.lists(requests(), min_size=1, max_size=8))
def test_whatever_comes_is_answered_and_the_mount_goes_on(
    mount: SocketMount, sent: list[tuple[int, int, bytes, int | None]]
) -> None:
    for opcode, nodeid, body, length in sent:
        error = answered(mount, opcode, nodeid, body, length)
        if opcode in SILENT or opcode not in wire.SHAPES:
            assert error in (None, errno.ENOSYS, errno.EINVAL)
            continue
        size, names = wire.SHAPES[opcode]
        too_short = len(body) < size + 2 * names or (names and body[-1] != 0)
        if too_short or (length is not None and length != wire.IN_HEADER_BYTES + len(body)):
            assert error == errno.EINVAL
    still_serves(mount)


# -- answers the kernel does not take --------------------------------------------------------------------

#: A mount with faults of our own: statfs answers with an errno there is none of, readlink with more than the kernel takes.
FAULTY = """
import sys
from vexfs.mount import process
from vexfs.mount.operations.attributes import AttributeOperations
AttributeOperations.statfs = lambda self, *_: -9999
AttributeOperations.readlink = lambda self, *_: b"x" * 100_000
sys.exit(process.main(sys.argv[1:]))
"""


def test_an_answer_that_the_kernel_refuses_is_an_error_of_its_request_alone(make_mount: MakeMount) -> None:
    mount = make_mount(program=[sys.executable, "-c", FAULTY])
    with raises(errno.EIO):
        os.statvfs(mount.path)
    (mount.path / "link").symlink_to("somewhere")
    with raises(errno.EIO):
        (mount.path / "link").readlink()
    (mount.path / "file").write_text("goes on")
    assert (mount.path / "file").read_text() == "goes on"
    said = {error["message"] for error in mount.errors()}
    assert {"an answer with an impossible errno", "an answer was refused by the kernel"} <= said


def test_who_answers_from_a_thread_does_not_fail_when_the_connection_does() -> None:
    read_only = os.open("/dev/null", os.O_RDONLY)
    with contextlib.closing(os.fdopen(read_only, "rb")):
        session = Session(read_only, None)  # type: ignore[arg-type]
        session.reply(2, b"payload")
        session.fail(2, errno.EIO)
