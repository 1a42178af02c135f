"""Messages: their text, their formats, and the way to a mail server."""

import html
import json
import re
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID
from markdown_it import MarkdownIt
from receivers import MailReceiver, read_mail, serving

from flows import channels
from flows.channels import channels_of_environment
from flows.messages import SECTIONS, Line, Message, message_of
from flows.messages.formats import (
    SLACK_BYTES,
    TEAMS_BYTES,
    html_of,
    json_of,
    mail_of,
    mattermost_of,
    slack_of,
    teams_of,
    text_of,
)

PAGES = "https://health.example.com"


def line(section: str, name: str | None, words: str, **more: Any) -> dict[str, Any]:
    return {"section": section, "tenant": "harbor", "name": name, "words": words} | {
        "of": more.pop("of", 1),
        "link": more.pop("link", None),
        **more,
    }


def row(*lines: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "message_id": "1-2-3",
        "kind": "alerts",
        "reach": "owner",
        "tenant_slug": "harbor",
        "address": "ana@example.com",
        "recipient_name": "Ana",
        "body": list(lines),
        **changes,
    }


ALERTS = row(
    line("CUSTOMER_DORMANT recovered", "Sol", "On time", currency="EUR"),
    line(
        "HIGH_VALUE_CUSTOMER_DORMANT raised",
        "Luna",
        "Dormant since 2026-06-01",
        expected_amount_90d=1234.5,
        revenue_at_risk=99,
        currency="EUR",
        link="t/c",
    ),
    line("CUSTOMER_DORMANT raised", "Mar", "Late", revenue_at_risk=80.4, of=23),
)
MESSAGE = message_of(ALERTS, PAGES)

# a name that would be markup in one of the formats, and one that would be another header
EVIL = (
    "<b>*A*</b> [x](http://evil.example) <!channel> @all ~town #x :y: www.evil.example `y`"
    " &lt;&#42;\r\nBcc: eve@evil.example"
)
AS_TEXT = " ".join(EVIL.split())
WICKED = message_of(
    row(
        line("CUSTOMER_DORMANT raised", EVIL, f"{EVIL} again", link="t/c"),
        line("CUSTOMER_DORMANT recovered", EVIL, "back"),
        tenant_slug=EVIL,
        recipient_name=EVIL,
    ),
    PAGES,
)


def test_a_message_reads_as_it_should() -> None:
    assert MESSAGE.subject == (
        "harbor: high-value customers now dormant (1), customers now dormant (23), customers"
        " back (1)"
    )
    assert text_of(MESSAGE) == (
        "Hello Ana, here is what is new with your customers at harbor.\n"
        "\n"
        "High-value customers now dormant (1)\n"
        "- Luna: Dormant since 2026-06-01 · 1,234 EUR expected within 90 days\n"
        "  https://health.example.com/customer?customer=t%2Fc\n"
        "\n"
        "Customers now dormant (23)\n"
        "- Mar: Late · usually orders 80 in 30 days\n"
        "  and 22 more\n"
        "\n"
        "Customers back (1)\n"
        "- Sol: On time\n"
        "\n"
        "You receive this because you look after these customers. To change the address, set"
        " quiet hours or unsubscribe, ask your administrator.\n"
    )


def test_a_name_hides_and_turns_nothing_round() -> None:
    # marks of direction, and joiners that nobody sees
    hidden = "\u061c\u180e\u200b\u200f\u202e\u2060\u2064\u2067\u206f\ufeff"
    # what families of emoji and Persian words need
    kept = "\U0001f469\u200d\U0001f467 \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
    name = hidden.join(("Mar", kept, "Sol"))
    shown = message_of(row(line("CUSTOMER_DORMANT raised", name, "Late")), PAGES)
    assert shown.sections[0].lines[0].name == f"Mar {kept} Sol"
    # without a name that anybody sees, the link has the id
    for name in ("\u200b", " ", ""):
        unseen = row(line("CUSTOMER_DORMANT raised", name, "Late", link="t/c-1"))
        assert message_of(unseen, PAGES).sections[0].lines[0].name == "c-1"


