"""The commands about one thing: show and history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arangopipe.cli.options import AS_OF, PROJECT, reference, verb
from arangopipe.cli.terminal import Terminal, pass_terminal

if TYPE_CHECKING:
    from arangopipe.references import When


@verb(
    "show",
    "arangopipe show dataset:diabetes",
    "arangopipe show deployment:prod",
    "arangopipe show model:ridge --json",
    see=("history", "lineage"),
)
@reference()
@PROJECT
@AS_OF
@pass_terminal
def show(terminal: Terminal, ref: str, project: str | None, as_of: When) -> None:
    """Show all that is recorded about one thing.

    Its document, a run's parameters and metrics, what it is linked to, and who wrote it when.
    """
    from arangopipe.cli import pages
    from arangopipe.cli.refs import find

    with terminal.pipe(project=project) as pipe:
        node = find(pipe, ref, as_of)
        if terminal.as_json:
            terminal.give(pages.as_json(pipe, node, as_of))
        else:
            pages.show(terminal, pipe, node, as_of)


@verb(
    "history",
    "arangopipe history dataset:diabetes",
    "arangopipe history deployment:prod --json",
    csv=True,
    see=("audit log", "show"),
)
@reference()
@PROJECT
@AS_OF
@pass_terminal
def history(terminal: Terminal, ref: str, project: str | None, as_of: When) -> None:
    """Show who changed a thing, when, why, and how.

    Changes come oldest first: + is an attribute that was added, - one that was removed, ~ one that was
    changed. A thing that was deleted is known by its id.
    """
    from arangopipe.cli import revisions
    from arangopipe.revisions import as_json

    with terminal.pipe(project=project) as pipe:
        found = revisions.of(pipe, ref, as_of)
        if terminal.as_json:
            terminal.give(as_json(found))
        elif terminal.as_csv:
            revisions.write(found)
        else:
            revisions.show(terminal, found)
