"""Everything recorded about one run and what it came from, as facts that can be set side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arangopipe.analysis.features import steps
from arangopipe.model import documents
from arangopipe.model.entities import Dataset, Featureset, Model, Run
from arangopipe.model.graph import Edge, Node
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.reader import Reader
from arangopipe.store.base import AsOf

SECTIONS = ("params", "metrics", "data", "features", "code", "environment", "ancestry")
"""The kinds of facts, in the order in which people look."""

USED = ("run_models", "run_datasets", "run_featuresets")

Fact = tuple[str, str]
"""A section and a name in it."""

UNEQUAL_BY_NATURE = {"argv", "user", "host", "seed"}
"""Facts of code and environment that say who and where, or repeat what is said elsewhere."""


@dataclass(frozen=True)
class Facts:
    """One run and its facts."""

    run: Run
    values: Mapping[Fact, Any]
    technique: str
    task: str | None


def facts_of(reader: Reader, runs: Sequence[Run], as_of: AsOf, ancestry: bool = False) -> list[Facts]:
    """Return the facts of runs; with `ancestry` also of whatever else is upstream of them."""
    edges = reader.store.edges(
        [run.id for run in runs], ["run_models", "run_datasets", "run_featuresets"], as_of=as_of
    )
    ids = {end for edge in edges for end in (edge.source, edge.target)}
    nodes = {node.id: node for node in reader.store.get(sorted(ids), as_of) if node is not None}
    found = []
    for run in runs:
        own = [edge for edge in edges if run.id in (edge.source, edge.target)]
        values = dict(_facts(run, own, nodes))
        if ancestry:
            values.update(_ancestry(reader, run, {*ids, run.id}, as_of))
        models = [
            Model(nodes[edge.source]) for edge in own if edge.kind == "run_models" and edge.source in nodes
        ]
        technique = " + ".join(sorted({model.technique or model.name for model in models}))
        found.append(Facts(run, values, technique, models[0].task if models else None))
    return found


def _facts(run: Run, edges: Sequence[Edge], nodes: Mapping[str, Node]) -> Iterator[tuple[Fact, Any]]:
    models = sorted(edge.source for edge in edges if edge.kind == "run_models")
    for model in (Model(nodes[id]) for id in models if id in nodes):
        yield ("params", "technique"), model.technique or model.name
    if run.seed is not None:
        yield ("params", "seed"), run.seed
    for name, value in flat(run.params):
        yield ("params", name), value
    for name, value in flat(run.metrics):
        yield ("metrics", name), value
    yield from _data(edges, nodes)
    yield from _features(
        [nodes[e.target] for e in edges if e.kind == "run_featuresets" and e.target in nodes]
    )
    for section in ("code", "environment"):
        document = run.get(section)
        for name, value in flat(document if isinstance(document, dict) else {}):
            if name not in UNEQUAL_BY_NATURE:
                yield (section, name.removeprefix("packages.")), value


def _data(edges: Sequence[Edge], nodes: Mapping[str, Node]) -> Iterator[tuple[Fact, Any]]:
    """Yield the dataset of each role, and what is known of its content: rows, and a mark of each column."""
    for edge in sorted(edges):
        if edge.kind != "run_datasets" or edge.target not in nodes:
            continue
        dataset = Dataset(nodes[edge.target])
        for role in edge.document.get("roles") or ("training",):
            yield ("data", role), nodes[edge.target].label
            rows = (dataset.summary or {}).get("rows")
            if rows is not None:
                yield ("data", f"rows of {role} data"), rows
            for name, mark in ((dataset.fingerprint or {}).get("columns") or {}).items():
                yield ("data", f"column {name} of {role} data"), mark


def _features(featuresets: Sequence[Node]) -> Iterator[tuple[Fact, Any]]:
    for node in sorted(featuresets):
        featureset = Featureset(node)
        for name, dtype in featureset.columns.items():
            yield ("features", f"column {name}"), dtype
        for step in steps(featureset.transformation):
            yield ("features", f"transformation {step}"), "applied"


def _ancestry(reader: Reader, run: Run, known: set[str], as_of: AsOf) -> Iterator[tuple[Fact, Any]]:
    """Yield what else a run came from: its version, and a mark of its content."""
    graph = reader.store.traverse([run.id], "upstream", as_of=as_of)
    for node in graph:
        if node.id not in known and node.kind not in (*OWNED_BY_RUN, "run", "models", "deployment"):
            yield ("ancestry", f"{node.kind} {node.name or node.key}"), f"{node.label} {_mark(node)}"


def _mark(node: Node) -> str:
    """Return a short mark of a node's document, equal for equal documents."""
    return hashlib.sha256(node.text.encode()).hexdigest()[:8]


def flat(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a document by dotted names; lists as text."""
    for name, value in document.items():
        if isinstance(value, dict) and value:
            yield from flat(value, f"{above}{name}.")
        else:
            yield (
                f"{above}{name}",
                documents.dump({"": value})[4:-1] if isinstance(value, (list, dict)) else value,
            )
