"""The asynchronous client. `scripts/make-sync` makes those of `_sync` from these, but for what needs a hand."""
