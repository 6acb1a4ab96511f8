"""Several stores that write apart and exchange bundles, for the tests of merging."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from arangopipe.bundle import export, import_bundle
from arangopipe.model.graph import EdgeRef, Node, Put
from arangopipe.store.base import Store
from arangopipe.testing.build import edge, named, owned, points, recorded, run, write

STORES = 3
DATA = ["d1", "d2"]


ACTIONS = ["register", "revise", "delete", "log", "append", "annotate", "measure", "delete_run", "link"]
ACTIONS += ["unlink"]
WITH_NAMES = {"register", "revise", "log"}


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """What happens: (store, action, arguments); what cannot happen there is passed over.

    Each history is made of a few actions only, so that they meet more often than in one of all.
    """
    chosen = draw(st.sets(st.sampled_from(ACTIONS), min_size=2, max_size=6)) | {"register", "log"}
    names = draw(st.sampled_from([DATA[:1], DATA]))
    name, content = st.sampled_from(names), st.integers(0, 2)
    actions = [st.tuples(st.just("take"), st.integers(0, STORES - 1))] * 2
    for action in sorted(chosen):
        arguments = {"delete": [name]}.get(action, [name, content] if action in WITH_NAMES else [content])
        actions.append(st.tuples(st.just(action), *arguments))
    step = st.tuples(st.integers(0, STORES - 1), st.one_of(actions))
    return draw(st.lists(step, min_size=4, max_size=25))


class World:
    """Stores by number, and the folder in which their bundles lie."""

    def __init__(self, stores: list[Store], folder: Path) -> None:
        self.stores = stores
        self.folder = folder
        self._runs = 0
        self._bundles = 0

    def play(self, happenings: list[tuple[Any, ...]]) -> None:
        for number, (action, *arguments) in happenings:
            getattr(self, action)(self.stores[number], *arguments)

    def move(self, source: Store, target: Store) -> Any:
        return import_bundle(target, self.bundle(source), actor="mover")

    def bundle(self, source: Store) -> Path:
        self._bundles += 1
        path = self.folder / f"{self._bundles}.bundle"
        export(source, path)
        return path

    def take(self, store: Store, number: int) -> None:
        source = self.stores[number]
        if source is not store and source.head() is not None and store.head() is not None:
            self.move(source, store)

    def register(self, store: Store, name: str, content: int) -> None:
        node = named("datasets", name, content=content)
        if store.get([node.id]) == (None,):
            write(store, node)

    def revise(self, store: Store, name: str, content: int) -> None:
        node = named("datasets", name, content=content, revised=True)
        if store.get([node.id]) != (None,):
            write(store, Put(node, "any"))

    def delete(self, store: Store, name: str) -> None:
        node = named("datasets", name)
        if store.get([node.id]) != (None,):
            write(store, closes=[node])

    def log(self, store: Store, name: str, content: int) -> None:
        self._runs += 1
        execution = run(f"r{self._runs}", content=content)
        data = named("datasets", name)
        params = owned("modelparams", execution, {"alpha": content})
        used = [edge("run_datasets", execution, data)] if store.get([data.id]) != (None,) else []
        write(store, execution, params, edges=[edge("run_modelparams", execution, params), *used])

    def _some_run(self, store: Store, number: int) -> Node | None:
        found = store.search("run", limit=100).items
        return found[number % len(found)] if found else None

    def append(self, store: Store, content: int) -> None:
        if (found := self._some_run(store, content)) is not None:
            write(store, points=[points(found, "loss", content + 0.5, step=content)])

    def annotate(self, store: Store, content: int) -> None:
        if (found := self._some_run(store, content)) is not None:
            write(store, Put(run(found.key, content=content, note="again"), "any"))

    def measure(self, store: Store, content: int) -> None:
        if (found := self._some_run(store, content)) is not None:
            write(store, Put(owned("devperf", found, {"rmse": content}), "any"))

    def delete_run(self, store: Store, content: int) -> None:
        if (found := self._some_run(store, content)) is not None:
            write(store, closes=[found])

    def link(self, store: Store, content: int) -> None:
        ends = [named("datasets", name) for name in DATA]
        if None not in store.get([end.id for end in ends]):
            write(store, edges=[edge("related", *ends, content=content)])

    def unlink(self, store: Store, content: int) -> None:
        ref = EdgeRef("related", *(named("datasets", name).id for name in DATA))
        if any(known.ref == ref for known in store.edges([ref.source], ["related"])):
            write(store, closes=[ref])


def canonical(store: Store) -> dict[str, Any]:
    """Return the current state, without what depends on where and when it was recorded."""
    found = recorded(store)
    return {
        "nodes": sorted(node._replace(revision=0) for node in found["nodes"]),
        "edges": sorted(link._replace(revision=0) for link in found["edges"]),
        "points": {
            name: {metric: sorted(series) for metric, series in known.items()}
            for name, known in found["points"].items()
        },
    }
