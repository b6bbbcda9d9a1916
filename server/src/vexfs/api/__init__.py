"""The API process: one contract on gRPC and REST.

`application` composes it, `dispatch` carries every call, `methods` translates messages to core operations and back,
`grpc` and `rest` speak the protocols. Started by the supervisor as `python -m vexfs.api`.
"""
