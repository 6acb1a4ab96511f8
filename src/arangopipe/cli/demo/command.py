"""The command that runs the demo."""

from __future__ import annotations

import click

from arangopipe.cli.options import verb
from arangopipe.cli.terminal import Terminal, pass_terminal

DEFAULT_STORE = "arangopipe-demo.db"


@verb(
    "demo",
    "arangopipe demo",
    "arangopipe demo --store /tmp/demo.db --no-progress",
    store=f"./{DEFAULT_STORE}",
)
@click.option("--no-progress", is_flag=True, help="Show no progress bar.")
@pass_terminal
def demo(terminal: Terminal, no_progress: bool) -> None:
    """Train 210 real models, record them, and ask about them.

    Trains five techniques on seven sets of features of the diabetes data that ships with scikit-learn,
    with six seeds each; deploys one model and serves it; and shows what the store says about all
    of it. Takes about half a minute and writes ./arangopipe-demo.db, or --store elsewhere. A second
    run adds nothing and shows the same; one that was interrupted goes on where it stopped.

    Needs scikit-learn: pip install 'arangopipe[demo]'.
    """
    from arangopipe.cli.demo import answers, work

    terminal.store = terminal.store or DEFAULT_STORE
    with terminal.pipe(create=True) as pipe:
        try:
            added = work.record(pipe, terminal, progress=not no_progress)
        except KeyboardInterrupt:
            click.echo("Stopped. The same command goes on from here.", err=True)
            raise
        if added:
            terminal.note(f"Recorded {added} runs in {terminal.place}.")
        else:
            terminal.note(f"All runs are recorded already in {terminal.place}; nothing was added.")
        if terminal.as_json:
            terminal.give(answers.as_json(terminal, pipe))
        else:
            answers.show(terminal, pipe)
