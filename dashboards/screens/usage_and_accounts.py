"""Usage and accounts: the health of organizations and accounts, and who may leave."""

from typing import Any

import altair as alt
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import data, look

Row = dict[str, Any]

# the most rows in each list
LOWEST, LIKELIEST, MOST_GOALS = 50, 15, 20

DAYS_TO_COME = (
    "There is one day of scores so far. Each nightly refresh adds one."
    " `customer-health refresh --mode nightly --backfill-days 120` adds earlier days."
)


def show() -> None:
    """Show the page."""
    system, organizations, age = look.choose_system(
        {
            "Usage": data.read("platform_organizations")["platform_organizations"],
            "Accounts": data.read("success_organizations")["success_organizations"],
        },
        label="Health of",
        key="of",
    )
    if system == "Usage":
        with age:
            look.say_age(organizations, "organizations")
        _show_usage(organizations)
    else:
        _show_accounts(organizations, age)


def _show_usage(organizations: list[Row]) -> None:
    found = data.read("tenant_risks", "tenant_scores", organization=None)
    if not found["tenant_scores"]:
        raise data.NothingToShow(f"No day has been collected yet. {data.FIRST_REFRESH}")
    risks = {row["risk_level"]: row for row in found["tenant_risks"]}
    look.tiles(
        [
            look.leading(
                _risk_tile(name, risks.get(name)), "rows", of="organizations", risk_level=name
            )
            for name in look.STATUSES["risk_level"]
        ]
    )
    if len(organizations) > 1:
        look.heading("The lowest scores", "Out of 100, on each organization's latest day.")
        _scores(found["tenant_scores"][:LOWEST])
        look.say_if_cut(found["tenant_scores"], LOWEST, "Choose others below.")
    look.heading("One organization")
    # the lowest first, as in the list
    names = {str(row["organization_id"]): row["organization_name"] for row in organizations}
    first = [str(row["organization_id"]) for row in found["tenant_scores"]]
    ordered = {key: names[key] for key in [*first, *names] if key in names}
    organization = next(iter(ordered))
    if len(ordered) > 1:
        organization = look.pick(
            "Organization",
            ordered,
            "organization_id",
            "That organization was not found: it is inactive, or you may not see it. Choose"
            " another one.",
        )
    one = data.read(
        "tenant_scores", "tenant_days", "tenant_factors", organization=organization
    )
    if not one["tenant_scores"]:
        raise data.NothingToShow("No day of this organization has been collected yet.")
    [score] = one["tenant_scores"]
    look.show(
        f"<p>{look.pill('risk_level', score['risk_level'])}"
        f" {look.pill('trend', score['trend'])}"
        f" Score {score['overall_score']} on {look.day(score['metric_date'])}, with data for"
        f" {look.share(score['data_coverage'])} of the weights.</p>"
    )
    _line(
        [
            {"day": row["metric_date"], "score": row["overall_score"]}
            for row in one["tenant_days"]
        ],
        f"Score of {ordered[organization]} by day",
    )
    _waterfall(
        [
            {
                "name": _words(row["component"]),
                "lost": float(row["points_lost"]),
                "left": float(row["points_left"]),
                "said": _measured(row),
            }
            for row in one["tenant_factors"]
        ],
        score["overall_score"],
    )


def _show_accounts(organizations: list[Row], age: DeltaGenerator) -> None:
    where, who = st.columns([1, 1])
    with where:
        organization = look.choose(
            "organization", organizations, key="success", age=age, forgets=("account",)
        )
    with who:
        search = st.text_input(
            "Search",
            key="account_name",
            placeholder="Name of an account",
            bind="query-params",
        )
    organization_id = organization and str(organization["organization_id"])
    found = data.read(
        "account_statuses",
        "account_risks",
        organization=organization_id,
        search=(search or "").strip() or None,
    )
    statuses = {row["suggested_status"]: row for row in found["account_statuses"]}
    if not statuses:
        raise data.NothingToShow(
            f"There are no accounts, or all are archived. {data.FIRST_REFRESH}"
        )
    # those without measurements have none
    names = [*look.STATUSES["account"], *([None] if None in statuses else [])]
    look.tiles(
        [
            look.leading(
                _account_tile(name, statuses.get(name)),
                "rows",
                of="accounts",
                success=organization and organization["organization_slug"],
                account_status=name or "none",
            )
            for name in names
        ]
    )
    if not found["account_risks"]:
        raise data.NothingToShow("No account has that name. Part of a name is enough.")
    look.heading("Most likely to leave", "Churn risk out of 100 points, the highest first.")
    listed = found["account_risks"][:LIKELIEST]
    _risks(listed, has_organization=organization_id is None)
    look.say_if_cut(found["account_risks"], LIKELIEST, "Search to find others.")
    look.heading("One account")
    rows = look.with_linked(
        listed, "account_risks", "account", search, organization=organization_id
    )
    account = rows[
        look.pick(
            "Account",
            {
                key: row["account_name"]
                if organization
                else f"{row['account_name']} · {row['organization_slug']}"
                for key, row in rows.items()
            },
            "account",
            ""
            if search
            else "That account was not found: it is archived, or you may not see it."
            " Choose another one.",
        )
    ]
    _show_account(str(account["organization_id"]), str(account["account_id"]))


