# One menu for everything that is done here again and again; `make` alone prints it.
# Each task sets up what it needs: a fresh machine wants Python 3.11 to 3.13 and a network, nothing else.

PYTHON ?= python3
VENV   ?= .venv
# More processes than this gain nothing on the two cores of an ordinary runner; 0 runs the tests in one.
JOBS   ?= 2

BIN       := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# torch comes first and by its pin, so that no resolver goes looking for a newer build with gigabytes of CUDA.
TORCH     := $(shell grep '^torch==' constraints.txt)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format types imports check wheel docs clean

help: ## Print this menu.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## Sixty experiments, their report, and the same search against chance: a minute or two.
	$(BIN)/python -m labctl.demo

test: lint check ## Everything a change has to pass: lint, types, layers and tests.

lint: $(INSTALLED) ## Style, formatting, types and the layers between the packages.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

check: $(INSTALLED) ## The tests alone; PYTEST="-k ledger -x" passes options on.
	$(BIN)/python -m pytest -n $(JOBS) --dist loadscope $(PYTEST)

format: $(INSTALLED) ## Put the code into its one shape.
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(INSTALLED) ## Write docs/commands.md anew from the commands themselves.
	$(BIN)/python docs/make_commands.py

wheel: $(INSTALLED) ## Build the wheel into dist/.
	$(BIN)/python -m hatchling build -t wheel -d dist

setup: $(INSTALLED) ## Only install, into .venv, in the versions of constraints.txt.

clean: ## Remove what the tasks have made: .venv, caches and dist.
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "labctl needs Python 3.11 to 3.13: make PYTHON=/path/to/it")'
	@echo 'installing into $(VENV); the first time takes a few minutes'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --quiet $(TORCH)
	$(BIN)/python -m pip install --quiet --quiet --constraint constraints.txt --editable '.[tables,test]'
	touch $@
