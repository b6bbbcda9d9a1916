"""The page of a run: one file, whole, right about who passes, and made so that everybody can read it."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources
from itertools import pairwise

import pytest
from test_reports import FAILED, report, result

from vexfs_conformance.reports import html, jsonl
from vexfs_conformance.results import Verdict

RAW = result("A/<two>", sdk="raw")
PASSED = report(result(), result(sdk="raw", covers=["StatFile success"]), result("A/two", sdk="raw"))
MIXED = report(
    replace(FAILED, why="B comes before C.", trace=["→ Search {}", "← {}"], covers=["Search success"]),
    RAW,
    result("A/three", Verdict.NOT_APPLICABLE, why="Connect has no streams"),
    result("A/four", Verdict.KNOWN, why="it is slow (https://example.com/1)", sdk="js"),
    result("A/five", Verdict.UNEXPECTED_PASS, why="it was slow (https://example.com/2)", sdk="js"),
    result("B/one", not_asked=3),
    problems=("no case shows MoveFile success",),
)
MANY = report(*(replace(FAILED, case=f"A/{number}") for number in range(30)))
PAGES = {"passed": PASSED, "mixed": MIXED, "many": MANY, "nothing-ran": report()}
_VOID = frozenset({"meta", "input", "br"})


class Parsed(HTMLParser):
    """The elements of a page, with their text; tells what is not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[int] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"not closed: {[self.elements[index] for index in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {tag} {attrs}"
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append("")
        if tag not in _VOID:
            self._open.append(len(self.elements) - 1)

    def handle_endtag(self, tag: str) -> None:
        index = self._open.pop()
        assert self.elements[index][0] == tag, f"</{tag}> ends {self.elements[index]}"

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self.texts[index] += data

    def all(self, *tags: str) -> Iterator[tuple[dict[str, str], str]]:
        """The attributes and the text of each element with such a tag."""
        for (tag, attributes), text in zip(self.elements, self.texts, strict=True):
            if tag in tags:
                yield attributes, text


@pytest.fixture(params=PAGES)
def source(request: pytest.FixtureRequest) -> str:
    return html.page(PAGES[request.param])


@pytest.fixture
def parsed(source: str) -> Parsed:
    return Parsed(source)


def test_it_is_one_file(source: str, parsed: Parsed) -> None:
    for word in ("src=", "@import", "url(", "<link", "fetch(", "http-equiv"):
        assert word not in source
    assert all(attributes["href"].startswith("#") for attributes, _ in parsed.all("a"))


def test_what_comes_from_outside_is_escaped() -> None:
    text = html.page(MIXED)
    assert "<two>" not in text
    assert "&lt;two&gt;" in text


def test_every_id_is_one_and_every_reference_leads_somewhere(parsed: Parsed) -> None:
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {attributes["href"].removeprefix("#") for attributes, _ in parsed.all("a")}
    wanted |= {attributes["aria-labelledby"] for _, attributes in parsed.elements if "aria-labelledby" in attributes}
    assert wanted <= set(ids)


