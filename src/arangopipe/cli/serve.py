"""The command that serves a store over HTTP."""

from __future__ import annotations

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, pass_terminal
from arangopipe.errors import MissingExtra


@verb(
    "serve",
    "arangopipe serve",
    "arangopipe serve --store runs.db --port 9000",
    "arangopipe serve --host 0.0.0.0 --log-level warning --no-access-log",
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
@pass_terminal
def serve(
    terminal: Terminal,
    host: str,
    port: int,
    auth: bool | None,
    hosts: tuple[str, ...],
    log_level: str,
    access_log: bool,
) -> None:
    """Serve the store over HTTP, for any language.

    Says where, and goes on until it is interrupted or terminated; then it finishes the requests in flight.
    The log, one JSON document a line, goes to standard error. Only this machine can reach it by
    default. Needs FastAPI and uvicorn: pip install 'arangopipe[server]'.
    """
    try:
        from arangopipe.server import logs, running
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("arangopipe"):
            raise
        raise MissingExtra(error.name or "fastapi", "server") from error
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
                    click.echo("There are no users yet. Make the first administrator, once:\n")
                    click.echo(_first(url, setup))

        running.run(pipe.store, listening, authentication=authentication, hosts=hosts, started=started)


def _first(url: str, setup: str) -> str:
    """Return the command that makes the first administrator of a server."""
    body = f'{{"token": "{setup}", "name": "NAME", "password": "PASSWORD"}}'
    return f"  curl {url}/api/v1/setup --json '{body}'"
