"""What an hourly refresh has to do, known before dbt starts.

The change queue says it, and the views <system>_work of models/<system>/operations.
"""

from dataclasses import dataclass, field
from datetime import datetime

from flows import systems
from flows.capture import Scope
from flows.database import Connection, rows
from flows.schemas import ANALYTICS, INTERNAL, OPERATIONS

WELL = ("success", "held")
COLUMNS = ("reason", "known_by", "fingerprint")


@dataclass(frozen=True)
class Work:
    """What there is to do in the hourly systems, by system, in words for the run log."""

    systems: dict[str, list[str]]
    # of each system, what the rows are that every refresh reads whole
    read_whole: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def idle(self) -> tuple[str, ...]:
        """Return the systems in which there is nothing to do."""
        return tuple(name for name in systems.hourly() if name not in self.systems)


def find_work(
    connection: Connection,
    scope: Scope,
    as_of: datetime,
    *,
    is_full: bool,
    empty: tuple[str, ...] = (),
) -> Work:
    """Return what a refresh has to do: none in the systems that are empty, for they are off.

    Needs the keys to be claimed. What changes from here on is found by the next refresh.
    """
    now = {name: read_whole(connection, name) for name in systems.hourly()}
    names = [name for name in systems.hourly() if name not in empty]
    if is_full:
        return Work({name: ["everything"] for name in names}, now)
    if reason := unfinished(connection):
        return Work({name: [reason] for name in names}, now)
    found = {
        # a system of somebody's own need not have the view
        name: [f"no view {name}_work says whether there is any"]
        if not now[name]
        else [
            *sorted({f"{key['kind']} keys" for key in scope.claimed if key["system"] == name}),
            *others(_published(connection, name), now[name]),
            *due(connection, name, scope.changed_since.get(name), as_of),
        ]
        for name in names
    }
    return Work({name: work for name, work in found.items() if work}, now)


def move_clock(connection: Connection, names: tuple[str, ...], as_of: datetime) -> None:
    """Let the marts of these systems be those of this instant: no row but the clock differs.

    The day of no tenant has changed, or there would be work.
    """
    with connection.transaction():
        for name in names:
            clock = f"{ANALYTICS}.{systems.registry()[name].tenants}"
            connection.execute(f"update {clock} set as_of = %s".encode(), (as_of,))


def read_whole(connection: Connection, system: str) -> dict[str, str]:
    """Return the fingerprints of what every refresh of a system reads whole.

    None where there is no view: before the first refresh, or that of an earlier version.
    """
    view = f"{OPERATIONS}.{system}_work"
    [has] = rows(
        connection,
        "select count(*) as columns from pg_attribute where attrelid = to_regclass(%(view)s)"
        " and attname = any(%(columns)s)",
        {"view": view, "columns": list(COLUMNS)},
    )
    if has["columns"] < len(COLUMNS):
        return {}
    found = rows(connection, f"select reason, fingerprint from {view} where known_by = 'rows'")
    return {row["reason"]: row["fingerprint"] for row in found}


def unfinished(connection: Connection) -> str | None:
    """Return how the last refresh has ended, where its rows may not have been tested."""
    [last] = rows(
        connection,
        f"select status from {OPERATIONS}.application_logs where log_type = 'refresh'"
        " and payload ->> 'cron_name' != 'refresh_organization' and status != 'running'"
        " order by log_id desc limit 1",
    )
    return None if last["status"] in WELL else f"the last refresh ended as {last['status']}"


def _published(connection: Connection, system: str) -> dict[str, str]:
    """Return the fingerprints of what the marts of a system were made of."""
    [published] = rows(
        connection,
        "select payload -> 'read_whole' -> %(system)s as read_whole"
        f" from {OPERATIONS}.{system}_publications as log"
        f" inner join {OPERATIONS}.application_logs on log.run_id = application_logs.logid"
        " order by log_id desc limit 1",
        {"system": system},
    )
    return published["read_whole"] or {}


def others(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Return what is read whole, and is not what it was."""
    return [
        reason for reason, it in now.items() if reason not in before or before[reason] != it
    ]


def due(
    connection: Connection, system: str, changed_since: datetime | None, as_of: datetime
) -> list[str]:
    """Return what time has brought, and what updated_at tells where it is asked.

    A crash of the server has emptied what a refresh computes, which is work, too.
    """
    [source] = rows(
        connection,
        "select is_stale is null as is_lost,"
        " not is_stale and stale_after < %(as_of)s as is_due"
        " from (select) as always"
        f" left join {INTERNAL}.int_source_freshness__{system} on true",
        {"as_of": as_of},
    )
    reasons = {
        "what the last refresh computed is gone": source["is_lost"],
        "the source goes quiet": source["is_due"],
    }
    conditions = ["known_by = 'time' and since <= %(as_of)s"]
    if changed_since:
        conditions.append("known_by = 'updated_at' and since >= %(changed_since)s")
    # one by one: what is not asked for is not read
    return [reason for reason, is_so in reasons.items() if is_so] + [
        row["reason"]
        for condition in conditions
        for row in rows(
            connection,
            f"select reason from {OPERATIONS}.{system}_work where {condition}",
            {"as_of": as_of, "changed_since": changed_since},
        )
    ]
