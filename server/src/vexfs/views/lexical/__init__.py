"""The lexical view: finding passages by their words (BM25, on tantivy).

index.py      what lies on disk, and the indexer's writer;  stems.py: languages and stems of words
reader.py     searching;  question.py: phrases and prefixes in a question;  query.py: what of it counts how much
spotting.py   where it stands in a passage
"""

from vexfs.views.lexical.index import LexicalWriter, Marker
from vexfs.views.lexical.reader import LexicalHit, LexicalReader
from vexfs.views.lexical.spotting import Spotter

__all__ = ["LexicalHit", "LexicalReader", "LexicalWriter", "Marker", "Spotter"]
