"""The recipes of CONTRIBUTING.md, carried out; test_systems.py carries out "Add a system"."""

import re
import subprocess
from pathlib import Path

import pytest
from conftest import PROJECT, PYTHON, UNTIL, Database

NIGHTLY = ("flows", "refresh", "--mode", "nightly", "--no-write-back", "--as-of", UNTIL)
DBT = """
import os, sys
from flows.dbt import command
connection = {name: os.environ[name] for name in os.environ if name.startswith("PG")}
done = command(connection, *sys.argv[1:])
print(done.stdout)
sys.exit(done.returncode)
"""


CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text()
DIFF = re.compile(r"```diff\n(.*?)```", re.DOTALL)


def test_every_diff_applies() -> None:
    diffs = DIFF.findall(CONTRIBUTING)
    assert diffs
    for diff in diffs:
        command = ["git", "apply", "--check"]
        subprocess.run(command, cwd=PROJECT, input=diff, text=True, check=True)


def patch(project: Path, heading: str) -> None:
    """Change a copy of the project as the recipe under this heading says."""
    text = CONTRIBUTING.partition(f"\n## {heading}\n")[2]
    [diff] = DIFF.findall(text.partition("\n## ")[0])
    command = ["git", "apply"]
    subprocess.run(command, cwd=project, input=diff, text=True, check=True)


@pytest.mark.slow
def test_the_recipes_for_a_column_and_for_a_rule_do_what_they_say(
    refreshed: Database, project: Path
) -> None:
    def unit_tests() -> subprocess.CompletedProcess[str]:
        select = ("--select", "int_deliveries,test_type:unit")
        return subprocess.run(
            [PYTHON, "-c", DBT, "test", *select],
            cwd=project,
            env=refreshed.os_environment(DBT_TARGET_PATH=str(project / "target")),
            capture_output=True,
            text=True,
            check=False,
        )

    judged = (
        "select count(*) from analytics.customer_risk_status where revenue_basis = 'EVALUATED'"
    )
    before = refreshed.value(judged)
    assert isinstance(before, int)

    patch(project, "Add a column to a mart")
    patch(project, "Change a rule")
    rule = project / "models" / "orders" / "rules" / "int_deliveries.sql"
    changed = rule.read_text()
    rule.write_text((PROJECT / "models/orders/rules/int_deliveries.sql").read_text())
    # the unit test fails first, as the recipe says
    assert unit_tests().returncode == 1
    rule.write_text(changed)
    done = unit_tests()
    assert done.returncode == 0, done.stdout

    done = refreshed.run(*NIGHTLY, project=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 0 < refreshed.value(judged) < before  # type: ignore[operator]
    assert not refreshed.rows(
        "select from analytics.customer_risk_status join analytics.customer_order_days"
        " using (tenant_id, customer_id) where first_order_date is distinct from"
        " first_delivered_on limit 1"
    )

    script = [PYTHON, str(project / "docs" / "rules.py")]
    subprocess.run(script, cwd=project, check=True)
    assert "only if all recent" in (project / "docs" / "rules.md").read_text()
