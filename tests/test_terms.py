"""Names of attributes: they go with the last that had them, whoever else knows them, and come again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from arangopipe.model.expressions import quoted
from arangopipe.model.ids import uuid7
from arangopipe.store import open_store
from arangopipe.store.abilities import Maintenance, NativeQuery
from arangopipe.store.base import Store
from arangopipe.testing.build import keys, named, owned, points, run, search, write
from servers import Server

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("postgres 18")]

Open = Callable[[], Store]
RUNS, NAMES = 20, 3


@pytest.fixture(params=["sqlite", "postgres"])
def opened(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Open]:
    """What opens one store again and again, each time as another process would."""
    found: list[Store] = []

    def opener(url: str) -> Open:
        def again() -> Store:
            found.append(open_store(url))
            return found[-1]

        return again

    try:
        if request.param == "sqlite":
            yield opener(f"sqlite:///{tmp_path}/names.db")
        else:
            server: Server = request.getfixturevalue("server18")
            with server.database(server.template) as name:
                yield opener(server.url(name))
                for store in found:
                    store.close()
    finally:
        for store in found:
            store.close()


def log(store: Store, word: str, key: str = "") -> str:
    """Write a run of which tags, params, metrics and points are called by a word; return its id."""
    node = run(key, tags={word: 1, f"{word}s": [1, 2]})
    params, perf = owned("modelparams", node, {word: {"in": 1}}), owned("devperf", node, {f"{word}!": 1})
    write(store, node, params, perf, points=[points(node, word, 1, 2), points(node, f"{word}:bad", "NaN")])
    return node.id


def found_by(store: Store, word: str) -> list[str]:
    """Return the runs that are found by each of the names, newest first."""
    word, odd = quoted(word), quoted(f"{word}!")
    where = f"tags.{word} = 1 and params.{word}.in = 1 and metrics.{odd} = 1 and metrics.{word}.max = 2"
    return [f"run/{key}" for key in keys(search(store, "run", where).items)]


def erase(store: Store, *ids: str) -> None:
    assert isinstance(store, Maintenance)
    store.erase(ids, "dpo", "asked to")


def terms(store: Store) -> list[str]:
    assert isinstance(store, NativeQuery)
    return [text for (text,) in store.query("SELECT text FROM term ORDER BY id").rows]


def sound(store: Store) -> bool:
    assert isinstance(store, Maintenance)
    return list(store.check()) == []


def test_names_go_with_the_last_that_had_them(opened: Open) -> None:
    store = opened()
    first, second = log(store, "secret"), log(store, "secret")
    log(store, "open")
    write(store, named("datasets", "d", secret=1))
    erase(store, first)
    assert found_by(store, "secret") == [second]
    assert "=secret" in terms(store)
    write(store, closes=[second])
    erase(store, second)
    assert [text for text in terms(store) if "secret" in text] == ["datasets:secret"]
    assert len(found_by(store, "open")) == 1
    assert sound(store)


def test_whoever_knew_a_name_finds_it_where_it_comes_again(opened: Open) -> None:
    store, reader, writer = opened(), opened(), opened()
    old = log(store, "word")
    assert found_by(reader, "word") == found_by(writer, "word") == [old]
    erase(store, old)
    new = log(store, "word")
    assert found_by(reader, "word") == [new]
    assert list(reader.points(new, "word")["word"]) == list(store.points(new)["word"])
    erase(reader, new)
    # It has read nothing since it knew the first ones.
    last = log(writer, "word")
    for each in (store, reader, writer):
        assert found_by(each, "word") == [last]
        assert sound(each)


# SQLite erases once nobody reads.
@pytest.mark.parametrize("opened", ["postgres"], indirect=True)
def test_a_moment_from_before_shows_what_was_there(opened: Open) -> None:
    store, other = opened(), opened()
    old = log(store, "word")
    with other.one_moment():
        assert found_by(other, "word") == [old]
        erase(store, old)
        new = log(store, "word")
        assert found_by(store, "word") == [new]
        assert found_by(other, "word") == [old]
    assert found_by(other, "word") == [new]


def test_no_writer_uses_a_name_that_is_being_erased(opened: Open) -> None:
    opened().close()  # it is there
    written: list[tuple[str, str]] = []
    done = threading.Event()

    def writes(number: int) -> None:
        store = opened()
        for turn in range(RUNS):
            word = f"n{(number + turn) % NAMES}"
            written.append((log(store, word, uuid7()), word))

    def erases() -> set[str]:
        store, gone = opened(), set()
        while not done.is_set():
            ids = [id for id, _ in list(written) if id not in gone]
            if ids:
                erase(store, *ids)
                gone.update(ids)
        return gone

    with ThreadPoolExecutor(NAMES + 1) as pool:
        eraser = pool.submit(erases)
        for writer in [pool.submit(writes, number) for number in range(NAMES)]:
            writer.result()
        last = opened()
        for word in range(NAMES):
            written.append((log(last, f"n{word}"), f"n{word}"))
        done.set()
        gone = eraser.result()
    store = opened()
    assert gone
    for number in range(NAMES):
        word = f"n{number}"
        assert set(found_by(store, word)) == {id for id, each in written if each == word and id not in gone}
    assert sound(store)
    assert "::" in terms(store)
