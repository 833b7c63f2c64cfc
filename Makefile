# make reproduce   the default pipeline, then a summary and where the report lies; JOBS=4: four stages side by side
# make test        lint, types and the whole test suite
# make check       is dvc.lock current, and does running the default pipeline again give the committed results?
# make benchmark   training speed beside a naive loop and the processor's limit, with one and with two threads
# make lock        resolve requirements.lock anew from pyproject.toml

SHELL := /bin/bash
PYTHON ?= python3
JOBS ?= 1
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: reproduce test lint check benchmark lock environment
reproduce: environment
	$(if $(filter-out 1,$(JOBS)),python -m commands reproduce . --jobs $(JOBS),dvc repro)
	@python -m commands summary .

test: lint
	python -m pytest

# lint-imports cannot be told to be quiet: what it says is shown where a contract is broken.
lint: environment
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache --no-logo > /dev/null || lint-imports --no-cache --no-logo
	check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

# Runs in a copy, so that nothing here changes; KEEP=folder leaves the copy there.
check: environment
	python -m commands audit . full
	python -m commands rerun $(if $(KEEP),--keep "$(KEEP)")

benchmark: environment
	python -m benchmarks.throughput --device cpu --threads 1 2

environment: .venv/complete

# uv reads none of pip's configuration, so what a user has set there (a folder of wheels, an index) is passed on.
.venv/complete: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else \
		f"error: Python 3.11 to 3.13 is needed, $(PYTHON) is {v.major}.{v.minor}; run make with PYTHON=python3.12, say.")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.lock)"
	setting() { $(BIN)/python -m pip config get "$$1" 2>/dev/null || true; }; \
	UV_FIND_LINKS="$${UV_FIND_LINKS:-$${PIP_FIND_LINKS:-$$(setting global.find-links)}}" \
	UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(setting global.index-url)}}" \
	$(BIN)/uv pip install --python $(BIN)/python --verify-hashes --compile-bytecode \
		--constraint requirements.lock --requirement pyproject.toml --extra test
	@touch $@

# torch's CPU-only build (2.13.0+cpu; Linux, x86-64, Python 3.11) is not on the package index; its hash is added, so that
# a folder of wheels may serve it.
TORCH_CPU_SHA256 := 6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b

lock: environment
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command "make lock" --extra test --extra ray pyproject.toml --output-file requirements.lock
	awk '{ print } /^torch==/ { print "    --hash=sha256:$(TORCH_CPU_SHA256) \\" }' requirements.lock > requirements.lock.new
	mv requirements.lock.new requirements.lock
