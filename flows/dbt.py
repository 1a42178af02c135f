"""Run dbt as a child process, and reduce its errors to one line."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from flows import systems
from flows.check_inputs import contracts, staging_of, type_settings
from flows.database import Connection, rows
from flows.errors import Failure, Infrastructure, TestsFailed, WrongArgument
from flows.fingerprints import stamps_of_files
from flows.progress import Progress, count_of
from flows.project import (
    FLOWS,
    HOME,
    IS_READ,
    OUR_PROJECT,
    PROJECT,
    VARIABLE,
    check_project,
    settings,
)
from flows.schemas import for_dbt

# a child's program; with Python's own thresholds it would spend a tenth of its CPU time on the
# search for garbage among hundreds of thousands of objects that stay
PROGRAM = "import gc; gc.set_threshold(20_000, 20, 20); from flows.dbt_child import {0}; {0}()"

# seconds between two looks at the refresh lock
CHECKED_EVERY = 1

# with these variables dbt replays a recorded file instead of asking the database
RECORDER_VARIABLES = ("DBT_RECORDER_", "DBT_ENGINE_RECORDER_")

MISSING_VAR = re.compile(r"Required var '(?P<name>\w+)' not found")
# the lines of dbt's messages: a heading, which may name the file; a file that is no YAML; an
# entry of one that is wrong; where YAML or Jinja found something; and any file
HEADING = re.compile(r"([A-Z][a-z]+ )+Error( in .*)?$")
FILE = re.compile(r" Error in (?P<kind>[\w ]+) \S+ \((?P<path>.+)\)$")
UNREAD = re.compile(r"Error reading [\w.]+: (?P<path>.+?) - \w+ Error$")
NEAR = re.compile(r"^Syntax error near line (\d+)$", re.MULTILINE)
PLACE = re.compile(r'in "<unicode string>", line \d+')
INVALID = re.compile(
    r"Invalid (?P<what>[\w ]+) config given in (?P<path>.+?) @ .*?"
    r"(?:\} - )?(?P<problem>(?:at path (?!.*at path )|(?<=\} - )).*)$"
)
JINJA_LINE = re.compile(r"^line (\d+)$", re.MULTILINE)
PATH = re.compile(r"\(([\w./-]+\.(?:yml|yaml|sql|csv|md|py))\)")
CONTRACT_ROW = re.compile(r"\|\s*(\w+)\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|\s*(.*?)\s*\|")


@dataclass
class Node:
    """One model, seed or test of a run, and how it ended."""

    name: str
    kind: str
    tags: list[str]
    # of models/ or tests/data/: a system, or another one
    folder: str
    status: str
    message: str | None
    failures: int | None
    relation: str | None
    seconds: float
    # the date column of a mart whose days cannot be collected again
    day: str | None = None
    offender: str | None = None

    @property
    def is_setting(self) -> bool:
        """Whether this tests the settings, not the data."""
        return "settings" in self.tags

    def problem(self) -> str:
        """Return in one line what is wrong."""
        if self.offender:
            return (
                f"{self.name}: {count_of(self.failures or 0, 'row')}, such as {self.offender}"
            )
        return f"{self.name}: {_reason(self.message or self.status)}{self._settings()}"

    def _settings(self) -> str:
        """For a staging view, name the settings for ids whose type does not match."""
        if "enforced contract" not in (self.message or "") or not self.name.startswith("stg_"):
            return ""
        types = {
            column: setting
            for one in contracts(self.name.removeprefix("stg_").partition("__")[0])
            if staging_of(one["name"]) == self.name
            for column, setting in type_settings(one).items()
        }
        named = [
            types[name]
            for name, found, _, why in CONTRACT_ROW.findall(self.message or "")
            if name in types and found and why not in ("", "mismatch_reason")
        ]
        return f" (set the types of ids in the vars {', '.join(named)})" if named else ""


@dataclass
class Run:
    """What one invocation of dbt did."""

    nodes: list[Node] = field(default_factory=list)
    error: str | None = None
    # whether the error is in the project's files
    is_wrong: bool = False
    # whether a retry may cure all database errors
    is_temporary: bool = False
    # the time until the first node began, and from there to the end
    startup_seconds: float = 0
    run_seconds: float = 0

    def with_status(self, *statuses: str) -> list[Node]:
        """Return the nodes that ended with one of these statuses."""
        return [node for node in self.nodes if node.status in statuses]

    def failure(self) -> Failure | None:
        """Return what to raise, or None if every node ran and passed."""
        if self.error:
            reason = _reason(self.error, is_named=False)
            return _broken(reason, is_temporary=self.is_temporary, is_wrong=self.is_wrong)
        if broken := self.with_status("error", "runtime error"):
            # a macro of ours refused something, or columns do not match a contract
            is_wrong = all((node.message or "").startswith("Compilation") for node in broken)
            return _broken(
                _each_once(broken), is_temporary=self.is_temporary, is_wrong=is_wrong
            )
        if failed := self.with_status("fail"):
            is_setting = any(node.is_setting for node in failed)
            kind = WrongArgument if is_setting else TestsFailed
            return kind("; ".join(node.problem() for node in failed))
        if not self.nodes:
            return Infrastructure("dbt: nothing was selected, so nothing ran")
        if others := [n for n in self.nodes if n.status not in ("success", "pass", "warn")]:
            return Infrastructure(
                f"dbt: {others[0].name} ended with status {others[0].status}"
            )
        return None


def build(
    variables: Mapping[str, Any],
    connection: Mapping[str, str],
    progress: Progress,
    options: Sequence[str] = (),
    check: Callable[[], None] = lambda: None,
) -> Run:
    """Build and test the project with these vars, on the database of these libpq variables.

    check is called about every second, between nodes; an exception from it stops the run.
    """
    ensure_profile()
    arguments = [
        "build",
        "--quiet",
        "--no-write-json",
        # logging every statement takes a tenth of the time of a small run
        "--log-level-file=info",
        "--exclude-resource-type=unit_test",
        # exposures are descriptions; there is nothing to build
        "--exclude-resource-type=exposure",
        "--vars",
        json.dumps({**variables, **for_dbt()}),
        *options,
    ]
    run = Run()
    started = checked = time.monotonic()
    with closing(_messages(arguments, child_environment(connection))) as messages:
        for message in messages:
            match message.pop("event"):
                case "begin":
                    run.startup_seconds = time.monotonic() - started
                case "node":
                    progress.finished(
                        f"{message['name']} ({message['seconds']:.1f} s)", message["status"]
                    )
                    if time.monotonic() - checked >= CHECKED_EVERY:
                        check()
                        checked = time.monotonic()
                case "end":
                    run.error, run.is_wrong = message["error"], message["is_wrong"]
                    run.is_temporary = message["is_temporary"]
                    run.nodes = [Node(**node) for node in message["nodes"]]
                    run.run_seconds = time.monotonic() - started - run.startup_seconds
    return run


def command(
    connection: Mapping[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run dbt's own command line on the database of these libpq variables."""
    ensure_profile()
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format("command_line"), *arguments],
        cwd=PROJECT,
        env=child_environment(connection),
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )


