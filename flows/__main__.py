"""The command line: `customer-health --help`, or `python -m flows --help`."""

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from api.serving import api_commands, run_tokens
from api.serving import serve as serve_api
from flows.alerts import run_alerts
from flows.arguments import parse_as_of, parse_days, parse_run_id, read_arguments
from flows.capture import install_triggers, print_capture, remove_triggers
from flows.check import check
from flows.database import one_line, reading, use_environment
from flows.detach import detach
from flows.dry_run import preview
from flows.errors import Failure, Infrastructure, WrongArgument
from flows.fit_models import FITS, fit_models
from flows.fleet import AT_ONCE, chosen, names, parse_at_once, use_fleet
from flows.fleet_commands import print_fleet_status, run_fleet
from flows.hook import install_hook, print_hook, remove_hook
from flows.init import make_project
from flows.progress import Progress, print_any_text
from flows.project import version
from flows.refresh import Options, refresh
from flows.reports import (
    print_models,
    print_organization,
    print_refresh,
    print_rollback,
    print_status,
    print_write_back,
    summarize,
)
from flows.roles import install_roles, print_roles, remove_roles
from flows.serve import serve, serve_arguments
from flows.uninstall import uninstall
from flows.write_back import rollback, run_write_back

# the exit code, and what --json prints
Answer = tuple[int, Mapping[str, Any] | None]

INSTALLED: dict[str, dict[str, Callable[[Progress], None]]] = {
    "capture": {
        "install": install_triggers,
        "remove": remove_triggers,
        "status": print_capture,
    },
    "hook": {"install": install_hook, "remove": remove_hook, "status": print_hook},
    "roles": {"install": install_roles, "remove": remove_roles, "status": print_roles},
}

# what schedulers call
SCHEDULED = ("refresh", "write-back", *FITS, "alerts", "weekly", "status", "check")

# they create a project, or run until stopped
NOT_OF_FLEET = ("init", "serve", "api", "fleet")

# commands without arguments
PLAIN = {"detach": detach, "weekly": summarize}

WITH_DRY_RUN = {"alerts": run_alerts, "uninstall": uninstall}


ACTIONS: dict[str, Any] = {
    "choices": ["install", "remove", "status"],
    "help": "install: create or update them; remove: drop them; status: show them",
}

PURPOSE = (
    "Find out which customers are healthy, late, shrinking or gone. docs/commands.md explains"
    " the commands; COMMAND --help lists the options of a command."
)


class Parser(argparse.ArgumentParser):
    """A parser that reports errors in one line and accepts no abbreviated options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Report only what is wrong, without the usage."""
        raise WrongArgument(message)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog="customer-health", description=PURPOSE)
    parser.add_argument("--version", action="version", version=f"customer-health {version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, does: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=does, description=f"{does[0].upper()}{does[1:]}."
        )

    command = add("init", "create your project, with inputs proposed from the catalog")
    command.add_argument("folder", metavar="DIR", type=Path, help="the new folder")
    command.add_argument("--demo", action="store_true", help="read the tables of the demo")
    command.add_argument(
        "--systems", metavar="NAMES", help="only these systems, such as orders,bookings"
    )
    command.add_argument(
        "--time-zone", metavar="ZONE", help="time zone of dates and times that have none"
    )

    command.add_argument(
        "--table",
        metavar="INPUT=SCHEMA.TABLE",
        action="append",
        default=[],
        help="the table for an input, such as customers=crm.people; customers=none if you"
        " have no such table; can be repeated",
    )

    refresh_arguments(
        add("refresh", "compute the statuses, test and publish them, and write them back")
    )

    command = add("check", "check that the inputs return what the rules need")
    command.add_argument("--system", metavar="NAME", help="check only this system")
    command.add_argument(
        "--as-of", metavar="TIMESTAMP", help="compute for this instant; default: now"
    )

    command = add("write-back", "write back the statuses that have changed")
    command.add_argument(
        "--dry-run", action="store_true", help="show the changes, write nothing"
    )
    command.add_argument("--tenant", metavar="SLUG", help="write back only this tenant")
    command.add_argument(
        "--force",
        action="store_true",
        help="also write what would be held, except after a refresh that failed, whatever the"
        " reason",
    )

    for fit in FITS.values():
        command = add(
            fit.command,
            f"fit the {fit.model}, which says how likely each customer is to return",
        )
        command.add_argument(
            f"--{fit.tenant}", dest="slug", metavar="SLUG", help=f"fit only this {fit.tenant}"
        )
        command.add_argument(
            "--as-of", metavar="TIMESTAMP", help=f"use the {fit.days} up to this instant"
        )

    command = add("rollback", "undo what a write-back batch has written")
    command.add_argument(
        "batch_id", metavar="BATCH_ID", type=int, help="the number that the write-back printed"
    )

    command = add(
        "capture", "manage the triggers that tell the hourly refresh what has changed"
    )
    command.add_argument("action", **ACTIONS)
    command.add_argument(
        "--allow-gaps",
        action="store_true",
        help="install even if a table has no key, or a key differs from that of its input",
    )

    command = add(
        "hook", "manage the trigger that updates the customer of a new order at once"
    )
    command.add_argument("action", **ACTIONS)

    command = add("roles", "manage the database roles that decide who may read and write what")
    command.add_argument("action", **ACTIONS)

    add(
        "detach",
        "drop our views on your tables before a migration; the next hourly or nightly"
        " refresh creates them again",
    )

    command = add("alerts", "raise alerts, and send each person their messages")
    command.add_argument(
        "--dry-run", action="store_true", help="show the messages, send nothing"
    )

    command = add("uninstall", "remove everything that customer-health has created")
    command.add_argument(
        "--dry-run", action="store_true", help="show what would be removed, remove nothing"
    )

    add("weekly", "compare the last complete week with the one before")
    add("status", "show the last runs, how old the figures are, and unsent messages")

    serve_arguments(add("serve", "run the schedules with Prefect"))

    api_commands(commands)

    fleet_arguments(add("fleet", "run a command on each database of FLEET"))

    for name in (*SCHEDULED, "fleet"):
        command = commands.choices[name]
        command.add_argument(
            "--json",
            action="store_true",
            help="print one JSON object on stdout, the rest on stderr",
        )
        command.add_argument(
            "--log-file", metavar="PATH", type=Path, help="append every line, with its time"
        )
    return parser.parse_args(arguments)


