# What the project can do: `make help`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help run lint test format fuzz bench chaos

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $(VENV)/.installed $@

run: $(VENV)/.installed ## everything on this machine, until Ctrl-C (PORT=8000)
	@exec $(BIN)/python manage.py up

format: $(VENV)/.installed-dev ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/.installed-dev ## formatter, linter, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy .

test: $(VENV)/.installed-dev ## the whole test suite
	$(BIN)/pytest

fuzz: $(VENV)/.installed-dev ## the brain's properties, long: FUZZ=5000 runs of 80 steps
	PEXEC_FUZZ=$(or $(FUZZ),5000) $(BIN)/pytest tests/scheduling -k "properties or brute"

chaos: $(VENV)/.installed-dev ## inject the faults of the promise, write docs/faults.md
	$(BIN)/python -m tests.chaos
