PYTHON ?= python3
PYTEST_ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
# Compiled tests are kept, or every process of every run takes seconds to compile them again.
TESTS := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --durations=25

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast lint sweep table clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv and install oodbench with everything for the demo and the tests

$(INSTALLED): setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[corruptions,demo,dev,onnx,openvino,tensorboard,transformers]'
	touch $@

demo: install ## Three small real models on small stand-ins for all seven benchmarks, then the table
	$(BIN)/oodbench-data demo --out demo-data
	$(BIN)/oodbench experiment=demo
	$(BIN)/oodbench-table --output-root outputs/demo

test: install ## All tests; more arguments for pytest: PYTEST_ARGS='-k accuracy'
	$(TESTS) $(PYTEST_ARGS)

test-fast: install ## The same without the slow tests, those of more than five seconds
	$(TESTS) -m 'not slow' $(PYTEST_ARGS)

lint: install ## ruff and mypy
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

sweep: install ## The published table: 26 models, seven benchmarks (needs data and weights)
	$(BIN)/oodbench experiment=published_table

table: install ## Tables of everything in outputs/
	$(BIN)/oodbench-table

clean: ## Remove what builds and tools left behind; data, results and .venv stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find conf src tests -name __pycache__ -prune -exec rm -rf {} +
