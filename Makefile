# Two commands for a new user: `make demo` shows the main job, `make test` checks everything.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all check docs bench bench-synthesis clean

demo: .venv/.base  ## the main job on the embedded default: three clips come back with foley
	$(BIN)/foley demo demo

test: .venv/.all check  ## formatting, lint, types, imports and the tests that take minutes at most
	$(BIN)/python -m pytest -m "not slow"

test-all: .venv/.all check  ## with the slow tests
	$(BIN)/python -m pytest

check: .venv/.all
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.base  ## write what the code documents by itself: docs/profiles.md, docs/cli.md, profiles/sample.yaml
	$(BIN)/python -m foley_daemon.schema_docs

bench: .venv/.base  ## where the time of a clip goes; Cycle Mix against a plain loop
	$(BIN)/python benchmarks/bench_clip.py
	$(BIN)/python benchmarks/bench_cycle_mix.py

bench-synthesis: .venv/.all  ## AudioLDM at its real sizes against diffusers' pipeline; takes a while
	$(BIN)/python benchmarks/bench_synthesis.py

.venv/.python:
	@echo "Making .venv with $$($(PYTHON) --version)"
	$(PYTHON) -m venv .venv
	@touch $@

.venv/.base: .venv/.python pyproject.toml constraints.txt
	@echo "Installing the base packages (once; PyTorch is large, this takes minutes)"
	$(PIP) --editable '.[demo]'
	@touch $@

.venv/.all: .venv/.base
	@echo "Installing the packages for tests and for the released weights (once)"
	$(PIP) --editable '.[demo,released,dev]'
	@touch $@

clean:  ## remove the environment and the demo
	rm -rf .venv demo
