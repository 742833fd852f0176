# Valise: `make demo` runs it, `make test` tests it. Every target sets up .venv from the lock first.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
NOTES ?= samples/notes.jsonl
STAMP := .venv/.ready
OIDC := tests/oidc/node_modules/.ready
COMPOSE ?= $(shell command -v docker-compose || echo docker compose)

.PHONY: help setup demo test test-live eval train lint format bench bench-full soak engines engines-stop image compose-check lock clean

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1	/' | expand -t 22

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	  || { echo "Python 3.11, 3.12 or 3.13 is needed (make PYTHON=python3.12 …)"; exit 1; }
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

# The identity provider of the tests. Where it cannot be had, they say so and are skipped.
$(OIDC): tests/oidc/package.json
	@if command -v npm >/dev/null; then \
	  npm install --prefix tests/oidc --no-package-lock --no-audit --no-fund --silent && touch $@ \
	    || echo "npm could not install the identity provider of the tests"; \
	else echo "no npm here: no identity provider for the tests"; fi

setup: $(STAMP) ## the virtual environment with everything, from the lock

demo: $(STAMP) ## start the embedded deployment, submit the sample notes (NOTES=…), show what it found
	@NOTES="$(NOTES)" DEMO_EXIT="$(DEMO_EXIT)" .venv/bin/python tools/demo.py

test: $(STAMP) $(OIDC) ## all tests; the live ones too where Java 21+, Maven and PostgreSQL are found
	@.venv/bin/python tools/run_tests.py

test-live: $(STAMP) ## the live tests; fails where the engines cannot start
	@.venv/bin/python tools/run_tests.py --live-only

lint: $(STAMP) ## ruff, mypy --strict, import-linter
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

format: $(STAMP) ## ruff's formatting and safe mends
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

eval: $(STAMP) ## the classifier's quality on labelled texts (VALISE_EVAL_DATA); docs/quality.md
	@.venv/bin/python -m evaluation

train: $(STAMP) ## learn the theme weights anew: FILES="labelled.jsonl …"; then record a release
	@.venv/bin/python -m evaluation.training $(FILES)

bench: $(STAMP) ## the benchmarks, short form (docs/benchmarks.md); ROWS="p1 p5" for some
	@.venv/bin/python -m benchmarks run $(ROWS)

bench-full: $(STAMP) ## the long form: 200,000 notes, five pairs a row
	@.venv/bin/python -m benchmarks run $(ROWS) --full

soak: $(STAMP) ## thousands of requests against the API document, then faults on engines of its own, an hour (SOAK="--short")
	@VALISE_HYPOTHESIS=soak VALISE_EXAMPLES=200 .venv/bin/python tools/run_tests.py -- -q tests/security/test_contract.py
	@.venv/bin/python -m tools.soak $(SOAK)

engines: $(STAMP) ## real Kafka, Elasticsearch and PostgreSQL on 127.0.0.1; prints the settings
	@.venv/bin/python tools/engines/engines.py start

engines-stop: ## end them and remove their data
	@$(PYTHON) tools/engines/engines.py stop

image: ## Valise's image, with Docker or, as root, with buildah (BASE=… another base image)
	@$(PYTHON) tools/image.py $(if $(BASE),--base $(BASE))

compose-check: $(STAMP) ## what docker-compose and the code say of the compose files
	$(COMPOSE) -f docker-compose.yml config --quiet
	$(COMPOSE) -f docker-compose.yml -f compose/scale.yml config --quiet
	$(COMPOSE) -f docker-compose.yml -f compose/provider.yml config --quiet
	@.venv/bin/python -m pytest -q tests/deployment/test_compose.py

lock: ## write requirements.lock anew (needs uv on PATH)
	uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --all-extras \
	  --no-header --no-annotate --no-emit-index-url --no-emit-find-links -o requirements.lock pyproject.toml

clean: ## remove what the other targets made
	rm -rf tests/oidc/node_modules .venv .demo .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
