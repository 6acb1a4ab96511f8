"""What the tables of a store hold, in words, and questions to begin with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NODE = {
    "id": "number of the node inside this store",
    "kind": "the kind, a term",
    "key": "the key: kind/key is the id that everyone else uses",
    "name": "the name; null for what has none",
    "version": "the version; null for what has none",
    "project": "the name of the project; empty for what is shared",
    "revision": "the change that wrote this state",
    "document": "the document as JSON text; null once erased",
    "salt": "16 random bytes that go into the digest",
}
_EDGE = {
    "source": "number of the node at its start",
    "kind": "the kind of edge, a term",
    "target": "number of the node at its end",
    "revision": "the change that wrote this state",
    "document": "the document as JSON text",
    "salt": "16 random bytes that go into the digest",
}
_ENDED = {
    "digest": "what is left of an erased row",
    "erased": "the change that erased it",
    "closed": "the change that ended this state",
}

TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "change": (
        "every change, and its link in the audit chain",
        {
            "number": "its number",
            "batch": "the id that its writer gave it",
            "time": "when, in microseconds since 1970",
            "actor": "who",
            "action": "what was done",
            "reason": "why",
            "salt": "16 random bytes that go into the digest",
            "digest": "digest over its rows",
            "chain": "its link: digest over the one before, and this change",
            "origin": "where it was first recorded, if elsewhere",
        },
    ),
    "term": (
        "texts that stand for numbers: kinds, paths such as run:params.alpha, metrics such as =loss",
        {"id": "its number", "text": "the text"},
    ),
    "node": ("things as they are now", _NODE),
    "node_past": ("things as they were, and those that were deleted", {**_NODE, **_ENDED}),
    "edge": ("edges as they are now", _EDGE),
    "edge_past": (
        "edges as they were, and those that were deleted",
        {**_EDGE, "closed": "the change that ended this state"},
    ),
    "value": (
        "what can be searched for now: a row for each value of each thing",
        {"path": "the path, a term", "value": "the value", "node": "number of the node"},
    ),
    "point": (
        "points of metrics, those of one change a row",
        {
            "run": "number of the run",
            "name": "the metric, a term",
            "revision": "the change that added them",
            "document": "the points as JSON: [step, microseconds, value]",
            "salt": "16 random bytes that go into the digest",
            **_ENDED,
        },
    ),
    "series": (
        "points of metrics, summed up",
        {
            "run": "number of the run",
            "name": "the metric, a term",
            "count": "how many points",
            "step": "step of the last one",
            "time": "time of the last one, in microseconds since 1970",
            "last": "the last value",
            "low": "the least value",
            "high": "the greatest value",
        },
    ),
}
"""Each table: what it holds, and what each column holds."""

VALUE_OF_POSTGRES = {
    "path": "the path, a term",
    "number": "the value, if it is a number",
    "text": "the value, if it is a text",
    "boolean": "the value, if it is true or false",
    "whole": "whether the number is an integer",
    "node": "number of the node",
}

EXAMPLES: Mapping[str, str] = {
    "Changes by action": (
        "SELECT action, count(*) AS changes, max(number) AS last\n"
        "FROM change GROUP BY action ORDER BY changes DESC"
    ),
    "Things by kind and project": (
        "SELECT term.text AS kind, node.project, count(*) AS things\n"
        "FROM node JOIN term ON term.id = node.kind\n"
        "GROUP BY term.text, node.project ORDER BY things DESC"
    ),
    "Largest documents": (
        "SELECT term.text AS kind, node.key, node.name, length(node.document) AS characters\n"
        "FROM node JOIN term ON term.id = node.kind\n"
        "ORDER BY length(node.document) DESC LIMIT 20"
    ),
    "What is searched for by": (
        "SELECT term.text AS path, count(*) AS rows\n"
        "FROM value JOIN term ON term.id = value.path\n"
        "GROUP BY term.text ORDER BY rows DESC LIMIT 50"
    ),
    "Best runs by a metric": (
        "SELECT node.name, node.key, value.value AS rmse\n"
        "FROM value JOIN term ON term.id = value.path JOIN node ON node.id = value.node\n"
        "WHERE term.text = 'run:metrics.rmse' ORDER BY value.value LIMIT 20"
    ),
    "Longest curves": (
        "SELECT node.name, term.text AS metric, series.count, series.last\n"
        "FROM series JOIN node ON node.id = series.run JOIN term ON term.id = series.name\n"
        "ORDER BY series.count DESC LIMIT 20"
    ),
}


def schema(postgres: bool) -> list[dict[str, Any]]:
    """Return the tables of an engine with what they hold."""
    return [
        {
            "name": name,
            "said": said,
            "columns": dict(VALUE_OF_POSTGRES if postgres and name == "value" else columns),
        }
        for name, (said, columns) in TABLES.items()
    ]


def examples(postgres: bool) -> dict[str, str]:
    """Return questions to begin with, in the SQL of an engine."""
    if not postgres:
        return dict(EXAMPLES)
    return {name: sql.replace("value.value", "value.number") for name, sql in EXAMPLES.items()}
