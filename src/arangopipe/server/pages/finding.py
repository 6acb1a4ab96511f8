"""What a search shows: the columns of a kind, the attributes one may name, rows of cells, facets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from arangopipe.details import cells, stale
from arangopipe.model.entities import Deployment, Entity, Featureset, Run
from arangopipe.model.expressions import And, Compare, Expression, IsNull, Path
from arangopipe.model.filters import parse, parse_path, path_text, to_text
from arangopipe.model.vocabulary import RESERVED_KINDS
from arangopipe.results import Page
from arangopipe.server.pages.asking import Ask
from arangopipe.server.pages.things import brief, plain_metrics
from arangopipe.store.records import tally

SAMPLED = 50
"""Attributes are those of so many things: the newest, or the first by name."""

METRICS_SHOWN = 4
PARAMS_SHOWN = 3
OTHERS_SHOWN = 5
VALUES_SHOWN = 12
LONGEST_OFFERED = 80

DIVIDED = 1_000
"""So many of what is found are looked at to say how it divides."""

_FIRST: Mapping[str, tuple[str, ...]] = {
    "project": ("description",),
    "datasets": ("version", "source", "location", "project"),
    "featuresets": ("version", "dataset.name", "project"),
    "models": ("version", "task", "technique", "project"),
    "run": ("status", "model.name", "featureset.name"),
    "deployment": ("status", "active_from", "active_to", "model.name", "project"),
    "servingperf": ("deployment.tag", "start", "end"),
}
_LAST: Mapping[str, tuple[str, ...]] = {"run": ("start", "tag", "project")}
_FACETS: Mapping[str, tuple[str, ...]] = {
    "datasets": ("source", "project"),
    "featuresets": ("dataset.name", "project"),
    "models": ("technique", "task", "project"),
    "run": ("status", "model.technique", "tag", "project"),
    "deployment": ("status", "tag", "project"),
    "servingperf": ("deployment.tag",),
}
_OWN = ("name", "version", "project", "key")
_NEIGHBOURS = ("name", "technique", "task", "tag")


def kinds(ask: Ask) -> list[dict[str, str]]:
    """Return the kinds one may search, own ones too."""
    known = ask.store.vocabulary().nodes.values()
    return [
        {"kind": kind.name, "title": kind.title, "singular": kind.singular}
        for kind in known
        if kind.name not in RESERVED_KINDS
    ]


def default_columns(kind: str, found: Page[Any]) -> list[str]:
    """Return the columns of a kind when none are chosen: what most of a page has."""
    counted = Counter(name for item in found for name in plain_metrics(getattr(item, "metrics", {}), 100))
    prefix = ("metrics",) if kind == "run" else ()
    names = sorted(name for name, _ in counted.most_common(METRICS_SHOWN))
    metrics = [path_text((*prefix, name)) for name in names]
    if kind in _FIRST:
        return [*_FIRST[kind], *metrics, *_telling(found), *_LAST.get(kind, ())]
    rows = found.rows()
    others = dict.fromkeys(name for row in rows for name in row if name not in ("id", "name"))
    return [path_text((name,)) for name in list(others)[:OTHERS_SHOWN]]


def _telling(found: Page[Any]) -> list[str]:
    """Return the params that most runs of a page have, of those that are not the same in all of them."""
    params = [item.params for item in found if isinstance(item, Run)]
    seen: dict[str, set[Any]] = {}
    counted: Counter[str] = Counter()
    for each in params:
        for name, value in each.items():
            if isinstance(value, (str, int, float)):
                counted[name] += 1
                seen.setdefault(name, set()).add(value)
    common = [name for name, _ in counted.most_common() if len(seen[name]) > 1]
    return [path_text(("params", name)) for name in common[:PARAMS_SHOWN]]


def without_empty(
    columns: Sequence[str], items: Sequence[dict[str, Any]], keep: Sequence[str]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the columns that hold something, or that are to be kept, and the rows without the others."""
    places = [
        place
        for place, path in enumerate(columns)
        if path in keep or any(item["cells"][place] not in (None, "") for item in items)
    ]
    rows = [{**item, "cells": [item["cells"][place] for place in places]} for item in items]
    return [columns[place] for place in places], rows


def attributes(ask: Ask, kind: str) -> list[str]:
    """Return the paths that things of a kind have, from a sample of them."""
    return _attributes(ask, kind, ask.pipe.search(kind, limit=SAMPLED, as_of=ask.as_of).rows())


def offered(ask: Ask, kind: str) -> dict[str, Any]:
    """Return the attributes of a kind, and the commonest texts of each, from a sample of things."""
    sample = ask.pipe.search(kind, limit=SAMPLED, as_of=ask.as_of)
    rows = sample.rows()
    names = _attributes(ask, kind, rows)
    hops = [name for name in names if name.partition(".")[0] in ask.store.vocabulary().hops(kind)]
    near = cells(ask.store, kind, sample.items, hops, ask.as_of) if hops else {}
    own = {_path(name): [row.get(name) for row in rows] for row in rows for name in row if name != "id"}
    texts = {
        name: Counter(value for value in each if isinstance(value, str) and 0 < len(value) <= LONGEST_OFFERED)
        for name, each in {**own, **near}.items()
    }
    values = {
        name: [text for text, _ in each.most_common(VALUES_SHOWN)] for name, each in texts.items() if each
    }
    return {"attributes": names, "values": values}


