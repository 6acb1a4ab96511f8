"""A machine that drives a store beside the memory store and compares every answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from arangopipe.errors import ArangopipeError
from arangopipe.model.graph import Batch, Edge, EdgeRef, Expect, Node, Put
from arangopipe.model.ids import named_key, uuid7
from arangopipe.model.vocabulary import EDGE_KINDS
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import AsOf, Store, pages_of
from arangopipe.store.memory import MemoryStore
from arangopipe.testing import strategies as some
from arangopipe.testing.build import edge_kind, every, node_kind, recorded
from arangopipe.testing.verify import verify_chain

T = TypeVar("T")

NAMED = ("datasets", "featuresets", "models", "project", "reports")
EVENTS = {"run": some.RUNS, "deployment": ["x1", "x2"], "servingperf": ["s1"]}


def _node(kind: str, name: str, version: str, project: str, key: str, text: str) -> Node:
    if kind in NAMED:
        mine = key if key.startswith("k") else named_key(kind, project, name, version)
        return Node(kind, mine, name, version, project, text=text)
    keys = EVENTS.get(kind, some.RUNS)
    owned = kind not in EVENTS
    return Node(kind, keys[ord(key[-1]) % len(keys)], "" if owned else name, text=text)


def nodes() -> st.SearchStrategy[Node]:
    """Nodes of every kind; a few names, versions and keys."""
    return st.builds(
        _node,
        st.sampled_from([*NAMED, "run", "run", "modelparams", "devperf", "deployment", "servingperf"]),
        st.sampled_from(["a", "b", "é"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["", "", "p"]),
        st.sampled_from(["0", "1", "2", "3", "k1"]),
        some.canonical_documents(),
    )


def puts() -> st.SearchStrategy[Put]:
    """Puts that mostly succeed."""
    expect: st.SearchStrategy[Expect] = st.one_of(
        st.just("any"), st.just("any"), st.just("absent"), st.integers(1, 9)
    )
    return st.builds(Put, nodes(), expect)


class StoreMachine(RuleBasedStateMachine):
    """Two stores that are told the same, and asked the same."""

    make_store: ClassVar[Callable[[], Store]]

    def __init__(self) -> None:
        super().__init__()
        self.memory: Store = MemoryStore()
        self.store = type(self).make_store()
        self.sent: list[Batch] = []
        self.differ = False

    # Telling

    @initialize(texts=st.lists(some.canonical_documents(), min_size=4, max_size=4))
    def begin(self, texts: list[str]) -> None:
        """Record a pipeline to start from, with own kinds."""
        texts = texts * 4
        made: list[Node] = []
        for kind, name in (("datasets", "a"), ("datasets", "b"), ("featuresets", "a"), ("models", "a")):
            made.append(_node(kind, name, "1", "", "0", texts[len(made)]))
        for kind in ("run", "modelparams", "devperf"):
            for key in "012":
                made.append(_node(kind, "a" if key == "0" else "", "", "", key, texts[len(made)]))
        d1, d2, features, model = made[:4]
        links = [Edge("featureset_dataset", features.id, d1.id)]
        for i, key in enumerate(some.RUNS[:3]):
            data = (d1, d2)[i % 2]
            links += [Edge("run_models", model.id, f"run/{key}"), Edge("run_datasets", f"run/{key}", data.id)]
            links += [
                Edge(f"run_{kind}", f"run/{key}", f"{kind}/{key}") for kind in ("modelparams", "devperf")
            ]
        cites = edge_kind("cites", "reports", "datasets", "from")
        self.tell(Batch(uuid7(), (Put(node_kind("reports")), Put(cites))))
        self.tell(Batch(uuid7(), tuple(Put(node) for node in made), tuple(links), actor="ann"))

    @rule(parts=st.lists(puts(), min_size=1, max_size=3))
    def put(self, parts: list[Put]) -> None:
        """Put nodes of any kind."""
        self.tell(Batch(uuid7(), tuple(parts), action="put"))

    @rule(data=st.data(), text=some.canonical_documents())
    def link(self, data: st.DataObject, text: str) -> None:
        """Make or revise an edge between nodes that are there."""
        known = self.memory.vocabulary()
        kind = known.edges[data.draw(st.sampled_from([*EDGE_KINDS, "cites", "run_models", "run_datasets"]))]
        ends = [self.draw_node(data, end) for end in (kind.source, kind.target)]
        if ends[0] and ends[1]:
            self.tell(Batch(uuid7(), edges=(Edge(kind.name, ends[0], ends[1], text=text),)))

    @rule(data=st.data(), run=st.sampled_from(some.RUNS), texts=st.tuples(*[some.canonical_documents()] * 3))
    def log_run(self, data: st.DataObject, run: str, texts: tuple[str, str, str]) -> None:
        """Record a run whole, as `log_run` does."""
        kinds = ("run", "modelparams", "devperf")
        parts = [Put(Node(kind, run, text=text), "any") for kind, text in zip(kinds, texts, strict=True)]
        links = [Edge(f"run_{kind}", f"run/{run}", f"{kind}/{run}") for kind in kinds[1:]]
        if model := self.draw_node(data, "models"):
            links.append(Edge("run_models", model, f"run/{run}"))
        if dataset := self.draw_node(data, "datasets"):
            links.append(Edge("run_datasets", f"run/{run}", dataset, text='{"roles":["training"]}'))
        series = data.draw(st.lists(some.series(), max_size=1))
        self.tell(Batch(uuid7(), tuple(parts), tuple(links), (), tuple(series), "bob", "log_run"))

    @rule(series=st.lists(some.series(), min_size=1, max_size=2))
    def append(self, series: list[Any]) -> None:
        """Append points of metrics."""
        self.tell(Batch(uuid7(), points=tuple(series)))

    @rule(data=st.data())
    def close_some(self, data: st.DataObject) -> None:
        """Close a node or an edge that is there."""
        ids = [node_id for node_id in self.ids() if not node_id.startswith("kinds/")]
        refs: list[str | EdgeRef] = [*ids, *sorted(edge.ref for edge in self.memory.edges(ids))]
        if refs:
            closes = data.draw(st.lists(st.sampled_from(refs), min_size=1, max_size=2))
            self.tell(Batch(uuid7(), closes=tuple(closes), reason="no more"))

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        """Send a batch again, by the same id or another."""
        batch = data.draw(st.sampled_from(self.sent))
        again = Batch(batch.id if data.draw(st.booleans()) else uuid7(), batch.puts, batch.edges)
        self.tell(again)

    @rule(data=st.data())
    def erase(self, data: st.DataObject) -> None:
        """Erase a node that is or was there, where both stores can."""
        ids = [node_id for node_id in self.ids() if not node_id.startswith("kinds/")]
        if data.draw(st.booleans()) or not ids or not isinstance(self.store, Maintenance):
            return
        wanted = [data.draw(st.sampled_from(ids))]
        self.both(lambda store: store.erase(wanted, "dpo", "asked to").number)  # type: ignore[attr-defined]

    # Asking

    @rule(
        kind=st.sampled_from([*some.KINDS, "run", "run", "run"]),
        where=st.none() | some.filters() | some.filters(),
        order=some.orders(),
        limit=st.integers(1, 5),
        data=st.data(),
    )
    def search(self, kind: str, where: Any, order: Any, limit: int, data: st.DataObject) -> None:
        """Search page by page, count, and read columns."""
        as_of = self.draw_moment(data)
        path = data.draw(some.paths()).text

        self.both(lambda store: [page.items for page in pages_of(store, kind, where, order, limit, as_of)])
        self.both(lambda store: store.count(kind, where, as_of=as_of))
        self.both(lambda store: _typed(store.count(kind, where, path, as_of).items()))
        self.both(lambda store: _cells(store, kind, path, where, as_of))

    @rule(data=st.data(), up=st.booleans(), depth=st.none() | st.integers(0, 3), limit=st.integers(1, 12))
    def walk(self, data: st.DataObject, up: bool, depth: int | None, limit: int) -> None:
        """Walk from a node, whole and bounded."""
        as_of = self.draw_moment(data)
        ids = self.ids(as_of)
        if not ids:
            return
        start = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=2))
        for bound in ({}, {"depth": depth}, {"limit": limit}):

            def graph(store: Store, bound: dict[str, Any] = bound) -> Any:
                found = store.traverse(start, "upstream" if up else "downstream", as_of=as_of, **bound)
                depends = {edge.kind: found.depends[edge.kind] for edge in found.edges}
                shown = (found.start, dict(found.nodes), dict(found.depths), found.truncated)
                return (*shown, sorted(found.edges), depends) if "limit" not in bound else shown[3]

            self.both(graph)

    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        """Compare all that the stores show at a moment, by number and by time."""
        as_of = self.draw_moment(data)
        self.both(lambda store: recorded(store, as_of))
        self.both(lambda store: _change(store.head(as_of)))
        name, project = data.draw(st.sampled_from(["a", "b"])), data.draw(st.sampled_from([None, "", "p"]))
        self.both(lambda store: [store.find(kind, name, project, as_of) for kind in some.KINDS])
        change = self.store.head(as_of)
        last = change and self.store.head(change.time)
        if change and last:
            assert recorded(self.store, change.time) == recorded(self.store, last.number)

    def teardown(self) -> None:
        """Compare states, changes and chains, and let both stores check themselves."""
        try:
            for store in () if self.differ else (self.memory, self.store):
                verify_chain(store)
                assert list(store.check() if isinstance(store, Maintenance) else ()) == []
            if not self.differ:
                self.both(lambda store: [_entries(change) for change in store.changes(entries=True)])
                ids = self.ids()
                self.both(lambda store: [list(map(_state, store.revisions(node_id))) for node_id in ids])
                self.both(recorded)
        finally:
            self.memory.close()
            self.store.close()

    # Helpers

    def tell(self, batch: Batch) -> None:
        """Send a batch to both stores."""
        parts = len(batch.puts) + len(batch.edges) + len(batch.closes) + len(batch.points)
        self.both(lambda store: _change(store.write(batch)), errors_alike=parts == 1)
        self.sent.append(batch)

    def both(self, call: Callable[[Store], T], errors_alike: bool = True) -> None:
        """Call both stores and compare what they return, or the kind of error."""
        expected, found = (_outcome(call, store) for store in (self.memory, self.store))
        alike = found == expected
        if isinstance(expected, ArangopipeError) and isinstance(found, ArangopipeError):
            alike = not errors_alike or type(expected) is type(found)
        self.differ = not alike
        assert alike, f"{type(self.store).__name__} says {found!r}\nmemory says {expected!r}"

    def ids(self, as_of: AsOf = None) -> list[str]:
        """Return the ids of all nodes."""
        kinds = self.memory.vocabulary().nodes
        return sorted(node.id for kind in kinds for node in every(self.memory, kind, as_of))

    def draw_node(self, data: st.DataObject, kind: str | None) -> str | None:
        """Draw the id of a node of a kind, None where there is none."""
        ids = [node_id for node_id in self.ids() if kind is None or node_id.startswith(f"{kind}/")]
        return data.draw(st.sampled_from(ids)) if ids else None

    def draw_moment(self, data: st.DataObject) -> int | None:
        """Draw the number of a change, or now."""
        head = self.memory.head()
        return data.draw(st.none() | st.integers(0, head.number if head else 0))


def store_machine(make: Callable[[], Store]) -> type[StoreMachine]:
    """Return a machine that compares the stores that `make` gives, each fresh and empty, with memory."""
    return type("StoreMachine", (StoreMachine,), {"make_store": staticmethod(make)})


def _outcome(call: Callable[[Store], T], store: Store) -> T | ArangopipeError:
    try:
        return call(store)
    except ArangopipeError as error:
        return error


def _change(change: Any) -> Any:
    # Digests and times are each store's own, and so is the batch id of an erasure.
    return change and (change.number, change.actor, change.action, change.reason)


def _entries(change: Any) -> Any:
    rows = [(entry.closed, _unsalted(entry.text or ""), entry.digest is None) for entry in change.entries[1:]]
    return _change(change), sorted(rows)


def _unsalted(text: str) -> str:
    """Return the text of an entry without the digest of an erased row, which hangs on a random salt."""
    return text.rpartition(",")[0] if text.startswith('["erased"') else text


def _state(state: Any) -> Any:
    return state.node, _change(state.change), _change(state.closed_by)


def _typed(items: Any) -> list[tuple[bool, str, Any]]:
    """Return pairs in an order, with booleans and numbers told apart."""
    found = [(isinstance(value, bool), value, count) for value, count in items]
    return sorted(found, key=repr)


def _cells(store: Store, kind: str, path: str, where: Any, as_of: AsOf) -> list[Any]:
    rows = []
    for chunk in store.columns(kind, [path], where, as_of):
        rows += list(zip(chunk["id"], chunk[path], strict=True))
    return sorted((node_id, isinstance(value, bool), value) for node_id, value in rows)
