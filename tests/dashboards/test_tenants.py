"""What a tenant sees: its own rows, and no trace of any other tenant, not even as a choice."""

import re

import pytest
from conftest import Database
from reading import (
    ANALYST,
    TENANT,
    Point,
    everything,
    markup,
    page,
    screens,
    text,
    tiles,
)

from dashboards import data
from dashboards.queries import PAGES

pytest_plugins = ("reading",)

# the roles of one tenant in each system, which one login may have together
OURS = {
    "orders": "kiwi-produce",
    "bookings": "sunset-spa",
    "usage": "dogwood-energy",
    "accounts": "compass-cloud",
}
KEYS = {
    "orders": ("tenants", "tenant"),
    "bookings": ("booking_organizations", "organization"),
    "usage": ("platform_organizations", "organization"),
    "accounts": ("success_organizations", "organization"),
}
# pages on which a reader without a filter sees other tenants
BUSY = sorted(set(screens()) - {"operations"})


@pytest.fixture
def as_tenant(marts: Database, look_at: Point) -> Database:
    """Use the pages with the roles of two tenants; return a database that may read all."""
    for system, slug in OURS.items():
        mart, key = KEYS[system]
        role = marts.value(
            "select role_name from operations.tenant_roles where system = %s and tenant ="
            f" (select {key}_id::text from analytics.{mart} where {key}_slug = %s)",
            system,
            slug,
        )
        marts.execute(f"grant {role} to {TENANT}")
    look_at(marts.as_user(TENANT))
    return marts


def others(database: Database) -> dict[str, list[str]]:
    """Return names and keys that only other tenants have: of tenants, people and places."""
    query = """
        with names as (
            select 'tenant' as kind, tenant_slug = %(orders)s as is_ours, name
            from analytics.tenants
            cross join lateral (values
                (tenant_slug), (tenant_name), (tenant_id::text)) as names (name)
            union all
            select 'organization', organization_slug = %(bookings)s, name
            from analytics.booking_organizations
            cross join lateral (values
                (organization_slug), (organization_name), (organization_id::text)
            ) as names (name)
            union all
            select 'subscriber', organization_slug = %(usage)s, name
            from analytics.platform_organizations
            cross join lateral (values
                (organization_slug), (organization_name), (organization_id::text)
            ) as names (name)
            union all
            select 'success', organization_slug = %(accounts)s, name
            from analytics.success_organizations
            cross join lateral (values
                (organization_slug), (organization_name), (organization_id::text)
            ) as names (name)
            union all
            select 'account', organization_slug = %(accounts)s, name
            from analytics.account_profiles
            inner join analytics.success_organizations using (organization_id)
            cross join lateral (values (account_name), (account_id::text)) as names (name)
            union all
            select 'rep', tenant_slug = %(orders)s, name
            from analytics.sales_reps inner join analytics.tenants using (tenant_id)
            cross join lateral (values
                (sales_rep_name), (sales_rep_email), (sales_rep_id::text)) as names (name)
            union all
            select 'customer', tenant_slug = %(orders)s, name
            from analytics.customer_account_types
            inner join analytics.tenants using (tenant_id)
            cross join lateral (values (customer_name), (customer_id::text)) as names (name)
            union all
            select 'visitor', organization_slug = %(bookings)s, name
            from analytics.customer_analytics
            inner join analytics.booking_organizations using (organization_id)
            cross join lateral (values (email_address), (phone_number)) as names (name)
        )
        select kind, name from names as theirs
        where length(name) > 3
        group by kind, name
        having not bool_or(is_ours)
        -- "Old Market" stands in our "Old Market 2" as well
        and not exists (
            select from names as ours
            where ours.is_ours and position(theirs.name in ours.name) > 0
        )
    """
    for system, slug in OURS.items():
        query = query.replace(f"%({system})s", f"'{slug}'")
    found = database.rows(query)
    names: dict[str, list[str]] = {}
    for row in found:
        names.setdefault(row["kind"], []).append(row["name"])
    return names


def _foreign(database: Database, mart: str, column: str) -> str:
    """The key of a tenant that the reader may not see."""
    return str(
        database.value(
            f"select {column} from analytics.{mart} inner join analytics.tenants"
            " using (tenant_id) where tenant_slug = 'harbor-foods' order by 1 limit 1"
        )
    )


