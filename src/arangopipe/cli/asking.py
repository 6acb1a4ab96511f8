"""What commands that change something share: they say what they would do, and ask before they do it."""

from __future__ import annotations

import sys
from typing import Any

import click

from arangopipe.cli.options import Decorator, add_options
from arangopipe.cli.terminal import Terminal

REASON: Decorator[Any] = click.option(
    "--reason", metavar="TEXT", default="", help="Why; the record keeps it."
)

DRY_RUN: Decorator[Any] = click.option("--dry-run", is_flag=True, help="Only say what would be done.")

YES: Decorator[Any] = click.option("--yes", "-y", is_flag=True, help="Do it without asking.")


def asking_options(function: Any) -> Any:
    """Add the options of a command that asks before it changes anything."""
    return add_options((REASON, DRY_RUN, YES))(function)


PASSWORD_STDIN: Decorator[Any] = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input, without asking."
)


def new_password(terminal: Terminal, from_stdin: bool) -> str:
    """Return a password that is typed twice, unseen, or is the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if terminal.as_json or not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked for the password here: use --password-stdin")
    given: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return given


def proceed(terminal: Terminal, dry_run: bool, yes: bool) -> bool:
    """Return whether to do what has just been described; where nobody can be asked, only `yes` says so."""
    if dry_run:
        terminal.note("Nothing was changed: --dry-run.")
    if dry_run or yes:
        return not dry_run
    if terminal.as_json or not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here: say --yes to do it, or --dry-run to look first")
    if click.confirm("Do it?", err=True):
        return True
    terminal.note("Nothing was changed.")
    raise click.exceptions.Exit(1)
