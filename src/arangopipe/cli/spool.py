"""The commands about the spool: what waits there for a store, and what becomes of it."""

from __future__ import annotations

from typing import Any

import click

from arangopipe.cli.asking import DRY_RUN, YES
from arangopipe.cli.options import Decorator, Group, lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal

_EVERY = "every store"


@click.group("spool", cls=Group)
def spool() -> None:
    """See and replay what waits for a store that was away.

    What a run logs while its store cannot be reached waits on disk, and is recorded exactly once by the next
    program that connects to the store, or by 'arangopipe spool replay'.
    """


_NAMES: Decorator[Any] = click.argument(
    "names", metavar="[NAME]...", nargs=-1, shell_complete=lazily("spooled")
)


@verb(
    "list",
    "arangopipe spool list",
    "arangopipe spool list --json",
    csv=True,
    store=_EVERY,
    see=("spool replay", "doctor"),
)
@pass_terminal
def list_(terminal: Terminal) -> None:
    """List what waits: for which store, since when, how much, and why.

    Each process that could not reach a store has a file of its own here. What is 'refused' was answered by
    the store with an error; what is 'in use' belongs to a program that is running.
    """
    from arangopipe.cli import spooled

    spooled.show_list(terminal, spooled.chosen(terminal, ()))


@verb(
    "show",
    "arangopipe spool show",
    "arangopipe spool show --json",
    csv=True,
    store=_EVERY,
    see=("spool list",),
)
@_NAMES
@pass_terminal
def show(terminal: Terminal, names: tuple[str, ...]) -> None:
    """Show each batch that waits, or those of the files named."""
    from arangopipe.cli import spooled

    spooled.show_batches(terminal, spooled.chosen(terminal, names))


@verb(
    "replay",
    "arangopipe spool replay",
    "arangopipe spool replay --json",
    store=_EVERY,
    fails="something that stays",
    see=("spool list",),
)
@_NAMES
@pass_terminal
@click.pass_context
def replay(context: click.Context, terminal: Terminal, names: tuple[str, ...]) -> None:
    """Record what waits, or the files named, in their stores.

    What was refused is tried again. What cannot be recorded stays with the reason, and the exit code is 1.
    A replay that is interrupted can be repeated: nothing is recorded twice. Files that are in use are left
    to the program that writes them.
    """
    from arangopipe.cli import spooled

    if not spooled.replay(terminal, spooled.chosen(terminal, names)):
        context.exit(1)


@verb(
    "drop",
    "arangopipe spool drop --all --dry-run",
    "arangopipe spool drop --all --yes",
    store=_EVERY,
    see=("spool show",),
)
@_NAMES
@click.option("--all", "everything", is_flag=True, help="Drop all that waits and is not in use.")
@DRY_RUN
@YES
@pass_terminal
def drop(terminal: Terminal, names: tuple[str, ...], everything: bool, dry_run: bool, yes: bool) -> None:
    """Remove the files named, for good: what they hold is never recorded.

    Shows what that is and why it waited, and asks before it does so.
    """
    from arangopipe.cli import spooled

    if bool(names) == everything:
        raise click.UsageError("name what is to be dropped (see 'arangopipe spool list'), or say --all")
    spooled.drop(terminal, spooled.chosen(terminal, names), dry_run, yes)


for _command in (list_, show, replay, drop):
    spool.add_command(_command)