def test_a_weekly_message_names_its_week_and_the_team_hears_of_tenants() -> None:
    week = {"week_begins_on": "2026-06-08"}
    weekly = message_of(
        row(
            line("LOST", "Sol", "dormant since 2026-06-10", **week),
            line("CALL_FIRST", "Luna", "Late", **week),
            kind="weekly",
        ),
        "",
    )
    assert weekly.subject == "harbor, week of 8 June 2026: call first (1), lost (1)"
    assert text_of(weekly).startswith(
        "Hello Ana, here is what happened with your customers at harbor in the week of 8 June"
        " 2026.\n"
    )
    assert "http" not in text_of(weekly)
    team = message_of(
        row(
            line("TENANTS", None, "3 became late", **week),
            kind="weekly",
            reach="team",
            tenant_slug="",
        ),
        PAGES,
        "berlin",
    )
    assert team.subject == (
        "all tenants of berlin, week of 8 June 2026: the week by tenant (1)"
    )
    assert "- harbor: 3 became late\n" in text_of(team)
    assert text_of(team).endswith(" It covers all tenants of berlin.\n")
    # a kind without a title
    other = message_of(row(line("SHOP_BURNS raised", None, "help")), "")
    assert other.subject == "harbor: shop burns raised (1)"


@pytest.mark.parametrize(
    ("said", "reach", "name", "address"),
    [
        (
            line("ACCOUNT_CHURN_RISK raised", "Acme", "the churn risk is 90", link="o/a b"),
            *("team", "harbor: Acme", "usage_and_accounts?of=Accounts&account=o%2Fa+b"),
        ),
        (
            line("ACCOUNT_ENGAGEMENT_GAP raised", "", "40 days", link="o/a"),
            *("tenant", "a", "usage_and_accounts?of=Accounts&account=o%2Fa"),
        ),
        (
            line("TENANT_HEALTH_LOW raised", None, "the health score is 41", link="o"),
            *("tenant", "harbor", "usage_and_accounts?of=Usage&organization_id=o"),
        ),
        (
            line("ACCOUNT_TYPE_SHARE raised", None, "90 % are TARGET", link="TARGET"),
            *("team", "harbor", "rows?of=customers&tenant=harbor&account_type=TARGET"),
        ),
        (
            line("FEED_SILENT raised", None, "nothing has been delivered"),
            *("tenant", "harbor", "due_to_order?tenant=harbor&due=Overdue"),
        ),
        (
            line("GUARD_TRIPPED raised", None, "write-back held"),
            *("tenant", "harbor", "rows?of=moves&tenant=harbor&kind=risk_status"),
        ),
        (
            line("GUARD_TRIPPED raised", None, "write-back held"),
            *("team", "harbor", "operations"),
        ),
        (
            line("REFRESH_FAILED raised", None, "it has failed", link="refresh_hourly")
            | {"tenant": ""},
            *("team", "Operations", "rows?of=runs&job=refresh_hourly"),
        ),
        (
            line("REFRESH_OVERDUE raised", None, "no refresh", link="refresh")
            | {"tenant": ""},
            *("team", "Operations", "operations"),
        ),
        (
            line("TENANTS", None, "3 became late", week_begins_on="2026-06-08"),
            "team",
            "harbor",
            "due_to_order?tenant=harbor&due=Overdue&due=Due+today&due=Due+soon&due=Dormant",
        ),
        (line("SHOP_BURNS raised", None, "help"), "team", "harbor", ""),
    ],
)
def test_each_line_leads_to_what_it_is_about(
    said: dict[str, Any], reach: str, name: str, address: str
) -> None:
    kind = "weekly" if said["section"] == "TENANTS" else "alerts"
    [section] = message_of(row(said, reach=reach, kind=kind), PAGES).sections
    assert section.lines == (Line(name, said["words"], address and f"{PAGES}/{address}"),)
    # the name is what a reader clicks on
    message = message_of(row(said, reach=reach, kind=kind), PAGES)
    assert Tags(html_of(message)).links == ([section.lines[0].link] if address else [])
    [without] = message_of(row(said, reach=reach, kind=kind), "").sections
    assert without.lines[0].link == ""


