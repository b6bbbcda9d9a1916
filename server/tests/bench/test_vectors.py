"""The parts of the vector benchmark: texts, exact neighbours, recall, and the client in C that answers are taken from."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bench.clients.answers import answers_of, write_requests
from bench.runner import build, machine, nearest, processes, texts, vectors_data
from bench.runner.nearest import Answers, Condition

ECHO = "/bench.Echo/Echo"


@pytest.fixture(scope="session")
def grpcload() -> Path:
    try:
        return build.grpcload()
    except build.NotAvailable as error:
        pytest.skip(str(error))


@pytest.fixture
def echo() -> Iterator[tuple[str, str]]:
    """Host and port of a server that answers what it was sent."""
    process = subprocess.Popen([sys.executable, "-m", "bench.clients.echo"], stdout=subprocess.PIPE, cwd=machine.ROOT)
    try:
        assert process.stdout is not None
        host, _, port = json.loads(process.stdout.readline())["grpc"].rpartition(":")
        yield host, port
    finally:
        processes.end(process)
        process.stdout.close()


def test_texts_are_distinct_pieces_of_prose_of_a_bounded_length() -> None:
    found, kinds = texts.collect(200)
    assert len(set(found)) == len(found) == sum(kinds.values()) == 200
    assert all(len(text) <= texts.PIECE_MAX_CHARS and len(text.split()) >= texts.PIECE_MIN_WORDS for text in found)
    assert found == texts.collect(200)[0]


def test_the_numbers_of_a_smaller_set_are_the_beginning_of_a_larger_ones() -> None:
    smaller, larger = vectors_data.groups(100), vectors_data.groups(5000)
    for name, count in vectors_data.GROUPS.items():
        assert np.array_equal(smaller[name], larger[name][:100])
        assert larger[name].max() < count


def test_recall_counts_the_true_neighbours_and_no_row_twice(tmp_path: Path) -> None:
    random = np.random.default_rng(7)
    vectors = random.standard_normal((500, 8)).astype(np.float32)
    queries = random.standard_normal((20, 8)).astype(np.float32)
    order = np.argsort(-(queries @ vectors.T), axis=1, kind="stable")[:, :10]
    truth = nearest.exact(vectors, queries, None, tmp_path)
    places = np.arange(20)
    assert nearest.recall(vectors, queries, truth, None, Answers(places, order)) == 1.0
    assert nearest.exact(vectors, queries, None, tmp_path).digest == truth.digest, "kept"
    wrong = order.copy()
    wrong[:, 9] = wrong[:, 0]
    assert nearest.recall(vectors, queries, truth, None, Answers(places, wrong)) == pytest.approx(0.9)
    wrong[:, 9] = -1
    assert nearest.recall(vectors, queries, truth, None, Answers(places, wrong)) == pytest.approx(0.9)


def test_recall_under_a_condition_counts_rows_that_pass_alone(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    vectors = random.standard_normal((100, 8)).astype(np.float32)
    queries = random.standard_normal((6, 8)).astype(np.float32)
    condition = Condition("g", 3, np.arange(100) % 3)
    truth = nearest.exact(vectors, queries, condition, tmp_path)
    scores = queries @ vectors.T
    unfiltered = np.argsort(-scores, axis=1)[:, :10]
    passing = np.array([np.argsort(-np.where(np.arange(100) % 3 == place % 3, scores[place], -99))[:10] for place in range(6)])
    places = np.arange(6)
    assert nearest.recall(vectors, queries, truth, condition, Answers(places, passing)) == 1.0
    assert nearest.recall(vectors, queries, truth, condition, Answers(places, unfiltered)) < 0.8


def test_fewer_rows_that_pass_than_are_asked_for_are_all_there_is_to_find(tmp_path: Path) -> None:
    vectors = np.eye(8, dtype=np.float32)
    condition = Condition("g", 2, np.array([0, 1, 0, 1, 0, 0, 0, 0]))
    truth = nearest.exact(vectors, vectors[:2], condition, tmp_path)
    assert truth.wanted.tolist() == [6, 2]
    ids = np.array([[0, 2, 4, 5, 6, 7, -1, -1, -1, -1], [1, -1, -1, -1, -1, -1, -1, -1, -1, -1]])
    assert nearest.recall(vectors, vectors[:2], truth, condition, Answers(np.arange(2), ids)) == pytest.approx(7 / 8)


@pytest.mark.parametrize("connections", [1, 7])
def test_the_client_in_c_gets_the_answer_to_every_request(
    grpcload: Path, echo: tuple[str, str], tmp_path: Path, connections: int
) -> None:
    messages = [bytes([n % 256]) * (n * 37 % 16_000 + 1) for n in range(300)]
    write_requests(messages, tmp_path / "requests")
    command = [str(grpcload), *echo, ECHO, str(tmp_path / "requests"), str(connections), "0", str(tmp_path / "answers")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["operations"] == 300
    found = dict(answers_of(tmp_path / "answers"))
    assert [found[n] for n in range(300)] == messages


def test_a_failed_call_ends_the_client_in_c_with_an_error(grpcload: Path, echo: tuple[str, str], tmp_path: Path) -> None:
    write_requests([b"x"], tmp_path / "requests")
    command = [str(grpcload), *echo, "/bench.Echo/Absent", str(tmp_path / "requests"), "1", "0", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "call 0 failed" in done.stderr
    assert done.stdout == ""
