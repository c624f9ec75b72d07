# `make run` brings up a working panel; `make test` runs every test. Both install Python packages into .venv;
# system packages are installed by `make install` only, or under CI=true as root.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TEST_KEY := 'a key for tests only, which no site must ever use'
WITHOUT_INDEX_HOSTS := --no-emit-index-url --no-header --quiet
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes $(WITHOUT_INDEX_HOSTS)
INSTALL_EFCPCTL := $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  --config-settings editable_mode=compat --editable .

CASES ?= 2000

.PHONY: help run dev install test coverage mutants fuzz lint schema bench attacks soak lock clean

help: ## Say what the targets do
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 16

run: $(VENV)/.run ## Start the panel at http://127.0.0.1:8000/cp/, with watcher, worker and sandbox proxy
	@exec $(BIN)/python manage.py run --end-with-parent

dev: $(VENV)/.dev ## The same for developers: autoreload, debug toolbar, sandbox proxy
	@export DJANGO_SETTINGS_MODULE=efcp.dev.settings GUNICORN_CMD_ARGS='--reload --workers 1'
	exec $(BIN)/python manage.py run --end-with-parent

install: ## Install the Debian packages that the tests need (as root)
	@PYTHON='$(PYTHON)' tests/install --install

test: $(VENV)/.dev ## Run every test: on SQLite, on MariaDB, in Chromium
	@$(BIN)/python -m tests.run

coverage: $(VENV)/.dev ## Print branch coverage of the tests on SQLite; fail below the floor in pyproject.toml
	@EFCP_SECRET_KEY=$(TEST_KEY) $(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(COVERAGE)

mutants: $(VENV)-mutants/.done ## Change the pure cores and see which tests fail: make mutants MUTANTS='dispatcher/routing/*'
	@$(VENV)-mutants/bin/python -m tests.mutants $(MUTANTS)

fuzz: $(VENV)/.dev ## Run the property tests on random input; pin what fails with @example
	@EFCP_SECRET_KEY=$(TEST_KEY) $(BIN)/python -m pytest --hypothesis-profile=fuzz -m hypothesis $(FUZZ)

lint: $(VENV)/.dev ## Check style, types, layers, migrations, templates and lock files
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/djlint templates --profile=django --lint
	$(BIN)/python -m tests.lint

schema: $(VENV)/.dev ## Send each API operation 2,000 drawn requests, on SQLite and MariaDB: make schema CASES=100 ONLY=plan
	@SCHEMATHESIS_CASES=$(CASES) $(BIN)/python -m tests.schema $(ONLY)

bench: $(VENV)/.dev ## Print how fast the pages are, on MariaDB under gunicorn
	@$(BIN)/python -m tests.bench

attacks: $(VENV)/.dev ## Print how long health check and sign-in take during attacks and a stalled database
	@$(BIN)/python -m tests.bench.attacks

soak: $(VENV)/.dev ## Print the watcher's memory over half an hour, at 20 proxies of 1,000 destinations
	@$(BIN)/python -m tests.bench.soak

lock: $(VENV)/.dev ## Renew the lock files from pyproject.toml
	@$(BIN)/pip install --quiet uv
	$(COMPILE) --extra replay --group build pyproject.toml -o requirements/run.lock
	$(COMPILE) --extra mysql --extra replay --group build pyproject.toml -o requirements/site.lock
	$(COMPILE) --extra mysql --extra replay --group build --group dev pyproject.toml -o requirements/dev.lock
	$(COMPILE) --extra mysql --extra replay --group build --group dev --group mutants pyproject.toml -o requirements/mutants.lock

clean: ## Remove the virtual environment (the data under var/ stays)
	@rm -rf $(VENV) $(VENV)-mutants

$(VENV)/bin/python:
	@if ! command -v $(PYTHON) >/dev/null; then
	  echo "Python is missing: install Python 3.11 or later (Debian: python3 and python3-venv)." >&2; exit 1
	fi
	if ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
	  echo "$$($(PYTHON) --version) is too old: EFCP needs Python 3.11 or later (Debian 12: python3)." >&2; exit 1
	fi
	if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then
	  echo "Python's venv module is missing: install it (Debian: python3-venv)." >&2; exit 1
	fi
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.lock | $(VENV)/bin/python
	@$(BIN)/pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes -r $<
	$(INSTALL_EFCPCTL)
	touch $@

$(VENV)-mutants/.done: requirements/mutants.lock $(VENV)/.dev
	@$(PYTHON) -m venv $(VENV)-mutants
	$(VENV)-mutants/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# Python itself may be among what is installed first, so that it can't be a prerequisite here.
$(VENV)/.dev: requirements/dev.lock requirements/axe.lock tests/install
	@PYTHON='$(PYTHON)' tests/install
	$(MAKE) --no-print-directory $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/axe.lock
	$(INSTALL_EFCPCTL)
	touch $@ $(VENV)/.run
