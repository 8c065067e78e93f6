# `make run` starts the service, `make check` gives a verdict in minutes, `make test` is everything that must pass.
# Each sets up what it needs in .venv first.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
HOST ?= 127.0.0.1
PORT ?= 8000
export HOST PORT
unexport PYTHONDONTWRITEBYTECODE # the tests start many processes, each of which would compile the project again

.DEFAULT_GOAL := help
.PHONY: help run check test lint types units pytest environments fuzz bench profile soak contract contract-compare derive record mutants yardstick format wheelhouse requirements clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run ## start the proxy with the sandbox on, at HOST:PORT (127.0.0.1:8000)
	@SANDBOX=1 exec $(BIN)/gunicorn

check: lint types units ## a verdict in minutes: style, types, units, derived fixtures, one run of the contract suite

test: lint types pytest ## run every check and every test

lint: .venv/test
	@echo "== ruff: style, likely mistakes, formatting"
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: .venv/test
	@echo "== mypy: types of compat, proxy and app"
	@$(BIN)/mypy

PYTEST := $(BIN)/python -m pytest --dist loadscope --no-loadscope-reorder
CONTRACT_RUN := tests/contract/test_contract_suite.py::test_every_row_passes_with_the_sandbox
UNITS := tests/compat tests/proxy tests/sandbox tests/spec tests/contract_fixtures/test_derived.py $(wildcard tests/test_*.py)

units: .venv/test
	@echo "== pytest: units, derived fixtures, and the contract suite against the sandbox"
	@$(PYTEST) -n 2 $(CONTRACT_RUN) $(UNITS)

pytest: environments
	@echo "== pytest: everything, on four workers, since many tests wait"
	@$(PYTEST) -n 4

environments: .venv/test ## fetch the packages that some tests need beside ours (other versions of the SDKs and the like)
	@echo "== environments: packages of some tests, in .cache"
	@$(BIN)/python -m tests.support.environments

fuzz: .venv/test ## made-up requests and answers: 5,000 for each property, 500 for each operation (FUZZ_EXAMPLES), five minutes (FUZZ_SECONDS)
	@echo "== hypothesis: every property of compat, 5,000 examples"
	@$(BIN)/python -m pytest -n 2 -m hypothesis --hypothesis-profile=fuzz --timeout 0 tests/compat
	@echo "== schemathesis: good and bad requests made up from /openapi.json"
	@FUZZ_EXAMPLES=$${FUZZ_EXAMPLES:-500} $(BIN)/python -m pytest --timeout 0 tests/conformance/test_schemathesis.py
	@echo "== atheris: streams of JSON and forms, whatever bytes reach a branch that was not reached before"
	@$(BIN)/python -m tests.fuzz

contract: .venv/test ## test any server against both APIs: BASE_URL=... API_KEY=... [ONLY=openai|chat|gemini] [MODEL=...] [ROWS=...] [LIST=1] [OUT=...] [UPSTREAM_PORT=...] [YES=1]
	@CONTRACT_API_KEY="$$API_KEY" $(BIN)/python -m contract $(if $(BASE_URL),--base-url "$(BASE_URL)") \
		$(if $(ONLY),--only "$(ONLY)") $(if $(MODEL),--model "$(MODEL)") $(if $(ROWS),--rows "$(ROWS)") \
		$(if $(LIST),--list) $(if $(OUT),--out "$(OUT)") $(if $(YES),--yes) \
		$(if $(UPSTREAM_PORT),--upstream-port "$(UPSTREAM_PORT)")

ifneq (,$(filter contract,$(MAKECMDGOALS)))
ifeq (,$(BASE_URL)$(LIST)) # found before packages are installed
$(error Name a server, for example: make contract BASE_URL=http://127.0.0.1:8000 API_KEY=sandbox)
endif
endif

contract-compare: .venv/test ## two reports side by side: make contract-compare A.json B.json
	@$(BIN)/python -m contract.compare $(filter %.json,$(MAKECMDGOALS))

ifneq (,$(filter contract-compare,$(MAKECMDGOALS)))
.PHONY: $(filter %.json,$(MAKECMDGOALS))
$(filter %.json,$(MAKECMDGOALS)): # the reports are words of the command, not things to make
	@:
endif

bench: .venv/test ## measure what the service costs beside nginx (BENCH="--quick", "--with-litellm", ...)
	@$(BIN)/python -m bench $(BENCH)

profile: .venv/test ## show where the time of the service goes, surface by surface
	@$(BIN)/python -m bench.profile

soak: .venv/test ## load, kills and faults for ten minutes (SECONDS=180): nothing lost, nothing wrong, nothing grows
	@$(BIN)/python -m bench.soak --seconds $(or $(SECONDS),600) $(if $(BUDGET),--budget)

yardstick: .venv/test ## compare gateways: install, test and write docs/gateways.md (ONLY=LiteLLM for one, ROWS=..., COSTS=1 for CPU and memory)
ifdef COSTS
	@mkdir -p .cache && rm -f .cache/costs.json
	@$(BIN)/python -m bench --only cpu --only held --with-litellm --json .cache/costs.json $(BENCH) || test -f .cache/costs.json
	@$(BIN)/python -m contract.yardstick --page --bench .cache/costs.json
else
	@$(BIN)/python -m contract.yardstick $(if $(ONLY),--only "$(ONLY)") $(if $(ROWS),--rows "$(ROWS)")
endif

derive: .venv/test ## write contract_fixtures/derived from spec/
	@$(BIN)/python -m spec.derive

record: .venv/test ## record what Google really answers, and how that differs: API_KEY=... [UPSTREAM=https://...] [MODEL=...] [INTO=folder]
	@API_KEY="$$API_KEY" $(BIN)/python -m contract.record $(if $(UPSTREAM),--upstream "$(UPSTREAM)") \
		$(if $(MODEL),--model "$(MODEL)") $(if $(INTO),--into "$(INTO)")

mutants: .venv/test ## put small faults into the service: every row of the suite against every fault (three minutes)
	@$(BIN)/python -m tests.mutants

format: .venv/test ## format the code
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

wheelhouse: .venv/bin/python ## fetch every package as a wheel into wheelhouse/, to install where there is no internet
	@$(BIN)/pip wheel --quiet --disable-pip-version-check --wheel-dir wheelhouse -r requirements.txt
	@echo "Copy the project with wheelhouse/, and there: pip install --no-index --find-links wheelhouse -r requirements.txt"

requirements: .venv/test ## pin all dependencies of the two .in files
	@$(BIN)/pip install --quiet pip-tools
	@$(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links -o requirements.txt requirements.in
	@$(BIN)/pip-compile --quiet --strip-extras --no-header --no-emit-index-url --no-emit-find-links -o requirements-dev.txt requirements-dev.in

clean: ## remove what these commands made: packages, caches, stored pictures, the database, reports
	rm -rf .venv .cache wheelhouse .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -rf images twinlens.sqlite3* contract-report.* contract-compare.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

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
