"""Promises about a store as a living thing: its end, its return, and many who use it at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from arangopipe.errors import AlreadyExists, ArangopipeError, Conflict, StoreUnavailable
from arangopipe.model.graph import Batch, Change, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store
from arangopipe.testing.build import (
    busy,
    edge,
    named,
    one,
    owned,
    points,
    recorded,
    run,
    write,
)
from arangopipe.testing.verify import verify_chain

THREADS, BATCHES = 8, 25


class Living:
    """What a store promises about its own life: closing, opening again, many threads."""

    def reopen(self, store: Store) -> Store:
        """Return the store opened anew from its address; override where it outlives its object."""
        return store

    def test_a_closed_store_is_unavailable(self, store: Store) -> None:
        """Raise `StoreUnavailable` in every method; closing twice is harmless."""
        write(store, run("01"))
        store.close()
        store.close()
        calls: list[Callable[[], Any]] = [
            lambda: write(store, run("02")),
            store.head,
            lambda: store.get(["run/01"]),
            lambda: store.owned(["01"]),
            lambda: store.last_written(["01"]),
            lambda: store.find("run", "n"),
            lambda: store.search("run"),
            lambda: list(store.columns("run", ["x"])),
            lambda: store.count("run"),
            lambda: store.edges(["run/01"]),
            lambda: store.traverse(["run/01"], "upstream"),
            lambda: store.points("run/01"),
            lambda: store.revisions("run/01"),
            lambda: list(store.changes()),
            lambda: store.vocabulary(reload=True),
        ]
        if isinstance(store, Maintenance):
            calls.append(lambda: store.erase(["run/01"], "ann", "x"))
        for call in calls:
            with pytest.raises(StoreUnavailable):
                call()

    def test_a_store_closes_at_the_end_of_a_block(self, store: Store) -> None:
        """Work as a context manager."""
        with store as same:
            assert same is store
            write(store, run("01"))
        with pytest.raises(StoreUnavailable):
            store.head()

    def test_what_was_written_is_there_after_opening_again(self, store: Store) -> None:
        """Show the same in every read, know the own kinds, and go on with the chain."""
        busy(store)
        before, changes = recorded(store), list(store.changes(entries=True))
        again = self.reopen(store)
        try:
            assert recorded(again) == before
            assert list(again.changes(entries=True)) == changes
            assert "reports" in again.vocabulary().nodes
            write(again, named("reports", "another"))
            assert verify_chain(again) == len(changes) + 1
        finally:
            again.close()

    def test_the_address_opens_without_secrets(self, store: Store) -> None:
        """Name itself by its address."""
        assert "://" in store.url
        assert store.url in repr(store)

    def test_many_threads_write_at_once(self, store: Store) -> None:
        """Record every batch of every thread once, as one change each, in one chain."""
        made: dict[int, list[Change]] = {thread: [] for thread in range(THREADS)}

        def work(thread: int) -> None:
            for i in range(BATCHES):
                node = run(f"{thread}-{i:02}", x=thread)
                params = owned("modelparams", node, {"i": i})
                link = edge("run_modelparams", node, params)
                made[thread].append(write(store, node, params, edges=[link], points=[points(node, "m", i)]))
                assert one(store, node) is not None

        _together([partial(work, thread) for thread in range(THREADS)])
        assert sorted(change.number for changes in made.values() for change in changes) == list(
            range(1, THREADS * BATCHES + 1)
        )
        assert all(
            [c.number for c in changes] == sorted(c.number for c in changes) for changes in made.values()
        )
        assert store.count("run", by="x") == dict.fromkeys(range(THREADS), BATCHES)
        assert all(len(store.points(f"run/{thread}-07")["m"]) == 1 for thread in range(THREADS))
        assert verify_chain(store) == THREADS * BATCHES

    def test_only_one_of_many_writers_gets_a_name_or_a_revision(self, store: Store) -> None:
        """Give each expectation that holds once to one writer, and an error to the others."""
        write(store, counter := run("counter", n=0))
        won: list[str] = []

        def work(thread: int) -> None:
            for i in range(10):
                try:
                    write(store, Node("datasets", f"{thread}-{i}", "wanted", str(i)))
                    won.append("name")
                except AlreadyExists:
                    pass
            for _ in range(10):
                while True:
                    seen = one(store, counter)
                    assert seen is not None
                    text = json.dumps({"n": seen.document["n"] + 1})
                    try:
                        write(store, Put(counter._replace(text=text), seen.revision))
                        break
                    except Conflict:
                        continue

        _together([partial(work, thread) for thread in range(4)])
        assert won == ["name"] * 10
        assert one(store, counter).document == {"n": 40}  # type: ignore[union-attr]
        assert verify_chain(store) == 1 + 10 + 40

    def test_a_batch_sent_by_many_is_recorded_once(self, store: Store) -> None:
        """Return the same change to every thread that sends the same batch."""
        given = [Batch(uuid7(), (Put(run(f"{i:02}")),)) for i in range(10)]
        got: list[Change] = []
        _together([lambda: got.extend([store.write(each) for each in given])] * 4)
        assert sorted(got) == sorted(list(store.changes()) * 4)
        assert store.count("run") == {None: 10}

    def test_readers_see_whole_changes(self, store: Store) -> None:
        """Show either all or nothing of a change to whoever reads meanwhile."""
        a, b = run("01", n=0), run("02", n=0)
        write(store, a, b)
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                pair = store.get([a.id, b.id])
                assert len({node.text for node in pair if node}) == 1
                assert len(store.count("run", by="n")) == 1
                assert len({node.text for node in store.search("run").items}) == 1

        def work() -> None:
            try:
                for i in range(40):
                    text = json.dumps({"n": i}, separators=(",", ":"))
                    write(store, Put(a._replace(text=text), "any"), Put(b._replace(text=text), "any"))
            finally:
                done.set()

        _together([work, read, read])

    def test_no_other_error_leaves_a_store(self, store: Store) -> None:
        """Answer nonsense with an error of `arangopipe.errors`."""
        write(store, run("01"))
        calls: list[Callable[[], Any]] = [
            lambda: write(store, Node("run", None)),  # type: ignore[arg-type]
            lambda: write(store, Node("datasets", "k", 3, "1")),  # type: ignore[arg-type]
            lambda: write(store, run("02")._replace(text='{"x":"\ud83d"}')),
            lambda: write(store, run("02"), reason="half \ud83d"),
            lambda: write(store, edges=[edge("related", "run/01", "nowhere")]),
            lambda: write(store, closes=["nowhere"]),
            lambda: write(store, points=[points("nowhere", "m", 1.0)]),
            lambda: store.search("run", cursor="\ud83d"),
            lambda: store.traverse(["nowhere"], "upstream"),
            lambda: store.count("run", by="a b"),
            lambda: list(store.columns("run", ["a ="])),
        ]
        for call in calls:
            with pytest.raises(ArangopipeError):
                call()
        assert verify_chain(store) == 1


def _together(works: list[Callable[[], None]]) -> None:
    """Run functions in threads at once, and raise what any of them raises."""
    failed: list[BaseException] = []
    barrier = threading.Barrier(len(works))

    def guarded(work: Callable[[], None]) -> None:
        try:
            barrier.wait(30)
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive(), "a thread hangs"
    for error in failed:
        raise error
