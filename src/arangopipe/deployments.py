"""The rules of deployments: who is live when, and how one follows another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from arangopipe.errors import Conflict, NotFound
from arangopipe.model import documents, times
from arangopipe.model.entities import Deployment, ServingPerf
from arangopipe.model.expressions import Compare, OrderKey, Path
from arangopipe.model.graph import Graph, Node, Put
from arangopipe.references import listed
from arangopipe.store.base import AsOf, Store, nodes_of

PERIODS = 500
"""So many serving periods are looked through; of more, the last of each deployment is searched for."""


def of_tag(store: Store, tag: str, moment: AsOf = None) -> list[Deployment]:
    """Return all deployments of a tag, the newest first."""
    return [Deployment(node) for node in store.find("deployment", tag, as_of=moment)]


def every(store: Store, moment: AsOf = None) -> Iterator[Deployment]:
    """Yield all deployments, the newest first."""
    return map(Deployment, nodes_of(store, "deployment", as_of=moment))


def among(graph: Graph) -> list[Deployment]:
    """Return the deployments that a walk reached or started from, nearest first."""
    return [Deployment(node) for node in graph.of_kind("deployment")]


def live(deployments: Iterable[Deployment], moment: datetime) -> list[Deployment]:
    """Return those that served at that time."""
    return [deployment for deployment in deployments if deployment.live_at(moment)]


def the_live_one(deployments: Iterable[Deployment], tag: str, moment: datetime) -> Deployment:
    """Return the one deployment of a tag that served at that time, or say who served when."""
    known = list(deployments)
    found = live(known, moment)
    when = times.to_text(moment)
    if not known:
        raise NotFound(f"nothing is deployed as {tag!r}: admin.register_deployment({tag!r}) does it")
    if not found:
        raise NotFound(f"no deployment of {tag!r} was live at {when}; {timeline(known)}")
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} deployments of {tag!r} were live at {when}: pass one of them "
            f"({listed([deployment.id for deployment in found])})"
        )
    return found[0]


def one_of(known: Sequence[Deployment], what: str, *statuses: str) -> Deployment:
    """Return the one deployment of the first of these statuses that any has."""
    if not known:
        raise NotFound(f"nothing is deployed as {what!r}")
    for status in statuses:
        found = [deployment for deployment in known if deployment.status == status]
        if len(found) > 1:
            ids = listed([deployment.id for deployment in found])
            raise Conflict(f"{len(found)} deployments of {what!r} are {status}: pass one of {ids}")
        if found:
            return found[0]
    raise Conflict(f"none of {what} is {' or '.join(statuses)}: {timeline(known)}")


def timeline(deployments: Iterable[Deployment]) -> str:
    """Return in words when each served."""
    return listed([f"{deployment.id} {_served(deployment)}" for deployment in deployments])


def _served(deployment: Deployment) -> str:
    if deployment.status == "scheduled":
        return "is scheduled" + _when(" for ", deployment.scheduled)
    started = _when(" from ", deployment.active_from) or " ever"
    return f"was live{started}{_when(' to ', deployment.active_to) or ' on'}"


def _when(word: str, moment: datetime | None) -> str:
    return "" if moment is None else word + times.to_text(moment)


def changed(deployment: Deployment, **attributes: Any) -> Put:
    """Return the revision of a deployment with these attributes, written only over what was read."""
    document = {**deployment.document, **attributes}
    node = deployment.node._replace(text=documents.dump(document))
    return Put(node, deployment.revision)


def handover(others: Iterable[Deployment], tag: str, start: datetime, end: datetime | None) -> list[Put]:
    """Return what makes room for a deployment of that tag that serves from `start` to `end`.

    The one that serves then is archived at `start`; one that starts later, or was archived later,
    stands in the way and raises `Conflict`.
    """
    puts = []
    for other in others:
        if other.status == "scheduled" or _ends_before(other, start) or _starts_after(other, end):
            continue
        began = other.active_from
        if other.status == "archived" or end is not None or (began is not None and began > start):
            raise Conflict(
                f"{other.id} of {tag!r} {_served(other)}, which overlaps: choose another time, "
                "or pass keep=True to have both"
            )
        puts.append(changed(other, status="archived", active_to=times.to_text(start)))
    return puts


def _ends_before(deployment: Deployment, start: datetime) -> bool:
    ended = deployment.active_to
    if ended is None:
        return deployment.status == "archived"
    return ended <= start


def _starts_after(deployment: Deployment, end: datetime | None) -> bool:
    began = deployment.active_from
    return end is not None and began is not None and began >= end


def last_serving(
    store: Store, deployments: Iterable[Deployment], moment: AsOf = None
) -> dict[str, ServingPerf]:
    """Return the latest serving performance of each of some deployments, by its id."""
    ids = [deployment.id for deployment in deployments]
    edges = store.edges(ids, ["deployment_servingperf"], PERIODS + 1, moment) if ids else ()
    if len(edges) > PERIODS:
        return _last_of_many(store, ids, moment)
    nodes = store.get([edge.target for edge in edges], moment)
    latest: dict[str, ServingPerf] = {}
    for edge, node in zip(edges, nodes, strict=True):
        perf = None if node is None else ServingPerf(node)
        known = latest.get(edge.source)
        if perf is not None and (known is None or _order(perf) > _order(known)):
            latest[edge.source] = perf
    return latest


def _last_of_many(store: Store, ids: Iterable[str], moment: AsOf) -> dict[str, ServingPerf]:
    order = [OrderKey(Path(("end",)), descending=True), OrderKey(Path(("key",)), descending=True)]
    latest = {}
    for node_id in ids:
        where = Compare(Path(("deployment", "key")), "=", node_id.partition("/")[2])
        for node in store.search("servingperf", where, order, 1, None, moment).items:
            latest[node_id] = ServingPerf(node)
    return latest


def served(
    store: Store, placements: Sequence[Deployment], moment: AsOf = None
) -> Mapping[str, Mapping[str, Sequence[Node]]]:
    """Return, for each deployment by its id, the models, featuresets and run that it serves, by kind."""
    ids = [item.id for item in placements]
    kinds = ("deployment_model", "deployment_featureset", "deployment_modelparams")
    edges = store.edges(ids, kinds, as_of=moment) if ids else ()
    wanted = [edge.target.replace("modelparams/", "run/") for edge in edges]
    found: dict[str, dict[str, list[Node]]] = {node_id: {} for node_id in ids}
    for edge, node in zip(edges, store.get(wanted, moment), strict=True):
        if node is not None:
            found[edge.source].setdefault(node.kind, []).append(node)
    return found


def _order(perf: ServingPerf) -> tuple[bool, datetime | None, str]:
    """Return what serving performance is ordered by; one without an end comes first."""
    return perf.end is not None, perf.end, perf.key
