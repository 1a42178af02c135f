"""Find out whether lasting objects are still as the last full refresh left them.

Views, and the tables of marts with their columns, keys and rights, depend on the rules and the
application's tables. If neither has changed and nobody has altered our objects, a nightly
refresh computes only the rows.
"""

from flows.database import Connection, rows
from flows.fingerprints import fingerprint_of_files
from flows.installed import MARK, READS
from flows.schemas import INTERNAL, OPERATIONS
from flows.scope import last_relations

# including contracts, comments and grants; hidden files belong to editors
FILES = (
    *("dbt_project.yml", "packages.yml", "package-lock.yml", "dependencies.yml"),
    *("models/**/[!.]*", "macros/**/[!.]*", "seeds/[!.]*", "dbt_packages/**/[!.]*"),
)
# Everything in the catalog about these objects, as text. Ours are the objects of the last full
# refresh, except the tables that each refresh makes anew. Theirs are the objects that our
# views read, also through their views; a new enum value or check of a type shows in
# written_columns.
CATALOG = f"""
    with recursive {READS},

    ours as (
        select pg_class.oid as id
        from unnest(%(made)s::text[]) as made (name)
        inner join pg_class
            on to_regclass(made.name) = pg_class.oid
        where
            starts_with(obj_description(pg_class.oid, 'pg_class'), %(mark)s)
            and (
                pg_class.relkind = 'v'
                or pg_class.relnamespace != '{INTERNAL}'::regnamespace
            )
    ),

    all_read (id) as (
        select id from ours
        union
        select reads.read_id
        from all_read
        inner join reads
            on all_read.id = reads.view_id
    ),

    functions (id) as (
        select distinct pg_depend.refobjid
        from all_read
        inner join pg_rewrite
            on all_read.id = pg_rewrite.ev_class
        inner join pg_depend
            on
                pg_depend.classid = 'pg_rewrite'::regclass
                and pg_rewrite.oid = pg_depend.objid
                and pg_depend.refclassid = 'pg_proc'::regclass
        where pg_depend.refobjid >= 16384
    ),

    -- objects that the catalog cannot vouch for: a relation of somebody else's among
    -- those made, whose rebuild drops our view too, and a set-returning SQL function,
    -- whose tables are unknown
    others (id) as (
        select pg_class.oid
        from unnest(%(made)s::text[]) as made (name)
        inner join pg_class
            on to_regclass(made.name) = pg_class.oid
        where
            pg_class.oid in (select id from all_read)
            and starts_with(obj_description(pg_class.oid, 'pg_class'), %(mark)s) is not true

        union all

        select functions.id
        from functions
        inner join pg_proc
            on functions.id = pg_proc.oid
        inner join pg_language
            on pg_proc.prolang = pg_language.oid
        where pg_language.lanname = 'sql' and pg_proc.proretset
    ),

    relations as (
        select
            pg_class.oid as id,
            exists (select from ours where ours.id = pg_class.oid) as is_ours,
            -- the rows of child tables count as its own
            array(
                select inhrelid from pg_inherits
                where inhparent = pg_class.oid and pg_class.relkind != 'p'
                order by inhrelid
            ) as heirs,
            pg_class.*
        from all_read
        inner join pg_class
            on all_read.id = pg_class.oid
        where
            pg_class.oid in (select id from ours)
            or (
                pg_class.oid >= 16384
                and pg_class.relnamespace != '{INTERNAL}'::regnamespace
            )
    ),

    parts (is_ours, part) as (
        select
            is_ours,
            row(
                id, relnamespace, relname, relkind, relpersistence, relispartition, reloptions,
                relowner, relrowsecurity, relforcerowsecurity, relreplident, heirs,
                case when is_ours then relacl end
            )::text
        from relations

        union all

        select is_ours, row(id, md5(ev_action::text))::text
        from relations
        inner join pg_rewrite
            on id = ev_class

        union all

        select
            is_ours,
            row(
                id, attnum, attname, atttypid, atttypmod, attcollation, attnotnull,
                attgenerated, attisdropped, case when is_ours then attacl end
            )::text
        from relations
        inner join pg_attribute
            on id = attrelid
        where attnum > 0

        union all

        select is_ours, row(id, indisvalid, pg_get_indexdef(indexrelid))::text
        from relations
        inner join pg_index
            on id = indrelid

        union all

        select
            is_ours,
            row(
                id, conname, convalidated, pg_get_constraintdef(pg_constraint.oid)
            )::text
        from relations
        inner join pg_constraint
            on id = conrelid
        -- a foreign key to a partitioned table has a row for each partition
        where is_ours or contype != 'f'

        union all

        select is_ours, row(pg_policy.*)::text
        from relations
        inner join pg_policy
            on id = polrelid

        union all

        select is_ours, row(id, objsubid, description)::text
        from relations
        inner join pg_description
            on id = objoid and classoid = 'pg_class'::regclass
        where is_ours

        union all

        select pronamespace = '{OPERATIONS}'::regnamespace, md5(row(pg_proc.*)::text)
        from pg_proc
        where
            pronamespace = '{OPERATIONS}'::regnamespace
            or oid in (select id from functions)

        union all

        select true, row(installed_scripts.*)::text
        from {OPERATIONS}.installed_scripts

        union all

        -- decides what a name without a schema means
        select false, current_setting('search_path')

        union all

        select false, written_columns::text
        from {OPERATIONS}.written_columns
    )

    select
        md5(string_agg(part, ' ' order by part) filter (where is_ours)) as ours,
        md5(string_agg(part, ' ' order by part) filter (where not is_ours)) as theirs,
        exists (select from others) as has_others
    from parts
"""


def fingerprint_of_project() -> str:
    """Return a fingerprint of the files that our objects are made from."""
    return fingerprint_of_files(FILES)


def fingerprints(
    connection: Connection, files: str, made: list[str] | None = None
) -> dict[str, str] | None:
    """Return the fingerprints of our objects, theirs and the files.

    made: the names of our objects, by default those of the last full refresh. Returns None
    before a full refresh, and if the catalog cannot tell.
    """
    made = made or last_relations(connection)
    [there] = rows(
        connection, f"select to_regclass('{OPERATIONS}.written_columns') is not null as it"
    )
    if not (made and there["it"]):
        return None
    [found] = rows(connection, CATALOG, {"made": made, "mark": MARK})
    if found.pop("has_others"):
        return None
    return {**found, "files": files}


def left(
    connection: Connection, files: str, made: list[str], before: dict[str, str] | None
) -> dict[str, str] | None:
    """Return the fingerprints after a refresh that has made these objects from these files.

    None if the application's tables have changed meanwhile, because a view may rest on their
    old form: the next refresh makes everything again.
    """
    found = fingerprints(connection, files, made)
    if before and found and before["theirs"] != found["theirs"]:
        return None
    return found


def is_left(connection: Connection, found: dict[str, str] | None) -> bool:
    """Return whether these fingerprints are those of the last full refresh."""
    last = rows(
        connection,
        f"select payload -> 'untouched' as it from {OPERATIONS}.application_logs"
        " where payload ? 'relations' order by log_id desc limit 1",
    )
    return bool(found and last) and last[0]["it"] == found
