"""How good is it: what statuses, of orders or of visits, have been worth as forecasts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboards import data, forecast_charts, look

Row = dict[str, Any]

CHANGE = "docs/change_a_rule.md"
HORIZONS = (30, 60, 90)


@dataclass(frozen=True)
class Subject:
    """What is looked back on, in its words."""

    # how its queries begin; those of the words for who has a minute do not wait for others
    queries: str
    statuses: str
    # the status that a manager asks about first stands first
    names: Mapping[str, str]
    # the one that says that somebody is gone
    gone: str
    # dashboards/sql/<queries>_statuses.sql says which
    verdicts: Mapping[tuple[str, str], str]
    nothing_to_compare: str
    model: str
    command: str
    thing: str
    do: str
    did: str
    limits_of_it: str
    # from which dates are expected
    dates: str
    no_dates: str
    sources: Mapping[str, str]

    def in_a_minute(self) -> tuple[str, ...]:
        """Return the queries of the words."""
        return tuple(f"{self.queries}_{name}" for name in ("statuses", "period", "model"))


ORDERS = Subject(
    queries="forecast",
    statuses="risk_status",
    names={
        "DORMANT": "DORMANT",
        "AT_RISK_CADENCE": "late",
        "HEALTHY": "HEALTHY",
        "AT_RISK_REVENUE": "on time with less revenue",
    },
    gone="DORMANT",
    verdicts={
        ("DORMANT", "YES"): "You can take DORMANT for gone: fewer than a quarter come back.",
        ("DORMANT", "NO"): "You cannot take DORMANT for gone: a quarter or more come back.",
        ("DORMANT", "NOT_SURE"): (
            "You cannot take DORMANT for gone: it may be a quarter or more."
        ),
        ("HEALTHY", "YES"): "You can count on HEALTHY: three quarters or more order.",
        ("HEALTHY", "NO"): "You cannot count on HEALTHY: fewer than three quarters order.",
        ("HEALTHY", "NOT_SURE"): (
            "You cannot count on HEALTHY: it may be fewer than three quarters."
        ),
        ("AT_RISK_CADENCE", "YES"): "Late is a warning: fewer order than of the HEALTHY.",
        ("AT_RISK_CADENCE", "NO"): (
            "Late alone is no warning: not surely fewer than of the HEALTHY."
        ),
        ("AT_RISK_REVENUE", "YES"): (
            "Less revenue is a warning: fewer order than of the HEALTHY."
        ),
        ("AT_RISK_REVENUE", "NO"): (
            "Less revenue does not say that they stay away: about as many order as of the"
            " HEALTHY."
        ),
    },
    nothing_to_compare="Too few HEALTHY customers to compare.",
    model="order model",
    command="`customer-health fit-orders`",
    thing="order",
    do="order",
    did="ordered",
    limits_of_it=(
        "Customers that are closed today are missing from the past, so a little fewer ordered"
        " than it seems; orders that were cancelled later are missing, too."
    ),
    dates="over all orders that 90 days have passed since",
    no_dates="No order is 90 days old yet.",
    sources={
        "MEASURED": "customers with a usual gap of their own",
        "FALLBACK": "customers with one order, who have none yet",
    },
)
VISITS = Subject(
    queries="visits",
    statuses="segment",
    names={
        "LOST": "LOST",
        "AT_RISK": "AT RISK",
        "ACTIVE": "ACTIVE",
        "NEW": "NEW",
    },
    gone="LOST",
    verdicts={
        ("LOST", "YES"): "You can take LOST for gone: fewer than a quarter come back.",
        ("LOST", "NO"): "You cannot take LOST for gone: a quarter or more come back.",
        ("LOST", "NOT_SURE"): "You cannot take LOST for gone: it may be a quarter or more.",
        ("ACTIVE", "YES"): "You can count on ACTIVE: three quarters or more visit.",
        ("ACTIVE", "NO"): "You cannot count on ACTIVE: fewer than three quarters visit.",
        ("ACTIVE", "NOT_SURE"): (
            "You cannot count on ACTIVE: it may be fewer than three quarters."
        ),
        ("NEW", "YES"): "You can count on NEW: three quarters or more visit again.",
        ("NEW", "NO"): "You cannot count on NEW: fewer than three quarters visit again.",
        ("NEW", "NOT_SURE"): "You cannot count on NEW: it may be fewer than three quarters.",
        ("AT_RISK", "YES"): "AT RISK is a warning: fewer visit than of the ACTIVE.",
        ("AT_RISK", "NO"): "AT RISK is no warning: not surely fewer than of the ACTIVE.",
    },
    nothing_to_compare="Too few ACTIVE customers to compare.",
    model="visit model",
    command="`customer-health fit-visits`",
    thing="visit",
    do="visit",
    did="visited",
    limits_of_it=(
        "A booking that became no visit is none here, also where that was entered later."
    ),
    dates=(
        "over all visits that 90 days have passed since. A first visit expects no date. A"
        " cadence is of high confidence where it rests on many visits at like distances"
    ),
    no_dates="No visit that expected a date is 90 days old yet.",
    sources={
        "HIGH": "cadence of high confidence",
        "MEDIUM": "of medium confidence",
        "LOW": "of low confidence",
    },
)
TOO_FEW = "Too few customers to tell."
SETTINGS = {
    "dormant_days": (
        "Dormant from",
        "Days after the expected order from which a customer is DORMANT",
    ),
    "grace_days": ("Late from", "Days after the expected order from which a customer is late"),
    "fallback_cadence_days": (
        "First gap",
        "Days to the next order that are expected of a customer with one order",
    ),
}
BASES = {
    "NO_STABLE_GAIN": (
        "No other value of {setting} would have told lastingly better who is gone."
    ),
    "TOO_FEW": (
        "No other value of {setting} is suggested: too few customers ordered, or stayed away,"
        " to tell."
    ),
    "TOO_SHORT": "No other value of {setting} is suggested: the history is too short to tell.",
}


def show() -> None:
    """Show the page."""
    system, tenants = look.choose_orders_or_bookings()
    if system == "Orders":
        _show_orders(_choose("tenant", tenants))
    else:
        _show_visits(_choose("organization", tenants))


def _choose(what: str, sources: list[Row]) -> str:
    chosen = look.choose(what, sources, key=what, has_all=False)
    assert chosen is not None  # noqa: S101 - one of those that there are
    return str(chosen[f"{what}_id"])


def _show_orders(tenant_id: str) -> None:
    model = _in_a_minute(ORDERS, tenant=tenant_id)
    read = data.read(
        "forecast_calibration",
        "forecast_dates",
        "forecast_revenue",
        "forecast_limits",
        "forecast_suggestions",
        "forecast_disagreements",
        tenant=tenant_id,
    )
    _probability(ORDERS, model, read["forecast_calibration"])
    _dates(ORDERS, read["forecast_dates"])
    _revenue(read["forecast_revenue"])
    if read["forecast_limits"]:
        _limits(tenant_id, read["forecast_limits"], read["forecast_suggestions"])
    _disagreements(read["forecast_disagreements"], model)


def _show_visits(organization_id: str) -> None:
    model = _in_a_minute(VISITS, organization=organization_id)
    read = data.read("visits_calibration", "visits_dates", organization=organization_id)
    _probability(VISITS, model, read["visits_calibration"])
    _dates(VISITS, read["visits_dates"])


def _in_a_minute(subject: Subject, **chosen: Any) -> Row:
    """Show what each status has been worth; return what is known of the model."""
    read = data.read(*subject.in_a_minute(), **chosen)
    found, periods, models = (read[query] for query in subject.in_a_minute())
    statuses = {(row["status"], row["horizon_days"]): row for row in found}
    if statuses:
        look.show(
            '<div class="ch-rules">'
            + "".join(
                _verdict(subject, name, statuses.get((name, 90))) for name in subject.names
            )
            + "</div>"
        )
        [period] = periods
        look.show(f'<p class="ch-explained">{look.escape(_limits_of_it(subject, period))}</p>')
        _what_became(subject, statuses)
    else:
        look.empty(
            "There is nothing to look back on yet. What became of customers can be told of the"
            f" first day of a month that has 90 days of {subject.thing}s before it and 90 days"
            " after it."
        )
    [model] = models
    return model


def _of_100(share: float) -> str:
    """Write a share as so many of 100; never all or none where it is not."""
    whole = round(100 * share)
    if whole == 0 and share > 0:
        return "fewer than 1"
    if whole == 100 and share < 1:  # noqa: PLR2004
        return "more than 99"
    return str(whole)


def _interval(row: Row) -> str:
    low, high = (round(100 * row[f"share_{end}"]) for end in ("low", "high"))
    return f"{low} to {high}"


def _verdict(subject: Subject, name: str, row: Row | None) -> str:
    if row is None:
        said, verdict = f"Nobody has been {subject.names[name]} on such a day.", TOO_FEW
    elif row["share"] is None:
        customers = look.count_of(row["customers_count"], "customer")
        verb = "has" if row["customers_count"] == 1 else "have"
        said, verdict = f"Only {customers} {verb} been {subject.names[name]}.", TOO_FEW
    else:
        again = f"{subject.did} again" if name == subject.gone else subject.did
        said = (
            f"Of 100 customers that were {subject.names[name]}, {_of_100(row['share'])}"
            f" {again} within 90 days ({_interval(row)})."
        )
        verdict = subject.verdicts.get((name, row["verdict"]), subject.nothing_to_compare)
    return (
        f'<div class="ch-rule">{look.pill(subject.statuses, name)}'
        f"<div>{look.escape(said)}</div><p>{look.escape(verdict)}</p></div>"
    )


def _limits_of_it(subject: Subject, period: Row) -> str:
    days = look.count_of(period["cuts_count"], "month")
    return (
        f"Seen on the first days of {days}, from {look.day(period['first_cut_on'])} to"
        f" {look.day(period['last_cut_on'])}, by today's limits. In brackets what chance"
        f" leaves open, 95 times of 100. {subject.limits_of_it} One year has one autumn: what"
        " comes once a year is seen once a year."
    )


def _what_became(subject: Subject, statuses: dict[tuple[str, int], Row]) -> None:
    look.heading(
        "What became of them",
        "Of 100 customers with the status on the first day of a month, how many"
        f" {subject.did} so soon after.",
    )
    rows = []
    for name in look.STATUSES[subject.statuses]:
        of_status = [statuses.get((name, days)) for days in HORIZONS]
        last = of_status[-1]
        if last is None:
            continue
        median = last["median_days"]
        rows.append(
            [
                look.pill(subject.statuses, name),
                *(_became(row) for row in of_status),
                look.figures("not half" if median is None else look.count_of(median, "day")),
                look.figures(look.count(last["customers_count"]))
                + look.small(look.count_of(last["positions_count"], "case")),
            ]
        )
    look.table(
        ["Status", "30 days", "60 days", "90 days", "Half have by", "Customers"],
        rows,
        f"How many customers of each status {subject.did} within 30, 60 and 90 days",
    )


def _became(row: Row | None) -> str:
    if row is None or row["share"] is None:
        return "too few to tell"
    return look.figures(_of_100(row["share"])) + look.small(_interval(row))


def _probability(subject: Subject, model: Row, rows: Sequence[Row]) -> None:
    article = "an" if subject.thing == "order" else "a"
    look.heading(
        f"The probability of {article} {subject.thing}",
        f"The {subject.model} tells of each customer how likely it {subject.do}s in the next"
        " days. Here is what it told at the time, against what came.",
    )
    if model["in_force_from"] is None:
        look.empty(_why_no_model(subject, model))
        return
    if model["is_refused"]:
        look.empty(
            f"The last fit, for {look.day(model['last_fit_on'])}, was refused:"
            f" {_reason(model)}. The parameters of {look.day(model['in_force_from'])} stay in"
            " force."
        )
    if not rows:
        look.empty(
            f"The model is in force since {look.day(model['in_force_from'])}. No first day of"
            f" a month since then has 90 days of {subject.thing}s after it: there is nothing"
            " to compare yet."
        )
        return
    horizon = (
        st.segmented_control(
            f"{subject.do.capitalize()} within",
            HORIZONS,
            default=90,
            format_func=lambda days: f"{days} days",
            key="within",
        )
        or 90
    )
    shown = [row for row in rows if row["horizon_days"] == horizon]
    words = _calibration_in_words(subject, shown, horizon)
    look.show(f"<p>{look.escape(words)}</p>")
    look.chart(forecast_charts.calibration(shown), words)


def _why_no_model(subject: Subject, model: Row) -> str:
    if model["last_fit_on"] is None:
        return (
            f"There is no probability yet: {subject.command} finds the parameters of the"
            f" {subject.model}; `customer-health serve` does so each month."
        )
    if model["is_refused"]:
        return (
            f"There is no probability. The fit for {look.day(model['last_fit_on'])} was"
            f" refused: {_reason(model)}. {subject.command} tries again when there are more"
            f" {subject.thing}s."
        )
    return (
        f"There is no probability before {look.day(model['last_fit_on'])}, when the parameters"
        f" of the {subject.model} come into force."
    )


def _reason(model: Row) -> str:
    return (model["reason"] or "no reason was stored").rstrip(".")


def _calibration_in_words(subject: Subject, rows: Sequence[Row], horizon: int) -> str:
    first = rows[0]
    said = (
        f"Of 100 customers it told {_of_100(first['all_told_share'])} to {subject.do} within"
        f" {horizon} days, and {_of_100(first['all_seen_share'])} did."
    )
    wrong = {
        verdict: [row["band"] for row in rows if row["verdict"] == verdict]
        for verdict in ("TOO_MUCH", "TOO_LITTLE")
    }
    if not any(wrong.values()):
        return f"{said} You can go by it: nowhere is it further off than chance explains."
    parts = [
        f"{words} where it told {_bands(wrong[verdict])}"
        for verdict, words in (("TOO_MUCH", "fewer came"), ("TOO_LITTLE", "more came"))
        if wrong[verdict]
    ]
    return f"{said} Yet {', and '.join(parts)}."


def _bands(bands: Sequence[int]) -> str:
    """Write tenths as percentages, neighbours together."""
    runs: list[list[int]] = []
    for band in bands:
        if runs and runs[-1][1] == band:
            runs[-1][1] = band + 1
        else:
            runs.append([band, band + 1])
    return ", ".join(f"{10 * low} to {10 * high} %" for low, high in runs)


def _dates(subject: Subject, rows: Sequence[Row]) -> None:
    look.heading(
        "The expected date",
        f"How far the next {subject.thing} was from its expected date, {subject.dates}. The"
        " errors are of those that were followed by another one.",
    )
    if not rows:
        look.empty(subject.no_dates)
        return
    look.table(
        ["Of", "Within 7 days", "Off by", "Middle", f"{subject.thing.capitalize()}s"],
        [
            [
                look.escape(subject.sources[row["source"]]),
                look.figures(f"{_of_100(row['within_7_days_share'])} of 100"),
                *_errors(row),
                look.figures(look.count(row["days_count"]))
                + look.small(f"{look.count(row['followed_count'])} followed"),
            ]
            for row in rows
        ],
        f"How far the expected date of the next {subject.thing} was off",
    )


def _errors(row: Row) -> list[str]:
    if row["mean_absolute_error_days"] is None:
        return [look.NONE, look.NONE]
    mean = row["mean_error_days"]
    return [
        look.figures(f"{row['mean_absolute_error_days']:.1f} days")
        + look.small(f"on average {_later(mean, f'{abs(mean):.1f} days')}"),
        look.figures(
            _later(
                row["median_error_days"], look.count_of(abs(row["median_error_days"]), "day")
            )
        ),
    ]


def _later(days: float, words: str) -> str:
    if days == 0:
        return "on the day"
    return f"{words} {'later' if days > 0 else 'earlier'}"


def _revenue(rows: Sequence[Row]) -> None:
    look.heading(
        "Less revenue",
        "Of customers on time, those whose revenue had declined and those whose had not: how"
        " many spent less in the 90 days after than in the 90 days before.",
    )
    if not rows:
        look.empty("No revenue could be judged yet.")
        return
    by_status = {row["risk_status"]: row for row in rows}
    look.show(f"<p>{look.escape(_revenue_in_words(by_status))}</p>")
    look.table(
        ["Status", "Spent less after", "All of them", "Cases"],
        [
            [
                look.pill("risk_status", row["risk_status"]),
                look.figures(f"{_of_100(row['fell_share'])} of 100"),
                "no sum: several currencies, or none before"
                if row["revenue_change"] is None
                else look.figures(f"{100 * row['revenue_change']:+.1f} % revenue"),
                look.figures(look.count(row["positions_count"])),
            ]
            for row in rows
        ],
        "Revenue after it had declined, and where it had not",
    )


def _revenue_in_words(rows: dict[str, Row]) -> str:
    flagged, others = rows.get("AT_RISK_REVENUE"), rows.get("HEALTHY")
    if flagged is None or others is None:
        return "There is nobody to compare with: the others are missing."
    said = (
        f"Of 100 with less revenue {_of_100(flagged['fell_share'])} spent less afterwards, of"
        f" 100 HEALTHY ones {_of_100(others['fell_share'])}."
    )
    if flagged["fell_share"] > others["fell_share"]:
        return f"{said} Less revenue was followed by less revenue more often."
    return f"{said} Less revenue says what has happened, not that it goes on."


@st.fragment
def _limits(tenant_id: str, rows: Sequence[Row], suggestions: Sequence[Row]) -> None:
    look.heading(
        "Other limits",
        "What another limit would change today, and how well DORMANT would have told who does"
        f" not order within 90 days. Nothing here changes anything: {CHANGE} says how to.",
    )
    names = [name for name in SETTINGS if any(row["setting"] == name for row in rows)]
    setting = (
        st.segmented_control(
            "Limit",
            names,
            default=names[0],
            format_func=lambda name: SETTINGS[name][0],
            key="limit",
        )
        or names[0]
    )
    by_value = {row["value"]: row for row in rows if row["setting"] == setting}
    [current] = [row for row in by_value.values() if row["is_current"]]
    value = st.select_slider(
        f"{SETTINGS[setting][1]}: {current['value']} in force",
        list(by_value),
        value=current["value"],
        # of another tenant another value is in force
        key=f"{setting} of {tenant_id}",
    )
    chosen = by_value[value]
    words = _limit_in_words(chosen, current)
    look.show(f"<p>{look.escape(words)}</p>")
    look.tiles([_limit_tile(name, chosen, current) for name in look.STATUSES["risk_status"]])
    look.chart(forecast_charts.limits(list(by_value.values()), chosen, current), words)
    for row in suggestions:
        if row["setting"] == setting:
            look.show(f"<p>{look.escape(_suggestion(row))}</p>")


def _limit_tile(name: str, chosen: Row, current: Row) -> tuple[str, str, str, str]:
    column = f"{name.lower()}_count"
    return look.status_tile(
        "risk_status",
        name,
        look.count(chosen[column]),
        look.change(chosen[column] - current[column], "against today"),
    )


def _limit_in_words(chosen: Row, current: Row) -> str:
    days = look.count_of(chosen["value"], "day")
    if chosen["is_current"]:
        said = f"{days} are in force: nobody moves."
    else:
        moved = look.count_of(chosen["moved_count"], "customer")
        said = f"With {days} instead of {current['value']} another status today for {moved}."
    if chosen["balanced_accuracy"] is None:
        return f"{said} What it would be worth cannot be told: too little has been seen."
    figures = [
        f"of 100 DORMANT {_of_100(chosen['precision'])} did not order"
        if chosen["precision"] is not None
        else "nobody would have been DORMANT",
        f"of 100 that did not order {_of_100(chosen['recall'])} were DORMANT",
    ]
    accuracy = f"Balanced accuracy {chosen['balanced_accuracy']:.3f}"
    if not chosen["is_current"]:
        accuracy += f", in force {current['balanced_accuracy']:.3f}"
    return f"{said} In the past {', and '.join(figures)}. {accuracy}; 0.5 is worth nothing."


def _suggestion(row: Row) -> str:
    setting = row["setting"]
    if row["basis"] != "SUGGESTED":
        return BASES[row["basis"]].format(setting=setting)
    if row["suggested_value"] == row["current_value"]:
        return BASES["NO_STABLE_GAIN"].format(setting=setting)
    return (
        f"{setting} {row['suggested_value']} instead of {row['current_value']} would have told"
        f" better who is gone ({row['as_good_from']} to {row['as_good_to']} are as good). On"
        f" months that had no say in the choice it gained {row['gain']:.3f} of balanced"
        f" accuracy. It is never applied by itself: see {CHANGE}."
    )


def _disagreements(rows: Sequence[Row], model: Row) -> None:
    look.heading(
        "To look at",
        "Customers of whom the status and the probability say different things, the most"
        " valuable first. Where fewer came than told, above, believe the status.",
    )
    if not rows:
        look.empty(
            "Nobody: that needs the order model, which is not in force."
            if model["in_force_from"] is None
            else "Nobody: status and probability agree."
        )
        return
    first = rows[0]
    look.tiles(
        [
            (
                look.escape(words),
                look.count(first[f"{kind}_count"]),
                explained,
                look.INK,
            )
            for kind, words, explained in (
                ("likely_though_dormant", "Dormant, yet likely", "worth a call"),
                ("likely_though_late", "Late, yet likely", "they come by themselves"),
                ("unlikely_though_on_time", "On time, yet unlikely", "no rule warns of them"),
            )
        ]
    )
    look.table(
        ["Customer", "Status", "Within 90 days", "To expect"],
        [_disagreement(row) for row in rows],
        "Customers of whom status and probability disagree, the most valuable first",
    )
    if first["customers_count"] > len(rows):
        look.show(
            f'<p class="ch-age">The first {len(rows)} of {first["customers_count"]:,}.'
            " The view <code>status_disagreements</code> has all of them.</p>"
        )


def _disagreement(row: Row) -> list[str]:
    customer = look.link(
        "customer",
        row["customer_name"],
        tenant=row["tenant_slug"],
        customer=f"{row['tenant_id']}/{row['customer_id']}",
    )
    return [
        customer + look.small(row["reason"]) + look.small(row["outlook_reason"]),
        look.pill("risk_status", row["risk_status"]),
        look.pill("outlook", row["outlook"], look.chance(row["p_order_90d"])),
        look.figures(look.money(row["expected_amount_90d"], row["currency"])),
    ]


with look.page(
    "How good is it?", "What became of customers with each status, and how far to trust it."
):
    show()