def _show_account(organization: str, account: str) -> None:
    keys: dict[str, Any] = {"organization": organization, "account": account}
    read = data.read(
        "account",
        "account_days",
        "account_factors",
        "account_churn",
        "account_goals",
        **keys,
    )
    one = data.only(read["account"])
    look.show(
        f"<p>{look.pill('account', one['suggested_status'])}"
        f" reported: {look.pill('account', one['reported_status'])}</p>"
    )
    look.tiles(_account_figures(one))
    _line(
        [
            {"day": row["score_date"], "score": float(row["health_score"])}
            for row in read["account_days"]
            if row["health_score"] is not None
        ],
        f"Health of {one['account_name']} by day",
    )
    if one["health_score"] is None:
        look.empty("This account has no measurements, so it has no score.")
    else:
        _waterfall(
            [
                {
                    "name": _words(row["sub_score"]),
                    "lost": float(row["points_lost"]),
                    "left": float(row["points_left"]),
                    "said": f"scored {row['score']:.0f} of 100 in"
                    f" {_words(row['component']).lower()}",
                }
                for row in read["account_factors"]
            ],
            float(one["health_score"]),
        )
    risk, goals = st.columns(2, gap="large")
    with risk:
        look.heading("Churn risk", "The points that add up to it, 100 at most.")
        _terms(read["account_churn"])
    with goals:
        look.heading("Goals")
        _goals(read["account_goals"])


def _risk_tile(name: str, row: Row | None) -> tuple[str, str, str, str]:
    if row is None:
        return look.status_tile("risk_level", name, "0", "no organization")
    return look.status_tile(
        "risk_level",
        name,
        look.count(row["organizations_count"]),
        f"{look.count(row['declining_count'])} declining",
    )


def _account_tile(name: str | None, row: Row | None) -> tuple[str, str, str, str]:
    if row is None:
        return look.status_tile("account", name, "0", "no account")
    reported = f"{look.count(row['disagreeing_count'])} reported otherwise"
    return look.status_tile(
        "account",
        name,
        look.count(row["accounts_count"]),
        f"{look.money(row['arr'], 'a year')} · {reported if name else 'no measurements'}",
    )


def _account_figures(one: Row) -> list[tuple[str, str, str, str]]:
    reported = one["reported_health_score"]
    renewal = one["days_to_renewal"]
    silent = one["days_since_engagement"]
    return [
        (
            "Health",
            _score(one["health_score"]),
            look.change(one["score_change_30d"], "in 30 days")
            + ("" if reported is None else f" · reported {reported}"),
            look.INK,
        ),
        (
            "Churn risk",
            _score(one["churn_risk_score"]),
            f"confidence {(one['confidence'] or 'none').lower()}",
            look.INK,
        ),
        (
            "Renewal",
            look.day(one["renewal_on"]),
            _when(renewal),
            look.INK,
        ),
        (
            "Last engagement",
            look.NONE if silent is None else f"{look.count_of(silent, 'day')} ago",
            f"{look.money(one['arr'], 'a year')}",
            look.INK,
        ),
    ]


def _when(days: int | None) -> str:
    if days is None:
        return "no date"
    distance = look.count_of(abs(days), "day")
    return f"in {distance}" if days >= 0 else f"{distance} ago, not updated since"


def _score(value: Any) -> str:
    return look.NONE if value is None else f"{value:.0f}"


def _scores(rows: list[Row]) -> None:
    look.table(
        ["Organization", "Score", "Risk", "Trend", "Helps most", "Costs most"],
        [
            [
                look.link(
                    "usage_and_accounts",
                    row["organization_name"],
                    of="Usage",
                    organization_id=row["organization_id"],
                )
                + look.small(row["organization_slug"]),
                look.figures(row["overall_score"]),
                look.pill("risk_level", row["risk_level"]),
                look.pill("trend", row["trend"]),
                look.escape(_words(row["top_driver"])),
                look.escape(_words(row["top_drag"])),
            ]
            for row in rows
        ],
        "Organizations, the lowest score first",
        rows,
    )


def _risks(rows: list[Row], *, has_organization: bool) -> None:
    look.table(
        ["Account", "Churn risk", "Health", "Status", "Revenue a year", "Renewal"],
        [
            [
                look.link(
                    "usage_and_accounts",
                    row["account_name"],
                    of="Accounts",
                    account=row["key"],
                )
                + (look.small(row["organization_slug"]) if has_organization else ""),
                look.figures(_score(row["churn_risk_score"])),
                look.figures(_score(row["health_score"]))
                + look.small(look.change(row["score_change_30d"], "in 30 days")),
                look.pill("account", row["suggested_status"]),
                look.figures(look.money(row["arr"], None)),
                look.figures(look.day(row["renewal_on"])),
            ]
            for row in rows
        ],
        "Accounts, the highest churn risk first",
        rows,
    )