def _foreign_account(database: Database) -> str:
    return str(
        database.value(
            "select organization_id || '/' || account_id from analytics.account_profiles"
            " inner join analytics.success_organizations using (organization_id)"
            " where organization_slug = 'beacon-software' order by 1 limit 1"
        )
    )


def test_the_tenants_have_distinguishing_names(marts: Database) -> None:
    found = others(marts)
    assert "harbor-foods" in found["tenant"]
    assert "glow-salon" in found["organization"]
    assert "cedar-health" in found["subscriber"]
    assert "beacon-software" in found["success"]
    assert len(found["account"]) > 20
    assert len(found["customer"]) > 100
    assert found["rep"]
    assert found["visitor"]


def test_an_analyst_sees_all_tenants(marts: Database, look_at: Point) -> None:
    # otherwise the test below would find nothing, whatever the pages show
    look_at(marts.as_user(ANALYST))
    for name, expected in (
        ("overview", "harbor-foods"),
        ("due_to_order", "harbor-foods"),
        ("bookings", "glow-salon"),
        ("customer", "harbor-foods"),
        ("how_good_is_it", "harbor-foods"),
        ("retention", "harbor-foods"),
        ("usage_and_accounts", "cedar-health"),
    ):
        assert expected in everything(page(name)), name


@pytest.mark.parametrize("name", BUSY)
def test_a_page_shows_no_other_tenant(as_tenant: Database, name: str) -> None:
    names = others(as_tenant)
    for query in (
        {},
        {"system": "Bookings", "of": "Accounts"},
        # another tenant's customer, by a link or by guessing
        {"tenant": "harbor-foods", "organization": "glow-salon", "success": "beacon-software"},
        {
            "owner": _foreign(as_tenant, "sales_reps", "tenant_id || '/' || sales_rep_id"),
        },
        {"of": "Accounts", "account": _foreign_account(as_tenant)},
        {
            "customer": _foreign(
                as_tenant, "customer_account_types", "tenant_id || '/' || customer_id"
            )
        },
    ):
        shown = page(name, **query)
        sent = everything(shown)
        # customers that they may not see do not exist for them
        has_figures = tiles(shown) or re.search('class="ch-(rule|table)"', markup(shown))
        assert has_figures or "was not found" in text(shown), query
        for kind, found in names.items():
            for one in found:
                assert one not in sent, f"{kind} {one} on {name} {query}"


def test_tiles_count_the_rows_of_the_tenant(as_tenant: Database) -> None:
    figures = tiles(page("due_to_order"))
    assert sum(int(figure) for figure in figures.values()) == as_tenant.value(
        "select count(*) from analytics.due_to_order where tenant_slug = 'kiwi-produce'"
    )
    # with one tenant there is nothing to choose
    for tenant in ({}, {"tenant": "kiwi-produce"}, {"tenant": "All tenants"}):
        assert [box.label for box in page("overview", **tenant).selectbox] == []
    # but nobody may take their own figures for another's
    shown = page("overview", tenant="harbor-foods")
    for _ in range(2):
        assert "That tenant was not found" in text(shown)
        assert tiles(shown) == {}
        shown.run()
    shown.selectbox(key="tenant").set_value("kiwi-produce").run()
    assert tiles(shown) == tiles(page("overview"))


@pytest.mark.usefixtures("as_tenant")
def test_operations_is_not_for_tenants() -> None:
    shown = page("operations")
    assert "for those who run the refreshes" in text(shown)
    assert tiles(shown) == {}


def test_a_chosen_role_is_not_widened(
    marts: Database, look_at: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = marts.value(
        "select role_name from operations.tenant_roles where tenant ="
        " (select tenant_id::text from analytics.tenants where tenant_slug = 'kiwi-produce')"
    )
    # the login may do everything, but has chosen a role
    monkeypatch.setenv("PGOPTIONS", f"-c role={role}")
    look_at(marts)
    tenants = data.fetch(["tenants"], {})["tenants"]
    assert [row["tenant_slug"] for row in tenants] == ["kiwi-produce"]
    with pytest.raises(data.NothingToShow, match="for those who run"):
        data.fetch(PAGES["operations"], {}, is_for_operators=True)
