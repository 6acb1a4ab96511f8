"""What old code logs: whole runs and serving performance; and finding a run's documents by its tag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arangopipe.compat.connected import Connected
from arangopipe.compat.errors import NothingFound, raised_as
from arangopipe.compat.finding import matching
from arangopipe.compat.shapes import (
    Document,
    attributes,
    edge_receipt,
    entity_dict,
    moment,
    new_key,
    node_id,
)
from arangopipe.errors import AlreadyExists
from arangopipe.model import documents
from arangopipe.model.graph import Node, Put
from arangopipe.model.ids import check_key
from arangopipe.record import metrics_document, run_record

_ELSEWHERE = frozenset({"dataset", "featureset", "model", "model-params", "model-perf", "project"})
"""Entries of a run's dict that are not attributes of the run itself."""


class Runs(Connected):
    """Logging runs and serving performance: each in one transaction, or not at all."""

    @raised_as("DocumentInsertError")
    def log_run(self, ri: Mapping[str, Any]) -> None:
        """Record a run with its parameters and performance, and the edges to what it used.

        Raises `KeyError` where an entry is missing, `NotFound` for a key of nothing, `AlreadyExists`
        for a ``run_id`` that is taken; nothing is written then.
        """
        params, metrics = ri["model-params"], ri["model-perf"]
        key = check_key(ri["run_id"])
        _ = params["run_id"], metrics["run_id"]
        timestamp = metrics["timestamp"]
        model, featureset, dataset = (
            node_id(f"{kind}s", ri[kind]) for kind in ("model", "featureset", "dataset")
        )
        pipe = self.pipe
        if pipe.store.get([f"run/{key}"]) != (None,):
            raise AlreadyExists(f"run/{key} is already there: each run needs a run_id of its own")
        record = run_record(
            pipe.references(),
            pipe.actor,
            capture=pipe.capture,
            model=model,
            featureset=featureset,
            dataset=dataset,
            params=attributes(params),
            metrics=attributes(metrics),
            end=moment(timestamp),
            key=key,
        )
        own = {name: value for name, value in ri.items() if name not in _ELSEWHERE}
        run, *owned = record.nodes
        run = _with(run, {**own, "timestamp": timestamp})
        pipe.record(pipe.batch("log run", puts=map(Put, (run, *owned)), edges=record.edges))

    def lookup_modelparams(self, tag_value: Any) -> Document | None:
        """Return the parameters of the first run of a tag."""
        return self._of_run("modelparams", tag_value)

    def lookup_modelperf(self, tag_value: Any) -> Document | None:
        """Return the development performance of the first run of a tag."""
        return self._of_run("devperf", tag_value)

    def _of_run(self, kind: str, tag: Any) -> Document | None:
        run = next(matching(self.pipe, "run", "tag", tag), None)
        if run is None:
            missing: Document | None = self._missing(f"a run with tag {tag!r}")
            return missing
        (node,) = self.pipe.store.get([f"{kind}/{run['_key']}"])
        return entity_dict(node) if node is not None else None

    def log_serving_perf(
        self, sp: Mapping[str, Any], dep_tag: str, userid: str = "authorized user"
    ) -> Document:
        """Record how the first deployment of a tag performed; return the ids of its edge to that.

        An unknown tag is an `IndexError`.
        """
        pipe = self.pipe
        deployed = next(matching(pipe, "deployment", "tag", dep_tag), None)
        if deployed is None:
            raise NothingFound(f"nothing is deployed as {dep_tag!r}: an administrator registers it")
        key = sp["_key"] if "_key" in sp else new_key()
        text = documents.dump({**_period(sp), **metrics_document(attributes(sp))})
        deployment = pipe.get(deployed["_id"])
        node = Node("servingperf", check_key(key), project=deployment.project, text=text)
        edge = pipe.references().edge("deployment_servingperf", deployment.id, node.id)
        batch = pipe.batch("log serving performance", puts=[Put(node)], edges=[edge])
        return edge_receipt(edge._replace(revision=pipe.record(batch)[0].revision))


def _with(run: Node, own: Mapping[str, Any]) -> Node:
    """Return the node of a run with the attributes its dict has, which may have any name."""
    document = {**run.document, **documents.normalise(attributes(own), "run")}
    name = document.pop("name", "")
    if not isinstance(name, str):
        document["name"], name = name, ""
    return run._replace(name=name, text=documents.dump(document))


def _period(sp: Mapping[str, Any]) -> dict[str, str]:
    """Return start and end of a serving period, where old attributes say them."""
    label = sp.get("period")
    ends = label.split(" to ") if isinstance(label, str) else [sp.get("from_date"), sp.get("to_date")]
    moments = sorted(found for found in map(moment, ends) if found is not None)
    return {"start": moments[0], "end": moments[1]} if len(moments) == 2 else {}
