"""Send a message once, to a webhook or the mail server, and report whether it arrived."""

import os
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from flows.database import one_line
from flows.errors import WrongArgument
from flows.fleet import current, listed

TIMEOUT_SECONDS = 20
GATEWAY_TIMEOUT = 504

# formats of a webhook; programs read json
FORMATS = ("json", "slack", "teams", "mattermost")
# prefix of the variable; the rest is the name in the seed of recipients
NAMED = "MESSAGE_URL_"
# the team's own webhook, which is not in the seed
TEAM = "ALERT_WEBHOOK_URL"
# stands in the address of the pages of a fleet for the database that they show
DATABASE = "{database}"
NO_LINKS = (
    f"messages have no links: in a fleet DASHBOARD_URL must contain {DATABASE}, because pages"
    " show one database"
)


class Refused(Exception):
    """The message did not arrive, so it can be sent again."""


class Unreachable(Refused):
    """The receiver cannot be reached, so other messages would fail, too."""


class Unknown(Exception):
    """The message may have arrived, so it must not be sent again."""


@dataclass(frozen=True)
class Webhook:
    """Posts each message as JSON."""

    # most URLs hold a secret
    url: str = field(repr=False)

    def send(self, message_id: str, message: Mapping[str, Any]) -> None:
        """Post the message, with its id as the Idempotency-Key.

        Raises Refused or Unknown.
        """
        # slow to import, and most commands send nothing
        import httpx

        headers = {"Idempotency-Key": message_id}
        try:
            # reads the certificates and proxies that the environment names
            client = httpx.Client(timeout=TIMEOUT_SECONDS)
        except (OSError, ImportError, ValueError) as error:
            raise Unreachable(f"proxy or certificates: {one_line(error)}") from error
        try:
            with client:
                reply = client.post(self.url, json=dict(message), headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise Unreachable(one_line(error)) from error
        except httpx.HTTPError as error:
            raise Unknown(one_line(error)) from error
        if reply.status_code == GATEWAY_TIMEOUT:
            raise Unknown(f"HTTP {reply.status_code}")
        if not reply.is_success:
            raise Refused(f"HTTP {reply.status_code}")


@dataclass(frozen=True)
class MailServer:
    """Sends each message as a mail to one person."""

    server: SplitResult = field(repr=False)
    sender: str

    def send(self, mail: EmailMessage) -> None:
        """Send the mail. Raises Refused or Unknown."""
        try:
            client = self._connect()
        except UnicodeError as error:
            # not its text, which has a part of the password
            raise Unreachable("login and password of ALERT_SMTP_URL must be ASCII") from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(one_line(error)) from error
        try:
            client.send_message(mail)
        except (
            smtplib.SMTPDataError,
            smtplib.SMTPSenderRefused,
            smtplib.SMTPRecipientsRefused,
            smtplib.SMTPNotSupportedError,
        ) as error:
            raise Refused(one_line(error)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unknown(one_line(error)) from error
        finally:
            # the outcome stands, whatever the server answers to QUIT
            with suppress(OSError, smtplib.SMTPException):
                client.quit()
            client.close()

    def _connect(self) -> smtplib.SMTP:
        host = self.server.hostname or ""
        context = ssl.create_default_context()
        client: smtplib.SMTP
        if self.server.scheme == "smtps":
            port = self.server.port or 465
            client = smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_SECONDS, context=context)
            is_private = True
        else:
            client = smtplib.SMTP(host, self.server.port or 25, timeout=TIMEOUT_SECONDS)
            client.ehlo_or_helo_if_needed()
            is_private = client.has_extn("starttls")
            if is_private:
                client.starttls(context=context)
        if self.server.username:
            if not is_private:
                client.close()
                raise smtplib.SMTPException(f"{host} has no TLS, so no password was sent")
            client.login(unquote(self.server.username), unquote(self.server.password or ""))
        return client


@dataclass(frozen=True)
class Channels:
    """Where messages go, from the environment variables."""

    # a program: one message per alert
    machine: Webhook | None
    mail_server: MailServer | None
    # by channel and address, as the table of messages has them
    webhooks: Mapping[tuple[str, str], Webhook]
    # people who hear about all tenants: "channel address"
    team: tuple[str, ...]
    # URL of the pages, without a final slash; empty if there are no links
    pages: str
    # in a fleet, the database that all is about
    database: str | None
    # why there are no links although DASHBOARD_URL is set
    no_links: str | None = None

    def reachable(self) -> list[str]:
        """Return what can be reached, in the form of operations.route_of."""
        mail = ["mail"] if self.mail_server else []
        return mail + [f"{channel} {address}" for channel, address in self.webhooks]

    def lacks(self, reach: str, channel: str, address: str) -> str | None:
        """Return why nothing can be sent to this place, or None."""
        if reach == "team":
            is_there = f"{channel} {address}" in self.team
            return None if is_there else "it is no longer a place of the team"
        if channel == "mail":
            return None if self.mail_server else "ALERT_SMTP_URL is not set"
        is_set = (channel, address) in self.webhooks
        return None if is_set else f"{NAMED}{address.upper()} is not set"


def channels_of_environment() -> Channels:
    """Return where messages go.

    Raises WrongArgument for an invalid setting.
    """
    form = os.environ.get("ALERT_WEBHOOK_FORMAT") or "json"
    if form not in FORMATS:
        raise WrongArgument(
            f"ALERT_WEBHOOK_FORMAT is {form!r}, must be one of {', '.join(FORMATS)}"
        )
    machine, team = None, []
    webhooks = {}
    if url := os.environ.get(TEAM):
        _split(TEAM, url, ("http", "https"))
        if form == "json":
            machine = Webhook(url)
        else:
            webhooks[form, TEAM] = Webhook(url)
            team.append(f"{form} {TEAM}")
    for variable, url in os.environ.items():
        if variable.startswith(NAMED) and url:
            _split(variable, url, ("http", "https"))
            name = variable.removeprefix(NAMED).lower()
            webhooks |= {(form, name): Webhook(url) for form in FORMATS}
    mail_server = None
    if url := os.environ.get("ALERT_SMTP_URL"):
        sender = _address("ALERT_MAIL_FROM", os.environ.get("ALERT_MAIL_FROM", ""))
        recipients = os.environ.get("ALERT_MAIL_TO", "")
        given = recipients.split(",") if recipients.strip() else []
        team.extend(f"mail {_address('ALERT_MAIL_TO', one.strip())}" for one in given)
        mail_server = MailServer(_split("ALERT_SMTP_URL", url, ("smtp", "smtps")), sender)
    database = current()
    pages, no_links = _pages(database)
    # each once
    once = tuple(dict.fromkeys(team))
    return Channels(machine, mail_server, webhooks, once, pages, database, no_links)


def _pages(database: str | None) -> tuple[str, str | None]:
    """Return the URL of the pages that show this database, and why there is none.

    Pages of another database would show another customer with the same id.
    """
    given = os.environ.get("DASHBOARD_URL", "").rstrip("/")
    if DATABASE in given and not listed():
        raise WrongArgument(f"DASHBOARD_URL contains {DATABASE}, but FLEET is not set")
    pages = given.replace(DATABASE, database or "")
    if pages:
        _split("DASHBOARD_URL", pages, ("http", "https"))
    is_known = not listed() or (database and DATABASE in given)
    return (pages, None) if is_known or not pages else ("", NO_LINKS)


def _address(name: str, address: str) -> str:
    if address.count("@") != 1 or address != "".join(address.split()):
        raise WrongArgument(f"{name}: {address!r} is not an e-mail address")
    return address


def _split(name: str, url: str, schemes: tuple[str, str]) -> SplitResult:
    """Parse a URL; the error never shows it, because it may hold a password."""
    import httpx

    try:
        parts = urlsplit(url)
        is_url = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        is_url = False
    if not is_url:
        raise WrongArgument(f"{name} must be a URL such as {schemes[1]}://host:port/")
    return parts
