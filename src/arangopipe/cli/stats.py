"""The command that counts what is there."""

from __future__ import annotations

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, pass_terminal


@verb(
    "stats",
    "arangopipe stats",
    "arangopipe stats --tables",
    "arangopipe stats --json",
    csv=True,
    see=("doctor", "runs"),
)
@click.option("--tables", is_flag=True, help="Each table too: its rows, and its bytes with its indexes.")
@pass_terminal
def stats(terminal: Terminal, tables: bool) -> None:
    """Count what is in the store.

    Things by kind; runs by project, by status and by the month in which they started; points of metrics
    and changes; and how much room all that takes.
    """
    from arangopipe.cli import counting

    with terminal.pipe() as pipe:
        found = counting.count(pipe, terminal.url, tables)
        if terminal.as_json:
            terminal.give(found)
        elif terminal.as_csv:
            counting.write(found)
        else:
            counting.show(terminal, found)
