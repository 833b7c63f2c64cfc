SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# uv reads none of pip's configuration, so what a user has set there (a folder of wheels, an index) is passed on.
define install
setting() { $(BIN)/python -m pip config get "$$1" 2>/dev/null || true; }; \
UV_FIND_LINKS="$${UV_FIND_LINKS:-$${PIP_FIND_LINKS:-$$(setting global.find-links)}}" \
UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$(setting global.index-url)}}" \
$(BIN)/uv pip install --python $(BIN)/python --verify-hashes --compile-bytecode \
	--constraint requirements.lock --requirement pyproject.toml
endef

.PHONY: reproduce test test-quick lint check evidence benchmark mutants environment lock help

# The first target is what plain `make` makes. `make help` prints what stands behind every ##.
reproduce: environment ## the default pipeline on all cores, a summary, where the report lies; JOBS=1: one stage after another
	python -m commands reproduce . $(addprefix --jobs ,$(JOBS))
	@python -m commands summary .

test: lint ## lint, types and the whole test suite
	python -m pytest

test-quick: environment ## in a minute: the tests that need neither DVC's stages nor a browser nor long computing
	python -m pytest -m "not pipeline and not browser and not slow"

# lint-imports cannot be told to be quiet: what it says is shown where a contract is broken.
lint: environment ## ruff, mypy, the contracts on imports and the schema of the workflows
	ruff check .
	ruff format --check .
	mypy
	lint-imports --no-cache --no-logo > /dev/null || lint-imports --no-cache --no-logo
	check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml

# Runs in a copy, so that nothing here changes; KEEP=folder leaves the copy there.
check: environment ## is dvc.lock current, and does running the pipeline again, in a copy, give the committed results?
	python -m commands audit . full
	python -m commands rerun $(if $(KEEP),--keep "$(KEEP)")

evidence: environment ## HOURS=2: train for so long what answers most of full/, and say what was decided
	python -m commands plan full --hours $(or $(HOURS),$(error HOURS=2, say, tells for how long)) --go

benchmark: environment ## training speed beside a naive loop and the processor's limit, with one and with two threads
	python -m benchmarks.throughput --device cpu --threads 1 2

# mutmut comes with an extra of its own, so that nothing else installs it; docs/mutants.md has the last figures.
mutants: environment ## do the tests notice a wrong program? hours; MODULE=stages/learning/metrics.py: minutes, that one
	$(install) --quiet --extra mutants
	python -m benchmarks.mutants $(addprefix --jobs ,$(JOBS)) $(MODULE)

# A clone's git is told how to merge what is made by running stages (.gitattributes); DVC, where there is no git.
environment: .venv/complete ## .venv with all that the targets need; PYTHON=python3.12: from that interpreter
	@if up=$$(git rev-parse --show-cdup 2>/dev/null) && [ -z "$$up" ]; then \
		git config merge.dvc-lock.driver "$(BIN)/python -m commands merge-lock %O %A %B %P"; \
		git config merge.made-anew.driver "echo %P: kept as on this branch, made anew by dvc repro >&2"; \
		if grep -qs no_scm .dvc/config.local; then $(BIN)/python -m dvc config --local --unset core.no_scm; fi; \
	elif [ -d .dvc ]; then $(BIN)/python -m dvc config --local core.no_scm true; fi

.venv/complete: pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v < (3, 14) else \
		f"error: Python 3.11 to 3.13 is needed, $(PYTHON) is {v.major}.{v.minor}; run make with PYTHON=python3.12, say.")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -o '^uv==[0-9.]*' requirements.lock)"
	$(install) --extra test
	@touch $@

# torch's CPU-only build (2.13.0+cpu; Linux, x86-64, Python 3.11) is not on the package index; its hash is added, so that
# a folder of wheels may serve it.
TORCH_CPU_SHA256 := 6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b

lock: environment ## resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-annotate --no-emit-index-url \
		--custom-compile-command "make lock" --extra test --extra ray --extra slurm --extra mutants pyproject.toml --output-file requirements.lock
	awk '{ print } /^torch==/ { print "    --hash=sha256:$(TORCH_CPU_SHA256) \\" }' requirements.lock > requirements.lock.new
	mv requirements.lock.new requirements.lock

help: ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
