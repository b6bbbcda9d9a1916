"""A reranker of one's own: it orders the first hits of a text search anew, says so, and changes nothing when it cannot."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tokenizers import Tokenizer

from tests.search.test_search_text import DOCUMENTS, READY_S, Served
from tests.views.dense.volumes import wait_until
from tests.views.model_folders import cross_encoder
from vexfs.core.errors import InvalidRequest
from vexfs.core.search import SearchAnswer, SearchEngine, TextSearch
from vexfs.core.search.reranking import Reranking
from vexfs.views.embedding import cross_encoder as reranker_module
from vexfs.views.embedding.cross_encoder import ENV_HITS, ENV_RERANKER, CrossEncoder, chosen_folder, hit_count
from vexfs.views.embedding.model import Embedder
from vexfs.views.embedding.weights import ModelUnusable

QUESTION = "what does the moon show in the evening"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    opened = Served(tmp_path_factory.mktemp("reranking"))
    yield opened
    opened.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return cross_encoder(tmp_path / "reranker")


@pytest.fixture
def engine(served: Served) -> Iterator[Callable[..., SearchEngine]]:
    made: list[SearchEngine] = []

    def make(folder: Path, hits: int = 20, *, usable: bool = True) -> SearchEngine:
        reranking = Reranking(lambda: CrossEncoder.load(folder), hits)
        made.append(SearchEngine(served.volume, Embedder.load, reranking=reranking))
        made[-1].start()
        assert made[-1].queries.wait(READY_S) and reranking.wait(READY_S) is usable
        wait_until(lambda: made[-1].dense.text_state() is not None, READY_S, "the engine has read everything")
        return made[-1]

    yield make
    for each in made:
        each.stop()


def scores_by_hand(folder: Path, question: str) -> dict[str, float]:
    """What the graph of `cross_encoder` computes, for each document."""
    table = numpy_helper.to_array(onnx.load(str(folder / "model.onnx")).graph.initializer[0])
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    found = {}
    for name, text in DOCUMENTS.items():
        encoding = tokenizer.encode(question, text)
        words, of_passage = table[encoding.ids], np.array(encoding.type_ids, bool)
        logit = 0.05 * float(words[~of_passage].sum(axis=0) @ words[of_passage].sum(axis=0))
        found[name] = 1 / (1 + np.exp(-logit))
    return found


def names(answer: SearchAnswer) -> list[str]:
    return [hit.path.rpartition(b"/")[2].decode() for hit in answer.hits]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_the_hits_of_a_text_search_are_ordered_by_the_rerankers_scores(
    served: Served, engine: Callable[..., SearchEngine], folder: Path, mode: str
) -> None:
    plain = served.search(QUESTION, mode)
    reranked = engine(folder).search(TextSearch(QUESTION, mode))
    expected = scores_by_hand(folder, QUESTION)
    assert not reranked.partial and set(names(reranked)) == set(names(plain))
    assert names(reranked) == sorted(names(plain), key=lambda name: -expected[name])
    np.testing.assert_allclose([hit.score for hit in reranked.hits], [expected[name] for name in names(reranked)], atol=1e-5)
    assert (plain.strategy, reranked.strategy) == (plain.strategy, plain.strategy + "+rerank")
    if mode != "lexical":
        assert names(reranked) != names(plain), "another order, or this says nothing"


def test_who_wants_few_hits_gets_the_best_of_all_that_were_scored(engine: Callable[..., SearchEngine], folder: Path) -> None:
    expected = scores_by_hand(folder, QUESTION)
    answer = engine(folder).search(TextSearch(QUESTION, "dense", limit=2))
    assert names(answer) == sorted(expected, key=lambda name: -expected[name])[:2]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_pages_go_through_what_was_reranked_and_then_through_the_rest(
    served: Served, engine: Callable[..., SearchEngine], folder: Path, mode: str
) -> None:
    made = engine(folder, hits=5)
    plain = served.search(QUESTION, mode)
    pages = [made.search(TextSearch(QUESTION, mode, limit=3))]
    while pages[-1].next is not None:
        pages.append(made.search(TextSearch(QUESTION, mode, limit=3, after=pages[-1].next)))
    expected = scores_by_hand(folder, QUESTION)
    first = sorted(names(plain)[:5], key=lambda name: -expected[name])
    assert [name for page in pages for name in names(page)] == first + names(plain)[5:]
    assert [page.strategy.endswith("+rerank") for page in pages[:3]] == [True, True, False][: len(pages)]


def test_a_search_for_more_than_is_scored_keeps_its_order(
    served: Served, engine: Callable[..., SearchEngine], folder: Path
) -> None:
    answer = engine(folder, hits=5).search(TextSearch(QUESTION, limit=6))
    assert not answer.partial and answer.strategy == served.search(QUESTION).strategy
    assert names(answer) == names(served.search(QUESTION, limit=6))


def test_a_vector_has_no_words_to_rerank_by(served: Served, engine: Callable[..., SearchEngine], folder: Path) -> None:
    vector = served.engine.queries.vector_of(QUESTION)
    answer = engine(folder).search(TextSearch("", "dense", vector=vector))
    assert not answer.strategy.endswith("+rerank") and names(answer) == names(served.search(QUESTION, "dense"))


def test_a_file_has_no_words_to_rerank_by(served: Served, engine: Callable[..., SearchEngine], folder: Path) -> None:
    file = served.search(QUESTION, "dense").hits[0].node.ino
    answer = engine(folder).search(TextSearch("", like=file))
    assert not answer.strategy.endswith("+rerank") and not answer.partial
    assert names(answer) == names(served.search("", like=file)) != []


def unchanged(served: Served, answer: SearchAnswer, reason: str) -> None:
    """The order and the scores of a search without reranker, and the reason."""
    plain = served.search(QUESTION)
    assert [(hit.path, hit.score) for hit in answer.hits] == [(hit.path, hit.score) for hit in plain.hits]
    assert answer.strategy == plain.strategy and answer.partial and reason in " ".join(answer.partial_reasons)


def test_without_its_files_the_order_stays_and_it_is_used_once_they_are_there(
    served: Served, engine: Callable[..., SearchEngine], tmp_path: Path
) -> None:
    made = engine(tmp_path / "later", usable=False)
    unchanged(served, made.search(TextSearch(QUESTION)), "later is not there")
    cross_encoder(tmp_path / "later")
    wait_until(lambda: made.search(TextSearch(QUESTION)).strategy.endswith("+rerank"), 20, "it is loaded")


def test_when_it_takes_too_long_the_order_stays(
    served: Served, engine: Callable[..., SearchEngine], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = engine(folder)
    monkeypatch.setattr(reranker_module, "LIMIT_S", 0.0)
    unchanged(served, made.search(TextSearch(QUESTION)), "VEXFS_RERANKER_HITS or a smaller model helps")


def test_a_graph_that_gives_no_score_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=r"answers 2 numbers to a pair.*text classification"):
        CrossEncoder.load(cross_encoder(tmp_path / "two", scores=2))
    with pytest.raises(ModelUnusable, match=r"not a finite one"):
        CrossEncoder.load(cross_encoder(tmp_path / "nan", scale=float("nan")))
    (tmp_path / "two" / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelUnusable, match=r"cannot be loaded.*export it to ONNX again"):
        CrossEncoder.load(tmp_path / "two")


def test_there_is_none_by_default_and_the_settings_choose_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(ENV_RERANKER, raising=False)
    monkeypatch.delenv(ENV_HITS, raising=False)
    assert chosen_folder() is None and hit_count() == 20
    monkeypatch.setenv(ENV_RERANKER, str(tmp_path))
    monkeypatch.setenv(ENV_HITS, "50")
    assert chosen_folder() == tmp_path and hit_count() == 50
    for wrong in ("0", "201", "many"):
        monkeypatch.setenv(ENV_HITS, wrong)
        with pytest.raises(InvalidRequest, match=ENV_HITS):
            hit_count()
