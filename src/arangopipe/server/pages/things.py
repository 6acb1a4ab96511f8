"""Things as plain values: what a page needs to name one, link to it, and say its first facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arangopipe import deployments
from arangopipe.details import change_dict
from arangopipe.model import times
from arangopipe.model.entities import Deployment, Entity, Run, ServingPerf
from arangopipe.model.graph import Change, Node
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.server.pages.asking import PRIVATE, Ask
from arangopipe.touched import touched, what

_MOST_TOUCHED = 3
_MOST_METRICS = 6


def brief(thing: Node | Entity) -> dict[str, Any]:
    """Return what names a thing."""
    node = thing.node if isinstance(thing, Entity) else thing
    return {
        "id": node.id,
        "kind": node.kind,
        "key": node.key,
        "name": node.name,
        "version": node.version,
        "project": node.project,
    }


def time_text(moment: Any) -> str | None:
    """Return a time as text, None for none."""
    return None if moment is None else times.to_text(moment)


def seconds_of(run: Run) -> float | None:
    """Return how long a run took."""
    if run.start is None or run.end is None:
        return None
    return (run.end - run.start).total_seconds()


def plain_metrics(metrics: Mapping[str, Any], most: int = _MOST_METRICS) -> dict[str, float]:
    """Return the first metrics that are finite numbers."""
    found = {
        name: value
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
    }
    return dict(list(found.items())[:most])


def change_view(change: Change) -> dict[str, Any]:
    """Return a change (with its entries), and the first of what it touched: of a run only the run."""
    every = list(touched(change))
    runs = {thing.key for thing in every if thing.kind == "run"}
    found = [
        thing._replace(kind="run") if thing.kind == "points" else thing
        for thing in every
        if thing.kind not in {*OWNED_BY_RUN, *PRIVATE} and not (thing.kind == "points" and thing.key in runs)
    ]
    return {
        **change_dict(change),
        "what": what(every),
        "things": [
            {"id": f"{thing.kind}/{thing.key}", "kind": thing.kind, "key": thing.key, "name": thing.name}
            for thing in found[:_MOST_TOUCHED]
        ],
        "touched": len(found),
    }


def placements(
    ask: Ask, found: Sequence[Deployment], latest: Mapping[str, ServingPerf] | None = None
) -> list[dict[str, Any]]:
    """Return deployments with what each serves and what it last showed (None: not read yet)."""
    if latest is None:
        latest = deployments.last_serving(ask.store, found, ask.moment)
    links = deployments.served(ask.store, found, ask.moment)
    return [
        {
            **brief(item),
            "tag": item.tag,
            "status": item.status,
            "active_from": time_text(item.active_from),
            "active_to": time_text(item.active_to),
            "scheduled": time_text(item.scheduled),
            "serves": {kind: [brief(node) for node in nodes] for kind, nodes in links[item.id].items()},
            "last_serving": _served(latest.get(item.id)),
        }
        for item in found
    ]


def _served(perf: ServingPerf | None) -> dict[str, Any] | None:
    if perf is None:
        return None
    return {
        **brief(perf),
        "start": time_text(perf.start),
        "end": time_text(perf.end),
        "metrics": plain_metrics(perf.metrics),
    }


def briefs(nodes: Iterable[Node | None]) -> list[dict[str, Any]]:
    """Return what names each of these; what is not there, or not for the asker, is left out."""
    return [brief(node) for node in nodes if node is not None]
