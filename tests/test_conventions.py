"""The project's conventions, read from dbt's manifest and from the files."""

import csv
import hashlib
import importlib.util
import json
import os
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import PROJECT, USUAL, Database
from test_models import STRICT

from bench.pages import CHOSEN, UNFILTERED
from dashboards.queries import PAGES, text_of
from flows.dbt import command
from flows.schemas import for_dbt
from flows.session import settings
from flows.systems import registry

Node = dict[str, Any]


@pytest.fixture(scope="module")
def manifest(server: Database) -> dict[str, Any]:
    # parsed completely, because dbt warns about a file only when it reads it; into the folder
    # of our own runs and with their vars, so that the unit tests need not parse again
    usual = Database({**server.environment, "PGDATABASE": USUAL}).os_environment()
    variables = ("--vars", json.dumps(for_dbt()))
    done = command(usual, "parse", *STRICT, "--no-partial-parse", *variables)
    assert done.returncode == 0, done.stdout
    found: dict[str, Any] = json.loads(
        Path(usual["DBT_TARGET_PATH"], "manifest.json").read_text()
    )
    return found


@pytest.fixture(scope="module")
def models(manifest: dict[str, Any]) -> list[Node]:
    return [n for n in manifest["nodes"].values() if n["resource_type"] == "model"]


def marts(models: list[Node]) -> list[Node]:
    return [model for model in models if model["fqn"][2] == "marts"]


def role_of(model: Node) -> str:
    """Return the model's folder within its system: its role."""
    return "publication" if len(model["fqn"]) == 3 else str(model["fqn"][2])


def test_every_model_says_its_grain_first(models: list[Node]) -> None:
    wrong = [
        model["name"] for model in models if not model["description"].startswith("One row")
    ]
    assert wrong == []


def test_a_process_of_dbt_is_kept_for_the_next_test(
    server: Database, request: pytest.FixtureRequest
) -> None:
    # with the name of the test in its environment, each test would start one of its own
    assert request.node.name in os.environ["PYTEST_CURRENT_TEST"]
    assert request.node.name not in str(server.os_environment())


def test_names_that_are_put_together_stay_apart_and_are_not_cut(
    manifest: dict[str, Any], models: list[Node], built: Database
) -> None:
    for mart in marts(models):
        if mart["config"]["materialized"] != "published_table":
            continue
        wanted = [["key"], *(index["columns"] for index in mart["config"].get("indexes", []))]
        names = set()
        for columns in wanted:
            whole = "__".join([mart["name"], *columns])
            end = hashlib.md5(whole.encode()).hexdigest()[:12]  # noqa: S324  # only a name
            names.add(whole if len(whole) <= 63 else f"{whole[:50]}_{end}")
        assert len(names) == len(wanted)
        found = built.rows(
            "select indexname from pg_indexes where schemaname = 'analytics'"
            " and tablename = %s",
            mart["name"],
        )
        assert {row["indexname"] for row in found} == names
    for kind in ("model", "seed", "test"):
        aliases = [
            n["alias"] for n in manifest["nodes"].values() if n["resource_type"] == kind
        ]
        # dbt appends __dbt_backup to the name of what it replaces
        most = 63 if kind == "test" else 63 - len("__dbt_backup")
        assert [alias for alias in aliases if len(alias.encode()) > most] == []
        assert len(set(aliases)) == len(aliases)


def test_every_public_column_is_described_and_typed(models: list[Node]) -> None:
    wrong = [
        f"{model['name']}.{name}"
        for model in models
        if model["schema"] != "analytics_internal"
        for name, column in model["columns"].items()
        if not column["description"] or not column["data_type"]
    ]
    assert wrong == []


def test_every_public_model_has_an_enforced_contract(models: list[Node]) -> None:
    wrong = [
        model["name"]
        for model in models
        if (model["schema"] != "analytics_internal" or model["fqn"][2] == "staging")
        and not model["contract"]["enforced"]
    ]
    assert wrong == []


