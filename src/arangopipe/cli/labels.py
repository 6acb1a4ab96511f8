"""One line for each thing: what it is, its name, and what one wants to know first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe.cli.terminal import clean
from arangopipe.cli.words import label, when
from arangopipe.model.entities import (
    Dataset,
    Deployment,
    Entity,
    Featureset,
    Model,
    Run,
    ServingPerf,
)
from arangopipe.model.graph import Node
from arangopipe.references import When
from arangopipe.words import brief, count, title

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe

METRICS_SHOWN = 4

STATUS_STYLES = {
    "finished": "green",
    "live": "bold green",
    "active": "green",
    "running": "blue",
    "scheduled": "cyan",
    "failed": "red",
    "killed": "red",
    "stale": "yellow",
    "archived": "dim",
}


def status(word: str) -> Text:
    """Return a status in its colour."""
    return Text(clean(word), style=STATUS_STYLES.get(word, ""))


def entities(pipe: ArangoPipe, nodes: Iterable[Node], as_of: When) -> dict[str, Entity]:
    """Return the entities of nodes by id, runs with their metrics."""
    distinct = {node.id: node for node in nodes}
    return {thing.id: thing for thing in pipe.entities(list(distinct.values()), as_of)}


def line(thing: Entity, facts: Sequence[str] = ()) -> Text:
    """Return kind and name of a thing, and in dim these and its first facts."""
    named = Text.assemble((title(thing.kind), ""), " ", (label(thing), "bold"))
    if isinstance(thing, Run) and thing.status not in (None, "finished"):
        named.append_text(Text(" ")).append_text(status(thing.status or ""))
    if isinstance(thing, Deployment):
        named.append_text(Text(" ")).append_text(placed(thing))
    if isinstance(thing, ServingPerf):
        named = Text.assemble("serving ", (period(thing), "bold"))
    said = " · ".join(fact for fact in (*facts, *_facts(thing)) if fact)
    return named.append(f"  {said}", style="dim") if said else named


def _facts(thing: Entity) -> list[str]:
    match thing:
        case Run():
            return [measured(thing.metrics)]
        case Dataset():
            rows = (thing.summary or {}).get("rows")
            return [count(rows, "row") if isinstance(rows, int) else "", clean(thing.source or "")]
        case Featureset():
            return [count(len(thing.columns), "column") if thing.columns else ""]
        case Model():
            technique = thing.technique if thing.technique != thing.name else None
            return [clean(technique or ""), clean(thing.task or "")]
        case ServingPerf():
            return [clean(str(thing.get("population", ""))), measured(thing.metrics)]
    return []


def measured(metrics: Mapping[str, Any], shown: int = METRICS_SHOWN) -> str:
    """Return the first few metrics that are numbers."""
    plain = [
        f"{clean(name)} {brief(value)}"
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return ", ".join(plain[:shown])


def placed(deployment: Deployment) -> Text:
    """Return since when a deployment serves, or when it did or will."""
    if deployment.status == "active":
        return status("live").append(f" since {when(deployment.active_from, False)}", style="not bold")
    if deployment.status == "scheduled":
        return status("scheduled").append(f" for {when(deployment.scheduled, False)}")
    return status(deployment.status).append(f" {served(deployment)}")


def served(deployment: Deployment) -> str:
    """Return the period over which a deployment serves or served."""
    if deployment.active_from is None and deployment.active_to is None:
        return ""
    end = "now" if deployment.active_to is None else when(deployment.active_to, False)
    return f"{when(deployment.active_from, False)} → {end}"


def period(perf: ServingPerf) -> str:
    """Return the period of a serving performance; only its days where it begins and ends with one."""
    texts = [when(moment, seconds=False) for moment in (perf.start, perf.end)]
    whole = all(text.endswith(" 00:00") for text in texts)
    return " → ".join(text.removesuffix(" 00:00") if whole else text for text in texts)
