"""Applications of others, mapped as their owner would: init, edits, triggers.

A wholesaler's ERP in Odoo's style, the appointments of a studio in Bookly's, and others.
Whatever changes in any of their tables, an hourly refresh equals a nightly one.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml  # type: ignore[import-untyped]
from conftest import PROJECT, UNTIL, Database, new_database
from orders_oracle import Order, Thresholds, local_date, risk_status
from test_capture_lookups import last

AS_OF = datetime.fromisoformat(UNTIL)
SCHEMAS = Path(__file__).parent / "schemas_of_others"
# columns about the refresh itself
STAMPS = ("created_at", "updated_at", "refreshed_at")

# statements of the applications, by table


def erp_changes(chance: random.Random) -> dict[str, list[str]]:
    """Return the next possible statements of the ERP, by table that is read."""
    order, other = chance.randint(1, 480), chance.randint(1, 480)
    partner, contact = chance.randint(101, 160), chance.randint(201, 240)
    company, own, line = chance.randint(1, 3), chance.randint(1, 12), chance.randint(1, 960)
    moment = f"timestamp '2026-06-14 20:00' - interval '{chance.randint(0, 120 * 24)} hours'"
    state = chance.choice(["sale", "sale", "cancel", "draft", "sent", "weird"])
    gone = chance.choice(["done", "done", "assigned", "cancel"])
    return {
        "res_company": [
            f"update res_company set active = active is not true where id = {company}",
            f"update res_company set partner_id = {own} where id = {company}",
        ],
        "own addresses": [
            f"update res_partner set tz = 'Asia/Kathmandu' where id = {own}",
        ],
        "res_currency": [
            (
                "update res_currency set name = case name when 'USD' then 'CHF' else 'USD' end"
                " where id = 2"
            ),
        ],
        "res_users": [
            f"update res_users set company_id = {company} where id = {chance.randint(1, 9)}",
        ],
        "res_partner": [
            f"update res_partner set active = not coalesce(active, true) where id = {partner}",
            f"update res_partner set company_id = nullif({company}, 3) where id = {partner}",
            f"update res_partner set customer_rank = 1 - customer_rank where id = {partner}",
            (
                f"update res_partner set parent_id = {partner},"
                f" commercial_partner_id = {partner} where id = {contact}"
            ),
            f"update res_partner set commercial_partner_id = {partner} where id = {partner}",
            (
                f"update res_partner set commercial_partner_id = {chance.randint(101, 160)},"
                f" name = 'Merged' where id = {partner}"
            ),
            (
                "insert into res_partner (name, company_id, customer_rank, create_date)"
                f" values ('New', nullif({company}, 3), 1, {moment});"
                " update res_partner set commercial_partner_id = id where name = 'New'"
            ),
            f"delete from res_partner where id = {contact}",
        ],
        "sale_order": [
            (
                f"update sale_order set partner_id = {chance.choice([partner, contact])}"
                f" where id = {order}"
            ),
            (
                f"update sale_order set company_id = {company}, date_order = {moment}"
                f" where id = {order}"
            ),
            f"update sale_order set state = '{state}' where id in ({order}, {other})",
            f"update sale_order set currency_id = 3 - currency_id where id = {order}",
            (
                "insert into sale_order (name, state, partner_id, company_id, date_order)"
                f" values ('N', '{state}', {partner}, {company}, {moment})"
            ),
            (f"delete from sale_order where id = {order} and id % 3 = 0"),
        ],
        "sale_order_line": [
            f"update sale_order_line set price_unit = price_unit * 3 where id = {line}",
            f"update sale_order_line set order_id = {other} where order_id = {order}",
            (
                f"insert into sale_order_line (order_id, product_uom_qty, price_unit)"
                f" values ({order}, 2, 50)"
            ),
            f"delete from sale_order_line where id = {line}",
        ],
        "stock_move": [
            f"update stock_move set picking_id = {other} where sale_line_id = {line}",
            (
                f"update stock_move set sale_line_id = {2 * other - 1}"
                f" where sale_line_id = {2 * order - 1}"
            ),
            f"update stock_move set sale_line_id = null where sale_line_id = {line}",
            f"update stock_move set state = '{gone}' where sale_line_id = {line}",
            (
                "insert into stock_move (picking_id, sale_line_id, state, product_uom_qty,"
                f" date) values ({other}, {line}, '{gone}', 1, {moment})"
            ),
            f"delete from stock_move where sale_line_id = {line}",
        ],
        "stock_picking": [
            (
                f"update stock_picking set state = '{gone}', date_done = {moment}"
                f" where id = {order}"
            ),
            f"update stock_picking set date_done = null where id = {order}",
            f"update stock_picking set date_done = {moment} where id in ({order}, {other})",
            (
                f"update stock_picking set picking_type_id = {chance.randint(1, 5)}"
                f" where id = {order}"
            ),
        ],
        "stock_picking_type": [
            "update stock_picking_type set code = 'outgoing' where id = 4",
            "update stock_picking_type set code = 'internal' where id = 4",
        ],
        "account_move": [
            (
                "update account_move set state = 'posted', move_type = 'out_refund'"
                f" where id = {order}"
            ),
            f"update account_move set state = 'cancel' where id = {order}",
            f"delete from account_move where id = {order}",
        ],
        "account_move_line": [
            f"update account_move_line set price_subtotal = 11 where move_id = {order}",
            f"update account_move_line set move_id = {other} where move_id = {order}",
            f"insert into account_move_line (move_id, price_subtotal) values ({order}, 4)",
            f"delete from account_move_line where id = {order}",
        ],
        "sale_order_line_invoice_rel": [
            (
                f"update sale_order_line_invoice_rel set order_line_id = {line}"
                f" where invoice_line_id = {order}"
            ),
            f"insert into sale_order_line_invoice_rel values ({order}, {line})",
            f"delete from sale_order_line_invoice_rel where invoice_line_id = {order}",
        ],
    }


def studio_changes(chance: random.Random) -> dict[str, list[str]]:
    """Return the next possible statements of the studio, by table that is read."""
    guest, visit, other = chance.randint(1, 70), chance.randint(1, 460), chance.randint(1, 460)
    place = chance.choice(["1", "2", "3", "null"])
    order, paid = chance.randint(1, 310), chance.randint(1, 260)
    moment = f"timestamp '2026-06-25 20:00' - interval '{chance.randint(0, 150 * 24)} hours'"
    word = chance.choice(
        ["approved", "approved", "done", "cancelled", "no-show", "rejected", "in-chair"]
    )
    tables = {
        "locations": [
            f"update @locations set name = 'Renamed' where id = {chance.randint(1, 3)}",
            "delete from @locations where id = 3",
            "insert into @locations (name) values ('New')",
        ],
        "customers": [
            f"update @customers set first_name = 'Other', email = '' where id = {guest}",
            f"insert into @customers (first_name, created_at) values ('New', {moment})",
            f"delete from @customers where id = {guest}",
        ],
        "services": [
            f"update @services set title = 'Wash' where id = {chance.randint(1, 4)}",
            f"delete from @services where id = {chance.randint(3, 4)}",
        ],
        "appointments": [
            f"update @appointments set start_date = {moment} where id in ({visit}, {other})",
            f"update @appointments set start_date = null where id = {visit}",
            f"update @appointments set location_id = {place} where id = {visit}",
            (
                f"update @appointments set service_id = {chance.randint(1, 4)},"
                f" staff_id = {chance.randint(1, 4)}, internal_note = 'new' where id = {visit}"
            ),
            f"delete from @appointments where id = {visit}",
        ],
        "customer_appointments": [
            (
                f"update @customer_appointments set customer_id = {guest}"
                f" where appointment_id = {visit}"
            ),
            (
                f"update @customer_appointments set appointment_id = {other}"
                f" where appointment_id = {visit}"
            ),
            (
                f"update @customer_appointments set order_id = {order}"
                f" where appointment_id in ({visit}, {other})"
            ),
            f"update @customer_appointments set order_id = null where order_id = {order}",
            (
                f"update @customer_appointments set status = '{word}'"
                f" where appointment_id = {visit}"
            ),
            (
                "insert into @customer_appointments (customer_id, appointment_id, order_id,"
                " status, created_at, updated_at)"
                f" values ({guest}, {visit}, {order}, '{word}', {moment}, {moment})"
            ),
            f"delete from @customer_appointments where appointment_id = {visit}",
        ],
        "payments": [
            f"update @payments set order_id = {order}, paid = 12 where id = {paid}",
            f"update @payments set status = 'refunded' where id = {paid}",
            (
                f"update @payments set created_at = {moment}, status = 'completed'"
                f" where id = {paid}"
            ),
            (
                "insert into @payments (paid, order_id, created_at, updated_at)"
                f" values (77, {order}, {moment}, {moment})"
            ),
            f"delete from @payments where id = {paid}",
        ],
    }
    return {
        table: [text.replace("@", "wp.wp_bookly_") for text in statements]
        for table, statements in tables.items()
    }


def salon_changes(chance: random.Random) -> dict[str, list[str]]:
    """Return the next possible statements of the salon; a booking may have several people."""
    booking, other, person = (chance.randint(1, 21) for _ in range(3))
    moment = f"timestamp '2026-06-20 11:00' - interval '{chance.randint(0, 120)} days'"
    email = f"'{chance.choice(['Ann', 'ann', 'bob', 'cleo', 'zoe'])}@example.org'"
    word = chance.choice(["accepted", "no_show", "cancelled", "pending"])
    return {
        'salon."EventType"': [
            f'update @ set "teamId" = {1 + booking % 2} where id = {1 + other % 2}',
        ],
        'salon."Booking"': [
            f'update @ set "startTime" = {moment} where id in ({booking}, {other})',
            f'update @ set "eventTypeId" = {1 + other % 2} where id = {booking}',
            f"update @ set status = '{word}' where id = {booking}",
        ],
        'salon."Attendee"': [
            f"update @ set email = {email} where id = {person}",
            f'update @ set "bookingId" = {other} where "bookingId" = {booking}',
            f"delete from @ where id = {person}",
            ('insert into @ (email, name, "timeZone", "bookingId")'
            f" values ({email}, 'New', 'UTC', {booking})"),
        ],
        'salon."Payment"': [
            f'update @ set "bookingId" = {other}, amount = 77 where "bookingId" = {booking}',
            f'update @ set success = not success where "bookingId" = {booking}',
            f'delete from @ where "bookingId" = {booking} and id % 3 = 0',
        ],
    }  # fmt: skip


def shop_changes(chance: random.Random) -> dict[str, list[str]]:
    """Return the next possible statements of the shop with parcels and links."""
    order, other, user = chance.randint(1, 26), chance.randint(1, 26), chance.randint(1, 3)
    moment = f"timestamp '2026-06-14 11:00' - interval '{chance.randint(0, 120)} days'"
    word = chance.choice(["complete", "canceled", "cart", "in_limbo"])
    return {
        "shop.spree_users": [
            f"update @ set deleted_at = {moment} where id = {user}",
            f"update @ set deleted_at = null, first_name = 'Other' where id = {user}",
            f"update @ set store_id = 3 - store_id where id = {user}",
        ],
        "shop.spree_orders": [
            f"update @ set user_id = {user} where id = {order}",
            f"update @ set state = '{word}', completed_at = {moment} where id = {order}",
        ],
        "shop.spree_line_items": [
            f"update @ set price_cents = price_cents * 2 where order_id = {order}",
            f"update @ set order_id = {other} where order_id = {order}",
        ],
        "shop.spree_parcels": [
            f"update @ set delivered_at = {moment}, shipped_at = {moment} where id = {order}",
            f"update @ set delivered_at = null where id = {order}",
        ],
        "shop.spree_order_parcels": [
            f"update @ set order_id = {other} where order_id = {order}",
            f"update @ set parcel_id = {other} where order_id = {order}",
            f"delete from @ where order_id = {order} and parcel_id % 4 = 0",
        ],
    }


# figures computed independently from the application's tables


Tables = dict[str, dict[int, dict[str, Any]]]
ERP_WORDS = {"sale": "CONFIRMED", "cancel": "CANCELLED", "draft": "DRAFT", "sent": "DRAFT",
             "on_hold": "SUBMITTED"}  # fmt: skip


def erp_arrivals(tables: Tables) -> dict[int, datetime | None]:
    """Return when the last picking of an order was done, once all are."""
    pickings: dict[int, list[dict[str, Any]]] = {}
    for move in tables["stock_move"].values():
        line = tables["sale_order_line"].get(move["sale_line_id"])
        picking = tables["stock_picking"].get(move["picking_id"])
        if line and picking and move["state"] != "cancel":
            kind = tables["stock_picking_type"][picking["picking_type_id"]]
            if kind["code"] == "outgoing":
                pickings.setdefault(line["order_id"], []).append(picking)
    return {
        order: max((p["date_done"] for p in held if p["date_done"]), default=None)
        if all(p["state"] == "done" for p in held)
        else None
        for order, held in pickings.items()
    }


def erp_worth(tables: Tables, links: list[dict[str, Any]]) -> dict[int, Decimal]:
    """Return the worth of an order, minus credit notes."""
    worth: dict[int, Decimal] = {}
    lines = tables["sale_order_line"]
    for line in lines.values():
        of_line = line["price_unit"] * line["product_uom_qty"]
        worth[line["order_id"]] = worth.get(line["order_id"], Decimal(0)) + of_line
    for link in links:
        credit = tables["account_move_line"][link["invoice_line_id"]]
        note = tables["account_move"][credit["move_id"]]
        if (note["move_type"], note["state"]) == ("out_refund", "posted"):
            worth[lines[link["order_line_id"]]["order_id"]] -= credit["price_subtotal"]
    return worth


def erp_orders(tables: Tables, links: list[dict[str, Any]]) -> dict[Any, list[Order]]:
    """Return the orders of each customer of each company."""
    arrivals, worth = erp_arrivals(tables), erp_worth(tables, links)
    orders: dict[Any, list[Order]] = {}
    for number, row in tables["sale_order"].items():
        if row["state"] not in ERP_WORDS:
            continue
        buyer = tables["res_partner"][row["partner_id"]]["commercial_partner_id"]
        arrival = arrivals.get(number)
        currency = tables["res_currency"].get(row["currency_id"])
        orders.setdefault((row["company_id"], buyer), []).append(
            Order(
                number=number,
                status=ERP_WORDS[row["state"]],
                ordered_at=row["date_order"].replace(tzinfo=UTC),
                delivered_at=arrival.replace(tzinfo=UTC) if arrival else None,
                total=worth.get(number),
                currency=currency["name"] if currency else None,
            )
        )
    return orders


def erp_statuses(database: Database) -> dict[Any, Any]:
    """Return the risk status of each customer of each company, computed in Python."""
    names = ("res_company", "res_partner", "res_currency", "sale_order", "sale_order_line",
             "stock_move", "stock_picking", "stock_picking_type", "account_move",
             "account_move_line")  # fmt: skip
    tables: Tables = {
        name: {row["id"]: row for row in database.rows(f"select * from {name}")}
        for name in names
    }
    orders = erp_orders(tables, database.rows("select * from sale_order_line_invoice_rel"))
    statuses = {}
    for company in tables["res_company"].values():
        zone = ZoneInfo(tables["res_partner"][company["partner_id"]]["tz"] or "UTC")
        day = local_date(AS_OF, zone)
        for number, partner in tables["res_partner"].items():
            is_customer = partner["commercial_partner_id"] == number and (
                partner["customer_rank"] and partner["company_id"] in (None, company["id"])
            )
            bought = orders.get((company["id"], number), [])
            status = risk_status(bought, day, AS_OF, zone, Thresholds())
            if is_customer and status and False not in (company["active"], partner["active"]):
                statuses[company["id"], number] = status
    return statuses


def erp_published(database: Database) -> dict[tuple[int, int], str | None]:
    return {
        (row["tenant_id"], row["customer_id"]): row["risk_status"]
        for row in database.rows(
            "select tenant_id, customer_id, risk_status from analytics.customer_risk_status"
        )
    }


def studio_figures(database: Database) -> dict[int, tuple[int, int, int]]:
    """Return visits, no-shows and revenue of each customer, computed in Python."""
    berlin = ZoneInfo("Europe/Berlin")
    rows = {
        name: database.rows(f"select * from wp.wp_bookly_{name}")
        for name in ("customers", "appointments", "customer_appointments", "payments")
    }
    starts = {row["id"]: row["start_date"] for row in rows["appointments"]}
    figures = {row["id"]: [0, 0, 0] for row in rows["customers"]}
    payers: dict[int, int] = {}
    for seat in rows["customer_appointments"]:
        guest, start = seat["customer_id"], starts[seat["appointment_id"]]
        if seat["order_id"] is not None:
            payers[seat["order_id"]] = min(guest, payers.get(seat["order_id"], guest))
        if start and start.replace(tzinfo=berlin) <= AS_OF:
            figures[guest][0] += seat["status"] in ("approved", "done")
        if start:
            figures[guest][1] += seat["status"] == "no-show"
    for payment in rows["payments"]:
        payer = payers.get(payment["order_id"])
        paid_at = payment["created_at"].replace(tzinfo=berlin)
        if payer and paid_at <= AS_OF and payment["status"] in ("completed", "refunded"):
            figures[payer][2] += int(payment["paid"] * 100)
    return {guest: (a, b, c) for guest, (a, b, c) in figures.items()}


def studio_published(database: Database) -> dict[int, tuple[int, int, int]]:
    return {
        row["square_customer_id"]: (
            row["total_visits"],
            row["total_no_shows"],
            row["total_revenue_cents"],
        )
        for row in database.rows(
            "select square_customer_id, total_visits, total_no_shows, total_revenue_cents"
            " from analytics.customer_analytics"
        )
    }


@dataclass(frozen=True)
class Shape:
    """An application: its subject, its changes, and the figures that its owner counts."""

    system: str
    # the table of its orders or bookings
    anchor: str
    # the name of its database, and so of the source of its tables
    database: str
    zone: str
    changes: Callable[[random.Random], dict[str, list[str]]]
    by_hand: Callable[[Database], dict[Any, Any]]
    published: Callable[[Database], dict[Any, Any]]
    # tables whose rows affect all customers of a tenant
    wide: tuple[str, ...]
    # lines that a person writes: in inputs and in the sources' yml
    lines: tuple[int, int]
    # what a person adds to `init`, because `init` asks for it
    answers: tuple[str, ...] = ()


SHAPES = {
    "wholesaler": Shape(
        system="orders",
        anchor="sale_order",
        database="erp",
        zone="UTC",
        changes=erp_changes,
        by_hand=erp_statuses,
        published=erp_published,
        wide=("own addresses", "res_company", "res_currency", "stock_picking_type"),
        lines=(48, 99),
        answers=("--table", "tenants=res_company"),
    ),
    "studio": Shape(
        system="bookings",
        anchor="wp.wp_bookly_customer_appointments",
        database="studio",
        zone="Europe/Berlin",
        changes=studio_changes,
        by_hand=studio_figures,
        published=studio_published,
        wide=(),
        lines=(19, 49),
    ),
}


@pytest.fixture
def application(request: pytest.FixtureRequest, server: Database) -> Iterator[Database]:
    """The application that a test names."""
    name = SHAPES[request.param].database if request.param in SHAPES else ""
    database = new_database(server, name)
    database.execute((SCHEMAS / f"{request.param}.sql").read_text())
    yield database
    database.drop()


def run(database: Database, folder: Path, *arguments: str) -> str:
    """Run a command in the folder of the user's project."""
    done = database.run(
        "flows", *arguments, project=folder, environment={"PYTHONPATH": str(PROJECT)}
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    return done.stdout


def edit(folder: Path, name: str) -> tuple[int, int]:
    """Make the owner's edits, and return how many lines they are."""
    system = SHAPES[name].system
    edits = yaml.safe_load((SCHEMAS / f"{name}.yml").read_text())
    inputs = folder / "models" / system / "inputs"
    written = 0
    for entity, changes in edits["inputs"].items():
        path = inputs / f"input_{system}__{entity}.sql"
        lines = path.read_text().splitlines()
        for old, new in changes.items():
            [number] = [n for n, line in enumerate(lines) if line.strip().startswith(old)]
            lines[number] = new
            written += new.count("\n")
        path.write_text("\n".join(lines))
    path = inputs / f"_{system}__sources.yml"
    sources = yaml.safe_load(path.read_text())
    [source] = sources["sources"]
    tables = {table["name"]: table for table in source["tables"]}
    for table, capture in edits["captures"].items():
        if table not in tables:
            tables[table] = {"name": table}
            source["tables"].append(tables[table])
        tables[table].setdefault("config", {}).setdefault("meta", {})["capture"] = capture
    path.write_text(yaml.safe_dump(sources))
    text = (SCHEMAS / f"{name}.yml").read_text().partition("\ncaptures:\n")[2]
    return written, text.count("\n")


def marts(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return everything in the marts, except when it was written."""
    found = {}
    for row in database.rows(
        "select tablename as name from pg_tables where schemaname = 'analytics' order by 1"
    ):
        rows = database.rows(f"select * from analytics.{row['name']}")
        kept = [{k: v for k, v in one.items() if k not in STAMPS} for one in rows]
        found[row["name"]] = sorted(kept, key=str)
    return found


def change_at_random(
    database: Database,
    changes: Callable[[random.Random], dict[str, list[str]]],
    chance: random.Random,
    leaves_out: tuple[str, ...] = (),
) -> None:
    """Change rows of all tables; a constraint may refuse a change."""
    with database.connect() as connection:
        for _ in range(5):
            for table in sorted(set(changes(chance)) - {*leaves_out}):
                statement = chance.choice(changes(chance)[table]).replace("@", table)
                connection.execute(
                    f"do $$ begin {statement}; exception when integrity_constraint_violation"
                    " then null; end $$".encode()
                )


def refresh(database: Database, folder: Path, mode: str) -> dict[str, Any]:
    """Return the log entry of a refresh."""
    run(database, folder, "refresh", "--mode", mode, "--as-of", UNTIL, "--no-write-back")
    return last(database)


def check_nightly_finds_nothing(database: Database, folder: Path) -> None:
    before = marts(database)
    nightly = refresh(database, folder, "nightly")
    moved = {
        mart["mart"]: mart["rows_written"] + mart["rows_removed"]
        for mart in nightly["marts"]
        # only a nightly refresh lists bad rows
        if not mart["mart"].endswith("quarantined_rows")
    }
    assert {mart: rows for mart, rows in moved.items() if rows} == {}
    assert nightly["drift"] == 0
    after = marts(database)
    assert {name for name in after if after[name] != before[name]} <= {"quarantined_rows"}
    assert database.value("select count(*) from operations.hook_errors") == 0


@pytest.mark.slow
@pytest.mark.parametrize("application", SHAPES, indirect=True)
def test_with_a_foreign_application_hourly_equals_nightly(
    application: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = request.node.callspec.params["application"]
    shape, folder = SHAPES[name], tmp_path / "it"
    said = run(
        application,
        tmp_path,
        *("init", str(folder), "--time-zone", shape.zone, *shape.answers),
    )
    # a table that is only named like orders does not switch the system on
    assert f"{shape.system}: on: " in said
    assert said.count(": on: ") == 1
    assert edit(folder, name) == shape.lines
    checked = application.run(
        *("flows", "check", "--json", "--as-of", UNTIL),
        project=folder,
        environment={"PYTHONPATH": str(PROJECT)},
    )
    report = json.loads(checked.stdout)
    assert [one["line"] for one in report["findings"] if one["level"] == "wrong"] == []
    assert checked.returncode == 1
    # updated_at shows changes of the rows that have it, not of rows joined to them
    anchor = f"input_{shape.system}__{shape.system}"
    [watched] = [
        one["changes_noticed_by"] for one in report["inputs"] if one["input"] == anchor
    ]
    assert [table for table, by in watched.items() if by == "updated_at"] == [shape.anchor]
    assert set(watched.values()) == {"updated_at", "nothing"}
    refresh(application, folder, "nightly")
    assert shape.published(application) == shape.by_hand(application)
    # everything that is read is watched, by the keys of the inputs
    run(application, folder, "capture", "install")
    gaps = application.rows(
        "select relation from operations.capture_status"
        " where not is_captured or watched_by != 'triggers'"
    )
    # no status depends on the names of reps
    assert [row["relation"] for row in gaps] in ([], ['"public"."res_users"'])
    application.execute("delete from operations.changed_keys")
    chance = random.Random(16)
    # first changes of a few customers, then changes of a whole tenant, too
    for leaves_out in (shape.wide, ()) if shape.wide else ((),):
        change_at_random(application, shape.changes, chance, leaves_out)
        hourly = refresh(application, folder, "hourly")
        assert "full_because" not in hourly
        kinds = {claimed["kind"] for claimed in hourly["claimed_keys"]}
        assert "customer" in kinds
        assert ("tenant" in kinds) == (leaves_out != shape.wide)
    assert shape.published(application) == shape.by_hand(application)
    check_nightly_finds_nothing(application, folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("application", "changes"),
    [("salon", salon_changes), ("shop", shop_changes)],
    indirect=["application"],
)
def test_hourly_equals_nightly_with_proposed_keys(
    application: Database,
    changes: Callable[[random.Random], dict[str, list[str]]],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "it"
    run(application, tmp_path, "init", str(folder))
    refresh(application, folder, "nightly")
    run(application, folder, "capture", "install")
    refresh(application, folder, "hourly")
    chance = random.Random(16)
    for _ in range(3):
        change_at_random(application, changes, chance)
        assert "full_because" not in refresh(application, folder, "hourly")
        check_nightly_finds_nothing(application, folder)
