# Most targets need the environment that `make setup` builds, once. The pages and the metrics
# have their own environments, which are built when you first need them.
PYTHON ?= python3
BIN := .venv/bin
PAGES := .venv-dashboards/bin
export DO_NOT_TRACK := 1

.PHONY: help setup lock demo psql serve api dashboards metrics docs check lint lint-ours lint-pages \
	test test-others test-dashboards test-models test-cluster slow faults equality citus bench \
	clean

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

# MetricFlow requires versions that would hold back the other packages
.venv-metrics/done: requirements-metrics.lock
	$(PYTHON) -m venv .venv-metrics
	.venv-metrics/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement requirements-metrics.lock
	.venv-metrics/bin/python -m pip check
	touch $@

# packages of other projects, which tests compare ours with
.venv-peers/done: requirements-peers.lock
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check \
		--require-hashes --no-deps --requirement requirements-peers.lock
	.venv-peers/bin/python -m pip check
	touch $@

lock: ## resolve all versions again
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements.lock
	$(BIN)/uv pip compile --group pyproject.toml:dashboards --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements-dashboards.lock
	$(BIN)/uv pip compile --group pyproject.toml:metrics --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements-metrics.lock
	$(BIN)/uv pip compile --group pyproject.toml:peers --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --output-file requirements-peers.lock

demo: setup ## create sample data, refresh, write back and install roles, in .local
	$(BIN)/python -m demo
	$(BIN)/python -m flows refresh --mode nightly --backfill-days 120
	$(BIN)/python -m flows fit-orders
	$(BIN)/python -m flows fit-visits
	$(BIN)/python -m flows roles install

psql: setup ## open psql on the demo, or on the database that the libpq variables name
	$(BIN)/python -m demo.psql

serve: setup ## run the schedules, with a Prefect server and its UI
	$(BIN)/python -m flows serve

api: setup ## serve the marts to programs, on http://127.0.0.1:8600
	$(BIN)/python -m flows api

dashboards: .venv-dashboards/done ## serve the pages, on http://127.0.0.1:8501
	$(PAGES)/python -m dashboards

metrics: setup .venv-metrics/done ## list the metrics and their dimensions
	$(BIN)/python -m metrics

docs: setup ## build the documentation site, docs_site/index.html
	$(BIN)/python docs/site.py

lint: lint-ours lint-pages ## check style and types

lint-pages: setup .venv-dashboards/done
	$(BIN)/mypy --cache-dir .mypy_cache/pages --python-executable $(PAGES)/python \
		dashboards tests/dashboards

lint-ours: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --exclude tests/dashboards/
	$(BIN)/sqlfluff lint --processes 2 --disable-progress-bar models tests analyses demo docs flows
	$(BIN)/sqlfluff lint --disable-progress-bar --templater placeholder dashboards api

# CONTRIBUTING.md, "Tests", says what each minute of these catches. Two targets run at a time,
# because most need one processor; the other environments are built meanwhile
TOGETHER := $(MAKE) --no-print-directory --jobs 2 --output-sync=target
# the files in the order of tests/conftest.py, the longest first
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: setup ## check style, types, conventions and dbt's unit tests, in a minute
	+$(TOGETHER) lint test-models

# the tests that need no rows
CONVENTIONS := tests/test_conventions.py tests/test_contract_of_inputs.py tests/test_rules.py
UNIT_TESTS := tests/test_models.py::test_unit_tests

test-models: setup
	$(BIN)/python -m pytest -q $(CONVENTIONS) $(UNIT_TESTS)

# what most tests start from is made once; each process of pytest starts on a copy
CLUSTER := $(CURDIR)/.local/test-cluster
ALL_VENVS := setup $(patsubst %,.venv-%/done,dashboards metrics peers)
PYTEST_PAGES := FLOWS_PYTHON=$(CURDIR)/$(BIN)/python $(PAGES)/python -m pytest tests/dashboards

test: ## run the tests that each change must pass
	+$(TOGETHER) TEST_CLUSTER=$(CLUSTER) test-dashboards test-others
	rm -rf $(CLUSTER)

test-others: lint test-models
	$(PYTEST) $(addprefix --ignore=,$(CONVENTIONS)) --deselect $(UNIT_TESTS)

test-dashboards: setup .venv-dashboards/done ## test the pages
	$(PYTEST_PAGES)

test-cluster: setup
	rm -rf $(CLUSTER)
	mkdir -p $(CLUSTER)
	$(BIN)/python tests/cluster.py $(CLUSTER)

test-dashboards test-models: | $(if $(TEST_CLUSTER),test-cluster)

slow: $(ALL_VENVS) test-cluster ## run the tests that `make test` leaves out
	TEST_CLUSTER=$(CLUSTER) $(PYTEST) --verbose -m slow
	TEST_CLUSTER=$(CLUSTER) $(PYTEST_PAGES) -m slow
	$(PYTEST) tests/properties --histories 24
	rm -rf $(CLUSTER)

faults: setup ## test kills, overlaps, stuck readers and hostile tenants, for an hour
	$(BIN)/python -m pytest -s -m '' tests/flows/test_faults.py --kills 100 --overlaps 30
	$(BIN)/python -m pytest -s -m '' tests/flows/test_live_write_back.py --customers 12000 \
		--transactions 10000 --races 1000 --write-back-kills 20
	$(BIN)/python -m pytest -s -m '' tests/flows/test_hook.py -k rejected --inserts 10000
	$(BIN)/python -m pytest -s -m '' tests/flows/test_roles.py -k poll --polls 20000
	$(BIN)/python -m pytest -s -m '' tests/flows/test_continuous.py -k memory --rounds 10000

equality: setup ## try twenty times as many random histories, 2,000 of hourly refreshes
	$(BIN)/python -m pytest tests/properties --histories 80
	$(BIN)/python -m pytest -m slow tests/properties --histories 24 -k whole_refresh

citus: setup ## compare every mart with one server, if Citus is installed
	$(BIN)/python -m pytest -m '' tests/citus

bench: setup ## measure refreshes, compared with handwritten SQL and other ways
	$(BIN)/python -m bench

clean: ## remove what was built, including the demo's database
	rm -rf target logs docs_site .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
