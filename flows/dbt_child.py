"""Run dbt in its own process, which flows/dbt.py starts.

Each line of standard input is a request: dbt's arguments as JSON. Each line of standard output
is a JSON object: every node as it finishes, and last how the run ended. dbt's own output is
dropped, because its threads would write into our lines. When the parent dies, standard input
closes and dbt is interrupted: it cancels its queries and exits.

The project is parsed once, and a fork runs each request. What a run changes in memory, such as
compiled ephemeral models, ends with the fork, so the next run starts from the parsed project.

The project is always this one, whatever the environment says.
"""

import gc
import json
import os
import select
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from types import CodeType
from typing import Any, ClassVar

import agate  # type: ignore[import-untyped]
import click
import psycopg2  # type: ignore[import-untyped]
from dbt.adapters.contracts.connection import AdapterResponse, Connection
from dbt.adapters.exceptions.connection import FailedToConnectError
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.adapters.postgres.impl import PostgresAdapter
from dbt.cli.main import cli, dbtRunner
from dbt.contracts.graph.manifest import Manifest
from dbt.exceptions import ParsingError
from dbt.parser.manifest import write_manifest
from dbt_common.__about__ import version as dbt_common_version
from dbt_common.clients.agate_helper import empty_table
from dbt_common.clients.jinja import MacroFuzzEnvironment
from dbt_common.events.base_types import BaseEvent, EventLevel, EventMsg
from dbt_common.events.event_manager import EventManager
from dbt_common.events.event_manager_client import ctx_set_event_manager
from dbt_common.exceptions import CompilationError
from jinja2 import Environment, FileSystemBytecodeCache
from jinja2 import __version__ as jinja_version
from jinja2.bccache import Bucket

from flows.errors import is_temporary
from flows.keepalives import KEEPALIVES
from flows.project import HOME, PROJECT
from flows.schemas import for_dbt

PLACE = ["--project-dir", str(PROJECT), "--profiles-dir", str(HOME)]
# where dbt writes: the caller may set these
OUTPUT = ("target_path", "log_path")
# the events that on_event() waits for
HEARD = ("ConcurrencyLine", "NodeFinished")

SECONDS_TO_LEAVE = 1.5
# how long a connection may wait for the next node
SECONDS_IDLE = 1.0
WRITING = threading.Lock()
# set once the end is reported: then the parent may close our input, and we exit by ourselves
TOLD = threading.Event()
NOT_FETCHED = empty_table()  # type: ignore[no-untyped-call]
MESSAGES = os.fdopen(os.dup(sys.stdout.fileno()), "w")

# for all connections of this process: of these options dbt knows only keepalives_idle
psycopg2.connect = partial(psycopg2.connect, **KEEPALIVES)


class Connections(PostgresConnectionManager):
    """dbt's connections, kept from node to node, with a record of temporary errors.

    dbt opens one for every node. A new one costs several milliseconds, because its server
    process knows no table yet, and on Citus it connects to the workers again.
    """

    # whether each error is temporary; dbt keeps only the message
    are_temporary: ClassVar[list[bool]] = []

    # when this thread's connection became idle; None while a node has it
    _idle: ClassVar[threading.local] = threading.local()

    def release(self) -> None:
        """Reset the thread's connection, as a pooler does, instead of closing it."""
        connection = self.get_if_exists()
        if not connection or connection.state != "open" or connection.credentials.role:
            super().release()
            return
        try:
            connection.handle.rollback()
            connection.transaction_open = False
            autocommit = connection.handle.autocommit
            connection.handle.autocommit = True
            connection.handle.cursor().execute("discard all")
            connection.handle.autocommit = autocommit
        except psycopg2.Error:
            super().release()
        else:
            self._idle.since = time.monotonic()

    def set_connection_name(self, name: str | None = None) -> Connection:
        """Take the thread's connection, or a new one if it has been idle for long.

        The server or a pooler may have closed it.
        """
        connection = self.get_if_exists()
        since, self._idle.since = getattr(self._idle, "since", None), None
        if connection and since and time.monotonic() - since > SECONDS_IDLE:
            super().release()
        return super().set_connection_name(name)

    def execute(
        self,
        sql: str,
        auto_begin: bool = False,  # noqa: FBT001, FBT002 - as dbt calls it
        fetch: bool = False,  # noqa: FBT001, FBT002
        limit: int | None = None,
    ) -> tuple[AdapterResponse, agate.Table]:
        """Do what dbt does, but make the table that means "not fetched" only once."""
        if fetch:
            return super().execute(sql, auto_begin, fetch, limit)
        _, cursor = self.add_query(self._add_query_comment(sql), auto_begin)
        return self.get_response(cursor), NOT_FETCHED

    @classmethod
    def open(cls, connection: Connection) -> Connection:
        """Record why there is no connection, then do what dbt does."""
        try:
            return super().open(connection)  # type: ignore[no-any-return, no-untyped-call]
        except FailedToConnectError as error:
            cls.are_temporary.append(is_temporary(error.__context__ or error))
            raise

    @contextmanager
    def exception_handler(self, sql: str) -> Iterator[None]:
        """Record an error, then do what dbt does."""
        with super().exception_handler(sql):
            try:
                yield
            except psycopg2.Error as error:
                self.are_temporary.append(is_temporary(error))
                raise


class Events(EventManager):
    """dbt's events, without those that nobody reads."""

    def fire_event(
        self,
        e: BaseEvent,
        level: EventLevel | None = None,
        node: Any = None,
        force_warn_or_error_handling: bool = False,  # noqa: FBT001, FBT002 - as dbt calls it
    ) -> None:
        """Pass on events from level info up, and those that on_event() waits for."""
        is_detail = (level or e.level_tag()) in (EventLevel.DEBUG, EventLevel.TEST)
        if not is_detail or force_warn_or_error_handling or type(e).__name__ in HEARD:
            super().fire_event(e, level, node, force_warn_or_error_handling)


