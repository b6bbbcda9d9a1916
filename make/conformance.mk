# The conformance suite (conformance/): what it takes from the contract, its own tests, and the run of everything against a server
# that it starts. It needs no packages beside those of the server and its tests.

CONFORMANCE := conformance/src/vexfs_conformance
CONFORMANCE_CONTRACT := $(CONFORMANCE)/_generated/contract.binpb
CONFORMANCE_RUN := PYTHONPATH=conformance/src $(BIN)/python -m vexfs_conformance

.PHONY: conformance test-conformance lint-conformance generate-conformance

generate: generate-conformance

# The contract and the suite's own messages, as one set of descriptors: the suite makes its message classes of it.
generate-conformance: contract-tools
	@$(BUF) build . --exclude-source-info --output $(CONFORMANCE_CONTRACT)

# The clients that are asked, and what has to be there for each; the adapters of Go and Rust build themselves.
SDKS ?= python,js,go,rust
CONFORMANCE_SDKS := $(if $(findstring python,$(SDKS)),setup-sdk-python) $(if $(findstring js,$(SDKS)),sdk-js) $(if $(findstring rust,$(SDKS)),rust-toolchain)

conformance: setup-dev $(CONFORMANCE_SDKS) ## every client and every surface against a server that it starts: SDKS=python,js LANES=grpc,rest CASES='Files/*'
	@$(CONFORMANCE_RUN) run --serve $(if $(CASES),--case '$(CASES)',--complete) --known conformance/known-failures.yaml --report build/conformance $(if $(LANES),--lane $(LANES)) --sdk '$(SDKS)'
	@$(if $(filter-out Quota/%,$(CASES)),,$(CONFORMANCE_RUN) run --serve --quota 1MiB --case '$(or $(CASES),Quota/*)' --report build/conformance-quota $(if $(LANES),--lane $(LANES)) --sdk '$(SDKS)')

lint: lint-conformance
lint-conformance: setup-dev
	@$(BIN)/ruff check conformance
	@$(BIN)/ruff format --check conformance
	@$(BIN)/mypy --config-file conformance/pyproject.toml

test-conformance: setup-dev lint-conformance ## the conformance suite's own tests
	@$(BIN)/python -m pytest -c conformance/pyproject.toml --rootdir conformance conformance/tests $(PYTEST_ARGS)