def test_headings_leave_no_level_out(parsed: Parsed) -> None:
    levels = [int(tag[1]) for tag, _ in parsed.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    assert all(text.strip() for _, text in parsed.all("h1", "h2", "h3", "h4"))


def test_tables_say_what_they_are_about_and_what_their_headers_are_of(parsed: Parsed) -> None:
    tags = [tag for tag, _ in parsed.elements]
    assert tags.count("caption") == tags.count("table") > 0
    assert all(text.strip() for _, text in parsed.all("caption"))
    assert all(attributes.get("scope") in ("col", "row", "rowgroup") and text.strip() for attributes, text in parsed.all("th"))


def test_parts_and_controls_have_names(parsed: Parsed) -> None:
    for tag, attributes in parsed.elements:
        if tag in ("nav", "section") or attributes.get("role") == "region":
            assert attributes.get("aria-label") or attributes.get("aria-labelledby")
        if tag == "button":
            assert attributes["type"] == "button"
    labels = [text for _, text in parsed.all("label")]
    assert sum(tag in ("input", "select") for tag, _ in parsed.elements) == len(labels)
    assert all(label.strip() for label in labels)


def test_marks_are_said_in_words() -> None:
    parsed = Parsed(html.page(MIXED))
    marks = [(attributes, text) for attributes, text in parsed.all("td", "a") if text in ("✓", "✗", "!", "~", "·")]
    marked = [attributes for attributes, text in marks if "aria-label" in attributes]
    assert {attributes["aria-label"].partition(":")[0] for attributes in marked} == {str(verdict) for verdict in Verdict}


def test_a_failure_is_shown_with_all_that_one_needs() -> None:
    parsed = Parsed(html.page(MIXED))
    (shown,) = [text for attributes, text in parsed.all("details") if attributes.get("id") == "failed-A-<two>"]
    for wanted in ("B comes before C.", '"/b.md"', '"/c.md"', "go is wrong", "step 3 Search", "→ Search {}", "1 call"):
        assert wanted in shown
    assert "vexfs-conformance run --serve --lane none --sdk go --transport grpc --case 'A/<two>'" in shown


def test_few_failures_are_open_and_many_can_be_opened() -> None:
    few, many = (Parsed(html.page(each)) for each in (MIXED, MANY))
    assert all("open" in attributes for attributes, _ in few.all("details") if attributes.get("class") == "failure")
    assert not any("open" in attributes for attributes, _ in many.all("details"))
    assert any("Open all 30" in text for _, text in many.all("button"))


def test_what_is_known_and_what_was_not_asked_has_its_reason() -> None:
    text = html.page(MIXED)
    for wanted in ("it is slow (https://example.com/1)", "Connect has no streams", "3 expectations", "Take the entry away."):
        assert wanted in text
    assert "What was not asked" not in html.page(PASSED)


@pytest.mark.parametrize(
    ("shown", "word", "sentence"),
    [
        (PASSED, "Conformant", "3 cases on 2 lanes: nothing fails."),
        (MIXED, "Not conformant", "2 of 6 cases fail on at least one of 3 lanes. 1 failure is known."),
    ],
)
def test_the_verdict_is_a_word_and_a_sentence(shown: jsonl.Report, word: str, sentence: str) -> None:
    parsed = Parsed(html.page(shown))
    assert [text.lstrip("✓✗") for _, text in parsed.all("h1")] == [word]
    assert next(text for _, text in parsed.all("title")).startswith(word)
    assert sentence in [text for _, text in parsed.all("p")]


def test_a_behaviour_that_failed_is_told_from_one_that_nobody_asked() -> None:
    chips = {(text, attributes["class"]) for attributes, text in Parsed(html.page(MIXED)).all("li") if "class" in attributes}
    assert ("success ✗1 fails on go·grpc", "fail") in chips, "Search failed"
    assert ("success not shown: no case that ran", "fail") in chips, "MoveFile is a problem of the run"
    assert ("success not shown: no case that ran", "none") in chips, "nobody asked for the others"


def _colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([a-z-]+):(#[0-9a-f]{3,6})", text))


def _luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_can_be_told_from_what_is_behind_them(scheme: str) -> None:
    """The contrast of WCAG 2 for text, level AA."""
    style = resources.files("vexfs_conformance.reports").joinpath("page.css").read_text()
    light, dark = style.split("@media(prefers-color-scheme:dark)")
    colours = _colours(light) if scheme == "light" else _colours(light) | _colours(dark.partition("}}")[0])
    pairs = [(text, behind) for text in ("ink", "soft", "pass", "fail", "known", "none") for behind in ("bg", "card")]
    pairs += [("pass", "pass-bg"), ("fail", "fail-bg"), ("none", "none-bg"), ("soft", "none-bg"), ("ink", "fail-bg")]
    pairs += [("soft", "fail-bg"), ("ink", "pass-bg"), ("ink", "none-bg")]
    for text, behind in pairs:
        low, high = sorted((_luminance(colours[text]), _luminance(colours[behind])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, f"{text} on {behind}"
