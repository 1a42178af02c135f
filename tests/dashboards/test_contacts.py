"""Contacts on the pages: who sees the form, what it writes, and what the page then shows."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
import streamlit as st
from browser import CHROMIUM, IS_DONE, browser, served
from conftest import Database
from reading import Point, instead_of, markup, page, plain, text, tiles
from streamlit.testing.v1 import AppTest

from dashboards import contacts, data, downloads, look
from dashboards.downloads import due_to_order

pytest_plugins = ("reading",)

REP = "pages_rep"
WRITER = "customer_health_contact_writer"
HOSTILE = "<img src=x onerror=alert(1)> *bold* [a](b)"


@pytest.fixture
def rep(refreshed: Database, look_at: Point) -> Iterator[Database]:
    """Use the pages as a tenant's rep who may write; yield a database with all rights."""
    role = refreshed.value(
        "select role_name from operations.tenant_roles inner join analytics.tenants"
        " on tenant = tenant_id::text where tenant_slug = 'harbor-foods'"
    )
    refreshed.execute(f"create role {REP} login in role {role}, {WRITER}")
    look_at(refreshed.as_user(REP))
    yield refreshed
    refreshed.execute(f"drop owned by {REP}; drop role {REP}")


def written(database: Database) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = database.rows(
        "select * from operations.customer_contacts order by recorded_at, contact_id"
    )
    return rows


def listed(shown: AppTest) -> list[str]:
    """Return the customers of the form, in the order of the list."""
    return list(shown.selectbox[-1].options)


def correct(shown: AppTest, contact_id: object) -> None:
    """Choose which contact the next one corrects."""
    [box] = [box for box in shown.selectbox if box.label == "This is"]
    box.set_value(str(contact_id)).run()
    assert not shown.exception


def correcting(rep: Database, said: str) -> tuple[AppTest, dict[str, Any]]:
    """Add a contact by SQL, and return the page with the form that corrects it."""
    rep.execute(
        "insert into operations.customer_contacts"
        " (tenant_id, customer_id, contacted_at, channel, outcome, note, snoozed_until)"
        f" select tenant_id, customer_id, {said}"
        " from analytics.due_to_order where tenant_slug = 'harbor-foods' limit 1"
    )
    [first] = written(rep)
    shown = page("customer", customer=f"{first['tenant_id']}/{first['customer_id']}")
    correct(shown, first["contact_id"])
    return shown, first


def your_name(shown: AppTest) -> Any:
    [field] = [field for field in shown.text_input if field.label == "Your name"]
    return field


def save(shown: AppTest) -> AppTest:
    shown.button[-1].click().run()
    assert not shown.exception
    return shown


@pytest.mark.parametrize(
    "setting",
    ["default_transaction_read_only = on", "default_transaction_isolation = serializable"],
)
def test_a_contact_is_saved_whatever_the_defaults_of_the_database_are(
    rep: Database, setting: str
) -> None:
    shown = page("due_to_order")
    rep.execute(f"alter role {REP} set {setting}")
    with rep.as_user(REP).connect() as other, other.transaction():
        # a serializable transaction that fails if another one writes what it has not seen
        other.execute("select count(*) from operations.customer_contacts")
        save(shown)
    assert len(written(rep)) == 1


