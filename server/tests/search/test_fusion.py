"""Fusion: files by their best passage, two rankings into one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vexfs.core.search import fusion
from vexfs.core.search.fusion import Place


def test_a_file_stands_at_its_best_passage() -> None:
    places = fusion.by_file([(7, 3, 0.9), (5, 0, 0.8), (7, 1, 0.7), (6, 2, 0.6)])
    assert places == {7: Place(1, 3, 0.9), 5: Place(2, 0, 0.8), 6: Place(3, 2, 0.6)}


def test_first_in_both_rankings_scores_one_and_first_in_one_half() -> None:
    dense = fusion.by_file([(1, 0, 0.9), (2, 0, 0.8)])
    lexical = fusion.by_file([(1, 4, 12.0), (3, 0, 11.0)])
    found = fusion.fused(dense, lexical)
    assert [candidate.ino for candidate in found] == [1, 2, 3]
    assert found[0].score == 1.0 and 0.4 < found[1].score < 0.5


def test_high_in_both_beats_first_in_one() -> None:
    dense = fusion.by_file([(1, 0, 0.9), (2, 0, 0.8)])
    lexical = fusion.by_file([(3, 0, 9.0), (2, 0, 8.0)])
    assert fusion.fused(dense, lexical)[0].ino == 2


def test_equal_scores_are_ordered_by_file() -> None:
    found = fusion.fused(fusion.by_file([(9, 0, 0.5)]), fusion.by_file([(4, 0, 3.0)]))
    assert [candidate.ino for candidate in found] == [4, 9]


def test_the_passage_shown_is_that_of_the_ranking_where_the_file_stands_higher() -> None:
    dense = fusion.by_file([(1, 10, 0.9), (2, 20, 0.8)])
    lexical = fusion.by_file([(2, 21, 9.0), (1, 11, 8.0)])
    assert {candidate.ino: candidate.ordinal for candidate in fusion.fused(dense, lexical)} == {1: 10, 2: 21}


_RANKINGS = st.lists(st.integers(1, 12), unique=True, max_size=8)
_WEIGHTS = st.floats(0.001, 1000)


@given(_RANKINGS, _RANKINGS, _WEIGHTS, _WEIGHTS)
def test_each_ranking_counts_as_much_as_its_weight(
    meaning: list[int], words: list[int], dense_weight: float, lexical_weight: float
) -> None:
    dense, lexical = (fusion.by_file([(ino, 0, 1.0) for ino in ranking]) for ranking in (meaning, words))
    found = fusion.fused(dense, lexical, (dense_weight, lexical_weight))

    def score(ino: int) -> float:
        parts = [(meaning, dense_weight), (words, lexical_weight)]
        reached = sum(weight / (11 + ranking.index(ino)) for ranking, weight in parts if ino in ranking)
        return reached / ((dense_weight + lexical_weight) / 11)

    expected = {ino: score(ino) for ino in {*meaning, *words}}
    assert {candidate.ino: candidate.score for candidate in found} == pytest.approx(expected)
    assert [-candidate.score for candidate in found] == sorted(-candidate.score for candidate in found)


@given(_RANKINGS, _RANKINGS, _WEIGHTS)
def test_equal_weights_change_nothing(meaning: list[int], words: list[int], weight: float) -> None:
    dense, lexical = (fusion.by_file([(ino, 0, 1.0) for ino in ranking]) for ranking in (meaning, words))
    plain, weighted = fusion.fused(dense, lexical), fusion.fused(dense, lexical, (weight, weight))
    assert [candidate.score for candidate in weighted] == pytest.approx([candidate.score for candidate in plain])
    assert fusion.fused(dense, lexical, (1.0, 1.0)) == plain
