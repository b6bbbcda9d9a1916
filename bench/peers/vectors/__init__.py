"""Vector databases and libraries behind one small interface, each in a process of its own (`worker`).

Runs under the peers' own Python (`bench.runner.peers`), the core of VexFS under the server's; so nothing here imports anything
of `bench` outside this folder. `engines.py` lists them.
"""
