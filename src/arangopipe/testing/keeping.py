"""Promises about what a store keeps: the audit chain, and what erasing leaves of it."""

from __future__ import annotations

import pytest

from arangopipe.errors import AlreadyExists, Conflict, NotFound
from arangopipe.model import chain
from arangopipe.model.graph import Entry, Node, Point, Points, Put
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store
from arangopipe.testing.build import (
    batch,
    busy,
    edge,
    every,
    keys,
    named,
    one,
    owned,
    points,
    run,
    search,
    write,
)
from arangopipe.testing.verify import verify_chain


class Auditing:
    """What the audit chain promises."""

    def test_the_chain_can_be_computed_again(self, store: Store) -> None:
        """Give entries whose digests make the change's, and links that follow from one another."""
        assert verify_chain(store) == 0
        last = busy(store)
        assert verify_chain(store) == last.number
        assert store.head() == last
        assert all(change.entries == () for change in store.changes())
        whole = list(store.changes(entries=True))
        assert list(store.changes(after=2, limit=3, entries=True)) == whole[2:5]

    def test_the_first_entry_is_the_changes_own(self, store: Store) -> None:
        """Cover batch id, action and reason by the change's digest."""
        given = batch(run("01"), action="log_run", reason="“why”")
        store.write(given)
        (change,) = store.changes(entries=True)
        assert change.entries[0].text == chain.note_text(given.id, "log_run", "“why”")
        assert change.entries[0].closed is False

    def test_entries_are_the_rows_that_a_change_wrote_and_closed(self, store: Store) -> None:
        """List each node, edge and series of points written, and each row that was superseded or closed."""
        data, execution = named("datasets", "d", "2", "p", rows=1), run("01", "n", x="ü")
        link = edge("run_datasets", execution, data, roles=["test"])
        loss = Points("run/01", "lo.ss", (Point(1, 2, 0.5), Point(2, 3, "NaN"), Point(3, 4, 7)))
        write(store, data, execution, edges=[link], points=[loss])
        newer, link_2 = data._replace(text='{"rows":2}'), edge("run_datasets", execution, data)
        write(store, Put(newer, 1), edges=[link_2])
        write(store, closes=[execution])
        series = '["points","run/01","lo.ss",[[1,2,0.5],[2,3,"NaN"],[3,4,7]]]'
        first = {
            (False, _node_text(data)),
            (False, _node_text(execution)),
            (False, f'["edge","run_datasets","run/01","{data.id}",{{"roles":["test"]}}]'),
            (False, series),
        }
        edge_2 = f'["edge","run_datasets","run/01","{data.id}",{{}}]'
        second = {
            (True, _node_text(data)),
            (False, _node_text(newer)),
            (True, f'["edge","run_datasets","run/01","{data.id}",{{"roles":["test"]}}]'),
            (False, edge_2),
        }
        third = {(True, _node_text(execution)), (True, edge_2), (True, series)}
        assert _node_text(execution) == '["node","run","01","n","","",{"x":"ü"}]'
        assert _rows(store) == [first, second, third]

    def test_salts_are_random_and_stay_with_their_row(self, store: Store) -> None:
        """Give each row a salt of its own, and show the same one where the row is closed."""
        execution = run("01", x=1)
        write(store, execution, run("02", x=1))
        write(store, closes=["run/01"])
        first, second = store.changes(entries=True)
        salts = [entry.salt for entry in first.entries]
        assert len(set(salts)) == 3
        (closed,) = [entry for entry in second.entries if entry.closed]
        assert closed in [entry._replace(closed=True) for entry in first.entries]

    def test_a_batch_that_changes_nothing_leaves_the_chain(self, store: Store) -> None:
        """Add no entry for what was equal, repeated or refused."""
        node = run("01", x=1)
        given = batch(node)
        store.write(given)
        store.write(given)
        write(store, Put(node, "any"))
        with pytest.raises(AlreadyExists):
            write(store, run("02"), node._replace(text="{}"))
        write(store, Put(node, "any"), run("03"))
        assert _rows(store) == [{(False, _node_text(node))}, {(False, _node_text(run("03")))}]
        assert verify_chain(store) == 2


