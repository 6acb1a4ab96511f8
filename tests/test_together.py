"""Threads that write at the same time share a transaction, and each batch stays a change of its own."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from arangopipe import audit
from arangopipe.errors import AlreadyExists, NotFound, StoreUnavailable
from arangopipe.model import documents
from arangopipe.model.graph import Batch, Change, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.store.sql import SQLiteStore
from until import until

THREADS = 12


class Counting(SQLiteStore):
    """A store that counts its write transactions."""

    transactions = 0

    def _write(self, *arguments: Any, **options: Any) -> Any:
        self.transactions += 1
        return super()._write(*arguments, **options)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Counting]:
    with Counting(f"sqlite:///{tmp_path / 'runs.db'}") as store:
        yield store


def dataset(name: str, **document: Any) -> Batch:
    node = Node("datasets", name, name, "1", text=documents.dump(document))
    return Batch(uuid7(), (Put(node),), actor="ann")


@contextmanager
def locked(store: Counting) -> Iterator[None]:
    """Keep the file locked, as another program may, so that those who write meanwhile meet."""
    connection = sqlite3.connect(store._database.path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def queued(store: Counting, count: int) -> Callable[[], bool]:
    return lambda: len(store._together._waiting) == count


def written(store: Counting, batches: list[Batch], **options: Any) -> list[Future[Change]]:
    """Write batches from as many threads, which all wait for one another; the first leads."""
    before = store.transactions
    with ThreadPoolExecutor(len(batches)) as threads:
        with locked(store):
            futures = [threads.submit(store.write, batches[0], **options)]
            until(lambda: store.transactions > before)
            for count, batch in enumerate(batches[1:], 1):
                futures.append(threads.submit(store.write, batch, **options))
                until(queued(store, count))
        for future in futures:
            future.exception()
    return futures


def test_those_who_wait_share_a_transaction_and_each_is_a_change_of_its_own(store: Counting) -> None:
    batches = [dataset(f"d{i}", rows=i) for i in range(THREADS)]
    changes = [future.result() for future in written(store, batches)]
    assert store.transactions == 1
    assert [change.batch for change in changes] == [batch.id for batch in batches]
    assert [change.number for change in changes] == list(range(1, THREADS + 1))
    assert list(store.changes()) == changes
    assert store.count("datasets") == {None: THREADS}
    assert audit.verify(store).ok
    assert [store.write(batch) for batch in batches] == changes


def test_one_that_is_refused_does_not_take_the_others_along(store: Counting) -> None:
    store.write(dataset("taken", rows=1))
    gone = Batch(uuid7(), (Put(Node("datasets", "gone", "gone", "1"), expect=1),))
    batches = [dataset("a"), dataset("taken", rows=2), dataset("b"), gone, dataset("taken", rows=1)]
    one, taken, two, nowhere, same = written(store, batches)
    assert isinstance(taken.exception(), AlreadyExists)
    assert isinstance(nowhere.exception(), NotFound)
    assert (one.result().number, two.result().number) == (2, 3)
    assert same.result().number in (1, 2, 3)
    assert {name for name in ("a", "b", "taken") if store.find("datasets", name)} == {"a", "b", "taken"}
    assert audit.verify(store).ok


def test_a_batch_sees_those_before_it_in_the_same_transaction(store: Counting) -> None:
    batches = [dataset("same"), dataset("same", rows=2), dataset("same")]
    first, other, again = written(store, batches)
    assert first.result().number == 1
    assert isinstance(other.exception(), AlreadyExists)
    assert again.result() == first.result()


def test_who_waits_gives_up_after_its_patience_and_is_not_written(store: Counting) -> None:
    with ThreadPoolExecutor(2) as threads, locked(store):
        leading = threads.submit(store.write, dataset("a"))
        until(lambda: store.transactions == 1)
        patient = threads.submit(store.write, dataset("b"))
        until(queued(store, 1))
        with pytest.raises(StoreUnavailable, match="other threads of this program have been writing"):
            store.write(dataset("c"), patience=0.05)
    assert (leading.result().number, patient.result().number) == (1, 2)
    assert store.find("datasets", "c") == ()
    assert store.write(dataset("c")).number == 3


def test_one_that_leads_in_vain_lets_the_next_lead(store: Counting) -> None:
    with ThreadPoolExecutor(2) as threads:
        with locked(store):
            hasty = threads.submit(store.write, dataset("a"), patience=0.3)
            until(lambda: store.transactions == 1)
            patient = threads.submit(store.write, dataset("b"))
            assert isinstance(hasty.exception(), StoreUnavailable)
        assert patient.result().number == 1


def test_a_large_batch_is_not_taken_along(store: Counting) -> None:
    puts = tuple(dataset(f"many{i}").puts[0] for i in range(1_000))
    changes = written(store, [dataset("a"), Batch(uuid7(), puts), dataset("b")])
    assert [change.result().number for change in changes] == [1, 2, 3]
    assert store.transactions == 3


def test_an_interrupt_while_waiting_leaves_the_others_alone(store: Counting) -> None:
    class Interrupted(Exception):
        pass

    def interrupt(*_: object) -> None:
        raise Interrupted

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with ThreadPoolExecutor(3) as threads:
            with locked(store):
                leading = threads.submit(store.write, dataset("a"))
                until(lambda: store.transactions == 1)
                threads.submit(lambda: (until(queued(store, 1)), os.kill(os.getpid(), signal.SIGUSR1)))
                with pytest.raises(Interrupted):
                    store.write(dataset("b"))
                patient = threads.submit(store.write, dataset("c"))
                until(queued(store, 1))
            assert (leading.result().number, patient.result().number) == (1, 2)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert store.find("datasets", "b") == ()
    assert store.write(dataset("b")).number == 3
