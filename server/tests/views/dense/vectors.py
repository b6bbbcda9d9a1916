"""Vectors of real text, made without a model: what the tests of the dense view search.

The texts are pieces of the Python standard library's sources, which every machine has. A text's vector is the sum of its words'
vectors, weighted by rarity; a word's vector is random and depends on the word alone. So texts that share rare words are near.
"""

import math
import re
import sysconfig
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

DIMENSION = 384
_LINES = 12
_WORD = re.compile(r"[a-z_]{3,}")


def texts(count: int) -> list[str]:
    """The first `count` pieces of 12 lines."""
    found: list[str] = []
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" in path.parts:
            continue
        lines = path.read_text("utf-8", "replace").splitlines()
        found += ["\n".join(lines[start : start + _LINES]) for start in range(0, len(lines), _LINES)]
        if len(found) >= count:
            return found[:count]
    raise RuntimeError(f"the standard library has only {len(found)} pieces")


@cache
def text_vectors(count: int, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """Unit vectors of the first `count` pieces; the same in every run."""
    documents = [_WORD.findall(text.lower()) for text in texts(count)]
    frequency = Counter(word for words in documents for word in set(words))
    words = {word: place for place, word in enumerate(frequency)}
    codes = np.empty((len(words), dimension), np.float32)
    for word, place in words.items():
        code = np.random.default_rng(zlib.crc32(word.encode())).standard_normal(dimension)
        codes[place] = code * math.log(count / frequency[word])
    noise = np.random.default_rng(7)
    rows = np.stack([codes[[words[word] for word in document]].sum(axis=0) for document in documents])
    rows += 1e-3 * noise.standard_normal(rows.shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
