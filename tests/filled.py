"""A store with every sort of thing in it, and everything that can be read back from it."""

from __future__ import annotations

from typing import Any

from arangopipe.model import documents, times
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Batch, Edge, EdgeRef, Node, Origin, Point, Points, Put
from arangopipe.model.ids import named_key, uuid7
from arangopipe.store.base import Store

SECRET = "Sehr-Geheim-4711"
"""Stands in everything about the run `run/secret`, in whatever can be erased."""


def named(kind: str, name: str, version: str = "1", project: str = "", **document: Any) -> Node:
    key = named_key(kind, project, name, version)
    return Node(kind, key, name, version, project, text=documents.dump(document))


def event(kind: str, key: str, name: str = "", **document: Any) -> Node:
    return Node(kind, key, name, text=documents.dump(document))


def write(store: Store, actor: str = "ana", action: str = "test", **parts: Any) -> None:
    store.write(Batch(uuid7(), actor=actor, action=action, **{k: tuple(v) for k, v in parts.items()}))


PROJECT = named("project", "diabetes", "")
DATA = named("datasets", "diabetes", source="sklearn", rows=442)
NEWER = named("datasets", "diabetes", "2", source="sklearn", rows=443, note="größer")
FEATURES = named("featuresets", "base+s5", project="diabetes", columns={"s5": "float64"})
MODEL = named("models", "ridge", project="diabetes", technique="ridge", task="progression")
SHARD = named("shard", "first", "", bytes=2**60, empty=None, flags=[True, False])
DEPLOYMENT = event("deployment", "dep-1", "prod", status="active")
SERVED = event("servingperf", "serv-1", rmse=55.5, worst="NaN")
ORIGIN = Origin("5f0c2a7be1d94c36", 12, times.parse("2026-01-02T03:04:05.000006Z"), "eva")


def run_parts(key: str, **params: Any) -> dict[str, list[Any]]:
    """Return the puts and edges of one whole run."""
    run = f"run/{key}"
    return {
        "puts": [
            Put(event("run", key, f"run {key}", status="finished", seed=7, tags={"who": "ana"})),
            Put(event("modelparams", key, alpha=1.0, **params)),
            Put(event("devperf", key, rmse=54.25, r2=0.5, curve=[1, 2.5, "Infinity"])),
        ],
        "edges": [
            Edge("run_models", MODEL.id, run),
            Edge("run_datasets", run, DATA.id, text='{"roles":["training"]}'),
            Edge("run_featuresets", run, FEATURES.id),
            Edge("run_modelparams", run, f"modelparams/{key}"),
            Edge("run_devperf", run, f"devperf/{key}"),
        ],
    }


def points(run: str, name: str, *values: float | str, start: int = 0) -> Points:
    found = [Point(start + i, 1_700_000_000_000_000 + i, value) for i, value in enumerate(values)]
    return Points(run, name, tuple(found))


