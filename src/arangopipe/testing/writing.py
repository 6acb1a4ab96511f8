"""Promises about writing: batches, what they expect, names and kinds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from arangopipe.errors import AlreadyExists, ArangopipeError, Conflict, InvalidInput, NotFound
from arangopipe.model.graph import Batch, Node, Points, Put
from arangopipe.model.ids import uuid7
from arangopipe.model.vocabulary import EDGE_KINDS, NODE_KINDS
from arangopipe.store.base import Store
from arangopipe.testing.build import (
    batch,
    edge,
    every,
    keys,
    named,
    names,
    one,
    owned,
    points,
    recorded,
    run,
    text,
    write,
)

_DATA = named("datasets", "there", rows=1)
_RUN = run("01-there", "there")

FAILING: dict[str, tuple[type[ArangopipeError], Callable[[], dict[str, Any]]]] = {
    "a node that is there with other content": (
        AlreadyExists,
        lambda: {"puts": [_DATA._replace(text='{"rows":2}')]},
    ),
    "a name that another key has": (AlreadyExists, lambda: {"puts": [_DATA._replace(key="other")]}),
    "a revision that is past": (Conflict, lambda: {"puts": [Put(_DATA._replace(text='{"rows":2}'), 7)]}),
    "a revision of what is not there": (NotFound, lambda: {"puts": [Put(named("datasets", "gone"), 1)]}),
    "a node of an unknown kind": (InvalidInput, lambda: {"puts": [Node("planets", "mars", "Mars", "1")]}),
    "params of a run that is not there": (NotFound, lambda: {"puts": [Node("modelparams", "gone")]}),
    "an edge to what is not there": (
        NotFound,
        lambda: {"edges": [edge("run_datasets", _RUN, named("datasets", "gone"))]},
    ),
    "an edge of an unknown kind": (InvalidInput, lambda: {"edges": [edge("orbits", _RUN, _DATA)]}),
    "an edge that the vocabulary forbids": (
        InvalidInput,
        lambda: {"edges": [edge("run_datasets", _DATA, _RUN)]},
    ),
    "an edge to itself": (InvalidInput, lambda: {"edges": [edge("related", _RUN, _RUN)]}),
    "closing what is not there": (NotFound, lambda: {"closes": ["datasets/gone"]}),
    "closing an edge that is not there": (
        NotFound,
        lambda: {"closes": [edge("run_datasets", _RUN, _DATA)]},
    ),
    "points of a run that is not there": (NotFound, lambda: {"points": [points("run/gone", "loss", 1.0)]}),
    "a point that is no number": (InvalidInput, lambda: {"points": [points(_RUN, "loss", "much")]}),
}


class Writing:
    """What `Store.write` promises about batches and nodes."""

    # Changes

    def test_a_batch_is_one_change_with_its_words(self, store: Store) -> None:
        """Return the change: number, time in UTC, actor, action, reason and batch id, without entries."""
        given = batch(run(), run(), actor="zoë", action="log_run", reason="a try")
        change = store.write(given)
        assert (change.number, change.batch, change.entries) == (1, given.id, ())
        assert (change.actor, change.action, change.reason) == ("zoë", "log_run", "a try")
        assert change.time.utcoffset() == timedelta(0)
        assert store.head() == change
        assert list(store.changes()) == [change]

    def test_changes_are_numbered_without_gaps(self, store: Store) -> None:
        """Count the changes from 1."""
        assert [write(store, run()).number for _ in range(5)] == [1, 2, 3, 4, 5]

    def test_the_times_of_changes_never_decrease(self, store: Store) -> None:
        """Give each change a time not earlier than the last."""
        moments = [write(store, run()).time for _ in range(20)]
        assert moments == sorted(moments)

    def test_a_batch_that_was_seen_returns_its_first_change(self, store: Store) -> None:
        """Do nothing for a batch id that was recorded, even if the content differs now."""
        node = run("01", "first", x=1)
        first = write(store, node, id=(seen := uuid7()))
        write(store, run("02"))
        assert write(store, node, id=seen) == first
        assert write(store, run("03"), node._replace(text='{"x":2}'), id=seen, actor="bob") == first
        assert write(store, Node("planets", "mars"), id=seen) == first
        assert keys(every(store, "run")) == ["02", "01"]
        assert one(store, node) == node._replace(revision=1)

    def test_a_batch_may_rest_on_what_it_only_read(self, store: Store) -> None:
        """Refuse a batch if a kind or a node that it names in `unchanged` has changed since."""
        data, other, features = named("datasets", "d"), named("datasets", "e"), named("featuresets", "f")
        write(store, data, other, features)
        write(store, edges=[edge("featureset_dataset", features, data)])
        write(store, Put(data._replace(text='{"rows":1}'), "any"))
        write(store, closes=[other])
        for since, holds, stale in (
            (1, ["models", features.id, "run/09"], ["datasets", "featureset_dataset", data.id, other.id]),
            (2, ["featureset_dataset", "featuresets"], ["datasets", data.id, other.id]),
            (3, ["models", data.id], ["datasets", other.id]),
            (4, ["datasets", other.id], []),
        ):
            for name in stale:
                with pytest.raises(Conflict, match=f"{name}.* changed after change {since}"):
                    write(store, run("09"), unchanged=[*holds, name], since=since)
            assert write(store, run(), unchanged=holds, since=since).number == 4 + since
        assert one(store, "run/09") is None

    def test_a_seen_batch_rests_on_nothing_any_more(self, store: Store) -> None:
        """Return the first change of a batch that was recorded, whatever changed since."""
        write(store, run("01"))
        first = write(store, run("02"), id=(seen := uuid7()), unchanged=["run"], since=1)
        write(store, run("03"))
        assert write(store, run("02"), id=seen, unchanged=["run"], since=1) == first

    def test_what_a_batch_rests_on_must_be_a_kind_or_an_id(self, store: Store) -> None:
        """Raise `InvalidInput` for a word that no kind has."""
        for name in ("planets", "planets/mars", ""):
            with pytest.raises(InvalidInput, match="neither a kind nor an id"):
                write(store, run("01"), unchanged=[name])

    def test_a_batch_that_changes_nothing_takes_no_number(self, store: Store) -> None:
        """Return the last change for a batch that finds everything as it wants it."""
        data, execution = named("datasets", "d"), run("01")
        used = edge("run_datasets", execution, data, roles=["training"])
        write(store, data, execution, edges=[used])
        last = write(store, run("02"))
        assert write(store, data, Put(execution, "any"), edges=[used]) == last
        assert write(store, points=[Points("run/01", "loss", ())]) == last
        assert write(store) == last
        assert store.head() == last

    def test_an_empty_batch_on_an_empty_store_is_refused(self, store: Store) -> None:
        """Have no change to return."""
        with pytest.raises(InvalidInput):
            write(store)
        assert store.head() is None

    @pytest.mark.parametrize("what", FAILING)
    def test_a_batch_that_fails_leaves_nothing_behind(self, store: Store, what: str) -> None:
        """Refuse a batch as a whole: none of its parts is there, and its id is still free."""
        error, make = FAILING[what]
        write(store, _DATA, _RUN, named("models", "m"))
        before, head = recorded(store), store.head()
        wrong = make()
        fine = named("featuresets", "fine")
        parts: dict[str, Any] = {
            "edges": [edge("featureset_dataset", fine, _DATA), *wrong.get("edges", ())],
            "closes": ["models/" + named("models", "m").key, *wrong.get("closes", ())],
            "points": [points(_RUN, "loss", 1.0), *wrong.get("points", ())],
        }
        given = batch(fine, run("00"), *wrong.get("puts", ()), run("02"), **parts)
        with pytest.raises(error):
            store.write(given)
        assert recorded(store) == before
        assert store.head() == head
        assert store.write(Batch(given.id, (Put(fine),))).number == 2

    # What a put expects

    def test_absent_writes_what_is_not_there(self, store: Store) -> None:
        """Write a new node with the number of the change as its revision."""
        write(store, run("00"))
        data = named("datasets", "d", version="2", project="p", rows=3)
        change = write(store, data)
        assert one(store, data) == data._replace(revision=change.number)

    def test_absent_leaves_equal_content_as_it_is(self, store: Store) -> None:
        """Take the same node again without a change, whatever revision the caller's copy shows."""
        data = named("datasets", "d", rows=3)
        change = write(store, data)
        assert write(store, data, data_2 := named("datasets", "e")).number == 2
        assert write(store, data._replace(revision=99)).number == 2
        assert store.get([data.id, data_2.id]) == (
            data._replace(revision=change.number),
            data_2._replace(revision=2),
        )

    @pytest.mark.parametrize("field", ["name", "version", "project", "text"])
    def test_absent_refuses_other_content(self, store: Store, field: str) -> None:
        """Raise `AlreadyExists` where the key is there and any part of the node differs."""
        data = named("datasets", "d", rows=3)
        write(store, data)
        other = Node(**{**data._asdict(), field: '{"rows":4}' if field == "text" else "other"})
        with pytest.raises(AlreadyExists, match=data.key):
            write(store, other)
        assert one(store, data) == data._replace(revision=1)

    def test_any_writes_over_what_is_there(self, store: Store) -> None:
        """Write a node whatever its state, but not again where it is equal."""
        node = run("01", "n", status="running")
        ended = node._replace(text=text({"status": "finished"}))
        assert write(store, Put(node, "any")).number == 1
        assert write(store, Put(ended, "any")).number == 2
        assert write(store, Put(ended, "any")).number == 2
        assert one(store, node) == ended._replace(revision=2)

    def test_a_revision_is_written_over_only_itself(self, store: Store) -> None:
        """Raise `Conflict` where the node is at another revision than the put expects."""
        node = run("01", "n", x=1)
        write(store, node)
        write(store, run("02"))
        change = write(store, Put(node._replace(text='{"x":2}'), 1))
        assert change.number == 3
        with pytest.raises(Conflict, match="run/01"):
            write(store, Put(node._replace(text='{"x":3}'), 1))
        assert write(store, Put(node._replace(text='{"x":2}'), 3)).number == 3
        assert one(store, node) == node._replace(text='{"x":2}', revision=3)

    def test_a_past_revision_conflicts_even_with_equal_content(self, store: Store) -> None:
        """Raise `Conflict` for a number that is not the revision, whatever the content."""
        node = run("01", x=1)
        write(store, node)
        write(store, Put(node._replace(text='{"x":2}'), 1))
        with pytest.raises(Conflict):
            write(store, Put(node._replace(text='{"x":2}'), 1))

    def test_a_revision_of_what_is_not_there_is_not_found(self, store: Store) -> None:
        """Raise `NotFound` for a revision of a node that never was, or is closed."""
        node = run("01")
        with pytest.raises(NotFound, match="run/01"):
            write(store, Put(node, 1))
        write(store, node)
        write(store, closes=[node])
        with pytest.raises(NotFound):
            write(store, Put(node, 1))

    @pytest.mark.parametrize("expect", ["present", "", True, None, 1.0])
    def test_other_expectations_are_refused(self, store: Store, expect: Any) -> None:
        """Raise `InvalidInput` for what is neither absent, any nor a number."""
        write(store, run("01"))
        with pytest.raises(InvalidInput):
            write(store, Put(run("02"), expect))
        assert keys(every(store, "run")) == ["01"]

    def test_a_node_may_be_put_only_once_in_a_batch(self, store: Store) -> None:
        """Raise `InvalidInput` for two puts of one id, equal or not."""
        for other in (run("01", x=1), run("01", x=2)):
            with pytest.raises(InvalidInput, match="run/01"):
                write(store, run("01", x=1), Put(other, "any"))
        assert store.head() is None

    # Names, keys and kinds

    def test_a_name_belongs_to_one_node(self, store: Store) -> None:
        """Name kind, name, version and the id that has it, where another key has the name already."""
        data = named("datasets", "diabetes", version="7")
        write(store, data)
        for expect in ("absent", "any"):
            with pytest.raises(AlreadyExists) as caught:
                write(store, Put(data._replace(key="mine", text='{"x":1}'), expect))
            for word in ("dataset", "diabetes", "7", data.id):
                assert word in str(caught.value)

    def test_a_name_is_taken_within_a_batch_too(self, store: Store) -> None:
        """Refuse two nodes of one name in the same batch."""
        data = named("datasets", "d")
        with pytest.raises(AlreadyExists, match="d"):
            write(store, data, data._replace(key="mine"))
        assert store.head() is None

    def test_a_name_is_free_in_other_kinds_versions_and_projects(self, store: Store) -> None:
        """Tell nodes apart by kind, name, version and project."""
        nodes = [
            named("datasets", "d"),
            named("datasets", "d", version="2"),
            named("datasets", "d", project="p"),
            named("datasets", "D"),
            named("featuresets", "d"),
        ]
        write(store, *nodes)
        assert {node.id for node in store.get([node.id for node in nodes]) if node} == {
            node.id for node in nodes
        }

    def test_a_node_keeps_the_key_that_a_user_gave_it(self, store: Store) -> None:
        """Take any key, and keep the name unique still."""
        data = Node("datasets", "my.own:key-1", "d", "1")
        write(store, data)
        assert store.find("datasets", "d") == (data._replace(revision=1),)
        with pytest.raises(AlreadyExists, match=r"my\.own:key-1"):
            write(store, named("datasets", "d"))

    def test_a_renamed_node_frees_its_name(self, store: Store) -> None:
        """Find a node by its present name only; another may then have the old one."""
        data = Node("datasets", "k1", "old", "1")
        write(store, data)
        write(store, Put(data._replace(name="new"), 1))
        assert names(store.find("datasets", "new")) == ["new"]
        assert store.find("datasets", "old") == ()
        write(store, Node("datasets", "k2", "old", "1"))
        assert keys(store.find("datasets", "old")) == ["k2"]
        with pytest.raises(AlreadyExists, match="k2"):
            write(store, Put(data, "any"))

    @pytest.mark.parametrize("kind", ["run", "deployment", "servingperf"])
    def test_names_of_events_may_repeat(self, store: Store, kind: str) -> None:
        """Take events of one name, or without any."""
        nodes = [Node(kind, f"{i:02}", name) for i, name in enumerate(["prod", "prod", "", ""])]
        write(store, *nodes)
        assert names(every(store, kind)) == ["", "", "prod", "prod"]
        assert keys(store.find(kind, "prod")) == ["01", "00"]

    @pytest.mark.parametrize("kind", ["planets", "dataset", "Dataset", "run_datasets", ""])
    def test_a_node_of_an_unknown_kind_is_refused(self, store: Store, kind: str) -> None:
        """Raise `InvalidInput` for a kind that is not the name of a collection."""
        with pytest.raises(InvalidInput):
            write(store, Node(kind, "k", "n", "1"))

    @pytest.mark.parametrize("key", ["", "a b", "a/b", "ключ", "a\n", "a\x00", "k" * 255, '"', "a#b"])
    def test_a_bad_key_is_refused(self, store: Store, key: str) -> None:
        """Raise `InvalidInput` for a key that not every engine can hold."""
        with pytest.raises(InvalidInput):
            write(store, Node("run", key))

    @pytest.mark.parametrize("name", ["", "  ", "a\x00b", "half \ud83d", "n" * 1_001])
    def test_a_bad_name_is_refused(self, store: Store, name: str) -> None:
        """Raise `InvalidInput` for a named node whose name not every engine can hold."""
        with pytest.raises(InvalidInput):
            write(store, Node("datasets", "k", name, "1"))
        assert store.head() is None

    def test_every_kind_of_node_and_edge_can_be_written(self, store: Store) -> None:
        """Take all that the vocabulary names."""
        execution = run("01")
        nodes = [execution]
        for kind, what in NODE_KINDS.items():
            if kind != "run":
                nodes.append(Node(kind, "01", "n" if what.identity == "name" else "", "1"))
        links = [
            edge(kind.name, f"{kind.source}/01", f"{kind.target}/01")
            for kind in EDGE_KINDS.values()
            if kind.source and kind.target and kind.source != kind.target
        ]
        write(store, *nodes, run("02"), edges=[*links, edge("run_parent", "run/01", "run/02")])
        assert {node.kind for node in store.get([node.id for node in nodes]) if node} == set(NODE_KINDS)
        assert {link.kind for link in store.edges([node.id for node in nodes])} == {*EDGE_KINDS} - {"related"}

    # What a run owns

    @pytest.mark.parametrize("kind", ["modelparams", "devperf"])
    def test_params_and_metrics_belong_to_a_run(self, store: Store, kind: str) -> None:
        """Take modelparams and devperf with, or after, the run of the same key, else raise `NotFound`."""
        first, second, third = run("01"), run("02"), run("03")
        write(store, first)
        write(store, owned(kind, first, {"x": 1}))
        write(store, owned(kind, second, {"x": 2}), second)
        with pytest.raises(NotFound, match="run/03"):
            write(store, owned(kind, third, {"x": 3}))
        write(store, closes=[first])
        with pytest.raises(NotFound):
            write(store, owned(kind, first, {"x": 1}))