def test_every_mart_begins_its_key_with_the_tenant(models: list[Node]) -> None:
    for mart in marts(models):
        tenant = f"{registry()[mart['fqn'][1]].tenant}_id"
        assert next(iter(mart["columns"])) == tenant, mart["name"]
        if mart["config"]["materialized"] == "published_table":
            assert mart["config"]["unique_key"][0] == tenant, mart["name"]


def test_joins_reach_the_indexes_behind_staging_views(models: list[Node]) -> None:
    wrong = [
        model["name"]
        for model in models
        if model["fqn"][2] in ("inputs", "staging")
        and re.search(r"\bwith\b", model["raw_code"])
    ]
    assert wrong == []


def test_no_public_table_is_dropped_by_a_refresh(models: list[Node]) -> None:
    in_place = {"published_table", "publication", "kept_table", "view_in_place"}
    wrong = [
        model["name"]
        for model in models
        if model["schema"] != "analytics_internal"
        and model["config"]["materialized"] not in in_place
    ]
    assert wrong == []


def test_a_mart_is_described_in_the_yml_of_its_name(
    manifest: dict[str, Any], models: list[Node]
) -> None:
    described = {
        model["unique_id"]: model["patch_path"].removeprefix("customer_health://")
        for model in models
    }
    for mart in marts(models):
        own = mart["original_file_path"].replace(".sql", ".yml")
        if mart["config"]["materialized"] == "view_in_place":
            # a view may be described with the mart whose columns it repeats
            parents = manifest["parent_map"][mart["unique_id"]]
            beside = {described.get(parent) for parent in parents}
        else:
            beside = set()
        assert described[mart["unique_id"]] in {own, *beside}, mart["name"]


def test_every_published_table_is_read_of_its_publication(
    manifest: dict[str, Any], models: list[Node]
) -> None:
    for model in models:
        if model["config"]["materialized"] == "published_table":
            publication = f"model.customer_health.{model['fqn'][1]}_publications"
            assert manifest["parent_map"][model["unique_id"]] == [publication], model["name"]


def test_folders_read_leftwards_only(manifest: dict[str, Any], models: list[Node]) -> None:
    order = ["inputs", "staging", "rules", "publication", "marts", "metrics", "sync"]
    order.append("operations")
    folders = {model["unique_id"]: order.index(role_of(model)) for model in models}
    for model in models:
        for parent in manifest["parent_map"][model["unique_id"]]:
            assert folders.get(parent, -1) <= folders[model["unique_id"]], model["name"]


def test_a_folder_is_a_system_and_in_it_a_role(models: list[Node]) -> None:
    roles = {"inputs", "staging", "rules", "marts", "metrics", "sync", "operations"}
    for model in models:
        assert model["fqn"][1] in (*registry(), "shared"), model["name"]
        assert role_of(model) in (*roles, "publication"), model["name"]
        assert (model["fqn"][1] in model["tags"]) == (model["fqn"][1] != "shared")


def test_unit_tests_stand_beside_their_model(manifest: dict[str, Any]) -> None:
    files = {node["name"]: node["original_file_path"] for node in manifest["nodes"].values()}
    for test in manifest["unit_tests"].values():
        beside = files[test["model"]].replace(".sql", "__unit_tests.yml")
        assert test["original_file_path"] == beside, test["name"]


def test_yml_fits_a_screen() -> None:
    for file in PROJECT.glob("models/**/*.yml"):
        for line in file.read_text().splitlines():
            assert len(line) <= 120, f"{file.name}: {line}"


def test_only_sync_reads_the_operational_statuses(manifest: dict[str, Any]) -> None:
    statuses = "model.customer_health.stg_orders__customer_statuses"
    behind = manifest["child_map"]["model.customer_health.input_orders__customer_statuses"]
    for child in {*manifest["child_map"][statuses], *behind} - {statuses}:
        # an exposure depends on nothing, but says what is written
        if not child.startswith("exposure."):
            assert manifest["nodes"][child]["fqn"][2] == "sync", child