def test_who_is_to_be_called_leads_to_the_whole_list() -> None:
    call = line(
        "CALL_FIRST", "Luna", "Late", of=23, sales_rep_id="r-1", week_begins_on="2026-06-08"
    )
    address = f"{PAGES}/due_to_order?tenant=harbor"
    groups = "&due=Overdue&due=Due+today&due=Due+soon&due=Dormant"
    weekly = message_of(row(call, kind="weekly"), PAGES)
    whole = f"{address}&owner=r-1{groups}"
    assert f"  and 22 more: {whole}\n" in text_of(weekly)
    assert whole in Tags(html_of(weekly)).links
    assert f"* [and 22 more]({whole})" in mattermost_of(weekly)["text"]
    leading = {"type": "link", "text": "and 22 more", "url": whole}
    assert [leading] in every(slack_of(weekly), "elements")
    assert whole in every(teams_of(weekly), "url")
    # a rep without a name
    assert whole in text_of(message_of(row(call, kind="weekly", recipient_name=None), PAGES))
    # an address that several reps share, and the channel of a tenant
    for reach in ("owner", "tenant"):
        of_several = row({**call, "sales_rep_id": None}, kind="weekly", reach=reach)
        shared = message_of(of_several, PAGES)
        assert f"and 22 more: {address}{groups}\n" in text_of(shared)
    # without pages, and for other sections, there is no list
    assert "due_to_order" not in text_of(message_of(row(call, kind="weekly"), ""))
    assert "due_to_order" not in text_of(MESSAGE)


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attributes if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_mail_is_one_mail_whatever_a_customer_is_called() -> None:
    text = mail_of(WICKED, "health@example.com").as_bytes()
    mail = read_mail(text)
    assert mail["id"] == "1-2-3"
    assert mail["to"] == "ana@example.com"
    assert "\n" not in mail["subject"]
    assert b"\nBcc" not in text.partition(b"\n\n")[0]
    assert f"- {AS_TEXT[:119]}" in mail["plain"]
    page = Tags(mail["html"])
    assert AS_TEXT[:119] in page.text
    assert page.tags <= {
        *("html", "head", "meta", "title", "body", "p", "h2", "ul", "li", "a", "b", "bdi")
    }
    # a name from right to left keeps its signs to itself, and a long one is broken
    assert mail["html"].count(f"<bdi>{html.escape(AS_TEXT[:10])}") == len(WICKED.sections)
    assert "overflow-wrap: anywhere" in mail["html"]
    assert page.links == [f"{PAGES}/customer?customer=t%2Fc"]
    # a name that is an encoded word with headers of its own
    coded = replace(WICKED, subject="=?utf-8?q?a=0d=0aBcc:_eve=40evil.example?=")
    text = mail_of(coded, "health@example.com").as_bytes()
    assert b"\nBcc" not in text.partition(b"\n\n")[0]
    assert "evil.example" in str(read_mail(text)["subject"])
    # an address that would be more than one line of the header
    evil = Message("1", "a@b.example\nBcc: eve@evil.example", "s", "o", (), "c")
    with pytest.raises(ValueError, match=r"newline|linefeed"):
        mail_of(evil, "health@example.com")


def every(tree: Any, key: str) -> list[Any]:
    """Return all values of a key in a tree."""
    if isinstance(tree, dict):
        here = [tree[key]] if key in tree else []
        return here + [found for value in tree.values() for found in every(value, key)]
    if isinstance(tree, list):
        return [found for value in tree for found in every(value, key)]
    return []


def test_slack_is_sent_blocks_whose_text_is_only_text() -> None:
    """https://docs.slack.dev/reference/block-kit/blocks/rich-text-block."""
    message = slack_of(WICKED)
    assert set(message) == {"text", "blocks"}
    # notifications read this text as markup, so its signs are entities
    assert "<" not in message["text"]
    assert "&lt;!channel&gt;" in message["text"]
    assert len(message["blocks"]) <= 50
    header, *others = message["blocks"]
    assert header["text"]["type"] == "plain_text"
    assert len(header["text"]["text"]) <= 150
    assert {block["type"] for block in others} == {"rich_text"}
    kinds = set(every(message["blocks"], "type"))
    assert kinds == {
        *("header", "plain_text", "rich_text", "rich_text_section", "rich_text_list"),
        *("text", "link"),
    }
    assert every(message, "url") == [f"{PAGES}/customer?customer=t%2Fc"]
    [shown, *_] = [text for text in every(others, "text") if text.startswith("<b>")]
    assert shown == AS_TEXT[:119] + "…" if len(AS_TEXT) > 120 else AS_TEXT


def test_teams_is_sent_an_adaptive_card_without_markdown() -> None:
    """Cards read Markdown in TextBlock and FactSet only."""
    message = teams_of(WICKED)
    assert message["type"] == "message"
    [attachment] = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    runs = [run for block in card["body"] for run in block["inlines"]]
    assert {run["type"] for run in runs} == {"TextRun"}
    assert all(run["text"] for run in runs)
    actions = [run["selectAction"] for run in runs if "selectAction" in run]
    assert actions == [{"type": "Action.OpenUrl", "url": f"{PAGES}/customer?customer=t%2Fc"}]


