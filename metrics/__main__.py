"""`python -m metrics dormant_share --by tenant__tenant_slug,metric_time` queries metrics."""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows import dbt
from flows.arguments import read_arguments
from flows.database import connect, environment, use_environment
from flows.errors import Failure, Infrastructure, WrongArgument
from flows.progress import print_any_text
from flows.project import OUR_PROJECT

PYTHON = OUR_PROJECT / ".venv-metrics" / "bin" / "python"


def ask(connection: Mapping[str, str], questions: Sequence[Any]) -> list[Any]:
    """Return MetricFlow's answers, in the order of the questions.

    Raises WrongArgument if MetricFlow cannot answer one of them.
    """
    if not PYTHON.exists():
        raise Infrastructure("MetricFlow is not installed: run `make metrics`")
    with dbt.parsed(connection) as folder:
        asked = {"manifest": f"{folder}/semantic_manifest.json", "questions": questions}
        done = subprocess.run(
            [PYTHON, OUR_PROJECT / "metrics" / "ask.py"],
            cwd=OUR_PROJECT,
            env=dbt.child_environment(connection) | {"DBT_TARGET_PATH": str(folder)},
            input=json.dumps(asked),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    if done.returncode:
        last = (done.stderr.strip() or f"ended with {done.returncode}").splitlines()[-1]
        raise Infrastructure(f"MetricFlow: {last}")
    reply = json.loads(done.stdout)
    if error := reply.get("error"):
        raise WrongArgument(" ".join(error.split())[:600])
    answers: list[Any] = reply["answers"]
    return answers


def show(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print a table."""
    table = Table()
    for column in columns:
        # nobody can type a name that is cut off
        table.add_column(column, overflow="fold")
    for row in rows:
        # names may have brackets, which are not markup here
        table.add_row(*(Text("" if value is None else _text(value)) for value in row))
    Console().print(table)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".")
    # MetricFlow returns a day as midnight in the session's time zone
    return re.sub(r"(?<=-\d\d) 00:00:00(\+[\d:]+|-[\d:]+)?$", "", str(value))


def parser() -> argparse.ArgumentParser:
    """Return the command's argument parser."""
    found = argparse.ArgumentParser(
        prog="python -m metrics", description="Query metrics. Without a name, list them."
    )
    found.add_argument("metrics", nargs="?", help="names, separated by commas")
    found.add_argument("--by", default="", help="dimensions to group by, separated by commas")
    found.add_argument("--where", action="append", help="a condition in MetricFlow's syntax")
    found.add_argument("--from", dest="start", help="first day, such as 2026-01-01")
    found.add_argument("--to", dest="end", help="last day")
    found.add_argument("--order", default="", help="names to order by; -name for descending")
    found.add_argument("--limit", type=int, help="maximum number of rows")
    found.add_argument("--explain", action="store_true", help="print the SQL, do not run it")
    return found


def answer(options: argparse.Namespace) -> None:
    """Print the list of metrics, or the answer to the query."""
    use_environment()
    with connect(as_login=True) as connection:
        database = environment(connection)
    # show the rows that the login may see; the rest is not an error
    database["PGOPTIONS"] += " -c row_security=on"
    if not options.metrics:
        [metrics] = ask(database, ["list"])
        show(
            ("metric", "what it is", "by"),
            [
                (found["name"], found["description"], ", ".join(found["by"]))
                for found in metrics
            ],
        )
        return
    question = {
        "metrics": options.metrics.split(","),
        "by": [name for name in options.by.split(",") if name],
        "where": options.where,
        "from": options.start,
        "to": options.end,
        "order": [name for name in options.order.split(",") if name],
        "limit": options.limit,
        "explain": options.explain,
    }
    [reply] = ask(database, [question])
    if options.explain:
        print(reply["sql"])
    else:
        show(reply["columns"], reply["rows"])


def main() -> int:
    """Answer one question; a failure is one line on standard error."""
    print_any_text()
    try:
        answer(parser().parse_args(read_arguments(sys.argv[1:])))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