def test_only_inputs_name_operational_tables(models: list[Node]) -> None:
    for model in models:
        # thresholds are a seed of ours, not a table of the application
        is_input = model["fqn"][2] == "inputs" and model["fqn"][1] != "shared"
        assert bool(model["sources"]) == is_input, model["name"]


def test_an_input_is_a_plain_select_and_all_its_columns_are_described(
    manifest: dict[str, Any], models: list[Node]
) -> None:
    inputs = {model["name"]: model for model in models if model["sources"]}
    assert len(inputs) > 20
    for name, model in inputs.items():
        system = model["fqn"][1]
        jinja = re.findall(r"\{[{%#].*?[}%#]\}", model["raw_code"])
        assert len(jinja) == 1, name
        assert re.fullmatch(rf"\{{\{{ source\('{system}', '\w+'\) \}}\}}", jinja[0]), name
        assert name.startswith(f"input_{system}__")
        staging = f"model.customer_health.stg_{name.removeprefix('input_')}"
        assert staging in manifest["child_map"][model["unique_id"]]
        select = model["raw_code"].partition("select\n")[2].partition("\nfrom")[0]
        given = [line.split()[-1].rstrip(",") for line in select.splitlines()]
        assert given == list(model["columns"]), name
        for column in model["columns"].values():
            assert column["data_type"], name
            assert column["description"], name


def test_every_model_can_be_read_in_a_minute(models: list[Node]) -> None:
    # only puts 93 columns side by side, one per line, from a model per subject
    wide = {"int_customer_analytics"}
    for model in models:
        if model["name"] not in wide:
            assert len(model["raw_code"].splitlines()) <= 160, model["name"]
            # the list of a system's bad rows, and the view of its work, read all tables;
            # a publication moves all marts
            reads_all = re.search("^int_quarantined_rows__|_work$", model["name"])
            if not reads_all and model["config"]["materialized"] != "publication":
                assert len(model["depends_on"]["nodes"]) <= 7, model["name"]


def test_every_data_test_is_named_as_a_fact(manifest: dict[str, Any]) -> None:
    for node in manifest["nodes"].values():
        if node["resource_type"] == "test":
            assert " " not in node["name"]
            assert not node["name"].startswith(("unique_key_", "never_null_", "every_row_"))


def test_every_singular_test_says_how_to_resolve_it() -> None:
    for file in (PROJECT / "tests" / "data").rglob("*.sql"):
        if file.parent.name != "generic":
            text = file.read_text()
            for heading in ("-- States: ", "-- Matters: ", "-- To resolve: "):
                assert heading in text, file.name


def test_no_model_or_macro_looks_at_the_clock() -> None:
    clock = re.compile(r"\b(now\(\)|current_date|current_timestamp|clock_timestamp|localtime)")
    macros = PROJECT / "macros"
    # the hook runs between refreshes, at the moment of an order; a publication logs its time
    may = {macros / "hook" / "after_order_created.sql", macros / "publication" / "publish.sql"}
    for folder in ("models", "macros", "analyses", "tests/data"):
        for file in (PROJECT / folder).rglob("*.sql"):
            assert file in may or not clock.search(file.read_text()), file.name


def test_every_macro_is_found_by_its_name_and_is_described(manifest: dict[str, Any]) -> None:
    """A file holds the macro of its name; a second macro in it serves only that folder."""
    files: dict[Any, set[str]] = defaultdict(set)
    for macro in manifest["macros"].values():
        if macro["package_name"] == "customer_health" and not macro["name"].startswith(
            "test_"
        ):
            file = PROJECT / macro["original_file_path"]
            if made := re.fullmatch(r"materialization_(\w+)_postgres", macro["name"]):
                files[file].add(made[1])
            else:
                files[file].add(macro["name"])
                assert macro["description"], macro["name"]
    assert set(files) == set((PROJECT / "macros").rglob("*.sql"))
    texts = {
        file: file.read_text()
        for folder in ("models", "macros", "tests/data", "analyses")
        for file in (PROJECT / folder).rglob("*.sql")
    }
    for file, names in files.items():
        assert file.stem in names, file
        for name in names - {file.stem}:
            callers = {
                other.parent for other in texts if re.search(rf"\b{name}\(", texts[other])
            }
            assert callers <= {file.parent}, f"{name} of {file.name} is called elsewhere"