def test_the_page_counts_snoozed_customers_and_does_not_list_them(rep: Database) -> None:
    shown = page("due_to_order")
    before = int(tiles(shown)["Overdue"])
    # another customer of the same name may come later in the list
    key, whom = next(
        (row["key"], row["customer_name"])
        for row in rep.rows(
            "select min(tenant_id || '/' || customer_id) as key, customer_name"
            " from analytics.due_to_order where tenant_slug = 'harbor-foods'"
            " group by customer_name having count(*) = 1"
        )
        if row["customer_name"] in listed(shown)
    )
    shown.selectbox[-1].set_value(key)
    shown.radio[0].set_value("WILL_ORDER")
    shown.radio[1].set_value("EMAIL")
    shown.text_area[0].set_value(f"  {HOSTILE}\n")
    your_name(shown).set_value("Ann")
    save(shown)
    [row] = written(rep)
    today = datetime.now(UTC).date()
    assert (row["channel"], row["outcome"], row["note"]) == ("EMAIL", "WILL_ORDER", HOSTILE)
    assert (row["contacted_by"], row["recorded_by"]) == ("Ann", REP)
    assert row["snoozed_until"] == today + timedelta(7)
    assert f"Saved: {whom}, will order." in text(shown)
    # chosen by key, because another customer of the same name may come later in the list
    link = f"customer={row['tenant_id']}%2F{row['customer_id']}"
    assert link not in markup(shown)
    # the next contact starts as the first one did, but with the name of who works
    assert [radio.value for radio in shown.radio] == ["REACHED", "PHONE"]
    assert (shown.text_area[0].value, your_name(shown).value) == ("", "Ann")
    assert sum(map(int, tiles(shown).values())) == rep.value(
        "select count(*) - 1 from analytics.due_to_order where tenant_slug = 'harbor-foods'"
    )
    assert int(tiles(shown)["Overdue"]) in (before, before - 1)
    [box] = shown.checkbox
    assert "1 customer that somebody has contacted and snoozed" in box.label
    box.check().run()
    assert link in markup(shown)
    assert "Snoozed until" in text(shown)
    assert "will order" in text(shown)
    # a link to it shows the same, and the tiles keep the choice
    assert box.proto.query_param_key == "snoozed"
    assert "snoozed=true" in markup(shown)
    assert link in markup(page("due_to_order", snoozed="true"))
    # the file has the same rows as the list
    chosen = {"tenant": None, "sales_rep": None, "is_unowned": False, "search": None}
    for is_shown in (False, True):
        rows = due_to_order(
            chosen | {"buckets": ["OVERDUE", "DUE_TODAY"], "is_snoozed_shown": is_shown}
        )
        said = [
            (line["last_outcome"], line["snoozed_until"])
            for line in rows
            if line["customer_id"] == row["customer_id"]
        ]
        assert said == ([("WILL_ORDER", row["snoozed_until"])] if is_shown else [])


def test_a_contact_is_shown_beside_the_status_as_plain_text(rep: Database) -> None:
    [customer] = rep.rows(
        "select tenant_id || '/' || customer_id as key, reason from analytics.due_to_order"
        " where tenant_slug = 'harbor-foods' and due_bucket = 'OVERDUE'"
        " order by customer_id limit 1"
    )
    shown = page("customer", customer=customer["key"])
    assert "Noted:" not in text(shown)
    shown.radio[0].set_value("LOST")
    shown.date_input[0].set_value(datetime.now(UTC).date())
    save(shown)
    # a lost customer needs a day at which the snooze ends
    assert "“Lost” needs a day after today" in text(shown)
    assert not written(rep)
    shown.date_input[0].set_value(datetime.now(UTC).date() + timedelta(30))
    shown.text_area[0].set_value(HOSTILE)
    save(shown)
    assert "Noted: lost, snoozed until" in text(shown)
    assert "Late since" in text(shown)
    assert "<img" not in markup(shown)
    assert HOSTILE in text(shown)

    # the next contact is not lost, too, nor snoozed as long
    assert shown.radio[0].value == "REACHED"
    assert shown.date_input[0].value == datetime.now(UTC).date() + timedelta(7)
    # a correction is another row; it starts with what the first one says, and has its time
    correct(shown, written(rep)[0]["contact_id"])
    assert shown.radio[0].value == "LOST"
    shown.radio[0].set_value("REACHED")
    save(shown)
    assert "Noted: reached, snoozed until" in text(shown)
    assert "corrected" in text(shown)
    first, second = written(rep)
    changed = dict.fromkeys(
        ("contact_id", "outcome", "corrects_contact_id", "recorded_at", "recorded_by")
    )
    assert second["corrects_contact_id"] == first["contact_id"]
    assert {**second, **changed} == {**first, **changed}
    # a correction may say that the contact never took place
    correct(shown, second["contact_id"])
    shown.radio[0].set_value("WITHDRAWN")
    save(shown)
    assert "No contacts yet" in text(shown)
    assert "Noted:" not in text(shown)
    assert rep.value("select count(*) from analytics.effective_contacts") == 0
    assert len(written(rep)) == 3


