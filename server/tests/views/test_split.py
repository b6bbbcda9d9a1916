"""Splitting: passages are a partition of the text, short enough for the model, and follow its structure."""

import argparse
import inspect

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vexfs.views.embedding.html import read_page
from vexfs.views.embedding.split import MAX_TOKENS, estimate_tokens, split

LANGUAGES = ["text", "markdown", "html", "python", "rust", "json"]

line = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ["", "", "# Heading", "```", "def f(x):", "    return x", "class A:", "- item", "}", ")", "====", "@decorator"]
    ),
    st.integers(1, 400).map(lambda n: "word " * n),
    st.integers(1, 2000).map(lambda n: "x" * n),
    st.integers(1, 400).map(lambda n: "){" * n),
)
text = st.lists(line, max_size=60).map("\n".join) | st.text(max_size=500)


@settings(max_examples=150)
@given(text, st.sampled_from(LANGUAGES))
def test_every_character_lies_in_exactly_one_passage(text: str, language: str) -> None:
    spans = split(text, language, {0: 1})
    position = 0
    for span in spans:
        assert span.start == position
        assert span.end > span.start
        position = span.end
    assert position == len(text)


@settings(max_examples=150)
@given(text, st.sampled_from(LANGUAGES))
def test_no_passage_is_longer_than_the_model_reads(text: str, language: str) -> None:
    for span in split(text, language):
        assert estimate_tokens(text[span.start : span.end]) <= MAX_TOKENS


def passages(text: str, language: str) -> list[str]:
    return [text[span.start : span.end] for span in split(text, language)]


def filler(words: int) -> str:
    """That many words of one token each."""
    return " ".join(("word", "other", "third")[index % 3] for index in range(words))


def test_markdown_is_cut_at_its_headings() -> None:
    text = f"# One\n\n{filler(150)}.\n\n## Two\n\n{filler(150)}.\n\n### Three\n\n{filler(150)}.\n"
    assert [passage.split("\n")[0] for passage in passages(text, "markdown")] == ["# One", "## Two", "### Three"]


def test_a_heading_sign_inside_a_code_block_is_no_heading() -> None:
    code = "\n".join(f"# comment {index} with some words in it" for index in range(8))
    text = f"# One\n\n{filler(150)}\n\n```sh\n{code}\n```\n\n# Two\n\n{filler(150)}\n"
    assert [passage.split("\n")[0] for passage in passages(text, "markdown")] == ["# One", "# Two"]


def test_code_is_cut_at_its_definitions_with_their_decorators_and_comments() -> None:
    body = "".join(f"    value_{index} = compute_something({index})\n" for index in range(12))
    text = f"# About first.\ndef first():\n{body}\n\n@decorated\n@twice\ndef second():\n{body}\nclass Third:\n{body}"
    starts = [passage.lstrip().split("\n")[0] for passage in passages(text, "python")]
    assert "@decorated" in starts
    assert "class Third:" in starts
    assert not any(start.startswith("def second") for start in starts)


def test_a_class_is_cut_between_its_methods() -> None:
    method = (
        "    def method_{}(self, argument):\n" + "".join(f"        self.value_{i} = argument + {i}\n" for i in range(9)) + "\n"
    )
    text = "class Big:\n" + "".join(method.format(index) for index in range(6))
    cuts = [passage.lstrip("\n").split("\n")[0] for passage in passages(text, "python")]
    assert len(cuts) > 2
    assert all(cut.startswith(("class Big", "    def method_")) for cut in cuts)


def test_text_is_cut_between_paragraphs() -> None:
    text = "\n\n".join(filler(150) for _ in range(4))
    found = passages(text, "text")
    assert len(found) == 4
    assert all(passage.startswith("word other") for passage in found)


def test_a_page_is_cut_at_its_headings() -> None:
    page = read_page(f"<h1>One</h1><p>{filler(150)}</p><h2>Two</h2><p>{filler(150)}</p>")
    found = [page.text[span.start : span.end] for span in split(page.text, "html", page.headings)]
    assert [passage.split("\n")[0] for passage in found] == ["One", "Two"]


def test_one_endless_line_is_cut_between_words() -> None:
    text = filler(3000)
    found = passages(text, "text")
    assert "".join(found) == text
    assert all(passage.endswith(" ") for passage in found[:-1])


def test_splitting_is_stable_where_nothing_changed() -> None:
    """An edit at the end leaves the passages before it as they are, so that their embeddings are found again."""
    source = inspect.getsource(argparse)
    before, after = passages(source, "python"), passages(source + "\n\ndef added():\n    return 1\n", "python")
    same = sum(1 for a, b in zip(before, after, strict=False) if a == b)
    assert same >= len(before) - 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_passages_are_not_tiny(language: str) -> None:
    source = inspect.getsource(argparse)
    found = split(source, language)
    mean = sum(estimate_tokens(source[span.start : span.end]) for span in found) / len(found)
    assert mean > 60


def test_the_empty_text_has_no_passage() -> None:
    assert split("", "text") == []
