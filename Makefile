# What the project can do: `make help`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
LOCK := --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-strip-extras

.DEFAULT_GOAL := help
.PHONY: help run lint js-lint js-test test format fuzz bench chaos screenshots lock audit notices

help: ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements.txt
	touch $@

$(VENV)/.installed-dev: requirements.txt requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-dev.txt
	touch $(VENV)/.installed $@

run: $(VENV)/.installed ## everything on this machine, until Ctrl-C (PORT=8000)
	@exec $(BIN)/python manage.py up

format: $(VENV)/.installed-dev ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

node_modules/.installed: package.json package-lock.json
	@if command -v npm >/dev/null; then npm ci --silent --no-audit --no-fund && touch $@; \
	else echo "no npm here: the browser's modules are not checked (install Node.js 20)"; test -z "$$CI"; fi

js-lint: node_modules/.installed ## types of the browser's modules
	@test ! -e node_modules/.installed || npx --no-install tsc --project tsconfig.json

js-test: ## unit tests of the browser's modules
	@if command -v node >/dev/null; then node --test tests/js/; \
	else echo "no node here: skipped (install Node.js 20)"; test -z "$$CI"; fi

lint: $(VENV)/.installed-dev js-lint ## formatter, linter, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy .

APART = processes or browser
test: $(VENV)/.installed-dev js-test ## the whole test suite; what starts sites by itself, all else side by side
	@status=0; \
	$(BIN)/pytest -n auto --maxprocesses 4 -m "not ($(APART))" || status=$$?; \
	$(BIN)/pytest -m "$(APART)" || status=$$?; \
	exit $$status

fuzz: $(VENV)/.installed-dev ## the brain's properties, long: FUZZ=5000 runs of 80 steps
	PEXEC_FUZZ=$(or $(FUZZ),5000) $(BIN)/pytest tests/scheduling -k "properties or brute or waits"

chaos: $(VENV)/.installed-dev ## inject the faults of the promise, write docs/faults.md
	$(BIN)/python -m tests.chaos

lock: $(VENV)/.installed-dev ## requirements*.in (what we chose) into requirements*.txt (all of it, with hashes)
	$(BIN)/uv pip compile $(LOCK) requirements.in -o requirements.txt
	$(BIN)/uv pip compile $(LOCK) -c requirements.txt requirements-dev.in -o requirements-dev.txt

audit: $(VENV)/.installed-dev ## hold what we run on against known weaknesses (asks PyPI)
	$(BIN)/pip-audit --disable-pip -r requirements.txt

notices: $(VENV)/.installed-dev ## whose work we stand on, into docs/third-party.md
	sed -i '/^|/,$$d' docs/third-party.md
	$(BIN)/pip-licenses --format=markdown --order=name --with-urls --packages \
	  $$(sed -n 's/^\([a-z0-9-]*\)\(\[.*\]\)\{0,1\}==.*/\1/p' requirements.txt) >> docs/third-party.md

bench: $(VENV)/.installed-dev ## what it costs and how good schedules are, into var/bench.json
	$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

screenshots: $(VENV)/.installed-dev ## the pages as Chromium shows them, into var/screenshots
	PEXEC_SCREENSHOTS=1 $(BIN)/pytest -q tests/e2e/test_screenshots.py
