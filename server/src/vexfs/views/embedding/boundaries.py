"""Where a text may be cut, and how gladly: a strength for the beginning of every line.

Called by `vexfs.views.embedding.split`, one function a family of formats. The stronger the boundary, the more what follows
begins something new. Strengths are compared, never added up.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from vexfs.views.embedding.languages import family_of

LINE = 10
"""Any other line."""
SENTENCE = 20
"""The line before ends a sentence or a statement."""
PARAGRAPH = 50
"""After an empty line."""
SECTION = 60
"""From here on something new begins: pieces are joined over it only when they are tiny."""

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_MARKDOWN_HEADING = re.compile(r" {0,3}(#{1,6})(?:\s|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+|~+|\^+|\*+|#+)\s*$")
_LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+[.)])\s")
_DEFINITION = re.compile(
    r"(?:export\s+|default\s+|pub(?:\([^)]*\))?\s+|public\s+|private\s+|protected\s+|internal\s+|static\s+|abstract\s+|final\s+"
    r"|async\s+|unsafe\s+|extern\s+|const\s+)*"
    r"(?:def|class|function|func|fn|struct|enum|trait|impl|interface|module|mod|namespace|type|record|object|sub|proc|message"
    r"|service|package|resource|CREATE|create)\b"
)
_DECORATION = re.compile(r"(?:@|#\[|//|/\*|\*|#|--|;;|\[)")


def strengths(lines: Sequence[str], language: str, headings: Mapping[int, int]) -> list[int]:
    """One strength a line: how good a place its beginning is for a cut. `headings`: levels by position in the text."""
    family = family_of(language)
    if family == "html" or headings:
        return _html(lines, headings)
    by_family: dict[str, Callable[[Sequence[str]], list[int]]] = {"markdown": _markdown, "code": _code, "text": _text}
    return by_family[family](lines)


def _text(lines: Sequence[str]) -> list[int]:
    result = []
    previous = ""
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        result.append(_prose(line, previous, following))
        previous = line
    return result


def _prose(line: str, previous: str, following: str) -> int:
    if not line.strip():
        return 0
    if not previous.strip():
        underlined = len(following.strip()) >= 3 and _UNDERLINE.match(following) is not None
        return SECTION + 10 if underlined else PARAGRAPH
    if _LIST_ITEM.match(line):
        return 30
    return SENTENCE if previous.rstrip().endswith((".", "!", "?", ":", ";", "}", "。")) else LINE


def _markdown(lines: Sequence[str]) -> list[int]:
    result = []
    previous = ""
    fence = ""
    for index, line in enumerate(lines):
        following = lines[index + 1] if index + 1 < len(lines) else ""
        marker = _FENCE.match(line)
        if fence:
            result.append(15 if line.strip() and not previous.strip() else 5)
            if marker and marker.group(1).startswith(fence):
                fence = ""
        elif marker:
            fence = marker.group(1)
            result.append(PARAGRAPH - 10)
        elif heading := _MARKDOWN_HEADING.match(line):
            result.append(SECTION + 40 - 5 * len(heading.group(1)))
        else:
            result.append(_prose(line, previous, following))
        previous = line
    return result


def _html(lines: Sequence[str], headings: Mapping[int, int]) -> list[int]:
    result = _text(lines)
    position = 0
    for index, line in enumerate(lines):
        level = headings.get(position)
        if level is not None:
            result[index] = SECTION + 40 - 5 * level
        position += len(line)
    return result


def _code(lines: Sequence[str]) -> list[int]:
    """Definitions by their indentation, then paragraphs of statements; a comment or decorator belongs to what follows it."""
    result = []
    previous = ""
    for line in lines:
        result.append(_code_line(line, previous))
        previous = line
    return result


def _code_line(line: str, previous: str) -> int:
    stripped = line.strip()
    if not stripped or stripped[0] in ")]}":
        return 0
    depth = min((len(line) - len(line.lstrip())) // 2, 12)
    after_gap = not previous.strip()
    decorated = bool(_DECORATION.match(previous.strip())) if not after_gap else False
    if _DEFINITION.match(stripped) and not decorated:
        return SECTION + 35 - 5 * min(depth, 6) if depth <= 4 or after_gap else 30
    if after_gap:
        return (SECTION + 30 if depth == 0 else PARAGRAPH) - 2 * depth
    return max(LINE - depth, 2) if not decorated else 1
