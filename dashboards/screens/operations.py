"""Operations: whether refreshes run, how long they take, what failed and what was held."""

from typing import Any

import altair as alt

from dashboards import data, look
from flows.fleet import listed

Row = dict[str, Any]


def show() -> None:
    """Show the page."""
    if services := listed():
        look.heading(
            "Fleet",
            "The jobs of all databases in FLEET. The rest of the page is about this one.",
        )
        _fleet(data.read_fleet("operations_jobs", services))
    found = data.read(
        "operations_jobs",
        "operations_runs",
        "operations_checks",
        "operations_held",
        "operations_alerts",
        is_for_operators=True,
    )
    if not found["operations_runs"]:
        raise data.NothingToShow(f"No run yet. {data.FIRST_REFRESH}")
    look.heading("Jobs")
    look.tiles([_job(row) for row in found["operations_jobs"]])
    for row in found["operations_jobs"]:
        if row["error"]:
            look.show(
                f'<div class="ch-note"><p>{look.pill("run", row["last_status"])}'
                f" {look.escape(row['job'])}</p><p>{look.escape(row['error'])}</p></div>"
            )

    look.heading("How long runs took", "The last 50 runs, in seconds.")
    look.chart(_durations(found["operations_runs"]), _in_words(found["operations_runs"]))

    look.heading(
        "Checks that failed",
        "A check that fails stops the publication; one that warns does not. The rows"
        " are in the table with the check's name in `analytics_internal_failures`."
        " docs/sanity_checks.md says what to do.",
    )
    _checks(found["operations_checks"])

    look.heading(
        "Held back",
        "Tenants for which the last write-back held back some or all changes."
        " `customer-health write-back --dry-run` shows them.",
    )
    _held(found["operations_held"])

    look.heading("Alerts")
    _alerts(found["operations_alerts"])

    look.heading(
        "Runs",
        "Drift is how many rows a full refresh had to correct although no change to them was"
        " noted. It should be 0.",
    )
    _runs(found["operations_runs"])


def _fleet(databases: list[tuple[str, list[Row], str]]) -> None:
    lines = []
    for service, rows, reason in databases:
        name = f"<strong>{look.escape(service)}</strong>"
        if not rows:
            nothing = f"no figures{look.small(reason)}" if reason else "no run yet"
            lines.append([name, nothing, *[look.NONE] * 4])
        lines += [
            [
                name,
                _of(look.pill("run", row["last_status"]), row["job"], row["error"] or ""),
                look.instant(row["last_run_at"]),
                look.instant(row["last_success_at"]),
                look.count(row["failures_in_a_row"]),
                look.NONE if row["seconds"] is None else f"{row['seconds']}",
            ]
            for row in rows
        ]
    look.table(
        ["Database", "Job", "Last run", "Last success", "Failures in a row", "Seconds"],
        lines,
        "The jobs of all databases of the fleet",
    )


def _job(row: Row) -> tuple[str, str, str, str]:
    status = look.status_of("run", row["last_status"])
    age = row["success_age_seconds"]
    words = "never succeeded" if age is None else f"succeeded {_ago(age)} ago"
    if row["failures_in_a_row"]:
        words += f" · {row['failures_in_a_row']} failures in a row"
    if row["drift"] is not None:
        words += f" · drift {look.count(row['drift'])}"
    mark = f'<span class="ch-mark" aria-hidden="true">{status.mark}</span>'
    heading = mark + look.escape(row["job"].replace("_", " "))
    return heading, status.word, words, status.colour


def _ago(seconds: int) -> str:
    for length, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}"
    return f"{seconds} seconds"


def _durations(rows: list[Row]) -> Any:
    values = [
        {
            "at": row["created_at"],
            "seconds": float(row["seconds"]),
            "job": row["job"].replace("_", " "),
            "ended": look.status_of("run", row["status"]).word,
            "colour": look.status_of("run", row["status"]).colour,
            "shape": look.SHAPES.get(look.status_of("run", row["status"]).mark, "cross"),
        }
        for row in rows
        if row["seconds"] is not None
    ]
    return (
        alt.Chart(look.values(values))
        .mark_point(filled=True, size=80, opacity=0.85)
        .encode(
            x=alt.X(
                "at:T",
                title="UTC",
                scale=alt.Scale(type="utc"),
                axis=alt.Axis(grid=False, format="%-d %b %H:%M", tickCount=5),
            ),
            y=alt.Y("seconds:Q", title=None, scale=alt.Scale(zero=True)),
            color=alt.Color("colour:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
            tooltip=[
                alt.Tooltip("at:T", title="Began", format="%-d %b %H:%M"),
                alt.Tooltip("job:N", title="Job"),
                alt.Tooltip("ended:N", title="Ended"),
                alt.Tooltip("seconds:Q", title="Seconds", format=".1f"),
            ],
        )
        .properties(height=180)
    )


def _in_words(rows: list[Row]) -> str:
    took = [row["seconds"] for row in rows if row["seconds"] is not None]
    if not took:
        return "No run has ended yet."
    return f"The last {len(took)} runs took {min(took)} to {max(took)} seconds."


def _checks(rows: list[Row]) -> None:
    if not rows:
        look.empty("Every check passed when it last ran.")
        return
    names = [look.escape(row["check_name"].replace("_", " ")) for row in rows]
    look.table(
        ["Check"], [[name] for name in names], "Checks that failed when they last ran", rows
    )


def _held(rows: list[Row]) -> None:
    if not rows:
        look.empty("The last write-back held nothing back.")
        return
    look.table(
        ["Tenant", "Why", "Would change", "Newly dormant", "Held", "Last delivery"],
        [
            [
                f"<strong>{look.escape(row['tenant_slug'])}</strong>",
                "too many changes at once" if row["is_tripped"] else "its feed is silent",
                f"{look.count(row['changed_count'])} of {look.count(row['customers_count'])}",
                look.count(row["newly_dormant_count"]),
                look.count(row["held_count"]),
                look.day(row["last_delivery_on"]),
            ]
            for row in rows
        ],
        "Tenants that the last write-back held back",
        rows,
    )


def _alerts(rows: list[Row]) -> None:
    if not rows:
        look.empty("No alert has been raised yet.")
        return
    look.table(
        ["Message", "Kind", "When", "Delivery"],
        [
            [
                _of(look.pill("edge", row["edge"]), row["tenant_slug"], row["message"]),
                look.escape(row["kind"].replace("_", " ").lower()),
                look.instant(row["created_at"]),
                look.pill("message", row["state"]) + look.small(row["error"] or ""),
            ]
            for row in rows
        ],
        "Latest alerts",
        rows,
    )


def _runs(rows: list[Row]) -> None:
    look.table(
        ["Run", "Began", "Seconds", "Mart rows", "Written back", "Drift"],
        [
            [
                _of(look.pill("run", row["status"]), row["job"], row["error"] or _full(row)),
                look.instant(row["created_at"]),
                look.NONE if row["seconds"] is None else f"{row['seconds']}",
                look.count(row["rows_moved"]),
                look.count(row["rows_written"]),
                look.count(row["drift"]),
            ]
            for row in rows
        ],
        "Latest runs",
        rows,
    )


def _of(pill: str, name: str, remark: str) -> str:
    return f"{pill} {look.escape(name)}{look.small(remark)}"


def _full(row: Row) -> str:
    return f"recomputed everything: {row['full_because']}" if row["full_because"] else ""


with look.page("Operations", "Whether refreshes run, what failed and what was held back."):
    show()