def test_what_comments_and_documents_point_at_is_there() -> None:
    folders = "analyses|api|bench|dashboards|demo|docs|flows|macros|metrics|models|seeds|tests"
    place = re.compile(rf"(?<![\w./{{}}-])(?:{folders})/[\w./<>*-]*[\w/>]")
    # tests write projects of their own, and the changelog names files that are gone
    texts = [
        file
        for folder in folders.split("|")
        for file in (PROJECT / folder).rglob("*")
        if file.suffix in (".py", ".sql", ".yml", ".md") and folder != "tests"
    ]
    texts += [file for file in PROJECT.glob("*") if file.suffix in (".md", ".yml", ".toml")]
    texts += [*(PROJECT / "tests" / "data").rglob("*.sql"), PROJECT / "Makefile"]
    found = 0
    for file in texts:
        if file.name == "CHANGELOG.md":
            continue
        for line in file.read_text().splitlines():
            # documents name files of other projects like this
            if file.suffix == ".md" and line.startswith("-- "):
                continue
            for name in place.findall(line):
                # the folder of our dbt project in the wheel
                name = name.removeprefix("flows/customer_health/")  # noqa: PLW2901
                found += 1
                assert any(PROJECT.glob(re.sub(r"<\w+>", "*", name))), f"{file.name}: {line}"
    assert found > 100


def test_in_our_sql_the_names_of_our_schemas_are_nothing_else() -> None:
    """flows/schemas.py puts a prefix before them when it reads a file."""
    words = r"\b(analytics|analytics_internal|analytics_internal_failures|operations)\b"
    folders = ("flows/sql/*.sql", "dashboards/sql/*.sql", "api/sql/*/*.sql")
    for file in [file for folder in folders for file in PROJECT.glob(folder)]:
        for line in file.read_text().splitlines():
            code = line.partition("--")[0]
            for found in re.finditer(words, code):
                is_schema = code[found.end() :].startswith((".", "'", ","))
                is_named = re.search(r"schema [\w, ]*$|'[\w ]*$", code[: found.start()])
                assert is_schema or is_named, f"{file.name}: {line}"


def test_every_var_is_documented_and_used() -> None:
    settings = (PROJECT / "dbt_project.yml").read_text().partition("\nvars:\n")[2]
    declared = set(re.findall(r"^  (\w+):", settings, re.MULTILINE))
    texts = [
        file.read_text()
        for folder in ("models", "macros", "analyses", "tests/data")
        for file in (PROJECT / folder).rglob("*")
        if file.suffix in (".sql", ".yml")
    ]
    used = {name for text in texts for name in re.findall(r"""var\(["'](\w+)["']""", text)}
    for script in PROJECT.glob("flows/sql/*.sql"):
        used |= set(re.findall(r"\{\{ (\w+) \}\}", script.read_text()))
    assert used <= declared
    # the others are read by a name that is composed, in a loop, or by the commands
    assert declared - used <= {
        *(f"{system}_enabled" for system in registry()),
        "usage_support_tickets_enabled",
        "subscribers_have_our_tables",
    }
    settings = (PROJECT / "docs/settings.md").read_text()
    # the registry is not a setting
    for name in declared - {"systems"}:
        assert f"`{name}`" in settings, name


def test_every_threshold_is_compared_where_causes_are_told_apart() -> None:
    seed = (PROJECT / "seeds" / "risk_thresholds.csv").read_text().splitlines()[0]
    rules = PROJECT / "models" / "orders" / "rules"
    model = (rules / "int_customers__status_revisions.sql").read_text()
    [limits] = re.findall(r"set limits = \[(.*?)\]", model, re.DOTALL)
    # segments belong to customers who book
    wanted = {name for name in seed.split(",") if not name.startswith("segment_")}
    assert set(re.findall(r"\w+", limits)) == wanted - {"tenant_slug"} | {"time_zone"}


