"""What all benchmarks share: recording, machine facts, processes and pinning, systems under test, reports."""
