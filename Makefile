# make draw    redraw a picture that comes with the repository
# make studio  draw in the browser, and the model draws with you
# make test    lint, types, tests and documentation; the tests of the studio's page too, where Node is
# make test-oldest   draw with the oldest releases that pyproject.toml allows
# make docs    build the documentation as a site, with a page for every public function; any broken link is an error
# make bench   speed of start-up, preparing and retrieval; with SET=drawings.arrow also of drawing, of training on one and
#              several processes, and what the bundled model does on that set
# make model   train the bundled model anew, from first weights, on SET=drawings.arrow into RUN=runs/model
# make fuzz    fuzz every format for SECONDS each (60), guided by coverage; needs atheris, which Linux and macOS have
# make clean   remove what these made
#
# make studio-page builds the page anew, which is part of the package; it needs Node 20.19 or later. `make studio` does so
# where the page's sources have changed.
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
NPM := $(shell command -v npm 2>/dev/null)
MODULES := studio/node_modules/.package-lock.json
# The development install holds all that drawing needs and follows the sources, so where it is, drawing uses it.
INSTALLED := $(if $(wildcard $(VENV)/.dev),$(VENV)/.dev,$(VENV)/.plain)

.PHONY: draw docs studio studio-page test test-oldest test-page bench fuzz model clean

draw: $(INSTALLED)
	$(BIN)/sketch-pix2seq draw examples/pig.png --format svg,gif --out drawings
	@echo "Open drawings/sheet.png; drawings/pig-1.gif shows a drawing being drawn."

studio:
	@$(PYTHON) studio/stale.py || $(if $(NPM),$(MAKE) --no-print-directory studio-page,\
		echo "There is no Node here to build it with: this is the page as it was built last.")
	@$(MAKE) --no-print-directory $(INSTALLED)
	$(BIN)/sketch-pix2seq studio

studio-page: $(MODULES)
	cd studio && npm run --silent build

test: $(VENV)/.dev test-page
	$(BIN)/ruff check .
	$(BIN)/mypy
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile

# `numpy>=2.0` among the dependencies becomes `numpy==2.0.*`, and so on.
test-oldest:
	$(PYTHON) -m venv $(VENV)-oldest
	$(PYTHON) -c "import tomllib; project = tomllib.load(open('pyproject.toml', 'rb'))['project']; \
		print(*(line.replace('>=', '==') + '.*' for line in project['dependencies']), sep='\n')" > $(VENV)-oldest/oldest.txt
	$(VENV)-oldest/bin/pip install --quiet . --constraint $(VENV)-oldest/oldest.txt
	cd $(VENV)-oldest && bin/sketch-pix2seq draw ../examples --out drawings --samples 1 --format svg,gif,png
	cd $(VENV)-oldest && bin/sketch-pix2seq draw --category pig --samples 1 --out drawings --page a4

test-page: $(if $(NPM),$(MODULES))
ifdef NPM
	cd studio && npm run --silent check && npm test --silent
else
	@echo "There is no Node here: the tests of the studio's page are skipped."
endif

docs: $(VENV)/.dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Open site/index.html."

bench: $(VENV)/.dev
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/prepare.py 1e5 1e6
	$(BIN)/python benchmarks/retrieval.py
	$(if $(SET),$(BIN)/python benchmarks/drawing.py "$(SET)")
	$(if $(SET),$(BIN)/python benchmarks/processes.py "$(SET)")
	$(if $(SET),mkdir -p drawings && $(BIN)/python benchmarks/bundled.py "$(SET)" drawings)

RUN ?= runs/model
STEPS ?= 100000

# One run from first weights; the same command continues one that was stopped. Then the flow, the classifier, the map.
model: $(VENV)/.dev
	$(if $(SET),,$(error say which drawings to learn from: make model SET=drawings.arrow))
	$(BIN)/sketch-pix2seq train --data "$(SET)" --out "$(RUN)" --steps $(STEPS)
	$(BIN)/sketch-pix2seq train-classifier --data "$(SET)" --out "$(RUN)/model/classifier.onnx" $(CLASSIFIER)
	$(BIN)/sketch-pix2seq export map "$(RUN)/model"

SECONDS ?= 60
SEED ?= 1
FORMATS ?= npz ndjson gzip svg arrow js config weights graph map

fuzz: $(VENV)/.dev
	$(BIN)/pip install --quiet "atheris>=3.0"
	for format in $(FORMATS); do \
		$(BIN)/python -m tests.fuzz $$format -max_total_time=$(SECONDS) -seed=$(SEED) || exit 1; \
	done

clean:
	rm -rf $(VENV) $(VENV)-oldest drawings build dist site studio/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(MODULES): studio/package-lock.json
	cd studio && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.plain: $(SOURCES) pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet .
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet $(TORCH)
	$(BIN)/pip install --quiet --editable ".[dev]"
	@touch $@
