# Two commands: `make demo` and `make test`. Each sets itself up in .venv the first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-exhaustive lint bench constraints clean

demo: $(STAMP)
	$(BIN)/slopes compare

test: lint
	$(BIN)/python -m pytest --numprocesses=auto

# The tests that are marked `exhaustive`; `make test` has a part of each.
test-exhaustive: $(STAMP)
	$(BIN)/python -m pytest --numprocesses=auto -m exhaustive

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# On an otherwise idle machine: two threads that wait for each other are slow beside anything else.
bench: $(STAMP)
	$(BIN)/python benchmarks/compare.py

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "slopes needs Python 3.11 or later; name one with make PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[all,dev]'
	touch $@

# The versions of a fresh environment, as the tests then run with them.
constraints:
	rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0 --editable '.[all,dev]'
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt
	touch $(STAMP)

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache
