"""The lexical view: finding passages by their words (BM25, on tantivy).

index.py   what lies on disk, and the indexer's writer;  reader.py: searching it
words.py   identifiers and their parts;  stems.py: languages and stems;  query.py: what of a question counts how much
"""

from vexfs.views.lexical.index import LexicalWriter, Marker
from vexfs.views.lexical.reader import LexicalHit, LexicalReader

__all__ = ["LexicalHit", "LexicalReader", "LexicalWriter", "Marker"]