def _line(rows: list[Row], words: str) -> None:
    look.heading("Score by day")
    if not rows:
        look.empty("There is no score yet.")
        return
    if len(rows) == 1:
        look.empty(DAYS_TO_COME)
        return
    look.chart(
        alt.Chart(look.values(rows))
        .mark_line(color=look.BLUE, strokeWidth=2)
        .encode(
            x=alt.X("day:T", title=None, axis=alt.Axis(format="%-d %b", grid=False)),
            y=alt.Y("score:Q", title=None, scale=alt.Scale(domain=[0, 100])),
            tooltip=[
                alt.Tooltip("day:T", title="Day", format="%-d %b %Y"),
                alt.Tooltip("score:Q", title="Score"),
            ],
        )
        .properties(height=200),
        f"{words}, from {rows[0]['score']:.0f} to {rows[-1]['score']:.0f}.",
    )


def _waterfall(rows: list[Row], score: float) -> None:
    look.heading("Points lost", "From 100 down to the score, the largest loss first.")
    lost = [row for row in rows if row["lost"] > 0]
    if not lost:
        look.empty("No points are lost: the score is 100.")
        return
    order = [row["name"] for row in lost] + ["Score"]
    steps = [
        {**row, "top": row["left"] + row["lost"], "label": f"{-row['lost']:.1f}"}
        for row in lost
    ]
    end = {"name": "Score", "left": 0, "top": score, "label": f"{score:.0f}", "said": ""}
    base = alt.Chart(look.values([*steps, end])).encode(
        y=alt.Y("name:N", sort=order, title=None, axis=alt.Axis(labelLimit=150))
    )
    bars = base.mark_bar(cornerRadius=2, height=16).encode(
        x=alt.X("left:Q", title=None, scale=alt.Scale(domain=[0, 108], nice=False)),
        x2="top:Q",
        color=alt.condition(
            "datum.name == 'Score'", alt.value(look.BLUE), alt.value(look.RUST)
        ),
        tooltip=[
            alt.Tooltip("name:N", title="What"),
            alt.Tooltip("label:N", title="Points"),
            alt.Tooltip("said:N", title="Measured"),
        ],
    )
    words = base.mark_text(align="left", dx=5, color=look.INK, fontSize=12).encode(
        x="top:Q", text="label:N"
    )
    look.chart(
        alt.layer(bars, words).properties(height=alt.Step(26)),
        "Points lost: "
        + ", ".join(f"{row['name']} {row['lost']:.1f}" for row in lost)
        + f"; {score:.0f} are left.",
    )
    with st.expander("What was measured"):
        look.table(
            ["What", "Points lost", "Measured"],
            [
                [
                    look.escape(row["name"]),
                    look.figures(f"{row['lost']:.1f}"),
                    look.escape(row["said"]),
                ]
                for row in rows
            ],
            "What the score is made of",
        )


def _terms(rows: list[Row]) -> None:
    counted = [row for row in rows if row["points"]]
    if not rows or rows[0]["total_points"] is None:
        look.empty("Its health has no measurements, so it has no churn risk.")
        return
    if not counted:
        look.empty("Nothing suggests that it will leave.")
        return
    look.bars(
        [(look.escape(row["term"]), row["points"], look.RUST, "") for row in counted],
        "What the churn risk is made of",
    )
    [first, *_] = rows
    reported = first["reported_churn_risk_score"]
    look.show(
        f'<p class="ch-age">{first["total_points"]} points in total, shown as'
        f" {_score(first['churn_risk_score'])}; reported"
        f" {look.NONE if reported is None else reported}.</p>"
    )


def _goals(rows: list[Row]) -> None:
    if not rows:
        look.empty("This account has no goals.")
        return
    look.table(
        ["Goal", "Progress", "Target"],
        [
            [
                f"{look.escape(row['title'])}<br>{look.pill('goal', row['goal_status'])}",
                look.figures(look.share(row["progress_rate"]))
                + look.small(f"{look.share(row['elapsed_rate'])} of the time has passed"),
                look.figures(look.day(row["target_date"]))
                + look.small(
                    f"at this pace {look.day(row['forecast_date'])}"
                    if row["forecast_date"]
                    else ""
                ),
            ]
            for row in rows[:MOST_GOALS]
        ],
        "Goals of the account",
        rows,
        len(rows),
    )
    look.say_if_cut(rows, MOST_GOALS, "The file has all of them.")


def _measured(row: Row) -> str:
    if not row["has_data"]:
        return "no data: no points lost"
    return (
        f"{row['measured_ratio'] * 100:.0f} %, target {row['target'] * 100:.0f} %:"
        f" scored {row['component_score']}, weight {row['weight'] * 100:.0f} %"
    )


def _words(name: str | None) -> str:
    return look.NONE if name is None else name.replace("_", " ").capitalize()


with look.page("Usage and accounts", "Whose health falls, why, and who may leave."):
    show()
