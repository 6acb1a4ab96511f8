"""Deployments: who is live, who was when, how they serve, and what hangs on their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter

from arangopipe.errors import InvalidInput
from arangopipe.model import times
from arangopipe.model.entities import Deployment
from arangopipe.server.pages import placed, reported, spans
from arangopipe.server.pages.asking import Ask, Asked
from arangopipe.server.pages.rendering import Entry, View, page

NAVIGATION = Entry("Deployments", "/deployments")

MONTHS = 12
REPORTED = 3
"""How so many tags serve is drawn where none is chosen."""

DATASETS = 10
WALKED = 2_000

router = APIRouter()


@page(router, "/deployments", "deployments.html")
def deployments(ask: Asked, tag: str = "", at: str = "", cursor: str = "") -> View:
    """Show who is live, and who was when; older ones follow page by page."""
    tag = tag.strip()
    live, more_live = placed.live(ask, tag)
    where = next(iter(placed.of_tag(tag)), None)
    found = ask.store.search("deployment", where, (), placed.TIMELINE, cursor or None, ask.moment)
    items = placed.views(ask, [Deployment(node) for node in found.items])
    bars = placed.lanes(items, ask.now)
    known = placed.views(ask, live)
    tags = list(dict.fromkeys([*(item["tag"] for item in known), *(item["tag"] for item in items)]))
    answer, problem = _who(ask, tag, at)
    return {
        "tag": tag,
        "at": at,
        "tags": tags,
        "live": known,
        "more_live": more_live,
        "scheduled": placed.views(ask, placed.scheduled(ask, tag)),
        "bars": bars,
        "timeline": _timeline(ask, bars, answer),
        "months": _months(ask, bars),
        "who": answer,
        "problem": problem,
        "cursor": found.cursor,
        "first": not cursor,
        "reports": [tag] if tag else tags[:REPORTED] if items else [],
        "impact": ask.to("/deployments/impact", tag=tag) if known else None,
    }


@page(router, "/deployments/serving", "parts/serving.html")
def serving(ask: Asked, tag: str) -> View:
    """Return how a tag served, period by period, against development."""
    return reported.view(ask, tag)


@page(router, "/deployments/impact", "parts/impact.html")
def impact(ask: Asked, tag: str = "") -> View:
    """Return what hangs on the data of what is live."""
    live = placed.views(ask, placed.live(ask, tag)[0])
    data = list(placed.datasets(live))
    return {
        "datasets": [placed.impact(ask, each, live, WALKED) for each in data[:DATASETS]],
        "more": max(len(data) - DATASETS, 0),
        "walked": WALKED,
    }


def _who(ask: Ask, tag: str, at: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return who was live at a time or in a span, or what is wrong with how that was asked."""
    if not at.strip():
        return None, None
    try:
        span = spans.parse(at)
    except InvalidInput as error:
        return None, {"status": 422, "said": str(error)}
    served, more = placed.served_in(ask, tag, span)
    items = placed.views(ask, served)
    return {
        "sentence": placed.sentence(items, span, tag),
        "items": items,
        "more": more,
        "start": spans.text(span.start),
        "end": spans.text(span.end),
        "then": ask.to("/deployments", tag=tag, at=at, as_of=spans.text(span.end))
        if ask.as_of is None and span.end < ask.now
        else None,
    }, None


def _timeline(
    ask: Ask, bars: Sequence[Mapping[str, Any]], answer: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return what is drawn: lanes by tag, bars coloured by model, now, and the span that was asked for."""
    lanes = list(dict.fromkeys((bar["tag"], bar["lane"]) for bar in bars))
    models = list(dict.fromkeys(bar["model"] for bar in bars))
    said = "; ".join(
        f"{bar['tag']}: {bar['name']} from {bar['from'][:10]} to {bar['to'][:10]}" for bar in bars[:20]
    )
    return {
        "lanes": [tag if not lane else "" for tag, lane in lanes],
        "models": models,
        "bars": [
            {
                **{
                    name: bar[name] for name in ("name", "model", "tag", "status", "from", "to", "open", "id")
                },
                "lane": lanes.index((bar["tag"], bar["lane"])),
            }
            for bar in bars
        ],
        "now": times.to_text(ask.now),
        "asked": [answer["start"], answer["end"]] if answer else None,
        "words": f"Who was live when: {said}",
    }


def _months(ask: Ask, bars: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the months one may ask for with a click."""
    starts = [times.parse(bar["from"]) for bar in bars if bar["status"] != "scheduled"]
    if not starts:
        return []
    return [
        {"at": at, "words": words, "address": ask.again(at=at, cursor="")}
        for at, words in spans.months(min(starts), ask.now, MONTHS)
    ]
