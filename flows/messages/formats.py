"""The formats of a message: mail, JSON, Slack, Teams and Mattermost.

A customer's name never becomes markup. HTML is escaped. Slack and Teams have elements for
plain text (rich_text, RichTextBlock). Mattermost has only Markdown, which is escaped where
possible. Elsewhere a zero-width space breaks mentions, channels and links.
"""

import json
import re
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.messages import Line, Message

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent

# Teams refuses cards over 28 KB, and Mattermost posts over 16383 characters. Slack documents
# no limit, but people report refusals from 15,000 bytes on
SLACK_BYTES, TEAMS_BYTES, MATTERMOST_SIGNS = 12_000, 27_000, 16_000
# lines per section to try, until the message fits
FEWER = (20, 10, 5, 2, 1, 0)

MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>])")
# where mentions, channels, tags, emoji, links, HTML and its entities begin
CALLING = re.compile(r"(?<=[@~#:<])(?=\S)|(?<=www)(?=\d*\.)|(?<=&)(?=#?\w+;)")


def text_of(message: Message) -> str:
    """Return a message as plain text."""
    parts = [message.opening]
    for section in message.sections:
        lines = [f"{section.title} ({section.count})"]
        for line in section.lines:
            lines.append(f"- {line.name}: {line.words}" if line.name else f"- {line.words}")
            lines += [f"  {line.link}"] if line.link else []
        if section.more:
            where = f": {section.link}" if section.link else ""
            lines.append(f"  and {section.more} more{where}")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, message.closing]) + "\n"


@cache
def _template() -> "Template":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loaded = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return loaded.get_template("mail.html")


def html_of(message: Message) -> str:
    """Return a message as HTML."""
    return _template().render(message=message)


def mail_of(message: Message, sender: str) -> EmailMessage:
    """Return a message as an e-mail, in plain text and HTML."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = message.address
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{message.message_id}@customer-health>"
    # prevents out-of-office replies
    mail["Auto-Submitted"] = "auto-generated"
    # a zero-width space, or a name could be read as an encoded word, with headers of its own
    mail["Subject"] = message.subject.replace("=?", "=\u200b?")
    mail.set_content(text_of(message))
    mail.add_alternative(html_of(message), subtype="html")
    return mail


def json_of(message: Message) -> dict[str, Any]:
    """Return a message as JSON for a program."""
    return {
        "id": message.message_id,
        "database": message.database,
        "subject": message.subject,
        "sections": [
            {
                "title": section.title,
                "count": section.count,
                "link": section.link,
                "lines": [vars(line) for line in section.lines],
            }
            for section in message.sections
        ],
    }


def slack_of(message: Message) -> dict[str, Any]:
    """Return a message for Slack, in elements whose text is never read as markup."""
    return _that_fits(message, _blocks, SLACK_BYTES)


def _blocks(message: Message) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": message.subject, "emoji": False},
        },
        _slack_text(message.opening),
    ]
    for section in message.sections:
        items = [
            {
                "type": "rich_text_section",
                "elements": [*_slack_name(line), {"type": "text", "text": line.words}],
            }
            for line in section.lines
        ]
        title = {
            "type": "text",
            "text": f"{section.title} ({section.count})",
            "style": {"bold": True},
        }
        elements: list[dict[str, Any]] = [{"type": "rich_text_section", "elements": [title]}]
        # Slack refuses an empty list
        if items:
            elements.append({"type": "rich_text_list", "style": "bullet", "elements": items})
        if section.more:
            more = {"type": "text", "text": f"and {section.more} more"}
            if section.link:
                more |= {"type": "link", "url": section.link}
            elements.append({"type": "rich_text_section", "elements": [more]})
        blocks.append({"type": "rich_text", "elements": elements})
    blocks.append(_slack_text(message.closing))
    # notifications show this text and read it as markup
    plain = message.subject
    for sign, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain = plain.replace(sign, entity)
    return {"text": plain, "blocks": blocks}


def _slack_text(text: str) -> dict[str, Any]:
    element = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "elements": [element]}


def _slack_name(line: Line) -> list[dict[str, Any]]:
    if not line.name:
        return []
    name: dict[str, Any] = {"type": "text", "text": line.name, "style": {"bold": True}}
    if line.link:
        name = {"type": "link", "url": line.link, "text": line.name}
    return [name, {"type": "text", "text": ": "}]


def teams_of(message: Message) -> dict[str, Any]:
    """Return a message as an adaptive card, for the webhook of a Teams workflow."""
    return _that_fits(message, _card, TEAMS_BYTES)


def _card(message: Message) -> dict[str, Any]:
    body = [
        _run([{"text": message.subject, "weight": "Bolder", "size": "Large"}]),
        _run([{"text": message.opening}]),
    ]
    for section in message.sections:
        title = f"{section.title} ({section.count})"
        body.append(_run([{"text": title, "weight": "Bolder"}], "Large"))
        for line in section.lines:
            name: dict[str, Any] = {"text": line.name, "weight": "Bolder"}
            if line.link:
                name["selectAction"] = {"type": "Action.OpenUrl", "url": line.link}
            named = [name, {"text": ": "}] if line.name else []
            body.append(_run([{"text": "• "}, *named, {"text": line.words}], "Small"))
        if section.more:
            more: dict[str, Any] = {"text": f"and {section.more} more"}
            if section.link:
                more["selectAction"] = {"type": "Action.OpenUrl", "url": section.link}
            body.append(_run([more], "Small"))
    body.append(_run([{"text": message.closing, "isSubtle": True, "size": "Small"}], "Large"))
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "msteams": {"width": "Full"},
                    "body": body,
                },
            }
        ],
    }


def _run(inlines: list[dict[str, Any]], spacing: str = "Default") -> dict[str, Any]:
    return {
        "type": "RichTextBlock",
        "spacing": spacing,
        "inlines": [{"type": "TextRun", **inline} for inline in inlines],
    }


def mattermost_of(message: Message) -> dict[str, Any]:
    """Return a message for Mattermost."""
    return _that_fits(message, _post, MATTERMOST_SIGNS)


def _post(message: Message) -> dict[str, Any]:
    parts = [f"#### {_escaped(message.subject)}", _escaped(message.opening)]
    for section in message.sections:
        lines = [f"**{section.title} ({section.count})**"]
        for line in section.lines:
            name = f"**{_escaped(line.name)}**"
            if line.link:
                name = f"[{_escaped(line.name)}]({line.link})"
            named = f"{name}: " if line.name else ""
            lines.append(f"* {named}{_escaped(line.words)}")
        if section.more:
            more = f"and {section.more} more"
            lines.append(f"* [{more}]({section.link})" if section.link else f"* {more}")
        parts.append("\n".join(lines))
    return {"text": "\n\n".join([*parts, _escaped(message.closing)])}


def _escaped(text: str) -> str:
    """Return text that Mattermost shows unchanged, without Markdown, mentions or links."""
    return MARKDOWN.sub(r"\\\1", CALLING.sub("\u200b", text))


def _that_fits(
    message: Message, form: Callable[[Message], dict[str, Any]], most: int
) -> dict[str, Any]:
    """Return the message in a format, with as many lines as fit."""
    for lines in FEWER:
        body = form(message.with_at_most(lines))
        if len(json.dumps(body)) <= most:
            break
    return body


FORMS: Mapping[str, Callable[[Message], dict[str, Any]]] = {
    "json": json_of,
    "slack": slack_of,
    "teams": teams_of,
    "mattermost": mattermost_of,
}
