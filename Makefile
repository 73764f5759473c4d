# `make` lists the targets. Everything is installed into .venv from requirements/ (pinned, with hashes); nothing is
# installed again while its list is unchanged. Only `make test` touches the system, and only as root on Debian.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# Bytecode is kept, whatever the machine's habit: a run starts hundreds of processes, each of which would compile it anew.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# The floor of branch coverage over all packages; that of the rules is 100.
COVERAGE_FLOOR ?= 90
# The least share of mutants that the tests of the rules must kill, in percent.
MUTATION_FLOOR ?= 90
# One worker more than there are cores: at any time some test waits for a server or for a deadline.
WORKERS ?= $(shell echo $$(( $$(nproc) + 1 )))
SPREAD = --numprocesses=$(WORKERS) --dist=loadgroup --no-loadscope-reorder
# What the inner loop leaves out: whatever starts a cluster, a database server, Alertmanager or a browser, or talks over a socket.
FAST := -m 'not (cluster or postgres or alertmanager or browser or door or slow)' \
	$(addprefix --ignore=tests/,acceptance benchmarks bot/cluster bot/intake sandbox)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ------------------------------------------------------------------------------------------------------------ use it

.PHONY: setup
setup: .venv/.installed-run .venv/.installed-project ## install what running needs, and no test tools

.PHONY: demo
demo: setup ## start the whole product with a Slack stand-in and an agent, print the address (DEMO="--kubeconfig F ...")
	@exec $(BIN)/countersign demo $(DEMO)

.PHONY: cluster
cluster: ## build the real loopback cluster once, then start it
	@$(PYTHON) -m sandbox.devcluster build
	@$(PYTHON) -m sandbox.devcluster start

# ----------------------------------------------------------------------------------------------------------- prove it

.PHONY: test
test: system-packages dev ## everything: system packages, cluster, check, the whole suite, coverage floors
	@nice -n 19 $(PYTHON) -m sandbox.devcluster build >.venv/cluster.log 2>&1 & build=$$!; \
	trap 'failed=$$?; kill $$build 2>/dev/null || :; (( failed == 0 )) || tail -n 5 .venv/cluster.log' EXIT; \
	$(MAKE) --no-print-directory suite; \
	wait $$build

# The check runs beside the tests and ends them when it fails. The cluster's programs may still be compiling: whoever
# needs them comes last then, and waits.
.PHONY: suite
suite: dev
	@$(BIN)/coverage erase
	@CI=true $(BIN)/coverage run -m pytest $(SPREAD) --ignore=tests/benchmarks & tests=$$!; \
	$(MAKE) --no-print-directory check || { kill $$tests; exit 1; }; \
	wait $$tests
	@$(BIN)/coverage combine --quiet
	@$(BIN)/coverage report --format=total --include='approvals/*' --fail-under=100 >/dev/null \
		|| { $(BIN)/coverage report --include='approvals/*'; echo 'The rules must be covered whole, branches included.'; exit 1; }
	@$(BIN)/coverage report --fail-under=$(COVERAGE_FLOOR)

.PHONY: soak
soak: dev ## replicas: races of 2,000 rounds (ROUNDS=n), and 200 faults (FAULTS=n, SEED=n); prints a record; takes two hours or more
	@rm -f .venv/soak.txt
	@trap 'cat .venv/soak.txt 2>/dev/null || :' EXIT; \
	COUNTERSIGN_RECORD=.venv/soak.txt \
	COUNTERSIGN_ROUNDS=$(or $(ROUNDS),2000) COUNTERSIGN_FAULTS=$(or $(FAULTS),200) COUNTERSIGN_SEED=$(or $(SEED),7) \
		$(BIN)/pytest -q -p no:cacheprovider tests/usecases/test_replicas.py tests/acceptance/test_replicas_dying.py $(T)

.PHONY: test-fast
test-fast: dev ## the inner loop: no cluster, no database server, no browser, no sockets (T="-k name" narrows it)
	@$(BIN)/pytest -q --durations=0 --durations-min=2 --numprocesses=$(shell nproc) $(FAST) $(T) || (( $$? == 5 ))

.PHONY: check
check: dev ## format, lint, types, import contracts
	@$(BIN)/ruff format --check --quiet . || { echo 'Not formatted: run make fix'; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-logo >.venv/contracts.log || { cat .venv/contracts.log; exit 1; }
	@echo 'check: format, lint, types and contracts hold'

.PHONY: benchmark
benchmark: dev ## print the ratios that the product is held to, on SQLite and PostgreSQL, once the benchmarks pass their own tests
	@CI=true $(BIN)/pytest -q tests/benchmarks
	@$(BIN)/python -m benchmarks

.PHONY: mutate
mutate: dev ## change the rules on purpose and count how many changes its tests notice
	@$(BIN)/mutmut run
	@$(BIN)/mutmut export-cicd-stats
	@$(BIN)/python tools/mutation_score.py --floor $(MUTATION_FLOOR)

# ----------------------------------------------------------------------------------------------------------- keep it

.PHONY: fix
fix: dev ## format, and mend what the linter can mend by itself
	@$(BIN)/ruff check --fix --quiet . || true
	@$(BIN)/ruff format .

.PHONY: golden
golden: dev ## write the golden files anew; read the difference before you commit it
	@$(BIN)/pytest -m golden --rewrite-golden
	@git status --short -- tests

.PHONY: lock
lock: .venv/.installed-lock ## write requirements/ anew from pyproject.toml (UPGRADE=--upgrade takes new versions)
	@tools/lock.sh $(UPGRADE)

.PHONY: clean
clean: ## remove what this file made here; the cluster's cache stays
	@rm -rf .venv build dist mutants htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# ------------------------------------------------------------------------------------------------------- what it takes

.PHONY: dev
dev: setup .venv/.installed-dev

.PHONY: system-packages
system-packages:
	@tools/system_packages.sh

.venv/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	@$(PYTHON) -m venv .venv || { echo 'python3 -m venv failed; on Debian: apt-get install python3-venv'; exit 1; }
	@touch $@

.venv/.installed-run: requirements/run.txt | .venv/.made
	@echo 'Installing what running needs ...'
	@$(PIP_INSTALL) --require-hashes -r requirements/run.txt
	@touch $@

.venv/.installed-dev: requirements/dev.txt | .venv/.installed-run
	@echo 'Installing what the tests need ...'
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# The packages are found where they lie, so this has to be done again only when the project file changes.
.venv/.installed-project: pyproject.toml | .venv/.installed-run
	@$(PIP_INSTALL) --no-build-isolation --no-deps --editable .
	@touch $@

.venv/.installed-lock: requirements/lock.txt | .venv/.made
	@$(PYTHON) -m venv .venv/lock
	@.venv/lock/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
	@touch $@
