# Every target first installs what it needs into .venv. Only Python >= 3.11, git and make must be there.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# uv resolves for every platform and Python at once. The environment names the index; the locks name none.
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --extra embedded \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

export SEED REPLICAS APVS
# The release of @octokit/openapi that the tests compare the stand-in for GitHub with.
OPENAPI := 23.0.2

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Empty means: keep compiled code. A run of the tests starts Python some hundred times, and each start would compile anew.
export PYTHONDONTWRITEBYTECODE :=

# Name, command: prints one line if the command passes, and its whole output if it fails.
define check
	@printf '  %-16s' '$(1)'; if said=$$($(2) 2>&1); then echo ok; else echo failed; echo "$$said"; exit 1; fi
endef

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench chaos openapi pictures install venv format lock secrets clean

help: ## Show these lines
	@sed -n 's/^\([a-z]*\):[^#]*## /\1|/p' Makefile | \
		while IFS='|' read -r target what; do printf 'make %-8s  %s\n' "$$target" "$$what"; done

demo: $(INSTALLED) ## Run the bot with local stand-ins for Slack and GitHub (HEADLESS=1: play the reviewers, then exit)
	@$(BIN)/apv-bot demo $(if $(filter 1 true yes,$(HEADLESS)),--headless)

test: $(INSTALLED) ## Run every test, on a real PostgreSQL: embedded, or TEST_DATABASE_URL (ARGS="-k quorum": some of them)
	@$(BIN)/pytest --numprocesses=auto --dist=worksteal $(ARGS)

lint: $(INSTALLED) ## Check format, lint, types, import rules, dependencies, Dockerfile, secrets
	$(call check,ruff format,$(BIN)/ruff format --check .)
	$(call check,ruff check,$(BIN)/ruff check .)
	$(call check,mypy --strict,$(BIN)/mypy --strict --num-workers=auto)
	$(call check,lint-imports,$(BIN)/lint-imports --no-logo)
	$(call check,deptry,$(BIN)/deptry --no-ansi .)
	$(call check,hadolint,$(BIN)/hadolint Dockerfile)
	$(call check,detect-secrets,git ls-files -z | xargs -0 -n 250 -P 2 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline)

openapi: build/github-openapi.json ## Fetch GitHub's own API description, by npm, for the tests of its stand-in

build/github-openapi.json:
	@mkdir -p build
	@npm pack --silent --pack-destination build @octokit/openapi@$(OPENAPI) >/dev/null
	@tar -xzOf build/octokit-openapi-$(OPENAPI).tgz package/generated/api.github.com.json > $@.part
	@mv $@.part $@ && rm build/octokit-openapi-$(OPENAPI).tgz

bench: $(INSTALLED) ## Run the benchmarks: prints a table, writes build/bench.json
	@$(BIN)/python -m tests.benchmarks

pictures: $(INSTALLED) ## Render docs/images again, by a test that opens the page in Chromium
	@PICTURES=docs/images $(BIN)/pytest -q tests/page/test_surfaces.py -k pictures

chaos: $(INSTALLED) ## Run the bot under faults: kills, restarts, failing vendors; then compare the books (SEED=2, REPLICAS=2, APVS=500)
	@$(BIN)/python -m tests.chaos

install: $(INSTALLED) ## Only install, into .venv (PYTHON=python3.12: with that Python)

venv: $(INSTALLED)

format: $(INSTALLED) ## Format the code and fix what ruff can fix
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

lock: $(INSTALLED) ## Update the locks to pyproject.toml (UPGRADE=1: also every package to its newest allowed release)
	@$(COMPILE) --group build --output-file requirements.lock
	@# Tests run on what production runs: the second lock adds to the first one and changes nothing in it.
	@$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock

secrets: $(INSTALLED) ## Accept what the secret check finds now; read the difference before you commit it
	@$(BIN)/detect-secrets scan --slim --no-verify --disable-plugin TelegramBotTokenDetector \
		--exclude-files '^(requirements.*\.lock|\.secrets\.baseline)$$' > .secrets.baseline

clean: ## Remove .venv, the demo's state and everything else that was built
	@rm -rf .venv .apv-bot build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'apv-bot needs Python 3.11 or newer, for example: make install PYTHON=python3.12'; exit 1; }
	@echo 'Installing into .venv ...'
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock >.venv/uv.lock
	@$(BIN)/pip install -qq --no-deps --require-hashes --requirement .venv/uv.lock
	@# uv takes a tenth of the time, but does not know an index that is configured only for pip.
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv --require-hashes --requirement requirements-dev.lock 2>/dev/null || \
		$(BIN)/pip install -qq --require-hashes --requirement requirements-dev.lock
	@# The lock includes the build backend, so this step does not use the index.
	@$(BIN)/pip install -qq --no-build-isolation --no-deps --editable .
	@touch $@
