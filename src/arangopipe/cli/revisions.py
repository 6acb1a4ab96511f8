"""The history of a thing, as lines and as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.cli.labels import line
from arangopipe.cli.refs import find
from arangopipe.cli.tables import write_rows
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.words import plain, when, who
from arangopipe.details import change_dict
from arangopipe.errors import NotFound
from arangopipe.model.entities import entity_of
from arangopipe.model.graph import Revision
from arangopipe.references import When
from arangopipe.revisions import Difference, steps, until
from arangopipe.words import shortened

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

LONGEST = 100

_STYLES = {"+": "green", "-": "red", "~": "yellow"}


def of(pipe: ArangoPipe, ref: str, as_of: When) -> list[Revision]:
    """Return the revisions of a thing up to a moment."""
    try:
        found = pipe.history(find(pipe, ref, as_of))
    except NotFound:
        # What was deleted is known by its id alone.
        if "/" not in ref or not (found := pipe.history(ref)):
            raise
    return until(found, as_of)


def write(revisions: Sequence[Revision]) -> None:
    """Print the history as CSV: a row for each attribute that changed, and one for each deletion."""
    rows: list[dict[str, Any]] = []
    for step in steps(revisions):
        said = change_dict(step.change)
        found = step.differences if step.revision is not None else (Difference("deleted", "", None, None),)
        rows += [{**said, **difference._asdict()} for difference in found]
    write_rows(rows)


def show(terminal: Terminal, revisions: Sequence[Revision]) -> None:
    """Print the history of a thing."""
    terminal.show(line(entity_of(revisions[-1].node)))
    for step in steps(revisions):
        said = "deleted" if step.revision is None else step.change.action
        title = Text.assemble("\n", (f"change {step.change.number}", "bold"), f"  {when(step.change.time)}")
        title.append(f"  {who(step.change)}: {clean(said)}")
        if step.superseded:
            title.append(", superseded by what is later", style="dim")
        if step.change.reason:
            title.append(f" ({clean(step.change.reason)})", style="italic")
        terminal.show(title)
        for difference in step.differences:
            terminal.show(_difference(difference))


def _difference(found: Difference) -> Text:
    text = Text(f"  {found.mark} {clean(found.path)}", style=_STYLES[found.mark])
    old, new = (Text(shortened(plain(value), LONGEST)) for value in (found.before, found.after))
    if found.mark == "~":
        return text.append(" ").append_text(old).append(" → ", style="dim").append_text(new)
    return text.append(" ").append_text(new if found.mark == "+" else old)
