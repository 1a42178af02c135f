"""docs/rules.md: words, numbers and examples are those of the project."""

import re
from typing import Any

import pytest
from conftest import PROJECT

from docs import rules

EXAMPLES = {
    name: test
    for name, test in rules.unit_tests().items()
    if test.get("description", "").startswith("An example of docs/rules.md")
}


def expected(name: str, **key: object) -> list[dict[str, Any]]:
    """Return the rows that a unit test expects, with these values."""
    rows = rules.unit_tests()[name]["expect"]["rows"]
    return [row for row in rows if all(row[column] == key[column] for column in key)]


def test_the_page_of_the_rules_is_current() -> None:
    assert (PROJECT / "docs" / "rules.md").read_text() == rules.page(), (
        "PYTHONPATH=. python docs/rules.py writes it anew"
    )


def test_every_example_is_on_the_page_and_goes_by_the_defaults() -> None:
    words = " ".join(rules.blocks_of_files().values())
    [defaults] = [
        row for row in rules.seed_rows("risk_thresholds") if row["tenant_slug"] == "default"
    ]
    assert len(EXAMPLES) >= 8
    for name, test in EXAMPLES.items():
        assert f"example('{name}'" in words
        assert set(test.get("overrides", {}).get("vars", {})) <= {"as_of"}, name
        for given in test["given"]:
            # without rows of its own in a test, a seed has those of its file
            rows = given.get("rows", [])
            [of] = re.findall(r"\w+(?='\))", given["input"])
            if rows and (PROJECT / "seeds" / f"{of}.csv").exists():
                seed = rules.seed_rows(of)
                assert len(rows) == len(seed)
                for row, line in zip(rows, seed, strict=True):
                    told = {column: rules.shown(row[column]) for column in row}
                    assert told == {column: rules.shown(line[column]) for column in row}
            for row in rows if given.get("format") != "sql" else []:
                for column in row.keys() & defaults.keys():
                    assert str(row[column]) == defaults[column], f"{name}: {column}"


@pytest.mark.parametrize(
    ("before", "key", "after", "given"),
    [
        (
            "a_cadence_and_its_dates_after_each_of_six_deliveries",
            {"delivery_number": 6},
            "a_status_on_the_days_around_its_limits",
            "int_customers__risk_figures",
        ),
        (
            "a_day_is_scored_component_by_component",
            {},
            "a_score_is_the_sum_of_its_weighted_points",
            "int_tenant_health_factors__weighted",
        ),
        (
            "an_account_is_scored_sub_score_by_sub_score",
            {},
            "a_health_score_is_the_sum_of_its_weighted_scores",
            "int_account_days__factors",
        ),
    ],
)
def test_each_example_continues_from_the_previous_marts(
    before: str, key: dict[str, object], after: str, given: str
) -> None:
    found = expected(before, **key)
    rows = rules.given_rows(rules.unit_tests()[after], given)
    same = {
        "customer_id": "customer_id",
        "cadence_days": "cadence_days",
        "delivered_on": "last_order_date",
        "expected_on": "next_expected_order_date",
        "late_on": "late_on",
        "dormant_on": "dormant_on",
        "component": "component",
        "sub_score": "sub_score",
        "score": "score",
        "weight": "weight",
        "effective_weight": "effective_weight",
        "weighted_points": "weighted_points",
        "points_lost": "points_lost",
    }
    for row in found:
        wanted = {
            column: rules.shown(row[name])
            for name, column in same.items()
            if name in row and column in rows[0]
        }
        assert len(wanted) >= 4
        assert any(
            all(rules.shown(one[column]) == wanted[column] for column in wanted)
            for one in rows
        ), wanted


def test_the_readme_tells_the_four_rules_in_the_default_numbers() -> None:
    asked = rules.words(str, str)
    threshold, var = asked["threshold"], asked["var"]
    cadence = [threshold(name) for name in ("cadence_orders", "grace_days", "dormant_days")]
    revenue = ("recent_orders", "revenue_decline_pct", "baseline_orders")
    segments = ("segment_new_days", "segment_active_days", "segment_at_risk_days")
    levels = ("tenant_high_below", "tenant_medium_below", "tenant_declining_high_below")
    wanted = {
        "Orders": [*cadence, *(threshold(name) for name in revenue)],
        "Bookings": [threshold(name) for name in segments],
        "Product usage": [0, 100, *map(var, levels), var("tenant_trend_points")],
        "Accounts": [var("account_at_risk_churn"), var("account_at_risk_health")],
    }
    readme = (PROJECT / "README.md").read_text()
    told = dict(re.findall(r"^- \*\*([^*]+):\*\* (.*(?:\n  .*)*)", readme, re.MULTILINE))
    assert {name: re.findall(r"\d+", line) for name, line in told.items()} == {
        name: [str(number) for number in numbers] for name, numbers in wanted.items()
    }
