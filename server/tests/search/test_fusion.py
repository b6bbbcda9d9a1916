"""Fusion: files by their best passage, two rankings into one."""

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
