"""The command that serves a store over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from arangopipe.cli.options import add_options, verb
from arangopipe.cli.terminal import Terminal, pass_terminal
from arangopipe.errors import MissingExtra

F = TypeVar("F", bound=Callable[..., Any])


def _bound(name: str, default: int, unit: str, help: str) -> Callable[[F], F]:
    whole = click.IntRange(1, 1_000_000)
    return click.option(name, type=whole, default=default, show_default=True, metavar=unit, help=help)


BOUNDS = (
    _bound("--max-body", 32, "MB", "How large a body may be, also unpacked; bundles may be of any size."),
    _bound("--max-connections", 512, "N", "How many connections may be open at once."),
    _bound("--head-timeout", 15, "SECONDS", "How long the head of a request may take to arrive."),
    _bound(
        "--body-timeout",
        60,
        "SECONDS",
        "How long a body may take, the next piece of a bundle, and a client that takes no answer.",
    ),
    _bound("--idle-timeout", 5, "SECONDS", "How long a connection stays open for another request."),
    _bound("--stop-timeout", 30, "SECONDS", "How long requests in flight may take once it is told to stop."),
)


@verb(
    "serve",
    "arangopipe serve",
    "arangopipe serve --store runs.db --port 9000",
    "arangopipe serve --host 0.0.0.0 --log-level warning --no-access-log",
    "arangopipe serve --max-body 100 --max-connections 2000",
    see=("init", "doctor"),
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8321,
    show_default=True,
    help="Where to listen; 0 takes a port that is free.",
)
@click.option(
    "--auth/--no-auth",
    default=None,
    help="Serve known users only, or everybody. [default: known users, once the store has any]",
)
@click.option(
    "--allowed-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="A name by which a proxy on this machine is asked; may be repeated. Without users only.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="How grave it must be to be logged.",
)
@click.option(
    "--access-log/--no-access-log", default=True, show_default=True, help="Whether to log each request."
)
@add_options(BOUNDS)
@pass_terminal
def serve(
    terminal: Terminal,
    host: str,
    port: int,
    auth: bool | None,
    hosts: tuple[str, ...],
    log_level: str,
    access_log: bool,
    **bounds: int,
) -> None:
    """Serve the store over HTTP, for any language.

    Says where, and goes on until it is interrupted or terminated; then it finishes the requests in flight.
    The log, one JSON document a line, goes to standard error. Only this machine can reach it by
    default. Needs FastAPI and uvicorn: pip install 'arangopipe[server]'.
    """
    try:
        from arangopipe.server import logs, running
        from arangopipe.server.limits import Limits
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("arangopipe"):
            raise
        raise MissingExtra(error.name or "fastapi", "server") from error
    if not terminal.exists():
        running.authenticates(None, host, auth)  # what is refused makes no store
    with terminal.pipe(create=True, quietly=True) as pipe:
        authentication = running.authenticates(pipe.store, host, auth)
        listening = running.listen(host, port)
        url = running.address(listening, host)
        logs.write_log(log_level, access_log)

        def started(setup: str | None) -> None:
            if terminal.as_json:
                more = {} if setup is None else {"setup_token": setup}
                given = {"url": url, "store": pipe.store.url, "authentication": authentication}
                terminal.give({**given, **more})
            else:
                users = "known users only" if authentication else "everybody on this machine"
                click.echo(f"Serving {terminal.place} at {url}, for {users}. Stop it with Ctrl-C.")
                if setup is not None:
                    click.echo("There are no users yet. Make the first administrator, once: with the token")
                    click.echo(f"below at {url}/login, or with\n")
                    click.echo(_first(url, setup))

        limits = Limits(
            body=bounds["max_body"] * 1_000_000,
            connections=bounds["max_connections"],
            head_seconds=bounds["head_timeout"],
            seconds=bounds["body_timeout"],
            idle_seconds=bounds["idle_timeout"],
            stop_seconds=bounds["stop_timeout"],
        )
        running.run(
            pipe.store,
            listening,
            authentication=authentication,
            limits=limits,
            hosts=hosts,
            started=started,
        )


def _first(url: str, setup: str) -> str:
    """Return the command that makes the first administrator of a server."""
    body = f'{{"token": "{setup}", "name": "NAME", "password": "PASSWORD"}}'
    return f"  curl {url}/api/v1/setup --json '{body}'"