def test_what_people_write_is_shown_as_they_wrote_it(rep: Database) -> None:
    key = rep.value(
        "update analytics.customer_account_types set customer_name = 'A `b` <i>c</i>'"
        " where (tenant_id, customer_id) = (select tenant_id, customer_id"
        " from analytics.due_to_order where tenant_slug = 'harbor-foods' limit 1)"
        " returning tenant_id || '/' || customer_id"
    )
    shown = page("customer", customer=str(key))
    shown.text_area[0].set_value("one\n\n`two` & <b>three</b>")
    save(shown)
    assert "Saved: A `b` <i>c</i>, reached." in text(shown)
    # with its line breaks
    assert '<p class="ch-said">one\n\n`two` &amp; &lt;b&gt;' in markup(shown)
    assert re.search(r"\.ch-said \{[^}]*white-space: pre-line", look.STYLE.read_text())


def test_a_correction_offers_only_days_that_the_table_takes(rep: Database) -> None:
    shown, _ = correcting(rep, "now() - interval '100 days', 'VISIT', 'REACHED', null, null")
    last = shown.date_input[0].max
    assert datetime.now(UTC).date() + timedelta(200) < last
    shown.date_input[0].set_value(last)
    save(shown)
    assert [row["snoozed_until"] for row in written(rep)] == [None, last]


def test_a_contact_is_listed_under_the_day_of_its_tenant(
    refreshed: Database, look_at: Point
) -> None:
    """In New Zealand, an evening in UTC is the next morning."""
    refreshed.execute(
        "insert into operations.customer_contacts"
        " (tenant_id, customer_id, contacted_at, channel, outcome)"
        " select tenant_id, customer_id, '2026-06-10 21:00+00', 'PHONE', 'REACHED'"
        " from analytics.due_to_order where tenant_slug = 'kiwi-produce'"
    )
    look_at(refreshed)
    said = text(page("due_to_order", tenant="kiwi-produce", due="Overdue"))
    assert "Contacted 11 Jun 2026: reached." in said
    assert "Contacted 10 Jun" not in said
    key = refreshed.value(
        "select tenant_id || '/' || customer_id from operations.customer_contacts limit 1"
    )
    of_one = page("customer", customer=str(key))
    assert "11 Jun 2026, 09:00 ·" in text(of_one)
    [box] = [box for box in of_one.selectbox if box.label == "This is"]
    assert box.options[1] == "a correction of “Phone, reached”, 11 Jun 2026, 09:00"


def test_contacts_of_one_minute_are_told_apart(rep: Database) -> None:
    rep.execute(
        "insert into operations.customer_contacts"
        " (tenant_id, customer_id, contacted_at, channel, outcome, note)"
        " select tenant_id, customer_id, '2026-06-10 21:00+00', channel, 'REACHED', note"
        " from (select tenant_id, customer_id from analytics.due_to_order"
        " where tenant_slug = 'harbor-foods' limit 1) as one"
        " cross join (values ('PHONE', 'a'), ('PHONE', 'b'), ('EMAIL', 'c'))"
        " as said (channel, note)"
    )
    rows = written(rep)
    key = f"{rows[0]['tenant_id']}/{rows[0]['customer_id']}"
    for row in rows:
        shown = page("customer", customer=key)
        [box] = [box for box in shown.selectbox if box.label == "This is"]
        assert len(set(box.options)) == 4
        assert any("“E-mail, reached”" in words for words in box.options)
        correct(shown, row["contact_id"])
        assert shown.text_area[0].value == row["note"]


def test_what_is_said_about_a_snooze_is_what_holds(rep: Database) -> None:
    today = datetime.now(UTC).date()
    shown, first = correcting(
        rep, "now() - interval '1 day', 'VISIT', 'REACHED', null, current_date + 9"
    )

    def saved(until: int) -> str:
        shown.date_input[0].set_value(today + timedelta(until))
        said = text(save(shown)).partition("Saved: ")[2]
        return said.partition("order.")[0]

    [box] = [box for box in shown.selectbox if box.label == "This is"]
    box.set_value("").run()
    # a contact without a day leaves an earlier snooze in place
    assert f"Snoozed until {plain(look.day(today + timedelta(9)))} or its next" in saved(0)
    assert f"Snoozed until {plain(look.day(today + timedelta(20)))} or its next" in saved(20)
    # a later contact decides
    correct(shown, first["contact_id"])
    assert f"Snoozed until {plain(look.day(today + timedelta(20)))} or its next" in saved(5)
    assert len(written(rep)) == 4
    # it has ordered since
    rep.execute(
        "update analytics.customer_account_types set last_ordered_at = now() + interval '1 h'"
    )
    box = next(box for box in shown.selectbox if box.label == "This is")
    box.set_value("").run()
    shown.date_input[0].set_value(today + timedelta(30))
    assert "Saved: " in text(save(shown))
    assert "Not snoozed: it has ordered since, or a later contact decides." in text(shown)


