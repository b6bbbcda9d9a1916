"""Search: by meaning, by words, by vectors, under conditions. One engine a volume; the surfaces translate.

engine.py     the entry: search, search_vectors, wait_for_views
types.py      what is asked and answered
moments.py    what several searches look through alike;  vector_batch.py: which of them are found together
recommend.py  one vector out of examples, or of a file
rankings.py   which files stand where;  planner.py: how a ranking is found under a condition;  fusion.py: two into one
matcher.py    path scope and filter;  facts.py, columns.py, growing.py: filters over a whole index
queries.py    vectors of questions
answers.py    from candidates to hits with paths and passages;  listing.py: those after a page;  cursors.py: where it ended
caches.py     what is remembered, and how often that helps;  results.py: answers
"""

from vexfs.core.search.engine import SearchEngine
from vexfs.core.search.types import Hit, Match, PassageText, SearchAnswer, TextSearch, VectorSearch

__all__ = ["Hit", "Match", "PassageText", "SearchAnswer", "SearchEngine", "TextSearch", "VectorSearch"]
