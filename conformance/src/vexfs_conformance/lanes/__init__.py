"""The ways to the server: the surfaces themselves (`raw_*`), and SDKs behind adapters (`adapter`)."""
