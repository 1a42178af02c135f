"""Where alerts go: a webhook or a mail server. Each message is tried once, with three ends."""

import json
import os
import smtplib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from flows.database import one_line
from flows.errors import WrongArgument

TIMEOUT_SECONDS = 20
GATEWAY_TIMEOUT = 504


class Refused(Exception):
    """The message has certainly not arrived, so it can be sent again."""


class Unreachable(Refused):
    """Nobody is there: other messages would fare no better."""


class Unknown(Exception):
    """The message may have arrived, so it must not be sent again."""


class Channel(Protocol):
    """A place that messages are sent to."""

    def send(self, message_id: str, message: Mapping[str, Any]) -> None:
        """Send a message. Raises Refused or Unknown."""


@dataclass(frozen=True)
class Webhook:
    """Posts each message as JSON."""

    url: str

    def send(self, message_id: str, message: Mapping[str, Any]) -> None:
        """Post it; whoever gets it twice all the same can tell by the key."""
        # half a command's start, and most commands send nothing
        import httpx

        headers = {"Idempotency-Key": message_id}
        try:
            reply = httpx.post(
                self.url, json=dict(message), headers=headers, timeout=TIMEOUT_SECONDS
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise Unreachable(one_line(error)) from error
        except httpx.HTTPError as error:
            raise Unknown(one_line(error)) from error
        if reply.status_code == GATEWAY_TIMEOUT:
            raise Unknown(f"HTTP {reply.status_code}")
        if not reply.is_success:
            raise Refused(f"HTTP {reply.status_code}")


@dataclass(frozen=True)
class Mail:
    """Sends each message as a mail with the same JSON."""

    server: SplitResult
    sender: str
    recipients: tuple[str, ...]

    def send(self, message_id: str, message: Mapping[str, Any]) -> None:
        """Send it; what is refused for every recipient counts as refused."""
        mail = self._mail(message_id, message)
        try:
            client = self._connect()
        except (OSError, smtplib.SMTPException) as error:
            raise Unreachable(one_line(error)) from error
        try:
            client.send_message(mail, self.sender, self.recipients)
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
            # it has arrived, whatever the server says to a farewell
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
                raise smtplib.SMTPException(f"{host} has no TLS, so it gets no password")
            client.login(unquote(self.server.username), unquote(self.server.password or ""))
        return client

    def _mail(self, message_id: str, message: Mapping[str, Any]) -> EmailMessage:
        mail = EmailMessage()
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message_id}@customer-health>"
        title = [message[part] for part in ("kind", "edge", "tenant", "message")]
        mail["Subject"] = " ".join(" ".join(title).split())[:200]
        mail.set_content(json.dumps(dict(message), indent=2, ensure_ascii=False))
        return mail


def channel_of_environment() -> Channel | None:
    """Return where alerts go, or None when the environment does not say.

    Raises WrongArgument for a setting that cannot be.
    """
    webhook, smtp = os.environ.get("ALERT_WEBHOOK_URL"), os.environ.get("ALERT_SMTP_URL")
    if webhook and smtp:
        raise WrongArgument("ALERT_WEBHOOK_URL and ALERT_SMTP_URL: set only one of them")
    if webhook:
        _split("ALERT_WEBHOOK_URL", webhook, ("http", "https"))
        return Webhook(webhook)
    if smtp:
        sender = os.environ.get("ALERT_MAIL_FROM", "")
        recipients = [one.strip() for one in os.environ.get("ALERT_MAIL_TO", "").split(",")]
        for name, addresses in (("ALERT_MAIL_FROM", [sender]), ("ALERT_MAIL_TO", recipients)):
            for address in addresses:
                if address.count("@") != 1 or address != "".join(address.split()):
                    raise WrongArgument(f"{name}: {address!r} is no mail address")
        url = _split("ALERT_SMTP_URL", smtp, ("smtp", "smtps"))
        return Mail(url, sender, tuple(recipients))
    return None


def _split(name: str, url: str, schemes: tuple[str, str]) -> SplitResult:
    """Read a URL; what it says is kept out of the error, for it may hold a password."""
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
