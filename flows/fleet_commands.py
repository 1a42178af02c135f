"""`customer-health fleet COMMAND`: run a command on each database, or show their state.

A database that is down, held or busy does not stop the others; the table at the end shows it.
The exit code is the highest of all.
"""

import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flows.database import reading
from flows.dbt import ensure_profile
from flows.errors import Busy, Failure, Infrastructure
from flows.fleet import environment
from flows.installed import gap
from flows.progress import Progress, count_of
from flows.reports import (
    health_in_words,
    job_line,
    oldest_instant,
    read_health,
    read_jobs,
)
from flows.serve import SECONDS_TO_STOP, die_with_parent

# by exit code
OUTCOMES = {
    0: "done",
    1: "to look at",
    2: "wrong",
    3: "held",
    4: "failed",
    5: "busy",
    130: "stopped",
}
# the columns of a job
JOB_COLUMNS = (
    "job",
    "last run",
    "status",
    "last success",
    "failures in a row",
    "seconds",
    "rows written",
    "drift",
)
FAILED = "error: "
# the longest line: the JSON of a large run
MOST_BYTES = 2**26
# databases asked at once; one that cannot be reached takes ten seconds
ASKED_AT_ONCE = 16
SECONDS_TO_ANSWER = 15


@dataclass(frozen=True)
class Ended:
    """How a command ended on one database."""

    service: str
    exit_code: int
    seconds: float
    reason: str | None
    payload: Mapping[str, Any] | None

    @property
    def outcome(self) -> str:
        """The result in one or two words."""
        return OUTCOMES.get(self.exit_code, "failed")

    def line(self) -> dict[str, Any]:
        """Return the row of the table."""
        return {
            "database": self.service,
            "outcome": self.outcome,
            "exit code": self.exit_code,
            "seconds": self.seconds,
            "reason": self.reason,
        }

    def as_json(self) -> dict[str, Any]:
        """Return the object for programs, with the JSON of the command itself."""
        return {
            "database": self.service,
            "outcome": self.outcome,
            "exit_code": self.exit_code,
            "seconds": self.seconds,
            "reason": self.reason,
            "result": self.payload,
        }


def run_fleet(
    services: Sequence[str], command: Sequence[str], at_once: int, progress: Progress
) -> tuple[int, Mapping[str, Any]]:
    """Run a command on each of these databases, at_once at a time, and print how they ended.

    Returns the worst exit code and the results of all databases.
    """
    # create the shared profile before two processes try to
    ensure_profile()
    # databases of one server share its roles
    if command[0] in {"roles", "uninstall"}:
        at_once = 1
    try:
        ended = asyncio.run(_run_all(services, command, at_once, progress))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    progress.table("Fleet", [one.line() for one in ended])
    done = sum(one.exit_code == 0 for one in ended)
    progress.say(f"{done} of {count_of(len(ended), 'database')} done")
    exit_code = max((one.exit_code for one in ended), key=_badness)
    return exit_code, {"databases": [one.as_json() for one in ended]}


def _badness(exit_code: int) -> tuple[bool, bool, int]:
    """Order exit codes: busy, which another refresh makes up for, hides no failure."""
    return exit_code != 0, exit_code != Busy.exit_code, exit_code


async def _run_all(
    services: Sequence[str], command: Sequence[str], at_once: int, progress: Progress
) -> list[Ended]:
    """Run the command on all databases; when this is stopped, stop the commands."""
    this = asyncio.current_task()
    if this:
        # as Ctrl-C does
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    free = asyncio.Semaphore(at_once)

    async def run_one(service: str) -> Ended:
        async with free:
            return await _run_one(service, command, progress)

    return await asyncio.gather(*map(run_one, services))


