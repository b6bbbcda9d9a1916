"""Searching text through the engine, with the real indexer and model: by meaning, by words, by both; loss and standstill."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.views.dense.volumes import wait_until, write
from vexfs.core import content, files
from vexfs.core.errors import InvalidRequest, RevisionNotReached, ViewUnavailable
from vexfs.core.filters import Name, SizeBytes
from vexfs.core.filters import Range as NumberRange
from vexfs.core.search import SearchAnswer, SearchEngine, TextSearch
from vexfs.core.search.queries import Embedder as EmbedderProtocol
from vexfs.core.types import ROOT_INO, Ino
from vexfs.store.volume import Volume
from vexfs.views.derived import derived_folder
from vexfs.views.embedding.model import Embedder

READY_S = 60
DOCUMENTS = {
    "keys.md": "# Credentials\n\nEvery service secret is replaced each quarter. The old one stays valid for a day.\n",
    "car.txt": "The automobile's motor failed to turn on this morning, so we took the train.\n",
    "bread.txt": "Knead the dough, let it rise overnight, and bake it in a hot oven until the crust is brown.\n",
    "moon.txt": "The moon circles the earth in about twenty-seven days and always shows us the same side.\n",
    "zebra.py": 'def quagga_count(herd):\n    """How many animals have stripes."""\n    return sum(a.striped for a in herd)\n',
    "garden.txt": "Water the tomatoes in the evening, and cut the roses before the first frost.\n",
    "law.txt": "The tenant may end the contract with a notice of three months.\n",
    "code.py": "import socket\n\n\ndef listen(port):\n    server = socket.create_server(port)\n    return server.accept()\n",
}


def put(volume: Volume, directory: Ino, name: str, text: str) -> Ino:
    prepared = content.prepare(volume.blobs, [(0, text.encode())], whole=True)

    def create(txn: object) -> Ino:
        node = files.create(txn, directory, name.encode(), mode=0o100644, uid=0, gid=0)
        content.replace(txn, node.ino, prepared)
        return node.ino

    return write(volume, create)


class Served:
    """A volume, its indexer process, and an engine."""

    def __init__(self, data: Path) -> None:
        self.volume = Volume.open(data / "volumes" / "main", "api", create=True)
        self.docs = write(self.volume, lambda txn: files.make_directory(txn, ROOT_INO, b"docs", mode=0o40755, uid=0, gid=0)).ino
        self.inos = {name: put(self.volume, self.docs, name, text) for name, text in DOCUMENTS.items()}
        self.indexer = subprocess.Popen([sys.executable, "-m", "vexfs.views.indexer", "--data", str(data)])
        self.engine = SearchEngine(self.volume, Embedder.load)
        self.engine.start()
        assert self.engine.queries.wait(READY_S), self.engine.queries.unavailable
        self.ready()

    def ready(self) -> None:
        self.engine.wait_for_views(0, time.monotonic() + READY_S)

    def search(self, text: str, mode: str = "hybrid", **options: object) -> SearchAnswer:
        return self.engine.search(TextSearch(text, mode, **options))

    def close(self) -> None:
        self.engine.stop()
        self.indexer.send_signal(signal.SIGCONT)
        self.indexer.terminate()
        self.indexer.wait(30)
        self.volume.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    opened = Served(tmp_path_factory.mktemp("text"))
    yield opened
    opened.close()


def names(answer: SearchAnswer) -> list[str]:
    return [os.fsdecode(hit.path.rpartition(b"/")[2]) for hit in answer.hits]


@pytest.mark.parametrize(
    ("question", "document"),
    [
        ("how often should passwords be rotated?", "keys.md"),
        ("vehicle engine would not start", "car.txt"),
        ("recipe for a loaf", "bread.txt"),
        ("cancelling a rental agreement", "law.txt"),
    ],
)
def test_a_question_that_shares_no_word_with_its_document_finds_it_by_meaning(
    served: Served, question: str, document: str
) -> None:
    words = set(re.findall(r"\w+", question))
    assert not words & set(DOCUMENTS[document].lower().replace(",", "").replace(".", "").split()) - {
        "a",
        "of",
        "how",
        "be",
        "not",
    }
    answer = served.search(question, "dense")
    assert names(answer)[0] == document
    assert (answer.strategy, answer.exact, answer.partial) == ("exact", True, False)
    assert [match.mode for match in answer.hits[0].matches] == ["dense"]


def test_a_rare_word_finds_its_document_by_words_and_names_it(served: Served) -> None:
    answer = served.search("quagga", "lexical")
    assert names(answer) == ["zebra.py"] and answer.strategy == "lexical"
    assert answer.hits[0].matches[0].terms == ("quagga",)


def test_a_phrase_must_stand_in_what_is_found_by_words(served: Served) -> None:
    answer = served.search('"the old one stays valid"', "lexical")
    assert names(answer) == ["keys.md"]
    assert answer.hits[0].matches[0].terms == ("The old one stays valid",)
    assert served.search('"valid stays"', "lexical").hits == ()
    assert names(served.search('"bake it in a hot oven" moon', "lexical")) == ["bread.txt"]
    assert names(served.search("tomat* ros*", "lexical")) == ["garden.txt"]
    assert served.search("tomat* ros*", "lexical").hits[0].matches[0].terms == ("tomatoes", "roses")


def test_meaning_compares_the_question_without_its_marks(served: Served) -> None:
    plain, marked = served.search("recipe for a loaf", "dense"), served.search('"recipe for" a loaf*', "dense")
    assert names(plain)[0] == "bread.txt"
    assert [hit.score for hit in marked.hits] == [hit.score for hit in plain.hits]
    hybrid = served.search('"recipe for a loaf"')
    assert names(hybrid)[0] == "bread.txt" and [match.mode for match in hybrid.hits[0].matches] == ["dense"]


def test_hybrid_finds_both_ways_and_says_which(served: Served) -> None:
    answer = served.search("quagga")
    assert answer.strategy == "hybrid" and names(answer)[0] == "zebra.py"
    assert [match.mode for match in answer.hits[0].matches] == ["dense", "lexical"]
    assert len(answer.hits) == len(DOCUMENTS)
    assert 0 < answer.hits[-1].score <= answer.hits[0].score <= 1


def test_what_is_like_a_file_is_found_without_the_file(served: Served) -> None:
    long = "\n\n".join(f"# Part {part}\n\n" + DOCUMENTS["law.txt"] * 40 for part in range(3))
    twin = put(served.volume, served.docs, "lease.txt", long)
    try:
        served.ready()
        for file, other in ((twin, "law.txt"), (served.inos["law.txt"], "lease.txt")):
            answer = served.search("", like=file, limit=3)
            assert names(answer)[0] == other and file not in [hit.node.ino for hit in answer.hits] and len(answer.hits) == 3
            assert (answer.strategy, answer.partial) == ("exact", False)
            assert "tenant" in answer.hits[0].passage.text and answer.hits[0].score > 0.8
        assert served.search("", like=twin, scope=twin).hits == ()
        assert names(served.search("", like=twin, limit=1, filter=Name("*.txt"), exact=True)) == ["law.txt"]
    finally:
        write(served.volume, lambda txn: files.remove(txn, served.docs, b"lease.txt"))
        served.ready()


def test_a_file_without_text_leaves_nothing_to_compare_and_the_answer_says_so(served: Served) -> None:
    answer = served.search("", like=served.docs)
    assert answer.hits == () and answer.partial and "no text of the file" in answer.partial_reasons[0]


def test_a_file_has_no_words_and_no_weights(served: Served) -> None:
    for refused in ({"mode": "lexical"}, {"weights": (2.0, 1.0)}):
        with pytest.raises(InvalidRequest):
            served.search("", like=served.inos["law.txt"], **refused)


def test_weights_decide_between_meaning_and_words(served: Served) -> None:
    question = "cancelling rental agreements early: quagga"
    assert names(served.search(question, "dense"))[0] == names(served.search(question, weights=(100.0, 1.0)))[0] == "law.txt"
    assert names(served.search(question, "lexical"))[0] == names(served.search(question, weights=(1.0, 100.0)))[0] == "zebra.py"


def test_weights_are_for_two_rankings_and_within_limits(served: Served) -> None:
    for refused in ({"mode": "dense"}, {"mode": "lexical"}, {"weights": (0.0001, 1.0)}, {"weights": (1.0, float("nan"))}):
        with pytest.raises(InvalidRequest, match="weight"):
            served.search("loaf", **{"weights": (2.0, 1.0), **refused})


def test_a_hit_shows_the_bytes_and_lines_of_its_passage(served: Served) -> None:
    hit = served.search("count striped animals").hits[0]
    assert hit.passage is not None
    content_bytes = DOCUMENTS["zebra.py"].encode()
    assert content_bytes[hit.passage.start_byte : hit.passage.end_byte].decode().strip() == hit.passage.text.strip()
    assert (hit.passage.start_line, hit.passage.end_line) == (1, 3)


def test_scope_and_filter_narrow_a_text_search(served: Served) -> None:
    with served.volume.snapshot() as view:
        assert files.stat(view, served.docs).is_directory
    assert names(served.search("socket server", filter=Name("*.txt")))
    assert not [name for name in names(served.search("socket server", filter=Name("*.txt"))) if not name.endswith(".txt")]
    assert names(served.search("bread", scope=served.inos["moon.txt"])) == ["moon.txt"]
    other = write(served.volume, lambda txn: files.make_directory(txn, ROOT_INO, b"empty", mode=0o40755, uid=0, gid=0)).ino
    assert served.search("bread", scope=other).hits == ()
    assert len(served.search("bread", "dense", scope=served.docs).hits) == len(DOCUMENTS)
    assert served.search("bread", filter=SizeBytes(NumberRange(gt=1e9))).hits == ()


def test_a_vector_of_the_model_searches_the_passages(served: Served) -> None:
    vector = served.engine.queries.vector_of("the vehicle did not start")
    answer = served.engine.search(TextSearch("", vector=vector, limit=2))
    assert names(answer)[0] == "car.txt" and answer.strategy == "exact"
    assert answer.hits[0].passage is not None


def test_empty_and_overlong_questions_are_refused(served: Served) -> None:
    for request in (TextSearch("  "), TextSearch("x" * 8193), TextSearch("x", "fuzzy"), TextSearch("x", limit=0)):
        with pytest.raises(InvalidRequest):
            served.engine.search(request)


def test_a_new_file_is_found_by_whoever_waits_and_a_removed_one_is_gone(served: Served) -> None:
    ino = put(served.volume, served.docs, "tide.txt", "High water comes twice a day along this coast.")
    answer = served.engine.search(
        TextSearch("when does the sea rise", "dense"), min_revision=served.volume.head(), deadline_s=time.monotonic() + READY_S
    )
    assert names(answer)[0] == "tide.txt" and answer.revision >= served.volume.head()
    write(served.volume, lambda txn: files.rename(txn, served.docs, b"tide.txt", ROOT_INO, b"sea.txt"))
    assert served.search("when does the sea rise", "dense").hits[0].path == b"/sea.txt", "paths are those of now"
    write(served.volume, lambda txn: files.remove(txn, ROOT_INO, b"sea.txt"))
    answer = served.search("when does the sea rise", limit=1000)
    assert ino not in [hit.node.ino for hit in answer.hits] and len(answer.hits) == len(DOCUMENTS)


def test_whoever_has_waited_is_told_that_nothing_is_pending(served: Served) -> None:
    for number in range(4):
        put(served.volume, served.docs, f"waited-{number}.txt", f"The {number}. lighthouse stands on the cliff.")
        head = served.volume.head()
        deadline_s = time.monotonic() + READY_S
        while served.engine.progress.revision() < head and time.monotonic() < deadline_s:
            served.engine.progress.pending()  # whoever looks at the status meanwhile
        served.engine.wait_for_views(head, deadline_s)
        assert [(view.state, view.pending) for view in served.engine.progress.views()] == [("ready", 0)] * 3
        answer = served.search("lighthouse")
        assert not answer.pending and not answer.partial_reasons
        write(served.volume, lambda txn, name=f"waited-{number}.txt": files.remove(txn, served.docs, name.encode()))
    served.ready()


def test_a_search_waits_only_for_what_it_uses(served: Served) -> None:
    """Words are there long before the embeddings of a large file."""
    lines = "\n\n".join(f"Chapter {number} tells of lanterns, harbours and the number {number * 37}." for number in range(3000))
    put(served.volume, served.docs, "novel.md", lines)
    written, end = served.volume.head(), time.monotonic() + READY_S
    served.engine.search(TextSearch("lanterns", "lexical"), min_revision=written, deadline_s=end)
    answer = served.search("lanterns", "lexical")
    assert answer.revision >= written and not answer.partial
    answer = served.search("lanterns", "dense")
    assert answer.partial and answer.pending > 0
    write(served.volume, lambda txn: files.remove(txn, served.docs, b"novel.md"))
    served.ready()


def test_with_the_indexer_standing_still_a_search_is_partial_and_waits_end(served: Served) -> None:
    served.ready()
    served.indexer.send_signal(signal.SIGSTOP)
    try:
        put(served.volume, served.docs, "late.txt", "This comes while nobody indexes.")
        answer = served.search("moon", "lexical")
        assert names(answer)[0] == "moon.txt"
        assert answer.partial and answer.partial_reasons and answer.pending >= 1
        started = time.monotonic()
        with pytest.raises(RevisionNotReached) as caught:
            served.engine.wait_for_views(served.volume.head(), started + 0.3)
        assert 0.2 < time.monotonic() - started < 20 and int(caught.value.details["pending"]) >= 1
        behind = {view.view: view.state for view in served.engine.progress.views()}
        assert behind["text"] == behind["lexical"] == "behind"
    finally:
        served.indexer.send_signal(signal.SIGCONT)
    served.ready()
    assert names(served.search("while nobody indexes"))[0] == "late.txt"
    assert not served.search("moon").partial
    assert {view.state for view in served.engine.progress.views()} == {"ready"}
    write(served.volume, lambda txn: files.remove(txn, served.docs, b"late.txt"))


def test_a_removed_derived_folder_makes_searches_partial_until_it_is_built_again(served: Served) -> None:
    served.ready()
    shutil.rmtree(derived_folder(served.volume.folder))
    answer = served.search("moon")
    assert answer.partial and answer.partial_reasons
    wait_until(lambda: not served.search("the earth's satellite", "dense").partial, READY_S, "the views are built again")
    assert names(served.search("the earth's satellite", "dense"))[0] == "moon.txt"
    assert len(served.search("moon").hits) == len(DOCUMENTS)


def test_without_a_model_words_answer_and_the_answer_says_so(served: Served) -> None:
    def load() -> EmbedderProtocol:
        raise FileNotFoundError("there are no weights")

    served.ready()  # the words, too, after what the test before this one took away
    engine = SearchEngine(served.volume, load)
    engine.start()
    try:
        assert not engine.queries.wait(5)
        answer = engine.search(TextSearch("quagga"))
        assert names(answer) == ["zebra.py"] and answer.partial
        assert any("no weights" in reason for reason in answer.partial_reasons)
        with pytest.raises(ViewUnavailable):
            engine.search(TextSearch("quagga", "dense"))
    finally:
        engine.stop()
