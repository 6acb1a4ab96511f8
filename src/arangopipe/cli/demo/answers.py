"""What the demo shows: every figure is read back from the store."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.cli.demo.study import DATASET
from arangopipe.cli.demo.work import DEPLOYED, SIMULATED, SWEEP
from arangopipe.cli.placing import show_impact
from arangopipe.cli.replies import columns, pictured, said
from arangopipe.cli.tables import heading, show_table
from arangopipe.cli.terminal import Terminal
from arangopipe.cli.trees import show_lineage

if TYPE_CHECKING:
    from arangopipe.analysis.answers import Answer
    from arangopipe.analysis.effect import Effect
    from arangopipe.pipe import ArangoPipe

BEST = 8
METRIC = "rmse"
ADDED = ("s5", "s2", "s1")
"""Attributes that help everywhere, somewhere, and nowhere."""

_SWEEP = f"tag = '{SWEEP}'"


class Answers:
    """The questions about the sweep, each asked once."""

    def __init__(self, pipe: ArangoPipe) -> None:
        ask = pipe.analysis
        self.leaderboard = ask.leaderboard(metric=METRIC, limit=BEST, where=_SWEEP)
        self.techniques = ask.techniques(metric=METRIC, where=_SWEEP)
        self.effects: tuple[Effect, ...] = tuple(
            ask.effect(attribute=name, metric=METRIC, where=_SWEEP) for name in ADDED
        )
        self.useful = ask.useful_features(metric=METRIC, where=_SWEEP)
        self.wear = ask.test_set_wear(metric=METRIC, where=_SWEEP)


def commands(terminal: Terminal, pipe: ArangoPipe, best: str) -> list[tuple[str, str]]:
    """Return what to try next, and what each command answers; all of them work as they stand."""
    live = pipe.lookup_deployment(DEPLOYED)
    run = pipe.lookup_run(best)
    (featureset,) = pipe.upstream(run, 1).of_kind("featuresets")
    since = live.active_from.astimezone().date().isoformat() if live.active_from else "today"
    return [
        (f"arangopipe {command}{terminal.argument}", says)
        for command, says in (
            ("ask effect --attribute s6 --metric rmse", "did adding s6 help?"),
            ("ask useful-features --metric rmse", "which attributes helped?"),
            (f"ask explain-difference ridge-base-0 {shlex.quote(run.name)}", "why is the best run better?"),
            ('runs "metrics.rmse < 57" --order metrics.rmse', "which runs did well?"),
            (f"show {shlex.quote('run:' + run.name)}", "what exactly was the best run?"),
            (f"lineage dataset:{DATASET} --down", "what came of the data?"),
            (f"impact featureset:{featureset.name}", "what depends on these features?"),
            (f"deployments --live-at {since}T12:00", "who was live then?"),
            (f"history deployment:{DEPLOYED}", "who changed it, and what?"),
            ("audit verify", "is all this still what was recorded?"),
        )
    ]


def as_json(terminal: Terminal, pipe: ArangoPipe) -> dict[str, Any]:
    """Return all answers as JSON-able values."""
    live = pipe.lookup_deployment(DEPLOYED)
    dataset = pipe.lookup_dataset(DATASET)
    found = Answers(pipe)
    return {
        "store": terminal.place,
        "runs": pipe.count("run"),
        "lineage": pipe.lineage(live).to_dict(),
        "impact": pipe.impact(dataset).to_dict(),
        "leaderboard": found.leaderboard.to_dict(),
        "techniques": found.techniques.to_dict(),
        "effects": [effect.to_dict() for effect in found.effects],
        "useful_features": found.useful.to_dict(),
        "test_set_wear": found.wear.to_dict(),
        "next": [command for command, _ in commands(terminal, pipe, found.leaderboard.items[0].id)],
    }


def show(terminal: Terminal, pipe: ArangoPipe) -> None:
    """Print all answers."""
    live = pipe.lookup_deployment(DEPLOYED)
    terminal.show(heading("What is in production, and where it came from"))
    show_lineage(terminal, pipe, live.node, ("upstream", "downstream"), summed=False)
    terminal.show(Text(SIMULATED, style="dim italic"), "")
    terminal.show(heading("What would be affected if the data were wrong"))
    dataset = pipe.lookup_dataset(DATASET)
    show_impact(terminal, pipe, dataset.node, pipe.impact(dataset), None)
    found = Answers(pipe)
    _show_table(terminal, "Leaderboard", found.leaderboard)
    _show_table(terminal, "Techniques", found.techniques)
    terminal.show("", heading("Did adding an attribute help?", "pairs of runs equal in all else"))
    for effect in found.effects:
        said(terminal, effect)
    first = found.effects[0]
    terminal.show("", heading(first.what, f"difference in {METRIC} of each matched pair"))
    terminal.show(*pictured(terminal, first))
    terminal.show("", heading("What else the sweep says"))
    said(terminal, found.useful)
    said(terminal, found.wear)
    terminal.show("", heading("Try next"))
    for command, says in commands(terminal, pipe, found.leaderboard.items[0].id):
        terminal.show(Text(f"  # {says}", style="dim"), Text(f"  {command}"))


def _show_table(terminal: Terminal, title: str, answer: Answer) -> None:
    terminal.show("", heading(title))
    said(terminal, answer)
    terminal.show("")
    show_table(terminal, columns(answer.rows()))
