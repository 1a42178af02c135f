"""The command `init`: create a user's project, with inputs proposed from the catalog."""

import difflib
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from flows import systems
from flows.database import connect
from flows.errors import Infrastructure, WrongArgument
from flows.init.catalog import (
    PATIENCE_FOR_VIEWS,
    Catalog,
    Table,
    look_at,
    read_catalog,
    read_only,
)
from flows.init.contract import contract, our_settings
from flows.init.files import Rendered, project_file, settings_of, template
from flows.init.links import add_implied_links
from flows.init.names import evidence, own_snake, rank_of_table
from flows.init.proposal import ZONE_OF_BUSINESS, Proposal
from flows.init.values import ZONE_OF_DATE
from flows.progress import Progress, count_of, many
from flows.project import OUR_PROJECT, read_yaml
from flows.schemas import SCHEMAS

# project names that our packages have; dbt reserves others
TAKEN = ("customer_health", "dbt", "dbt_postgres")
# tables that a message names
MOST_NAMED = 5
# marks in an input: a question for a person, and a guess to check
ASKED, GUESSED = "TODO", "(guess)"


def make_project(  # noqa: PLR0913 - what a person may ask for
    folder: Path,
    progress: Progress,
    *,
    is_demo: bool = False,
    chosen: str | None = None,
    zone: str | None = None,
    tables: Sequence[str] = (),
) -> None:
    """Write the files of a project into a folder: all or none.

    tables: INPUT=SCHEMA.TABLE for each table that a person names.

    Raises WrongArgument if one of the files exists already.
    """
    if is_demo and (chosen or zone or tables):
        raise WrongArgument("--demo: has all systems and its own time zones, so leave out"
                            " --systems, --time-zone and --table")  # fmt: skip
    asked = _asked(chosen)
    told = _told(tables)
    settings: dict[str, Any]
    name = name_of(folder)
    # before the database is read, because these files do not depend on it
    _refuse_files(folder, [Path("dbt_project.yml"), Path("models")])
    if is_demo:
        database, files, settings = "postgres", _demo(), {}
        on = list(systems.registry())
    else:
        with connect(as_login=True) as connection, read_only(connection):
            catalog = read_catalog(connection)
            if zone and not catalog.knows_zone(zone):
                raise WrongArgument(
                    f"--time-zone: PostgreSQL does not know {zone!r};"
                    " `select name from pg_timezone_names` lists the time zones"
                )
            database = catalog.database
            files, settings, on = _proposed(catalog, asked, zone, told, progress)
    models = {Path("models") / path: text for path, text in files.items()}
    todos = sum(text.count(ASKED) for text in models.values())
    guesses = sum(text.count(GUESSED) for text in models.values())
    _write(
        folder,
        {
            Path("dbt_project.yml"): project_file(name, on, settings),
            Path("profiles.yml"): _without_comments(OUR_PROJECT / "profiles.example.yml"),
            Path("README.md"): template(
                "README.md", title=name, database=database, todos=str(todos)
            ),
            Path(".env.example"): template("env.example", database=database),
            Path(".gitignore"): template("gitignore"),
            **{
                Path("seeds", f"input_shared__{seed}.csv"): _header(seed)
                for seed in ("risk_thresholds", "message_recipients")
            },
            Path("macros", "customer_health.sql"): template("macros.sql"),
            **models,
        },
    )
    progress.say(
        f"{folder}: {count_of(len(models), 'input file')},"
        f" {count_of(todos, 'line')} with TODO, {many(guesses, 'guess', 'guesses')};"
        " its README.md lists the next steps"
    )
    zones = sum(
        " ".join(text.replace("--", "").split()).count(asked)
        for text in models.values()
        for asked in (ZONE_OF_DATE, ZONE_OF_BUSINESS)
    )
    if zones:
        asking = many(zones, "TODO asks", "TODOs ask")
        progress.say(f"{asking} for a time zone, which --time-zone sets")


def _header(seed: str) -> str:
    """Return the header of one of our seeds, for the project's own rows."""
    return (OUR_PROJECT / "seeds" / f"{seed}.csv").read_text().splitlines()[0] + "\n"


