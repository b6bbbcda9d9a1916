"""What VexFS does: one function an operation, in VexFS's own types, and the only place with behaviour.

Called by the surfaces (`vexfs.api`, `vexfs.mount`); calls `vexfs.store` and `vexfs.views`.
"""
