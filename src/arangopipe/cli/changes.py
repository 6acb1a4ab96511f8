"""The changes of a store: printing them, verifying them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from arangopipe.audit import Verification, verify
from arangopipe.changelog import as_json
from arangopipe.cli.bars import progress
from arangopipe.cli.tables import Column, show_table, write_rows
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.words import when, who
from arangopipe.model.graph import Change
from arangopipe.touched import touched, what
from arangopipe.words import count

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe


def write(found: Sequence[Change]) -> None:
    """Print changes as CSV; their things in words."""
    write_rows([{**as_json(change), "things": what(touched(change))} for change in found], ("change", "time"))


def show(terminal: Terminal, found: Sequence[Change], cursor: int | None) -> None:
    """Print changes as a table."""
    if not found:
        terminal.note("No change matches.")
        return
    columns = [
        Column("change", [change.number for change in found], 0),
        Column("time", [when(change.time) for change in found], 0),
        Column("actor", [who(change) for change in found], 1),
        Column("action", [clean(change.action) for change in found], 1, "cyan"),
        Column("what", [clean(what(touched(change))) for change in found], 2),
        Column("reason", [clean(change.reason) for change in found], 3),
        Column("chain", [change.chain[:12] for change in found], 4, "dim"),
    ]
    show_table(terminal, columns)
    if cursor is not None:
        terminal.note(f"Older ones: --cursor {cursor}")


def verified(terminal: Terminal, pipe: ArangoPipe) -> Verification:
    """Verify a store, with a progress bar where someone watches."""
    with progress(terminal, "Verifying changes") as tell:
        return verify(pipe.store, tell)


def show_verification(terminal: Terminal, found: Verification) -> None:
    """Print the outcome: intact, or the first bad entry and how many more there are."""
    if found.ok:
        terminal.show(
            Text("The record is intact", style="green").append(
                f": {count(found.changes, 'change')} verified.", style="default"
            ),
            Text(f"head {found.head or '(none)'}", style="dim"),
        )
        return
    first, *others = found.problems
    terminal.show(
        Text("The record is broken", style="bold red").append(
            f": {count(len(found.problems), 'problem')} in {count(found.changes, 'change')}.",
            style="not bold default",
        ),
        Text(f"First bad entry: {clean(str(first))}"),
        *(Text(f"  {clean(str(problem))}", style="dim") for problem in others),
    )
