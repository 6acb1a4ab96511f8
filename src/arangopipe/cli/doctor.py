"""The command that looks whether everything is all right."""

from __future__ import annotations

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, pass_terminal


@verb(
    "doctor",
    "arangopipe doctor",
    "arangopipe doctor --quick",
    "arangopipe doctor --json",
    csv=True,
    fails="a check that failed",
    see=("audit verify", "stats"),
)
@click.option(
    "--quick", is_flag=True, help="Leave out what reads the whole store: integrity and audit chain."
)
@pass_terminal
@click.pass_context
def doctor(context: click.Context, terminal: Terminal, quick: bool) -> None:
    """Look whether everything is all right.

    Says what to do where it is not. Checks the installation, the settings, the file and its disk, the
    schema, the structures of the store, the audit chain, stale runs, and deployments that nobody measures.
    Only looks: nothing is created, upgraded or mended. Ends with exit code 1 where a check failed; a
    warning does not.
    """
    from arangopipe.cli import checkup

    found = []
    for condition in checkup.conditions(terminal, quick):
        found.append(condition)
        if not (terminal.as_json or terminal.as_csv):
            checkup.show(terminal, condition)
    failed = [condition.name for condition in found if condition.state == "fail"]
    if terminal.as_json:
        terminal.give({"ok": not failed, "checks": [condition._asdict() for condition in found]})
    elif terminal.as_csv:
        checkup.write(found)
    else:
        checkup.sum_up(terminal, found)
    if failed:
        context.exit(1)
