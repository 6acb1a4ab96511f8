"""Why a thing may not be deleted: what is in service because of it, what belongs to it, what is of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from arangopipe import deployments as placed
from arangopipe.model import times
from arangopipe.model.entities import Deployment
from arangopipe.model.expressions import Compare, Path
from arangopipe.model.graph import Node
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.results import counted
from arangopipe.store.base import Store, pages_of


def rests_on(store: Store) -> tuple[str, ...]:
    """Return the kinds of which nothing may change between `in_service` and a delete.

    Edges of runs are not among them: training writes them all the time, and only along with a new run.
    """
    of_runs = {"run", *OWNED_BY_RUN}
    edges = [kind for kind in store.vocabulary().edges.values() if kind.depends is not None]
    return ("deployment", *(kind.name for kind in edges if not of_runs & {kind.source, kind.target}))


def depending(store: Store, ids: Iterable[str]) -> list[Deployment]:
    """Return the live and the scheduled deployments among some things and all that depends on them."""
    found = placed.among(store.traverse(list(ids), "downstream"))
    now = times.now()
    return [one for one in found if one.live_at(now) or one.status == "scheduled"]


def in_service(store: Store, node: Node) -> Iterator[str]:
    """Yield in words the live and the scheduled deployments that depend on a node."""
    for deployment in depending(store, [node.id]):
        state = "is scheduled" if deployment.status == "scheduled" else "is live"
        does = state if deployment.id == node.id else f"depends on it and {state}"
        yield f"{deployment.id} of {deployment.tag!r} {does}"


def in_project(store: Store, node: Node) -> Iterator[str]:
    """Yield in words what belongs to a project."""
    if node.kind == "project":
        belongs = Compare(Path(("project",)), "=", node.name)
        for kind in store.vocabulary(reload=True).nodes:
            if count := store.count(kind, belongs).get(None, 0):
                yield f"{counted(kind, count)} in it"


def of_kind(store: Store, node: Node) -> Iterator[str]:
    """Yield in words what is of an own kind, or needs it."""
    vocabulary = store.vocabulary(reload=True)
    if node.name in vocabulary.nodes:
        if count := store.count(node.name).get(None, 0):
            yield f"{count} things are of this kind"
        for edge in vocabulary.edges.values():
            if node.name in (edge.source, edge.target):
                yield f"edges of kind {edge.name!r} join such things"
        return
    ends = vocabulary.edge_kind(node.name)
    kinds = [end for end in (ends.source, ends.target) if end is not None][:1]
    if any(_has_edge(store, kind, node.name) for kind in kinds or vocabulary.nodes):
        yield "there are edges of this kind"


def _has_edge(store: Store, kind: str, edge_kind: str) -> bool:
    return any(
        page.items and store.edges([node.id for node in page.items], [edge_kind], 1)
        for page in pages_of(store, kind)
    )
