"""Generated from proto/vexfs/v1: messages (`*_pb2`) and gRPC client stubs (`*_pb2_grpc`). Never edited by hand."""
