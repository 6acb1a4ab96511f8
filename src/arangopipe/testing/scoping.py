"""What stores promise that have the ability `Scoped`: to show a part as if there were nothing else."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pytest

from arangopipe.errors import PermissionDenied
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Node, Put
from arangopipe.store.abilities import Scoped
from arangopipe.store.base import Store, pages_of
from arangopipe.store.memory import MemoryStore
from arangopipe.store.scope import Scope
from arangopipe.testing.build import edge, named, owned, points, run, write

_KINDS = ("project", "datasets", "models", "run", "modelparams", "devperf", "deployment", "servingperf")
_WHERE = (
    None,
    "model.technique = 'ridge'",
    "not (model.technique = 'ridge')",
    "model.technique is null",
    "dataset.rows > 1 or params.a = 2",
    "run.name like 'r%' and run.project is not null",
    "modelparams.a in (1, 2, 3)",
    "deployment.tag = 'prod'",
    "metrics.f > 0.1",
)
_ORDERS = ("", "x", "model.technique desc", "run.x", "metrics.f desc, name")
_PATHS = ("project", "x", "model.technique", "run.x", "metrics.f", "deployment.tag", "run.name")
_LINKS = ("run_models", "run_datasets", "run_modelparams", "deployment_servingperf", "related")


def _fill(store: Store) -> list[str]:
    """Record two projects and what is shared between them, and return all ids."""
    shared, data = named("datasets", "shared", rows=2), named("datasets", "theirs", rows=3)
    models = [named("models", "m", technique="ridge"), named("models", "n", technique="lasso")]
    nodes: list[Node] = [named("project", "a", ""), named("project", "b", ""), shared]
    nodes += [data._replace(project="b"), *(m._replace(project=p) for m, p in zip(models, "ab", strict=True))]
    links = []
    for number, project in enumerate(["a", "b", "", "b"]):
        each = run(f"0{number}", f"r{number % 2}", x=number % 3)._replace(project=project)
        params, perf = owned("modelparams", each, {"a": number}), owned("devperf", each, {"f": number / 4})
        nodes += [each, params, perf]
        links += [edge("run_models", model, each) for model in nodes[4:6]]
        links += [edge("run_datasets", each, used, x=number) for used in nodes[2:4]]
        links += [edge("run_modelparams", each, params), edge("run_devperf", each, perf)]
    for number, project in enumerate(["a", "b", "b"]):
        deployed = Node("deployment", f"d{number}", "d", project=project, text='{"tag":"prod"}')
        served = Node("servingperf", f"s{number}", text=f'{{"x":{number}}}')
        nodes += [deployed, served]
        links += [
            edge("deployment_servingperf", deployed, served),
            edge("deployment_model", deployed, nodes[4]),
        ]
    links.append(edge("related", shared, data))
    write(store, *nodes, edges=links)
    write(store, points=[points("run/01", "loss", 1.0), points("run/00", "loss", 2.0)])
    write(store, Put(nodes[6]._replace(project="b"), "any"), Put(nodes[9]._replace(project="a"), "any"))
    write(store, closes=["deployment/d2"])
    return [node.id for node in nodes]


def _state(store: Store, ids: list[str], at: int | None) -> Any:
    """Return what a store answers to questions of every sort."""
    walks = []
    for start in ids:
        for direction in ("upstream", "downstream"):
            if store.get([start], at) != (None,):
                graph = store.traverse([start], direction, None, 9, at)
                walks.append((dict(graph.nodes), dict(graph.depths), sorted(graph.edges), graph.truncated))
    rows = [
        sorted(zip(*chunk.values(), strict=True), key=str)
        for kind in _KINDS
        for chunk in store.columns(kind, _PATHS, None, at, _LINKS, True)
    ]
    return (
        store.get(ids, at),
        [store.find("datasets", name, None, at) for name in ("shared", "theirs")],
        store.owned(["00", "01", "02"], at),
        sorted(store.last_written(["00", "01", "02"], at)),
        [store.points(f"run/0{number}", None, at) for number in range(3)],
        set(store.edges(ids, (), 1_000, at)),
        [store.degree(i, kind, away, 9, at) for i in ids for kind in _LINKS for away in (True, False)],
        [store.count(kind, parse(_WHERE[1] or ""), by, at) for kind in _KINDS for by in (None, *_PATHS)],
        [store.count(kind, None, by, at) for kind in _KINDS for by in (None, *_PATHS)],
        rows,
        walks,
    )


class Scoping:
    """What the ability `Scoped` promises."""

    @pytest.mark.parametrize("projects", ["", "a"])
    def test_a_part_answers_as_the_reference_does(self, store: Store, projects: str) -> None:
        """Answer every read within a scope as the store in memory does, now and at past changes."""
        if not isinstance(store, Scoped):
            return
        ids, scope = _fill(store), Scope(frozenset(projects))
        with MemoryStore() as other:
            assert _fill(other) == ids
            part, expected = store.within(scope), other.within(scope)
            for at in (None, 1, 2):
                assert _state(part, ids, at) == _state(expected, ids, at)
            for kind in _KINDS:
                for text, order in zip(_WHERE, cycle(map(parse_order, _ORDERS)), strict=False):
                    where = parse(text or "")
                    assert _paged(part, kind, where, order) == _paged(expected, kind, where, order)
            numbers = list(range(1, 5))
            assert store.touched(scope, numbers) == other.touched(scope, numbers)

    def test_a_part_is_only_read(self, store: Store) -> None:
        """Refuse to write through a part, and take no cursor of another."""
        if not isinstance(store, Scoped):
            return
        _fill(store)
        part = store.within(Scope(frozenset("a")))
        with pytest.raises(PermissionDenied, match="to write takes the whole store"):
            write(part, run("99"))
        page = store.within(Scope(frozenset("ab"))).search("run", limit=1)
        with pytest.raises(Exception, match="another search"):
            part.search("run", limit=1, cursor=page.cursor)


def _paged(store: Store, kind: str, where: Any, order: Any) -> list[tuple[Node, ...]]:
    return [page.items for page in pages_of(store, kind, where, order, 2)]
