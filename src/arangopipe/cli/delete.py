"""The command that deletes a thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from arangopipe.cli.asking import asking_options, proceed
from arangopipe.cli.options import PROJECT, reference, verb
from arangopipe.cli.terminal import Terminal, clean, pass_terminal

if TYPE_CHECKING:
    from arangopipe.model.graph import Node
    from arangopipe.pipe import ArangoPipe


@verb(
    "delete",
    "arangopipe delete run/aaaaaaaa-00000003 --reason 'wrong data' --yes",
    "arangopipe delete run:broken --dry-run",
    "arangopipe delete dataset:diabetes --force --reason 'asked to by law' --yes",
    "arangopipe delete run:curve --erase --reason 'holds a name' --yes",
    fails='what is in use, or a "no" to its question',
    see=("impact", "retain", "history"),
)
@reference()
@click.option("--force", is_flag=True, help="Delete it although it is in use; needs --reason.")
@click.option("--erase", is_flag=True, help="Remove its content for good, from the past too; needs --reason.")
@asking_options
@PROJECT
@pass_terminal
def delete(
    terminal: Terminal,
    ref: str,
    force: bool,
    erase: bool,
    reason: str,
    dry_run: bool,
    yes: bool,
    project: str | None,
) -> None:
    """Delete a thing, its edges and what it owns.

    --as-of and 'history' still show what was deleted, and its name is free again; --erase removes its
    content from the past too. What a live or scheduled deployment depends on is refused with the list
    of reasons, and so is a project in use; --force overrides that, and the record keeps the reason.
    """
    from arangopipe.cli.refs import find

    if (force or erase) and not reason.strip():
        option = "--force" if force else "--erase"
        raise click.UsageError(f"{option} needs a --reason, which the record keeps")
    with terminal.pipe(project=project) as pipe:
        node = find(pipe, ref)
        pipe.admin.check_free(node, "erased" if erase else "deleted", force=force)
        if not terminal.as_json:
            _show(terminal, pipe, node, erase)
        change = None
        if proceed(terminal, dry_run, yes):
            remove = pipe.admin.erase if erase else pipe.admin.delete
            change = remove(node, reason=reason, force=force)
        if terminal.as_json:
            number = None if change is None else change.number
            terminal.give({"id": node.id, "change": number, "erased": erase, "done": change is not None})
        elif change is not None:
            click.echo(f"{'Erased' if erase else 'Deleted'} {clean(node.id)} with change {change.number}.")


def _show(terminal: Terminal, pipe: ArangoPipe, node: Node, erase: bool) -> None:
    """Print what goes: the thing, how many links it has, and what in service needs it."""
    from rich.text import Text

    from arangopipe.cli.labels import line
    from arangopipe.guards import in_service
    from arangopipe.store.base import MAX_PAGE
    from arangopipe.words import count

    (thing,) = pipe.entities([node])
    links = len(pipe.edges(node))
    number = f"{links:,} or more links" if links == MAX_PAGE else count(links, "link")
    owned = " and what it recorded" if node.kind == "run" else ""
    verb = "Erase for good " if erase else "Delete "
    terminal.show(Text(verb).append_text(line(thing)), Text(f"  with {number}{owned}", style="dim"))
    for reason in in_service(pipe.store, node):
        terminal.show(Text(f"  although {clean(reason)}", style="yellow"))
