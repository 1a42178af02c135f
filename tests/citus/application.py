"""Make the same random changes in two databases, as an application would."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from conftest import Database

# by table, the changes to one of its rows; each names the tenant, because Citus needs it
STATEMENTS = {
    "commerce.customers": """
        insert into commerce.orders (id, tenant_id, customer_id, status, ordered_at,
            delivered_at, total_amount, created_at, updated_at)
        values (%(new_id)s, %(tenant_id)s, %(id)s, 'DELIVERED', %(before)s, %(before)s,
            %(number)s, %(now)s, %(written)s);

        update commerce.customers
        set is_closed = not is_closed, updated_at = %(written)s
        where tenant_id = %(tenant_id)s and id = %(id)s;

        update commerce.customers
        set name = 'Another name', updated_at = %(written)s
        where tenant_id = %(tenant_id)s and id = %(id)s;

        update commerce.customers
        set sales_rep_id = null, updated_at = %(written)s
        where tenant_id = %(tenant_id)s and id = %(id)s
    """,
    "commerce.orders": """
        update commerce.orders
        set status = 'CANCELLED', updated_at = %(written)s
        where tenant_id = %(tenant_id)s and id = %(id)s;

        update commerce.orders
        set total_amount = total_amount * 3, updated_at = %(written)s
        where tenant_id = %(tenant_id)s and id = %(id)s;

        update commerce.orders
        set delivered_at = %(before)s, updated_at = %(written)s
        where tenant_id = %(tenant_id)s and id = %(id)s;

        delete from commerce.orders
        where tenant_id = %(tenant_id)s and id = %(id)s
    """,
    "commerce.tenants": """
        update commerce.tenants
        set time_zone = 'Asia/Kathmandu', updated_at = %(written)s
        where id = %(id)s
    """,
    "booking.customers": """
        insert into booking.bookings (organization_id, booking_id, square_customer_id,
            location_id, status, start_at, created_at, updated_at)
        values (%(organization_id)s, %(new_id)s::text, %(square_customer_id)s, 'L1',
            'ACCEPTED', %(before)s, %(now)s, %(written)s);

        insert into booking.payments (organization_id, payment_id, square_customer_id,
            status, amount_cents, created_at, updated_at)
        values (%(organization_id)s, %(new_id)s::text, %(square_customer_id)s,
            'COMPLETED', %(number)s, %(before)s, %(written)s);

        update booking.customers
        set given_name = 'Ada', updated_at = %(written)s
        where organization_id = %(organization_id)s and square_customer_id =
            %(square_customer_id)s
    """,
    "booking.bookings": """
        update booking.bookings
        set status = 'NO_SHOW', updated_at = %(written)s
        where organization_id = %(organization_id)s and booking_id = %(booking_id)s;

        update booking.bookings
        set start_at = %(before)s, updated_at = %(written)s
        where organization_id = %(organization_id)s and booking_id = %(booking_id)s;

        update booking.bookings
        set square_customer_id = null, updated_at = %(written)s
        where organization_id = %(organization_id)s and booking_id = %(booking_id)s
    """,
    "booking.organizations": """
        update booking.organizations
        set time_zone = 'Pacific/Auckland', updated_at = %(written)s
        where id = %(id)s
    """,
    "platform.users": """
        update platform.users
        set last_login_at = %(before)s, updated_at = %(written)s
        where organization_id = %(organization_id)s and id = %(id)s
    """,
    "success.accounts": """
        insert into success.engagements (id, organization_id, account_id, type, title,
            attendees, scheduled_at, completed_at, created_at, updated_at)
        values (%(new_id)s, %(organization_id)s, %(id)s, 'QBR', 'A review', '["ada",
            "bob"]', %(before)s, %(before)s, %(before)s, %(written)s)
    """,
}


def change(databases: list[Database], seed: int, now: datetime, count: int) -> None:
    """Make so many changes, drawn by the seed, in each of these databases."""
    drawn = random.Random(seed)
    with databases[0].connect() as connection:
        rows = {
            table: [
                row["it"]
                for row in connection.execute(
                    f"select to_jsonb(given) as it from {table} as given order by 1".encode()
                )
            ]
            for table in STATEMENTS
        }
    done: list[tuple[str, dict[str, Any]]] = []
    for number in range(count):
        table = drawn.choice([*STATEMENTS, "commerce.customers", "booking.customers"])
        row = drawn.choice(rows[table])
        parameters = row | {
            "new_id": seed * 1000 + number
            if isinstance(row.get("id"), int)
            else f"{seed:08x}-0000-0000-0000-{number:012x}",
            "number": drawn.randint(1, 90_000),
            "now": now - timedelta(minutes=drawn.randint(1, 50)),
            # an hourly refresh reads what was written since the last one, by the real clock
            "written": datetime.now(UTC),
            "before": now - timedelta(hours=drawn.randint(1, 24 * 30)),
        }
        done.append((drawn.choice(STATEMENTS[table].split(";")), parameters))
    for database in databases:
        with database.connect() as connection:
            for statement, parameters in done:
                connection.execute(statement.encode(), parameters)
