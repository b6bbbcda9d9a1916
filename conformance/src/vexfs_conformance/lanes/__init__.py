"""The ways to the server: the surfaces themselves (`raw_grpc`, `raw_rest`, `raw_connect`) and SDKs behind adapters (`adapter`)."""