def refresh_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of a refresh."""
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--mode",
        choices=["hourly", "nightly"],
        help="hourly: recompute what has changed; nightly: recompute everything",
    )
    what.add_argument(
        "--organization",
        metavar="SLUG",
        help="recompute only this organization of usage and accounts",
    )
    command.add_argument(
        "--as-of", metavar="TIMESTAMP", help="compute for this instant; default: now"
    )
    command.add_argument(
        "--tenant", metavar="SLUG", help="limit write-back and statistics to this tenant"
    )
    command.add_argument(
        "--no-write-back", action="store_true", help="write nothing to your tables"
    )
    command.add_argument(
        "--backfill-days",
        metavar="N",
        default="0",
        help="also collect N past days of usage and accounts that were never collected",
    )
    command.add_argument("--run-id", metavar="UUID", help="id for this run in the run log")


def fleet_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of `fleet`."""
    command.description = (
        "Run a command on each database of FLEET, a list of libpq services in"
        " ~/.pg_service.conf or PGSERVICEFILE. `fleet status` shows them all in one"
        " table."
    )
    command.add_argument(
        "--at-once",
        metavar="N",
        type=parse_at_once,
        default=os.environ.get("FLEET_AT_ONCE") or AT_ONCE,
        help=f"run on this many databases at once (FLEET_AT_ONCE, or {AT_ONCE})",
    )
    command.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help="run only on this database; can be repeated",
    )
    command.add_argument(
        "typed",
        metavar="COMMAND",
        nargs=argparse.REMAINDER,
        help="the command to run, with its options",
    )


def refresh_options(arguments: argparse.Namespace) -> Options:
    """Return the options of a refresh. Raises WrongArgument when two exclude each other."""
    if arguments.organization is not None and arguments.tenant is not None:
        raise WrongArgument("--tenant: not with --organization, which writes nothing back")
    backfill_days = parse_days(arguments.backfill_days)
    if backfill_days and arguments.mode != "nightly":
        raise WrongArgument("--backfill-days: only with --mode nightly")
    return Options(
        mode=arguments.mode or "organization",
        as_of=parse_as_of(arguments.as_of) if arguments.as_of is not None else None,
        tenant=arguments.tenant,
        write_back=not arguments.no_write_back,
        organization=arguments.organization,
        backfill_days=backfill_days,
        run_id=parse_run_id(arguments.run_id) if arguments.run_id is not None else None,
    )


def run_installed(arguments: argparse.Namespace, progress: Progress) -> None:
    """Install, remove or show the triggers, the hook or the roles."""
    if arguments.command != "capture" or not arguments.allow_gaps:
        INSTALLED[arguments.command][arguments.action](progress)
    elif arguments.action == "install":
        install_triggers(progress, allow_gaps=True)
    else:
        raise WrongArgument("--allow-gaps: only with install")


def run_refresh(options: Options, progress: Progress) -> Mapping[str, Any]:
    """Refresh, and print what the refresh has done."""
    payload = refresh(options, progress)
    if options.organization:
        print_organization(payload, progress)
    else:
        print_refresh(payload, progress)
    return payload


