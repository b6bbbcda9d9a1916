# The Python SDK: generating its messages and routes, checking it, testing it. Included by the root Makefile; needs CPython 3.11–3.13,
# buf, Node.js for pyright, and for the tests .venv with a server. Once its packages are there nothing here uses the network.

SDK_PYTHON := sdk-python
SDK_PYTHON_BIN := $(SDK_PYTHON)/.venv/bin
SDK_PYTHON_STAMP := $(SDK_PYTHON)/.venv/stamp
SDK_PYTHON_PYRIGHT := $(SDK_PYTHON)/node_modules/.bin/pyright
SDK_PYTHON_PATH := PATH="$(CURDIR)/$(SDK_PYTHON_BIN):$$PATH"

# Where pyenv has its Pythons, none of which need be on PATH.
SDK_PYTHON_PYTHONS := $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.1*/bin/python3)

.PHONY: setup-sdk-python generate-sdk-python requirements-sdk-python lint-sdk-python test-sdk-python tox-sdk-python

$(SDK_PYTHON_STAMP): $(SDK_PYTHON)/requirements/dev.txt $(SDK_PYTHON)/pyproject.toml
	@scripts/make-venv $(SDK_PYTHON)/.venv $(PYTHON)
	@echo "installing the packages of the Python SDK and its tests ($(SDK_PYTHON)/requirements/dev.txt)"
	@$(SDK_PYTHON_BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r $(SDK_PYTHON)/requirements/dev.txt
	@$(SDK_PYTHON_BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps --no-build-isolation -e $(SDK_PYTHON)
	@touch $@

# Not `npm ci`: it insists on the packages of every platform, and the lock file has those of Linux.
$(SDK_PYTHON_PYRIGHT): $(SDK_PYTHON)/package-lock.json $(SDK_PYTHON)/package.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 18 or later (Debian: apt install npm)" >&2; exit 1; }
	@cd $(SDK_PYTHON) && npm install --no-save --ignore-scripts
	@touch $@

setup-sdk-python: $(SDK_PYTHON_STAMP)

# Writes the folders _generated of the package and of its conformance adapter, the routes of REST (from openapi.json, so after
# generate-contract), and the synchronous half of the client.
generate-sdk-python: $(BUF) $(SDK_PYTHON_STAMP) ## the messages and routes of the Python SDK that come from the contract
	@$(SDK_PYTHON_PATH) $(SDK_PYTHON)/scripts/generate
	@$(SDK_PYTHON_PATH) $(SDK_PYTHON)/scripts/make-sync

requirements-sdk-python: ## make the Python SDK's locked requirements again from its pyproject.toml
	@$(SDK_PYTHON)/scripts/lock-requirements

lint-sdk-python: $(SDK_PYTHON_STAMP) $(SDK_PYTHON_PYRIGHT)
	@cd $(SDK_PYTHON) && .venv/bin/ruff check --quiet . && .venv/bin/ruff format --quiet --check .
	@cd $(SDK_PYTHON) && .venv/bin/mypy
	@cd $(SDK_PYTHON) && node_modules/.bin/pyright --project .

test-sdk-python: setup $(BUF) lint-sdk-python docs-sdk-python ## every check and test of the Python SDK, against a server of its own
	@cd $(SDK_PYTHON) && .venv/bin/coverage erase && nice .venv/bin/coverage run -m pytest $(PYTEST_ARGS)
	@cd $(SDK_PYTHON) && .venv/bin/coverage combine --quiet && .venv/bin/coverage report --skip-covered --skip-empty $(if $(PYTEST_ARGS),--fail-under=0)

tox-sdk-python: setup $(BUF) $(SDK_PYTHON_STAMP) ## the tests of the Python SDK under each CPython 3.11–3.13 on this machine
	@cd $(SDK_PYTHON) && nice .venv/bin/tox run $(if $(SDK_PYTHON_PYTHONS),--discover $(SDK_PYTHON_PYTHONS)) -- $(PYTEST_ARGS)

.PHONY: docs-sdk-python
docs-sdk-python: $(SDK_PYTHON_STAMP) ## the API documentation of the Python SDK, into build/docs/python; a warning fails
	@rm -rf build/docs/python && mkdir -p build/docs/python
	@cd build/docs/python && "$(CURDIR)/$(SDK_PYTHON_BIN)/python" -W error -m pydoc -w vexfs_client vexfs_client.fsspec >/dev/null
	@test -s build/docs/python/vexfs_client.html && test -s build/docs/python/vexfs_client.fsspec.html