def fill(store: Store) -> None:
    """Record nodes, revisions, edges revised and closed, deletes, points, own kinds; nothing erased yet."""
    kinds = [
        named("kinds", "shard", "", of="node", records="a piece of a dataset"),
        named("kinds", "cut_from", "", of="edge", **{"from": "shard", "to": "datasets", "depends": "from"}),
    ]
    write(store, "admin", puts=[Put(PROJECT), *map(Put, kinds)])
    link = Edge("featureset_dataset", FEATURES.id, DATA.id)
    write(store, puts=[Put(DATA), Put(FEATURES), Put(MODEL)], edges=[link])
    write(store, puts=[Put(SHARD)], edges=[Edge("cut_from", SHARD.id, DATA.id)])
    write(store, edges=[link._replace(text='{"transformation":"scale"}')])
    write(store, puts=[Put(NEWER)], edges=[Edge("related", NEWER.id, DATA.id, text='{"why":"next"}')])
    for key in ("r-1", "r-2", "r-3"):
        write(store, "bob", "log run", **run_parts(key, depth=int(key[-1])))
    write(store, points=[points("run/r-1", "loss", 3.0, 2.0, 1.5), points("run/r-1", "acc", 0.5)])
    write(store, points=[points("run/r-1", "loss", "NaN", 1.25, start=3)])
    store.write(Batch(uuid7(), points=(points("run/r-2", "loss", 9.0),), actor="ana", origin=ORIGIN))
    revised = DATA._replace(text=documents.dump({**DATA.document, "checked": True}))
    write(store, action="annotate", puts=[Put(revised, "any")])
    write(store, puts=[Put(event("devperf", "r-3", rmse=50.5, r2=0.75), "any")])
    write(
        store,
        "admin",
        puts=[Put(DEPLOYMENT), Put(SERVED)],
        edges=[
            Edge("deployment_model", DEPLOYMENT.id, MODEL.id),
            Edge("deployment_modelparams", DEPLOYMENT.id, "modelparams/r-1"),
            Edge("deployment_servingperf", DEPLOYMENT.id, SERVED.id),
        ],
    )
    write(store, action="unlink", closes=[EdgeRef("related", NEWER.id, DATA.id)])
    store.write(Batch(uuid7(), closes=("run/r-2",), actor="bob", action="delete", reason="wrong data"))
    # A name that was free again, and is taken by the same content.
    write(store, closes=[SHARD.id])
    write(store, puts=[Put(SHARD)])


def fill_secret(store: Store) -> None:
    """Record a run, a dataset and points that all hold the secret; what is erased later."""
    write(store, puts=[Put(named("datasets", SECRET, location=f"/home/{SECRET}"))])
    parts = run_parts("secret", password=SECRET)
    run, params, metrics = parts["puts"]
    document = {**run.node.document, "note": f"uses {SECRET}", "tags": {"owner": SECRET}}
    run = Put(run.node._replace(name=SECRET, text=documents.dump(document)))
    write(store, puts=[run, params, metrics], edges=parts["edges"])
    write(store, points=[points("run/secret", "loss", 4.0, 3.0)])
    again = params.node._replace(text=documents.dump({"password": f"{SECRET}-again", "alpha": 2.0}))
    write(store, puts=[Put(again, "any")])


def read_all(store: Store) -> dict[str, Any]:
    """Return all answers that a store gives to a wide set of questions."""
    answers: dict[str, Any] = {"head": store.head(), "changes": tuple(store.changes(entries=True))}
    kinds = sorted(store.vocabulary(reload=True).nodes)
    top = answers["head"].number
    ids = set()
    for at in (None, 7, top - 3):
        for kind in kinds:
            page = store.search(kind, limit=1_000, as_of=at)
            answers["search", kind, at] = page
            answers["count", kind, at] = store.count(kind, by="alpha", as_of=at)
            for node in page.items:
                ids.add(node.id)
                if node.name:
                    answers["find", node.kind, node.name, at] = store.find(kind, node.name, as_of=at)
        here = sorted(i for i, node in zip(ids, store.get(tuple(ids), at), strict=True) if node)
        answers["edges", at] = sorted(store.edges(here, as_of=at))
        for direction in ("upstream", "downstream"):
            graph = store.traverse([DATA.id], direction, as_of=at) if DATA.id in here else None
            answers["walk", direction, at] = graph and (graph.depths, graph.nodes, set(graph.edges))
        for run in here:
            if run.startswith("run/"):
                answers["points", run, at] = store.points(run, as_of=at)
    for node in sorted(ids):
        answers["revisions", node] = store.revisions(node)
    for text in ("params.alpha = 1", "metrics.rmse < 54.5", "metrics.loss.min < 2", "tags.who = 'ana'"):
        for order in ("", "metrics.loss desc"):
            keys = parse_order(order) if order else ()
            answers["run", text, order] = store.search("run", parse(text), keys)
    columns = store.columns("run", ["params.alpha", "metrics.rmse", "status", "metrics.loss"])
    answers["columns"] = [(*chunk.items(),) for chunk in columns]
    answers["dataset"] = store.search("run", parse("dataset.rows = 442 and model.technique = 'ridge'"))
    return answers
