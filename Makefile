# Every target works on a fresh checkout: .venv is made when it is missing and
# brought up to date when pyproject.toml has changed.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo machine test test-all check lint bench bench-server bench-full docs docs-output screenshots clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.installed ## install and run the demo: real training runs in ./arangopipe-demo.db
	@$(BIN)/arangopipe demo

machine: ## install what the tests need of the system, where it is missing: PostgreSQL 15, Chromium, curl
	@sh tests/machine.sh

test: machine lint ## everything that a change must pass
	$(BIN)/python -m pytest -n 2 --dist loadgroup

test-all: export HYPOTHESIS_PROFILE := thorough
test-all: export PYTEST_TIMEOUT := 3600
test-all: test ## the same, with many more generated examples

check: lint ## the fast loop, under two minutes
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q -m "not slow and not fault"

lint: $(VENV)/.installed-dev ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(VENV)/.installed-dev ## measure against hand-written SQL and peers, into docs/performance.md
	@$(BIN)/python benchmarks/bench.py --only log,bulk,lookup,lineage,search,writers,start \
	    --json .bench/bench.json --page docs/performance.md
	@$(MAKE) --no-print-directory bench-server

bench-server: $(VENV)/.installed-dev ## of that, the server, its pages, PostgreSQL, and trainings
	@$(BIN)/python benchmarks/bench.py --only http,pages,stores,training \
	    --json .bench/server.json --page docs/performance.md

bench-full: $(VENV)/.installed-dev ## the same up to a million runs; goes on where it was stopped
	@$(BIN)/python benchmarks/bench.py --sizes 1000,10000,100000,1000000 --peers-at 100000 \
	    --keep .bench/full --work .bench/work --json .bench/full.json --page docs/performance.md

docs: $(VENV)/.installed-dev ## build the documentation into docs/_build/html
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

docs-output: $(VENV)/.installed-dev ## run the commands that pages show, and write their output there
	@TZ=UTC $(BIN)/python docs/transcripts.py

screenshots: machine $(VENV)/.installed-dev ## take pictures of the web page into .screenshots and docs/pages
	@$(BIN)/python docs/screenshots.py

clean: ## remove .venv and everything that was built
	rm -rf $(VENV) build dist docs/_build .screenshots
	rm -rf .grimp_cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests docs benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "Arangopipe needs Python 3.10 or newer; name one with: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments. On Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	@echo "Installing arangopipe[demo] into $(VENV) ..."
	@$(PIP) install --quiet --editable '.[demo]'
	@touch $@

# Dependency groups need pip 25.1.
$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	@echo "Installing arangopipe and its development tools into $(VENV) ..."
	@$(PIP) install --quiet --upgrade 'pip>=25.1'
	@$(PIP) install --quiet --editable '.[all]' --group dev
	@touch $@ $(VENV)/.installed
