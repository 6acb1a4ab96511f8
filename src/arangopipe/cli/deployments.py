"""The command about deployments: who is live, and who was when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from arangopipe.cli.listing import Request, list_options
from arangopipe.cli.options import Moment, lazily, verb
from arangopipe.cli.terminal import Terminal, pass_terminal


@verb(
    "deployments",
    "arangopipe deployments",
    "arangopipe deployments --live-at 2026-11-01",
    "arangopipe deployments --tag prod --json",
    "arangopipe deployments \"status = 'scheduled'\"",
    csv=True,
    see=("deploy", "impact"),
)
@list_options
@click.option("--tag", metavar="TAG", shell_complete=lazily("tags"), help="Only deployments of this tag.")
@click.option(
    "--live-at", type=Moment(numbers=False), metavar="TIME", help="Only what was live at this time."
)
@pass_terminal
def deployments(terminal: Terminal, tag: str | None, live_at: datetime | None, **options: Any) -> None:
    """List deployments.

    Shows which is live, since when, what it serves and how it does. What is live comes first, then
    what is scheduled, then what was live before. --live-at asks what served at a time; together
    with --as-of, as it was recorded then.
    """
    from arangopipe.cli.finding import show_list
    from arangopipe.cli.placing import rank, view
    from arangopipe.model.filters import Compare, Path

    tagged = None if tag is None else Compare(Path(("tag",)), "=", tag)
    live = None if live_at is None else (lambda deployment: deployment.live_at(live_at))
    show_list(terminal, "deployment", Request(**options), view, also=tagged, keep=live, rank=rank)
