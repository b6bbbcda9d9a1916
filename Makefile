# VexFS: everything a person starts. `make help` lists it.
#
# What was done once leaves a stamp under .venv, so that a second `make run` installs nothing. PYTHON=… chooses the interpreter,
# VEXFS_DATA=… the data folder. No target removes data or touches a live mount.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input

.PHONY: help setup setup-dev run test test-server tools lint docs generate requirements clean

help: ## list what can be made
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 14

# ---- setting up ------------------------------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@scripts/make-venv $(VENV) $(PYTHON)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: requirements/runtime.txt pyproject.toml | $(STAMPS)/venv
	@echo "installing the packages VexFS runs on (requirements/runtime.txt)"
	@$(PIP_INSTALL) --require-hashes -r requirements/runtime.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/dev: requirements/dev.txt | $(STAMPS)/runtime
	@echo "installing the packages the tests and checks need (requirements/dev.txt)"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

setup: $(STAMPS)/runtime ## what `make run` needs: .venv, packages, model weights

setup-dev: setup $(STAMPS)/dev ## and what `make test` needs: checkers, buf, the OpenAPI generator

# The parts bring their own targets, and add to `setup` what they need; each says so at its top.
include $(wildcard make/*.mk)

setup-dev: contract-tools

requirements: | $(STAMPS)/venv ## make the locked requirement files again from pyproject.toml
	@scripts/lock-requirements

# ---- using it --------------------------------------------------------------------------------------------------------------

run: setup ## serve on 8080 and 8083, mount ./mnt, import a corpus, show three searches, until Ctrl-C
	@exec $(BIN)/python -m vexfs.cli.run

# ---- checking it -----------------------------------------------------------------------------------------------------------

generate: setup-dev generate-contract generate-sdk-python generate-sdk-js generate-sdk-go generate-sdk-rust ## make again what is generated from proto/

lint: setup-dev lint-contract ## ruff, mypy --strict, buf lint
	@$(BIN)/ruff check server bench
	@$(BIN)/ruff format --check server bench
	@$(BIN)/mypy

test: tools lint test-sdk-python test-sdk-js test-sdk-go test-sdk-rust test-conformance conformance suites-mount test-server ## every check and every test: the server, the clients, the conformance suite, the mount

# Said at once, not after minutes.
tools:
	@scripts/check-tools

test-server: setup-dev ## the server's tests with their line coverage, or a part of them: PYTEST_ARGS='server/tests/store -x'
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest $(PYTEST_ARGS)
	@find . -maxdepth 1 -name '.coverage.*' -empty -delete  # of processes that tests kill while they write it
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --skip-covered --skip-empty $(if $(PYTEST_ARGS),--fail-under=0)

docs: docs-sdk-python docs-sdk-js docs-sdk-go docs-sdk-rust ## the API documentation of the four clients

clean: ## remove what is made again: caches, build results, .venv (never ./data, never ./mnt)
	@scripts/clean