def run(arguments: argparse.Namespace, progress: Progress) -> Answer:
    """Run a command; return its exit code, and its entry in the run log if it has one."""
    payload: Mapping[str, Any] | None = None
    match arguments.command:
        case "init":
            make_project(
                arguments.folder,
                progress,
                is_demo=arguments.demo,
                chosen=arguments.systems,
                zone=arguments.time_zone,
                tables=arguments.table,
            )
        case "refresh":
            payload = run_refresh(refresh_options(arguments), progress)
        case "write-back" if arguments.dry_run:
            preview(arguments.tenant, progress, force=arguments.force)
        case "write-back":
            payload = run_write_back(arguments.tenant, progress, force=arguments.force)
            print_write_back(payload, progress)
        case "rollback":
            payload = rollback(arguments.batch_id)
            print_rollback(payload["rollback"], progress)
        case "api-tokens":
            run_tokens(arguments, progress)
        case "capture" | "hook" | "roles":
            run_installed(arguments, progress)
        case "alerts" | "uninstall":
            WITH_DRY_RUN[arguments.command](progress, dry_run=arguments.dry_run)
        case "detach" | "weekly":
            PLAIN[arguments.command](progress)
        case _:
            return ANSWERS[arguments.command](arguments, progress)
    return 0, payload


def answer_check(arguments: argparse.Namespace, progress: Progress) -> Answer:
    """Check whether the inputs give what the rules need."""
    as_of = parse_as_of(arguments.as_of) if arguments.as_of is not None else None
    return check(arguments.system, as_of, progress)


def answer_fit(arguments: argparse.Namespace, progress: Progress) -> Answer:
    """Fit the models, and print their parameters."""
    fit = FITS[arguments.command]
    as_of = parse_as_of(arguments.as_of) if arguments.as_of is not None else None
    payload = fit_models(fit, arguments.slug, as_of, progress)
    print_models(fit, payload, progress)
    return 0, payload


def answer_fleet(arguments: argparse.Namespace, progress: Progress) -> Answer:
    """Run a command on each database, or print the state of their jobs."""
    typed = arguments.typed
    command = parse(typed)
    if command.command in NOT_OF_FLEET:
        raise WrongArgument(f"{command.command}: cannot run on a fleet")
    if getattr(command, "log_file", None):
        raise WrongArgument(
            "--log-file: put it before the command; all databases share the file"
        )
    if command.command == "api-tokens" and arguments.log_file:
        raise WrongArgument("--log-file: not with api-tokens, which prints secrets")
    services = chosen(arguments.only)
    if command.command == "rollback" and len(services) > 1:
        raise WrongArgument("rollback: a batch is in one database; name it with --only")
    if command.command == "status":
        return print_fleet_status(services, progress), None
    if arguments.json and command.command in SCHEDULED and not command.json:
        typed = [*typed, "--json"]
    return run_fleet(services, typed, arguments.at_once, progress)


def answer_serve(arguments: argparse.Namespace, _progress: Progress) -> Answer:
    """Serve until somebody stops it."""
    return serve(arguments), None


def answer_api(arguments: argparse.Namespace, progress: Progress) -> Answer:
    """Answer requests until somebody stops it."""
    return serve_api(arguments, progress), None


def answer_status(_arguments: argparse.Namespace, progress: Progress) -> Answer:
    """Print how the jobs are doing."""
    with reading() as connection:
        return 0 if print_status(connection, progress) else 1, None


# commands that return their own exit code
ANSWERS = {
    "api": answer_api,
    "check": answer_check,
    **dict.fromkeys(FITS, answer_fit),
    "fleet": answer_fleet,
    "serve": answer_serve,
    "status": answer_status,
}


def use_databases(command: str) -> str:
    """Use the databases that the environment names; return the line that says so."""
    is_of_fleet = command == "fleet" or (command == "serve" and names())
    return use_fleet() if is_of_fleet else use_environment()


def interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """On SIGTERM do what Ctrl-C does: stop the queries, then exit."""
    raise KeyboardInterrupt


def main(typed: Sequence[str] | None = None) -> int:
    """Run the command of sys.argv; print every failure as one line on standard error."""
    signal.signal(signal.SIGTERM, interrupt)
    print_any_text()
    typed = sys.argv[1:] if typed is None else typed
    # an error in the arguments themselves also respects --json
    progress = Progress(is_json="--json" in typed)
    try:
        arguments = parse(read_arguments(typed))
        if log_file := getattr(arguments, "log_file", None):
            progress = Progress(log_file=log_file, is_json="--json" in typed)
        progress.say(use_databases(arguments.command))
        exit_code, payload = run(arguments, progress)
    except Failure as failure:
        progress.fail(f"error: {failure}")
        exit_code, payload = failure.exit_code, {**failure.payload, "error": str(failure)}
    except KeyboardInterrupt:
        progress.fail("interrupted")
        exit_code, payload = 130, {"error": "interrupted"}
    except Exception as error:  # noqa: BLE001 - exit code 1 would mean that a data test failed
        problem = f"unexpected: {type(error).__name__}: {one_line(error)}"
        progress.fail(f"{traceback.format_exc()}error: {problem}")
        exit_code, payload = Infrastructure.exit_code, {"error": problem}
    progress.end(payload, exit_code)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
