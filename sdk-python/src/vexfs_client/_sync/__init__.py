"""The synchronous client. But for `transport.py` these modules are made from those of `_async` by `scripts/make-sync`."""
