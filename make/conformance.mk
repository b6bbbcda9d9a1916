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

conformance: setup-dev ## run the conformance suite against a server it starts: LANES=grpc,rest SDKS=python,js CASES='Files/*'
	@$(CONFORMANCE_RUN) run --serve --complete --known conformance/known-failures.yaml --report build/conformance $(if $(LANES),--lane $(LANES)) $(if $(SDKS),--sdk $(SDKS)) $(if $(CASES),--case '$(CASES)')

lint: lint-conformance
lint-conformance: setup-dev
	@$(BIN)/ruff check conformance
	@$(BIN)/ruff format --check conformance
	@$(BIN)/mypy --config-file conformance/pyproject.toml

test-conformance: setup-dev lint-conformance ## the conformance suite's own tests
	@$(BIN)/python -m pytest -c conformance/pyproject.toml --rootdir conformance conformance/tests $(PYTEST_ARGS)