def child_environment(connection: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a process that runs dbt on this database.

    The child itself ignores the options that dbt's command line reads from it.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        # the connection variables already hold everything from the service file
        if not name.startswith(RECORDER_VARIABLES) and name != "PGSERVICE"
    }
    return {
        "DBT_TARGET_PATH": str(HOME / "target"),
        "DBT_LOG_PATH": str(HOME / "logs"),
        **kept,
        **connection,
        VARIABLE: str(PROJECT),
        IS_READ: "1",
        # this project's modules before any other package called `flows`
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(FLOWS.parent), kept.get("PYTHONPATH")])
        ),
        # independent of the parent's terminal
        "PYTHONUTF8": "1",
        "PYTHONIOENCODING": "utf-8",
        "DO_NOT_TRACK": "1",
    }


@contextmanager
def parsed(connection: Mapping[str, str]) -> Iterator[Path]:
    """Yield a folder with the manifest and the semantic manifest of the project."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["parse", "--quiet", "--target-path", folder]
        _last_message(arguments, connection)
        yield Path(folder)


def compiled(
    variables: Mapping[str, Any], connection: Mapping[str, str], selected: Sequence[str]
) -> dict[str, Any]:
    """Return the manifest with the compiled SQL of the selected nodes; run nothing."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            "compile",
            "--quiet",
            "--log-level-file=none",
            "--no-populate-cache",
            # models only, not the tests that read them
            "--indirect-selection=empty",
            "--target-path",
            folder,
            "--vars",
            json.dumps({**variables, **for_dbt()}),
            "--select",
            *selected,
        ]
        run = Run([Node(**node) for node in _last_message(arguments, connection)["nodes"]])
        if broken := run.with_status("error", "runtime error"):
            raise WrongArgument(_each_once(broken))
        if failure := run.failure():
            raise failure
        found: dict[str, Any] = json.loads(Path(folder, "manifest.json").read_bytes())
        return found