def test_the_defaults_in_the_documents_are_those_of_the_project() -> None:
    document = (PROJECT / "docs" / "settings.md").read_text()
    cells = [line.split("|") for line in document.splitlines() if line.startswith("| `")]
    told = {cell[1].strip(" `"): cell[2].strip(" `") for cell in cells}
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    # described in words, and two instants that are shown as years
    words = {"as_of", "schema_prefix", "systems", "earliest_timestamp", "latest_timestamp"}
    for name in set(settings) - words:
        assert yaml.safe_load(told[name]) == settings[name], name
    for name in ("earliest_timestamp", "latest_timestamp"):
        assert settings[name].startswith(told[name] + "-01-01")
    with (PROJECT / "seeds" / "risk_thresholds.csv").open() as file:
        [header, *lines] = list(csv.reader(file))
    thresholds = dict(zip(header, lines[0], strict=True))
    assert thresholds.pop("tenant_slug") == "default"
    assert {name: told[name] for name in thresholds} == thresholds
    # the system that reads a threshold, and a suitable example
    readers = {cell[1].strip(" `"): cell[3].strip() for cell in cells if len(cell) == 6}
    assert set(readers) == set(thresholds)
    for system, model in (
        ("orders", "int_tenants"),
        ("bookings", "int_booking_organizations"),
    ):
        code = (PROJECT / "models" / system / "rules" / f"{model}.sql").read_text()
        read = set(re.findall(r"coalesce\(own\.(\w+)", code)) - {"tenant_slug"}
        assert read == {name for name, reader in readers.items() if reader == system}
    [example] = re.findall(r"```csv\n(.*)\n(.*)\n```", document)
    assert example[0].split(",") == header
    assert len(example[1].split(",")) == len(header)
    described = yaml.safe_load((PROJECT / "seeds" / "_seeds.yml").read_text())["seeds"]
    [columns] = [seed["columns"] for seed in described if seed["name"] == "risk_thresholds"]
    assert [column["name"] for column in columns] == header


def test_every_setting_of_a_session_is_documented() -> None:
    document = (PROJECT / "docs" / "sessions.md").read_text()
    names = re.findall(r"^    \(?\s*'(\w+)'", settings(), re.MULTILINE)
    assert len(names) > 20
    for name in names:
        assert f"`{name}`" in document, name


def test_every_mart_is_in_the_list_of_marts(models: list[Node]) -> None:
    document = (PROJECT / "docs" / "marts.md").read_text()
    for mart in marts(models):
        assert f"`{mart['name']}`" in document, mart["name"]


def test_the_commands_of_the_readme_are_there() -> None:
    readme = (PROJECT / "README.md").read_text()
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    commands = (PROJECT / "docs" / "commands.md").read_text()
    assert set(re.findall(r"\bmake ([a-z]+)", readme)) <= targets
    named = set(re.findall(r"\bcustomer-health ([a-z-]+)", readme))
    assert len(named) >= 4
    for name in named:
        assert f"`customer-health {name}" in commands, name


def test_documents_are_linked_from_the_readme_and_links_lead_somewhere() -> None:
    readme, reached = PROJECT / "README.md", set()
    documents = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
    for document in documents:
        for link in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
            if "://" not in link:
                target = (document.parent / link).resolve()
                assert target.exists(), f"{document.name}: {link}"
                if document == readme:
                    reached.add(target)
    assert set(documents) - reached == {readme}


def test_public_models_metrics_and_exposures_have_owners(
    manifest: dict[str, Any], models: list[Node]
) -> None:
    for model in models:
        if model["schema"] != "analytics_internal":
            assert model["config"]["group"] in groups(manifest), model["name"]
    for metric in manifest["metrics"].values():
        assert metric["description"], metric["name"]
        assert metric["config"]["group"] in groups(manifest), metric["name"]
    for exposure in manifest["exposures"].values():
        assert exposure["description"], exposure["name"]
        owners = {group["owner"]["name"] for group in manifest["groups"].values()}
        assert exposure["owner"]["name"] in owners, exposure["name"]


