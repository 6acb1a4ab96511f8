"""Deployments as tables: which are live, what each serves, and what it last showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from arangopipe.cli.labels import line, measured, status
from arangopipe.cli.tables import Column, heading, show_table
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.walks import kinds_reached
from arangopipe.cli.words import joined, label, when
from arangopipe.deployments import last_serving, served
from arangopipe.model import times
from arangopipe.model.entities import Deployment
from arangopipe.model.graph import Node
from arangopipe.references import When, moment_of
from arangopipe.words import length, short_key, things

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe
    from arangopipe.results import Impact, Page

NAMES_SHOWN = 12


def columns(pipe: ArangoPipe, placements: Sequence[Deployment], as_of: When) -> Sequence[Column]:
    """Return the columns of a table of deployments."""
    links = served(pipe.store, placements, moment_of(as_of))
    last = last_serving(pipe.store, placements, moment_of(as_of))
    found = [last.get(item.id) for item in placements]
    return [
        Column("deployment", [short_key(item.key) for item in placements], 4, "cyan"),
        Column("tag", [clean(item.tag) for item in placements], 0, "bold"),
        Column("status", [_state(item) for item in placements], 0),
        Column("from", [_from(item) for item in placements], 1),
        Column("to", [_to(item) for item in placements], 2),
        Column("for", [_span(item) for item in placements], 7),
        Column("model", [_labels(links[item.id], "models") for item in placements], 5),
        Column("featureset", [_labels(links[item.id], "featuresets") for item in placements], 6),
        Column("run", [_labels(links[item.id], "run") for item in placements], 3),
        Column("last served", [None if perf is None else measured(perf.metrics) for perf in found], 2),
        Column("project", [item.project for item in placements], 8),
    ]


def view(pipe: ArangoPipe, page: Page[Deployment], as_of: When) -> Sequence[Column]:
    """Return the columns of a page of deployments."""
    return columns(pipe, list(page), as_of)


def rank(deployment: Deployment) -> int:
    """Return what deployments are sorted by: what is live first, then what is scheduled."""
    return {"active": 0, "scheduled": 1}.get(deployment.status, 2)


def _labels(links: Mapping[str, Sequence[Node]], kind: str) -> str | None:
    return joined(map(label, links[kind])) if kind in links else None


def show_impact(terminal: Terminal, pipe: ArangoPipe, node: Node, found: Impact, as_of: When) -> None:
    """Print what depends on a thing."""
    (thing,) = pipe.entities([node], as_of)
    terminal.show(Text("If this were wrong: ", style="").append_text(line(thing)), "")
    for title, placements in (("Live", found.live), ("Scheduled", found.scheduled)):
        if placements:
            terminal.show(heading(title, things("deployment", len(placements))))
            show_table(terminal, columns(pipe, placements, as_of))
            terminal.show("")
    if not found.live and not found.scheduled:
        terminal.show(Text("Nothing live or scheduled depends on it.", style="green"), "")
    reached = kinds_reached(found.graph)
    if reached:
        terminal.show(heading("Depends on it"))
    for kind, number in reached.items():
        if kind not in ("modelparams", "devperf"):
            named = kind not in ("run", "servingperf")
            names = [label(other) for other in found.graph.of_kind(kind) if other.name] if named else []
            names = list(dict.fromkeys(names))
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            shown = joined(names[:NAMES_SHOWN]) + more
            text = Text(f"  {things(kind, number)}")
            terminal.show(text.append(f"  {shown}", style="dim") if shown else text)


def _state(deployment: Deployment) -> Text:
    return status("live" if deployment.status == "active" else deployment.status)


def _from(deployment: Deployment) -> str | None:
    moment = deployment.scheduled if deployment.status == "scheduled" else deployment.active_from
    return None if moment is None else when(moment, seconds=False)


def _to(deployment: Deployment) -> str | None:
    return None if deployment.active_to is None else when(deployment.active_to, seconds=False)


def _span(deployment: Deployment) -> str | None:
    if deployment.active_from is None or deployment.status == "scheduled":
        return None
    return length((deployment.active_to or times.now()) - deployment.active_from)