def sources(connection: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the source tables that the inputs read, directly or through other models.

    For each: system, names, what its triggers need, the inputs that read it, and their names
    for the key columns. An input of the root project replaces ours of the same name. Inputs of
    systems that are off are left out.
    """
    with parsed(connection) as folder:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return sources_of(manifest, settings())


def sources_of(manifest: Mapping[str, Any], given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the source tables of a manifest, with these values of the vars."""
    nodes = manifest["nodes"]
    readers: dict[tuple[str, str], list[str]] = {}
    for input_ in _inputs(manifest, given):
        system = systems.known(_system_of(input_), input_["name"])
        for key in _sources_below(nodes, input_):
            readers.setdefault((system, key), []).append(_without_database(input_))
    found = []
    for (system, key), inputs in sorted(readers.items()):
        source = manifest["sources"][key]
        # the same check as in macros/settings/check_settings.sql
        for name, value in (
            (f"{source['source_name']}_schema", source["schema"]),
            (f"{source['source_name']}_{source['name']}_table", source["identifier"]),
        ):
            if '"' in value:
                raise WrongArgument(
                    f"setting {name} is {value}, must be a name without double quotes"
                )
        keys = nodes.get(f"model.customer_health.int_changed_keys__{system}")
        meta = source["config"].get("meta", {})
        found.append(
            {
                "system": system,
                # its name in the project
                "source": f"{source['source_name']}.{source['name']}",
                "relation": _without_database(source),
                "capture": meta.get("capture"),
                "hook": meta.get("hook"),
                "inputs": inputs,
                # empty if every refresh recomputes the system whole
                "key": keys["config"]["meta"]["key"] if keys else {},
            }
        )
    return found


def _inputs(
    manifest: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[Mapping[str, Any]]:
    """Yield the inputs of the systems that are switched on, the user's in place of ours."""
    nodes = manifest["nodes"]
    root = manifest["metadata"]["project_name"]
    for node in nodes.values():
        is_ours = (
            node["package_name"] == "customer_health" and node["resource_type"] == "model"
        )
        # our node says which vars switch an input, also for the user's
        if not (is_ours and node["name"].startswith("input_")):
            continue
        if all(map(given.get, _switches(node))):
            yield nodes.get(f"model.{root}.{node['name']}", node)


def _sources_below(nodes: Mapping[str, Any], node: Mapping[str, Any]) -> list[str]:
    """Return the sources that a model reads, directly or through other models."""
    found: list[str] = []
    seen: set[str] = set()
    waiting = list(node["depends_on"]["nodes"])
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        if key.startswith("source."):
            found.append(key)
        else:
            waiting += nodes.get(key, {}).get("depends_on", {}).get("nodes", [])
    return sorted(found)


def _without_database(node: Mapping[str, Any]) -> str:
    """Return the quoted name of a relation without the database, whose name may have dots."""
    return str(node["relation_name"]).removeprefix(f'"{node["database"]}".')


def _system_of(input_: Mapping[str, Any]) -> str:
    """Return the system in an input's name: input_<system>__<entity>."""
    return str(input_["name"]).removeprefix("input_").partition("__")[0]


def inputs(connection: Mapping[str, str]) -> dict[str, str]:
    """Return the current SQL of the inputs, by name.

    Inputs of systems that are off are left out.
    """
    manifest = compiled({}, connection, ["input_*"])
    given = settings()
    models = [
        model
        for model in manifest["nodes"].values()
        if model.get("compiled") and all(map(given.get, _switches(model)))
    ]
    # an input of the project that uses ours as a package replaces ours
    models.sort(key=lambda model: str(model["package_name"]) != "customer_health")
    return {model["name"]: model["compiled_code"] for model in models}


def _switches(model: Mapping[str, Any]) -> list[str]:
    """Return the vars that must all be true for an input to have rows."""
    needs: str | None = model["config"]["meta"].get("needs")
    return [f"{_system_of(model)}_enabled", *([needs] if needs else [])]


def name_offenders(run: Run, connection: Connection) -> None:
    """Name in every failed test the first of the rows that it stored, by keys and figures.

    Names, addresses and notes of people stay in the table of the failed test: this text goes
    to the log, to Prefect and to the channels of alerts.
    """
    of_people = r"'(^|_)(name|e?mail|phone|address|notes?)(_|$)'"
    for node in run.with_status("fail", "warn"):
        is_hidden = f"key ~ {of_people}" if node.folder in systems.registry() else "false"
        for row in rows(
            connection,
            "select string_agg(key || ' ' || coalesce(value, 'NULL'), ', ') as found"
            f" from (select row_to_json(offender) as it from {node.relation} as offender"
            " limit 1) as first cross join lateral json_each_text(it)"
            f" where not ({is_hidden})",
        ):
            node.offender = textwrap.shorten(row["found"] or "", 300, placeholder=" ...")


def ensure_profile() -> None:
    """Create profiles.yml from the example if there is none yet."""
    check_project()
    profile = HOME / "profiles.yml"
    if not profile.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(OUR_PROJECT / "profiles.example.yml", profile)


class Child:
    """A process that runs dbt, one request after the other: see flows/dbt_child.py."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Start the process; it ends when its standard input closes, at the latest with us."""
        self.environment = dict(environment)
        # as they are before it parses them
        self.files = stamps_of_files()
        self._errors = tempfile.TemporaryFile(  # noqa: SIM115 - open as long as the child lives
            "w+", encoding="utf-8", errors="replace"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM.format("main")],
            cwd=PROJECT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
        )
        self._is_asked = False

    def messages(self, arguments: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Run dbt with these arguments; yield its messages, the last one how it ended.

        Raises Infrastructure if the process ends without that message.
        """
        if not (self._process.stdin and self._process.stdout):
            raise Infrastructure("dbt: the child process has no pipes")
        self._is_asked = True
        # a child that has ended is reported below
        with suppress(BrokenPipeError):
            self._process.stdin.write(f"{json.dumps(arguments)}\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                # killed in the middle of a line
                break
            is_last = message["event"] == "end"
            yield message
            if is_last:
                return
        code = self._process.wait()
        self._errors.seek(0)
        reason = self._errors.read().strip()[-300:]
        # negative: killed by a signal, by a person or for lack of memory
        raise Infrastructure(f"dbt: ended with {code}: {reason!r}", is_temporary=code < 0)

    def has_ended(self) -> bool:
        """Return whether the process has ended, for example killed for lack of memory."""
        return self._process.poll() is not None

    def end(self) -> None:
        """End the process; a run in progress is interrupted."""
        if not self._is_asked:
            # it does nothing but load
            self._process.kill()
        if self._process.stdin:
            # the pipe of an ended child may still hold input
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._errors.close()


class Warm:
    """Keeps dbt children from one request to the next, each for its environment.

    Two, because a command may read the manifest as the login and refresh as another role.
    """

    def __init__(self, *children: Child, most: int = 2) -> None:
        """Hand over these children first, and keep at most that many after a request."""
        self.children = list(children)
        self.most = most

    def take(self, environment: Mapping[str, str]) -> Child:
        """Hand over the child that is kept for this environment, or a new one.

        Never one that has parsed other files: old rules would be logged as the new ones.
        """
        for child in self.children:
            if child.environment == environment:
                self.children.remove(child)
                if child.files == stamps_of_files() and not child.has_ended():
                    return child
                child.end()
                break
        return Child(environment)

    def keep(self, child: Child) -> None:
        """Keep a child; end the one that was used longest ago if there are too many."""
        self.children.append(child)
        while len(self.children) > self.most:
            self.children.pop(0).end()

    def end(self) -> None:
        """End all children."""
        while self.children:
            self.children.pop().end()


_warm: Warm | None = None


@contextmanager
def kept_warm(warm: Warm | None = None) -> Iterator[None]:
    """Keep the child between builds in this block, so that dbt loads and parses only once.

    dbt parses again when a project file changes, but this process keeps its own settings.
    """
    global _warm  # noqa: PLW0603 - a process has one
    before, _warm = _warm, warm or Warm()
    try:
        yield
    finally:
        _warm.end()
        _warm = before


@contextmanager
def loading(connection: Mapping[str, str]) -> Iterator[None]:
    """Load dbt in a child while this block finds out what to build; the child builds it."""
    if _warm:
        yield
        return
    ensure_profile()
    with kept_warm(Warm(Child(child_environment(connection)), most=0)):
        yield


def _messages(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> Generator[dict[str, Any], None, None]:
    """Yield the child's messages for this request; keep it warm only if it ended well."""
    kept = _warm or Warm()
    child = kept.take(environment)
    is_kept = False
    try:
        for message in child.messages(arguments):
            is_kept = kept is _warm and message["event"] == "end"
            yield message
    finally:
        if is_kept:
            kept.keep(child)
        else:
            child.end()


def _last_message(arguments: Sequence[str], connection: Mapping[str, str]) -> dict[str, Any]:
    """Run dbt on the database of these libpq variables; return how it ended, or raise."""
    ensure_profile()
    with closing(_messages(arguments, child_environment(connection))) as messages:
        end = next(message for message in messages if message["event"] == "end")
    if end["error"]:
        raise _broken(
            _reason(end["error"], is_named=False),
            is_temporary=end["is_temporary"],
            is_wrong=end["is_wrong"],
        )
    return end


def _each_once(broken: Sequence[Node]) -> str:
    """Return what is wrong with these nodes; name a shared reason only once."""
    reasons: dict[str, list[Node]] = {}
    for node in broken:
        reasons.setdefault(_reason(node.message or node.status), []).append(node)
    return "; ".join(
        nodes[0].problem()
        if len(nodes) == 1
        else f"{nodes[0].name} and {len(nodes) - 1} more: {reason}"
        for reason, nodes in reasons.items()
    )


def _broken(problem: str, *, is_temporary: bool = False, is_wrong: bool = False) -> Failure:
    if is_wrong or any(words in problem for words in ("setting ", " not ours: ")):
        return WrongArgument(problem)
    return Infrastructure(problem, is_temporary=is_temporary)


def _reason(message: str, *, is_named: bool = True) -> str:
    """Reduce dbt's message to one line: the database's message, or the broken columns.

    is_named: the caller names the model; otherwise the line begins with the file.
    """
    # dbt's driver has no name for this type
    message = message.replace("unknown type_code 2950", "UUID")
    lines = [line.strip() for line in message.strip().splitlines() if line.strip()]
    if missing := MISSING_VAR.search(message):
        return f"setting {missing['name']} is missing in the vars of dbt_project.yml"
    if "enforced contract that failed" in message:
        return "; ".join(
            f"column {name} is {found or 'missing'}, must be {wanted or 'left out'}"
            for name, found, wanted, why in CONTRACT_ROW.findall(message)
            if why and why != "mismatch_reason" and not set(name) <= {"-"}
        )
    if not lines:
        return "no reason given"
    # dbt's heading, perhaps with that of another error below it
    headings = list(takewhile(HEADING.match, lines[:-1]))
    problem = lines[len(headings) :]
    return problem[0] if is_named else _with_file(headings, problem)


def _with_file(headings: Sequence[str], lines: Sequence[str]) -> str:
    """Return a problem in the project's files in one line, with the file and its line."""
    text = "\n".join(lines)
    if unread := UNREAD.match(lines[0]):
        # what YAML says comes last, after an excerpt: a problem, and where it is
        said = [line for line in lines if not PLACE.match(line) and not line.startswith("---")]
        line = NEAR.search(text)
        where = f", line {line[1]}" if line else ""
        return f"{_below_models(unread['path'])}{where}: {said[-1]}"
    if invalid := INVALID.match(text.replace("\n", " ")):
        return f"{invalid['path']}: {invalid['what']}: {invalid['problem']}"
    if lines[0].startswith("at path "):
        return f"dbt_project.yml: {lines[0]}"
    files = [file for heading in headings if (file := FILE.search(heading))]
    if files and not any(file["kind"] == "operation" for file in files):
        line = JINJA_LINE.search(text)
        return f"{files[-1]['path']}{f', line {line[1]}' if line else ''}: {lines[0]}"
    # a list of files, such as those with the same name; dbt's call stack is none
    named = [file for line in lines if line.startswith("- ") for file in PATH.findall(line)]
    return f"{lines[0]} ({', '.join(dict.fromkeys(named))})" if named else lines[0]


def _below_models(path: str) -> str:
    """Return a path of dbt, which begins below one of these folders, with that folder."""
    for folder in ("models", "seeds", "macros", "tests", "snapshots", "analyses"):
        if not (PROJECT / path).exists() and (PROJECT / folder / path).exists():
            return f"{folder}/{path}"
    return path
