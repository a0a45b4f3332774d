# Every target first installs what it needs into .venv, from nothing but Python >= 3.11, git and make.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed

# uv resolves for every platform and Python at once. The index is whichever the environment names; the locks name none.
COMPILE := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --extra embedded \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	$(if $(UPGRADE),--upgrade)

export SEED REPLICAS APVS
# The release of @octokit/openapi that the stand-in for GitHub is held against.
OPENAPI := 23.0.2

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Name, command: one line when it passes, all that it said when it does not.
define check
	@printf '  %-16s' '$(1)'; if said=$$($(2) 2>&1); then echo ok; else echo failed; echo "$$said"; exit 1; fi
endef

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench chaos openapi pictures install venv format lock secrets clean

help: ## These lines
	@sed -n 's/^\([a-z]*\):[^#]*## /\1|/p' Makefile | \
		while IFS='|' read -r target what; do printf 'make %-8s  %s\n' "$$target" "$$what"; done

demo: $(INSTALLED) ## The bot with local stand-ins for Slack and GitHub (HEADLESS=1: plays the reviewers, then exits)
	@$(BIN)/apv-bot demo $(if $(filter 1 true yes,$(HEADLESS)),--headless)

test: $(INSTALLED) ## Every test, on a real PostgreSQL: embedded, or TEST_DATABASE_URL (ARGS="-k quorum": some of them)
	@$(BIN)/pytest --numprocesses=auto --dist=worksteal $(ARGS)

lint: $(INSTALLED) ## Format, lint, types, import rules, dependencies, Dockerfile, secrets
	$(call check,ruff format,$(BIN)/ruff format --check .)
	$(call check,ruff check,$(BIN)/ruff check .)
	$(call check,mypy --strict,$(BIN)/mypy --strict --num-workers=auto)
	$(call check,lint-imports,$(BIN)/lint-imports --no-logo)
	$(call check,deptry,$(BIN)/deptry --no-ansi .)
	$(call check,hadolint,$(BIN)/hadolint Dockerfile)
	$(call check,detect-secrets,git ls-files -z | xargs -0 -n 250 -P 2 $(BIN)/detect-secrets-hook --no-verify --baseline .secrets.baseline)

openapi: build/github-openapi.json ## GitHub's own description of its API, by npm, for the tests of its stand-in

build/github-openapi.json:
	@mkdir -p build
	@npm pack --silent --pack-destination build @octokit/openapi@$(OPENAPI) >/dev/null
	@tar -xzOf build/octokit-openapi-$(OPENAPI).tgz package/generated/api.github.com.json > $@.part
	@mv $@.part $@ && rm build/octokit-openapi-$(OPENAPI).tgz

bench: $(INSTALLED) ## The benchmarks: a table here, and build/bench.json
	@$(BIN)/python -m tests.benchmarks

pictures: $(INSTALLED) ## The pictures of docs/images, drawn anew by a test that looks at the page in Chromium
	@PICTURES=docs/images $(BIN)/pytest -q tests/page/test_surfaces.py -k pictures

chaos: $(INSTALLED) ## The fault run: kills, restarts, failing vendors, then the books (SEED=2, REPLICAS=2, APVS=500)
	@$(BIN)/python -m tests.chaos

install: $(INSTALLED) ## Only install, into .venv (PYTHON=python3.12: with that one)

venv: $(INSTALLED)

format: $(INSTALLED) ## Rewrite the code as `make lint` wants it
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

lock: $(INSTALLED) ## Bring the locks up to pyproject.toml (UPGRADE=1: and every package to its newest allowed release)
	@$(COMPILE) --group build --output-file requirements.lock
	@# Tests run on what production runs: the second lock adds to the first and changes nothing in it.
	@$(COMPILE) --group dev --constraint requirements.lock --output-file requirements-dev.lock

secrets: $(INSTALLED) ## Accept what the secret check finds now; read the difference before committing it
	@$(BIN)/detect-secrets scan --slim --no-verify --disable-plugin TelegramBotTokenDetector \
		--exclude-files '^(requirements.*\.lock|\.secrets\.baseline)$$' > .secrets.baseline

clean: ## Remove .venv, the demo's state and everything else that was built here
	@rm -rf .venv .apv-bot build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(INSTALLED): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'apv-bot needs Python 3.11 or newer; name one: make install PYTHON=python3.12'; exit 1; }
	@echo 'Installing into .venv ...'
	@$(PYTHON) -m venv .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.lock >.venv/uv.lock
	@$(BIN)/pip install -qq --no-deps --require-hashes --requirement .venv/uv.lock
	@# uv takes a tenth of the time, but knows nothing of an index that only pip was told of.
	@$(BIN)/uv pip install --quiet --compile-bytecode --python .venv --require-hashes --requirement requirements-dev.lock 2>/dev/null || \
		$(BIN)/pip install -qq --require-hashes --requirement requirements-dev.lock
	@# The lock holds the build backend too, so this asks the index for nothing.
	@$(BIN)/pip install -qq --no-build-isolation --no-deps --editable .
	@touch $@
