"""The conformance adapter of the Python SDK: makes the calls that the runner names through the SDK's public API.

Run as `python -m vexfs_client_conformance` (the asynchronous client) or with `--sync` (the synchronous one), with this folder's
parent on PYTHONPATH. conformance/README.md describes the protocol and the table of calls.
"""
