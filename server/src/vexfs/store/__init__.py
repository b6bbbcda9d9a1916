"""The transactional store of one volume: rows in SQLite, large content in blobs, one log.

Called by `vexfs.core` (operations) and `vexfs.views` (the log). Calls nothing of VexFS but `vexfs.core.types` and
`vexfs.core.errors`, the vocabulary everybody shares.
"""
