"""Asking: look things up, search them, walk from what they came from to what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast, overload

from arangopipe import deployments
from arangopipe.model import times
from arangopipe.model.entities import (
    Dataset,
    Deployment,
    DevPerf,
    Entity,
    Featureset,
    Model,
    ModelParams,
    Project,
    Run,
    ServingPerf,
)
from arangopipe.model.filters import Expression, OrderKey, parse, parse_order
from arangopipe.model.graph import Edge, Graph, Point, Revision
from arangopipe.model.ids import check_name
from arangopipe.model.vocabulary import Direction
from arangopipe.references import Ref, When, moment_of, texts
from arangopipe.results import Impact, Page
from arangopipe.session import Session
from arangopipe.store.base import MAX_NODES, MAX_PAGE

Where = str | Expression | None
Order = str | Sequence[str | OrderKey] | None

_ITERATED = 1_000


def _expression(where: Where) -> Expression | None:
    return where if where is None or isinstance(where, Expression) else parse(where)


class Reader(Session):
    """The half of the API that changes nothing. Everything can be asked `as_of` an earlier moment."""

    def lookup_project(self, ref: Ref, *, as_of: When = None) -> Project:
        """Return a project, or raise `NotFound`."""
        return cast(Project, self.lookup("project", ref, project="", as_of=as_of))

    def lookup_dataset(
        self,
        ref: Ref,
        *,
        version: str | int | None = None,
        project: Ref | None = None,
        as_of: When = None,
    ) -> Dataset:
        """Return a dataset, by default the newest version of that name, or raise `NotFound`."""
        found = self.lookup("datasets", ref, version=version, project=project, as_of=as_of)
        return cast(Dataset, found)

    def lookup_featureset(
        self,
        ref: Ref,
        *,
        version: str | int | None = None,
        project: Ref | None = None,
        as_of: When = None,
    ) -> Featureset:
        """Return a featureset, by default the newest version of that name, or raise `NotFound`."""
        found = self.lookup("featuresets", ref, version=version, project=project, as_of=as_of)
        return cast(Featureset, found)

    def lookup_model(
        self,
        ref: Ref,
        *,
        version: str | int | None = None,
        project: Ref | None = None,
        as_of: When = None,
    ) -> Model:
        """Return a model, by default the newest version of that name, or raise `NotFound`."""
        found = self.lookup("models", ref, version=version, project=project, as_of=as_of)
        return cast(Model, found)

    def lookup_run(self, ref: Ref, *, as_of: When = None) -> Run:
        """Return the run of an id, key or name; `Conflict` lists the runs that share a name."""
        return cast(Run, self.lookup("run", ref, as_of=as_of))

    def lookup_modelparams(self, ref: Ref, *, as_of: When = None) -> ModelParams:
        """Return the parameters of a run, or raise `NotFound`."""
        return cast(ModelParams, self.lookup("modelparams", ref, as_of=as_of))

    def lookup_devperf(self, ref: Ref, *, as_of: When = None) -> DevPerf:
        """Return the performance a run measured, or raise `NotFound`."""
        return cast(DevPerf, self.lookup("devperf", ref, as_of=as_of))

    def lookup_deployment(self, ref: Ref, *, as_of: When = None) -> Deployment:
        """Return the deployment of an id, key or tag; of several with one tag, the active one."""
        return cast(Deployment, self.lookup("deployment", ref, as_of=as_of))

    def lookup_servingperf(self, ref: Ref, *, as_of: When = None) -> ServingPerf:
        """Return the performance of one serving period, by its id or key."""
        return cast(ServingPerf, self.lookup("servingperf", ref, as_of=as_of))

    def search(
        self,
        kind: str,
        where: Where = None,
        *,
        order_by: Order = None,
        limit: int = 100,
        cursor: str | None = None,
        as_of: When = None,
    ) -> Page[Entity]:
        """Return a page of the things of a kind that a search text selects.

        >>> import arangopipe
        >>> pipe = arangopipe.connect("memory://")
        >>> run = pipe.log_run(params={"alpha": 1.0}, metrics={"rmse": 54.2}, capture=False)
        >>> page = pipe.search("run", "metrics.rmse < 55 and params.alpha >= 1", order_by="metrics.rmse")
        >>> [found.metrics["rmse"] for found in page]
        [54.2]
        """
        name, expression = self.references().kind(kind).name, _expression(where)
        order = parse_order(order_by) if order_by is not None else ()
        with self.store.one_moment():
            found = self.store.search(name, expression, order, limit, cursor, moment_of(as_of))
            entities = self.entities(found.items, as_of)
        return Page(
            entities,
            found.cursor,
            lambda after: self.search(kind, where, order_by=order_by, limit=limit, cursor=after, as_of=as_of),
        )

    def iterate(
        self, kind: str, where: Where = None, *, order_by: Order = None, as_of: When = None
    ) -> Iterator[Entity]:
        """Yield everything of a kind that a search text selects, page by page."""
        page: Page[Entity] | None = self.search(kind, where, order_by=order_by, limit=_ITERATED, as_of=as_of)
        while page is not None:
            yield from page
            page = page.next()

    @overload
    def count(self, kind: str, where: Where = None, *, by: None = None, as_of: When = None) -> int: ...
    @overload
    def count(self, kind: str, where: Where = None, *, by: str, as_of: When = None) -> dict[Any, int]: ...
    def count(
        self, kind: str, where: Where = None, *, by: str | None = None, as_of: When = None
    ) -> int | dict[Any, int]:
        """Return how many things a search text selects, or how many of them for each value `by`."""
        expression = _expression(where)
        name = self.references().kind(kind).name
        counts = self.store.count(name, expression, by, moment_of(as_of))
        return counts.get(None, 0) if by is None else counts

    def upstream(
        self, ref: Ref, depth: int | None = None, *, limit: int = MAX_NODES, as_of: When = None
    ) -> Graph:
        """Return what a thing came from, `depth` edges far and up to `limit` nodes."""
        return self._walk(ref, "upstream", depth, limit, as_of)

    def downstream(
        self, ref: Ref, depth: int | None = None, *, limit: int = MAX_NODES, as_of: When = None
    ) -> Graph:
        """Return what came of a thing, `depth` edges far and up to `limit` nodes."""
        return self._walk(ref, "downstream", depth, limit, as_of)

    def lineage(
        self, ref: Ref, depth: int | None = None, *, limit: int = MAX_NODES, as_of: When = None
    ) -> Graph:
        """Return what a thing came from (depths below 0) and what came of it (above 0).

        Both walks go `depth` edges far and visit up to `limit` nodes each.
        """
        with self.store.one_moment():
            upstream = self._walk(ref, "upstream", depth, limit, as_of)
            return upstream.merge(self._walk(ref, "downstream", depth, limit, as_of))

    def impact(self, ref: Ref, *, as_of: When = None) -> Impact:
        """Return what depends on a thing, and the deployments among it that serve or are to."""
        graph = self.downstream(ref, as_of=as_of)
        placed = deployments.among(graph)
        live = deployments.live(placed, self._time_of(as_of))
        return Impact(
            graph,
            tuple(live),
            tuple(deployment for deployment in placed if deployment.status == "scheduled"),
            deployments.last_serving(self.store, placed, moment_of(as_of)),
        )

    def history(self, ref: Ref) -> tuple[Revision, ...]:
        """Return every state a thing had, the oldest first, with who changed it when and why.

        A thing that was deleted is still known by its id.
        """
        references = self.references()
        node_id = references.any_id(ref)
        return self.store.revisions(node_id) or self.store.revisions(references.any_node(node_id).id)

    def metric_points(self, run: Ref, name: str, *, as_of: When = None) -> list[Point]:
        """Return the points of a run's metric by step and time; [] where it has none."""
        run_id = self.references(as_of).id("run", run)
        check_name(name, "the name of a metric")
        return self.store.points(run_id, name, moment_of(as_of)).get(name, [])

    def edges(
        self, ref: Ref, kinds: Sequence[str] = (), *, limit: int = MAX_PAGE, as_of: When = None
    ) -> tuple[Edge, ...]:
        """Return the edges that touch a thing, of all kinds or of some; `NotFound` where it is not there."""
        references = self.references(as_of)
        names = [references.edge_kind(kind).name for kind in texts(kinds)]
        found = self.store.edges([references.any_id(ref)], names, limit, moment_of(as_of))
        if not found:
            references.any_node(ref)  # what is not there has none either, and is said to be not there
        return found

    def _walk(self, ref: Ref, direction: Direction, depth: int | None, limit: int, as_of: When) -> Graph:
        start = self.references(as_of).any_id(ref)
        return self.store.traverse([start], direction, depth, limit, moment_of(as_of))

    def _time_of(self, as_of: When) -> datetime:
        """Return the time that a moment of the record stands for."""
        moment = moment_of(as_of)
        if isinstance(moment, int):
            head = self.store.head(moment)
            return head.time if head is not None else times.now()
        return times.now() if moment is None else moment
