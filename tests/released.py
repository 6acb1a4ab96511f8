"""Store files as released versions wrote them: kept for good, read by every later version.

``python tests/released.py`` makes the file of the schema of whatever code is on the path, once, when that
schema is released::

    git worktree add /tmp/released TAG
    PYTHONPATH=/tmp/released/src python tests/released.py

Beside the file stands what that code read back from it. Only `Store`'s contract is used to read, and every
field is named, so that a later version answers the same however much it has gained.
"""

from __future__ import annotations

import gzip
import json
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from arangopipe import connect
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Change, Edge, Entry, Node
from arangopipe.store import open_store
from arangopipe.store.base import Store
from filled import SECRET, fill, fill_secret

DATA = Path(__file__).with_name("data")


def paths() -> dict[str, Path]:
    """Return the store file of each schema that was released."""
    return {path.name[7:11]: path for path in sorted(DATA.glob("schema-*.db.gz"))}


LATER = {"users", "tokens"}
"""Kinds that are younger than the answers on file."""


def unpack(packed: Path, target: Path) -> Path:
    """Unpack a store file."""
    target.write_bytes(gzip.decompress(packed.read_bytes()))
    return target


def answers_of(packed: Path) -> Any:
    """Return what the code that made a store file read back from it."""
    found = json.loads(packed.with_name(f"{packed.name[:11]}.json").read_text())
    for change in found["changes"]:
        change["entries"].sort(key=json.dumps)
    return found


def answers(store: Store) -> Any:
    """Return all that can be read from a store, as JSON has it."""
    kinds = sorted(set(store.vocabulary(reload=True).nodes) - LATER)
    changes = [
        {**_change(change), "entries": sorted(map(_entry, change.entries), key=json.dumps)}
        for change in store.changes(entries=True)
    ]
    ids: dict[str, None] = {}
    found: dict[str, Any] = {"changes": changes}
    for at in (None, 7, len(changes) // 2, len(changes) - 3):
        nodes = [node for kind in kinds for node in store.search(kind, limit=10_000, as_of=at).items]
        here = [node.id for node in nodes]
        ids.update(dict.fromkeys(here))
        found[f"at {at}"] = {
            "nodes": [_node(node) for node in nodes],
            "edges": [_edge(edge) for edge in sorted(store.edges(here, as_of=at))],
            "points": {run: store.points(run, as_of=at) for run in here if run.startswith("run/")},
            "counts": {kind: list(store.count(kind, by="alpha", as_of=at).items()) for kind in kinds},
            "walks": {
                f"{way} {id}": sorted(store.traverse([id], way, as_of=at).depths.items())  # type: ignore[arg-type]
                for id in here
                for way in ("upstream", "downstream")
            },
        }
    found["revisions"] = {
        id: [
            [_node(state.node), state.change.number, state.closed_by and state.closed_by.number]
            for state in store.revisions(id)
        ]
        for id in ids
    }
    found["searches"] = {text: _search(store, text) for text in SEARCHES}
    return json.loads(json.dumps(found))


SEARCHES = (
    "params.alpha = 1",
    "metrics.rmse < 54.5 order by metrics.loss desc",
    "metrics.loss.min < 2",
    "tags.who = 'ana' or status != 'finished'",
    "dataset.rows = 442 and model.technique = 'ridge'",
)


def _search(store: Store, text: str) -> list[str]:
    where, _, order = text.partition(" order by ")
    keys = parse_order(order) if order else ()
    return [node.id for node in store.search("run", parse(where), keys).items]


def _node(node: Node) -> list[Any]:
    return [node.id, node.name, node.version, node.project, node.revision, node.text]


def _edge(edge: Edge) -> list[Any]:
    return [edge.kind, edge.source, edge.target, edge.revision, edge.text]


def _change(change: Change) -> dict[str, Any]:
    return {
        "number": change.number,
        "time": change.time.isoformat(),
        "said": [change.actor, change.action, change.reason, change.batch],
        "digest": change.digest,
        "chain": change.chain,
    }


def _entry(entry: Entry) -> list[Any]:
    """The order of a change's rows is not recorded, nor has every schema said what is left of one."""
    return [part.hex() if isinstance(part, bytes) else part for part in entry[:4]]


# --- making one ----------------------------------------------------------------------------------


def make(url: str) -> None:
    """Record every kind of thing in every way: by the store's contract, then by the public API."""
    with open_store(url) as store:
        fill(store)
        fill_secret(store)
    with connect(url, actor="ana", capture=False) as pipe:
        admin = pipe.admin
        admin.register_project("wine", description="größer, 素晴らしい, \0 and 'quoted'")
        data = pipe.register_dataset("wine", source="sklearn", rows=178, deep={"a": [1, {"b": None}]})
        features = pipe.register_featureset("all", dataset=data, columns={"x": "float64", "y": "int64"})
        model = pipe.register_model("forest", project="wine", task="class", technique="forest")
        admin.register_node_kind("notebook", "where it was tried")
        admin.register_edge_kind("tried_in", "models", "notebook", "from")
        book = admin.register("notebook", "first look", cells=12)
        pipe.link(model, book, "tried_in", good=True)
        used = {"project": "wine", "dataset": data, "featureset": features, "model": model}
        with pipe.start_run(**used, tag="sweep") as run:
            run.log_params({"depth": 3, "criterion": "gini", "empty": None, "long": "x" * 2_000})
            for step in range(20):
                run.log_metric("loss", 1 / (step + 1), step=step)
            run.log_metric("odd", float("nan"), step=0)
            run.log_metrics({"accuracy": 0.9, "infinite": float("inf")})
        logged = pipe.log_run(
            **used,
            params={"depth": 4},
            fitted={"trees": [1, 2]},
            optimizer={"lr": 0.1},
            metrics={"accuracy": 0.95},
        )
        yesterday = datetime.now(timezone.utc) - timedelta(days=1)
        admin.register_deployment("prod", run.key, active_from=yesterday)
        pipe.log_serving_perf("prod", {"accuracy": 0.8}, period=(yesterday, datetime.now(timezone.utc)))
        admin.register_deployment("prod", logged.key)
        admin.register_deployment("next", run.key, schedule=yesterday + timedelta(days=9))
        pipe.annotate(data, {"checked": True})
        pipe.link(data, model, why="a hunch")
        pipe.unlink(data, model, reason="was wrong")
        admin.delete(pipe.log_run(params={"depth": 5}), reason="a mistake")
        admin.erase("run/secret", f"dataset:{SECRET}", reason="asked for", force=True)


def main() -> None:
    from arangopipe.store.sql.migrate import SCHEMA

    packed = DATA / f"schema-{SCHEMA}.db.gz"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        make(f"sqlite:///{path}")
        packed.write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        with open_store(f"sqlite:///{path}") as store:
            text = json.dumps(answers(store), ensure_ascii=False, separators=(",", ":"))
    packed.with_name(f"schema-{SCHEMA}.json").write_text(text.replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main()
