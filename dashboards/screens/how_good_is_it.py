"""How good is it: how well statuses of orders or visits predicted what happened."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboards import data, effect, forecast_charts, look

Row = dict[str, Any]

HORIZONS = (30, 60, 90)


@dataclass(frozen=True)
class Subject:
    """Orders or visits: their queries, and the words of the page about them."""

    # how its queries begin; those of the summary are read first and do not wait for others
    queries: str
    statuses: str
    # in the order of the page: what a manager asks about first comes first
    who: Mapping[str, str]
    # with today's limits, which dashboards/sql/<queries>_today.sql reads
    means: Mapping[str, str]
    # the status that means gone, and those that are compared with another status
    gone: str
    compared: Collection[str]
    compared_with: str
    # what to do, by status and by the verdict of dashboards/sql/<queries>_statuses.sql
    verdicts: Mapping[tuple[str, str], str]
    nothing_to_compare: str
    model: str
    command: str
    thing: str
    do: str
    did: str
    stop: str
    limits_of_it: str
    # whose expected dates are compared
    dates: str
    no_dates: str
    sources: Mapping[str, str]

    def in_a_minute(self) -> tuple[str, ...]:
        """Return the queries of the summary."""
        names = ("statuses", "gone", "today", "period", "model")
        return tuple(f"{self.queries}_{name}" for name in names)


ORDERS = Subject(
    queries="forecast",
    statuses="risk_status",
    who={
        "DORMANT": "dormant customers",
        "AT_RISK_CADENCE": "late customers",
        "AT_RISK_REVENUE": "customers on time with less revenue",
        "HEALTHY": "healthy customers",
    },
    means={
        "DORMANT": "{dormant_days} or more past the expected order",
        "AT_RISK_CADENCE": "{grace_days} or more past the expected order, not yet dormant",
        "AT_RISK_REVENUE": "Not late, but the last orders are smaller by {decline} or more",
        "HEALTHY": "Not late, and ordering for about as much as before",
    },
    gone="DORMANT",
    compared={"AT_RISK_CADENCE", "AT_RISK_REVENUE"},
    compared_with="HEALTHY",
    verdicts={
        ("DORMANT", "YES"): "Few come back: give your time to others first.",
        ("DORMANT", "NO"): "Do not write them off: a quarter or more come back.",
        ("DORMANT", "NOT_SURE"): "Do not write them off yet: a quarter or more may come back.",
        ("HEALTHY", "YES"): "You can count on them.",
        ("HEALTHY", "NO"): "You cannot count on them: fewer than three quarters order.",
        ("HEALTHY", "NOT_SURE"): (
            "You cannot count on them yet: fewer than three quarters may order."
        ),
        ("AT_RISK_CADENCE", "YES"): (
            "A warning: they stay away more often than healthy customers. Ask them why."
        ),
        ("AT_RISK_CADENCE", "NO"): (
            "No clear warning: they may order as often as healthy customers."
        ),
        ("AT_RISK_REVENUE", "YES"): (
            "A warning: they stay away more often than healthy customers. Ask them why."
        ),
        ("AT_RISK_REVENUE", "NO"): (
            "They may order as often as healthy customers: no sign that they stay away."
        ),
    },
    nothing_to_compare="Too few healthy customers to compare with.",
    model="order model",
    command="`customer-health fit-orders`",
    thing="order",
    do="order",
    did="ordered",
    stop="stop ordering",
    limits_of_it=(
        "Closed customers are left out, so real numbers are slightly lower; orders that were"
        " cancelled later are left out, too. Seasonal buyers may look dormant."
    ),
    dates="All orders at least 90 days old.",
    no_dates="No order is 90 days old yet.",
    sources={
        "MEASURED": "customers with a usual gap of their own",
        "FALLBACK": "customers with only one order so far",
    },
)
VISITS = Subject(
    queries="visits",
    statuses="segment",
    who={
        "LOST": "lost customers",
        "AT_RISK": "customers at risk",
        "ACTIVE": "active customers",
        "NEW": "new customers",
    },
    means={
        "LOST": "Last visit more than {segment_at_risk_days} ago",
        "AT_RISK": "Last visit more than {segment_active_days} ago, not yet lost",
        "ACTIVE": "Last visit up to {segment_active_days} ago, no longer new",
        "NEW": "First visit up to {segment_new_days} ago",
    },
    gone="LOST",
    compared={"AT_RISK"},
    compared_with="ACTIVE",
    verdicts={
        ("LOST", "YES"): "Few come back: give your time to others first.",
        ("LOST", "NO"): "Do not write them off: a quarter or more come back.",
        ("LOST", "NOT_SURE"): "Do not write them off yet: a quarter or more may come back.",
        ("ACTIVE", "YES"): "You can count on them.",
        ("ACTIVE", "NO"): "You cannot count on them: fewer than three quarters visit.",
        ("ACTIVE", "NOT_SURE"): (
            "You cannot count on them yet: fewer than three quarters may visit."
        ),
        ("NEW", "YES"): "You can count on them to come again.",
        ("NEW", "NO"): "Invite them again: fewer than three quarters come again.",
        ("NEW", "NOT_SURE"): "Invite them again: fewer than three quarters may come again.",
        ("AT_RISK", "YES"): (
            "A warning: they stay away more often than active customers. Remind them."
        ),
        ("AT_RISK", "NO"): "No clear warning: they may visit as often as active customers.",
    },
    nothing_to_compare="Too few active customers to compare with.",
    model="visit model",
    command="`customer-health fit-visits`",
    thing="visit",
    do="visit",
    did="visited",
    stop="stop visiting",
    limits_of_it=(
        "Only visits count. A booking that the customer missed does not, even if that was"
        " entered later. Seasonal customers may look lost."
    ),
    dates=(
        "All visits at least 90 days old, except first visits, which have no expected next"
        " date. The gap is reliable if there were many visits at even intervals."
    ),
    no_dates="No visit with an expected next date is 90 days old yet.",
    sources={
        "HIGH": "customers with a reliable gap",
        "MEDIUM": "with a less reliable one",
        "LOW": "with an unreliable one",
    },
)
TOO_FEW = "Too few customers to tell."
RECENT_FIRST = "First call those who left recently, and leave the others."
SETTINGS = {
    "dormant_days": (
        "Dormant from",
        "Days after the expected order from which a customer is dormant",
    ),
    "grace_days": ("Late from", "Days after the expected order from which a customer is late"),
    "fallback_cadence_days": (
        "Second order",
        "Days until the second order of a customer with only one is expected",
    ),
}
# why no other value is suggested, by the basis of dashboards/sql/forecast_suggestions.sql
BASES = {
    "NO_STABLE_GAIN": "No other limit is clearly better.",
    "TOO_FEW": (
        "No other limit is clearly better. A limit is chosen on the earlier half of the months"
        " and tested on the later half; in one of them too few customers ordered or stayed"
        " away."
    ),
    "TOO_SHORT": "No other limit is suggested: the history is too short to tell.",
}
NOT_JUDGED = "No other limit is suggested here: it changes who is late, not who is dormant."
# the name of each kind of disagreement, and what follows if the forecast is right
KINDS = {
    "LIKELY_THOUGH_DORMANT": ("Dormant, but likely", "worth a call"),
    "LIKELY_THOUGH_LATE": ("Late, but likely", "most order by themselves"),
    "UNLIKELY_THOUGH_ON_TIME": ("On time, but unlikely", "no rule warns of them"),
}
# by `believe` of the mart status_disagreement_backtest
BELIEVE = {
    "FORECAST": "Believe the forecast: {}.",
    "STATUS": "Believe the status.",
    "NOT_SURE": "It is not clear yet which to believe.",
    "TOO_FEW": "It is not clear yet which to believe.",
}
# the probability is right on average if the actual share differs by less than the first, and
# far off in a tenth if it differs by the second or more
RIGHT_ON_AVERAGE, FAR_OFF = 0.025, 0.25
# tenths in which the model predicts neither that customers order nor that they do not
UNSURE_BANDS = range(2, 8)
NEARLY_ALL = 0.8
# how many customers with a disagreement are listed
MOST_LISTED, LISTED_AT_FIRST = 20, 5


def show() -> None:
    """Show the page."""
    system, tenants, age = look.choose_orders_or_bookings()
    if system == "Orders":
        _show_orders(_choose("tenant", tenants, age))
    else:
        _show_visits(_choose("organization", tenants, age))


def _choose(what: str, sources: list[Row], age: DeltaGenerator) -> str:
    chosen = look.choose(what, sources, key=what, age=age, has_all=False)
    assert chosen is not None  # noqa: S101 - there is at least one
    return str(chosen[f"{what}_id"])


def _show_orders(tenant_id: str) -> None:
    model = _in_a_minute(ORDERS, tenant=tenant_id)
    read = data.read(
        "forecast_calibration",
        "forecast_dates",
        "forecast_revenue",
        "forecast_limits",
        "forecast_suggestions",
        "forecast_disagreement_kinds",
        "forecast_disagreements",
        tenant=tenant_id,
    )
    _probability(ORDERS, model, read["forecast_calibration"])
    _dates(ORDERS, read["forecast_dates"])
    _revenue(read["forecast_revenue"])
    if read["forecast_limits"]:
        _limits(tenant_id, read["forecast_limits"], read["forecast_suggestions"])
    kinds = {row["disagreement"]: row for row in read["forecast_disagreement_kinds"]}
    _disagreements(read["forecast_disagreements"], kinds, model)
    effect.show(tenant_id)


def _show_visits(organization_id: str) -> None:
    model = _in_a_minute(VISITS, organization=organization_id)
    read = data.read("visits_calibration", "visits_dates", organization=organization_id)
    _probability(VISITS, model, read["visits_calibration"])
    _dates(VISITS, read["visits_dates"])


def _in_a_minute(subject: Subject, **chosen: Any) -> Row:
    """Show what became of customers with each status. Return the row about the model."""
    read = data.read(*subject.in_a_minute(), **chosen)
    found, gone, today, periods, models = (read[query] for query in subject.in_a_minute())
    model = data.only(models)
    statuses = {(row["status"], row["horizon_days"]): row for row in found}
    if statuses:
        look.show(
            '<div class="ch-rules ch-pairs">'
            + "".join(
                _card(subject, name, statuses.get((name, 90)), today, gone)
                for name in subject.who
            )
            + "</div>"
        )
        period = data.only(periods)
        look.show(f'<p class="ch-explained">{look.escape(_limits_of_it(subject, period))}</p>')
        _what_became(subject, statuses)
    else:
        look.empty(
            "There is nothing to look back on yet. That takes the first day of a month with"
            f" 90 days of {subject.thing}s before it and 90 days after it."
        )
    return model


def _interval(row: Row) -> str:
    low, high = (round(100 * row[f"share_{end}"]) for end in ("low", "high"))
    return f"{low} to {high}"


def _card(
    subject: Subject, name: str, row: Row | None, today: Sequence[Row], gone: Sequence[Row]
) -> str:
    words, verdict = _verdict(subject, name, row)
    if name == subject.gone and gone:
        [parts] = gone
        words += f" {_recent_and_others(subject, parts)}"
        if parts["is_recent_first"]:
            verdict = RECENT_FIRST
    flagged = ""
    if name == subject.gone and row is not None and row["share_of_gone"] is not None:
        flagged = (
            f"It finds {look.of_100(row['share_of_gone'])} of 100 who {subject.stop};"
            " the others had another status."
        )
    return (
        f'<div class="ch-rule">{look.pill(subject.statuses, name)}'
        f"{look.small(_meaning(subject, name, today))}"
        f"<p>{look.escape(words)}</p><div>{look.escape(verdict)}</div>"
        f"{look.small(flagged)}</div>"
    )


def _recent_and_others(subject: Subject, parts: Row) -> str:
    word = look.status_of(subject.statuses, subject.gone).word.lower()
    days = look.count_of(parts["recent_days"], "day")
    return (
        f"Of 100 who had been {word} for less than {days},"
        f" {look.of_100(parts['recent_share'])} {subject.did}; of 100 who had been {word} for"
        f" longer, {look.of_100(parts['other_share'])}."
    )


def _meaning(subject: Subject, name: str, today: Sequence[Row]) -> str:
    limits = {
        limit: look.count_of(days, "day")
        for limit, days in today[0].items()
        if limit.endswith("_days")
    }
    if "revenue_decline_pct" in today[0]:
        limits["decline"] = f"{today[0]['revenue_decline_pct'].normalize():f} %"
    counts = {row["status"]: row["customers_count"] for row in today}
    customers = look.count_of(counts.get(name, 0), "customer")
    return f"{subject.means[name].format(**limits)}. Today: {customers}."


def _verdict(subject: Subject, name: str, row: Row | None) -> tuple[str, str]:
    """Return the figure in a sentence, and what to do with it."""
    if row is None:
        return "No customer had this status.", TOO_FEW
    if row["share"] is None:
        customers = look.count_of(row["customers_count"], "customer")
        return f"Only {customers} had this status.", TOO_FEW
    said = (
        f"Of 100 {subject.who[name]}, {look.of_100(row['share'])} {subject.did} within 90 days"
        f" ({_interval(row)})"
    )
    if name in subject.compared and row["share_to_compare"] is not None:
        compared = look.of_100(row["share_to_compare"])
        said += f"; of 100 {subject.compared_with.lower()} ones, {compared}"
    verdict = subject.verdicts.get((name, row["verdict"]), subject.nothing_to_compare)
    return f"{said}.", verdict


def _limits_of_it(subject: Subject, period: Row) -> str:
    days = look.count_of(period["cuts_count"], "month")
    return (
        "In parentheses is the range in which the true number very likely lies. The figures"
        f" are from the first days of {days}, from {look.day(period['first_cut_on'])} to"
        f" {look.day(period['last_cut_on'])}, by today's limits. A customer counts once for"
        " each month in which it had the status, so one that is long gone counts many times."
        f" {subject.limits_of_it} These figures do not say whether a call helps."
    )


def _what_became(subject: Subject, statuses: dict[tuple[str, int], Row]) -> None:
    look.heading(
        "What became of them",
        f"Of 100 customers with the status on the first day of a month, how many {subject.did}"
        " within 30, 60 and 90 days.",
    )
    rows = []
    for name in subject.who:
        of_status = [statuses.get((name, days)) for days in HORIZONS]
        last = of_status[-1]
        if last is None:
            continue
        median = last["median_days"]
        rows.append(
            [
                look.pill(subject.statuses, name),
                *(_became(row) for row in of_status),
                f"fewer than half {subject.did}"
                if median is None
                else look.figures(look.count_of(median, "day")),
                look.figures(look.count(last["customers_count"]))
                + look.small(_seen(last["positions_count"])),
            ]
        )
    look.table(
        [
            "Status",
            *(f"Within {days} days" for days in HORIZONS),
            f"Half had {subject.did} after",
            "Customers",
        ],
        rows,
        f"How many customers of each status {subject.did} within 30, 60 and 90 days",
    )


def _seen(times: int) -> str:
    return f"counted {look.count_of(times, 'time')}, once a month each"


def _became(row: Row | None) -> str:
    if row is None or row["share"] is None:
        return "too few to tell"
    return f"{look.figures(look.of_100(row['share']))} {look.aside(_interval(row))}"


def _probability(subject: Subject, model: Row, rows: Sequence[Row]) -> None:
    article = "an" if subject.thing == "order" else "a"
    look.heading(
        f"The probability of {article} {subject.thing}",
        f"The {subject.model} predicts how likely each customer is to {subject.do} in the next"
        " days. This compares what it predicted at the time with what happened.",
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
            f"The model has been in force since {look.day(model['in_force_from'])}. No first"
            f" day of a month since then has 90 days of {subject.thing}s after it, so there is"
            " nothing to compare yet."
        )
        return
    horizon = (
        st.segmented_control(
            f"{subject.do.capitalize()} within",
            HORIZONS,
            default=90,
            format_func=lambda days: f"{days} days",
            key="within",
            bind="query-params",
        )
        or 90
    )
    shown = [row for row in rows if row["horizon_days"] == horizon]
    words = _calibration_in_words(subject, shown, horizon)
    look.show(f"<p>{look.escape(words)}</p>")
    look.chart(forecast_charts.calibration(shown, subject.did), words)
    look.show(
        '<p class="ch-explained">Each mark stands for customers with about the same'
        " probability. Its bar is the range in which the true share very likely lies. On the"
        f" dashed line, as many {subject.did} as predicted.</p>"
    )


def _why_no_model(subject: Subject, model: Row) -> str:
    if model["last_fit_on"] is None:
        return (
            f"There is no probability yet. {subject.command} fits the {subject.model};"
            " `customer-health serve` does so each month."
        )
    if model["is_refused"]:
        return (
            f"There is no probability. The fit for {look.day(model['last_fit_on'])} was"
            f" refused: {_reason(model)}. Run {subject.command} again when there are more"
            f" {subject.thing}s."
        )
    return (
        f"There is no probability before {look.day(model['last_fit_on'])}, when the parameters"
        f" of the {subject.model} come into force."
    )


def _reason(model: Row) -> str:
    return (model["reason"] or "no reason was stored").rstrip(".")


def _calibration_in_words(subject: Subject, rows: Sequence[Row], horizon: int) -> str:
    told, seen = rows[0]["all_told_share"], rows[0]["all_seen_share"]
    expected = (
        f"It expected {look.of_100(told)} of 100 customers to {subject.do} within {horizon}"
        f" days; {look.of_100(seen)} did."
    )
    wrong = {
        verdict: [row for row in rows if row["verdict"] == verdict]
        for verdict in ("TOO_MUCH", "TOO_LITTLE")
    }
    if not any(wrong.values()):
        return f"{expected} You can trust it: chance alone explains how far it is off."
    worst = max((row for of_one in wrong.values() for row in of_one), key=_off_by)
    furthest = (
        f"Furthest off: where it said {look.chance(worst['told'])},"
        f" {look.of_100(worst['share'])} of 100 {subject.did} ({_interval(worst)})."
    )
    for verdict, words in (("TOO_MUCH", "too many"), ("TOO_LITTLE", "too few")):
        if _is_nearly_all(wrong[verdict], rows):
            return (
                f"Do not trust it: it expects {words} nearly everywhere. {expected} {furthest}"
            )
    is_right_on_average = abs(told - seen) < RIGHT_ON_AVERAGE
    far = [
        [row for row in of_one if row["off_by"] >= FAR_OFF]
        for of_one in wrong.values()
        if any(row["off_by"] >= FAR_OFF for row in of_one)
    ]
    if is_right_on_average and far:
        is_in_the_middle = all(row["band"] in UNSURE_BANDS for of_one in far for row in of_one)
        whom = "for those it is unsure of" if is_in_the_middle else "everywhere"
        parts = [
            f"where it said {_bands(of_one)}, {look.of_100(_share_of(of_one))} of 100"
            f" {subject.did}"
            for of_one in far
        ]
        return f"Right on average, but not {whom}: {'; '.join(parts)}. {expected}"
    parts = [
        f"{words} {subject.did} where it said {_bands(wrong[verdict])}"
        for verdict, words in (("TOO_MUCH", "fewer"), ("TOO_LITTLE", "more"))
        if wrong[verdict]
    ]
    trust = (
        "Right on average, but not everywhere"
        if is_right_on_average
        else "Do not trust it everywhere"
    )
    return f"{trust}: {', and '.join(parts)}. {furthest} {expected}"


def _off_by(row: Row) -> float:
    off_by: float = row["off_by"]
    return off_by


def _is_nearly_all(some: Sequence[Row], rows: Sequence[Row]) -> bool:
    """Return whether these are nearly all bands, with nearly all customers."""
    cases = sum(row["positions_count"] for row in rows)
    return (
        len(some) >= NEARLY_ALL * len(rows)
        and sum(row["positions_count"] for row in some) >= NEARLY_ALL * cases
    )


def _share_of(rows: Sequence[Row]) -> float:
    """Return the share that ordered or visited in several bands together."""
    cases = sum(row["positions_count"] for row in rows)
    share: float = sum(row["share"] * row["positions_count"] for row in rows) / cases
    return share


def _bands(rows: Sequence[Row]) -> str:
    """Write tenths as percentages, joining neighbors."""
    runs: list[list[int]] = []
    for band in (row["band"] for row in rows):
        if runs and runs[-1][1] == band:
            runs[-1][1] = band + 1
        else:
            runs.append([band, band + 1])
    return ", ".join(f"{10 * low} to {10 * high}{look.SPACE}%" for low, high in runs)


def _dates(subject: Subject, rows: Sequence[Row]) -> None:
    look.heading(
        "The expected date",
        f"How far the next {subject.thing} was from its expected date. {subject.dates} The"
        f" average counts only those with another {subject.thing} within 90 days.",
    )
    if not rows:
        look.empty(subject.no_dates)
        return
    # customers with a usual gap of their own come first, if there are any
    first = rows[0]
    if first.get("late_by_error_days"):
        days = look.count_of(first["late_by_error_days"], "day")
        grace = look.count_of(first["grace_days"], "day")
        look.show(
            f"<p>An order that is {days} late is within the usual error, but counts as late"
            f" from {grace} on.</p>"
        )
    things = f"{subject.thing}s".capitalize()
    look.table(
        ["Customers", "Within 7 days", "Average error", things],
        [
            [
                look.escape(subject.sources[row["source"]]),
                look.figures(f"{look.of_100(row['within_7_days_share'])} of 100"),
                _off(row),
                look.figures(look.count(row["days_count"]))
                + look.small(
                    f"{look.count(row['followed_count'])} had another within 90 days"
                ),
            ]
            for row in rows
        ],
        f"How far the expected date of the next {subject.thing} was off",
        rows,
    )


def _off(row: Row) -> str:
    """Return how far the date was off, and in which direction."""
    if row["mean_absolute_error_days"] is None:
        return look.NONE
    median = row["median_error_days"]
    side = "before" if median < 0 else "after"
    words = f"usually about {look.count_of(abs(median), 'day')} {side} the date"
    return look.figures(f"{row['mean_absolute_error_days']:.1f} days") + look.small(
        words if median else "as often before the date as after it"
    )


def _revenue(rows: Sequence[Row]) -> None:
    look.heading(
        "Less revenue",
        "How many customers spent less in the 90 days after than in the 90 days before. Only"
        " customers on time with enough orders to judge their revenue count, so there are"
        " fewer than above. One that stopped ordering counts as zero.",
    )
    if not rows:
        look.empty("No revenue could be judged yet.")
        return
    by_status = {row["risk_status"]: row for row in rows}
    look.show(f"<p>{look.escape(_revenue_in_words(by_status))}</p>")
    look.table(
        ["Status", "Spent less", "Total revenue", "Counted, once a month each"],
        [
            [
                look.pill("risk_status", row["risk_status"]),
                look.figures(f"{look.of_100(row['fell_share'])} of 100"),
                _revenue_change(row),
                look.figures(look.count_of(row["positions_count"], "time")),
            ]
            for row in (by_status[name] for name in ORDERS.who if name in by_status)
        ],
        "Revenue of customers with and without a decline",
        [by_status[name] for name in ORDERS.who if name in by_status],
    )


def _revenue_change(row: Row) -> str:
    said = (
        "no revenue before"
        if row["revenue_change"] is None
        else look.figures(f"{100 * row['revenue_change']:+.1f}{look.SPACE}%")
    )
    if not row["left_out_count"]:
        return said
    left_out = f"without {look.count(row['left_out_count'])} in other or several currencies"
    return said + look.small(f"in {row['currency']}; {left_out}")


def _revenue_in_words(rows: dict[str, Row]) -> str:
    flagged, others = rows.get("AT_RISK_REVENUE"), rows.get("HEALTHY")
    if flagged is None or others is None:
        return "There is nothing to compare: one of the two groups is missing."
    said = (
        f"Of 100 customers with less revenue, {look.of_100(flagged['fell_share'])} spent less"
        f" afterward; of 100 healthy ones, {look.of_100(others['fell_share'])}."
    )
    if flagged["fell_share"] > others["fell_share"]:
        return f"{said} After a decline, revenue fell again more often."
    return f"{said} “Less revenue” says what has happened, not that it will go on."


@st.fragment
def _limits(tenant_id: str, rows: Sequence[Row], suggestions: Sequence[Row]) -> None:
    look.heading(
        "Other limits",
        "What another limit would change today, and how well “Dormant” would have predicted"
        " who stops ordering, that is, orders nothing for 90 days. This is only a trial; ask"
        " your administrator to change a limit.",
    )
    names = [name for name in SETTINGS if any(row["setting"] == name for row in rows)]
    setting = (
        st.segmented_control(
            "Limit",
            names,
            default=names[0],
            format_func=lambda name: SETTINGS[name][0],
            key="limit",
            bind="query-params",
        )
        or names[0]
    )
    by_value = {row["value"]: row for row in rows if row["setting"] == setting}
    [current] = [row for row in by_value.values() if row["is_current"]]
    value = st.select_slider(
        f"{SETTINGS[setting][1]}: {current['value']} is today's setting",
        list(by_value),
        value=current["value"],
        # each tenant has its own value in force
        key=f"{setting} of {tenant_id}",
        bind="query-params",
    )
    chosen = by_value[value]
    # a limit that decides only who is late does not change how well "dormant" predicts
    is_judged = len({(row["precision"], row["recall"]) for row in by_value.values()}) > 1
    words = _limit_in_words(
        chosen, current, is_judged=is_judged or current["balanced_accuracy"] is None
    )
    look.show(f"<p>{look.escape(words)}</p>")
    look.tiles([_limit_tile(name, chosen, current) for name in look.STATUSES["risk_status"]])
    look.chart(forecast_charts.limits(list(by_value.values()), chosen, current), words)
    suggested = [
        _suggestion(row, by_value) for row in suggestions if row["setting"] == setting
    ]
    for said in suggested or [NOT_JUDGED]:
        look.show(f"<p>{look.escape(said)}</p>")


def _limit_tile(name: str, chosen: Row, current: Row) -> tuple[str, str, str, str]:
    column = f"{name.lower()}_count"
    return look.status_tile(
        "risk_status",
        name,
        look.count(chosen[column]),
        look.change(chosen[column] - current[column], "compared with today"),
    )


def _limit_in_words(chosen: Row, current: Row, *, is_judged: bool) -> str:
    days = look.count_of(chosen["value"], "day")
    if chosen["is_current"]:
        said = f"{days} is today's setting."
    else:
        moved = look.count_of(chosen["moved_count"], "customer")
        said = f"At {days} (today {current['value']}), {moved} would change status."
    if not is_judged:
        return said
    if chosen["balanced_accuracy"] is None:
        return f"{said} How well it would predict is unknown: there is too little data."
    if chosen["is_current"]:
        return f"{said} It finds {_found(chosen)}; {_came_after_all(chosen)}."
    return (
        f"{said} It would have found {_found(chosen)} (with today's"
        f" setting, {look.of_100(current['recall'])}); {_came_after_all(chosen)} (with today's"
        f" setting, {_came_after_all(current)})."
    )


def _found(row: Row) -> str:
    return f"{look.of_100(row['recall'])} of 100 who stop ordering"


def _came_after_all(row: Row) -> str:
    if row["precision"] is None:
        return "nobody would have been dormant"
    return f"{look.of_100(1 - row['precision'])} of 100 dormant customers ordered after all"


def _suggestion(row: Row, by_value: Mapping[int, Row]) -> str:
    if row["basis"] != "SUGGESTED":
        return BASES[row["basis"]]
    if row["suggested_value"] == row["current_value"]:
        return BASES["NO_STABLE_GAIN"]
    then, now = by_value[row["suggested_value"]], by_value[row["current_value"]]
    return (
        f"{row['suggested_value']} days would have predicted who stops ordering better than"
        f" {row['current_value']} ({row['as_good_from']} to {row['as_good_to']} are as good)."
        f" {_price(then, now)} Tested on later months, it was right about"
        f" {100 * row['gain']:.1f} more of 100 customers, with equal weight for those who stop"
        " and those who order. Nothing changes automatically: ask your administrator."
    )


def _price(then: Row, now: Row) -> str:
    """Say what is better with another limit, what is worse, and whom it changes today."""
    found = [row["recall"] for row in (then, now)]
    days = look.count_of(then["value"], "day")
    said = (
        f"{days} would find {look.of_100(found[0])} instead of {look.of_100(found[1])} of 100"
        " who stop ordering"
    )
    if then["precision"] is not None and now["precision"] is not None:
        came = [1 - row["precision"] for row in (then, now)]
        but = "but" if (found[0] > found[1]) is (came[0] > came[1]) else "and"
        said += (
            f", {but} {look.of_100(came[0])} instead of {look.of_100(came[1])} of 100 dormant"
            " customers would order after all"
        )
    change = then["dormant_count"] - now["dormant_count"]
    customers = look.count_of(abs(change), "customer")
    if change > 0:
        return f"{said}. {customers} would become dormant."
    if change < 0:
        return f"{said}. {customers} would no longer be dormant."
    return f"{said}."


def _disagreements(found: Sequence[Row], kinds: Mapping[str, Row], model: Row) -> None:
    look.heading(
        "Where status and forecast disagree",
        "Which to believe depends on what such customers did in the past.",
    )
    if hidden := sum(row["kind_count"] for row in found if row["is_left_out"]):
        customers = look.count_of(hidden, "customer")
        look.show(
            '<p class="ch-age">Left out, because snoozed or held out at random:'
            f" {customers}.</p>"
        )
    rows = [row for row in found if not row["is_left_out"]]
    if not rows:
        look.empty(
            "None: this needs the order model, which is not in force."
            if model["in_force_from"] is None
            else f"None: status and forecast agree about every {'other ' if found else ''}"
            "customer."
        )
        return
    counts = {row["disagreement"]: row["kind_count"] for row in rows}
    look.tiles(
        [
            look.leading(
                (
                    look.escape(name),
                    look.count(counts.get(kind, 0)),
                    _whom_to_believe(kind, meaning, kinds.get(kind))
                    if kind in counts
                    else "No such customer today.",
                    look.INK,
                ),
                "rows",
                of="disagreements",
                tenant=rows[0]["tenant_slug"],
                disagreement=kind,
            )
            for kind, (name, meaning) in KINDS.items()
        ],
        in_threes=True,
    )
    believed = {kind: kinds[kind]["believe"] if kind in kinds else "TOO_FEW" for kind in KINDS}
    left_out = [kind for kind in counts if believed[kind] == "STATUS"]
    if left_out:
        names = " and ".join(
            f"“{name}”" for kind, (name, _) in KINDS.items() if kind in left_out
        )
        look.show(
            f"<p>{look.escape(f'Not listed: {names}. For these, believe the status.')}</p>"
        )
    # customers whose forecast is to be believed come first, then by value
    listed = sorted(
        (row for row in rows if row["disagreement"] not in left_out),
        key=lambda row: (believed[row["disagreement"]] != "FORECAST", row["value_rank"]),
    )[:MOST_LISTED]
    if not listed:
        return
    _list(listed[:LISTED_AT_FIRST], "the first")
    more = listed[LISTED_AT_FIRST:]
    customers_count = sum(count for kind, count in counts.items() if kind not in left_out)
    if more:
        with st.expander(f"{len(more)} more"):
            _list(more, "more of them")
            if customers_count > len(listed):
                look.show(
                    f'<p class="ch-age">The first {len(listed)} of {customers_count:,}. The'
                    " tiles above lead to all of them.</p>"
                )


def _list(rows: Sequence[Row], which: str) -> None:
    look.table(
        ["Customer", "Status", "Within 90 days", "Expected value, next 90 days"],
        [_disagreement(row) for row in rows],
        f"Customers whose status and forecast disagree, by expected order value: {which}",
        rows,
    )


def _whom_to_believe(kind: str, meaning: str, row: Row | None) -> str:
    if row is None:
        return f"There were no such customers in the past. {BELIEVE['TOO_FEW']}"
    limit = look.chance(row["p_order_limit"])
    said = (
        f"The forecast is below {limit}."
        if kind == "UNLIKELY_THOUGH_ON_TIME"
        else f"The forecast is {limit} or more."
    )
    if row["share"] is None:
        customers = look.count_of(row["customers_count"], "such customer")
        return f"{said} Only {customers} in the past. {BELIEVE['TOO_FEW']}"
    return (
        f"{said} Of 100 such customers, {look.of_100(row['share'])} ordered within 90 days"
        f" ({_interval(row)}). {BELIEVE[row['believe']].format(meaning)}"
    )


def _disagreement(row: Row) -> list[str]:
    customer = look.link(
        "customer",
        row["customer_name"],
        tenant=row["tenant_slug"],
        customer=f"{row['tenant_id']}/{row['customer_id']}",
    )
    return [
        customer
        + look.small(look.sentence(row["reason"]))
        + look.small(look.sentence(row["outlook_reason"])),
        look.pill("risk_status", row["risk_status"]),
        look.pill("outlook", row["outlook"], look.chance(row["p_order_90d"])),
        look.figures(look.money(row["expected_amount_90d"], row["currency"])),
    ]


with look.page(
    "How good is it?", "What became of customers with each status, and how far to trust it."
):
    show()
