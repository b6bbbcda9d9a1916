# The contract: linting it, and generating from it. Included by the root Makefile; needs .venv (Python with the dev
# dependencies), Node for buf, and Go for the OpenAPI generator. Once those are installed nothing here uses the network.

BUF := node_modules/.bin/buf
OPENAPI_GENERATOR := .cache/bin/protoc-gen-openapi
# What `buf breaking` compares with: a branch, tag or commit of this repository; the published main unless said otherwise.
CONTRACT_BASE ?= $(if $(shell git rev-parse --quiet --verify origin/main 2>/dev/null),origin/main,main)

.PHONY: generate-contract lint-contract breaking-contract contract-tools

setup-dev: contract-tools
lint: lint-contract
generate: generate-contract ## the code and the OpenAPI document that come from the contract

# Writes server/src/vexfs/contract/{v1,openapi.json}.
generate-contract: contract-tools $(STAMPS)/dev
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BUF) generate

# Every STANDARD and comment rule, the format, and no breaking change against $(CONTRACT_BASE).
lint-contract: $(BUF) breaking-contract
	@$(BUF) lint proto
	@$(BUF) format --diff --exit-code proto

breaking-contract: $(BUF)
	@tools/contract-breaking $(CONTRACT_BASE)

contract-tools: $(BUF) $(OPENAPI_GENERATOR)

# Not `npm ci`: it insists on the packages of every platform, and the lock file has those of Linux. Versions and hashes are the
# lock file's all the same, and it is not written.
$(BUF): package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 18 or later (Debian: apt install npm); buf comes with it" >&2; exit 1; }
	npm install --no-save --ignore-scripts
	@touch $@

$(OPENAPI_GENERATOR): tools/openapi/go.mod tools/openapi/go.sum
	@command -v go >/dev/null || { echo "go is missing: install Go 1.24 or later (Debian: apt install golang-go); the OpenAPI generator is built with it" >&2; exit 1; }
	cd tools/openapi && GOBIN="$(CURDIR)/.cache/bin" go install github.com/google/gnostic/cmd/protoc-gen-openapi
	@touch $@