def test_mattermost_is_sent_markdown_in_which_names_are_none() -> None:
    text = mattermost_of(WICKED)["text"]
    tokens = [
        token
        for block in MarkdownIt("gfm-like", {"linkify": False}).parse(text)
        for token in (block, *(block.children or []))
    ]
    kinds = {token.type for token in tokens if not token.type.endswith("_close")}
    assert kinds == {
        *("heading_open", "paragraph_open", "bullet_list_open", "list_item_open"),
        *("inline", "text", "link_open", "strong_open"),
    }
    links = [token.attrs["href"] for token in tokens if token.type == "link_open"]
    assert links == [f"{PAGES}/customer?customer=t%2Fc"]
    # two titles, and the name that has no link
    assert len([token for token in tokens if token.type == "strong_open"]) == 3
    # Mattermost has signs that no backslash escapes: an @ mentions nobody, and nothing becomes
    # a channel, a tag, an emoji or a link by itself
    shown = "".join(
        token.content for token in tokens if token.type == "text" and token.content != ": "
    )
    assert not re.search(r"[@~#:<](?=[^\s\u200b])", shown)
    assert "<\u200bb>" in shown
    assert "www\u200b.evil" in shown
    assert "&\u200blt;&\u200b#\u200b42;" in shown
    assert len(re.findall("^\\* ", text, re.MULTILINE)) == 2


def test_a_message_fits_into_what_they_take() -> None:
    kinds = ("CUSTOMER_DORMANT", "ACCOUNT_TARGET", "ACCOUNT_CHURN_RISK", "FEED_SILENT")
    many = row(
        *(
            line(f"{kind} {edge}", "N" * 500, "w" * 900, link="t/" + "c" * 36, of=20)
            for kind in kinds
            for edge in ("raised", "recovered")
            for _ in range(20)
        )
    )
    message = message_of(many, PAGES)
    card = teams_of(message)
    assert len(json.dumps(card)) <= TEAMS_BYTES
    # fewer lines, and the message says how many are missing
    assert "and 15 more" in every(card, "text") or "and 18 more" in every(card, "text")
    assert len(mattermost_of(message)["text"]) <= 16383
    assert len(json.dumps(slack_of(message))) <= SLACK_BYTES
    # and with every possible section, each with the longest lines
    most = row(
        *(
            line(section, "N" * 500, "w" * 900, link="t/" + "c" * 36, of=20)
            for section in SECTIONS
            for _ in range(20)
        )
    )
    full = message_of(most, PAGES)
    assert len(json.dumps(slack_of(full))) <= SLACK_BYTES
    assert all(every(slack_of(full), "elements"))
    assert len(json.dumps(teams_of(full))) <= TEAMS_BYTES
    assert len(mattermost_of(full)["text"]) <= 16383
    assert len(json_of(message)["sections"]) == 8
    assert json_of(message)["database"] is None
    assert json_of(message_of(many, PAGES, "berlin"))["database"] == "berlin"
    assert len(message.subject) <= 150


@pytest.fixture
def tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Certificates for a mail server of the tests."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "sink.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


def mail_to(made: MailReceiver, monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    """Send a mail to a receiver, with a login."""
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value.replace("://", f"://{login}@"))
    server = channels.channels_of_environment().mail_server
    assert server
    with serving(made):
        server.send(mail_of(MESSAGE, server.sender))


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_password_goes_to_a_mail_server_with_tls(
    scheme: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MailReceiver(scheme, tls)
    mail_to(made, monkeypatch, "ana:p%40ss")
    assert made.logins == ["\0ana\0p@ss"]
    assert [message["to"] for message in made.accepted] == [MESSAGE.address]


def test_a_password_never_goes_without_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    made = MailReceiver()
    with pytest.raises(channels.Unreachable, match="no TLS, so no password was sent"):
        mail_to(made, monkeypatch, "ana:p%40ss")
    assert made.logins == made.tried == []


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_mail_server_that_nobody_vouches_for_gets_nothing(
    scheme: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    made = MailReceiver(scheme, tls)
    with pytest.raises(channels.Unreachable, match="certificate verify failed"):
        mail_to(made, monkeypatch, "ana:p%40ss")
    assert made.logins == made.tried == []


OF_BERLIN = {"FLEET": "berlin paris", "PGSERVICE": "berlin"}


@pytest.mark.parametrize(
    ("environment", "url", "pages"),
    [
        ({}, PAGES, PAGES),
        (OF_BERLIN, f"{PAGES}/{{database}}/", f"{PAGES}/berlin"),
        (OF_BERLIN, "https://{database}.example.com", "https://berlin.example.com"),
        # pages of one database
        (OF_BERLIN, PAGES, None),
        # a database that is not of the fleet, or has no name
        ({"FLEET": "berlin paris"}, f"{PAGES}/{{database}}", None),
        (OF_BERLIN, "", ""),
    ],
)
def test_in_a_fleet_links_lead_to_pages_of_the_same_database(
    environment: dict[str, str], url: str, pages: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FLEET", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {**environment, "DASHBOARD_URL": url}.items():
        monkeypatch.setenv(name, value)
    found = channels_of_environment()
    assert found.pages == (pages or "")
    assert bool(found.no_links) == (pages is None)
