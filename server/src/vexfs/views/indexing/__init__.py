"""The parts of the indexer process: what waits, what is ignored, the writer of `derived.db`, the embedding thread."""
