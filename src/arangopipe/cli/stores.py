"""The commands about stores as files: which there are, and bringing one to this version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, as_url, pass_terminal

if TYPE_CHECKING:
    from arangopipe.store.abilities import Inspection


@verb("stores", "arangopipe stores", "arangopipe stores --json", csv=True, see=("init", "doctor"))
@pass_terminal
def stores(terminal: Terminal) -> None:
    """List the stores that you have.

    These are the one that commands use now, the default one in the working directory, and those under
    $ARANGOPIPE_HOME/databases. Nothing is created or upgraded by looking.
    """
    from arangopipe.cli.tables import Column, show_table, write_rows
    from arangopipe.cli.words import cell
    from arangopipe.words import bytes_of

    rows = [_look(terminal, url) for url in _known(terminal)]
    if terminal.as_json:
        terminal.give({"items": rows})
    elif terminal.as_csv:
        write_rows(rows)
    elif not rows:
        terminal.note("You have no store yet. Make one with 'arangopipe init', or see 'arangopipe demo'.")
    else:
        sizes = [None if row["bytes"] is None else bytes_of(row["bytes"]) for row in rows]
        show_table(
            terminal,
            [
                Column("", ["*" if row["used"] else None for row in rows], 0, "green"),
                Column("store", [row["store"] for row in rows], 0, "cyan", whole=True),
                Column("size", sizes, 1),
                Column("runs", [row["runs"] for row in rows], 1),
                Column("last change", [row["last_change"] and cell(row["last_change"]) for row in rows], 2),
                Column("state", [row["state"] for row in rows], 1, whole=True),
            ],
        )


def _known(terminal: Terminal) -> list[str]:
    """Return the addresses of the stores there may be, each once, the one in use first."""
    from arangopipe.store.settings import DEFAULT_URL, home

    kept = sorted((home() / "databases").glob("*.db"))
    urls = [DEFAULT_URL, *(as_url(str(path)) for path in kept)]
    found = {_place(terminal.url): terminal.url}
    for url in urls:
        if Path(_place(url)).exists():
            found.setdefault(_place(url), url)
    return list(found.values()) if terminal.exists() else list(found.values())[1:]


def _place(url: str) -> str:
    """Return what two addresses of one store have in common."""
    path = Terminal(store=url).path
    return url if path is None else str(path.resolve())


def _look(terminal: Terminal, url: str) -> dict[str, Any]:
    """Return what is known of a store; of one that is not of this version only its size."""
    from arangopipe.errors import ArangopipeError
    from arangopipe.model import times
    from arangopipe.store import inspection, open_store

    here = Terminal(store=url)
    row: dict[str, Any] = {
        "store": here.place,
        "used": _place(url) == _place(terminal.url),
        "bytes": None,
        "runs": None,
        "last_change": None,
        "state": "ok",
    }
    try:
        look = inspection(url)
        if look is not None:
            found, known = look.schema()
            if found != known:
                row["state"] = "empty" if found is None else f"schema {found}: arangopipe upgrade"
                return row
            row["bytes"] = look.size().bytes
        with open_store(url) as store:
            row["runs"] = store.count("run").get(None, 0)
            last = store.head()
            row["last_change"] = None if last is None else times.to_text(last.time)
    except ArangopipeError as error:
        row["state"] = str(error)
    return row


@verb(
    "upgrade",
    "arangopipe upgrade --check",
    "arangopipe upgrade",
    fails="with --check, an upgrade that is needed",
    see=("doctor", "stores"),
)
@click.option("--check", is_flag=True, help="Only say whether it is needed; exit code 1 if it is.")
@pass_terminal
@click.pass_context
def upgrade(context: click.Context, terminal: Terminal, check: bool) -> None:
    """Bring a store to the schema of this version.

    Any command does that by itself when it opens an older store; here it happens when you say so, with a
    copy of the file beside it first. A store of a newer version is refused.
    """
    from arangopipe.errors import Unsupported
    from arangopipe.store import inspection

    look = inspection(terminal.url)
    if look is None:
        raise Unsupported(f"{terminal.url} is brought to a version by whoever runs it")
    if not terminal.exists():
        with terminal.pipe():  # says that there is none
            return
    found, known = look.schema()
    if not check and found != known:
        with terminal.pipe():
            pass
    needed = found != known
    backup = None if check or not needed else _last_backup(look)
    if terminal.as_json:
        done = needed and not check
        terminal.give({"store": terminal.url, "from": found, "to": known, "done": done, "backup": backup})
    elif not needed:
        click.echo(f"{terminal.place} has schema {known}, which this version writes.")
    elif check:
        click.echo(
            f"{terminal.place} has schema {found}, and this version writes {known}: arangopipe upgrade"
        )
    else:
        click.echo(f"{terminal.place} was brought from schema {found} to {known}.")
        click.echo(f"The copy made before: {backup or 'none, it was empty'}")
    if check and needed:
        context.exit(1)


def _last_backup(look: Inspection) -> str | None:
    backups = look.backups()
    return str(backups[-1]) if backups else None