def build_events_when_read() -> None:
    """Fill an event with its content only when somebody reads it.

    Every statement has several events, which nobody reads: filling them takes a tenth of a
    small refresh.
    """
    fill = BaseEvent.__init__

    def keep(event: BaseEvent, *arguments: Any, **fields: Any) -> None:
        vars(event)["given"] = (arguments, fields)

    def read(event: BaseEvent, name: str) -> Any:
        if name != "pb_msg":
            return getattr(event.pb_msg, name)
        arguments, fields = vars(event)["given"]
        fill(event, *arguments, **fields)
        return vars(event)[name]

    BaseEvent.__init__ = keep  # type: ignore[method-assign, assignment]
    BaseEvent.__getattr__ = read  # type: ignore[method-assign]


def ignore_environment(command: click.Command = cli) -> None:
    """Keep dbt from reading options such as DBT_PROJECT_DIR from the environment.

    The variables stay set, because a profile may read variables of the same names.
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
    # waits for no readable data, which is the next request: poll always reports a closed end
    parent.register(sys.stdin, 0)
    parent.poll()
    if TOLD.is_set():
        return
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(SECONDS_TO_LEAVE)
    os._exit(1)


def tell(**message: Any) -> None:
    """Print one message for the parent, locked because models finish in several threads."""
    with WRITING:
        print(json.dumps(message, default=str), file=MESSAGES, flush=True)


def on_event(event: EventMsg) -> None:
    """Report when the nodes begin, and each finished node."""
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
    """Run dbt's own command line on this project."""
    ignore_environment()
    done = dbtRunner().invoke([*sys.argv[1:], *PLACE])
    if not done.success:
        # dbt itself does not print errors from before its log begins
        sys.exit(str(done.exception or ""))


def parse() -> Manifest | dict[str, Any]:
    """Parse with the default vars, which dbt can cache; return the manifest, or the error."""
    # node names depend on the prefix, so it must be set here already
    names = ["--vars", json.dumps(for_dbt())]
    parsed = dbtRunner().invoke(["parse", "--quiet", "--no-write-json", *names, *PLACE])
    if isinstance(parsed.result, Manifest):
        return parsed.result
    return {
        "error": str(parsed.exception),
        "is_wrong": isinstance(parsed.exception, CompilationError | ParsingError),
    }


def keep_compiled_templates() -> None:
    """Keep compiled templates in dbt's target folder, in the cache of Jinja's own loaders.

    dbt compiles every model and macro again in each run: a quarter of a small refresh. What
    is no template is not kept: it may be a password of the profile.
    """
    folder = Path(os.environ["DBT_TARGET_PATH"] or "target", "jinja")
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    cache = FileSystemBytecodeCache(str(folder))
    versions = f"{dbt_common_version} {jinja_version}"
    compile_anew = MacroFuzzEnvironment.compile

    def compile_once(environment: Environment, source: str) -> CodeType:
        if "{{" not in source and "{%" not in source:
            return compile_anew(environment, source)
        # two classes of environment generate different code
        key = cache.get_cache_key(f"{versions} {type(environment).__name__} {source}")
        bucket = Bucket(environment, key, cache.get_source_checksum(source))
        # a file may be cut off, and the disk full: then the template is compiled anew
        with suppress(OSError, EOFError, UnpicklingError):
            cache.load_bytecode(bucket)
        if bucket.code is None:
            bucket.code = compile_anew(environment, source)
            with suppress(OSError):
                cache.dump_bytecode(bucket)
        return bucket.code

    MacroFuzzEnvironment.compile = compile_once  # type: ignore[method-assign, assignment]


def run(manifest: Manifest, arguments: list[str]) -> None:
    """Run one request, with its own vars."""
    threading.Thread(target=leave_with_parent, daemon=True).start()
    done = dbtRunner(manifest=manifest, callbacks=[on_event]).invoke([*arguments, *PLACE])
    if arguments[0] == "parse" and done.success:
        # dbt writes only what it has just parsed
        write_manifest(manifest, arguments[arguments.index("--target-path") + 1])
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
                "folder": result.node.fqn[1],
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
    """Run one request in a fork; if it fails, end in the same way."""
    fork = os.fork()
    if not fork:
        code = 1
        try:
            run(manifest, arguments)
            code = 0
        except BaseException:  # noqa: BLE001 - a fork must not continue its parent's loop
            traceback.print_exc()
        finally:
            # a plain exit would wait for its thread, which waits for input
            os._exit(code)
    # the fork also gets Ctrl-C, and we wait for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(fork, 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        # SIGKILL has no handler to set
        with suppress(OSError):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    if code:
        sys.exit(code)


def main() -> None:
    """Parse once, at once, then run the requests until standard input closes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    ignore_environment()
    PostgresAdapter.ConnectionManager = Connections
    ctx_set_event_manager(Events())
    build_events_when_read()
    keep_compiled_templates()
    parsed = parse()
    for number, request in enumerate(sys.stdin):
        if not isinstance(parsed, Manifest):
            tell(event="end", **parsed, nodes=[], is_temporary=False)
            continue
        if number <= 1:
            # what is loaded by now stays until the end: do not search it for garbage
            gc.freeze()
        run_in_fork(parsed, json.loads(request))
    # at once: Python would first take a tenth of a second to free what dbt has loaded
    os._exit(0)
