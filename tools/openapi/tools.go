//go:build tools

// Package tools pins the OpenAPI generator: go.mod names its version, go.sum what it must hash to.
package tools

import _ "github.com/google/gnostic/cmd/protoc-gen-openapi"
