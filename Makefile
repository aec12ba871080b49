# make draw    redraw a picture that comes with the repository
# make test    lint, types and tests
# make bench   speed of drawing; with SET=drawings.arrow also of training, and what the bundled model does on that set
# make clean   remove what these made
#
# Everything is installed into $(VENV); a second call installs nothing again.

PYTHON ?= python3
VENV ?= .venv
# A release that the tests pass with. On Linux without a GPU, the build for processors spares the CUDA packages:
#   make test TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
JOBS ?= 2

BIN := $(VENV)/bin
SOURCES := $(shell find src -type f -not -path '*/__pycache__/*')
# The development install holds all that drawing needs and follows the sources, so where it is, drawing uses it.
INSTALLED := $(if $(wildcard $(VENV)/.dev),$(VENV)/.dev,$(VENV)/.plain)

.PHONY: draw test bench clean

draw: $(INSTALLED)
	$(BIN)/sketch-pix2seq draw examples/pig.png --format svg,gif --out drawings
	@echo "Open drawings/sheet.png; drawings/pig-1.gif shows a drawing being drawn."

test: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS)

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/drawing.py
	$(if $(SET),$(BIN)/python benchmarks/training.py "$(SET)")
	$(if $(SET),mkdir -p drawings && $(BIN)/python benchmarks/bundled.py "$(SET)" drawings)

clean:
	rm -rf $(VENV) drawings build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.plain: $(SOURCES) pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@
