"""What the featuresets of runs contain: columns, transformations, and the datasets they were made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arangopipe.analysis.runs import Linked, Runs
from arangopipe.analysis.scope import Scope
from arangopipe.model import documents
from arangopipe.model.entities import Featureset
from arangopipe.model.graph import Node
from arangopipe.store.base import Store
from arangopipe.store.records import Links

MADE_FROM = "featureset_dataset"


@dataclass(frozen=True)
class Content:
    """What one or several featuresets hold together; `transformations` are of them and of their edges."""

    columns: frozenset[tuple[str, str]] = frozenset()
    transformations: frozenset[str] = frozenset()
    sources: tuple[str, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The names of the columns."""
        return frozenset(name for name, _ in self.columns)


@dataclass(frozen=True)
class Made:
    """One featureset made from one dataset, and the transformations recorded on either."""

    featureset: Node
    dataset: str
    transformations: tuple[str, ...]


def contents(runs: Runs) -> list[Content]:
    """Return what each set of featuresets that runs used (`run_featuresets`) contains."""
    linked: Linked = runs.links["run_featuresets"]
    made: dict[str, list[Made]] = {}
    for each in origins(runs.store, runs.scope, [runs.nodes[id] for id in _ids(linked) if id in runs.nodes]):
        made.setdefault(each.featureset.id, []).append(each)
    return [_content(members, runs.nodes, made) for members in linked.members]


def _ids(linked: Linked) -> Iterable[str]:
    return dict.fromkeys(member for members in linked.members for member in members)


def _content(
    members: Sequence[str], nodes: Mapping[str, Node], made: Mapping[str, Sequence[Made]]
) -> Content:
    columns: dict[str, str] = {}
    transformations: set[str] = set()
    sources: set[str] = set()
    for member in members:
        if member in nodes:
            columns.update(Featureset(nodes[member]).columns)
        for each in made.get(member, ()):
            transformations.update(each.transformations)
            sources.update([each.dataset] if each.dataset else [])
    return Content(frozenset(columns.items()), frozenset(transformations), tuple(sorted(sources)))


def origins(store: Store, scope: Scope, featuresets: Sequence[Node]) -> list[Made]:
    """Return what each featureset was made from, as the edges say; "" where no edge does."""
    edges: dict[str, Links] = {}
    for chunk in store.columns("featuresets", (), as_of=scope.as_of, links=[MADE_FROM]):
        edges.update(zip(chunk["id"], chunk[MADE_FROM], strict=True))
    found = []
    for node in featuresets:
        own = steps(Featureset(node).transformation)
        for dataset, text in edges.get(node.id) or (("", documents.EMPTY),):
            more = steps(documents.load(text).get("transformation"))
            found.append(Made(node, dataset, tuple(dict.fromkeys((*own, *more)))))
    return found


def steps(transformation: Any) -> tuple[str, ...]:
    """Return the transformations that a recorded value names: each item of a list, else the value as text."""
    if transformation is None or transformation == "":
        return ()
    items = transformation if isinstance(transformation, list) else [transformation]
    return tuple(item if isinstance(item, str) else documents.dump({"": item})[4:-1] for item in items)