def test_a_correction_leaves_a_snooze_that_is_over(rep: Database) -> None:
    """Otherwise an earlier snooze would apply again."""
    shown, first = correcting(
        rep, "now() - interval '9 days', 'VISIT', 'LOST', 'a', current_date - 2"
    )
    shown.text_area[0].set_value("b")
    save(shown)
    second = written(rep)[1]
    for column in ("contacted_at", "contacted_by", "channel", "outcome", "snoozed_until"):
        assert second[column] == first[column], column
    assert second["note"] == "b"


def test_a_contact_is_written_once_however_often_the_button_is_pressed(rep: Database) -> None:
    [customer] = rep.rows(
        "select tenant_id::text, customer_id::text"
        " from analytics.due_to_order where tenant_slug = 'harbor-foods' limit 1"
    )
    said = {
        **customer,
        "contact_id": uuid4(),
        "channel": "PHONE",
        "outcome": "REACHED",
        **dict.fromkeys(("contacted_at", "contacted_by", "note", "snoozed_until")),
        "corrects_contact_id": None,
    }
    contacts.write(said)
    contacts.write(said)
    assert len(written(rep)) == 1
    # saved, but the answer was lost; then somebody changed the form
    with pytest.raises(contacts.NotWritten, match="before you changed it"):
        contacts.write(said | {"outcome": "WILL_ORDER"})
    again = said | {"corrects_contact_id": said["contact_id"]}
    contacts.write(again | {"contact_id": uuid4()})
    with pytest.raises(contacts.NotWritten, match="already has a correction"):
        contacts.write(again | {"contact_id": uuid4()})
    other = rep.value(
        "select tenant_id::text from analytics.tenants where tenant_slug = 'kiwi-produce'"
    )
    with pytest.raises(contacts.NotWritten, match="may not save this contact"):
        contacts.write(said | {"contact_id": uuid4(), "tenant_id": other})
    with pytest.raises(contacts.NotWritten, match="cannot be saved"):
        contacts.write(said | {"contact_id": uuid4(), "note": "x" * 2001})


@pytest.mark.parametrize("name", ["due_to_order", "customer"])
def test_who_may_not_write_has_no_form_and_is_told_what_is_missing(
    rep: Database, look_at: Point, name: str
) -> None:
    shown = page(name)
    assert len(shown.text_area) == 1
    assert ("contact=new" in markup(shown)) == (name == "due_to_order")
    rep.execute(f"revoke {WRITER} from {REP}")
    look_at(rep.as_user(REP))
    shown = page(name)
    assert "This login may not save contacts" in text(shown)
    assert f"grant {WRITER} to {REP}" in text(shown)
    assert not shown.text_area
    assert "contact=new" not in markup(shown)
    # without roles, a login that owns the table may
    look_at(rep)
    assert len(page(name).text_area) == 1


def test_who_is_held_out_is_counted_and_not_shown(rep: Database) -> None:
    count = "select count(*) from analytics.due_to_order where tenant_slug = 'harbor-foods'"
    due = int(str(rep.value(count)))
    # as if the random hold-out had chosen them: in the list, and in what it is counted from
    for mart in ("due_to_order", "due_customers"):
        rep.execute(
            f"alter view analytics.{mart} rename to {mart}_before;"
            f" create view analytics.{mart} with (security_invoker) as"
            " select (jsonb_populate_record(due, jsonb_build_object('is_held_out',"
            f" due.customer_id::text < '8'))).* from analytics.{mart}_before as due;"
            f" grant select on analytics.{mart} to customer_health_tenant"
        )
    data.read.clear()
    held_out = int(str(rep.value(f"{count} and is_held_out")))
    shown = page("due_to_order")
    assert isinstance(due, int)
    assert isinstance(held_out, int)
    assert held_out > 1
    assert f"with those shown: {held_out} more customers." in text(shown)
    assert sum(map(int, tiles(shown).values())) == due - held_out


