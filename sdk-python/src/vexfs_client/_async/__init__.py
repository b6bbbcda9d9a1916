"""The asynchronous client. But for `transport.py` the modules of `_sync` are made from these by `scripts/make-sync`."""
