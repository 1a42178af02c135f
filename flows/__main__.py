"""The command line: `python -m flows --help`."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from flows.alerts import run_alerts
from flows.arguments import parse_as_of, parse_days, read_arguments
from flows.capture import install_triggers, print_capture, remove_triggers
from flows.database import connect, install, use_environment
from flows.detach import detach
from flows.errors import Failure, WrongArgument
from flows.hook import install_hook, print_hook, remove_hook
from flows.init import make_project
from flows.progress import Progress, print_any_text
from flows.refresh import Options, refresh
from flows.reports import (
    preview,
    print_organization,
    print_outcomes,
    print_refresh,
    print_rollback,
    print_status,
    summarize,
)
from flows.roles import install_roles, print_roles, remove_roles
from flows.schemas import announcement
from flows.write_back import rollback, run_write_back

INSTALLED = {
    "capture": {
        "install": install_triggers,
        "remove": remove_triggers,
        "status": print_capture,
    },
    "hook": {"install": install_hook, "remove": remove_hook, "status": print_hook},
    "roles": {"install": install_roles, "remove": remove_roles, "status": print_roles},
}

# commands without arguments
PLAIN = {"detach": detach, "weekly": summarize}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and nothing else."""
        raise WrongArgument(message)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="python -m flows", description="Customer health: the commands.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("init", help="a project of yours, proposed from the catalog")
    command.add_argument("folder", metavar="DIR", type=Path)
    command.add_argument("--demo", action="store_true", help="for the sample schema")
    command.add_argument("--systems", metavar="NAMES", help="such as orders,bookings")
    command.add_argument(
        "--time-zone", metavar="ZONE", help="what timestamps without a zone are meant in"
    )

    command = commands.add_parser("refresh", help="build, test, publish, write back, log")
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("--mode", choices=["hourly", "nightly"])
    what.add_argument(
        "--organization", metavar="SLUG", help="tenants, accounts: this one, now"
    )
    command.add_argument("--as-of", metavar="TIMESTAMP", help="instant to compute for")
    command.add_argument("--tenant", metavar="SLUG", help="write back this tenant only")
    command.add_argument("--no-write-back", action="store_true")
    command.add_argument("--backfill-days", metavar="N", default="0")

    command = commands.add_parser("write-back", help="write what differs from the marts")
    command.add_argument("--dry-run", action="store_true", help="print it, write nothing")
    command.add_argument("--tenant", metavar="SLUG", help="this tenant only")
    command.add_argument("--force", action="store_true", help="whatever the guards hold, too")

    command = commands.add_parser("rollback", help="put back what a batch has written")
    command.add_argument("batch_id", metavar="BATCH_ID", type=int)

    command = commands.add_parser("capture", help="what tells the hourly refresh of changes")
    command.add_argument("action", choices=["install", "remove", "status"])

    command = commands.add_parser("hook", help="what a new order says, written at once")
    command.add_argument("action", choices=["install", "remove", "status"])

    command = commands.add_parser("roles", help="who may do what in the database")
    command.add_argument("action", choices=["install", "remove", "status"])

    commands.add_parser(
        "detach",
        help="takes our views off the application's tables, for a migration; the next refresh"
        " puts them back",
    )

    command = commands.add_parser("alerts", help="raise and send what people should know")
    command.add_argument("--dry-run", action="store_true", help="print it, send nothing")

    commands.add_parser("weekly", help="the last complete week against the one before")
    commands.add_parser("status", help="how the jobs are doing")
    return parser.parse_args(arguments)


def refresh_options(arguments: argparse.Namespace) -> Options:
    """Return what a refresh is asked for; what does not go together is refused."""
    if arguments.organization is not None and arguments.tenant is not None:
        raise WrongArgument(
            "--tenant: limits the write-back, which --organization has none of"
        )
    backfill_days = parse_days(arguments.backfill_days)
    if backfill_days and arguments.mode != "nightly":
        raise WrongArgument("--backfill-days: only with --mode nightly")
    return Options(
        mode=arguments.mode or "organization",
        as_of=parse_as_of(arguments.as_of) if arguments.as_of else None,
        tenant=arguments.tenant,
        write_back=not arguments.no_write_back,
        organization=arguments.organization,
        backfill_days=backfill_days,
    )


def run(arguments: argparse.Namespace, progress: Progress) -> int:  # noqa: C901 - one case each
    """Carry out a command and return its exit code."""
    match arguments.command:
        case "init":
            make_project(
                arguments.folder,
                progress,
                is_demo=arguments.demo,
                chosen=arguments.systems,
                zone=arguments.time_zone,
            )
        case "refresh":
            options = refresh_options(arguments)
            payload = refresh(options, progress)
            if options.organization:
                print_organization(payload, progress)
            else:
                print_refresh(payload, progress)
        case "write-back" if arguments.dry_run:
            preview(arguments.tenant, progress)
        case "write-back":
            payload = run_write_back(arguments.tenant, progress, force=arguments.force)
            progress.say(f"{payload['rows_written']} customers written back")
            print_outcomes(payload["write_back"], progress)
        case "rollback":
            payload = rollback(arguments.batch_id)
            print_rollback(payload["rollback"], progress)
        case "capture" | "hook" | "roles":
            INSTALLED[arguments.command][arguments.action](progress)
        case "alerts":
            run_alerts(progress, dry_run=arguments.dry_run)
        case "detach" | "weekly":
            PLAIN[arguments.command](progress)
        case "status":
            with connect() as connection:
                install(connection, "operations.sql")
                install(connection, "alerts.sql")
                return 0 if print_status(connection, progress) else 1
    return 0


def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """End on SIGTERM as on Ctrl-C: stop the queries, then leave."""
    raise KeyboardInterrupt


def main() -> int:
    """Run the command of sys.argv; every failure is one line on standard error."""
    signal.signal(signal.SIGTERM, interrupt)
    print_any_text()
    try:
        arguments = parse(read_arguments(sys.argv[1:]))
        use_environment()
        progress = Progress()
        if announced := announcement():
            progress.say(announced)
        return run(arguments, progress)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