async def _run_one(service: str, command: Sequence[str], progress: Progress) -> Ended:
    is_json = "--json" in command
    started = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "flows", *command),
            env=environment(service),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE if is_json else asyncio.subprocess.STDOUT,
            limit=MOST_BYTES,
            # Ctrl-C goes only to us, and we stop each command once
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        reason = f"cannot be started: {error.strerror}"
        return Ended(service, Infrastructure.exit_code, 0, reason, None)
    try:
        told, content = await asyncio.gather(
            _show(service, process.stderr if is_json else process.stdout, progress),
            _read(process.stdout if is_json else None),
        )
        exit_code = await process.wait()
    except BaseException:
        await _end(process)
        raise
    why: str | None = None
    if exit_code:
        said = [line.removeprefix(FAILED) for line in told if line.startswith(FAILED)]
        why = (said or told or [f"ended with exit code {exit_code}"])[-1]
    if exit_code < 0:
        # by a person, or by the machine for lack of memory
        exit_code, why = Infrastructure.exit_code, f"killed by signal {-exit_code}"
    payload = None
    with suppress(ValueError):
        payload = json.loads(content)
    seconds = round(time.monotonic() - started, 1)
    return Ended(service, exit_code, seconds, why, payload)


async def _show(
    service: str, stream: asyncio.StreamReader | None, progress: Progress
) -> list[str]:
    """Print each line of a command after the name of its database."""
    told = []
    async for line in _lines(stream):
        progress.say(f"{service}: {line}")
        if line:
            told.append(line)
    return told


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    while stream and (line := await stream.readline()):
        yield line.decode(errors="replace").rstrip()


async def _read(stream: asyncio.StreamReader | None) -> bytes:
    return await stream.read() if stream else b""


async def _end(process: asyncio.subprocess.Process) -> None:
    """Stop a command as Ctrl-C does, and kill it if it does not stop."""
    with suppress(ProcessLookupError):
        # SIGTERM, because background processes of a shell ignore Ctrl-C's signal
        process.terminate()
    try:
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), SECONDS_TO_STOP)
    finally:
        with suppress(ProcessLookupError):
            process.kill()


@dataclass(frozen=True)
class State:
    """How the jobs of one database are doing."""

    service: str
    exit_code: int
    lines: Sequence[Mapping[str, Any]]
    # a note on the database as a whole
    note: str
    # the oldest instant that its figures describe
    oldest: datetime | None = None

    def rows(self) -> Iterator[dict[str, Any]]:
        """Return the rows of its jobs, or one empty row with the note."""
        for line in self.lines or [dict.fromkeys(JOB_COLUMNS)]:
            yield {"database": self.service, **line, "note": self.note}


def print_fleet_status(services: Sequence[str], progress: Progress) -> int:
    """Print how the jobs of these databases are doing; return the highest exit code."""
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        states = list(pool.map(_ask, services))
    progress.table("Jobs", [row for state in states for row in state.rows()])
    known = [(state.oldest, state.service) for state in states if state.oldest]
    if known:
        oldest, service = min(known)
        progress.say(
            f"the oldest figures are those of {service}, from {oldest:%Y-%m-%d %H:%M %Z}"
        )
    if without := [state.service for state in states if not state.oldest]:
        progress.say(f"no figures known: {', '.join(without)}")
    return max(state.exit_code for state in states)


def _ask(service: str) -> State:
    try:
        with reading(service=service) as connection:
            # for a database in which something holds a lock
            connection.execute(f"set statement_timeout = '{SECONDS_TO_ANSWER}s'".encode())
            if missing := gap(connection, "operations.sql"):
                return State(service, 1, [], missing)
            jobs = [job_line(job) for job in read_jobs(connection)]
            health = read_health(connection)
            oldest = oldest_instant(connection)
    except Failure as failure:
        return State(service, failure.exit_code, [], str(failure))
    is_well = health["success_age"] is not None and not health["is_overdue"]
    note = "" if is_well else health_in_words(health)
    return State(service, 0 if is_well else 1, jobs, note, oldest)
