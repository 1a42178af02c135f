"""The pages in a real browser: what it paints, the keyboard, and narrow screens."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, HEIGHT, IS_DONE, PAGES, Browser, browser, served
from conftest import Database
from PIL import Image
from reading import OPERATOR

pytest_plugins = ("reading",)

WIDTHS = (1300, 400)
LAST_TILES_FILL = """
    [...document.querySelectorAll('.ch-tiles')].every(tiles =>
        Math.abs(tiles.lastElementChild.getBoundingClientRect().right
            - tiles.getBoundingClientRect().right) < 2)
"""
# height of the longest page on a phone
MOST_HEIGHT = 9000
# folder for new pictures of the documentation, if somebody wants them
PICTURES = os.environ.get("PICTURES")


@pytest.fixture(scope="module")
def address(marts: Database) -> Iterator[str]:
    """The address of the pages, served for a login that may see all of them."""
    # the form for contacts is a part of the pages
    marts.execute(f"grant customer_health_contact_writer to {OPERATOR}")
    # for pictures, use the database of the environment
    environment = dict(os.environ) if PICTURES else marts.as_user(OPERATOR).os_environment()
    with served(environment) as url:
        yield url


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """A browser; without one these tests are skipped."""
    if not CHROMIUM.exists():
        pytest.skip(f"no browser in {CHROMIUM}: `apt install chromium` brings one")
    with browser() as one:
        yield one


def test_the_bare_address_opens_the_first_page_with_its_choices(
    address: str, window: Browser
) -> None:
    window.open(f"{address}/?tenant=harbor-foods", WIDTHS[0])
    assert window.run("location.pathname + location.search") == "/overview?tenant=harbor-foods"
    assert window.run("document.querySelector('h1').innerText") == PAGES["overview"]
    assert window.run("document.querySelectorAll('[role=dialog]').length") == 0


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_painted_wide_and_narrow(address: str, window: Browser, name: str) -> None:
    for width in reversed(WIDTHS):
        if PICTURES or width < WIDTHS[0]:
            window.open(f"{address}/{name}", width)
        else:
            window.resize(width)
        assert window.run("document.querySelector('h1').innerText") == PAGES[name]
        assert "Traceback" not in window.text()
        # such as "page not found"
        assert window.run("document.querySelectorAll('[role=dialog]').length") == 0
        assert window.run("document.querySelectorAll('[data-testid=stException]').length") == 0
        # nothing overflows to the side
        assert (
            window.run("document.querySelector('[data-testid=stMain]').scrollWidth") <= width
        )
        if width < WIDTHS[0]:
            # no tile stands alone beside empty space
            assert window.run(LAST_TILES_FILL)
            # the closed menu takes no keys: after the link that skips it comes its button
            for _ in range(2):
                window.press("Tab", 9)
                assert window.run("document.activeElement.getBoundingClientRect().left") >= 0
            # a long part waits until the reader opens it
            assert name != "how_good_is_it" or window.run(HEIGHT) < MOST_HEIGHT
        if PICTURES:
            keep_picture(window, f"{name or 'overview'}_{width}", width)


@pytest.mark.slow
def test_long_names_are_broken(refreshed: Database, window: Browser) -> None:
    for name in (
        "customer_account_types.customer_name",
        "customer_risk_status.customer_name",
        "sales_reps.sales_rep_name",
        "customer_analytics.display_name",
        "booking_locations.location_name",
        "platform_organizations.organization_name",
    ):
        mart, column = name.split(".")
        refreshed.execute(f"update analytics.{mart} set {column} = repeat('x', 500)")
    # side by side, the columns of a table must leave each other room
    pages = {"due_to_order?tenant=harbor-foods": 1300, "customer": 400, "bookings": 1300}
    pages["usage_and_accounts"] = 1300
    with served(refreshed.os_environment()) as url:
        for name, width in pages.items():
            window.open(f"{url}/{name}", width)
            assert "xxx" in window.text(), name
            main = "document.querySelector('[data-testid=stMain]').scrollWidth"
            assert window.run(main) <= width, name
            # a part that scrolls to the side by itself, or is cut off
            right = window.run(
                "Math.max(...[...document.querySelectorAll("
                "'.ch-table td, .ch-head, .ch-tile, .ch-bars li')]"
                ".map(part => part.getBoundingClientRect().left + part.scrollWidth))"
            )
            assert right <= width, name


def keep_picture(window: Browser, name: str, width: int, highest: int = 1500) -> None:
    assert PICTURES
    file = Path(PICTURES) / f"{name}.png"
    window.picture(file, width, highest)
    # all colors: fewer of them would change the background or the marks of statuses
    Image.open(file).convert("RGB").save(file, optimize=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_form_for_a_contact_is_painted(address: str, window: Browser, width: int) -> None:
    window.open(f"{address}/customer?contact=new", width)
    form = "document.querySelector('[data-testid=stForm]')"
    for label in ("Outcome", "How", "Note", "Your name", "Save"):
        assert label in window.run(f"{form}.innerText"), label
    assert window.run(f"{form}.getBoundingClientRect().right") <= width
    if PICTURES:
        keep_picture(window, f"contact_{width}", width, 2250 if width < WIDTHS[0] else 1700)


def test_a_tile_that_leads_somewhere_looks_so_and_another_one_does_not(
    address: str, window: Browser
) -> None:
    arrow = "getComputedStyle(tile.querySelector('.ch-word'), '::after').content"
    ground = "getComputedStyle(tile).backgroundColor"
    tiles = []
    # the second has the figures of another limit, which no list has
    for name in ("customer", "how_good_is_it"):
        window.open(f"{address}/{name}", WIDTHS[0])
        tiles += window.run(
            "[...document.querySelectorAll('.ch-tile')].map(tile =>"
            f" [tile.tagName, {arrow} !== 'none', {ground}])"
        )
    assert {tuple(tile) for tile in tiles} == {
        ("A", True, "rgb(255, 255, 255)"),
        ("DIV", False, "rgba(0, 0, 0, 0)"),
    }


def test_what_is_painted_equals_sql(address: str, window: Browser, marts: Database) -> None:
    if PICTURES:
        pytest.skip("of another database")
    window.open(address, WIDTHS[0])
    painted = window.run(
        "[...document.querySelectorAll('.ch-tile')].slice(0, 4).map("
        "tile => tile.querySelector('.ch-figure').innerText)"
    )
    counted = [
        marts.value(
            "select count(*) from analytics.customer_risk_status where risk_status = %s",
            status,
        )
        for status in ("HEALTHY", "AT_RISK_REVENUE", "AT_RISK_CADENCE", "DORMANT")
    ]
    assert painted == [f"{count:,}" for count in counted]
    # the chart is drawn, and its text says what it shows
    assert window.run("document.querySelectorAll('[data-testid=stVegaLiteChart]').length") == 1
    assert "last 90 days" in window.run("document.body.innerHTML")
    # a bar leads to the customers that it counts
    [week] = marts.rows(
        "select week_begins_on, returning_customers from analytics.order_customers_weekly"
        " where tenant_slug = 'harbor-foods' order by week_begins_on desc limit 1"
    )
    window.open(f"{address}/retention?tenant=harbor-foods", WIDTHS[0])
    day = f"{week['week_begins_on']:%-d %b %Y}"
    window.click(f"document.querySelector('[aria-label*=\"{day}\"][aria-label*=Returning]')")
    window.wait_for(f"document.querySelector('h1')?.innerText === 'Rows' && {IS_DONE}")
    assert f"\n{week['returning_customers']} rows. Page 1 of" in window.text()


def test_a_rep_gets_from_the_list_to_a_customer_and_back_by_keyboard(
    address: str, window: Browser
) -> None:
    window.open(f"{address}/due_to_order", WIDTHS[0])
    for _ in range(60):
        window.press("Tab", 9)
        href = window.run("document.activeElement.getAttribute('href') || ''")
        if re.match(r"customer\?", href):
            break
    else:
        pytest.fail("no key leads to a customer")
    name = window.run("document.activeElement.innerText")
    # the focus is visible
    assert window.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    window.press("Enter", 13)
    window.wait_for(
        "document.querySelector('h1') !== null"
        " && document.querySelector('h1').innerText === 'Customer'"
        " && document.querySelector('h3') !== null"
    )
    assert window.run("document.querySelector('h3').innerText") == name
    assert "Rules" in window.text()


def test_a_manager_tries_another_limit_by_keyboard(
    address: str, window: Browser, marts: Database
) -> None:
    if PICTURES:
        pytest.skip("of another database")
    window.open(f"{address}/how_good_is_it", WIDTHS[0])
    # predicted against observed, and the limits
    assert window.run("document.querySelectorAll('[data-testid=stVegaLiteChart]').length") == 2
    assert "is today's setting." in window.text()
    window.run("document.querySelector('[data-testid=stSlider] input').focus()")
    window.press("ArrowRight", 39)
    window.wait_for("document.body.innerText.includes('would change status.')")
    row = marts.rows(
        "select today.value as today, tried.* from analytics.threshold_what_if as today"
        " inner join analytics.threshold_what_if as tried"
        " using (tenant_id, tenant_slug, setting)"
        " where today.is_current and setting = 'dormant_days'"
        " and tried.value = today.value + 1"
        " order by tenant_slug limit 1"
    )[0]
    moved = "customer" if row["moved_count"] == 1 else "customers"
    assert (
        f"At {row['value']} days (today {row['today']}), {row['moved_count']} {moved} would"
        " change status." in window.text()
    )
