"""What differs between runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from arangopipe.cli.options import AS_OF, PROJECT, lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal

if TYPE_CHECKING:
    from arangopipe.references import When


@verb(
    "compare",
    "arangopipe compare run/aaaaaaaa-00000002 run/aaaaaaaa-00000003",
    "arangopipe compare 00000002 00000003 00000004 --csv",
    csv=True,
)
@click.argument(
    "refs", metavar="RUN RUN [RUN]...", nargs=-1, required=True, shell_complete=lazily("references")
)
@PROJECT
@AS_OF
@pass_terminal
def compare(terminal: Terminal, refs: tuple[str, ...], project: str | None, as_of: When) -> None:
    """Show what differs between runs.

    Params, metrics, data, features, code and environment; what is the same in all is only counted. Why
    they differ: 'arangopipe ask explain-difference'.
    """
    from arangopipe.cli.refs import find_run
    from arangopipe.cli.replies import reply

    with terminal.pipe(project=project) as pipe:
        runs = [find_run(pipe, ref, as_of) for ref in refs]
        reply(terminal, pipe.analysis.compare(runs, as_of=as_of))
