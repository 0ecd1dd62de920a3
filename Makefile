# Second Read. `make app` starts it, `make test` passes its tests; both set up what they need.

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
  if $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
RUN := $(VENV)/bin/python
# packages that are compared with, apart from those of the app
PEERS := .venv-bench
# what writes and checks the locks, so that none of it is beside the app either
SUPPLY := .venv-supply
# what builds the site of docs
SITE := .venv-docs
INSTALL = -m pip install --quiet --disable-pip-version-check --require-hashes
# a wheel is unpacked, a source package runs code of its own and asks for packages that no lock names
WHEELS := --only-binary :all:
LOCK = $(SUPPLY)/bin/uv pip compile --quiet --no-config --universal --generate-hashes --python-version 3.11 \
  --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

.PHONY: app test test-slow ohif check docs bench growth soak try-image lock sbom audit clean
.DEFAULT_GOAL := help

help:
	@echo "make app    start the app on http://127.0.0.1:8501"
	@echo "make test   run the everyday tests"
	@echo "make test-slow  those that train, import or kill a whole network, start a Ray cluster, or attack the server or a command"
	@echo "make ohif   fetch the viewer OHIF by npm into build/ohif, for the test that opens results in it"
	@echo "make check  lint, format, types, and which room imports which"
	@echo "make docs   build the site of docs, build/docs/index.html; a warning, a broken link or a page in no menu is an error"
	@echo "make bench  print the figures of docs/performance.md, docs/training.md and docs/evaluation.md"
	@echo "make lock   write requirements*.txt anew from pyproject.toml: every package, with its hashes"
	@echo "make sbom   write build/sbom.cdx.json, the packages as CycloneDX"
	@echo "make audit  ask whether a vulnerability of a locked package is known"
	@echo "make growth how the cost of an archive grows, up to 10,000 images, at float32 and at INT8: three quarters of an hour; continues where it was interrupted"
	@echo "make try-image  build the container's image without a registry, and try it: root on Debian, with podman and debootstrap"
	@echo "make soak   for minutes each: broken files; the gate; a training and an archive that are killed; many readers at once; coverage of the intervals; a receiver that is killed; a deployment with faults; an archive on two nodes"

app: $(VENV)/.app
	$(VENV)/bin/streamlit run app.py

test: $(VENV)/.dev
	$(RUN) -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/.dev
	$(RUN) -m pytest -n 2 --dist loadfile -m slow

ohif: $(VENV)/.dev
	$(RUN) -m tests.ohif

check: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/lint-imports
	$(VENV)/bin/mypy

# whole each time: a page that is not read again gives no warning
docs: $(SITE)/.docs
	rm -rf build/docs
	$(SITE)/bin/sphinx-build --quiet --fresh-env --fail-on-warning --keep-going --doctree-dir build/doctrees docs build/docs
	$(SITE)/bin/python docs/check_site.py build/docs

bench: $(VENV)/.dev $(PEERS)/.bench
	$(PEERS)/bin/python -m benchmarks.peers
	$(RUN) -m benchmarks.archives
	$(RUN) -m benchmarks.page
	$(RUN) -m benchmarks.frames
	$(RUN) -m benchmarks.training
	$(RUN) -m benchmarks.statistics
	$(RUN) -m benchmarks.operating_point
	$(RUN) -m benchmarks.opening
	$(RUN) -m benchmarks.pages
	$(RUN) -m benchmarks.stored_pages

growth: $(VENV)/.dev
	$(RUN) -m benchmarks.growth
	$(RUN) -m benchmarks.growth --precision int8

soak: $(VENV)/.dev
	$(RUN) -m benchmarks.soak.mutations
	$(RUN) -m benchmarks.soak.memory
	$(RUN) -m benchmarks.soak.gate
	$(RUN) -m benchmarks.soak.gate_alterations
	$(RUN) -m benchmarks.soak.killed
	$(RUN) -m benchmarks.soak.archive
	$(RUN) -m benchmarks.soak.readers
	$(RUN) -m benchmarks.soak.coverage
	$(RUN) -m benchmarks.soak.receiver
	$(RUN) -m benchmarks.soak.deployment
	$(RUN) -m benchmarks.soak.nodes
	$(RUN) -m benchmarks.drift

