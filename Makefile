# Second Read. `make app` starts it, `make test` passes its tests; both set up what they need.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
RUN := $(VENV)/bin/python
# the peers' own, so that none of them is beside the app
PEERS := .venv-bench
# what writes and checks the locks, so that none of it is beside the app either
SUPPLY := .venv-supply
INSTALL = -m pip install --quiet --disable-pip-version-check --require-hashes
# a wheel is unpacked, a source package runs code of its own and asks for packages that no lock names
WHEELS := --only-binary :all:
LOCK = $(SUPPLY)/bin/uv pip compile --quiet --no-config --universal --generate-hashes --python-version 3.11 \
  --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

.PHONY: app test test-slow check bench growth soak lock sbom audit clean
.DEFAULT_GOAL := help

help:
	@echo "make app    start the app on http://127.0.0.1:8501"
	@echo "make test   run the tests of every day"
	@echo "make test-slow  those that train, import or kill a whole network, start a Ray cluster, or attack the server or a command"
	@echo "make check  lint, format and the walls between the rooms"
	@echo "make bench  print the figures of docs/performance.md, docs/training.md and docs/evaluation.md"
	@echo "make lock   write requirements*.txt anew from pyproject.toml: every package, with its hashes"
	@echo "make sbom   write build/sbom.cdx.json, the packages as CycloneDX"
	@echo "make audit  ask whether a vulnerability of a locked package is known"
	@echo "make growth how the cost of an archive grows, up to 10,000 images: half an hour; goes on where it was cut"
	@echo "make soak   read broken files and films for minutes; measure the gate; kill a training and an archive; many readers at once; try the intervals"

app: $(VENV)/.app
	$(VENV)/bin/streamlit run app.py

test: $(VENV)/.dev
	$(RUN) -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/.dev
	$(RUN) -m pytest -n 2 --dist loadfile -m slow

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev $(PEERS)/.bench
	$(PEERS)/bin/python -m tests.bench.peers
	$(RUN) -m tests.bench.page
	$(RUN) -m tests.bench.training
	$(RUN) -m tests.bench.statistics
	$(RUN) -m tests.bench.operating_point
	$(RUN) -m tests.bench.opening
	$(RUN) -m tests.bench.pages

growth: $(VENV)/.dev
	$(RUN) -m tests.bench.growth

soak: $(VENV)/.dev
	$(RUN) -m tests.soak.mutations
	$(RUN) -m tests.soak.memory
	$(RUN) -m tests.soak.gate
	$(RUN) -m tests.soak.killed
	$(RUN) -m tests.soak.archive
	$(RUN) -m tests.soak.readers
	$(RUN) -m tests.soak.coverage

# UPGRADE=--upgrade, or UPGRADE="--upgrade-package NAME", also moves what the packages of pyproject.toml bring with them
lock: $(SUPPLY)/.supply
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml -c requirements.txt --extra ray -o requirements-ray.txt
	$(LOCK) pyproject.toml -c requirements.txt --extra postgres -o requirements-postgres.txt
	$(LOCK) pyproject.toml -c requirements-ray.txt --extra ray --group dev -o requirements-dev.txt
	$(LOCK) pyproject.toml -c requirements.txt --group bench -o requirements-bench.txt
	$(LOCK) --group supply -o requirements-supply.txt

sbom: $(SUPPLY)/.supply
	@mkdir -p build
	PYTHONWARNINGS=ignore $(SUPPLY)/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
	  --output-reproducible --validate -o build/sbom.cdx.json
	@echo "build/sbom.cdx.json: CycloneDX, every package of requirements.txt with its hashes"

audit: $(SUPPLY)/.supply
	$(SUPPLY)/bin/python .ci/audit.py requirements.txt requirements-ray.txt requirements-postgres.txt

clean:
	rm -rf $(VENV) $(PEERS) $(SUPPLY) runs build

$(VENV)/bin/python $(PEERS)/bin/python $(SUPPLY)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found. Give one: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11, 3.12 or 3.13 is needed."; exit 1; }
	$(PYTHON) -m venv $(@D:/bin=)

$(VENV)/.app: requirements.txt | $(VENV)/bin/python
	$(RUN) $(INSTALL) $(WHEELS) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/bin/python
	$(RUN) $(INSTALL) $(WHEELS) -r requirements-dev.txt
	@touch $@ $(VENV)/.app

$(SUPPLY)/.supply: requirements-supply.txt | $(SUPPLY)/bin/python
	$(SUPPLY)/bin/python $(INSTALL) $(WHEELS) -r requirements-supply.txt
	@touch $@

# a machine on which the peers cannot be had measures ours all the same; grad-cam comes as source only
$(PEERS)/.bench: requirements.txt requirements-bench.txt | $(PEERS)/bin/python
	$(PEERS)/bin/python $(INSTALL) -r requirements-bench.txt || { \
	  echo "The peers are not installed; the table says so."; \
	  $(PEERS)/bin/python $(INSTALL) $(WHEELS) -r requirements.txt; }
	@touch $@
