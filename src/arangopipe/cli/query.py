"""Read-only SQL over the tables in which a store is kept."""

from __future__ import annotations

import sys

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, pass_terminal
from arangopipe.errors import Unsupported


@verb(
    "query",
    'arangopipe query "SELECT action, count(*) AS changes FROM change GROUP BY action"',
    'arangopipe query "SELECT * FROM change WHERE actor = ?" --parameter ana --csv',
    'arangopipe query --plan "SELECT * FROM node WHERE key = ?" --parameter x',
    "arangopipe query - < question.sql",
    csv=True,
    fails="a query that is wrong or takes too long",
    see=("search", "stats"),
)
@click.argument("sql", metavar="SQL")
@click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="TEXT",
    help="What stands for the next placeholder: ? in SQLite, $1 in PostgreSQL; may be given several times.",
)
@click.option("--plan", is_flag=True, help="Only say how the query would be answered.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10_000),
    default=1_000,
    show_default=True,
    help="How many rows at most.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 30, min_open=True),
    default=5.0,
    show_default=True,
    metavar="N",
    help="After how many seconds it is stopped.",
)
@pass_terminal
def query(
    terminal: Terminal, sql: str, parameters: tuple[str, ...], plan: bool, limit: int, timeout: float
) -> None:
    """Ask the store in SQL, read-only.

    One statement that reads, over the tables that the page "The web page" of the documentation describes; '-'
    reads it from standard input. Of a server it takes an administrator.
    """
    from arangopipe.cli.tables import Column, show_table, write_csv
    from arangopipe.store.abilities import NativeQuery, Rows

    text = sys.stdin.read() if sql == "-" else sql
    with terminal.pipe() as pipe:
        store = pipe.store
        store.head()  # a server that is away says so, and not that it has no SQL
        if not isinstance(store, NativeQuery):
            raise Unsupported(f"{store.url} has no SQL, or not for you: stores in SQLite and PostgreSQL have")
        if plan:
            lines = store.explain(text, parameters, timeout)
            found = Rows(("plan",), tuple((line,) for line in lines), False)
        else:
            found = store.query(text, parameters, limit, timeout)
        cells = list(zip(*found.rows, strict=True)) or [()] * len(found.columns)
        if terminal.as_json:
            terminal.give(found._asdict())
        elif terminal.as_csv:
            write_csv(list(zip(found.columns, cells, strict=True)))
        else:
            columns = [
                Column(name, each, 0, whole=plan) for name, each in zip(found.columns, cells, strict=True)
            ]
            show_table(terminal, columns, chosen=True)
            if found.truncated:
                terminal.note(f"There is more: these are the first {len(found.rows):,} rows.")
