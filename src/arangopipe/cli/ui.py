"""The command that opens the web page of a store."""

from __future__ import annotations

import webbrowser

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, pass_terminal
from arangopipe.errors import MissingExtra


@verb(
    "ui",
    "arangopipe ui",
    "arangopipe ui --store arangopipe-demo.db",
    "arangopipe ui --no-browser --port 8400",
    see=("serve", "demo"),
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Where to serve on this machine. [default: a port that is free]",
)
@click.option("--browser/--no-browser", default=True, help="Whether to open a browser.")
@pass_terminal
def ui(terminal: Terminal, port: int, browser: bool) -> None:
    """Open the web page of the store in a browser.

    Serves the store to this machine only, says where, opens a browser there, and goes on until it is
    interrupted. A store that has users asks who you are. Needs FastAPI and uvicorn:
    pip install 'arangopipe[server]'.
    """
    try:
        from arangopipe.server import logs, running
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("arangopipe"):
            raise
        raise MissingExtra(error.name or "fastapi", "server") from error
    with terminal.pipe(quietly=True) as pipe:
        authentication = running.authenticates(pipe.store, running.HOST, None)
        listening = running.listen(running.HOST, port)
        url = running.address(listening, running.HOST)
        logs.write_log("error", False)

        def started(setup: str | None) -> None:
            if terminal.as_json:
                terminal.give({"url": url, "store": pipe.store.url})
            else:
                click.echo(f"{terminal.place} is at {url}. Stop it with Ctrl-C.")
            if browser and not webbrowser.open(url):
                terminal.note("No browser could be opened here: open the address in one.")

        running.run(pipe.store, listening, authentication=authentication, started=started)
