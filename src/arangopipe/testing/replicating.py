"""What stores promise that have the ability `Replica`: to hold another store's changes as they were."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from arangopipe.errors import ArangopipeError, StoreError
from arangopipe.model import times
from arangopipe.model.graph import Batch, Change, Entry, Origin, Put
from arangopipe.store.abilities import Adoption, Maintenance, Replica
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from arangopipe.testing.build import busy, edge, named, node_kind, one, points, recorded, run, text, write
from arangopipe.testing.verify import verify_chain


def _eventful() -> list[Change]:
    """Return the changes of a store with rows of every sort in it, erased ones too."""
    with MemoryStore() as store:
        busy(store)
        secret = named("datasets", "secret", owner="ann")
        write(store, secret, run("03", x=1))
        busy_again = write(store, node_kind("shards"), named("datasets", "d", "2"))
        store.erase([secret.id, "run/02", "run/01"], "dpo", "asked to")
        write(store, secret, named("datasets", "d", "3"))
        assert busy_again.number > 1
        return list(store.changes(entries=True))


def _answers(store: Store) -> list[Any]:
    last = store.head()
    assert last is not None
    found = [recorded(store, at) for at in (None, *range(last.number + 1))]
    for answer in found:
        answer["nodes"].sort(key=lambda node: node.kind)
    ids = {node.id for answer in found for node in answer["nodes"]}
    return [[store.revisions(node_id) for node_id in sorted(ids)], *found]


def _sorted(changes: Sequence[Change]) -> list[Change]:
    """Return changes whose entries are in one order."""
    return [change._replace(entries=tuple(sorted(change.entries, key=repr))) for change in changes]


class Replicating:
    """What the ability `Replica` promises."""

    @pytest.mark.parametrize("step", [1, 4, 1_000])
    def test_changes_of_another_store_are_taken_over_to_the_byte(self, store: Store, step: int) -> None:
        """Give the same changes, rows and answers, now and at every change."""
        if not isinstance(store, Replica):
            return
        changes = _eventful()
        for start in range(0, len(changes), step):
            store.append(changes[start : start + step])
        assert _sorted(list(store.changes(entries=True))) == _sorted(changes)
        assert verify_chain(store) == len(changes)
        if isinstance(store, Maintenance):
            assert list(store.check()) == []
        with MemoryStore() as other:
            other.append(changes)
            assert _answers(store) == _answers(other)

    def test_a_store_goes_on_after_what_it_took_over(self, store: Store) -> None:
        """Write, search and erase as if the changes had been made here."""
        if not isinstance(store, Replica):
            return
        store.append(_eventful())
        kind = store.vocabulary().node_kind("shards").name
        write(store, run("05"), named(kind, "first"))
        if isinstance(store, Maintenance):
            store.erase(["run/05"], "dpo", "asked to")
            assert list(store.check()) == []
        with MemoryStore() as other:
            other.append(list(store.changes(entries=True)))
            assert _answers(store) == _answers(other)
        verify_chain(store)

    def test_what_does_not_follow_is_refused(self, store: Store) -> None:
        """Take over nothing of changes that are not the next ones of the chain."""
        if not isinstance(store, Replica):
            return
        changes = _eventful()
        store.append(changes[:3])
        later = changes[3]._replace(time=changes[3].time + timedelta(seconds=1))
        for wrong in ([changes[4]], [changes[2]], [later], [changes[3], changes[5]]):
            with pytest.raises(StoreError, match="does not follow"):
                store.append(wrong)
        assert store.head() == changes[2]._replace(entries=())
        store.append(changes[3:])
        assert verify_chain(store) == len(changes)

    def test_what_was_altered_is_refused(self, store: Store) -> None:
        """Take over nothing of changes whose rows are not what their digests say."""
        if not isinstance(store, Replica):
            return
        changes = _eventful()

        def altered(**words: Any) -> Change:
            note, first, *others = changes[0].entries
            return changes[0]._replace(entries=(note, first._replace(**words), *others))

        text = changes[0].entries[1].text or ""
        without = changes[0]._replace(entries=changes[0].entries[:-1])
        for wrong in (
            altered(text=text.replace("datasets", "models")),
            altered(salt=bytes(16)),
            altered(closed=True),
            without,
            changes[0]._replace(reason="another"),
            changes[0]._replace(entries=(*without.entries, Entry(False, "[]", b"x" * 16))),
        ):
            with pytest.raises(StoreError, match=r"change 1 (is damaged|does not)"):
                store.append([wrong])
        assert store.head() is None

    def test_what_another_store_wrote_is_adopted(self, store: Store) -> None:
        """Record current and past states, closings and changes without effect, each with its origin."""
        if not isinstance(store, Replica):
            return
        busy(store)
        data, gone = named("datasets", "d", rows=2), named("datasets", "gone", x=1)
        link = edge("run_datasets", "run/01", data, roles=["test"])
        first = Origin("0123456789abcdef", 7, times.now() + timedelta(hours=1), "eva")
        noted: Sequence[dict[str, Any]] = (
            {"new": [gone.id]},
            {"back": [], "stale": [" ".join(link.ref)]},
            {},
        )
        later = [first._replace(merged=text(notes)) for notes in noted]
        adoptions = [
            Adoption(
                Batch("b1", (Put(run("07"), "any"),), actor="bob", origin=later[0]),
                [data._replace(text='{"rows":9}'), gone, link, points("run/01", "loss", 2.5)],
            ),
            Adoption(Batch("b2", closes=(link.ref,), actor="bob", origin=later[1])),
            Adoption(Batch("b3", actor="bob", origin=later[2])),
        ]
        head = store.head()
        assert head is not None
        store.adopt(adoptions)
        store.adopt(adoptions)
        n = head.number
        assert store.numbers(["b1", "no", "b3"]) == {"b1": n + 1, "b3": n + 3}
        made = list(store.changes(n))
        assert [change.origin for change in made] == later
        assert all(change.time > first.time for change in made)
        assert write(store, run("08")).time > first.time
        assert one(store, gone) is None
        (state,) = store.revisions(gone.id)
        assert state.closed_by == state.change == made[0]
        *_, last = store.revisions(data.id)
        assert (last.closed_by, last.node.text) == (None, '{"rows":2}')
        states = store.edge_revisions(link.ref)
        assert [found.edge.text for found in states][-2:] == ["{}", link.text]
        assert states[-1].closed_by == made[0]
        assert link.ref in store.ever_linked(data.id)
        assert {"run_models", "run_datasets"} <= {ref.kind for ref in store.ever_linked("run/01")}
        verify_chain(store)
        if isinstance(store, Maintenance):
            assert list(store.check()) == []
        with MemoryStore() as other:
            other.append(list(store.changes(entries=True)))
            assert _answers(store) == _answers(other)

    def test_what_cannot_be_recorded_is_not_adopted(self, store: Store) -> None:
        """Record nothing of a batch that cannot be, and check past states as present ones."""
        if not isinstance(store, Replica):
            return
        origin = Origin("0123456789abcdef", 7, times.now(), "eva")
        good = Adoption(Batch("b1", (Put(run("07")),), origin=origin))
        for wrong in (
            Adoption(Batch("b2", closes=("run/99",), origin=origin)),
            Adoption(Batch("b2", origin=origin), [named("no_such_kind", "x")]),
            Adoption(Batch("b2", origin=origin), [run("08")._replace(text="[]")]),
        ):
            before = store.head()
            with pytest.raises(ArangopipeError):
                store.adopt([wrong])
            assert store.head() == before
        store.adopt([good])
        assert verify_chain(store) == 1
