PYTHON ?= python3
PYTEST_ARGS ?=
BIN := .venv/bin
INSTALLED := .venv/.installed
DEMO_OUTPUTS := outputs/demo
# Compiled tests are kept, or every process of every run takes seconds to compile them again.
TESTS := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal --durations=25

.DEFAULT_GOAL := help
.PHONY: help install demo about-demo test test-fast lint sweep table report clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv and install oodbench with everything for the demo and the tests

$(INSTALLED): setup.cfg constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install -c constraints.txt -e '.[corruptions,demo,dev,onnx,open-clip,openvino,tensorboard,transformers]'
	touch $@

demo: about-demo install ## Three small real models on small stand-ins for the seven published benchmarks, then the table
	$(BIN)/oodbench-data demo --out demo-data
	$(BIN)/oodbench experiment=demo
	$(BIN)/oodbench-table --output-root $(DEMO_OUTPUTS)
	@echo
	@echo 'That was the demo; make table shows it again. Next, activate the environment and measure one cell of your own:'
	@echo '  . $(BIN)/activate'
	@echo '  oodbench model=efficientnet_lite0 benchmark=imagenet_a data.root=demo-data data.allow_partial=true'
	@echo 'oodbench --help lists models, benchmarks and settings; with the real data, data.root=DIR.'

about-demo:
	@test -e $(INSTALLED) || echo 'Once: .venv, about 7 GB on Linux (most of it PyTorch with CUDA), as fast as your network.'
	@echo 'The demo: one to two minutes on two cores, 16 MB in demo-data, 70 MB in outputs and .cache.'

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

table: install ## Tables of everything in outputs/, and of the demo
	@if [ -d outputs/runs ] || [ ! -d $(DEMO_OUTPUTS)/runs ]; then $(BIN)/oodbench-table; fi
	@if [ -d $(DEMO_OUTPUTS)/runs ]; then \
		echo 'The demo, $(DEMO_OUTPUTS):'; $(BIN)/oodbench-table --output-root $(DEMO_OUTPUTS); fi

report: install ## One page with everything in outputs/, and one of the demo
	@if [ -d outputs/runs ] || [ ! -d $(DEMO_OUTPUTS)/runs ]; then $(BIN)/oodbench-report --out outputs/report.html; fi
	@if [ -d $(DEMO_OUTPUTS)/runs ]; then \
		$(BIN)/oodbench-report --output-root $(DEMO_OUTPUTS) --out $(DEMO_OUTPUTS)/report.html; fi

clean: ## Remove what builds and tools left behind; data, results and .venv stay
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find conf src tests -name __pycache__ -prune -exec rm -rf {} +
