"""Marts as others see them: their rows are there, and they grow where they stand."""

import subprocess
import sys
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from conftest import PROJECT, UNTIL, Database

BESIDE = {
    "packages.yml": f"packages: [{{local: {PROJECT}}}]",
    "profiles.yml": (PROJECT / "profiles.example.yml")
    .read_text()
    .replace("customer_health:", "beside:")
    .replace("schema: analytics_internal", "schema: theirs"),
    "models/called.sql": (
        "{{ config(materialized='table') }}\n"
        "select customer_id from {{ ref('customer_health', 'due_to_order') }}"
    ),
    "models/assessed.sql": (
        "{{ config(materialized='table') }}\n"
        "select customer_id from {{ ref('customer_health', 'customer_risk_status') }}"
    ),
}


def beside(folder: Path) -> Path:
    """Make a dbt project that has ours as a package, and tables on marts of ours."""
    settings = {
        "name": "beside",
        "profile": "beside",
        "flags": {"require_ref_searches_node_package_before_root": True},
        "vars": yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"],
    }
    (folder / "models").mkdir()
    for name, text in {**BESIDE, "dbt_project.yml": yaml.safe_dump(settings)}.items():
        (folder / name).write_text(text)
    return folder


def dbt(database: Database, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(Path(sys.executable).parent / "dbt"), *arguments],
        cwd=folder,
        env=database.os_environment(DBT_TARGET_PATH=str(folder / "target")),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_table_of_another_project_on_a_mart_has_its_rows(
    small: Database, tmp_path: Path
) -> None:
    folder = beside(tmp_path)
    assert dbt(small, folder, "deps").returncode == 0
    done = dbt(
        small,
        folder,
        *("build", "--select", "+called", "+assessed", "--exclude-resource-type"),
        *("unit_test", "--indirect-selection=buildable", "--vars", f"as_of: {UNTIL}"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert small.value("select count(*) from theirs.called") == 1
    assert small.value("select count(*) from theirs.assessed") == 1
