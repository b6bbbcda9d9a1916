# The Go SDK: generating its messages, checking it, testing it. Included by the root Makefile; needs Go 1.26, and for the
# tests .venv with a server. Once Go's modules are there nothing here uses the network.

GO_PLUGINS := .cache/bin/protoc-gen-go .cache/bin/protoc-gen-go-grpc
STATICCHECK := .cache/bin/staticcheck
GO_GENERATED := internal/vexfspb conformance/internal/adapterpb
# Builds run beside other work, and one at a time.
GO := nice go

.PHONY: generate-sdk-go check-generated-sdk-go lint-sdk-go test-sdk-go

# Writes the *.pb.go files of sdk-go.
generate-sdk-go: $(BUF) $(GO_PLUGINS) ## the Go messages and stubs that come from the contract
	PATH="$(CURDIR)/.cache/bin:$$PATH" $(BUF) generate --template sdk-go/buf.gen.yaml

# Fails if the checked-in files are not what the contract generates.
check-generated-sdk-go: $(BUF) $(GO_PLUGINS)
	@rm -rf .cache/sdk-go-generated && mkdir -p .cache/sdk-go-generated
	@PATH="$(CURDIR)/.cache/bin:$$PATH" $(BUF) generate --template sdk-go/buf.gen.yaml --output .cache/sdk-go-generated
	@for folder in $(GO_GENERATED); do diff -r sdk-go/$$folder .cache/sdk-go-generated/sdk-go/$$folder \
		|| { echo "sdk-go/$$folder is not what proto/ generates: run make generate-sdk-go" >&2; exit 1; }; done

lint-sdk-go: check-generated-sdk-go $(STATICCHECK)
	@test -z "$$(gofmt -l sdk-go | tee /dev/stderr)" || { echo "these files are not formatted: run gofmt -w sdk-go" >&2; exit 1; }
	@cd sdk-go && $(GO) vet -p 1 ./... && nice "$(CURDIR)/$(STATICCHECK)" ./...
	@cd sdk-go && $(GO) mod tidy -diff

test-sdk-go: setup lint-sdk-go docs-sdk-go ## every check and test of the Go SDK, against a server of its own
	cd sdk-go && $(GO) test -p 1 -race ./...

.PHONY: docs-sdk-go
docs-sdk-go: ## the API documentation of the Go SDK as text, into build/docs/go
	@mkdir -p build/docs/go
	@cd sdk-go && $(GO) doc -all . >../build/docs/go/vexfs.txt && test -s ../build/docs/go/vexfs.txt

$(GO_PLUGINS) $(STATICCHECK) &: sdk-go/tools/go.mod sdk-go/tools/go.sum
	@command -v go >/dev/null || { echo "go is missing: install Go 1.26 or later; the SDK's generators and checker are built with it" >&2; exit 1; }
	cd sdk-go/tools && GOBIN="$(CURDIR)/.cache/bin" $(GO) install -p 1 \
		google.golang.org/protobuf/cmd/protoc-gen-go google.golang.org/grpc/cmd/protoc-gen-go-grpc honnef.co/go/tools/cmd/staticcheck
	@touch $(GO_PLUGINS) $(STATICCHECK)
