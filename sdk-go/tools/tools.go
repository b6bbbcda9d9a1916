//go:build tools

// Package tools pins what generates and checks the SDK: go.mod names the versions, go.sum what they must hash to.
package tools

import (
	_ "google.golang.org/grpc/cmd/protoc-gen-go-grpc"
	_ "google.golang.org/protobuf/cmd/protoc-gen-go"
	_ "honnef.co/go/tools/cmd/staticcheck"
)
