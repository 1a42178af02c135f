"""The commands as Prefect flows.

Prefect only starts runs and shows them: the work, the lock and the log are those of
flows/refresh.py, with or without Prefect. The parameters are the options of the commands, read
by the same code.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Protocol, TypeVar, runtime_checkable

import httpx
from prefect import flow, get_run_logger, runtime, task
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.alerts import run_alerts
from flows.arguments import MOST_DAYS, parse_as_of, parse_days
from flows.continuous import refresh_continuously
from flows.database import one_line, use_environment
from flows.dry_run import preview
from flows.errors import Busy, Failure, Infrastructure, WrongArgument
from flows.fit_models import FITS, fit_models
from flows.fleet import check, listed, use
from flows.progress import Progress
from flows.refresh import Options, refresh
from flows.reports import (
    print_models,
    print_organization,
    print_refresh,
    print_write_back,
    summarize,
    written_in_words,
)
from flows.write_back import run_write_back

Result = TypeVar("Result")

# a run that starts later than this, for example after an outage, is missed: the next one does
# its work
MISSED_AFTER = timedelta(minutes=15)
# in a fleet, where runs wait in line: until the next one is due, or the night is over
MISSED_IN_LINE = {"hourly": timedelta(hours=1), "nightly": timedelta(hours=12)}

# how long the nightly run waits for an hourly one to end
QUEUE_SECONDS = 3600
RETRY_SECONDS = 5

# pauses before a refresh is retried, for example while a database restarts; nothing else is
# retried. Prefect's own retries are not used because they do not ask what failed
RETRIES_AFTER_SECONDS = (60, 300)


@runtime_checkable
class Judged(Protocol):
    """The result of a step that can fail without an exception."""

    def failure(self) -> Failure | None:
        """Return the failure, or None."""


class LoggedProgress(Progress):
    """Shows finished nodes in the log of the run."""

    def finished(self, what: str, status: str) -> None:
        """Log a finished node."""
        get_run_logger().info("%-8s %s", status, what)

    def say(self, text: str) -> None:
        """Log a line of text."""
        get_run_logger().info(text)

    def fail(self, reason: str) -> None:
        """Log an error."""
        get_run_logger().error(reason)


class PrefectProgress(LoggedProgress):
    """Also shows steps as task runs."""

    def run(self, name: str, step: Callable[[], Result]) -> Result:
        """Run one step as a task, which fails if the step fails."""
        results: list[Result] = []

        def judged() -> State[Any]:
            result = step()
            results.append(result)
            failure = result.failure() if isinstance(result, Judged) else None
            return Failed(message=str(failure)) if failure else Completed()

        state = task(name=name, task_run_name=name)(judged)(return_state=True)
        if not results:
            # the step has raised
            state.result()
        return results[0]

    def table(self, title: str, lines: Sequence[Mapping[str, Any]]) -> None:
        """Store a table as an artifact under its title, in a fleet one for each database."""
        services = _services()
        key = "-".join(re.findall("[a-z0-9]+", ", ".join([title, *services]).lower()))
        if services:
            # the key of eu_1 and of EU.1 would be the same
            key = f"{key}-{sha256(repr(services).encode()).hexdigest()[:8]}"
        title = ", ".join([title, *services])
        # numbers, dates and intervals as the database writes them
        plain = json.loads(json.dumps([dict(line) for line in lines], default=str))
        try:
            create_table_artifact(plain, key, description=title)
        except httpx.HTTPError as error:
            # the server is away, and the run goes on
            self.say(f"the table {title!r} is not stored: {one_line(error)}")


def run_name() -> str:
    """Name a flow run by its flow and due time, in UTC, where no hour comes twice."""
    due = runtime.flow_run.scheduled_start_time.astimezone(UTC)
    what = " of ".join([runtime.flow_run.flow_name, *_services()])
    return f"{what} {due:%Y-%m-%d %H:%M %Z}"


@flow(name="hourly refresh", flow_run_name=run_name)
def hourly(
    tenant: str | None = None,
    as_of: datetime | None = None,
    no_write_back: bool = False,  # noqa: FBT001, FBT002 - a box to tick
) -> State[Any]:
    """Recompute the customers that changed; skipped while another refresh is running.

    Args:
        tenant: Slug of the only tenant to write back; empty for all.
        as_of: Instant to compute for; empty for now.
        no_write_back: Only bring the marts up to date; write nothing to your tables.

    """
    return _report(
        lambda: _refresh(
            Options(
                mode="hourly",
                tenant=tenant or None,
                as_of=_instant(as_of),
                write_back=not no_write_back,
            ),
            is_skipped=True,
        )
    )


@flow(name="continuous refresh", flow_run_name=run_name)
def continuous(every_seconds: Annotated[int, Field(ge=10, le=3600)] = 60) -> State[Any]:
    """Refresh again and again, in one run that does not end by itself.

    Args:
        every_seconds: Seconds between rounds. Rounds due during another refresh are skipped.

    """
    return _report(lambda: _continuous(timedelta(seconds=every_seconds)))


@flow(name="nightly refresh", flow_run_name=run_name)
def nightly(
    tenant: str | None = None,
    as_of: datetime | None = None,
    no_write_back: bool = False,  # noqa: FBT001, FBT002
    backfill_days: Annotated[int, Field(ge=0, le=MOST_DAYS)] = 0,
) -> State[Any]:
    """Recompute everything; wait for a running refresh.

    Args:
        tenant: Slug of the only tenant to write back; empty for all.
        as_of: Instant to compute for; empty for now.
        no_write_back: Only bring the marts up to date; write nothing to your tables.
        backfill_days: Number of past days of usage and accounts to collect, too, if they
            were never collected.

    """
    return _report(
        lambda: _refresh(
            Options(
                mode="nightly",
                tenant=tenant or None,
                as_of=_instant(as_of),
                write_back=not no_write_back,
                backfill_days=parse_days(str(backfill_days)),
            ),
        )
    )


@flow(name="refresh of an organization", flow_run_name=run_name)
def organization(organization: str, as_of: datetime | None = None) -> State[Any]:
    """Recompute one organization of usage and accounts.

    Args:
        organization: Slug of the organization.
        as_of: Instant to compute for; empty for now.

    """
    return _report(
        lambda: _refresh(
            Options(mode="organization", organization=organization, as_of=_instant(as_of))
        )
    )


@flow(name="write-back", flow_run_name=run_name)
def write_back(
    tenant: str | None = None,
    dry_run: bool = False,  # noqa: FBT001, FBT002
    force: bool = False,  # noqa: FBT001, FBT002
) -> State[Any]:
    """Write back the statuses that have changed, from the marts of the last refresh.

    Args:
        tenant: Slug of the only tenant to write back; empty for all.
        dry_run: Show what would be written, and write nothing.
        force: Also write what would be held, except after a refresh that failed.

    """
    return _report(lambda: _write_back(tenant or None, is_dry_run=dry_run, force=force))


@flow(name="dry run of the write-back", flow_run_name=run_name)
def dry_run(tenant: str | None = None) -> State[Any]:
    """Show what a write-back would change.

    Args:
        tenant: Slug of the only tenant to show; empty for all.

    """
    return _report(
        lambda: _done(lambda: preview(tenant or None, PrefectProgress(), force=False))
    )


@flow(name="alerts", flow_run_name=run_name)
def alerts(dry_run: bool = False) -> State[Any]:  # noqa: FBT001, FBT002
    """Raise alerts, and send each person their messages.

    Args:
        dry_run: Show what would be sent, and send nothing.

    """
    return _report(lambda: _done(lambda: run_alerts(PrefectProgress(), dry_run=dry_run)))


@flow(name="fit of the order models", flow_run_name=run_name)
def fit_orders(tenant: str | None = None, as_of: datetime | None = None) -> State[Any]:
    """Fit the order models, which say how likely customers are to return; wait for a refresh.

    Args:
        tenant: Slug of the only tenant to fit; empty for all.
        as_of: Use the orders up to this instant; empty for all.

    """
    return _report(lambda: _fit("fit-orders", tenant or None, _instant(as_of)))


@flow(name="fit of the visit models", flow_run_name=run_name)
def fit_visits(organization: str | None = None, as_of: datetime | None = None) -> State[Any]:
    """Fit the visit models, which say how likely customers are to return; wait for a refresh.

    Args:
        organization: Slug of the only organization to fit; empty for all.
        as_of: Use the visits up to this instant; empty for all.

    """
    return _report(lambda: _fit("fit-visits", organization or None, _instant(as_of)))


@flow(name="weekly summary", flow_run_name=run_name)
def weekly() -> State[Any]:
    """Compare the last complete week with the one before."""
    return _report(lambda: _done(lambda: summarize(PrefectProgress())))


def _services() -> list[str]:
    """Return the fleet databases that the tags of this run name."""
    # without a fleet, no tag names a database
    return [name for name in listed() if name in runtime.flow_run.tags]


def use_database() -> str:
    """Use the database of this run; return the line that says so.

    Raises WrongArgument if there is a fleet and the tags do not name exactly one database.
    """
    if fleet := listed():
        services = _services()
        if len(services) != 1:
            raise WrongArgument(
                "FLEET is set, so exactly one tag of the run must name a database of"
                f" {', '.join(fleet)}"
            )
        check(services)
        use(services[0])
    return use_environment()


def _instant(as_of: datetime | None) -> datetime | None:
    """Return the instant from a form, checked as on the command line."""
    return parse_as_of(as_of.isoformat()) if as_of else None


def _report(work: Callable[[], State[Any]]) -> State[Any]:
    """Do some work; turn failures into the state Failed, which automations look for."""
    try:
        return work()
    except Failure as failure:
        get_run_logger().error(
            "%s, exit code %s: %s", type(failure).__name__, failure.exit_code, failure
        )
        return Failed(message=str(failure))


def _done(work: Callable[[], None]) -> State[Any]:
    use_database()
    work()
    return Completed()


def _fit(command: str, slug: str | None, as_of: datetime | None) -> State[Any]:
    fit = FITS[command]
    progress = PrefectProgress()
    progress.say(use_database())
    payload = _when_free(lambda: fit_models(fit, slug, as_of, progress), QUEUE_SECONDS)
    print_models(fit, payload, progress)
    fitted = {row[f"{fit.tenant}_slug"] for row in payload[fit.models] if row["r"]}
    return Completed(message=f"{fit.model}: {len(fitted)} with parameters")


def _write_back(tenant: str | None, *, is_dry_run: bool, force: bool) -> State[Any]:
    if is_dry_run:
        return _done(lambda: preview(tenant, PrefectProgress(), force=force))
    use_database()
    progress = PrefectProgress()
    payload = run_write_back(tenant, progress, force=force)
    print_write_back(payload, progress)
    return Completed(message=written_in_words(payload))


def _refresh(options: Options, *, is_skipped: bool = False) -> State[Any]:
    """Refresh; if another refresh is running, wait for it or skip this one."""
    # the next run makes up for a scheduled run, but not for one with parameters
    is_usual = options == Options(mode=options.mode)
    late = datetime.now(UTC) - runtime.flow_run.scheduled_start_time
    missed_after = MISSED_IN_LINE.get(options.mode) if listed() else None
    if is_usual and late > (missed_after or MISSED_AFTER):
        return Completed(name="Missed", message=f"due {late} ago; the next run does its work")
    progress = PrefectProgress()
    progress.say(use_database())
    try:
        patience = 0 if is_skipped and is_usual else QUEUE_SECONDS
        # in a fleet, a run that waits holds a place that other databases need
        retries = RETRIES_AFTER_SECONDS if patience or not listed() else ()
        payload = _with_patience(options, progress, patience, retries)
    except Busy as busy:
        if patience:
            raise
        return Completed(name="Skipped", message=str(busy))
    if options.organization:
        print_organization(payload, progress)
        return Completed(message=f"{options.organization} is up to date")
    print_refresh(payload, progress)
    return Completed(message=written_in_words(payload))


def _continuous(every: timedelta) -> State[Any]:
    """Refresh again and again, without a task run per step: there would be thousands.

    A failure ends the run, also a temporary one: Prefect then shows an outage at once, and the
    next run, which `serve` starts, tries again.
    """
    progress = LoggedProgress()
    progress.say(use_database())
    return Completed(message=refresh_continuously(every, refresh, progress))


def _when_free(work: Callable[[], dict[str, Any]], seconds: int) -> dict[str, Any]:
    """Do work that needs the lock; wait up to this many seconds until it is free."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return work()
        except Busy:
            if time.monotonic() >= deadline:
                raise
            time.sleep(RETRY_SECONDS)


def _with_patience(
    options: Options, progress: Progress, seconds: int, retries: Sequence[int]
) -> dict[str, Any]:
    """Refresh when no other refresh is running; retry after a temporary failure."""
    pauses = iter(retries)
    while True:
        try:
            return _when_free(lambda: refresh(options, progress), seconds)
        except Infrastructure as failure:
            pause = next(pauses, None) if failure.is_temporary else None
            if pause is None:
                raise
            progress.say(f"trying again in {pause} s: {failure}")
            time.sleep(pause)
