# Two commands are all the set-up there is: make demo, make test.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo drill test bench faults lint format manifest catalogue lock clean

help: ## Show the commands
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY) ## See an attack and stop it, in a local chat on this machine
	@$(BIN)/spoolwarden demo $(ARGS)

drill: $(READY) ## The fire drill: every feature pressed and verified, as a report
	@$(BIN)/spoolwarden drill $(ARGS)

test: $(READY) ## Run every test
	@$(BIN)/python -m pytest -n 4 --dist worksteal $(ARGS)

bench: $(READY) ## How fast it reads Postfix and judges; ARGS=load: how much it bears
	@$(BIN)/python -m tests.bench $(ARGS)

faults: $(READY) ## Kill the bot at every step of every remedy, and look at what it left
	@$(BIN)/python -m tests.faults --every $(ARGS)

lint: $(READY) ## ruff, strict types, and who may import whom
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

format: $(READY) ## Put the code in its one format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

manifest: $(READY) ## Write manifest/ again from the command table
	@$(BIN)/python -m bot.slack.manifest > manifest/slack.yaml
	@$(BIN)/python -m bot.discord.manifest > manifest/discord.json

catalogue: $(READY) ## Write services/locale/ again from the code's sentences
	@$(BIN)/python -m tests.language

lock: $(READY) ## Pin newer releases of what we depend on, with hashes
	@$(BIN)/pip install -q uv && $(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url \
	  --no-header --python-version 3.11 --universal pyproject.toml --group dev -o requirements.lock
	@$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	  --universal pyproject.toml --group build -c requirements.lock -o requirements-run.lock

clean: ## Remove the virtual environment and caches
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# The environment is made once, and again when the lock file changes.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null 2>&1 || \
	  { echo "Spoolwarden needs Python 3.11 or newer, and there is no '$(PYTHON)' here. Install it, or say which: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Spoolwarden needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Say which to use: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "First run: making $(VENV) and installing the pinned packages (about a minute) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on --quiet --require-hashes -r requirements.lock || \
	  { echo "The packages could not be installed: see pip's words above. Is a package index reachable from here?" >&2; exit 1; }
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $(READY)
	@echo "Ready."
