# Two commands do everything: `make run` and `make test`. Both set up what they need in .venv first.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
HOST ?= 127.0.0.1
PORT ?= 8000
export HOST PORT

.DEFAULT_GOAL := help
.PHONY: help run test lint types pytest fuzz format requirements clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run ## start the proxy with the sandbox on, at HOST:PORT (127.0.0.1:8000)
	@SANDBOX=1 exec $(BIN)/gunicorn

test: lint types pytest ## run every check and every test

lint: .venv/test
	@echo "== ruff: style, likely mistakes, formatting"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/test
	@echo "== mypy: types of compat, proxy and app"
	@$(BIN)/mypy

pytest: .venv/test
	@echo "== pytest: units, both SDKs over real sockets against a running gunicorn"
	@$(BIN)/python -m pytest -n 2 --dist loadscope

fuzz: .venv/test ## hold both APIs against /openapi.json with 500 requests for each operation (FUZZ_EXAMPLES)
	@echo "== schemathesis: good and bad requests made up from /openapi.json"
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-500} $(BIN)/python -m pytest tests/conformance/test_schemathesis.py

format: .venv/test ## format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

requirements: .venv/test ## pin all dependencies anew from the two .in files
	@$(BIN)/pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links -o requirements.txt requirements.in
	@$(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links -o requirements-dev.txt requirements-dev.in

clean: ## remove what these commands made
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Twinlens needs Python 3.11 or newer; name one with PYTHON=...")'
	@echo "== setting up .venv"
	@$(PYTHON) -m venv .venv

.venv/run: .venv/bin/python requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/test: .venv/run requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
