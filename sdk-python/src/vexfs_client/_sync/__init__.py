"""The synchronous client. Where a module says so, `scripts/make-sync` made it from that of `_async`."""