def test_what_contacts_are_worth_is_told_with_how_sure_that_is(
    rep: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, Any] = {}
    monkeypatch.setattr(
        downloads, "offer", lambda caption, found, _: files.update({caption: found})
    )
    shown = page("how_good_is_it")
    assert "Nothing to compare yet: no contact is old enough" in text(shown)
    assert "This is not an experiment" in text(shown)
    assert "hold some customers out of the list" in text(shown)
    numbers = "treated_customers, others_customers, treated_share, others_share, difference,"
    rep.execute(
        instead_of(
            "contact_effect",
            f"select * from (values"
            " ('CONTACTED', 14, 40, 50, 0.5, 0.25, 0.25, 0.1, 0.4, null),"
            " ('CONTACTED', 30, 29, 50, null, null, null, null, null, null),"
            f" ('CONTACTED', 14, 40, 50, 0.5, 0.25, 0.25, 0.1, 0.4, '{UUID(int=1)}'),"
            " ('SHOWN', 30, 40, 50, 0.5, 0.45, 0.05, -0.15, 0.25, null))"
            f" as given (comparison, horizon_days, {numbers} difference_low, difference_high,"
            " sales_rep_id)",
        )
    )
    data.read.clear()
    said = text(page("how_good_is_it"))
    assert (
        "Of 100 customers that were contacted, 50 ordered within 14 days; of 100 others, 25."
        " The difference is +25 (95 % interval: +10 to +40). More of them order." in said
    )
    [of_one] = files["Effect of contacts, by sales rep"]
    # no text such as "+25", which would be taken for a formula
    assert float(of_one["difference_low"]) == pytest.approx(0.1)
    assert "Within 30 days: too few customers to tell. 29 were contacted, 50 were not" in said
    assert "+5 (95 % interval: -15 to +25). Whether it helps is not clear." in said
    assert said.index("This is an experiment") < said.index("This is not an experiment")
    # it is on already
    assert "hold some customers out of the list" not in said
    # all else does not wait for it
    rep.execute("drop view analytics.contact_effect")
    data.read.clear()
    without = page("how_good_is_it")
    assert "contact_effect" in text(without)
    assert [part.value for part in without.subheader] == [
        part.value for part in shown.subheader
    ]


@pytest.mark.slow
def test_a_rep_works_through_ten_customers_by_keyboard_on_a_telephone(rep: Database) -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser in {CHROMIUM}: `apt install chromium` brings one")
    focused = (
        "(() => { const one = document.activeElement; return one.tagName + ' '"
        " + (one.getAttribute('aria-label') || one.innerText); })()"
    )
    with served(rep.as_user(REP).os_environment()) as url, browser() as window:
        window.open(f"{url}/due_to_order", 400)

        def go(to: str, *, back: bool = False) -> None:
            for _ in range(60):
                window.press("Tab", 9, with_shift=back)
                if window.run(focused).startswith(to):
                    return
            pytest.fail(f"no key leads to {to}")

        go("SUMMARY")
        assert "Add a contact" in window.run(focused)
        window.press("Enter", 13)
        window.wait_for("document.querySelector('details[open] textarea') !== null")
        for number in range(10):
            # back from the button pressed last, which keeps the focus
            assert number == 0 or window.run(focused) == "BUTTON Save"
            go("INPUT Customer", back=number > 0)
            whom = window.run("document.activeElement.value")
            go("TEXTAREA Note")
            window.type(f"said {number}")
            go("BUTTON Save")
            window.press("Enter", 13)
            window.wait_for(f"document.body.innerText.includes({f'Saved: {whom}'!r})")
            window.wait_for(IS_DONE)
            assert (
                window.run("document.querySelector('[data-testid=stMain]').scrollWidth") <= 400
            )
    rows = written(rep)
    assert [row["note"] for row in rows] == [f"said {number}" for number in range(10)]
    assert len({row["customer_id"] for row in rows}) == 10
    assert (
        rep.value(
            "select count(*) from analytics.due_to_order where snoozed_until is not null"
        )
        == 10
    )


@pytest.mark.parametrize(("zone", "hours"), [("Pacific/Kiritimati", 14), (None, 0), ("x", 0)])
def test_the_day_is_that_of_the_reader(
    monkeypatch: pytest.MonkeyPatch, zone: str | None, hours: int
) -> None:
    monkeypatch.setattr(st, "context", SimpleNamespace(timezone=zone))
    assert contacts.today_of_reader() == (datetime.now(UTC) + timedelta(hours=hours)).date()
