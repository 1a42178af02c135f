"""Find out what an hourly refresh has to do before dbt starts.

The answer comes from the change queue and the views <system>_work of
models/<system>/operations.
"""

from dataclasses import dataclass, field
from datetime import datetime

from flows import systems
from flows.database import Connection, rows
from flows.schemas import ANALYTICS, INTERNAL, OPERATIONS
from flows.scope import Scope

WELL = ("success", "held")
COLUMNS = ("reason", "known_by", "fingerprint")


@dataclass(frozen=True)
class Work:
    """What the hourly systems have to do, by system, in words for the run log."""

    systems: dict[str, list[str]]
    # by system, the fingerprints of the tables that every refresh reads whole
    read_whole: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def idle(self) -> tuple[str, ...]:
        """Return the systems that have nothing to do."""
        return tuple(name for name in systems.hourly() if name not in self.systems)


def find_work(
    connection: Connection,
    scope: Scope,
    as_of: datetime,
    *,
    is_full: bool,
    empty: tuple[str, ...] = (),
) -> Work:
    """Return what a refresh has to do; nothing in empty systems, which are switched off.

    The keys must be claimed. The next refresh finds what has changed from here on. But if a
    table that is read whole changes and changes back while this run reads it, the marts keep
    the value in between until the system has other work, at the latest until the night.
    """
    now = {name: read_whole(connection, name) for name in systems.hourly()}
    names = [name for name in systems.hourly() if name not in empty]
    if is_full:
        return Work({name: ["everything"] for name in names}, now)
    if reason := unfinished(connection):
        return Work({name: [reason] for name in names}, now)
    found = {
        # a system that a user has added need not have the view
        name: [f"there is no view {name}_work"]
        if not now[name]
        else [
            *sorted({f"{key['kind']} keys" for key in scope.claimed if key["system"] == name}),
            *others(_published(connection, name), now[name]),
            *due(connection, name, scope.changed_since.get(name), as_of),
        ]
        for name in names
    }
    return Work({name: work for name, work in found.items() if work}, now)


def moved_by_others(connection: Connection, logid: str) -> bool:
    """Return whether the marts of orders are not at the instant of the run before this one.

    Then dbt has built them without a command, and customers may differ that no run knows.
    """
    return bool(
        rows(
            connection,
            f"select from {ANALYTICS}.tenants"
            " having max(as_of) != (select (payload ->> 'as_of')::timestamptz"
            f" from {OPERATIONS}.application_logs"
            " where logid != %(logid)s and payload ->> 'mode' in ('hourly', 'nightly')"
            " order by log_id desc limit 1)",
            {"logid": logid},
        )
    )


def move_clock(connection: Connection, names: tuple[str, ...], as_of: datetime) -> None:
    """Set the as_of of these systems' marts, whose rows are the same at this instant.

    If the day of a tenant had changed, there would be work.
    """
    with connection.transaction():
        for name in names:
            clock = f"{ANALYTICS}.{systems.registry()[name].tenants}"
            connection.execute(f"update {clock} set as_of = %s".encode(), (as_of,))


def read_whole(connection: Connection, system: str) -> dict[str, str]:
    """Return the fingerprints of what every refresh of a system reads whole.

    Empty if there is no view, or only that of an earlier version.
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
    """Return how the last refresh ended if its rows may be untested, otherwise None."""
    [last] = rows(
        connection,
        f"select status from {OPERATIONS}.application_logs where log_type = 'refresh'"
        " and payload ->> 'cron_name' != 'refresh_organization' and status != 'running'"
        " order by log_id desc limit 1",
    )
    return (
        None
        if last["status"] in WELL
        else f"the last refresh ended with status {last['status']}"
    )


def _published(connection: Connection, system: str) -> dict[str, str]:
    """Return the fingerprints of the tables read whole behind the published marts."""
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
    """Return the tables read whole that have changed."""
    return [
        reason for reason, it in now.items() if reason not in before or before[reason] != it
    ]


def due(
    connection: Connection, system: str, changed_since: datetime | None, as_of: datetime
) -> list[str]:
    """Return the work that time has made due, and the changes that updated_at shows.

    Unlogged tables that a server crash has emptied are work, too.
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
        "a server crash has emptied the working tables": source["is_lost"],
        "the source becomes stale": source["is_due"],
    }
    conditions = ["known_by = 'time' and since <= %(as_of)s"]
    if changed_since:
        conditions.append("known_by = 'updated_at' and since >= %(changed_since)s")
    # one query per condition, so that unneeded branches of the view are not read
    return [reason for reason, is_so in reasons.items() if is_so] + [
        row["reason"]
        for condition in conditions
        for row in rows(
            connection,
            f"select reason from {OPERATIONS}.{system}_work where {condition}",
            {"as_of": as_of, "changed_since": changed_since},
        )
    ]
