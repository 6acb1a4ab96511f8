"""What the demo shows: every figure is read back from the store."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median, stdev
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.cli.demo.study import DATASET
from arangopipe.cli.demo.work import DEPLOYED, SIMULATED, SWEEP
from arangopipe.cli.placing import show_impact
from arangopipe.cli.tables import Column, heading, show_table
from arangopipe.cli.terminal import Terminal
from arangopipe.cli.trees import show_lineage
from arangopipe.cli.words import count
from arangopipe.model.entities import Run
from arangopipe.model.filters import parse

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

BEST = 8

_IN_SWEEP = f"tag = '{SWEEP}'"


@dataclass(frozen=True)
class Standing:
    """How one technique did over all its runs, in RMSE."""

    technique: str
    runs: int
    best: float
    median: float
    worst: float
    spread: float


def leaderboard(pipe: ArangoPipe) -> list[dict[str, Any]]:
    """Return the runs with the lowest error."""
    best = pipe.search("run", _IN_SWEEP, order_by="metrics.rmse, name", limit=BEST)
    names = ["model.name", "featureset.name"]
    used: dict[str, Mapping[str, str]] = {}
    for chunk in pipe.store.columns("run", names, parse(_IN_SWEEP)):
        for node_id, model, featureset in zip(chunk["id"], *(chunk[n] for n in names), strict=True):
            used[node_id] = {"model": model, "featureset": featureset}
    return [
        {
            "run": run.name,
            **used[run.id],
            "seed": run.seed,
            **{name: run.metrics[name] for name in ("rmse", "mae", "r2")},
        }
        for run in best
        if isinstance(run, Run)
    ]


def standings(pipe: ArangoPipe) -> list[Standing]:
    """Return how each technique did, the best median first."""
    errors: dict[str, list[float]] = {}
    paths = ["model.technique", "metrics.rmse"]
    for chunk in pipe.store.columns("run", paths, parse(_IN_SWEEP)):
        for technique, rmse in zip(*(chunk[path] for path in paths), strict=True):
            errors.setdefault(technique, []).append(rmse)
    found = [
        Standing(
            technique,
            len(values),
            min(values),
            median(values),
            max(values),
            stdev(values) if len(values) > 1 else 0.0,
        )
        for technique, values in errors.items()
    ]
    return sorted(found, key=lambda standing: standing.median)


def commands(terminal: Terminal, pipe: ArangoPipe) -> list[tuple[str, str]]:
    """Return what to try next, and what each command answers; all of them work as they stand."""
    live = pipe.lookup_deployment(DEPLOYED)
    best = leaderboard(pipe)[0]
    since = live.active_from.astimezone().date().isoformat() if live.active_from else "today"
    return [
        (f"arangopipe {command}{terminal.argument}", says)
        for command, says in (
            ('runs "metrics.rmse < 57" --order metrics.rmse', "which runs did well?"),
            ("runs \"model.technique = 'ridge' and seed = 0\"", "what was tried with ridge?"),
            (f"show {shlex.quote('run:' + best['run'])}", "what exactly was the best run?"),
            (f"lineage dataset:{DATASET} --down", "what came of the data?"),
            (f"impact featureset:{best['featureset']}", "what depends on these features?"),
            (f"deployments --live-at {since}T12:00", "who was live then?"),
            (f"history deployment:{DEPLOYED}", "who changed it, and what?"),
            ("audit verify", "is all this still what was recorded?"),
        )
    ]


def as_json(terminal: Terminal, pipe: ArangoPipe) -> dict[str, Any]:
    """Return all answers as JSON-able values."""
    live = pipe.lookup_deployment(DEPLOYED)
    dataset = pipe.lookup_dataset(DATASET)
    return {
        "store": terminal.place,
        "runs": pipe.count("run"),
        "leaderboard": leaderboard(pipe),
        "techniques": [asdict(standing) for standing in standings(pipe)],
        "lineage": pipe.lineage(live).to_dict(),
        "impact": pipe.impact(dataset).to_dict(),
        "next": [command for command, _ in commands(terminal, pipe)],
    }


def show(terminal: Terminal, pipe: ArangoPipe) -> None:
    """Print all answers."""
    _show_leaderboard(terminal, pipe)
    _show_standings(terminal, pipe)
    live = pipe.lookup_deployment(DEPLOYED)
    terminal.show("", heading("What is in production, and where it came from"))
    show_lineage(terminal, pipe, live.node, ("upstream", "downstream"), summed=False)
    terminal.show(Text(SIMULATED, style="dim italic"), "")
    terminal.show(heading("What would be affected if the data were wrong"))
    dataset = pipe.lookup_dataset(DATASET)
    show_impact(terminal, pipe, dataset.node, pipe.impact(dataset), None)
    terminal.show("", heading("Try next"))
    for command, says in commands(terminal, pipe):
        terminal.show(Text(f"  # {says}", style="dim"), Text(f"  {command}"))


def _show_leaderboard(terminal: Terminal, pipe: ArangoPipe) -> None:
    rows = leaderboard(pipe)
    total = pipe.count("run", _IN_SWEEP)
    techniques = count(len(standings(pipe)), "technique")
    featuresets = count(pipe.count("featuresets"), "featureset")
    tried = f"{count(total, 'run')}: {techniques} on {featuresets}, cross-validated"
    terminal.show(heading("Leaderboard", f"the best {len(rows)} of {tried}"))
    _show_rows(terminal, rows)


def _show_standings(terminal: Terminal, pipe: ArangoPipe) -> None:
    found = [asdict(standing) for standing in standings(pipe)]
    terminal.show("", heading("Techniques", "RMSE over all their runs; spread is the deviation"))
    _show_rows(terminal, found)


def _show_rows(terminal: Terminal, rows: Sequence[Mapping[str, Any]]) -> None:
    columns = [
        Column(name, [row[name] for row in rows], 0 if place == 0 or name == "rmse" else 1 + place)
        for place, name in enumerate(rows[0] if rows else ())
    ]
    show_table(terminal, columns)
