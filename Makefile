# Second Read. `make app` starts it, `make test` passes its tests; both set up what they need.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
RUN := $(VENV)/bin/python
# the peers' own, so that none of them is beside the app
PEERS := .venv-bench

.PHONY: app test test-slow check bench growth soak clean
.DEFAULT_GOAL := help

help:
	@echo "make app    start the app on http://127.0.0.1:8501"
	@echo "make test   run the tests of every day"
	@echo "make test-slow  those that train, import or kill a whole network, or start a Ray cluster"
	@echo "make check  lint, format and the walls between the rooms"
	@echo "make bench  print the figures of docs/performance.md, docs/training.md and docs/evaluation.md"
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

clean:
	rm -rf $(VENV) $(PEERS) runs build

$(VENV)/bin/python $(PEERS)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found. Give one: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11, 3.12 or 3.13 is needed."; exit 1; }
	$(PYTHON) -m venv $(@D:/bin=)

$(VENV)/.app: requirements.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-ray.txt requirements-dev.txt | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.app

# one by one: a peer that cannot be had here costs the others nothing
$(PEERS)/.bench: requirements.txt requirements-bench.txt | $(PEERS)/bin/python
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@grep -v '^#' requirements-bench.txt | while read -r peer; do \
	  $(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c requirements.txt "$$peer" || \
	  echo "$$peer: not installed; the table says so."; done
	@touch $@
