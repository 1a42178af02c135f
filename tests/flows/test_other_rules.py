"""A changed rule changes many customers at once: the guard says so, and what to do."""

from pathlib import Path

import pytest
from conftest import UNTIL, Database

SAID = "the rules (a setting, a threshold, a model) have changed since the write-back of "


@pytest.mark.slow
def test_a_write_back_held_by_a_changed_rule_says_so_and_what_to_do(
    refreshed: Database, project: Path
) -> None:
    hourly = ("flows", "refresh", "--mode", "hourly", "--as-of", UNTIL)
    seed = project / "seeds" / "risk_thresholds.csv"
    # dormant after 10 days instead of 45, for one tenant
    seed.write_text(f"{seed.read_text().rstrip()}\nharbor-foods,10{',' * 12}\n")
    for _ in range(2):
        # the second refresh uses the same rules, and nothing has been written yet
        done = refreshed.run(*hourly, project=project)
        assert done.returncode == 3, done.stderr
        [line] = done.stderr.splitlines()
        assert "write-back held: harbor-foods: " in line
        assert SAID in line
        assert "`customer-health write-back --dry-run`" in line
        assert "--force" in line
    preview = refreshed.run("flows", "write-back", "--dry-run", project=project)
    assert SAID in preview.stdout
    forced = ("flows", "write-back", "--force", "--tenant", "harbor-foods")
    assert refreshed.run(*forced, project=project).returncode == 0
    done = refreshed.run(*hourly, project=project)
    assert done.returncode == 0, done.stderr

    # many changes under the earlier rules are a different matter
    refreshed.execute(
        "update commerce.customers set risk_status = 'HEALTHY' where tenant_id ="
        " (select id from commerce.tenants where slug = 'harbor-foods')"
    )
    done = refreshed.run("flows", "write-back", project=project)
    assert done.returncode == 3
    assert "of the customers would change" in done.stdout
    assert SAID not in done.stderr + done.stdout
