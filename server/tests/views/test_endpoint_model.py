"""A model behind an HTTP endpoint: what is asked, what is believed, when it is asked again, and who sees the key."""

import email.utils
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from embedding_server import KEY, EmbeddingServer, Fault
from indexer_process import eventually
from model_folders import bag_of_words

from vexfs.views.embedding import choice, endpoint_client
from vexfs.views.embedding.choice import ENV_DIMENSIONS, ENV_KEY, ENV_KEY_FILE, ENV_MODEL, ENV_NAME
from vexfs.views.embedding.endpoint_client import CONCURRENT_MAX, EndpointFailed, Limits
from vexfs.views.embedding.endpoint_model import EndpointModel
from vexfs.views.embedding.weights import ModelUnusable

QUICK = Limits(attempt_s=2.0, again_s=10, pause_max_s=1.0)
TEXTS = [f"text number {number} of the cat" for number in range(70)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddingServer]:
    running = EmbeddingServer(bag_of_words(tmp_path / "model")).start()
    yield running
    running.stop()


Connect = Callable[..., EndpointModel]


@pytest.fixture
def connect(server: EmbeddingServer) -> Iterator[Connect]:
    made: list[EndpointModel] = []

    def connect(key: str = KEY, *, dimensions: int = 0, limits: Limits = QUICK) -> EndpointModel:
        made.append(EndpointModel(server.url, "bag-of-words", key, dimensions=dimensions, limits=limits))
        return made[-1]

    yield connect
    for model in made:
        model.close()


def test_vectors_are_the_models_at_unit_length_in_order(server: EmbeddingServer, connect: Connect) -> None:
    model = connect()
    assert model.dimension == 24 and model.name.startswith("bag-of-words/endpoint/")
    np.testing.assert_allclose(model.embed(TEXTS), server.model.embed(TEXTS), atol=1e-6)
    assert [len(request["input"]) for request in server.requests] == [1, 32, 32, 6]
    assert {request["model"] for request in server.requests} == {"bag-of-words"}
    assert model.embed([]).shape == (0, 24)
    assert np.isfinite(model.embed([""])).all()


def test_a_dimension_can_be_asked_for_and_makes_another_model(server: EmbeddingServer, connect: Connect) -> None:
    model = connect(dimensions=8)
    assert model.embed(["the cat"]).shape == (1, 8) and server.requests[-1]["dimensions"] == 8
    assert len({model.name, connect().name, connect(dimensions=16).name}) == 3
    server.faults.append(Fault(200, body=json.dumps(server.answer({"model": "", "input": ["x"]}))))
    with pytest.raises(EndpointFailed, match="24 components instead of 8"):
        model.embed(["x"])


@pytest.mark.parametrize(
    "fault",
    [Fault(429), Fault(500), Fault(503, body="<html>busy</html>"), Fault(0), Fault(200, delay_s=6.0)],
    ids=["429", "500", "503", "closed", "slow"],
)
def test_what_may_go_right_later_is_asked_again(server: EmbeddingServer, connect: Connect, fault: Fault) -> None:
    model = connect()
    server.faults.append(fault)
    np.testing.assert_allclose(model.embed(["the cat"]), server.model.embed(["the cat"]), atol=1e-6)
    assert len(server.requests) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_pause_that_the_endpoint_asks_for_is_kept_by_all(server: EmbeddingServer, connect: Connect, form: str) -> None:
    model = connect(limits=Limits(attempt_s=10, again_s=30, pause_max_s=1))
    date = email.utils.formatdate(time.time() + 3, usegmt=True)  # in whole seconds: two at least
    server.faults.append(Fault(429, {"Retry-After": "2" if form == "seconds" else date}))
    threads = [threading.Thread(target=model.embed, args=(["the cat"],)) for _ in range(4)]
    threads[0].start()
    eventually(lambda: not server.faults)
    time.sleep(0.5)  # until it has read that answer
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    told, *later = server.times[1:]
    assert len(later) == 4
    assert 1.9 <= min(later) - told < 20


def test_who_cannot_wait_so_long_is_told_at_once(server: EmbeddingServer, connect: Connect) -> None:
    model = connect(limits=Limits(attempt_s=10, again_s=30, pause_max_s=1))
    server.faults.append(Fault(429, {"Retry-After": "60"}, '{"error": {"message": "quota"}}'))
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(EndpointFailed, match=r"it answered 429.*quota"):
            model.embed(["the cat"])
        assert time.monotonic() - started < 20
    assert len(server.requests) == 2


def test_the_pauses_grow_while_nothing_is_answered(server: EmbeddingServer, connect: Connect) -> None:
    model = connect(limits=Limits(attempt_s=10, again_s=30, pause_max_s=1.5))
    server.faults += [Fault(500)] * 5
    model.embed(["the cat"])
    pauses = np.diff(server.times[1:])
    assert len(pauses) == 5
    assert pauses[0] < 0.7 <= pauses[1] and pauses[2] >= 1.0
    assert pauses[4] < 5.0, "no longer than the longest"  # eight seconds without it


def test_a_question_does_not_wait_for_an_endpoint_that_hangs(server: EmbeddingServer, connect: Connect) -> None:
    limits = endpoint_client.QUESTIONS
    assert limits.attempt_s + limits.again_s <= 2
    model = connect(limits=limits._replace(again_s=0.01))  # so that the next one comes in the pause, however late it comes
    server.delay_s = 60
    started = time.monotonic()
    for question in ("the cat", "the dog"):
        with pytest.raises(EndpointFailed, match="no answer within"):
            model.embed([question])
    assert time.monotonic() - started < 30
    assert len(server.requests) == 2, "the next one is told at once"