class Maintaining:
    """What stores promise that have the ability `Maintenance`."""

    def test_a_healthy_store_has_nothing_to_complain_of(self, store: Store) -> None:
        """Find no disagreement after writes of all sorts."""
        if not isinstance(store, Maintenance):
            return
        assert list(store.check()) == []
        busy(store)
        assert list(store.check()) == []

    def test_erasing_removes_name_and_document_of_every_state(self, store: Store) -> None:
        """Show closed, nameless and empty states in place of what was erased, and keep the rest."""
        if not isinstance(store, Maintenance):
            return
        data, other = named("datasets", "secret", "1", "p", owner="ann"), named("datasets", "open")
        link = edge("related", other, data, why="x")
        write(store, data, other, edges=[link])
        write(store, Put(data._replace(text='{"owner":"bob"}'), 1))
        change = store.erase([data.id], "dpo", "asked to")
        assert (change.number, change.actor, change.reason) == (3, "dpo", "asked to")
        assert store.head() == change
        assert one(store, data) is None
        assert store.find("datasets", "secret", as_of=1) == ()
        assert store.edges([other.id]) == ()
        assert search(store, "datasets", "owner is not null", as_of=2).items == ()
        states = store.revisions(data.id)
        assert [(state.node.id, state.node.name, state.node.text) for state in states] == [
            (data.id, "", "{}"), (data.id, "", "{}"),
        ]  # fmt: skip
        assert [state.closed_by and state.closed_by.number for state in states] == [2, 3]
        assert store.edges([other.id], as_of=1) == (link._replace(revision=1),)
        assert one(store, other) == other._replace(revision=1)
        assert list(store.check()) == []

    def test_erasing_keeps_the_chain(self, store: Store) -> None:
        """Keep the digest of each row in place of text and salt, so that the chain still holds."""
        if not isinstance(store, Maintenance):
            return
        execution = run("01", "secret", who="ann")
        params, perf = (
            owned("modelparams", execution, {"secret": 1}),
            owned("devperf", execution, {"secret": 2}),
        )
        write(store, execution, params, perf, run("02"), points=[points(execution, "secret", 1.0)])
        write(store, Put(params._replace(text='{"secret":3}'), 1))
        before = [change.chain for change in store.changes()]
        store.erase(["run/01"], "dpo", "asked to")
        assert verify_chain(store) == 3
        assert [change.chain for change in store.changes()][:2] == before
        found = [entry for change in store.changes(entries=True) for entry in change.entries]
        assert not any("secret" in entry.text for entry in found if entry.text)
        # Written: run, params, perf, points, params again; the first params closed; then all four.
        assert sum(entry.text is None for entry in found) == 10
        assert all(entry.salt is None and entry.digest is not None for entry in found if entry.text is None)
        assert keys(every(store, "run")) == ["02"]
        assert list(store.check()) == []

    def test_a_search_of_the_past_passes_over_what_was_erased(self, store: Store) -> None:
        """Answer a search as of before with what is left of runs, their params, metrics and neighbours."""
        if not isinstance(store, Maintenance):
            return
        a, b, data = run("01", x=1), run("02", x=1), named("datasets", "d", rows=1)
        params, perf = owned("modelparams", a, {"p": 1}), owned("devperf", a, {"m": 1})
        others = owned("modelparams", b, {"p": 1}), owned("devperf", b, {"m": 1})
        used = [edge("run_datasets", node, data) for node in (a, b)]
        write(
            store,
            a,
            b,
            data,
            params,
            perf,
            *others,
            edges=used,
            points=[points(a, "l", 1), points(b, "l", 1)],
        )
        found = "x = 1 and params.p = 1 and metrics.m = 1 and metrics.l = 1"
        assert keys(search(store, "run", found, as_of=1).items) == ["02", "01"]
        store.erase([params.id, perf.id], "dpo", "asked to")
        assert keys(search(store, "run", "x = 1", "params.p, metrics.m desc", as_of=1).items) == ["02", "01"]
        assert keys(search(store, "run", found, as_of=1).items) == ["02"]
        assert keys(search(store, "run", "metrics.l = 1 and dataset.rows = 1").items) == ["02", "01"]
        store.erase([data.id, a.id], "dpo", "asked to")
        assert search(store, "run", "dataset.rows = 1 or dataset.name = 'd'", as_of=1).items == ()
        assert keys(search(store, "run", "params.p is null", "dataset.rows, metrics.l", as_of=1).items) == [
            "01"
        ]
        assert store.count("run", by="metrics.l", as_of=1) == {1: 1, None: 1}
        assert set(store.traverse([data.id], "downstream", as_of=1).depths.values()) == {0, 1}

    def test_what_was_erased_can_be_made_again(self, store: Store) -> None:
        """Take the same key, name and edges anew."""
        if not isinstance(store, Maintenance):
            return
        execution, data = run("01", "n", x=1), named("datasets", "d", rows=1)
        link = edge("run_datasets", execution, data)
        write(store, execution, data, edges=[link], points=[points(execution, "loss", 1.0)])
        store.erase(["run/01", data.id], "dpo", "asked to")
        write(store, execution, data, edges=[link], points=[points(execution, "loss", 2.0)])
        assert keys(search(store, "run", "x = 1 and dataset.rows = 1 and metrics.loss = 2").items) == ["01"]
        assert [state.node.text for state in store.revisions("run/01")] == ["{}", '{"x":1}']
        store.erase(["run/01"], "dpo", "again")
        assert verify_chain(store) == 4
        assert list(store.check()) == []

    def test_what_is_closed_can_be_erased(self, store: Store) -> None:
        """Erase the past of a node that is gone; the change covers what is left of it."""
        if not isinstance(store, Maintenance):
            return
        write(store, run("01", x=1), run("02"))
        write(store, closes=["run/01"])
        store.erase(["run/01"], "dpo", "asked to")
        digest = next(
            entry.digest for change in store.changes(entries=True) for entry in change.entries if entry.digest
        )
        assert _rows(store)[2] == {(False, f'["erased","node","run/01","","{digest.hex()}"]')}
        assert store.revisions("run/01")[0].node.text == "{}"
        assert verify_chain(store) == 3

    def test_erasing_may_rest_on_what_was_only_read(self, store: Store) -> None:
        """Raise `Conflict`, and erase nothing, where something in `unchanged` has changed since."""
        if not isinstance(store, Maintenance):
            return
        write(store, run("01", x=1))
        write(store, run("02"))
        with pytest.raises(Conflict, match="'run' was changed after change 1"):
            store.erase(["run/01"], "dpo", "asked to", ["models", "run"], 1)
        assert keys(every(store, "run")) == ["02", "01"]
        store.erase(["run/01"], "dpo", "asked to", ["models", "run"], 2)
        assert keys(every(store, "run")) == ["02"]

    def test_what_never_was_cannot_be_erased(self, store: Store) -> None:
        """Raise `NotFound`, and erase nothing."""
        if not isinstance(store, Maintenance):
            return
        write(store, run("01", x=1))
        for wrong in (["run/09"], ["run/01", "run/09"]):
            with pytest.raises(NotFound):
                store.erase(wrong, "dpo", "asked to")
        assert one(store, "run/01") == run("01", x=1)._replace(revision=1)
        assert verify_chain(store) == 1


def _node_text(node: Node) -> str:
    return chain.node_text(node.kind, node.key, node.name, node.version, node.project, node.text)


def _rows(store: Store) -> list[set[tuple[bool, str | None]]]:
    """Return what each change wrote and closed, but for its own entry."""

    def rows(entries: tuple[Entry, ...]) -> set[tuple[bool, str | None]]:
        found = [(entry.closed, entry.text) for entry in entries[1:]]
        assert len(set(found)) == len(found)
        return set(found)

    return [rows(change.entries) for change in store.changes(entries=True)]
