"""The commands `customer-health api` (the server) and `api-tokens` (who may use it).

Exit codes: 2 for a wrong argument or missing roles, 4 if the database refuses the login or
the port is taken, 130 when you stop the server.
"""

import argparse
import ipaddress
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from flows.errors import Infrastructure
from flows.progress import Progress

# names of the loopback interface
THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
STOPPED = 130


def api_commands(commands: Any) -> None:
    """Add both commands to those of the command line."""
    _api_arguments(commands.add_parser("api", help="serve the marts by HTTP, for programs"))
    _token_arguments(commands.add_parser("api-tokens", help="manage the tokens of the API"))


def _api_arguments(command: argparse.ArgumentParser) -> None:
    """Add the options of the server; their defaults come from the environment."""
    command.description = (
        "Serve the marts by HTTP to programs with a token, until you stop it."
        " `customer-health api-tokens` creates tokens."
    )
    command.add_argument(
        "--host",
        default=os.environ.get("API_HOST") or "127.0.0.1",
        help="address to listen on (API_HOST, or 127.0.0.1)",
    )
    for name, usual, most, what in (
        ("port", 8600, 65535, "port to listen on"),
        # at most as many as Starlette has threads
        ("connections", 8, 40, "connections to the database; one token uses 3/4 at most"),
        ("rate", 100, 100_000, "requests per second for each token"),
    ):
        variable = f"API_{name.upper()}"
        command.add_argument(
            f"--{name}",
            metavar="N",
            default=os.environ.get(variable) or str(usual),
            type=_number(variable, most),
            help=f"{what} ({variable}, or {usual})",
        )
    command.add_argument(
        "--proxies",
        metavar="ADDRESSES",
        default=os.environ.get("API_PROXIES", ""),
        type=_addresses,
        help="proxies whose X-Forwarded-For is believed, separated by commas (API_PROXIES, or"
        " none)",
    )


def _number(variable: str, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and 0 < int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r} must be 1 to {most} ({variable})")
        return int(text)

    return read


def _addresses(text: str) -> list[str]:
    """Return addresses and networks; a name or a star would let callers choose theirs."""
    found = [part.strip() for part in text.split(",") if part.strip()]
    for part in found:
        try:
            ipaddress.ip_network(part)
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{part!r} must be an address or network such as 10.0.0.0/8 (API_PROXIES)"
            ) from None
    return found


def _token_arguments(command: argparse.ArgumentParser) -> None:
    """Add the actions on tokens."""
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    create = actions.add_parser("create", help="create a token and show it once")
    create.add_argument("name", metavar="NAME", help="name of the program that uses the token")
    create.add_argument(
        "--role",
        required=True,
        help="role whose rows the token reads; `customer-health roles status` lists the roles",
    )
    create.add_argument(
        "--days", metavar="N", default="365", help="days until the token expires; default: 365"
    )
    create.add_argument(
        "--may-start", action="store_true", help="allow the token to start refreshes"
    )
    actions.add_parser("list", help="list all tokens, without their secrets")
    withdraw = actions.add_parser("withdraw", help="revoke a token at once")
    withdraw.add_argument("name", metavar="NAME", help="name or id of the token")


def run_tokens(arguments: argparse.Namespace, progress: Progress) -> None:
    """Make, list or withdraw tokens."""
    from api import tokens

    match arguments.action:
        case "create":
            tokens.create(
                arguments.name,
                arguments.role,
                arguments.days,
                may_start=arguments.may_start,
                progress=progress,
            )
        case "list":
            tokens.print_tokens(progress)
        case _:
            tokens.withdraw(arguments.name, progress)


def serve(arguments: argparse.Namespace, progress: Progress) -> int:
    """Answer requests until Ctrl-C or SIGTERM; return the exit code."""
    import uvicorn

    from api.app import create_app, read_files
    from api.database import Pool
    from api.limits import Limits
    from api.reading import Service
    from api.tokens import check_roles
    from flows.database import reading

    with reading() as connection:
        check_roles(connection)
    pool = Pool(arguments.connections)
    read_files()
    app = create_app()
    app.state.service = Service(pool, Limits(arguments.rate, arguments.connections))
    with _listening(arguments.host, arguments.port) as listener:
        if arguments.host not in THIS_MACHINE:
            progress.say(
                "warning: connections to this address are not encrypted; put a proxy with TLS"
                " in front, and let only the proxy connect"
            )
        address = address_of(arguments.host, arguments.port)
        progress.say(f"serving on http://{address}; Ctrl-C stops it")
        config = uvicorn.Config(
            app,
            # the parser of the lock, whatever else is installed: it refuses bytes that are
            # no characters
            http="h11",
            log_level="warning",
            # URLs hold search terms, which must not be logged
            access_log=False,
            server_header=False,
            # anybody can send X-Forwarded-For, also from this machine
            proxy_headers=bool(arguments.proxies),
            forwarded_allow_ips=arguments.proxies,
            timeout_graceful_shutdown=10,
        )
        try:
            uvicorn.Server(config).run([listener])
        except KeyboardInterrupt:
            # uvicorn has finished the open requests
            pass
        finally:
            pool.close()
    print("stopped", file=sys.stderr)
    return STOPPED


def address_of(host: str, port: int) -> str:
    """Return host and port as in a URL, where an IPv6 address has brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raises Infrastructure if that fails."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Infrastructure(f"{address_of(host, port)}: {reason}") from error
    return listener
