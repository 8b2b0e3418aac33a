# Two commands: `make demo` and `make test`. Each sets itself up in .venv the first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST := -m pytest --numprocesses=auto
# Python compiles what is imported; to compile all of the packages takes half of an installation.
INSTALL = -m pip install --quiet --disable-pip-version-check --no-compile

# So that each of pytest's processes need not rewrite all assertions anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo docs test tests tests-without-kernels test-exhaustive test-oldest test-newest test-numpy test-jax test-packages test-site test-all lint bench constraints site clean

demo: $(VENV)/.demo
	$(BIN)/slopes compare

# What is tested again without kernels, which are switched off as Numba is.
WITHOUT_KERNELS := tests/test_linear_loss.py tests/test_small.py tests/test_kinds.py tests/test_nn_messages.py

# The linter, the type check and the tests without kernels take one processor, so they run beside the other tests.
test:
	$(MAKE) --no-print-directory --jobs=2 lint tests tests-without-kernels

tests: $(VENV)/.dev
	$(BIN)/python $(PYTEST)

tests-without-kernels: $(VENV)/.dev
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest --quiet $(WITHOUT_KERNELS)

# The tests that take long and are marked `exhaustive`: most of what is tried with each card, kills of a study, the lesson.
test-exhaustive: $(VENV)/.dev
	$(BIN)/python $(PYTEST) -m exhaustive

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# What follows from the catalogue: public names, their types, and tables of the documents.
docs: $(VENV)/.dev
	$(BIN)/python tools/make_stub.py
	$(BIN)/python tools/make_docs.py
	$(BIN)/python tools/conventions.py

# The website, in the folder `site`: warnings of Sphinx, and links that lead nowhere, are errors.
site: .venv-site/.site
	.venv-site/bin/python -m website

# The site in a browser, from its folder.
test-site: site
	.venv-site/bin/python -m pytest -m site tests/test_site.py

# On an otherwise idle machine: two threads that wait for each other are slow beside anything else.
bench: $(VENV)/.dev
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/small.py --out benchmarks/results/small.csv
	$(BIN)/python benchmarks/start.py
	$(BIN)/python benchmarks/limits.py
	$(BIN)/python benchmarks/compare.py

# The same tests with other versions, each in an environment of its own. The oldest are the lower bounds of
# pyproject.toml; the newest are chosen anew each time.
test-oldest: .venv-oldest/.oldest
	.venv-oldest/bin/python $(PYTEST)

test-newest: .venv-newest/.made
	.venv-newest/bin/python $(INSTALL) --upgrade --upgrade-strategy=eager --editable '.[all,test]'
	.venv-newest/bin/python $(PYTEST)

# NumPy and SciPy alone: what needs more is skipped.
test-numpy: .venv-numpy/.numpy
	.venv-numpy/bin/python $(PYTEST)

# Arrays of JAX.
test-jax: .venv-jax/.jax
	.venv-jax/bin/python $(PYTEST) -m "jax and not exhaustive" tests/test_jax.py

# The audit on correct losses of packages, and on functions of JAX and Keras, which install much besides; boosting; training loops.
test-packages: .venv-packages/.packages
	.venv-packages/bin/python $(PYTEST) -m "packages and not exhaustive" tests/test_packages.py tests/test_audit_frameworks.py tests/test_boosting.py tests/test_integrations.py tests/test_integrations_keras.py

# With another Python: `make test-3.13` where there is a python3.13.
test-3.%:
	$(MAKE) PYTHON=python3.$* VENV=.venv-3.$* .venv-3.$*/.test
	.venv-3.$*/bin/python $(PYTEST)

# All of them, with each Python that is found.
test-all: test test-numpy test-oldest test-newest
	set -e; for minor in 12 13; do \
	  if python3.$$minor -c '' 2>/dev/null; then $(MAKE) test-3.$$minor; else echo "no python3.$$minor: left out"; fi; \
	done

.PRECIOUS: %/.made

# An environment with today's pip, which takes two thirds of the time of the one that Python 3.11 brings.
%/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "slopes needs Python 3.11 or later; name one with make PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv --upgrade-deps $*
	touch $@

%/.demo: %/.made pyproject.toml constraints.txt
	$*/bin/python $(INSTALL) --constraint constraints.txt --editable '.[lab]'
	touch $@

%/.dev: %/.made pyproject.toml constraints.txt
	$*/bin/python $(INSTALL) --constraint constraints.txt --editable '.[dev]'
	touch $@ $*/.demo

%/.test: %/.made pyproject.toml constraints.txt
	$*/bin/python $(INSTALL) --constraint constraints.txt --editable '.[all,test]'
	touch $@

%/.oldest: %/.made pyproject.toml constraints-oldest.txt
	$*/bin/python $(INSTALL) --constraint constraints-oldest.txt --editable '.[all,test]'
	touch $@

%/.numpy: %/.made pyproject.toml constraints.txt
	$*/bin/python $(INSTALL) --constraint constraints.txt --editable . pytest pytest-xdist
	touch $@

%/.jax: %/.made pyproject.toml tests/packages.txt
	$*/bin/python $(INSTALL) --constraint tests/packages.txt --editable '.[jax,audit]' pytest pytest-xdist
	touch $@

%/.packages: %/.made pyproject.toml tests/packages.txt
	$*/bin/python $(INSTALL) --editable '.[torch,audit]' pytest pytest-xdist --requirement tests/packages.txt
	touch $@

%/.site: %/.made pyproject.toml constraints.txt
	$*/bin/python $(INSTALL) --constraint constraints.txt --editable '.[all,test,docs]' selenium
	touch $@

# The versions of a fresh environment, as the tests then run with them.
constraints:
	rm -rf $(VENV) && $(PYTHON) -m venv --upgrade-deps $(VENV)
	$(BIN)/python $(INSTALL) torch==2.13.0 --editable '.[dev,docs]'
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt
	touch $(VENV)/.made $(VENV)/.dev $(VENV)/.demo

clean:
	rm -rf .venv .venv-* site .mypy_cache .pytest_cache .ruff_cache
