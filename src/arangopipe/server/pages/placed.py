"""Deployments for the page about them: who is live, who was when, and lanes to draw them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from arangopipe import deployments
from arangopipe.model import times
from arangopipe.model.entities import Deployment
from arangopipe.model.expressions import And, Compare, Expression, In, IsNull, Operator, Or, Path
from arangopipe.model.graph import kind_of
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.spans import Span, day_text
from arangopipe.server.pages.things import brief, briefs, time_text
from arangopipe.server.pages.tracing import Reach, is_redacted, walk
from arangopipe.words import short_key

SHOWN = 50
"""So many deployments are live, scheduled or answered with; more are counted as more."""

TIMELINE = 100
NAMED = 3
_EDGES = 1_000
_BRIEF = ("id", "kind", "key", "name", "version", "project")


def of_tag(tag: str) -> list[Expression]:
    """Return the condition on deployments of a tag, none for all."""
    return [Compare(Path(("name",)), "=", tag)] if tag else []


def _when(name: str, operator: Operator, moment: datetime) -> Expression:
    # Times are recorded in UTC in one form, so that they compare as texts.
    return Or((IsNull(Path((name,))), Compare(Path((name,)), operator, times.to_text(moment))))


def _status(*statuses: str) -> Expression:
    known: Expression = In(Path(("status",)), statuses)
    # Older documents have no status, and count as active.
    return Or((known, IsNull(Path(("status",))))) if "active" in statuses else known


def found(ask: Ask, conditions: Sequence[Expression], most: int = SHOWN) -> tuple[list[Deployment], bool]:
    """Return the deployments that meet all conditions, the newest first, and whether there are more."""
    where = And(tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None)
    page = ask.store.search("deployment", where, limit=most + 1, as_of=ask.moment)
    return [Deployment(node) for node in page.items[:most]], len(page.items) > most


def live(ask: Ask, tag: str) -> tuple[list[Deployment], bool]:
    """Return what is live at the moment that is asked for."""
    known, more = found(ask, [*of_tag(tag), _status("active")])
    return deployments.live(known, ask.now), more


def scheduled(ask: Ask, tag: str) -> list[Deployment]:
    """Return what is to become live."""
    return found(ask, [*of_tag(tag), _status("scheduled")])[0]


def served_in(ask: Ask, tag: str, span: Span) -> tuple[list[Deployment], bool]:
    """Return what was live in a span, at least for a part of it, the earliest first."""
    conditions = [
        *of_tag(tag),
        _status("active", "archived"),
        _when("active_from", "<=" if span.moment else "<", span.start if span.moment else span.end),
        _when("active_to", ">", span.start),
    ]
    known, more = found(ask, conditions)
    # One that was called off before it began has no end.
    served = [item for item in known if not (item.status == "archived" and item.active_to is None)]
    meeting = [item for item in served if span.meets(item.active_from, item.active_to)]
    return sorted(meeting, key=lambda item: (item.tag, item.active_from is not None, item.active_from)), more


def views(ask: Ask, items: Sequence[Deployment]) -> list[dict[str, Any]]:
    """Return deployments as plain values, with what each serves and the data of its run."""
    links = deployments.served(ask.store, items, ask.moment)
    runs = {node.id: node for each in links.values() for node in each.get("run", ())}
    data = _data(ask, list(runs))
    return [
        {
            **brief(item),
            "tag": item.tag,
            "status": "live" if item.live_at(ask.now) else item.status,
            "from": time_text(item.active_from),
            "to": time_text(item.active_to),
            "scheduled": time_text(item.scheduled),
            "models": briefs(links[item.id].get("models", ())),
            "runs": briefs(links[item.id].get("run", ())),
            "data": [each for node in links[item.id].get("run", ()) for each in data.get(node.id, ())],
        }
        for item in items
    ]


def _data(ask: Ask, runs: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the datasets of each run, with the roles they had."""
    edges = ask.store.edges(runs, ["run_datasets"], _EDGES, ask.moment) if runs else ()
    ends = [
        (edge.source, edge.target) if edge.source in runs else (edge.target, edge.source) for edge in edges
    ]
    nodes = ask.store.get([other for _, other in ends], ask.moment)
    data: dict[str, list[dict[str, Any]]] = {}
    for (run, _), edge, node in zip(ends, edges, nodes, strict=True):
        if node is not None:
            roles = edge.document.get("roles") or ["training"]
            data.setdefault(run, []).append({**brief(node), "roles": list(roles)})
    return data