def groups(manifest: dict[str, Any]) -> set[str]:
    return {group["name"] for group in manifest["groups"].values()}


def test_every_page_says_what_it_reads(manifest: dict[str, Any]) -> None:
    reads: dict[str, set[str]] = defaultdict(set)
    for page, queries in PAGES.items():
        name = page.partition(",")[0]
        exposed = "usage_and_accounts" if name in ("usage", "accounts") else name
        for query in queries:
            # a function reads the files beside it
            named = re.findall(r"\banalytics\.(\w+)\b(?!\()", text_of(query))
            reads[exposed] |= set(named)
    for page, relations in reads.items():
        exposure = manifest["exposures"][f"exposure.customer_health.page_{page}"]
        # the first page opens at the bare address
        path = "" if page == next(iter(PAGES)) else page
        assert exposure["url"] == f"http://127.0.0.1:8501/{path}"
        # the operations page reads the run log, which dbt does not own
        if page != "operations":
            found = {key.rsplit(".", 1)[1] for key in exposure["depends_on"]["nodes"]}
            assert found == relations, page


def test_the_bench_asks_each_query_of_a_page_with_all_it_needs() -> None:
    chosen = set(re.findall(r"::text as (\w+)", CHOSEN))
    texts = [text_of(query) for queries in PAGES.values() for query in queries]
    asked = {name for text in texts for name in re.findall(r"%\((\w+)\)s", text)}
    assert asked - UNFILTERED.keys() - chosen == set()


def test_the_api_says_what_it_reads(manifest: dict[str, Any]) -> None:
    texts = [file.read_text() for file in PROJECT.glob("api/sql/*/*.sql")]
    read = r"\banalytics\.(\w+)|\boperations\.(\w+_publications|customer_contacts)"
    relations = {"".join(found) for text in texts for found in re.findall(read, text)}
    exposure = manifest["exposures"]["exposure.customer_health.api"]
    assert {key.rsplit(".", 1)[1] for key in exposure["depends_on"]["nodes"]} == relations


def module_of_docs(name: str) -> Any:
    """Return a module of docs/, which is no package."""
    file = PROJECT / "docs" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"{name}_of_docs", file)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # data classes look their module up
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_pictures_of_what_reads_what_are_current(manifest: dict[str, Any]) -> None:
    pictures = module_of_docs("lineage").pictures(manifest)
    assert len(pictures) == len(registry())
    for file, picture in pictures.items():
        # `PYTHONPATH=. python docs/lineage.py` draws them again
        assert file.read_text() == picture, file.name


def test_the_overview_tells_every_threshold_as_it_is_set(manifest: dict[str, Any]) -> None:
    site = module_of_docs("site")
    text = site.render_overview(manifest)
    assert "[[" not in text
    assert "| DORMANT | 45 days or more" in text
    blocks = " ".join(
        doc["block_contents"]
        for doc in manifest["docs"].values()
        if doc["package_name"] == "customer_health"
    )
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    # these numbers are not rules, but technical limits and numbers of rows to show
    machinery = {"backfill_days", "metric_days_back", "account_factor_days"}
    machinery |= {"operations_keep_days", "hourly_runs_keep_days"}
    shown = {"account_trend_shown_days", "shown_orders"}
    rules = {name for name, value in settings.items() if type(value) in (int, float)}
    told = set(re.findall(r"""(?:var|percent)\(['"](\w+)['"]\)""", blocks))
    assert rules - machinery - shown <= told
    with (PROJECT / "seeds" / "risk_thresholds.csv").open() as file:
        [header] = list(csv.reader(file))[:1]
    assert set(header[1:]) == set(re.findall(r"""threshold\(['"](\w+)['"]\)""", blocks))
