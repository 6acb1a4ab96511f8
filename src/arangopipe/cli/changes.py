"""The changes of a store: finding them backwards, printing them, verifying them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.audit import Verification, verify
from arangopipe.cli.bars import progress
from arangopipe.cli.tables import Column, show_table, write_rows
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.words import when, who
from arangopipe.details import change_dict
from arangopipe.model.graph import Change
from arangopipe.references import When, moment_of
from arangopipe.touched import touched, what
from arangopipe.words import count

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

_STEP = 500


@dataclass(frozen=True)
class Wanted:
    """Which changes are asked for."""

    actor: str | None = None
    since: When = None
    until: When = None
    kind: str | None = None
    action: str | None = None
    cursor: int | None = None
    as_of: When = None


def find(pipe: ArangoPipe, limit: int, wanted: Wanted) -> tuple[list[Change], int | None]:
    """Return the newest changes that are wanted, and the cursor to older ones."""
    kind = None if wanted.kind is None else pipe.references().kind(wanted.kind).name
    found: list[Change] = []
    for change in _backwards(pipe, _last(pipe, wanted)):
        if _before(change, wanted.since):
            break
        if not _fits(change, wanted):
            continue
        if len(found) == limit:
            return found, found[-1].number
        whole = next(pipe.store.changes(change.number - 1, limit=1, entries=True), change)
        if kind is None or any(thing.kind == kind for thing in touched(whole)):
            found.append(whole)
    return found, None


def _last(pipe: ArangoPipe, wanted: Wanted) -> int:
    """Return the number of the last change that may be wanted."""
    heads = [pipe.store.head(moment_of(moment)) for moment in {wanted.until, wanted.as_of, None}]
    last = min((head.number if head is not None else 0) for head in heads)
    return last if wanted.cursor is None else min(last, wanted.cursor - 1)


def _backwards(pipe: ArangoPipe, last: int) -> Iterator[Change]:
    while last > 0:
        first = max(last - _STEP, 0)
        yield from reversed(list(pipe.store.changes(first, limit=last - first)))
        last = first


def _before(change: Change, moment: When) -> bool:
    known = moment_of(moment)
    if known is None:
        return False
    return change.number < known if isinstance(known, int) else change.time < known


def _fits(change: Change, wanted: Wanted) -> bool:
    actors = (None, change.actor, change.origin and change.origin.actor)
    return wanted.actor in actors and wanted.action in (None, change.action)


def as_json(change: Change) -> dict[str, Any]:
    """Return a change as JSON-able values."""
    counted: dict[str, int] = {}
    for thing in touched(change):
        counted[thing.kind] = counted.get(thing.kind, 0) + 1
    links = {"batch": change.batch, "digest": change.digest, "chain": change.chain}
    return {**change_dict(change), "things": counted, **links}


def write(found: Sequence[Change]) -> None:
    """Print changes as CSV; their things in words."""
    write_rows([{**as_json(change), "things": what(change)} for change in found], ("change", "time"))


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
        Column("what", [clean(what(change)) for change in found], 2),
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