try-image: $(VENV)/.dev
	$(RUN) -m deployment.try_image

# UPGRADE=--upgrade, or UPGRADE="--upgrade-package NAME", also moves what the packages of pyproject.toml bring with them
lock: $(SUPPLY)/.supply
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml -c requirements.txt --extra ray -o requirements-ray.txt
	$(LOCK) pyproject.toml -c requirements.txt --extra postgres -o requirements-postgres.txt
	$(LOCK) pyproject.toml -c requirements.txt --extra pacs -o requirements-pacs.txt
	$(LOCK) pyproject.toml -c requirements.txt --extra int8 -o requirements-int8.txt
	$(LOCK) pyproject.toml -c requirements-ray.txt --extra ray --extra postgres --extra pacs --extra int8 --group dev -o requirements-dev.txt
	$(LOCK) pyproject.toml -c requirements.txt --group bench -o requirements-bench.txt
	$(LOCK) --group supply -o requirements-supply.txt
	$(LOCK) --group docs -o requirements-docs.txt

sbom: $(SUPPLY)/.supply
	@mkdir -p build
	PYTHONWARNINGS=ignore $(SUPPLY)/bin/cyclonedx-py requirements requirements.txt --pyproject pyproject.toml \
	  --output-reproducible --validate -o build/sbom.cdx.json
	@echo "build/sbom.cdx.json: CycloneDX, every package of requirements.txt with its hashes"

audit: $(SUPPLY)/.supply
	$(SUPPLY)/bin/python .ci/audit.py requirements.txt requirements-ray.txt requirements-postgres.txt requirements-pacs.txt requirements-int8.txt

clean:
	rm -rf $(VENV) $(PEERS) $(SUPPLY) $(SITE) build

# what is left of an environment that could not be made would be taken for one
$(VENV)/bin/python $(PEERS)/bin/python $(SUPPLY)/bin/python $(SITE)/bin/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed; none was found. Give one: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11, 3.12 or 3.13 is needed."; exit 1; }
	$(PYTHON) -m venv $(@D:/bin=) || { rm -rf $(@D:/bin=); exit 1; }

# what pip writes for an editable package, which it would build with packages that no lock names
$(VENV)/bin/second-read: | $(VENV)/bin/python
	@echo "$(CURDIR)" > "$$(echo $(VENV)/lib/python3*/site-packages)/second-read.pth"
	@printf '%s\n' '#!/bin/sh' "'''exec' \"$(CURDIR)/$(RUN)\" \"\$$0\" \"\$$@\"" "' '''" 'import sys' '' \
	  'from cxr_core.__main__ import run' '' 'sys.exit(run())' > $@
	@chmod 0755 $@

$(VENV)/.app: requirements.txt | $(VENV)/bin/second-read
	@echo "Installing the packages of requirements.txt, which takes a minute or more"
	$(RUN) $(INSTALL) $(WHEELS) -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt | $(VENV)/bin/second-read
	@echo "Installing the packages of requirements-dev.txt, which takes some minutes"
	$(RUN) $(INSTALL) $(WHEELS) -r requirements-dev.txt
	@touch $@ $(VENV)/.app

$(SUPPLY)/.supply: requirements-supply.txt | $(SUPPLY)/bin/python
	$(SUPPLY)/bin/python $(INSTALL) $(WHEELS) -r requirements-supply.txt
	@touch $@

$(SITE)/.docs: requirements-docs.txt | $(SITE)/bin/python
	$(SITE)/bin/python $(INSTALL) $(WHEELS) -r requirements-docs.txt
	@touch $@

# a machine on which the peers cannot be had measures ours all the same; grad-cam comes as source only
$(PEERS)/.bench: requirements.txt requirements-bench.txt | $(PEERS)/bin/python
	$(PEERS)/bin/python $(INSTALL) -r requirements-bench.txt || { \
	  echo "The peers are not installed; the table says so."; \
	  $(PEERS)/bin/python $(INSTALL) $(WHEELS) -r requirements.txt; }
	@touch $@
