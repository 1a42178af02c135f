"""`customer-health check`: check that the inputs give what the rules need. It only reads.

dbt compiles inputs, staging and rules once, to read relations in pg_temp. One transaction per
system creates these relations and is rolled back.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

import psycopg

from flows import dbt, systems
from flows.capture import OLD_TRIGGERS
from flows.captured_keys import NOTHING
from flows.check_customers import WAYS, work_through
from flows.check_files import open_questions
from flows.check_inputs import (
    LOOK,
    OURS,
    SAMPLE,
    WRONG,
    Finding,
    Input,
    contracts,
    make_staging,
    make_view,
    read_inputs,
    staging_of,
)
from flows.check_rows import (
    judge_rows,
    look_at_rows,
    note_empty,
    note_equal_slugs,
    note_nulls,
)
from flows.check_tables import (
    has_old_triggers,
    look_at_lookups,
    look_at_tables,
    look_at_watch,
    note_constants,
)
from flows.citus import refuse_distributed
from flows.database import Connection, connect, environment, one_line, rows
from flows.errors import Infrastructure, WrongArgument
from flows.progress import Progress
from flows.project import settings
from flows.subscribers import REMEDY, followers

EXIT_CODES = {WRONG: 2, LOOK: 1}
UNUSED_SHOWN = 12


@dataclass
class Report:
    """What the check has found in one system."""

    system: str
    inputs: list[Input] = field(default_factory=list)
    customers: list[dict[str, Any]] = field(default_factory=list)
    # findings about the system as a whole
    findings: list[Finding] = field(default_factory=list)

    def all_findings(self) -> list[Finding]:
        """Return all findings, input by input."""
        return [
            *(finding for one in self.inputs for finding in one.findings),
            *self.findings,
        ]


def check(
    system: str | None, as_of: datetime | None, progress: Progress
) -> tuple[int, dict[str, Any]]:
    """Check the inputs of the systems that are switched on, or of one system.

    Returns an exit code (0: all is well, 1: something to look at, 2: something is wrong) and
    everything found.
    """
    names = chosen_systems(system, settings())
    with connect() as connection:
        refuse_distributed(
            connection,
            "check",
            "it tries the rules in temporary tables, which the nodes do not know;"
            " `customer-health refresh --mode nightly --no-write-back` shows which rows are"
            " left out",
        )
        [here] = rows(
            connection,
            "select current_database() as database, current_user as login,"
            " clock_timestamp() as now,"
            " has_database_privilege(current_database(), 'temporary') as is_free,"
            " pg_is_in_recovery() as is_standby",
        )
        if here["is_standby"]:
            raise Infrastructure(
                "database: this server is a standby and allows no temporary tables, which the"
                " check needs; PGHOST must name its primary"
            )
        if not here["is_free"]:
            raise Infrastructure(
                f"database: {here['login']} may not create temporary tables in"
                f" {here['database']}, which the check needs; the database's owner can grant"
                " temporary on it"
            )
        as_of = as_of or here["now"]
        manifest = dbt.compiled(
            {"checks_inputs": True, "as_of": as_of.isoformat()},
            environment(connection),
            selection(names),
        )
        reports = []
        for name in names:
            with connection.transaction(force_rollback=True):
                inputs = read_inputs(manifest, name, settings())
                reports.append(look_at_system(connection, manifest, inputs, as_of))
        if (found := followers(connection)) and (problem := found.problem()):
            reports[0].findings.append(Finding(LOOK, names[0], None, problem, REMEDY))
    by_name = {report.system: report for report in reports}
    for name, question in open_questions(names):
        by_name[name].findings.append(question)
    levels = [finding.level for report in reports for finding in report.all_findings()]
    exit_code = max((EXIT_CODES[level] for level in levels), default=0)
    for report in reports:
        print_system(report, progress)
    print_findings(reports, progress)
    return exit_code, as_object(reports, here["database"], as_of)


def chosen_systems(system: str | None, given: dict[str, Any]) -> list[str]:
    """Return the systems to check, or raise WrongArgument if there is none."""
    present = [name for name in systems.registry() if given.get(f"{name}_enabled", True)]
    if system is None:
        return present
    if system not in systems.registry():
        raise WrongArgument(
            f"--system: there is no system {system!r}; there are:"
            f" {', '.join(systems.registry())}"
        )
    if system not in present:
        raise WrongArgument(f"--system: {system} is switched off by {system}_enabled: false")
    return [system]


def selection(names: Sequence[str]) -> list[str]:
    """Return the nodes that dbt must compile for these systems."""
    inputs = [contract["name"] for name in names for contract in contracts(name)]
    judges = [f"int_quarantined_rows__{name}" for name in names]
    ends = [f"+{end}" for name in names if name in WAYS for end in WAYS[name].ends]
    return [*inputs, *map(staging_of, inputs), *judges, *ends]


def look_at_system(
    connection: Connection, manifest: dict[str, Any], inputs: list[Input], as_of: datetime
) -> Report:
    """Check one system with these inputs, and return the report."""
    name = inputs[0].system
    report = Report(name, inputs)
    for one in inputs:
        make_view(connection, one)
        look_at_rows(connection, one)
    note_empty(inputs)
    staged = [make_staging(connection, one) for one in inputs]
    quarantine = manifest["nodes"][f"model.{OURS}.int_quarantined_rows__{name}"]
    is_judged = (
        all(staged)
        and all(one.is_sound for one in inputs)
        and tried(
            connection,
            report,
            lambda: judge_rows(connection, inputs, quarantine["compiled_code"]),
        )
    )
    if is_judged:
        note_equal_slugs(connection, inputs[0])
    for one in inputs:
        note_nulls(one)
    note_constants(connection, inputs, look_at_tables(connection, inputs))
    changes = manifest["nodes"].get(f"model.{OURS}.int_changed_keys__{name}", {})
    asked = changes.get("depends_on", {}).get("nodes", [])
    sources = [
        source
        for source in dbt.sources_of(manifest, settings())
        if source["system"] == name and source["capture"] is not None
    ]
    decided = [source["relation"] for source in sources if source["capture"] == NOTHING]
    look_at_watch(connection, inputs, {key.rpartition(".")[2] for key in asked}, decided)
    if has_old_triggers(connection, name):
        report.findings.append(
            Finding(
                LOOK,
                name,
                None,
                OLD_TRIGGERS,
                "run `customer-health capture install`: until then every hourly refresh is a"
                " full refresh",
            )
        )
    report.findings += look_at_lookups(
        connection, name, [source for source in sources if source["capture"] != NOTHING]
    )
    if is_judged and name in WAYS:
        tried(
            connection,
            report,
            lambda: report.customers.extend(work_through(connection, manifest, inputs, as_of)),
        )
        if not report.customers and not any(
            one.level == WRONG for one in report.all_findings()
        ):
            report.findings.append(
                Finding(
                    LOOK,
                    name,
                    None,
                    "no customer gets a status",
                    "check that a tenant is active and has a customer with a valid row",
                )
            )
    return report


def tried(connection: Connection, report: Report, step: Callable[[], object]) -> bool:
    """Run a step; return whether it succeeded, and note the database error if not."""
    try:
        with connection.transaction():
            step()
    except psycopg.Error as error:
        if not error.sqlstate:
            # the connection is broken
            raise
        report.findings.append(
            Finding(
                WRONG,
                report.system,
                None,
                f"its rules fail with: {one_line(error)}",
                f"look at models/{report.system}/inputs",
            )
        )
        return False
    return True


def as_object(reports: Sequence[Report], database: str, as_of: datetime) -> dict[str, Any]:
    """Return the whole result as one object."""
    return {
        "database": database,
        "as_of": as_of.isoformat(),
        "findings": [
            asdict(finding) | {"line": finding.line()}
            for report in reports
            for finding in report.all_findings()
        ],
        "inputs": [one.report() for report in reports for one in report.inputs],
        "customers": [one for report in reports for one in report.customers],
    }


def print_system(report: Report, progress: Progress) -> None:
    """Print the report of a system, for people."""
    progress.table(report.system, [line_of(one) for one in report.inputs])
    for one in report.inputs:
        for line in lines_of(one):
            progress.say(line)
        if one.is_sample:
            progress.say(f"{one.name}: only the first {SAMPLE} rows were counted")
        for column, words in one.words.items():
            counts = ", ".join(f"{word!r} {count}" for word, count in words.items())
            progress.say(f"{one.name}.{column}: {counts or 'no rows'}")
        for table, columns in one.unused.items():
            shown = ", ".join(columns[:UNUSED_SHOWN])
            more = len(columns) - UNUSED_SHOWN
            progress.say(
                f"unused columns of {table}: {shown}"
                + (f" and {more} more" if more > 0 else "")
            )
    for customer in report.customers:
        name = f" ({' '.join(customer['name'].split())})" if customer["name"] else ""
        progress.say(
            f"{customer['tenant']} / {customer['customer']}{name}, chosen for:"
            f" {customer['chosen']}"
        )
        for line in customer["lines"]:
            progress.say(f"  {line}")


def line_of(one: Input) -> dict[str, Any]:
    """Return an input's row in the table."""
    return {
        "input": one.name,
        "rows": one.rows,
        "left out": sum(reason["rows"] for reason in one.left_out.values()),
        "changes noticed by": ", ".join(dict.fromkeys(one.watched.values())),
    }


def lines_of(one: Input) -> Iterator[str]:
    """Yield the lines about the columns of an input, which do not fit the table."""
    share = one.null_share()
    nulls = ", ".join(
        f"{name} {share[name]:.1%}"
        for name, column in one.columns.items()
        if name in share and not column["config"]["meta"].get("optional")
    )
    if nulls:
        yield f"{one.name}: NULL in {nulls}"
    if lacking := one.lacking():
        yield f"{one.name}: optional columns not given: {', '.join(lacking)}"


def print_findings(reports: Sequence[Report], progress: Progress) -> None:
    """Print the findings, one line each."""
    findings = [finding for report in reports for finding in report.all_findings()]
    for finding in sorted(findings, key=lambda finding: -EXIT_CODES[finding.level]):
        progress.say(f"{finding.level:5} {finding.line()}")
    wrong = sum(finding.level == WRONG for finding in findings)
    progress.say(
        f"{wrong} wrong, {len(findings) - wrong} to look at"
        if findings
        else "the inputs give what the rules need"
    )
