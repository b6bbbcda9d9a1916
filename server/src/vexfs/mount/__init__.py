"""The mount: the FUSE protocol over `/dev/fuse`, in Python. How does the kernel see a volume?

One process a mount (`python -m vexfs.mount`). One thread, the loop, reads requests, runs operations of `vexfs.core` in groups
and answers; what has to wait (fsync, large content, `.search`) is answered from other threads. Holds no behaviour of its own
beyond what the kernel's protocol asks for: caching, buffering of writes, and telling the kernel what others changed.
"""
