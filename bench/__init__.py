"""Benchmarks of VexFS: `python -m bench NAME`, one module a benchmark, `runner/` what they share.

Every number compares systems measured in the same run: rounds interleaved, each on a fresh server. Nothing here is imported by
the server.
"""