def sentence(items: Sequence[dict[str, Any]], span: Span, tag: str) -> str:
    """Return who was live in a span, in words."""
    when = span.words[0].upper() + span.words[1:]
    if not items:
        return f"{when}, {f'no deployment of {tag}' if tag else 'nothing'} was live."
    tags: dict[str, list[str]] = {}
    for item in items:
        tags.setdefault(item["tag"], []).append(_served(item, span))
    told = [f"{name} was served by {', then by '.join(each)}" for name, each in tags.items()]
    more = f"; and {len(told) - NAMED} more" if len(told) > NAMED else ""
    return f"{when}, {'; '.join(told[:NAMED])}{more}."


def _served(item: dict[str, Any], span: Span) -> str:
    began, ended = (None if item[end] is None else times.parse(item[end]) for end in ("from", "to"))
    said = served_name(item)
    if span.moment:
        return said
    if began is not None and began > span.start:
        said += f" from {day_text(began)}"
    if ended is not None and ended < span.end:
        said += f" until {day_text(ended)}"
    return said


def served_name(item: dict[str, Any]) -> str:
    """Return what people call what a deployment serves: its run, else its model, else itself."""
    for one in (*item["runs"], *item["models"]):
        if one["name"]:
            return str(one["name"])
    return short_key(str(item["key"]))


def lanes(items: Iterable[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Return deployments as bars: each tag has as many lanes as it had deployments at once."""
    bars = [bar for item in items if (bar := _bar(item, now)) is not None]
    ends: dict[str, list[str]] = {}
    for bar in sorted(bars, key=lambda bar: (bar["tag"], bar["from"])):
        free = ends.setdefault(bar["tag"], [])
        lane = next((place for place, end in enumerate(free) if end <= bar["from"]), len(free))
        free[lane : lane + 1] = [bar["to"]]
        bar["lane"] = lane
    return sorted(bars, key=lambda bar: (bar["tag"], bar["lane"], bar["from"]))


def _bar(item: dict[str, Any], now: datetime) -> dict[str, Any] | None:
    start, end = item["from"], item["to"] or times.to_text(now)
    if item["status"] == "scheduled":
        start = end = item["scheduled"]
    if start is None or (item["status"] == "archived" and item["to"] is None):
        return None
    model = item["models"][0]["name"] if item["models"] else ""
    named = {"name": served_name(item), "model": model, "id": item["id"], "tag": item["tag"]}
    return {**named, "status": item["status"], "from": start, "to": end, "open": item["to"] is None}


def datasets(items: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the datasets of deployments, each once."""
    seen = set()
    for item in items:
        for each in item["data"]:
            if each["id"] not in seen:
                seen.add(each["id"])
                yield each


def impact(ask: Ask, dataset: dict[str, Any], live: Sequence[dict[str, Any]], most: int) -> dict[str, Any]:
    """Return what depends on a dataset, looking at so many things at most; of `live` are known to."""
    (start,) = ask.store.get([dataset["id"]], ask.moment)
    reach = walk(ask, [start], "downstream", None, most=most) if start is not None else Reach()
    counts = Counter(kind_of(node_id) for node_id in reach.nodes)
    cut = {kind for _, kind in reach.cut}
    named = [node for node in reach.nodes.values() if node.kind == "deployment" and not is_redacted(node)]
    reached = [Deployment(node) for node in named]
    # A walk that was cut may not have come so far.
    serving = {
        item["id"]: {name: item[name] for name in (*_BRIEF, "tag")}
        for item in live
        if any(each["id"] == dataset["id"] for each in item["data"])
    }
    serving.update({item.id: {**brief(item), "tag": item.tag} for item in deployments.live(reached, ask.now)})
    return {
        "dataset": {name: value for name, value in dataset.items() if name != "roles"},
        "counts": {kind: counts[kind] for kind in ("featuresets", "run", "models", "deployment")},
        # Of what comes after runs, some hang on those that were not looked at.
        "more": sorted(cut | {"models", "deployment"} if cut else ()),
        "live": list(serving.values())[:SHOWN],
    }
