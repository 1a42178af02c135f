# Every target needs only the environment that `make setup` builds, once; the pages for people
# and the metrics have their own, which are built when they are first needed.
PYTHON ?= python3
BIN := .venv/bin
PAGES := .venv-dashboards/bin
export DO_NOT_TRACK := 1

.PHONY: help setup lock demo psql serve api dashboards metrics docs check lint lint-ours lint-pages \
	test test-models test-dashboards slow faults equality citus bench clean

help: ## show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 17

setup: .venv/done ## build the environment from the lock file

.venv/done: requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	test -f profiles.yml || cp profiles.example.yml profiles.yml
	touch $@

.venv-dashboards/done: requirements-dashboards.lock
	$(PYTHON) -m venv .venv-dashboards
	$(PAGES)/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement requirements-dashboards.lock
	$(PAGES)/python -m pip check
	touch $@

# MetricFlow pins packages that the others would have to follow
.venv-metrics/done: requirements-metrics.lock
	$(PYTHON) -m venv .venv-metrics
	.venv-metrics/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement requirements-metrics.lock
	.venv-metrics/bin/python -m pip check
	touch $@

# of other projects, that tests hold ours against
.venv-peers/done: requirements-peers.lock
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement requirements-peers.lock
	.venv-peers/bin/python -m pip check
	touch $@

lock: ## resolve the versions anew
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements.lock
	$(BIN)/uv pip compile --group pyproject.toml:dashboards --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements-dashboards.lock
	$(BIN)/uv pip compile --group pyproject.toml:metrics --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements-metrics.lock
	$(BIN)/uv pip compile --group pyproject.toml:peers --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements-peers.lock

demo: setup ## sample data, models, a nightly refresh, the write-back and roles, in .local
	$(BIN)/python -m demo
	$(BIN)/python -m flows refresh --mode nightly --backfill-days 120
	$(BIN)/python -m flows fit-orders
	$(BIN)/python -m flows fit-visits
	$(BIN)/python -m flows roles install

psql: setup ## psql on the demo, or on the database that the libpq environment names
	$(BIN)/python -m demo.psql

serve: setup ## the Prefect server with its UI, and the schedules
	$(BIN)/python -m flows serve

api: setup ## the marts by HTTP, for programs, on http://127.0.0.1:8600
	$(BIN)/python -m flows api

dashboards: .venv-dashboards/done ## the pages for people, on http://127.0.0.1:8501
	$(PAGES)/python -m dashboards

metrics: setup .venv-metrics/done ## the metrics, and what they can be asked for by
	$(BIN)/python -m metrics

docs: setup ## the documentation site, in docs_site/index.html
	$(BIN)/python docs/site.py

lint: lint-ours lint-pages ## style of Python and SQL, types

lint-pages: setup .venv-dashboards/done
	$(BIN)/mypy --cache-dir .mypy_cache/pages --python-executable $(PAGES)/python \
		dashboards tests/dashboards

lint-ours: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --exclude tests/dashboards/
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar models tests analyses demo docs flows
	$(BIN)/sqlfluff lint --disable-progress-bar --templater placeholder dashboards api

# what each minute of these buys: CONTRIBUTING.md, "Tests". Two targets at a time, for most need
# one processor; the other environments are built meanwhile
TOGETHER := $(MAKE) --no-print-directory --jobs 2 --output-sync=target
# the files in the order of tests/conftest.py, the longest first
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: setup ## in a minute: style, types, conventions, unit tests of dbt
	+$(TOGETHER) lint test-models

# what needs no rows
CONVENTIONS := tests/test_conventions.py tests/test_contract_of_inputs.py tests/test_rules.py
UNIT_TESTS := tests/test_models.py::test_unit_tests

test-models: setup
	$(BIN)/python -m pytest -q $(CONVENTIONS) $(UNIT_TESTS)

test: setup ## what each change is worth, on databases of its own
	+$(TOGETHER) test-dashboards lint test-models
	$(PYTEST) $(addprefix --ignore=,$(CONVENTIONS)) --deselect $(UNIT_TESTS)

slow: setup .venv-metrics/done .venv-peers/done ## what `make test` leaves out
	$(PYTEST) --verbose -m slow
	$(PYTEST) tests/properties --histories 24

test-dashboards: setup .venv-dashboards/done ## the pages, on a database of their own
	FLOWS_PYTHON=$(CURDIR)/$(BIN)/python $(PAGES)/python -m pytest tests/dashboards

faults: setup ## kills, overlaps, stuck readers, busy applications, hostile tenants: an hour
	$(BIN)/python -m pytest -s -m '' tests/flows/test_faults.py --kills 100 --overlaps 30
	$(BIN)/python -m pytest -s -m '' tests/flows/test_live_write_back.py --customers 12000 \
		--transactions 10000 --races 1000 --write-back-kills 20
	$(BIN)/python -m pytest -s -m '' tests/flows/test_hook.py -k rejected --inserts 10000
	$(BIN)/python -m pytest -s -m '' tests/flows/test_roles.py -k poll --polls 20000
	$(BIN)/python -m pytest -s -m '' tests/flows/test_continuous.py -k memory --rounds 10000

equality: setup ## ten times as many random histories: 2,000 of hourly refreshes
	$(BIN)/python -m pytest tests/properties --histories 80

citus: setup ## a cluster of Citus, where there is one: every mart as on one server
	$(BIN)/python -m pytest -m '' tests/citus

bench: setup ## how long it takes, against SQL by hand and against other ways
	$(BIN)/python -m bench

clean: ## remove what was built, the demo database included
	rm -rf target logs docs_site .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
