# `make demo` and `make test` set up everything from nothing. TORCH and PYTHON may be given on the command line.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check catalog faces clean

demo: $(VENV)/.demo  ## judge real photographs, fresh and damaged, and say where the report lies
	$(BIN)/assay demo demo-report

test: $(VENV)/.dev  ## every test, slow ones too
	$(BIN)/python -m pytest -m ""

check: $(VENV)/.dev  ## the fast loop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

catalog: $(VENV)/.dev  ## rewrite the index and the pages made from it after adding or changing a card
	$(BIN)/python -m assay.catalog
	$(BIN)/python -m assay.docs

faces: $(VENV)/.recipes  ## make every net for faces from nothing, in an hour or two: make faces DATA=folder [OUT=folder]
	$(MAKE) --no-print-directory -j2 -f recipes/faces.mk PYTHON=$(BIN)/python DATA="$(DATA)" OUT="$(or $(OUT),faces)"

$(VENV)/.torch:
	$(PYTHON) -m venv $(VENV)
	$(PIP) "$(TORCH)"
	@touch $@

$(VENV)/.demo: $(VENV)/.torch pyproject.toml setup.py $(wildcard src/assay/kernels/*.[ch])
	$(PIP) -e ".[demo]"
	@touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml setup.py $(wildcard src/assay/kernels/*.[ch])
	$(PIP) -e ".[dev]"
	@touch $@

$(VENV)/.recipes: $(VENV)/.torch pyproject.toml setup.py $(wildcard src/assay/kernels/*.[ch])
	$(PIP) -e ".[recipes]"
	@touch $@

clean:
	rm -rf $(VENV) build demo-report src/*.egg-info src/assay/kernels/*.so
