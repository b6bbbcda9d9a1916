"""How long indexing will take, told from what a server says now and then."""

import pytest

from vexfs.cli.pace import LOOKED_BACK_S, Pace, duration_text
from vexfs.contract.v1 import common_pb2, server_pb2


def info(*, ready: int = 0, files: int = 0, passages: int = 0, waiting: int = 0) -> server_pb2.GetServerInfoResponse:
    return server_pb2.GetServerInfoResponse(
        text=server_pb2.TextCounts(ready=ready, pending=files, passages=passages),
        views=[common_pb2.ViewPosition(view="lexical", pending=99), common_pb2.ViewPosition(view="dense", pending=waiting)],
    )


def test_the_speed_is_that_of_the_embedded_passages() -> None:
    pace = Pace()
    first = pace.look(info(ready=10, passages=100, waiting=90), 50.0)
    assert (first.per_second, first.seconds) == (0, None)
    second = pace.look(info(ready=20, passages=200, waiting=150), 52.0)
    assert (second.per_second, second.seconds) == (20, 7.5), "40 more are embedded, though more wait than before"
    assert str(second) == "150 passages to embed, 20 a second, about 8 s left"


def test_files_that_were_not_read_count_as_those_that_were() -> None:
    pace = Pace()
    pace.look(info(ready=10, files=20, passages=50, waiting=50), 0.0)
    outlook = pace.look(info(ready=10, files=20, passages=50, waiting=40), 1.0)
    assert (outlook.files, outlook.passages, outlook.seconds) == (20, 40, 14)
    assert str(outlook) == "20 files to read, 40 passages to embed, 10 a second, about 14 s left"


def test_only_the_last_seconds_tell_the_speed() -> None:
    pace = Pace()
    for second in range(100):
        embedded = second if second < 50 else 50 + 10 * (second - 50)
        outlook = pace.look(info(ready=1, passages=10_000, waiting=10_000 - embedded), second)
    assert outlook.per_second == pytest.approx(10)
    assert LOOKED_BACK_S < 40


def test_without_progress_nothing_is_promised() -> None:
    pace = Pace()
    pace.look(info(files=5, waiting=5, passages=5), 0.0)
    assert str(pace.look(info(files=5, waiting=5, passages=5), 1.0)) == "5 files to read, 5 passages to embed"
    assert str(pace.look(info(ready=5, passages=5), 2.0)) == "nothing left to index"
    assert str(Pace().look(info(ready=5, passages=5), 2.0)) == "nothing left to index"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (42, "42 s"), (89, "89 s"), (200, "3 min"), (5400, "1 h 30 min"), (7500, "2 h 5 min")]
)
def test_durations_are_told_roughly(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
