# Two commands matter: `make demo` shows dc at work, `make test` runs every check.
# Everything they need is made below this folder; Python, a C compiler and make must be there.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INPUT ?=
CAMPAIGN ?=
BENCH ?=
LINUX := $(filter Linux,$(shell uname))
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check

# What is built on for others: as sure as it can be that nobody slipped something in.
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-header --quiet

.PHONY: help demo test check unit unit-system unit-rest unit-boot os-fetch needs wheel audit lock vendor screenshots bench bench-parts campaign clean

help:
	@echo "make demo    a server, two workers and a plugin count the words of a folder (INPUT=DIR)"
	@echo "make test    set up and run every check and test"
	@echo "make check   only ruff, mypy and the stub test"
	@echo "make unit    only the tests"
	@echo "make wheel   build the source package and a wheel, install it elsewhere and try it: dist/"
	@echo "make audit   bandit, known holes in what is locked, zizmor"
	@echo "make lock    lock anew what dc and its tests are built on, with hashes"
	@echo "make vendor  make dc/web/vendor anew from its lock file: what the page takes from others"
	@echo "make screenshots   pictures of each page, in docs/screenshots"
	@echo "make bench   measure dc beside other systems, write docs/benchmarks.md (BENCH=OPTIONS); 30 minutes"
	@echo "make bench-parts   time the core, the store, the executor and the whole path"
	@echo "make campaign   kill real processes 300 times over one job (CAMPAIGN=OPTIONS); 15 minutes"
	@echo "make clean   remove all that was made here"

demo: $(VENV)/built
	$(BIN)/python examples/demo.py $(if $(INPUT),--input "$(INPUT)")

test: check unit

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@# What only some systems have stands behind a guard that mypy understands.
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32 dc plugins
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin dc plugins
	$(BIN)/python -m mypy.stubtest dc._columns dc._core dc._frames --allowlist tests/house/stub_allowlist.txt

# Half of the time the tests of real processes wait, so the others run beside them.
unit: $(VENV)/dev needs os-fetch
	$(MAKE) --no-print-directory --jobs=2 unit-system unit-rest unit-boot

unit-system: $(VENV)/dev needs
	$(BIN)/python -m pytest -q tests/system

unit-rest: $(VENV)/dev needs
	$(BIN)/python -m pytest -q --ignore=tests/system --ignore=tests/boot

# The boot image is made of this tree and booted in an emulator: where it can be built, on Linux.
unit-boot: $(VENV)/dev needs os-fetch
	$(if $(LINUX),$(BIN)/python -m pytest -q tests/boot)

os-fetch: $(VENV)/dev needs
	@# By the interpreter that has pip, also where PYTHON names another one to begin with.
	$(if $(LINUX),@$(MAKE) --no-print-directory -C os os-fetch PYTHON=../$(BIN)/python)

needs:
	@sh tests/needs.sh

wheel: $(VENV)/dev
	$(PIP) install --editable '.[wheel]'
	$(BIN)/python -m tests.wheel

# pip-audit asks a service of PyPI what is known of each package: it needs the network.
audit: $(VENV)/dev
	$(PIP) install --editable '.[audit]'
	$(BIN)/bandit --quiet --configfile pyproject.toml --recursive dc plugins examples
	$(BIN)/zizmor --offline --persona=auditor .github
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r requirements-dev.lock

lock: $(VENV)/dev
	$(LOCK) --upgrade --output-file requirements.lock
	$(LOCK) --upgrade --extra dev --output-file requirements-dev.lock

vendor: $(VENV)/dev needs
	$(BIN)/python -m tests.browser.vendor

screenshots: $(VENV)/dev needs
	$(BIN)/python -m tests.browser.screenshots
	$(if $(LINUX),$(BIN)/python -m tests.boot.screenshot)

bench: $(VENV)/built
	$(BIN)/python -m benchmarks.peers $(BENCH)

bench-parts: $(VENV)/dev
	$(BIN)/python -m benchmarks

campaign: $(VENV)/dev
	$(BIN)/python -m tests.campaign $(CAMPAIGN)

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer (Debian and Ubuntu: apt install python3 python3-venv python3-dev)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than Python 3.11: install a newer one, or name one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make environments: install its venv module (Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The package is installed in place, what is compiled beside its sources.
$(VENV)/built: $(VENV)/bin/python pyproject.toml setup.py $(wildcard dc/*.pyx)
	@command -v cc >/dev/null || command -v gcc >/dev/null || command -v clang >/dev/null || { echo "A C compiler is missing: install one (Debian and Ubuntu: apt install gcc)"; exit 1; }
	@$(BIN)/python -c 'import sysconfig, pathlib, sys; sys.exit(not (pathlib.Path(sysconfig.get_path("include")) / "Python.h").exists())' || { echo "The headers of Python are missing: install them (Debian and Ubuntu: apt install python3-dev)"; exit 1; }
	$(PIP) install --editable .
	@touch $@

$(VENV)/dev: $(VENV)/built
	$(PIP) install --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .bench build dist *.egg-info dc/_*.c dc/_*.html dc/_*.so .hypothesis \
		.mypy_cache .pytest_cache .ruff_cache os/work os/out
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
