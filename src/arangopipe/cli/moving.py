"""The commands that move stores: bundles, backups and copies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from arangopipe.cli.options import Moment, lazily, verb
from arangopipe.cli.terminal import Terminal, clean, pass_terminal
from arangopipe.words import bytes_of, count

if TYPE_CHECKING:
    from arangopipe.bundle import Conflict, Exported

FILE = click.argument("file", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))


@verb(
    "export",
    "arangopipe export all.bundle",
    "arangopipe export diabetes.bundle --project diabetes",
    "arangopipe export week.bundle --since 2026-11-16 --until 2026-11-23",
    "arangopipe export rescued.bundle --salvage",
    see=("import", "doctor", "audit verify"),
)
@FILE
@click.option(
    "--project",
    metavar="NAME",
    shell_complete=lazily("projects"),
    help="Only what belongs to this project, and what that depends on.",
)
@click.option("--since", type=Moment(), metavar="WHEN", help="Only changes from this time or change on.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Only changes up to this time or change.")
@click.option(
    "--salvage", is_flag=True, help="Read a damaged file as far as that goes, and say what is lost."
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there already.")
@pass_terminal
def export(terminal: Terminal, file: Path, salvage: bool, force: bool, **wanted: Any) -> None:
    """Write the store, or a part of it, into one file.

    FILE is a bundle: 'arangopipe import' takes it into another store. It appears under its name when it is
    whole.

    With --salvage the file of a damaged store is read page by page, and only read: all that stands in sound
    pages is in the bundle. What is lost is listed, with a warning.
    """
    from arangopipe import bundle
    from arangopipe.cli.bars import progress

    if salvage:
        _salvage(terminal, file, force, wanted)
        return
    with terminal.pipe() as pipe, progress(terminal, "Exporting changes") as told:
        done = bundle.export(pipe.store, file, overwrite=force, progress=told, **wanted)
    if terminal.as_json:
        terminal.give(done.to_dict())
    else:
        _say_exported(done)


def _salvage(terminal: Terminal, file: Path, force: bool, wanted: dict[str, Any]) -> None:
    from arangopipe import bundle
    from arangopipe.cli.bars import stages

    if part := [name for name, value in wanted.items() if value is not None]:
        raise click.UsageError(
            f"--salvage takes all there is: leave --{part[0]} out, import FILE into a new store, "
            "and export the part from there"
        )
    with stages(terminal, "Copying the file") as told:
        done = bundle.salvage(terminal.url, file, overwrite=force, progress=told)
    if terminal.as_json:
        terminal.give(done.to_dict())
        return
    click.echo(f"Read {terminal.place} as far as it goes:")
    for line in str(done.report).splitlines():
        click.echo(f"  {clean(line)}")
    _say_exported(done.exported)
    if not done.report.whole:
        click.echo(f"Warning: not all of {terminal.place} could be read", err=True)


def _say_exported(done: Exported) -> None:
    part = "" if done.whole else " (a part)"
    written = f"{count(done.changes, 'change')} of store {done.store}{part}"
    click.echo(f"Wrote {written} to {done.path}, {bytes_of(done.bytes)}.")


@verb(
    "import",
    "arangopipe import theirs.bundle",
    "arangopipe import theirs.bundle --store copy.db",
)
@FILE
@pass_terminal
def import_(terminal: Terminal, file: Path) -> None:
    """Take a bundle into the store.

    A store that is not there is made. An empty one takes over a whole bundle as it is, its audit chain
    included; any other merges it: what is known adds nothing, and where two stores wrote one thing
    differently, what was written last stands. A damaged FILE changes nothing.
    """
    from arangopipe import bundle
    from arangopipe.cli.bars import progress

    bundle.Bundle(file)  # so that no store is made for a file that is none
    with terminal.pipe(create=True) as pipe, progress(terminal, "Importing changes") as told:
        done = bundle.import_bundle(pipe.store, file, actor=pipe.actor, progress=told)
    if terminal.as_json:
        terminal.give(done.to_dict())
        return
    _say_recorded(done.verbatim, done.new, done.known, f"store {done.store}", terminal.place)
    _say_conflicts(done.conflicts)


@verb("backup", "arangopipe backup runs.backup", "arangopipe backup runs.backup --json")
@FILE
@click.option("--force", is_flag=True, help="Replace FILE if it is there already.")
@pass_terminal
def backup(terminal: Terminal, file: Path, force: bool) -> None:
    """Copy the store into a file while others write.

    The copy is verified before it appears as FILE. It holds all that was recorded before it began, and is
    a store itself: 'arangopipe runs --store FILE' reads it.
    """
    from arangopipe import bundle
    from arangopipe.cli.bars import progress

    with terminal.pipe() as pipe, progress(terminal, "Copying and verifying") as told:
        done = bundle.backup(pipe.store, file, overwrite=force, progress=told)
    if terminal.as_json:
        terminal.give(done.to_dict())
        return
    click.echo(f"Backed up {count(done.changes, 'change')} to {file}, {bytes_of(done.bytes)}, verified.")
    terminal.note(f"head {done.head or '(none)'}")


@verb(
    "restore",
    "arangopipe restore nightly.backup --store restored.db",
    "arangopipe restore nightly.backup --force",
)
@FILE
@click.option("--force", is_flag=True, help="Replace a store that is there; it is kept beside the new one.")
@pass_terminal
def restore(terminal: Terminal, file: Path, force: bool) -> None:
    """Put a backup where the store is to be.

    FILE is verified first. A store that is there is not touched without --force. With it, the old one
    is kept under another name, where programs that have it open go on with it: stop them first.
    """
    from arangopipe import bundle
    from arangopipe.cli.bars import progress

    with progress(terminal, "Copying and verifying") as told:
        done = bundle.restore(file, terminal.url, force=force, progress=told)
    if terminal.as_json:
        terminal.give(done.to_dict())
        return
    click.echo(f"Restored {count(done.changes, 'change')} to {terminal.place}, verified.")
    if done.kept is not None:
        click.echo(f"The store that was there is kept as {done.kept}.")


@verb(
    "copy",
    "arangopipe copy store.db copy.db",
    "arangopipe copy store.db sqlite:///team.db --json",
)
@click.argument("source", metavar="FROM", shell_complete=lazily("stores"))
@click.argument("target", metavar="TO", shell_complete=lazily("stores"))
@click.option("--merge", is_flag=True, help="Merge into a store with changes of its own, as import does.")
@pass_terminal
def copy(terminal: Terminal, source: str, target: str, merge: bool) -> None:
    """Copy one store into another, whatever their engines.

    FROM and TO are addresses, or paths of files; TO is made if it is not there. What TO has already is
    passed over, so an interrupted copy goes on where it stopped. In the end both are compared.
    """
    from arangopipe import bundle
    from arangopipe.cli.bars import progress

    taken, given = Terminal(store=source), Terminal(store=target)
    with (
        taken.pipe() as pipe,
        given.pipe(create=True) as other,
        progress(terminal, "Copying changes") as told,
    ):
        done = bundle.copy(pipe.store, other.store, actor=pipe.actor, merge=merge, progress=told)
    if terminal.as_json:
        terminal.give(done.to_dict())
        return
    _say_recorded(done.verbatim, done.new, done.known, taken.place, given.place)
    if done.verbatim:
        click.echo(f"Verified: heads and counts are equal, and so are {done.compared:,} things compared.")
    _say_conflicts(done.conflicts)


def _say_recorded(verbatim: bool, new: int, known: int, source: str, target: str) -> None:
    how = "Took over" if verbatim else "Merged"
    as_it_was = " as they were" if verbatim and new else ""
    click.echo(f"{how} {count(new, 'change')} of {source} into {target}{as_it_was}; {known:,} known already.")


def _say_conflicts(conflicts: tuple[Conflict, ...]) -> None:
    if conflicts:
        click.echo(f"{len(conflicts):,} written differently by two stores:")
    for conflict in conflicts:
        click.echo(f"  {clean(str(conflict))}")
