# Everything that a developer or a CI machine types. Needs make and Python 3.11 or newer, nothing else.

.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules

# The first interpreter that is new enough; `make setup PYTHON=/path/to/python` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
VENV_LITELLM := .venv-litellm
BIN := $(VENV)/bin
UV_VERSION := 0.13.8

# The tests and the drills find `chaosproxy` and `fakeai` by their names.
export PATH := $(CURDIR)/$(BIN):$(PATH)

# On a CI machine every part is installed, so a skipped test means that something was not tested (tests/conftest.py).
ifeq ($(CI),true)
export CHAOSPROXY_NO_SKIPS := 1
endif

WORKERS ?= 2
PYTEST_ARGS ?=

# Total, and the rooms without I/O: lines and branches together, in per cent.
COVERAGE_MIN := 90
COVERAGE_PURE_MIN := 95
PURE_ROOMS := $(wildcard $(addprefix chaosproxy/, errors.py units.py events.py dice.py \
	wire faults plan journal steady_state experiment search))
PURE_GLOBS := $(foreach room,$(PURE_ROOMS),$(if $(filter %.py,$(room)),$(room),$(room)/*))
EMPTY :=
SPACE := $(EMPTY) $(EMPTY)
COMMA := ,

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# ------------------------------------------------------------------------------------------------------- environment

.PHONY: setup
setup: $(VENV)/.installed ## Create .venv with the locked versions (instant when nothing changed)

$(VENV)/.locked: requirements/dev.lock
	@test -n "$(PYTHON)" || { echo "chaosproxy needs Python 3.11 or newer, and none was found on the PATH." >&2; exit 1; }
	@echo "setup: installing the locked versions into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement requirements/dev.lock
	@touch $@

$(VENV)/.installed: $(VENV)/.locked pyproject.toml hatch_build.py
	@echo "setup: installing chaosproxy itself, editable"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# LiteLLM pins another openai than ours. tests/real/outcomes asks its SDK in a process of its own, tests/e2e/compose its proxy.
.PHONY: setup-litellm
setup-litellm: $(VENV_LITELLM)/.locked ## Create .venv-litellm, for the tests of LiteLLM (without it they are skipped)

$(VENV_LITELLM)/.locked: requirements/litellm.lock
	@test -n "$(PYTHON)" || { echo "chaosproxy needs Python 3.11 or newer, and none was found on the PATH." >&2; exit 1; }
	@echo "setup-litellm: installing the locked versions into $(VENV_LITELLM)"
	@test -x $(VENV_LITELLM)/bin/python || $(PYTHON) -m venv $(VENV_LITELLM)
	@$(VENV_LITELLM)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement $<
	@touch $@

.PHONY: setup-toxiproxy
setup-toxiproxy: setup ## Install the real Toxiproxy with Go, for the tests that compare ours with it (else they are skipped)
	@$(BIN)/python -m benchmarks.peers toxiproxy toxiproxy-cli

.PHONY: lock
lock: ## Regenerate requirements/*.lock (UPGRADE=1: to the newest versions)
	@test -x .venv-lock/bin/uv || $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(LOCK) pyproject.toml --extra pytest --extra search --extra tls --group dev --output-file requirements/dev.lock
	$(LOCK) pyproject.toml --constraint requirements/dev.lock --output-file requirements/runtime.lock
	$(LOCK) requirements/build.in --constraint requirements/dev.lock --output-file requirements/build.lock
	$(LOCK) requirements/litellm.in pyproject.toml --extra search --output-file requirements/litellm.lock
	@! grep -nE '://|^ *-[-a-z]*(index|find|trusted)' requirements/*.lock

# Universal: one file for every Python and system that we support. Pins that stand are kept unless UPGRADE is set.
LOCK = .venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade)

# -------------------------------------------------------------------------------------------------------------- runs

.PHONY: drill
drill: setup ## Set everything up and run the first experiment
	$(BIN)/chaosproxy run experiments/first-drill.yaml

DRILLS_ARGS ?=

.PHONY: drills
drills: setup ## Run all drills of docs/drills.md on the lab, with a table (DRILLS_ARGS="B8 --defects --at-once 3")
	$(BIN)/python -m scripts.drills $(DRILLS_ARGS)

.PHONY: reference
reference: setup ## Write docs/reference/ from the models
	$(BIN)/python -m scripts.generate_reference

.PHONY: screenshots
screenshots: setup ## Take the pictures of docs/images from a real run (needs a Chromium)
	$(BIN)/python -m scripts.screenshots

.PHONY: bench-report
bench-report: setup ## Measure reports: of 10,000 calls, of a gigabyte, and in a browser (five minutes)
	$(BIN)/python -m benchmarks.report

.PHONY: outcomes
outcomes: setup setup-litellm ## Measure what real clients do under each fault, and write the table and its page
	$(BIN)/pytest --quiet -p no:randomly tests/real/outcomes/rewrite.py
	$(BIN)/python -m scripts.generate_reference

.PHONY: peers
peers: setup ## Install the proxies that ours is compared with (needs Go and npm; what is missing is left out)
	@$(BIN)/python -m benchmarks.peers

.PHONY: bench
bench: peers compiled ## Measure the data plane (half an hour) and write docs/performance.md and benchmarks/baseline.json
	$(BIN)/python -m benchmarks.data_plane

.PHONY: bench-tcp
bench-tcp: peers compiled ## Measure the TCP level beside Toxiproxy (ten minutes), and write its part of docs/performance.md
	$(BIN)/python -m benchmarks.tcp

.PHONY: bench-quick
bench-quick: peers compiled ## Measure it coarsely (five minutes), and write nothing
	$(BIN)/python -m benchmarks.data_plane --quick

.PHONY: bench-check
bench-check: peers compiled ## Compare a shorter run with benchmarks/baseline.json; fails when a ratio has become worse
	$(BIN)/python -m benchmarks.data_plane --check

SOAK_ARGS ?=

.PHONY: soak
soak: setup ## Soak the proxy for half an hour, and write its part of docs/performance.md (SOAK_ARGS="--seconds 600": only print)
	$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

PROFILE_ARGS ?=

.PHONY: profile
profile: setup ## Show where the time goes under load (PROFILE_ARGS="--fault 'sse.drop each=7'", or --json)
	$(BIN)/python -m benchmarks.hot_spots $(PROFILE_ARGS)

# ------------------------------------------------------------------------------------------------------------- tests

# What fails beside the others is run once more, alone: on a machine with other work a test may starve. Only tests that
# failed get this chance; a session that ended in another way, or that skipped a test where none may be, is red at once.
ONLY_FAILED = [ $$? -eq 1 ] && echo "make test: what failed beside the others is run once more, alone" &&
ALONE = -n 0 -p no:randomly --last-failed --last-failed-no-failures none $(PYTEST_ARGS)
COMPILED_TESTS = PYTHONPATH=$(CURDIR)/build/compiled CHAOSPROXY_COMPILED=1 $(BIN)/pytest -o 'pythonpath=build/compiled .' \
	tests/proxy tests/wire tests/functional tests/real $(NOT_DATA_PLANE) $(PYTEST_ARGS)
# Pages in a browser, the search and a gateway's own behaviour are the same on both forms.
NOT_DATA_PLANE = $(addprefix --ignore=tests/real/,search test_live_browser.py test_report_browser.py test_litellm.py)

.PHONY: test
test: lint coverage-run test-compiled ## The whole test command: style, types, every test, coverage, and compiled modules
	$(BIN)/coverage report --fail-under=$(COVERAGE_MIN)
ifneq ($(PURE_ROOMS),)
	@echo "the rooms without I/O:"
	$(BIN)/coverage report --include='$(subst $(SPACE),$(COMMA),$(PURE_GLOBS))' --fail-under=$(COVERAGE_PURE_MIN)
endif
	@echo "make test: all green"

.PHONY: compiled
compiled: setup build/compiled ## Build the wheel with the data plane compiled, and unpack it in build/compiled

build/compiled: pyproject.toml hatch_build.py $(shell find chaosproxy -name '*.py')
	@echo "compiling the data plane: about a minute"
	@rm -rf $@ build/wheel
	@CHAOSPROXY_COMPILE=1 $(BIN)/python -m build --wheel --no-isolation --outdir build/wheel . >build.log 2>&1 || { cat build.log; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target $@ build/wheel/*.whl
	@rm build.log

.PHONY: test-compiled
test-compiled: compiled ## Tests of the data plane on its compiled modules
	$(COMPILED_TESTS) -n $(WORKERS) || { $(ONLY_FAILED) $(COMPILED_TESTS) $(ALONE); }

.PHONY: test-fast
test-fast: setup ## Unit tests and laws only: no processes, no sockets, no coverage
	$(BIN)/pytest -n $(WORKERS) -m 'not real and not e2e and not slow' \
		--ignore=tests/functional --ignore=tests/real --ignore=tests/e2e $(PYTEST_ARGS)

.PHONY: coverage
coverage: coverage-run ## Run every test and write htmlcov/index.html
	$(BIN)/coverage html --quiet
	@echo "coverage: open htmlcov/index.html"

.PHONY: coverage-run
coverage-run: setup
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(WORKERS) $(PYTEST_ARGS) || { $(ONLY_FAILED) $(BIN)/coverage run -m pytest $(ALONE); }
	$(BIN)/coverage combine --quiet

.PHONY: lint
lint: setup ## Check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

.PHONY: format
format: setup ## Put the code into shape
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: clean
clean: ## Remove what tools and tests left behind (the environment stays)
	rm -rf .coverage .coverage.* htmlcov .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find chaosproxy tests $(wildcard benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean ## clean, and the environments too
	rm -rf $(VENV) $(VENV_LITELLM) .venv-lock
