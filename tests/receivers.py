"""Servers that receive messages in the tests, by HTTP and by SMTP."""

import email
import email.policy
import json
import socketserver
import ssl
import threading
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

Message = dict[str, Any]
# the answer to the n-th message: 200, 250 and the like, or a failure
Answer = Callable[[int], int]
OK = 250


class Receiver:
    """A server that keeps the messages it accepted, and answers as told."""

    environment: dict[str, str]
    server: socketserver.BaseServer

    def __init__(self) -> None:
        self.accepted: list[Message] = []
        self.tried: list[str] = []
        self.answer: Answer = lambda _number: OK
        # set when a message has arrived and its sender waits
        self.holding = threading.Event()
        self.release = threading.Event()
        self.release.set()

    def take(self, message: Message) -> int:
        self.tried.append(message["id"])
        self.holding.set()
        self.release.wait(60)
        code = self.answer(len(self.tried))
        if code == OK:
            self.accepted.append(message)
        return code

    def kinds(self) -> Counter[tuple[str, str]]:
        return Counter((message["kind"], message["edge"]) for message in self.accepted)


def read_mail(text: bytes) -> Message:
    """Return a mail as a person sees it, in both formats."""
    mail = email.message_from_bytes(text, policy=email.policy.default)
    forms = {
        kind: mail.get_body((kind,)).get_content()  # type: ignore[union-attr]
        for kind in ("plain", "html")
    }
    return {
        "id": mail["Message-ID"].removeprefix("<").removesuffix("@customer-health>"),
        "to": mail["To"],
        "subject": mail["Subject"].strip(),
        **forms,
    }


class MailHandler(socketserver.StreamRequestHandler):
    """One session with a mail server of the tests."""

    receiver: "MailReceiver"
    is_encrypted: bool
    context: ssl.SSLContext | None

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())

    def encrypt(self) -> None:
        assert self.context
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb")
        self.wfile = self.connection.makefile("wb", 0)

    def handle(self) -> None:
        if self.is_encrypted:
            self.encrypt()
        self.say("220 sink")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb, *words = line.split()
            match verb.lower():
                case "ehlo":
                    offers = ["250-STARTTLS"] if self.context else []
                    self.say("250-sink", *offers, "250 AUTH PLAIN")
                case "starttls":
                    self.say("220 go on")
                    self.encrypt()
                case "auth":
                    self.receiver.logins.append(b64decode(words[-1]).decode())
                    self.say("235 welcome")
                case "data":
                    self.say("354 go on")
                    text = b"".join(iter(self.rfile.readline, b".\r\n"))
                    message = read_mail(text)
                    # the recipient, who is the one that reads it
                    assert recipients == [message["to"]]
                    self.say(f"{self.receiver.take(message)} so it is")
                    recipients = []
                case "rcpt":
                    recipients.append(line.partition("<")[2].partition(">")[0])
                    self.say("250 yes")
                case "quit":
                    self.say("221 bye")
                case _:
                    self.say("250 yes")


class WebhookReceiver(Receiver):
    """Receives messages by HTTP."""

    def __init__(self) -> None:
        super().__init__()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                # messages for Slack and the like have no id of ours
                message = {"id": self.headers["Idempotency-Key"], **json.loads(body)}
                assert self.headers["Idempotency-Key"] == message["id"]
                code = receiver.take(message)
                self.send_response({OK: 200, 550: 500}[code])
                self.end_headers()

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.environment = {"ALERT_WEBHOOK_URL": self.url}


class MailReceiver(Receiver):
    """Receives messages by SMTP: with TLS from the start, with STARTTLS, or without."""

    def __init__(self, scheme: str = "smtp", tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.logins: list[str] = []

        class Handler(MailHandler):
            receiver = self
            is_encrypted = scheme == "smtps"
            context = tls

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_arguments: object) -> None:
                """Ignore errors: the tests kill senders."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.environment = {
            "ALERT_SMTP_URL": f"{scheme}://127.0.0.1:{self.server.server_address[1]}",
            "ALERT_MAIL_FROM": "health@example.com",
        }


Made = TypeVar("Made", bound=Receiver)


@contextmanager
def serving(receiver: Made) -> Iterator[Made]:
    """Let a receiver accept messages."""
    server = receiver.server
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.release.set()
        server.shutdown()
        server.server_close()