def _attributes(ask: Ask, kind: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = {name for row in rows for name in row}
    own = [_path(name) for name in sorted(names) if name != "id"]
    hops = ask.store.vocabulary().hops(kind)
    near = [
        f"{hop}.{name}"
        for hop, steps in hops.items()
        for name in _NEIGHBOURS
        if (hop not in ("modelparams", "devperf") and _has(steps[0][2], name))
    ]
    return list(dict.fromkeys([*own, *_OWN, *near]))


def _has(kind: str, name: str) -> bool:
    known = {"models": ("technique", "task"), "run": ("tag",), "deployment": ("tag",)}
    return name == "name" or name in known.get(kind, ())


def _path(name: str) -> str:
    """Return the path of a flat name: params.x and metrics.x are two segments, any other is one."""
    head, dot, rest = name.partition(".")
    return path_text((head, rest) if dot and head in ("params", "metrics") else (name,))


def rows(ask: Ask, kind: str, found: Sequence[Entity], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return for each thing what names it, its status if it has one, and a cell for each column."""
    values = cells(ask.store, kind, found, columns, ask.as_of) if columns and found else {}
    silent = stale(ask.pipe, found, ask.as_of)
    return [
        {
            **brief(item),
            **_status(ask, item, silent),
            "cells": [_cell(item, path, values[path][place]) for path in columns],
        }
        for place, item in enumerate(found)
    ]


def _status(ask: Ask, item: Entity, silent: Container[str]) -> dict[str, str]:
    if isinstance(item, Run):
        return {"status": "stale" if item.id in silent else item.status or ""}
    if isinstance(item, Deployment):
        return {"status": "live" if item.live_at(ask.now) else item.status}
    return {}


def _cell(item: Entity, path: str, value: Any) -> Any:
    if isinstance(value, float) and abs(value) == float("inf"):
        return str(value)
    if value is None and path == "columns" and isinstance(item, Featureset):
        return ", ".join(item.columns)
    return value


def facets(ask: Ask, kind: str, where: Expression | None) -> dict[str, Any]:
    """Return how many match, how the first of them divide, and the search for each part."""
    found = ask.store.search(kind, where, limit=DIVIDED, as_of=ask.moment)
    paths = _FACETS.get(kind, ())
    values = cells(ask.store, kind, found.items, paths, ask.as_of) if paths else {}
    whole = found.cursor is None
    total = len(found.items) if whole else ask.store.count(kind, where, as_of=ask.moment).get(None, 0)
    return {
        "total": total,
        "divided": len(found.items),
        "facets": [_facet(where, path, values[path]) for path in paths],
    }


def _facet(where: Expression | None, path: str, values: Sequence[Any]) -> dict[str, Any]:
    counts = tally(value for value in values if value is not None and value != "")
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    shown = [
        {"value": value, "count": count, "q": to_text(narrowed(where, path, value))}
        for value, count in ordered[:VALUES_SHOWN]
    ]
    return {"path": path, "values": shown, "more": max(len(ordered) - VALUES_SHOWN, 0)}


def narrowed(where: Expression | None, path: str, value: Any) -> Expression:
    """Return a condition that also asks for a value at a path."""
    also: Expression
    also = IsNull(parse_path(path)) if value is None else Compare(parse_path(path), "=", value)
    return also if where is None else And((where, also))


def condition(texts: Iterable[str]) -> Expression | None:
    """Return all conditions as one; blank ones are none."""
    found = [each for each in map(parse, texts) if each is not None]
    return And(tuple(found)) if len(found) > 1 else next(iter(found), None)


def built(attribute: str, operator: str, value: str) -> str:
    """Return the condition that a form says with an attribute, an operator and a value."""
    path = parse_path(attribute)
    if operator in ("is null", "is not null"):
        return f"{path.text} {operator}"
    if operator == "contains":
        pattern = "".join(f"\\{c}" if c in "%_\\" else c for c in value)
        return f"{path.text} ilike {_quoted(f'%{pattern}%')}"
    return f"{path.text} {operator} {_literal(path, value)}"


def _literal(path: Path, text: str) -> str:
    """Return a value as the search language writes it: what reads like a number is one."""
    word = text.strip()
    if word in ("true", "false"):
        return word
    try:
        number = float(word)
    except ValueError:
        return _quoted(text)
    named = path.segments[-1] in ("name", "version", "key", "project", "tag")
    return word if not named and abs(number) < float("inf") and "_" not in word else _quoted(text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
