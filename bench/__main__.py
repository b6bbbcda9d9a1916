"""`python -m bench NAME [--quick] [--rounds N] [--only SYSTEM]`: runs a benchmark, keeps its results, prints the tables last.

Progress goes to stderr, the tables to stdout. A full run writes bench/results/NAME.json and docs/performance/NAME.md; a quick
one writes bench/results/NAME.quick.json, which git ignores.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from bench import api, fairness, flush, growth, import_corpus, ingest, million, mount, quality, sdk, search, spin, vectors
from bench.runner import build, machine, record, report

MODULES = (mount, api, import_corpus, search, quality, fairness, spin, flush, sdk, vectors, million, ingest, growth)
BENCHMARKS = {module.BENCHMARK.name: module.BENCHMARK for module in MODULES}
RESULTS = machine.ROOT / "bench" / "results"
PAGES = machine.ROOT / "docs" / "performance"


def main(arguments: list[str] | None = None) -> int:
    parsed = _parser().parse_args(arguments)
    benchmark = BENCHMARKS[parsed.name]
    if parsed.page:
        return _write_page(benchmark, json.loads((RESULTS / f"{benchmark.name}.json").read_text(encoding="utf-8")))
    options = record.Options(
        parsed.quick, parsed.rounds, frozenset(parsed.only), parsed.tiny, parsed.corpus, tuple(parsed.size)
    )
    full = not (options.quick or options.tiny or options.only or options.corpus or options.sizes)
    header = machine.header(f"make bench NAME={benchmark.name}" + (" QUICK=1" if options.quick else ""))
    found = record.Record()
    try:
        benchmark.run(options, found)
    except (build.NotAvailable, RuntimeError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    document = record.document(benchmark, found, header)
    results = parsed.output or RESULTS / f"{benchmark.name}{'' if full else '.quick'}.json"
    record.write_document(results, document)
    if full and not parsed.output:
        _write_page(benchmark, document)
    sys.stdout.write(f"run {document['run_id']}, commit {document['commit']}\n\n{report.tables(document)}")
    return 0


def _write_page(benchmark: record.Benchmark, document: dict[str, object]) -> int:
    PAGES.mkdir(parents=True, exist_ok=True)
    (PAGES / f"{benchmark.name}.md").write_text(report.page(benchmark, document), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Runs one benchmark.")
    parser.add_argument("name", choices=sorted(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="small and short: for a look, not for numbers to quote")
    parser.add_argument("--tiny", action="store_true", help="one round of next to nothing: proves that the benchmark works")
    parser.add_argument("--rounds", type=int, default=0, metavar="N", help="rounds, instead of the benchmark's own number")
    parser.add_argument("--only", action="append", default=[], metavar="SYSTEM", help="leave the other systems out; repeatable")
    parser.add_argument("--corpus", type=Path, metavar="FOLDER", help="quality: a labelled set in BEIR's format")
    parser.add_argument("--size", action="append", type=int, default=[], metavar="N", help="vectors: how many; repeatable")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write the results there and no page")
    parser.add_argument("--page", action="store_true", help="write the page again from the kept results, measuring nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
