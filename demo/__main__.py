"""`python -m demo`: operational tables with made-up data."""

import argparse
import sys
from pathlib import Path

from flows.database import connect, rows, use_environment
from flows.errors import Failure, WrongArgument

HERE = Path(__file__).parent


MARK = "made by customer_health's demo"


def load(customers: int, tenants: int, years: int, seed: int, until: str | None) -> None:
    """Create the operational tables and fill them, unless a demo was loaded before.

    Raises WrongArgument when there are such tables that no demo has made.
    """
    with connect() as connection, connection.transaction():
        [schema] = rows(
            connection,
            "select oid, obj_description(oid, 'pg_namespace') as mark from pg_namespace"
            " where nspname = 'commerce' union all select null, null limit 1",
        )
        if schema["mark"] == MARK:
            print("demo data: there already")
            return
        if schema["oid"]:
            raise WrongArgument(
                "schema commerce is there and not of the demo, which does not touch it"
            )
        connection.execute((HERE / "operational_schema.sql").read_bytes())
        connection.execute(f"comment on schema commerce is $${MARK}$$".encode())
        for name, value in {
            "customers": customers,
            "tenants": tenants,
            "years": years,
            "seed": seed,
        }.items():
            connection.execute("select set_config(%s, %s, true)", (f"demo.{name}", str(value)))
        connection.execute(
            "select set_config('demo.until', coalesce(%s::timestamptz, now())::text, true)",
            (until,),
        )
        connection.execute((HERE / "orders.sql").read_bytes())
        [orders] = rows(connection, "select count(*) from commerce.orders")
    print(f"demo data: {customers} customers of {tenants} tenants, {orders['count']} orders")


def main() -> int:
    """Load the demo data that the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--customers", type=int, default=2500)
    parser.add_argument("--tenants", type=int, default=3)
    parser.add_argument("--years", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", help="instant at which the data ends; default: now")
    arguments = parser.parse_args()
    try:
        use_environment()
        load(**vars(arguments))
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
