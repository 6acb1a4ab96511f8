"""The API: register what there is, log what happened, ask what came from what."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from arangopipe import deployments
from arangopipe.errors import Conflict, InvalidInput, NotFound
from arangopipe.model import documents, times
from arangopipe.model.attributes import MEASURED
from arangopipe.model.entities import Deployment, Entity, Run, ServingPerf
from arangopipe.model.graph import Batch, Edge, Node, Put
from arangopipe.model.ids import check_key, check_name, uuid7
from arangopipe.reader import Reader
from arangopipe.record import RunRecord, Status, Time, metrics_document, run_record
from arangopipe.references import Ref, texts
from arangopipe.register import Registry
from arangopipe.store.base import Store, check_bound

if TYPE_CHECKING:
    from arangopipe.admin import ArangoPipeAdmin
    from arangopipe.analysis import Analysis
    from arangopipe.run import ActiveRun


_MANY = 1_000_000

_GOVERNED = {
    "deployment": {"tag", "status", "scheduled", "active_from", "active_to"},
    "kinds": {"of", "from", "to", "depends"},
}
"""Attributes with rules of their own, which an annotation would go around."""


def connect(
    url: str | os.PathLike[str] | Store | None = None,
    *,
    token: str | None = None,
    project: Ref | None = None,
    actor: str | None = None,
    capture: bool = True,
) -> ArangoPipe:
    """Open a store, by its address or the path of a file (a `Path`), and return the API to it.

    Without `url` that is the setting ARANGOPIPE_URL, else the file ``arangopipe.db`` in the working
    directory; with ARANGOPIPE_DISABLED an empty store in memory. `project` is where models and
    runs belong by default, and where names are sought first; `actor` is who does it, by default
    the user of the operating system; `capture` records code and environment with each run.
    """
    return ArangoPipe(url, token=token, project=project, actor=actor, capture=capture)


class ArangoPipe(Registry, Reader):
    """The metadata graph in one store: what was used, what was run, what came of it.

    >>> import arangopipe
    >>> pipe = arangopipe.connect("memory://")
    >>> project = pipe.admin.register_project("diabetes")
    >>> data = pipe.register_dataset("diabetes", source="sklearn")
    >>> model = pipe.register_model("ridge", project=project, technique="ridge")
    >>> run = pipe.log_run(model=model, dataset=data, params={"alpha": 1.0}, metrics={"rmse": 54.2})
    >>> [node.name for node in pipe.upstream(model).of_kind("datasets")]
    ['diabetes']
    """

    def __init__(
        self,
        store: Store | str | os.PathLike[str] | None = None,
        *,
        token: str | None = None,
        project: Ref | None = None,
        actor: str | None = None,
        capture: bool = True,
    ) -> None:
        super().__init__(store, token=token, project=project, actor=actor)
        self.capture = capture

    @property
    def admin(self) -> ArangoPipeAdmin:
        """The administrator's side of the same store."""
        from arangopipe.admin import ArangoPipeAdmin

        return ArangoPipeAdmin(self.store, project=self.project or None, actor=self.actor)

    @property
    def analysis(self) -> Analysis:
        """The aggregate questions: what was tried, what of it helped, and how sure that is.

        Raises `MissingExtra` without numpy, scipy and pandas.
        """
        from arangopipe.analysis import Analysis

        return Analysis(self)

    def close(self) -> None:
        """Close the store, if this pipe opened it, and end the runs that are still open in it."""
        self._close_after(None)

    def _close_after(self, error: BaseException | None) -> None:
        from arangopipe.run import end_open_runs

        if self._owns_store:
            end_open_runs(self.store, error)
        super()._close_after(error)

    # --- logging ---------------------------------------------------------------------------------

    def log_run(
        self,
        *,
        project: Ref | None = None,
        model: Ref | None = None,
        dataset: Ref | Sequence[Ref] | None = None,
        datasets: Mapping[str, Ref | Sequence[Ref]] | None = None,
        featureset: Ref | Sequence[Ref] | None = None,
        params: Mapping[Any, Any] | None = None,
        fitted: Mapping[Any, Any] | None = None,
        optimizer: Mapping[Any, Any] | None = None,
        metrics: Mapping[Any, Any] | None = None,
        tag: str | None = None,
        deployment_tag: str | None = None,
        name: str | None = None,
        seed: Any = None,
        status: Status = "finished",
        start: Time | None = None,
        end: Time | None = None,
        error: BaseException | Mapping[str, Any] | str | None = None,
        artifacts: Iterable[Mapping[str, Any] | str | os.PathLike[str]] | None = None,
        tags: Mapping[Any, Any] | None = None,
        parent: Ref | None = None,
        key: str | None = None,
        capture: bool | None = None,
        **attributes: Any,
    ) -> Run:
        """Record a whole run in one transaction and return it.

        `dataset` is what it was trained on; `datasets` maps the roles training, validation and test to
        datasets. `params` are the hyper-parameters, `fitted` what the run found, `optimizer` how.
        Metrics may be NaN or infinite, and of any shape. `artifacts` are paths, URLs or dicts with a
        ``uri``. The project is, if not given, the model's or the pipe's. Raises `NotFound` for a
        reference to nothing, `AlreadyExists` for a `key` that is taken by another run.
        """
        record = run_record(
            self.references(),
            self.actor,
            capture=self.capture if capture is None else capture,
            project=project,
            model=model,
            dataset=dataset,
            datasets=datasets,
            featureset=featureset,
            params=params,
            fitted=fitted,
            optimizer=optimizer,
            metrics=metrics,
            tag=tag,
            deployment_tag=deployment_tag,
            name=name,
            seed=seed,
            status=status,
            start=start,
            end=end,
            error=error,
            artifacts=artifacts,
            tags=tags,
            parent=parent,
            key=key,
            **attributes,
        )
        batch = self.batch("log run", puts=map(Put, record.nodes), edges=record.edges, read=record.written)
        run, found, measured = self.record(batch)
        return Run(run, found.text, measured.text)

    def log_runs(self, runs: Iterable[Mapping[str, Any]], batch_size: int = 500) -> int:
        """Record many runs, `batch_size` to a transaction, and return how many.

        Each is a mapping of what `log_run` takes. Code and environment are recorded only where a mapping
        says ``capture=True``, since runs in bulk are seldom of this process.
        """
        check_bound("batch_size", batch_size, 1)
        if not isinstance(runs, Iterable):
            raise InvalidInput(f"runs= is a sequence of mappings, not {type(runs).__name__}")
        rest = iter(runs)
        written = 0
        while chunk := list(islice(rest, min(batch_size, _MANY))):
            references = self.references()
            records: list[RunRecord] = []
            for fields in chunk:
                try:
                    if not isinstance(fields, Mapping) or [n for n in fields if not isinstance(n, str)]:
                        raise InvalidInput(f"a run is a mapping of what log_run takes, not {fields!r:.80}")
                    known = {"capture": False, **fields}
                    records.append(run_record(references, self.actor, **known))
                except (InvalidInput, NotFound, Conflict) as error:
                    at = f"run number {written + len(records) + 1}, whose batch was not written"
                    raise type(error)(f"{at}: {error}") from error
            puts = [Put(node) for record in records for node in record.nodes]
            edges = [edge for record in records for edge in record.edges]
            read = [document for record in records for document in record.written]
            self.deliver(self.batch("log runs", puts=puts, edges=edges, read=read))
            written += len(records)
        return written

    def start_run(
        self,
        *,
        project: Ref | None = None,
        model: Ref | None = None,
        dataset: Ref | Sequence[Ref] | None = None,
        datasets: Mapping[str, Ref | Sequence[Ref]] | None = None,
        featureset: Ref | Sequence[Ref] | None = None,
        tag: str | None = None,
        deployment_tag: str | None = None,
        name: str | None = None,
        seed: Any = None,
        tags: Mapping[Any, Any] | None = None,
        parent: Ref | None = None,
        key: str | None = None,
        capture: bool | None = None,
        strict: bool = False,
        **attributes: Any,
    ) -> ActiveRun:
        """Record that a run has started, and return what to log to while it goes on.

        The arguments are those of `log_run`. References are resolved now and may raise; inside the
        ``with`` block a value that cannot be recorded is kept as text with a warning, or raises if
        `strict`.
        """
        from arangopipe.run import start

        return start(
            self,
            strict=strict,
            capture=self.capture if capture is None else capture,
            project=project,
            model=model,
            dataset=dataset,
            datasets=datasets,
            featureset=featureset,
            tag=tag,
            deployment_tag=deployment_tag,
            name=name,
            seed=seed,
            tags=tags,
            parent=parent,
            key=key,
            **attributes,
        )

    def log_serving_perf(
        self,
        deployment: Ref,
        metrics: Mapping[Any, Any],
        *,
        period: tuple[Time, Time],
        key: str | None = None,
        **attributes: Any,
    ) -> ServingPerf:
        """Record how a deployment performed over a period, and return that.

        A tag stands for the deployment that was live when the period began; `NotFound` and `Conflict`
        say who was live when.
        """
        start, end = _period(period)
        served = self._served(deployment, start)
        document = metrics_document(metrics)
        more = documents.normalise(attributes, "serving performance")
        moments = {"start": times.to_text(start), "end": times.to_text(end)}
        if twice := sorted(document.keys() & {*more, *moments}):
            raise InvalidInput(f"metrics cannot be called {', '.join(twice)}: that says something else here")
        text = documents.dump({**document, **more, **moments})
        node = Node("servingperf", check_key(key) if key else uuid7(), project=served.project, text=text)
        edge = self.references().edge("deployment_servingperf", served.id, node.id)
        batch = self.batch("log serving performance", puts=[Put(node)], edges=[edge])
        return ServingPerf(self.record(batch)[0])

    def _served(self, ref: Ref, moment: Any) -> Deployment:
        if isinstance(ref, Deployment):
            return ref
        if isinstance(ref, str):
            known = deployments.of_tag(self.store, ref.removeprefix("deployment:"))
            if known:
                return deployments.the_live_one(known, known[0].tag, moment)
        return Deployment(self.references().node("deployment", ref))

    # --- changing --------------------------------------------------------------------------------

    def link(self, a: Ref, b: Ref, kind: str = "related", **document: Any) -> Edge:
        """Record an edge from `a` to `b` and return it; one that exists takes the new document."""
        references = self.references()
        text = documents.dump(documents.normalise(document, f"edge {kind!r}"))
        edge = references.edge(kind, references.any_id(a), references.any_id(b), text)
        batch = self.batch("link", edges=[edge])
        change = self.store.write(batch)
        if change.batch == batch.id:
            return edge._replace(revision=change.number)
        known = self.store.edges([edge.source], [kind])
        return next((other for other in known if other.ref == edge.ref), edge)

    def unlink(self, a: Ref, b: Ref, kind: str = "related", *, reason: str = "") -> None:
        """Close the edge from `a` to `b`; raises `NotFound` where there is none."""
        references = self.references()
        edge = references.edge(kind, references.any_id(a), references.any_id(b))
        self.store.write(self.batch("unlink", closes=[edge.ref], reason=reason))

    def annotate(
        self,
        ref: Ref,
        mapping: Mapping[Any, Any] | None = None,
        *,
        reason: str = "",
        expect: int | None = None,
        remove: Iterable[str] = (),
        **attributes: Any,
    ) -> Entity:
        """Set attributes of a thing, and remove others, as a new revision of it; return that.

        `mapping` holds attributes that cannot be written as arguments. With `expect`, a revision
        number, a thing that was changed since raises `Conflict`; without, the change is made to
        whatever it is now.
        """
        node_id = self.references().any_id(ref)
        kind = node_id.partition("/")[0]
        if not isinstance(mapping or {}, Mapping):
            raise InvalidInput(
                f"attributes come as a mapping, not {type(mapping).__name__} ({mapping!r:.80})"
            )
        given = {**(mapping or {}), **attributes}
        fresh = metrics_document(given, node_id) if kind in MEASURED else documents.normalise(given, node_id)
        gone = {check_name(name, "an attribute to remove") for name in texts(remove)}
        if governed := sorted({*fresh, *gone} & _GOVERNED.get(kind, set())):
            raise InvalidInput(f"{', '.join(governed)} of {node_id}: the administrator's methods change that")

        def revise() -> Batch:
            node = self.references().any_node(node_id)
            if expect is not None and node.revision != expect:
                raise Conflict(f"{node_id} is at revision {node.revision}, not {expect}: look it up again")
            document = {name: value for name, value in node.document.items() if name not in gone}
            text = documents.dump({**document, **fresh})
            put = Put(node._replace(text=text), node.revision)
            return self.batch("annotate", puts=[put], reason=reason)

        return self.entity(self.send_fresh(revise)[0])


def _period(period: Any) -> tuple[Any, Any]:
    try:
        start, end = period
    except (TypeError, ValueError):
        raise InvalidInput(f"period= is (start, end), not {period!r:.80}") from None
    start, end = times.parse(start, "the period's start"), times.parse(end, "the period's end")
    if end < start:
        raise InvalidInput(f"the period ends ({end}) before it starts ({start})")
    return start, end
