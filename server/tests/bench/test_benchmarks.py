"""Every benchmark runs, tiny, so that none can rot; what it measured is in its results."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bench import growth
from bench.peers import agentfs, passthrough_hp
from bench.peers.vectors.engines import PEERS
from bench.runner import build, labelled, machine, report
from bench.runner.systems import AGENTFS, FUSER_MEMORY, PASSTHROUGH_HP, PLAIN, VEXFS
from bench.vectors import summary
from bench.workloads import bounds, packages, threads, trees

METADATA = {"create", "create+4 KiB", "stat (cached)", "open+read+close", "rename", "unlink"}
WORKLOADS = METADATA | {f"{name}, {count} threads" for name in METADATA for count in threads.COUNTS}
WORKLOADS |= {workload for workload, _ in bounds.SHOWN}
# passthrough_hp of libfuse 3.14 cannot set the time of an open file, nor open one that was renamed.
CANNOT = {AGENTFS: set[str](), PASSTHROUGH_HP: {"tar x", "grep -r", "rm -rf", packages.WALK, packages.REMOVE}}
GIT = {trees.CLONE, trees.STATUS, trees.CHECKOUT}
BUILT = {AGENTFS: agentfs.binary, PASSTHROUGH_HP: passthrough_hp.binary}

needs_fuse = pytest.mark.skipif(not os.access("/dev/fuse", os.R_OK | os.W_OK), reason="needs /dev/fuse")


def run_tiny(name: str, output: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench", name, "--tiny", "--output", str(output), *arguments]
    done = subprocess.run(command, cwd=machine.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    assert document["rows"], "a benchmark that measured nothing"
    assert all(row["n"] >= 1 and row["min"] > 0 for row in document["rows"] if row["unit"] == "ops/s")
    assert report.tables(document) in done.stdout
    return document


def measured_workloads(document: dict[str, Any]) -> set[str]:
    """What a system had to be measured with: everything, but git where the checkout has no history to clone, which is said."""
    command = ["git", "rev-list", "--count", "HEAD"]
    count = subprocess.run(command, cwd=machine.ROOT, capture_output=True, text=True, check=False)
    if count.returncode == 0 and int(count.stdout) > 1:
        return WORKLOADS
    assert any(note.startswith("not measured: git: ") for note in document["notes"])
    return WORKLOADS - GIT


@pytest.fixture(scope="session")
def client() -> Path:
    try:
        return build.fsops()
    except build.NotAvailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def peer() -> Path:
    try:
        return build.fuser_memory()
    except build.NotAvailable as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def grpcload() -> Path:
    try:
        return build.grpcload()
    except build.NotAvailable as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("client")
def test_the_mount_workloads_run_on_a_plain_directory(tmp_path: Path) -> None:
    document = run_tiny("mount", tmp_path / "mount.json", "--only", PLAIN)
    assert {row["workload"] for row in document["rows"]} == measured_workloads(document)


@needs_fuse
@pytest.mark.usefixtures("client", "peer")
def test_the_mount_workloads_run_on_the_rust_peer(tmp_path: Path) -> None:
    document = run_tiny("mount", tmp_path / "mount.json", "--only", FUSER_MEMORY)
    assert {row["workload"] for row in document["rows"]} == measured_workloads(document)
    metadata = [row for row in document["rows"] if row["workload"] in METADATA]
    assert {row["pinning"] for row in metadata} == {"one core"}


@needs_fuse
@pytest.mark.usefixtures("client")
@pytest.mark.parametrize("name", [PASSTHROUGH_HP, AGENTFS])
def test_the_mount_workloads_run_on_a_peer_from_foreign_sources(name: str, tmp_path: Path) -> None:
    try:
        BUILT[name](install=False)
    except build.NotAvailable as error:
        pytest.skip(str(error))
    document = run_tiny("mount", tmp_path / "mount.json", "--only", name)
    assert {row["workload"] for row in document["rows"]} >= measured_workloads(document) - CANNOT[name]


@pytest.mark.usefixtures("client")
def test_a_peer_that_is_not_built_is_named_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VEXFS_CACHE_DIR", str(tmp_path / "empty"))
    only = [argument for name in (PLAIN, AGENTFS, PASSTHROUGH_HP) for argument in ("--only", name)]
    document = run_tiny("mount", tmp_path / "mount.json", *only)
    assert {row["system"] for row in document["rows"]} == {PLAIN}
    for name in (AGENTFS, PASSTHROUGH_HP):
        assert (
            f"not measured: {name}: {name} is not built, and a tiny run builds no peer: python -m bench.peers"
            in document["notes"]
        )


@pytest.mark.usefixtures("client")
def test_a_failed_operation_ends_the_client_with_an_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(build.fsops()), "stat", str(tmp_path), "1", "1", "0"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""


@pytest.mark.usefixtures("client")
def test_every_file_of_create_4k_has_different_bytes(tmp_path: Path) -> None:
    subprocess.run([str(build.fsops()), "create_4k", str(tmp_path), "50", "4", "0"], check=True, capture_output=True)
    contents = {file.read_bytes() for file in (tmp_path / "write").iterdir()}
    assert len(contents) == 50
    assert {len(content) for content in contents} == {4096}


def test_results_name_neither_host_nor_paths(tmp_path: Path) -> None:
    document = run_tiny("mount", tmp_path / "mount.json", "--only", PLAIN)
    text = json.dumps(document)
    assert os.uname().nodename not in text
    assert str(machine.ROOT) not in text
    assert str(Path.home()) not in text


@needs_fuse
@pytest.mark.usefixtures("client", "peer")
def test_the_mount_benchmark_compares_vexfs_with_the_peers(tmp_path: Path) -> None:
    document = run_tiny("mount", tmp_path / "mount.json", "--only", VEXFS, "--only", FUSER_MEMORY, "--only", PLAIN)
    workloads = measured_workloads(document)
    assert {row["workload"] for row in document["rows"] if row["system"] == VEXFS} == workloads
    named = {name.rpartition(", ")[0] for name in document["ratios"]}
    beside_the_disk = workloads & (METADATA | {workload for workload, _ in bounds.SHOWN})
    assert {f"{workload}: {VEXFS} / {FUSER_MEMORY}" for workload in workloads} <= named
    assert {f"{workload}: {VEXFS} / {PLAIN}" for workload in beside_the_disk} <= named
    assert {f"{name}: {VEXFS}, {count} threads / 1 thread" for name in METADATA for count in threads.COUNTS} <= named
    assert {target["bound"] for target in document["targets"]} == set(bounds.BESIDE_FUSER_MEMORY["one core"].values())


def test_the_api_benchmark_measures_every_operation_over_every_protocol(tmp_path: Path) -> None:
    document = run_tiny("api", tmp_path / "api.json")
    assert len(document["ratios"]) == 3 * 2 * 3


def test_the_benchmark_of_the_clients_compares_each_with_its_stub(tmp_path: Path) -> None:
    """Rust's program is compiled with the client's tests: a release build for this alone takes minutes."""
    languages = ("python", "js", "go")
    try:
        for language in languages:
            build.overhead(language)
    except build.NotAvailable as error:
        pytest.skip(str(error))
    only = [argument for language in languages for argument in ("--only", language)]
    document = run_tiny("sdk", tmp_path / "sdk.json", *only)
    assert len(document["ratios"]) == len(document["targets"]) == len(languages)


def test_the_import_benchmark_sees_files_hits_and_embeddings(tmp_path: Path) -> None:
    document = run_tiny("import", tmp_path / "import.json")
    assert {row["unit"] for row in document["rows"]} == {"files/s", "s", "passages/s", "texts/s"}
    assert {row["system"] for row in document["rows"] if row["unit"] == "texts/s"} == {"vexfs", "model alone"}


@pytest.mark.usefixtures("grpcload")
def test_the_search_benchmark_asks_every_question_once_but_the_popular_ones(tmp_path: Path) -> None:
    document = run_tiny("search", tmp_path / "search.json")
    popular = "search, popular questions, 16 clients"
    workloads = {"hybrid", "dense", "lexical", "hybrid, 2 clients", "hybrid, 8 clients", "popular questions, 16 clients"}
    assert {row["workload"] for row in document["rows"]} == {f"search, {name}" for name in workloads}
    assert len(document["targets"]) == 5
    best = {row["unit"]: row["max"] for row in document["rows"] if row["workload"] == popular}
    assert 0 < best["hit ratio"] <= best["repeated"] < 1


def test_the_quality_benchmark_compares_the_three_modes_on_a_set_in_beirs_format(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    texts = {"a": "Bread rises because yeast makes gas.", "b": "The tide follows the moon.", "c": "Iron rusts in wet air."}
    questions = {"q1": "why does bread rise", "q2": "what moves the tide"}
    (folder / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": i, "title": "", "text": t}) + "\n" for i, t in texts.items())
    )
    (folder / "queries.jsonl").write_text("".join(json.dumps({"_id": i, "text": t}) + "\n" for i, t in questions.items()))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\ta\t1\nq2\tb\t2\nq2\tc\t0\n")
    document = run_tiny("quality", tmp_path / "quality.json", "--corpus", str(folder))
    assert {row["workload"] for row in document["rows"]} == {"search, hybrid", "search, dense", "search, lexical"}
    best = {(row["workload"], row["unit"]): row["min"] for row in document["rows"]}
    assert best["search, hybrid", "nDCG@10"] == 1.0, "each question has its answer first"


def test_a_labelled_set_asks_for_functions_that_do_not_hold_their_question() -> None:
    chosen = labelled.docstrings(20)
    assert len(chosen.documents) == len(chosen.questions) == 20
    for question in chosen.questions:
        (name,) = question.relevant
        assert question.text not in " ".join(chosen.documents[name].split())


@needs_fuse
@pytest.mark.usefixtures("client")
def test_the_fairness_benchmark_measures_both_writers_alone_and_together(tmp_path: Path) -> None:
    document = run_tiny("fairness", tmp_path / "fairness.json")
    assert len(document["targets"]) == 2


@needs_fuse
@pytest.mark.usefixtures("client")
def test_the_spin_benchmark_measures_the_mount_with_and_without_it(tmp_path: Path) -> None:
    document = run_tiny("spin", tmp_path / "spin.json")
    assert {row["system"] for row in document["rows"]} == {"spin (default)", "no spin"}


@needs_fuse
@pytest.mark.usefixtures("client", "peer")
def test_the_flush_benchmark_times_close_alone(tmp_path: Path) -> None:
    document = run_tiny("flush", tmp_path / "flush.json")
    assert {row["workload"] for row in document["rows"]} == {
        "close() after a write of 4 KiB",
        "close() of a writer that wrote nothing",
        "close() of a reader",
    }


@pytest.mark.usefixtures("grpcload")
def test_the_vector_benchmark_measures_the_server_and_the_core_and_names_who_is_absent(tmp_path: Path) -> None:
    document = run_tiny("vectors", tmp_path / "vectors.json")
    systems = {row["system"] for row in document["rows"]}
    assert {"vexfs-grpc", "vexfs-grpc, 2 API processes", "vexfs-core"} <= systems
    notes = " ".join(document["notes"])
    for name in PEERS:
        assert name in systems or f"{name} is absent" in notes
    recalls = [row["min"] for row in document["rows"] if row["unit"] == "recall@10" and row["system"].startswith("vexfs")]
    assert len(recalls) == 3 * 8, notes
    assert min(recalls) == 1.0, "so few vectors are all compared"
    found = {row["min"] for row in document["rows"] if row["unit"] == "share of the new rows found"}
    assert found == {1.0}
    assert len([target for target in document["targets"] if target["met"]]) >= 5
    assert "| vexfs-core | 1.000 |" in summary(document)


@pytest.mark.usefixtures("grpcload")
def test_the_benchmark_of_a_million_vectors_holds_memory_against_its_bound(tmp_path: Path) -> None:
    document = run_tiny("million", tmp_path / "million.json")
    assert {target["bound"] for target in document["targets"]} == {6144, 0.98}


def test_the_benchmark_of_putting_points_measures_one_request_at_a_time_and_four(tmp_path: Path) -> None:
    document = run_tiny("ingest", tmp_path / "ingest.json")
    measured = {(row["workload"], row["unit"]) for row in document["rows"]}
    workloads = [f"put 500 points a request, {how}" for how in ("one after another", "4 in flight")]
    units = {(name, unit) for name in workloads for unit in ("rows/s", "p50 ms", "p99 ms", "CPU ms per 1,000 rows")}
    stream = {("put 500 points a message, as a stream", unit) for unit in ("rows/s", "CPU ms per 1,000 rows")}
    assert measured == units | stream
    assert {target["bound"] for target in document["targets"]} == {10_000}
    assert len(document["targets"]) == 3


@needs_fuse
@pytest.mark.usefixtures("client")
def test_the_growth_benchmark_holds_every_operation_of_a_large_tree_against_a_small_one(tmp_path: Path) -> None:
    document = run_tiny("growth", tmp_path / "growth.json")
    operations = set(growth.PHASES.values())
    measured = {(row["workload"], row["system"]) for row in document["rows"] if row["unit"] == growth.COST}
    named = {growth.workload_of(name, files) for name in (*operations, growth.FILL) for files in (100, 2000)}
    assert measured == {(name, system) for name in named for system in (VEXFS, PLAIN)}
    assert all(row["min"] > 0 for row in document["rows"] if row["workload"] in named)
    assert [target["bound"] for target in document["targets"]] == [growth.LARGEST_GROWTH] * len(operations)
    taken = {(row["workload"], row["system"]): row["min"] for row in document["rows"] if row["unit"] == growth.BYTES}
    assert set(taken) == {(growth.MEMORY_A_FILE, VEXFS), (growth.DISK_A_FILE, VEXFS), (growth.DISK_A_FILE, PLAIN)}
    assert taken[growth.DISK_A_FILE, VEXFS] > 100, "no file is smaller"
    assert f"## Medians, {VEXFS}" in growth.summary(document)
