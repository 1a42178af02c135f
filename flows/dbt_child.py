"""Run dbt in a process of its own: `python -m flows.dbt_child`.

Standard input has one request a line, dbt's arguments as JSON. Standard output gets one JSON
object a line: every node as it finishes, at last how the run ended. What dbt itself prints
there is left out; its threads would write into our lines. When the parent dies, its end of
standard input closes, and dbt is interrupted: it cancels its queries and leaves.

The project is parsed once, and each request is run by a fork: what a run leaves behind in
memory, compiled ephemeral models say, is gone with it, so the next one finds all as parsed.

Whatever the environment says, the project is this one.
"""

import json
import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, ClassVar

import click
import psycopg2  # type: ignore[import-untyped]
from dbt.adapters.contracts.connection import Connection
from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt.cli.main import cli, dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.exceptions import ParsingError
from dbt_common.events.base_types import BaseEvent, EventLevel, EventMsg
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager
from dbt_common.exceptions import CompilationError

from flows.errors import is_temporary
from flows.project import HOME, PROJECT
from flows.schemas import for_dbt

PLACE = ["--project-dir", str(PROJECT), "--profiles-dir", str(HOME)]
# these say where dbt writes, which is up to whoever runs us
OUTPUT = ("target_path", "log_path")
# the names of events
HEARD = ("ConcurrencyLine", "NodeFinished")

SECONDS_TO_LEAVE = 1.5
WRITING = threading.Lock()
# how it ended is told, so that whoever waited may close our input, and we leave by ourselves
TOLD = threading.Event()
MESSAGES = os.fdopen(os.dup(sys.stdout.fileno()), "w")


class Connections(PostgresConnectionManager):
    """dbt's connections, which also note of what kind the errors of the database are."""

    # whether each may be over in a minute: dbt keeps the message only
    are_temporary: ClassVar[list[bool]] = []

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Note why there is no connection, then do with it what dbt does."""
        try:
            return super().open(connection)  # type: ignore[no-any-return, no-untyped-call]
        except FailedToConnectError as error:
            cls.are_temporary.append(is_temporary(error.__context__ or error))
            raise

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        """Note an error, then do with it what dbt does."""
        with super().exception_handler(sql):
            try:
                yield
            except psycopg2.Error as error:
                self.are_temporary.append(is_temporary(error))
                raise


class Events(EventManager):
    """dbt's events; those that nobody hears are not made into messages.

    Each statement has several: a tenth of what a refresh with little to do costs.
    """

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,  # noqa: FBT001, FBT002 - as dbt calls it
    ) -> None:
        """Pass on what a log from level info on has, and what on_event() waits for."""
        is_detail = (level or e.level_tag()) in (EventLevel.DEBUG, EventLevel.TEST)
        if not is_detail or force_warn_or_error_handling or type(e).__name__ in HEARD:
            super().fire_event(e, level, node, force_warn_or_error_handling)


def ignore_environment(command: click.Command = cli) -> None:
    """Let dbt take no option from the environment: DBT_PROJECT_DIR, DBT_EMPTY and the like.

    They stay there, for a profile may read variables of the same names.
    """
    for option in command.params:
        if option.name not in OUTPUT:
            option.envvar = None
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            ignore_environment(subcommand)


def leave_with_parent() -> None:
    """Wait for the end of standard input, then interrupt dbt."""
    parent = select.poll()
    # not for what there is to read, which is the next request: a closed end is always told
    parent.register(sys.stdin, 0)
    parent.poll()
    if TOLD.is_set():
        return
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(SECONDS_TO_LEAVE)
    os._exit(1)


def tell(**message: Any) -> None:
    """Print one message for the parent; models finish in several threads."""
    with WRITING:
        print(json.dumps(message, default=str), file=MESSAGES, flush=True)


def on_event(event: EventMsg) -> None:
    """Pass on when the nodes begin, and each that has finished."""
    if event.info.name == "ConcurrencyLine":
        tell(event="begin")
    elif event.info.name == "NodeFinished":
        node = event.data.node_info
        tell(
            event="node",
            name=node.node_name,
            status=event.data.run_result.status,
            seconds=event.data.run_result.execution_time,
        )


def command_line() -> None:
    """Be dbt's own command line, on this project."""
    ignore_environment()
    done = dbtRunner().invoke([*sys.argv[1:], *PLACE])
    if not done.success:
        # dbt itself says nothing of what stops it before its log begins
        sys.exit(str(done.exception or ""))


def parse() -> Manifest | None:
    """Parse with the defaults, which dbt can cache; say how it ended where it fails."""
    # what nodes are called must be known here already
    names = ["--vars", json.dumps(for_dbt())]
    parsed = dbtRunner().invoke(["parse", "--quiet", "--no-write-json", *names, *PLACE])
    if isinstance(parsed.result, Manifest):
        return parsed.result
    is_wrong = isinstance(parsed.exception, CompilationError | ParsingError)
    error = str(parsed.exception)
    tell(event="end", error=error, is_wrong=is_wrong, nodes=[], is_temporary=False)
    return None


def run(manifest: Manifest, arguments: list[str]) -> None:
    """Run one request, with its own vars."""
    threading.Thread(target=leave_with_parent, daemon=True).start()
    done = dbtRunner(manifest=manifest, callbacks=[on_event]).invoke([*arguments, *PLACE])
    results = getattr(done.result, "results", [])
    TOLD.set()
    tell(
        event="end",
        error=str(done.exception) if done.exception else None,
        is_wrong=False,
        is_temporary=bool(Connections.are_temporary) and all(Connections.are_temporary),
        nodes=[
            {
                "name": result.node.name,
                "kind": str(result.node.resource_type),
                "tags": result.node.tags,
                "status": str(result.status),
                "message": result.message,
                "failures": result.failures,
                "relation": result.node.relation_name,
                "seconds": result.execution_time,
                "day": result.node.config.meta.get("published", {}).get("day"),
            }
            for result in results
        ],
    )


def run_in_fork(manifest: Manifest, arguments: list[str]) -> None:
    """Run one request in a fork, and end as it does where it does not end well."""
    fork = os.fork()
    if not fork:
        code = 1
        try:
            run(manifest, arguments)
            code = 0
        except BaseException:  # noqa: BLE001 - a fork must not go on where its parent does
            traceback.print_exc()
        finally:
            # its thread waits for input
            os._exit(code)
    # Ctrl-C is for the fork, too, and it is waited for
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(fork, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        # of SIGKILL nothing can be set
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    if code:
        sys.exit(code)


def main() -> None:
    """Parse once, then run what is asked for, until nobody asks any more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    ignore_environment()
    PostgresAdapter.ConnectionManager = Connections
    ctx_set_event_manager(Events())
    manifest: Manifest | None = None
    for request in sys.stdin:
        manifest = manifest or parse()
        if manifest:
            run_in_fork(manifest, json.loads(request))


if __name__ == "__main__":
    main()
