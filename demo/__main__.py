"""`python -m demo`: create the tables of an application, with made-up data."""

import argparse
import sys
from pathlib import Path

from flows.database import connect, rows, use_environment
from flows.errors import Failure, WrongArgument
from flows.schemas import SCHEMAS as OURS

HERE = Path(__file__).parent
SCHEMAS = ("commerce", "booking", "platform", "success")
MARK = "made by customer_health's demo"
# a table of somebody else, except those of extensions
OTHERS = """
    select current_database() as database, pg_class.oid::regclass::text as name
    from pg_class
    where
        relkind in ('r', 'p')
        and relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'
        and relnamespace::regnamespace::text != all(%(ours)s)
        and not exists (
            select from pg_depend
            where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype = 'e'
        )
    order by 2
    limit 1
"""


def load(customers: int, tenants: int, years: int, seed: int, until: str | None) -> None:
    """Create and fill the operational tables, unless a demo is already loaded.

    Raises WrongArgument if one of the schemas exists and no demo has made it, or if the
    database has tables of others.
    """
    with connect(as_login=True) as connection, connection.transaction():
        found = rows(
            connection,
            "select nspname as schema, obj_description(oid, 'pg_namespace') as mark"
            " from pg_namespace where nspname = any(%(schemas)s) order by nspname",
            {"schemas": list(SCHEMAS)},
        )
        for there in found:
            if there["mark"] != MARK:
                raise WrongArgument(
                    f"schema {there['schema']} already exists and was not made by the demo;"
                    " the demo does not touch it"
                )
        if missing := sorted(set(SCHEMAS) - {there["schema"] for there in found}):
            if found:
                raise WrongArgument(
                    f"schema {missing[0]} is missing, because an older demo made the others;"
                    " `make clean` removes them"
                )
        else:
            print("demo data: already loaded")
            return
        for other in rows(connection, OTHERS, {"ours": list(OURS)}):
            raise WrongArgument(
                f"database {other['database']} already has tables, such as {other['name']};"
                " the demo needs a database of its own: unset DATABASE_URL and the libpq"
                " variables"
            )
        connection.execute((HERE / "operational_schema.sql").read_bytes())
        for schema in SCHEMAS:
            connection.execute(f"comment on schema {schema} is $${MARK}$$".encode())
        settings = {"customers": customers, "tenants": tenants, "years": years, "seed": seed}
        for setting, value in settings.items():
            connection.execute(
                "select set_config(%s, %s, true)", (f"demo.{setting}", str(value))
            )
        connection.execute(
            "select set_config('demo.until', coalesce(%s::timestamptz, now())::text, true)",
            (until,),
        )
        for script in (
            "settings.sql",
            "orders.sql",
            "bookings.sql",
            "usage.sql",
            "accounts.sql",
        ):
            connection.execute((HERE / script).read_bytes())
        [count] = rows(
            connection,
            "select (select count(*) from commerce.orders) as orders,"
            " (select count(*) from booking.bookings) as bookings,"
            " (select count(*) from platform.users) as users",
        )
    print(
        f"demo data: {customers} customers of {tenants} tenants in each system,"
        f" {count['orders']} orders, {count['bookings']} bookings, {count['users']} users of a"
        " product"
    )


def main() -> int:
    """Load the demo data that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--customers", type=int, default=2500, help="number of customers in each system"
    )
    parser.add_argument("--tenants", type=int, default=3, help="number of tenants")
    parser.add_argument("--years", type=int, default=3, help="years of history")
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        help="start of the random numbers; the same gives the same",
    )
    parser.add_argument("--until", help="instant at which the data ends; default: now")
    arguments = parser.parse_args()
    try:
        print(use_environment())
        load(**vars(arguments))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
