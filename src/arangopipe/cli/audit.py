"""The commands about the record itself: who changed what, and whether it is still what was recorded."""

from __future__ import annotations

from typing import Any

import click

from arangopipe.cli.options import AS_OF, Group, Moment, lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal


@click.group("audit", cls=Group)
def audit() -> None:
    """Who changed what, and whether the record is intact.

    Every change of the store is a link of a chain of digests: nothing that was recorded can be altered
    without 'audit verify' finding the place.
    """


@verb(
    "log",
    "arangopipe audit log",
    "arangopipe audit log --kind deployment",
    "arangopipe audit log --thing model:ridge --reason reviewed",
    "arangopipe audit log --since 2026-01-01 --limit 5 --json",
    csv=True,
    see=("history", "audit verify"),
)
@click.option("--actor", metavar="NAME", shell_complete=lazily("actors"), help="Only what this user changed.")
@click.option("--since", type=Moment(), metavar="WHEN", help="Only from this time or change on.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Only up to this time or change.")
@click.option(
    "--kind", metavar="KIND", shell_complete=lazily("kinds"), help="Only changes of this kind of thing."
)
@click.option(
    "--action",
    metavar="TEXT",
    shell_complete=lazily("actions"),
    help="Only changes of this action, such as 'log run'.",
)
@click.option(
    "--thing",
    metavar="REF",
    shell_complete=lazily("references"),
    help="Only changes of this thing, such as model:ridge (all its versions), or of an id.",
)
@click.option("--reason", metavar="TEXT", help="Only changes whose reason holds this text.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=25, show_default=True, help="How many at most."
)
@click.option("--cursor", type=click.IntRange(1), metavar="N", help="Go on where an earlier page ended.")
@AS_OF
@pass_terminal
def log(terminal: Terminal, limit: int, thing: str | None, **wanted: Any) -> None:
    """List the changes of the store, the newest first.

    Shows the number of each, its time, who made it, what it changed, and why. --as-of is the same as --until.
    """
    from arangopipe import changelog
    from arangopipe.cli import changes

    with terminal.pipe() as pipe:
        things = changelog.things(pipe, thing, wanted["as_of"]) if thing else None
        found, cursor = changelog.find(pipe, limit, changelog.Wanted(**wanted, things=things))
        if terminal.as_json:
            terminal.give({"items": [changelog.as_json(change) for change in found], "cursor": cursor})
        elif terminal.as_csv:
            changes.write(found)
        else:
            changes.show(terminal, found, cursor)


@verb(
    "verify",
    "arangopipe audit verify",
    "arangopipe audit verify --json",
    fails="a record that is broken",
    see=("audit log", "doctor"),
)
@pass_terminal
@click.pass_context
def verify(context: click.Context, terminal: Terminal) -> None:
    """Check that the record is what was recorded.

    Recomputes the chain of digests over every change, and checks what the store derives from them. A
    broken record is answered with the first bad entry, and exit code 1. Keep the head it prints
    elsewhere: whoever can write the file could also remove its last changes, and the head tells.
    """
    from arangopipe.cli import changes

    with terminal.pipe() as pipe:
        found = changes.verified(terminal, pipe)
        if terminal.as_json:
            terminal.give(found.to_dict())
        else:
            changes.show_verification(terminal, found)
    if not found.ok:
        context.exit(1)


audit.add_command(log)
audit.add_command(verify)