def name_of(folder: Path) -> str:
    """Return a project name that dbt allows, from the folder's name."""
    name = own_snake(folder.resolve().name)
    name = "".join(sign for sign in name if sign.isascii())
    if not name[:1].isalpha():
        name = f"project_{name}".rstrip("_")
    # imported only here, because it takes a while
    from dbt.contracts.project import BANNED_PROJECT_NAMES

    return f"{name}_project" if name in {*TAKEN, *BANNED_PROJECT_NAMES} else name


def _asked(chosen: str | None) -> list[str] | None:
    """Return the chosen systems in the order of the registry."""
    if chosen is None:
        return None
    names = [name.strip() for name in chosen.split(",")]
    for name in names:
        if name not in systems.registry():
            raise WrongArgument(
                f"--systems: there is no system {name!r}; there are:"
                f" {', '.join(systems.registry())}"
            )
    return [name for name in systems.registry() if name in names]


def _told(given: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return the table names that a person gives, by system and input."""
    known = {
        (system, name)
        for system in systems.registry()
        for name in evidence()["tables"][system]
    }
    told: dict[tuple[str, str], str] = {}
    named: set[str] = set()
    # names with a system come last, because they override names without one
    for text in sorted(given, key=lambda text: "." in text.partition("=")[0]):
        name, _, table = (part.strip() for part in text.partition("="))
        if not (name and table):
            raise WrongArgument(
                f"--table: {text!r} must be INPUT=SCHEMA.TABLE, or INPUT=none if you have no"
                " such table"
            )
        system, _, entity = name.rpartition(".")
        meant = {one for one in known if one[1] == entity and system in ("", one[0])}
        if not meant:
            every = sorted(
                name for one, name in known if not system or one == system
            ) or sorted(name for _, name in known)
            raise WrongArgument(
                f"--table: there is no input {name!r}; there are:"
                f" {', '.join(dict.fromkeys(every))}"
            )
        if name in named:
            raise WrongArgument(f"--table: {name} is named twice")
        named.add(name)
        told |= dict.fromkeys(meant, table)
    return told


def _tables(
    catalog: Catalog, told: dict[tuple[str, str], str]
) -> dict[tuple[str, str], Table | None]:
    """Return the tables that a person has named, by system and input."""
    found: dict[tuple[str, str], Table | None] = {}
    for one, name in told.items():
        alike = [
            table
            for table in catalog.tables.values()
            if name in (f"{table.schema}.{table.name}", table.relation, table.name)
        ]
        if len(alike) == 1:
            found[one] = alike[0]
        elif alike:
            raise WrongArgument(
                f"--table: {one[1]}={name}: choose one of"
                f" {', '.join(table.relation for table in alike)}"
            )
        elif name.lower() == "none":
            found[one] = None
        else:
            raise WrongArgument(
                f"--table: {one[1]}={name}: no table or view of this name that this login may"
                f" read{_near(catalog, name)}"
            )
    return found


def _near(catalog: Catalog, name: str) -> str:
    """Return a suggestion of a table with a similar name."""
    names = [f"{table.schema}.{table.name}" for table in catalog.tables.values()]
    near = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _proposed(
    catalog: Catalog,
    asked: list[str] | None,
    zone: str | None,
    told: dict[tuple[str, str], str],
    progress: Progress,
) -> tuple[dict[str, str], dict[str, Any], list[str]]:
    """Return the files of the systems that are on, the settings, and which systems are on."""
    _look_at_all(catalog)
    add_implied_links(catalog)
    _say_what_is_hidden(catalog, progress)
    named = _tables(catalog, told)
    proposals = {
        name: Proposal(
            catalog,
            name,
            contract(name),
            zone,
            {entity: table for (system, entity), table in named.items() if system == name},
        )
        for name in systems.registry()
    }
    found = [name for name, proposal in proposals.items() if not proposal.tables.missing]
    # invoices for the application itself, beside the bookings of its customers
    loose = {
        name: f"nothing in {proposal.tables.chosen[proposal.tables.anchor].relation} tells the"
        " customer"
        for name, proposal in proposals.items()
        if name in found and proposal.tables.is_loose
    } | {
        name: f"{proposal.tables.chosen[proposal.tables.anchor].relation} has the bills of"
        f" {rows.relation}"
        for name, proposal in proposals.items()
        for rows in (
            other.tables.chosen[other.tables.anchor]
            for one, other in proposals.items()
            if one in found and one != name
        )
        if name in found and proposal.tables.is_bill_of(rows)
    }
    if len(loose) < len(found):
        found = [name for name in found if name not in loose]
    on = found if asked is None else asked
    for name, proposal in proposals.items():
        tables = ", ".join(
            f"{entity} in {table.relation}{_without_rows(table, catalog)}"
            for entity, table in proposal.tables.chosen.items()
        )
        if name in on:
            why = (
                ""
                if not proposal.tables.missing
                else f", as requested; not found: {', '.join(proposal.tables.missing)}"
            )
            progress.say(f"{name}: on{why}: {tables or 'no table found'}")
        else:
            missing = f"no table looks like {' and '.join(proposal.tables.missing)}"
            why = loose.get(name, missing) if name not in found else "not requested"
            progress.say(f"{name}: off: {why}")
    if not on:
        raise WrongArgument(
            "init: no table of this database looks like orders or bookings of customers;"
            " check PGDATABASE, or name your tables, such as --table orders=SCHEMA.TABLE"
            " --table customers=SCHEMA.TABLE, or use --systems orders to create the files"
            " anyway"
        )
    _say_what_is_open(proposals, on, named, progress)
    off = [name for name in proposals if name not in on]
    proposals = {name: proposals[name] for name in on}
    files: dict[str, str] = {}
    schema_of: dict[str, str] = {}
    for name, proposal in proposals.items():
        others = {
            table.schema
            for other, there in proposals.items()
            if other != name
            for table in there.tables.chosen.values()
        }
        rendered = Rendered(proposal, catalog, others, schema_of)
        files |= {f"{name}/inputs/{file}": text for file, text in rendered.files().items()}
    return files, settings_of(proposals, off), on


def _without_rows(table: Table, catalog: Catalog) -> str:
    """Return why no row of a table has been read, or ''."""
    if table.probed:
        return ""
    if table.hides_rows:
        return " (rows hidden)"
    return " (not read)" if table.relation in catalog.unread else " (no rows)"


def _look_at_all(catalog: Catalog) -> None:
    """Probe all tables, then views, first those named like an input."""
    names = [synonyms for of in evidence()["tables"].values() for synonyms in of.values()]

    def order(table: Table) -> tuple[bool, bool]:
        ranks = (rank_of_table(table, synonyms, catalog)[0] for synonyms in names)
        return table.is_view, table.is_view and all(rank is None for rank in ranks)

    for table in sorted(catalog.tables.values(), key=order):
        look_at(catalog, table)


def _say_what_is_hidden(catalog: Catalog, progress: Progress) -> None:
    """Print what this login could not read, and schemas whose names ours would have."""
    for schema, count in catalog.closed.items():
        closed = count_of(count, "table")
        progress.say(f"skipped {closed} of {schema}, which this login may not read")
    for relation, reason in catalog.unread.items():
        table = catalog.tables[relation]
        # a view may be broken
        if not (table.is_view or table.hides_rows):
            progress.say(f"could not read all of {relation}: {reason}")
    if catalog.skipped:
        progress.say(
            f"did not read {count_of(len(catalog.skipped), 'view')}, because others took"
            f" {PATIENCE_FOR_VIEWS} s; to use one, name it with --table"
        )
    hidden = [table.relation for table in catalog.tables.values() if table.hides_rows]
    if hidden:
        named = hidden[:MOST_NAMED]
        if more := len(hidden) - len(named):
            named.append(f"{more} more")
        progress.say(
            f"row security hides rows of {', '.join(named)} from this login: grant it"
            " bypassrls, then run init again"
        )
    schemas = {table.schema for table in catalog.tables.values()} | set(catalog.closed)
    for schema in SCHEMAS:
        if schema in schemas:
            progress.say(
                f"the schema {schema} is not ours, and ours would have the same name: set"
                f" schema_prefix in dbt_project.yml before you refresh"
            )


def _say_what_is_open(
    proposals: dict[str, Proposal],
    on: list[str],
    named: dict[tuple[str, str], Table | None],
    progress: Progress,
) -> None:
    """Print which inputs have no rows yet; refuse tables that no system in use reads."""
    for entity in dict.fromkeys(entity for _, entity in named):
        of = [system for system, name in named if name == entity]
        if not set(of) & set(on):
            missing = " and ".join(proposals[of[0]].tables.missing)
            raise WrongArgument(
                f"--table: {entity} belongs to {' and '.join(of)}, "
                + (
                    f"for which no table looks like {missing}: name those with --table, too,"
                    f" or use --systems {of[0]} to create its files anyway"
                    if missing
                    else "which --systems leaves out"
                )
            )
    for name in on:
        if asked := proposals[name].tables.asked_of_copies:
            progress.say(f"{name}: {asked}")
        for entity in proposals[name].tables.without_rows():
            progress.say(
                f"{name}: no table looks like {entity}, so its input is empty until you"
                f" write it; to name a table, use --table {entity}=SCHEMA.TABLE"
            )


def _demo() -> dict[str, str]:
    """Return our own inputs, which read the schemas of the demo."""
    settings = our_settings()
    files = {}
    for system in systems.registry():
        folder = OUR_PROJECT / "models" / system / "inputs"
        schema = settings[f"{system}_schema"]
        for path in sorted(folder.glob("input_*.sql")):
            files[f"{system}/inputs/{path.name}"] = path.read_text(encoding="utf-8").replace(
                f"source('{system}',", f"source('{schema}',"
            )
        name = f"_{system}__sources.yml"
        [source] = read_yaml(folder / name)["sources"]
        tables = []
        for table in source["tables"]:
            identifier = settings[f"{system}_{table['name']}_table"]
            own = {"name": table["name"], "identifier": identifier, **table}
            own["identifier"] = identifier
            if identifier == table["name"]:
                del own["identifier"]
            tables.append(own)
        text = yaml.safe_dump(
            {
                "sources": [
                    {
                        "name": schema,
                        "description": f"Tables of the demo that the {system} system reads.",
                        "schema": schema,
                        "tables": tables,
                    }
                ]
            },
            sort_keys=False,
        )
        files[f"{system}/inputs/{name}"] = text
    return files


def _without_comments(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("#"))


def _refuse_files(folder: Path, names: Iterable[Path]) -> None:
    """Raise WrongArgument if one of these exists already."""
    if folder.exists() and not folder.is_dir():
        raise WrongArgument(f"init: {folder} is not a folder")
    for name in names:
        if (folder / name).exists() or (folder / name).is_symlink():
            raise WrongArgument(
                f"init: {folder / name} exists already and would be overwritten; name another"
                " folder"
            )


def _write(folder: Path, files: dict[Path, str]) -> None:
    """Write all files or none: first to a temporary folder, then each to its place."""
    _refuse_files(folder, files)
    placed: list[Path] = []
    made: Sequence[Path] = []
    try:
        made = [path for path in (folder, *folder.parents) if not path.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".init_", dir=folder) as beside:
            for name, text in files.items():
                path = Path(beside) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            for name in files:
                for parent in reversed((folder / name).parents):
                    if not parent.exists():
                        parent.mkdir()
                        placed.append(parent)
                (folder / name).hardlink_to(Path(beside) / name)
                placed.append(folder / name)
    except OSError as error:
        for path in reversed(placed):
            path.rmdir() if path.is_dir() else path.unlink()
        for path in made:
            shutil.rmtree(path, ignore_errors=True)
        raise Infrastructure(f"init: {error.filename or folder}: {error.strerror}") from error
