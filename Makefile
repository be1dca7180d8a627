# One command per task; `make` alone lists them. Needs make, git and Python >= 3.11 (with venv).
#
## make run      install into .venv, then check the ten identities and run the examples
## make test     the same, then the tests            (EXTRAS=jax: with more optional packages)
## make check    formatting, lint, types, import contracts
## make fix      format, and apply the lint fixes that are safe
## make bench    run every benchmark once
## make bench-peers   compare with hand-written NumPy and with other libraries (an hour)
## make install  install what the tests need, and no more
## make clean    remove the environment and everything generated
#
# PYTHON=python3.13 chooses the interpreter (the environment is rebuilt when it changes),
# VENV=.venv-3.13 the folder, EXTRAS=a,b further optional dependencies from pyproject.toml.
# PEERS="--only inv --rounds 5" are options of bench-peers; torch and casadi are compared if installed.

PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?=

empty :=
space := $(empty) $(empty)
comma := ,
slash := /

RUN_EXTRAS  := demo
TEST_EXTRAS := $(subst $(space),$(comma),$(strip demo test $(subst $(comma),$(space),$(EXTRAS))))

# Stamps: one per environment and set of extras. The interpreter is in the name of the first one.
MADE  := $(VENV)/.made-with-$(subst $(slash),_,$(PYTHON))
RUN   := $(VENV)/.installed-$(RUN_EXTRAS)
TEST  := $(VENV)/.installed-$(TEST_EXTRAS)
CHECK := $(VENV)/.installed-dev
PEER  := $(VENV)/.installed-bench,jax,paths,plot,sparse

BIN        := $(VENV)/bin
EXAMPLES   := $(sort $(wildcard examples/*.py))
BENCHMARKS := $(sort $(wildcard benchmarks/*.py))
FORMATTED  := $(wildcard src tests docs examples benchmarks)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:  # two installs into one environment would race
.PHONY: help run test check fix bench bench-peers install clean

help:
	@sed -n 's/^## //p' Makefile

run: $(RUN)
	@echo "== eingrad identities"
	@$(BIN)/python -m eingrad identities
	@set -e; for script in $(EXAMPLES); do echo "== $$script"; $(BIN)/python $$script; done

# One thread of BLAS for each process: those of several processes wait for each other, and spin.
test: run $(TEST)
	@echo "== tests: some minutes; they are collected first (half a minute), then each is a dot"
	@OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist worksteal

check: $(CHECK)
	$(BIN)/ruff format --check $(FORMATTED)
	$(BIN)/ruff check $(FORMATTED)
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: $(CHECK)
	$(BIN)/ruff check --fix $(FORMATTED)
	$(BIN)/ruff format $(FORMATTED)

bench: $(TEST)
	@set -e; for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python $$script --once; done

bench-peers: $(PEER)
	@mkdir -p build
	@$(BIN)/python benchmarks/peers.py --json build/peers.json --plot build/peers.png $(PEERS)

install: $(TEST)

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests examples $(wildcard benchmarks) -name __pycache__ -type d -prune -exec rm -rf {} +

# --clear removes the stamps of an environment that another interpreter made, or that broke.
$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "eingrad needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one, for example: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed-%: $(MADE) pyproject.toml
	@echo "installing eingrad[$*] and its dependencies into $(VENV) (a minute or more, once)"
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --editable '.[$*]'
	@touch $@
