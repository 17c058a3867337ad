# Each target makes .venv by itself.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: compare test lint format docs linkcheck minimum
.DELETE_ON_ERROR:

$(VENV)/.ready: constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; set PYTHON=python3.12, say")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

compare: $(VENV)/.ready
	$(BIN)/zoo compare experiments/tables/dsb2018.yaml experiments/tables/dsb2018-oneshot.yaml --out runs/compare

# Two processes of one thread each: more threads than cores double the time.
test: $(VENV)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow and not gpu" -n 2

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Warnings are errors, references that lead nowhere among them. Built anew each time: what is not read gives no warning.
docs: $(VENV)/.ready
	$(BIN)/python -m sphinx -W --keep-going -q -E docs docs/_build/html
	@echo docs/_build/html/index.html

# Asks the addresses of other sites, so it needs the network.
linkcheck: $(VENV)/.ready
	$(BIN)/python -m sphinx -q -b linkcheck docs docs/_build/linkcheck

# The lowest versions that pyproject.toml allows, which pip can't choose; not in CI. It makes a venv of several GB.
# Compiled at once, as pip does: tests start processes, and where Python may not write what it compiles (as with
# PYTHONDONTWRITEBYTECODE) each would compile torch and all the others anew, which more than doubles its start.
minimum:
	$(PYTHON) -m venv --clear .venv-minimum
	.venv-minimum/bin/python -m pip install --quiet uv
	.venv-minimum/bin/uv pip install --quiet --compile-bytecode --python .venv-minimum/bin/python \
		--resolution lowest-direct -e '.[dev]'
	OMP_NUM_THREADS=1 .venv-minimum/bin/python -m pytest -m "not slow and not gpu" -n 2
