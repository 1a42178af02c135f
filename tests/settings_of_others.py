"""A database whose owner has changed every setting, for the tests of our sessions."""

from conftest import Database

# all settings that an owner may set and that could change a statement's meaning or its end
UNUSUAL = {
    "row_security": "on",
    "timezone": "'Pacific/Kiritimati'",
    "datestyle": "'SQL, DMY'",
    "intervalstyle": "iso_8601",
    "extra_float_digits": "-3",
    "bytea_output": "escape",
    "client_encoding": "latin1",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "quote_all_identifiers": "on",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "search_path": "public, pg_catalog",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "default_transaction_deferrable": "on",
    "statement_timeout": "'3s'",
    "lock_timeout": "'1ms'",
    "idle_session_timeout": "'2s'",
    "idle_in_transaction_session_timeout": "'1s'",
    "transaction_timeout": "'5s'",
    "gin_fuzzy_search_limit": "1",
    "restrict_nonsystem_relation_kind": "view",
    "work_mem": "'64kB'",
    "jit": "on",
}
# schemas before PostgreSQL's own in search_path
SHADOWS = """
    create function public.lower(text) returns text language sql as $$ select 'shadow' $$;
    create function public.hashtext(text) returns integer language sql
    as $$ select (random() * 1000000)::integer $$;
    create function public.date_trunc(text, timestamptz) returns timestamptz
    language sql as $$ select now() $$;
    create table public.pg_class (oid oid, relname name);
    create table public.pg_namespace (oid oid, nspname name);
"""


def set_otherwise(database: Database) -> None:
    """Change all settings for everybody who connects to this database from now on."""
    known = {
        row["name"] for row in database.rows("select lower(name) as name from pg_settings")
    }
    _execute(
        database,
        SHADOWS,
        *(
            f"alter database {database.environment['PGDATABASE']} set {setting} = {value}"
            for setting, value in UNUSUAL.items()
            if setting in known
        ),
    )


def set_as_usual(database: Database) -> None:
    """Reset the settings."""
    _execute(
        database,
        f"alter database {database.environment['PGDATABASE']} reset all",
        "drop function public.lower(text), public.hashtext(text),"
        " public.date_trunc(text, timestamptz)",
        "drop table public.pg_class, public.pg_namespace",
    )


def _execute(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        connection.execute("set default_transaction_read_only = off")
        for statement in statements:
            connection.execute(statement.encode())
