# `make` alone lists what there is. Everything is set up on first use in .venv; everything written goes to $CRATES_DATA.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
ifndef CRATES_DATA
CRATES_DATA := $(CURDIR)/data
endif
# what a user types reaches the commands through the environment, as it is: neither make nor a shell expands it
$(foreach name,CRATES_DATA NAME Q MODEL PORT SCALES,$(eval override export $(name) := $$(value $(name))))
export PATH := $(CURDIR)/$(BIN):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help demo backtest refresh test test-slow coverage ui sql crate lint bench bench-cache bench-enrichment bench-full clean lock model

help:
	@echo "make demo    run the whole DAG on the bundled registry and print the answer (MODEL=… asks a language model)"
	@echo "make model   fetch the language model (MODEL=qwen2.5-coder-0.5b, 491 MB, or qwen2.5-coder-1.5b) and check it"
	@echo "make backtest  compare predictions with outcomes on every date that can be tested: docs/backtest.md"
	@echo "make refresh today's crates.io, from nothing to scores (CRATES_CONTACT=you@example.org)"
	@echo "make test    lint, then every test that is not marked slow"
	@echo "make test-slow  long fuzzing, and runs that are killed at random moments"
	@echo "make coverage  the same tests, with the share of lines and branches that they execute"
	@echo "make ui      the Dagster UI on http://127.0.0.1:3000 (PORT=… for another)"
	@echo "make sql     a SQL shell over the tables (Q=\"select …\" for one query)"
	@echo "make crate NAME=serde  the scores and known problems of one crate"
	@echo "make lint    ruff, pyright, import rules, sqlfluff and codespell"
	@echo "make bench   timings compared with limits and other tools"
	@echo "make bench-cache  the cache compared with limits and other libraries"
	@echo "make bench-enrichment  speed and quality of enrichment (MODEL=… for a language model)"
	@echo "make bench-full  the live source at shares of today's size (SCALES=0.1,0.25,0.5,1.0)"
	@echo "make lock    resolve the lock files from pyproject.toml (UPGRADE=1 for the newest versions)"
	@echo "make clean   remove \$$CRATES_DATA ($$CRATES_DATA) and .venv"
	@echo "All but set-up, tests and locks is the command .venv/bin/crates: see .venv/bin/crates --help"

# uv makes the install take seconds; it comes from the registry like everything else, pinned by hash
.venv/ready: requirements.lock requirements-setup.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "error: Python 3.11 to 3.13 is needed, found " + sys.version)'
	@echo "setting up .venv (once)"
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-setup.lock
	@UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy $(BIN)/uv pip sync --quiet --require-hashes --python $(BIN)/python requirements.lock
	@$(BIN)/uv pip install --quiet --offline --no-deps --python $(BIN)/python --editable .
	@touch $@

# tools for tests, lint and benchmarks; production does not have them
.venv/dev-ready: .venv/ready requirements-dev.lock
	@UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy $(BIN)/uv pip install --quiet --require-hashes --python $(BIN)/python -r requirements-dev.lock
	@touch $@

# llama.cpp is compiled from source once per machine; the wheel is cached in ~/.cache
.venv/model-ready: .venv/ready requirements-model.lock requirements-build.lock cli/build_model_runtime.py
	@$(BIN)/python -m cli.build_model_runtime
	@touch $@

model: .venv/ready
	@$(BIN)/crates model fetch $${MODEL:+-- "$$MODEL"}

demo: $(if $(MODEL)$(value CRATES_MODEL),.venv/model-ready,.venv/ready)
	@$(BIN)/crates demo $${MODEL:+--model "$$MODEL"}

backtest: .venv/ready
	@$(BIN)/crates backtest

refresh: .venv/ready
	@$(BIN)/crates refresh

test: .venv/dev-ready .venv/model-ready lint
	@$(BIN)/python -m pytest -n 2 --dist worksteal

test-slow: .venv/dev-ready .venv/model-ready
	@$(BIN)/python -m pytest -n 2 --timeout 3600 -m slow
	@CRATES_FUZZ_EXAMPLES=400 $(BIN)/python -m pytest -n 2 --timeout 3600 -m "fuzz and not slow"

# half as long again as `make test`: Python 3.11 has no cheaper way to measure than a trace function
coverage: .venv/dev-ready .venv/model-ready
	@$(BIN)/python -m pytest -n 2 --dist worksteal --timeout 180 --cov --cov-report=term

lint: .venv/dev-ready
	@$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
	@$(BIN)/lint-imports --no-cache > /dev/null || $(BIN)/lint-imports --no-cache
	@$(BIN)/codespell
	@$(BIN)/python -m tools.prose_lint
	@$(BIN)/sqlfluff lint --quiet . & sqlfluff=$$!; $(BIN)/pyright; pyright=$$?; wait $$sqlfluff && exit $$pyright

ui: .venv/ready
	@$(BIN)/crates ui $${PORT:+--port "$$PORT"}

sql: .venv/ready
	@$(BIN)/crates sql $${Q:+-- "$$Q"}

crate: .venv/ready
	@test -n "$$NAME" || { echo "error: name a crate: make crate NAME=serde" >&2; exit 1; }
	@$(BIN)/crates show -- "$$NAME"

bench: .venv/dev-ready
	@$(BIN)/crates bench features

bench-cache: .venv/dev-ready
	@$(BIN)/crates bench cache

bench-enrichment: .venv/dev-ready .venv/model-ready
	@set -f; for model in $$MODEL; do set -- "$$@" --model "$$model"; done; $(BIN)/crates bench enrichment "$$@"

bench-full: .venv/dev-ready
	@$(BIN)/crates bench full $${SCALES:+--scales "$$SCALES"}

COMPILE := uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links

lock: .venv/ready
	@$(COMPILE) pyproject.toml -o requirements.lock
	@$(COMPILE) -c requirements.lock --group model -o requirements-model.lock
	@$(COMPILE) -c requirements.lock --group model-build -o requirements-build.lock
	@$(COMPILE) -c requirements.lock -c requirements-model.lock --group dev -o requirements-dev.lock
	@echo uv | $(COMPILE) - -o requirements-setup.lock

clean:
	@rm -rf "$$CRATES_DATA" .venv
