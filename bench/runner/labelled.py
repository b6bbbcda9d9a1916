"""Labelled sets: documents, questions, and which documents answer each. Made from what every machine has, or read from BEIR.

Reads files only; deterministic for one Python version.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.runner import corpus

_SENTENCE_END = re.compile(r"(?<=[.!?])\s|\n\n")
_WORDS = range(5, 31)
"""How long a question is: shorter ones say too little, longer ones are paragraphs."""
_LINES_MIN = 5


class Question(NamedTuple):
    """`relevant`: the grade (1 and more) of each document that answers it, by name."""

    text: str
    relevant: dict[str, int]


class LabelledSet(NamedTuple):
    """Documents by name, and questions about them."""

    name: str
    documents: dict[str, str]
    questions: list[Question]


def docstrings(limit: int = 0) -> LabelledSet:
    """Functions of the standard library without their docstrings; the first sentence of each asks for its function.

    Only the first of functions that say or do the same is taken. `limit` > 0 takes that many, spread over the whole.
    """
    documents: dict[str, str] = {}
    questions: list[Question] = []
    seen: set[str] = set()
    for file in corpus.sources():
        for number, (sentence, code) in enumerate(_functions(file)):
            if sentence in seen or code in seen:
                continue
            seen |= {sentence, code}
            name = f"{file.stem}-{len(documents)}-{number}.py"
            documents[name] = code
            questions.append(Question(sentence, {name: 1}))
    if 0 < limit < len(questions):
        questions = [questions[i * len(questions) // limit] for i in range(limit)]
        documents = {name: documents[name] for question in questions for name in question.relevant}
    return LabelledSet("docstrings of the standard library", documents, questions)


def beir(folder: Path) -> LabelledSet:
    """A set in BEIR's format: corpus.jsonl, queries.jsonl, qrels/test.tsv (or the only file there)."""
    documents = {
        str(row["_id"]): "\n\n".join(part for part in (row.get("title", ""), row["text"]) if part)
        for row in _json_lines(folder / "corpus.jsonl")
    }
    judged: dict[str, dict[str, int]] = {}
    qrels = folder / "qrels" / "test.tsv"
    for line in (qrels if qrels.exists() else next((folder / "qrels").glob("*.tsv"))).read_text("utf-8").splitlines()[1:]:
        question, document, grade = line.split("\t")
        if int(grade) > 0:
            judged.setdefault(question, {})[document] = int(grade)
    texts = {str(row["_id"]): str(row["text"]) for row in _json_lines(folder / "queries.jsonl")}
    return LabelledSet(folder.name, documents, [Question(texts[name], relevant) for name, relevant in judged.items()])


def _json_lines(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _functions(file: Path) -> Iterator[tuple[str, str]]:
    """(first sentence of the docstring, source without the docstring) of the file's functions."""
    try:
        source = file.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    lines = source.splitlines()
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not ast.get_docstring(node):
            continue
        sentence = " ".join(_SENTENCE_END.split(ast.get_docstring(node) or "")[0].split())
        docstring = node.body[0]
        code = lines[node.lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno or 0 : node.end_lineno]
        if len(sentence.split()) in _WORDS and len(code) >= _LINES_MIN:
            yield sentence, "\n".join(code) + "\n"
