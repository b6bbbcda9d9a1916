"""Files as commands name and show them."""

import json
import os

import pytest

from vexfs.cli.records import absolute, file_record, mode_text, printable, reference, size_text, time_ns, timestamp
from vexfs.contract.v1 import common_pb2


@pytest.mark.parametrize(
    ("argument", "path"),
    [("", "/"), ("/", "/"), ("a", "/a"), ("a/b/", "/a/b"), ("//a//./b", "/a/b"), ("a/../b", "/a/../b"), (" a", "/ a")],
)
def test_a_path_argument_starts_at_the_root(argument: str, path: str) -> None:
    assert absolute(argument) == path


def test_a_name_that_is_no_utf8_travels_as_bytes() -> None:
    file = reference(os.fsdecode(b"/caf\xe9"))
    assert file.path_bytes == b"/caf\xe9"
    assert reference("/café").path == "/café"


def test_a_name_cannot_write_to_the_terminal() -> None:
    assert printable("/a\x1b[31mred\n") == "/a\\x1b[31mred\\n"
    assert printable(os.fsdecode(b"/caf\xe9")) == "/caf\\xe9"


def test_the_record_of_a_file_is_json_with_units_in_its_names() -> None:
    file = common_pb2.File(
        id=12,
        path="/a.md",
        kind=common_pb2.FILE_KIND_REGULAR,
        mode=0o644,
        size_bytes=2**40,
        mtime=timestamp(1_700_000_000 * 10**9 + 1),
    )
    record = json.loads(json.dumps(file_record(file)))
    assert record["file"] == "/a.md"
    assert record["kind"] == "regular"
    assert record["size_bytes"] == 2**40
    assert record["mode"] == "0644"
    assert record["mtime"] == "2023-11-14T22:13:20.000000001Z"
    assert mode_text(file) == "-rw-r--r--"


def test_times_survive_to_the_nanosecond() -> None:
    for moment_ns in (0, 1, 1_700_000_000_123_456_789):
        assert time_ns(timestamp(moment_ns)) == moment_ns


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 * 2**30, "5.0 GiB"), (2**51, "2048.0 TiB")]
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert size_text(size_bytes) == text