def vectors(*rows: list[object]) -> str:
    return json.dumps({"data": [{"index": place, "embedding": row} for place, row in enumerate(rows)]})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (vectors([1.0] * 23), "23 components instead of 24"),
        (vectors([float("nan")] * 24), "not what the API says"),
        (vectors([1e39] * 24), "not finite"),
        (vectors([0.0] * 24), "zero"),
        (vectors([None] * 24), "not what the API says"),
        (vectors([1.0] * 24, [1.0] * 24), "2 vectors to 1 texts"),
        ('{"data": []}', "0 vectors to 1 texts"),
        ("<html>welcome</html>", "not what the API says"),
    ],
)
def test_an_answer_that_is_wrong_is_not_believed(server: EmbeddingServer, connect: Connect, body: str, said: str) -> None:
    model = connect()
    server.faults.append(Fault(200, body=body))
    with pytest.raises(EndpointFailed, match=said):
        model.embed(["the cat"])
    assert len(server.requests) == 2, "nothing gets better by asking again"


@pytest.mark.parametrize("status", [301, 403, 404])
def test_what_does_not_go_right_later_is_asked_once(server: EmbeddingServer, connect: Connect, status: int) -> None:
    model = connect()
    server.faults.append(Fault(status, {"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(EndpointFailed, match=f"it answered {status}.*check"):
        model.embed(["the cat"])
    assert len(server.requests) == 2


def test_a_text_that_is_refused_keeps_no_other_back(server: EmbeddingServer, connect: Connect) -> None:
    model = connect()
    server.refused = {TEXTS[17]}
    with pytest.raises(EndpointFailed, match="a text is too long"):
        model.embed(TEXTS[:32])
    server.refused = set()
    server.faults.append(Fault(413))
    np.testing.assert_allclose(model.embed(TEXTS[:32]), server.model.embed(TEXTS[:32]), atol=1e-6)
    assert [len(request["input"]) for request in server.requests][-2:] == [16, 16]


def test_there_are_never_more_requests_than_the_limit(server: EmbeddingServer, connect: Connect) -> None:
    model = connect(limits=Limits(attempt_s=5, again_s=10, pause_max_s=1))
    server.delay_s = 0.05
    threads = [threading.Thread(target=model.embed, args=([text],)) for text in TEXTS[:32]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked == dict.fromkeys([*TEXTS[:32], server.requests[0]["input"][0]], 1)
    assert 1 < server.at_once_max <= CONCURRENT_MAX


def test_a_wrong_key_is_told_without_the_key(connect: Connect) -> None:
    with pytest.raises(EndpointFailed, match=r"answered 401.*wrong key.*VEXFS_MODEL_KEY") as caught:
        connect("sk-another-key")
    assert "sk-another-key" not in str(caught.value) and "(the key)" in str(caught.value)


# --- by the settings


@pytest.fixture
def settings(server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (ENV_DIMENSIONS, ENV_KEY, ENV_KEY_FILE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(ENV_MODEL, server.url + "/")
    monkeypatch.setenv(ENV_NAME, "bag-of-words")
    return monkeypatch


def loaded_name(source: choice.Source | None = None) -> str:
    model = choice.load(source, questions=True)
    assert isinstance(model, EndpointModel)
    model.close()
    return model.name


def test_the_settings_choose_the_endpoint(settings: pytest.MonkeyPatch, connect: Connect, tmp_path: Path) -> None:
    settings.setenv(ENV_KEY, KEY)
    assert loaded_name() == connect().name
    settings.setenv(ENV_DIMENSIONS, "8")
    assert loaded_name() == connect(dimensions=8).name
    settings.setenv(ENV_KEY, "another")
    key_file = tmp_path / "key"
    key_file.write_text(KEY + "\n")
    settings.setenv(ENV_KEY_FILE, str(key_file))
    assert loaded_name() == connect(dimensions=8).name
    written = choice.chosen().encode()
    assert KEY not in written and "another" not in written
    assert choice.decode_source(written) == choice.chosen()


def test_the_key_of_one_endpoint_is_not_shown_to_another(
    settings: pytest.MonkeyPatch, server: EmbeddingServer, tmp_path: Path
) -> None:
    settings.setenv(ENV_KEY, KEY)
    before = choice.chosen()
    assert loaded_name(before)
    settings.setenv(ENV_MODEL, "http://127.0.0.1:9/v1")
    with pytest.raises(EndpointFailed, match="answered 401"):
        loaded_name(before)
    assert "Authorization" not in server.headers[-1]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({ENV_NAME: ""}, "VEXFS_MODEL_NAME no model of it; set it"),
        ({ENV_DIMENSIONS: "many"}, "VEXFS_MODEL_DIMENSIONS is 'many'; give a number"),
        ({ENV_MODEL: "https://user:secret@127.0.0.1/v1"}, "without user, password or query"),
        ({ENV_KEY_FILE: "/nonexistent/key"}, "the key file /nonexistent/key cannot be read"),
    ],
)
def test_settings_that_make_no_sense_are_told(settings: pytest.MonkeyPatch, variables: dict[str, str], said: str) -> None:
    for name, value in variables.items():
        settings.setenv(name, value)
    with pytest.raises(ModelUnusable, match=said) as caught:
        choice.load(questions=False)
    assert "secret" not in str(caught.value)
