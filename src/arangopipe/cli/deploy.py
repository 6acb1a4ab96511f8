"""The command that changes what is in service."""

from __future__ import annotations

from datetime import datetime

import click

from arangopipe.cli.asking import asking_options
from arangopipe.cli.options import Moment, lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal


@verb(
    "deploy",
    "arangopipe deploy prod --run run/aaaaaaaa-00000009 --reason 'better rmse' --yes",
    "arangopipe deploy prod --run 00000009 --dry-run",
    "arangopipe deploy prod --rollback --dry-run",
    "arangopipe deploy prod --archive --reason 'bad predictions' --yes",
    "arangopipe deploy next --activate --yes",
    "arangopipe deploy next --run 00000009 --schedule 2099-06-01T09:00 --yes",
    fails='a "no" to its question',
    see=("deployments", "history"),
)
@click.argument("tag", metavar="TAG", shell_complete=lazily("tags"))
@click.option("--run", metavar="REF", shell_complete=lazily("runs"), help="Deploy this run.")
@click.option("--activate", is_flag=True, help="Put the scheduled deployment into service.")
@click.option("--rollback", is_flag=True, help="Deploy the run again that was in service before.")
@click.option("--archive", is_flag=True, help="Take it out of service; call off what is only scheduled.")
@click.option(
    "--schedule", type=Moment(numbers=False), metavar="TIME", help="With --run: only plan it, for this time."
)
@click.option(
    "--at",
    type=Moment(numbers=False),
    metavar="TIME",
    help="When it took effect, if that was before now.",
)
@click.option("--keep", is_flag=True, help="Leave what is in service there too.")
@asking_options
@pass_terminal
def deploy(
    terminal: Terminal,
    tag: str,
    run: str | None,
    schedule: datetime | None,
    at: datetime | None,
    keep: bool,
    reason: str,
    dry_run: bool,
    yes: bool,
    **ways: bool,
) -> None:
    """Change what is in service under a tag.

    Shows what would serve, what it would replace, and how both did; then asks. With none of --run,
    --activate, --rollback and --archive, deploys the one run that carries TAG.

    What served before is archived with the time it ended, so that 'deployments --live-at' knows who
    answered when. Nothing is lost by a wrong step: --rollback goes back.
    """
    from arangopipe.cli import serving

    chosen = [way for way, wanted in (("run", run is not None), *ways.items()) if wanted]
    if len(chosen) > 1:
        raise click.UsageError(f"choose one of {', '.join(f'--{way}' for way in chosen)}")
    way = chosen[0] if chosen else "run"
    if keep and way == "archive":
        raise click.UsageError("--keep does not go with --archive")
    if schedule is not None and (way != "run" or at is not None or keep):
        raise click.UsageError("--schedule goes with --run alone")
    with terminal.pipe() as pipe:
        step = serving.Step(way, tag, run, schedule, at, keep, reason)
        serving.carry_out(terminal, pipe, step, dry_run, yes)
