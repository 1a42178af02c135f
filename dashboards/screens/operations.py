"""Operations: whether refreshes run, how long they take, what failed and what was held."""

from datetime import timedelta
from typing import Any

import altair as alt

from dashboards import data, look, operators
from flows.fleet import listed

Row = dict[str, Any]

# how many runs and alerts the page shows; the page Rows has all of them
LATEST = 50


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
        "operations_checks",
        "operations_held",
        "operations_messages",
        "rows_runs",
        "rows_alerts",
        is_for_operators=True,
        limit=LATEST,
        offset=0,
        **dict.fromkeys(("job", "run_status", "run", "alert_state", "edge")),
    )
    runs = found["rows_runs"]
    if not runs:
        raise data.NothingToShow(f"No run yet. {data.FIRST_REFRESH}")
    look.heading("Jobs")
    look.tiles([_job(row) for row in found["operations_jobs"]])
    for row in found["operations_jobs"]:
        if row["error"]:
            _say_error(row["last_status"], row["job"], row["error"])

    look.heading(
        "How long runs took",
        f"The last {look.count_of(len(runs), 'run')}, in seconds. A mark leads to its run.",
    )
    look.chart(_durations(runs), _in_words(runs))

    look.heading(
        "Checks that failed",
        "While a check fails, nothing is written back. If it checks rows before they are"
        " published, the marts of their system keep their last good state. A warning stops"
        " nothing. The wrong rows are in the table with the check's name in the schema"
        " `analytics_internal_failures`."
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
    _alerts(found["rows_alerts"])

    look.heading(
        "Messages to people",
        "What sales reps, tenants' channels and the team were sent. A message that may have"
        " arrived is not sent again.",
    )
    _messages(found["operations_messages"])
    look.heading(
        "Who gets no messages now",
        "Sales reps with customers, and tenants' channels. `customer-health status` also says"
        " which channel has no address set.",
    )
    _unreached()

    look.heading(
        "Runs",
        "Drift is how many rows a full refresh had to correct although no change to them was"
        " noted. It should be 0.",
    )
    operators.table(operators.RUNS, runs, "Latest runs")
    _say_all(runs, "runs")


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
                operators.of(
                    look.pill("run", row["last_status"]), row["job"], row["error"] or ""
                ),
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


def _job(row: Row) -> look.Tile:
    status = look.status_of("run", row["last_status"])
    age = row["success_age_seconds"]
    words = "never succeeded" if age is None else f"succeeded {_ago(age)} ago"
    if row["failures_in_a_row"]:
        words += f" · {look.count_of(row['failures_in_a_row'], 'failure')} in a row"
    if row["drift"] is not None:
        words += f" · drift {look.count(row['drift'])}"
    mark = f'<span class="ch-mark" aria-hidden="true">{status.mark}</span>'
    heading = mark + look.escape(row["job"].replace("_", " "))
    tile = (heading, status.word, words, status.colour)
    return look.leading(tile, "rows", of="runs", job=row["job"])


def _say_error(status: str, what: str, error: str) -> None:
    look.show(
        f'<div class="ch-note"><p>{look.pill("run", status)} {look.escape(what)}</p>'
        f"<p>{look.escape(error)}</p></div>"
    )


def _ago(seconds: int) -> str:
    for length, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * length:
            return f"{seconds // length} {name}"
    return f"{seconds} seconds"


def _durations(rows: list[Row]) -> Any:
    values = [
        {
            "at": row["created_at"],
            # as text: a tooltip would give the instant in the zone of the browser
            "began": look.instant(row["created_at"]),
            "seconds": float(row["seconds"]),
            "job": row["job"].replace("_", " "),
            "ended": look.status_of("run", row["status"]).word,
            "colour": look.status_of("run", row["status"]).colour,
            "shape": look.SHAPES.get(look.status_of("run", row["status"]).mark, "cross"),
            "leads": look.address("rows", of="runs", run=row["log_id"]),
        }
        for row in rows
        if row["seconds"] is not None
    ]
    return (
        alt.Chart(look.values(values))
        .mark_point(filled=True, size=80, opacity=0.85, href=look.LEADS)
        .encode(
            x=alt.X(
                "at:T",
                title="UTC",
                scale=alt.Scale(type="utc"),
                axis=alt.Axis(
                    grid=False, format=_format(rows), tickCount=5, labelOverlap=True
                ),
            ),
            y=alt.Y("seconds:Q", title=None, scale=alt.Scale(zero=True)),
            color=alt.Color("colour:N", scale=None),
            shape=alt.Shape("shape:N", scale=None),
            tooltip=[
                alt.Tooltip("began:N", title="Began"),
                alt.Tooltip("job:N", title="Job"),
                alt.Tooltip("ended:N", title="Ended"),
                alt.Tooltip("seconds:Q", title="Seconds", format=".1f"),
            ],
        )
        .properties(height=180)
    )


def _format(rows: list[Row]) -> str:
    """Return how to write instants so that those of the first few runs differ, too."""
    began = [row["created_at"] for row in rows]
    if max(began) - min(began) < timedelta(minutes=10):
        return "%H:%M:%S"
    return "%-d %b %H:%M"


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


def _held(found: list[Row]) -> None:
    if not found:
        look.empty("No write-back has run yet.")
        return
    rows = [row for row in found if row["tenant_slug"]]
    last = found[0]
    if last["status"] == "held":
        _say_error("held", look.instant(last["created_at"]), last["error"])
    elif not rows:
        look.empty("The last write-back held nothing back.")
    if not rows:
        return
    look.table(
        ["Tenant", "Why", "Would change", "Newly dormant", "Held", "Last delivery"],
        [
            [
                f"<strong>{look.escape(row['tenant_slug'])}</strong>",
                "too many changes at once"
                if row["is_tripped"]
                else "its orders no longer arrive",
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
    operators.table(operators.ALERTS, rows, "Latest alerts")
    _say_all(rows, "alerts")


def _messages(rows: list[Row]) -> None:
    if not rows:
        look.empty("No message has been made yet. docs/alerts.md says how to send them.")
        return
    counts = {row["state"]: row["messages_count"] for row in rows}
    _tiles("message", counts, "messages", "message_state")


def _unreached() -> None:
    # apart: while our views are detached, the rest of the page is there
    try:
        rows = data.read("operations_unreached", is_for_operators=True)["operations_unreached"]
    except data.NothingToShow as nothing:
        look.empty(str(nothing))
        return
    if not rows:
        look.empty("Nobody: everybody who should get messages can get them.")
        return
    counts = {row["reason"]: row["recipients_count"] for row in rows}
    _tiles("unreached", counts, "unreached", "reason")


def _tiles(statuses: str, counts: dict[str, int], of: str, key: str) -> None:
    """Show a tile for each status, which leads to the rows that it counts."""
    look.tiles(
        [
            look.leading(
                look.status_tile(statuses, name, look.count(counts.get(name, 0)), ""),
                "rows",
                of=of,
                **{key: name},
            )
            for name in look.STATUSES[statuses]
        ]
    )


def _say_all(rows: list[Row], of: str) -> None:
    """Say where the other rows are if there are more than are shown."""
    count = rows[0]["rows_count"]
    if count > len(rows):
        link = look.link("rows", f"All {count:,} {of}", of=of)
        look.show(f'<p class="ch-age">The latest {len(rows)} are shown. {link}</p>')


with look.page("Operations", "Whether refreshes run, what failed and what was held back."):
    show()
