"""The operations of the mount by area; each module answers a few opcodes with functions of `vexfs.core`.

Called by the loop through one table. A handler runs in the loop's thread, never waits, and raises domain errors.
"""
