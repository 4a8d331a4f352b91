# Two commands: `make demo` (the main job on real input) and `make test`. Both set up .venv themselves.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin

.PHONY: demo test test-slow lint types check bench fuzz soak soak-migrate clean

demo: $(VENV)/.installed
	$(BIN)/runcast demo

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m "not slow"

# What takes long for what it adds: every example on every tracker, kills, servers, environments of their own.
test-slow: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 -m slow

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-dev
	$(BIN)/mypy

check: test test-slow lint types

# Damages the files of every reader at random, for so long each; what fails is kept in tests/fuzz/found.
fuzz: $(VENV)/.installed-dev
	FUZZ_SECONDS=$${FUZZ_SECONDS:-60} $(BIN)/python -m pytest tests/fuzz -p no:cacheprovider

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks

# Random kills: SOAK_KILLS=1000, or SOAK_SECONDS=3600; SOAK_SEED repeats one.
soak: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.soak

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all]"
	touch $@

$(VENV)/.installed-dev: $(BIN)/python pyproject.toml constraints.txt plugins/runcast-csv/pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[all,dev]" -e plugins/runcast-csv
	touch $@

# Kills a hundred migrations at random points: about five minutes.
soak-migrate: $(VENV)/.installed-dev
	$(BIN)/python -m tests.migrate.killing 100

clean:
	rm -rf $(VENV) runcast-demo
