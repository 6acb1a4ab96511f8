"""The store contract, on every store of this package that needs no server."""

from __future__ import annotations

import atexit
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from arangopipe.model.attributes import read
from arangopipe.model.filters import ordered, parse_order
from arangopipe.model.graph import Change
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.testing import StoreContract, StoreMachine, store_machine, verify_chain
from arangopipe.testing.build import every, run, write
from served import serving_in_turn
from servers import Server, emptying

SHORT = settings(
    settings.default,
    stateful_step_count=20,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        with open_store("memory://") as store:
            yield store


class TestSQLite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with open_store(f"sqlite:///{tmp_path}/contract.db?durability=relaxed") as store:
            yield store

    def reopen(self, store: Store) -> Store:
        store.close()
        return open_store(store.url)


@pytest.fixture(scope="class")
def serve() -> Iterator[Callable[[Store], str]]:
    """The tests of a class share a server; each has a store of its own."""
    with serving_in_turn() as serve:
        yield serve


@pytest.mark.slow
@pytest.mark.xdist_group("served-memory")
class TestServedMemory(StoreContract):
    # Nobody serves a store in memory but tests: those of a file and of PostgreSQL say what matters.
    __test__ = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"

    @pytest.fixture
    def store(self, serve: Callable[[Store], str]) -> Iterator[Store]:
        with open_store("memory://") as behind, open_store(serve(behind)) as store:
            yield store


@pytest.mark.slow
@pytest.mark.xdist_group("served-sqlite")
class TestServedSQLite(StoreContract):
    @pytest.fixture
    def store(self, serve: Callable[[Store], str], tmp_path: Path) -> Iterator[Store]:
        address = f"sqlite:///{tmp_path}/contract.db?durability=relaxed"
        with open_store(address) as behind, open_store(serve(behind)) as store:
            yield store

    def reopen(self, store: Store) -> Store:
        store.close()
        return open_store(store.url)


Shared = tuple[str, Callable[[], object]]
"""The address of a store that tests share, one after the other, and what empties it."""


@pytest.fixture(scope="module")
def one_store15(server15: Server) -> Iterator[Shared]:
    with server15.database(server15.template) as name, emptying(server15.url(name)) as empty:
        yield server15.url(name), empty


@pytest.fixture(scope="module")
def one_store18(server18: Server) -> Iterator[Shared]:
    with server18.database(server18.template) as name, emptying(server18.url(name)) as empty:
        yield server18.url(name), empty


class OnPostgreSQL(StoreContract):
    """The contract on a server: one store, emptied after each test."""

    __test__ = False
    version: int
    options = ""

    @pytest.fixture
    def store(self, request: pytest.FixtureRequest) -> Iterator[Store]:
        address, empty = request.getfixturevalue(f"one_store{self.version}")
        with open_store(address + self.options) as store:
            yield store
        empty()

    def reopen(self, store: Store) -> Store:
        store.close()
        return open_store(store.url)


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 15")
class TestPostgreSQL15(OnPostgreSQL):
    __test__ = True
    version = 15
    options = "?isolation=read+committed"


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 15")
class TestPostgreSQL15Serializable(OnPostgreSQL):
    __test__ = True
    version = 15
    options = "?isolation=serializable"


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 18")
class TestPostgreSQL18(OnPostgreSQL):
    __test__ = True
    version = 18


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 18")
class TestServedPostgreSQL(StoreContract):
    @pytest.fixture
    def store(self, serve: Callable[[Store], str], one_store18: Shared) -> Iterator[Store]:
        address, empty = one_store18
        with open_store(address) as behind, open_store(serve(behind)) as store:
            yield store
        empty()

    def reopen(self, store: Store) -> Store:
        store.close()
        return open_store(store.url)


def machine_test(make: type[StoreMachine], examples: int) -> type:
    """Return a machine as a test case with this many examples of the profile's hundred."""
    number = settings.default.max_examples * examples // 100
    make.TestCase.settings = settings(SHORT, max_examples=number)
    return make.TestCase


SERVED_EXAMPLES = max(settings.default.max_examples // 20, 1)

_folder = tempfile.TemporaryDirectory(prefix="arangopipe-machine-")
atexit.register(_folder.cleanup)
_numbers = itertools.count()


def fresh_sqlite() -> Store:
    return open_store(f"sqlite:///{_folder.name}/{next(_numbers)}.db?durability=relaxed")


TestMemoryMachine = machine_test(store_machine(lambda: open_store("memory://")), 5)
TestSQLiteMachine = machine_test(store_machine(fresh_sqlite), 25)


@pytest.mark.slow
@pytest.mark.xdist_group("served-sqlite")
def test_a_served_store_behaves_like_the_one_in_memory() -> None:
    with serving_in_turn() as serve:
        machine = store_machine(lambda: open_store(serve(fresh_sqlite())))
        run_state_machine_as_test(machine, settings=settings(SHORT, max_examples=SERVED_EXAMPLES))


@pytest.mark.slow
@pytest.mark.xdist_group("postgres 18")
def test_the_state_machine_on_postgresql(postgres18: str) -> None:
    open_store(postgres18).close()
    examples = settings.default.max_examples * 15 // 100
    with emptying(postgres18) as empty:

        def fresh() -> Store:
            empty()
            return open_store(postgres18)

        run_state_machine_as_test(store_machine(fresh), settings=settings(SHORT, max_examples=examples))


@pytest.mark.parametrize("scheme", ["memory", "sqlite"])
def test_the_times_of_changes_do_not_follow_a_clock_that_is_set_back(
    scheme: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    moments = [datetime(2026, 11, day, tzinfo=timezone.utc) for day in (23, 21, 22, 24)]
    with open_store("memory://" if scheme == "memory" else f"sqlite:///{tmp_path}/clock.db") as store:
        for i, moment in enumerate(moments):
            monkeypatch.setattr("arangopipe.model.times.now", lambda moment=moment: moment)
            write(store, run(f"{i}"))
        assert [change.time.day for change in store.changes()] == [23, 23, 23, 24]
        assert [store.head(moment).number for moment in moments if store.head(moment)] == [3, 4]
        assert verify_chain(store) == 4


# What the suite itself promises


def test_a_gap_must_name_a_test() -> None:
    with pytest.raises(TypeError, match="test_of_nothing"):
        type("Wrong", (StoreContract,), {"gaps": {"test_of_nothing": "no such promise"}})


def test_a_gap_is_expected_to_fail_strictly(tmp_path: Path) -> None:
    (tmp_path / "test_gap.py").write_text(
        """
import pytest
from arangopipe.store.memory import MemoryStore
from arangopipe.testing import StoreContract

class Forgetful(MemoryStore):
    def get(self, ids, as_of=None):
        return (None,) * len(ids)

class TestOpen(StoreContract):
    gaps = {"test_absent_writes_what_is_not_there": "it forgets"}

    @pytest.fixture
    def store(self):
        return Forgetful()

class TestClosed(TestOpen):
    @pytest.fixture
    def store(self):
        return MemoryStore()
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-rfx", "-p", "no:cacheprovider", "test_gap.py"]
    wanted = ["-k", "test_absent_writes_what_is_not_there"]
    done = subprocess.run([*command, *wanted], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed" in done.stdout, done.stdout
    assert "1 xfailed" in done.stdout, done.stdout
    assert re.search(r"^XFAIL .*TestOpen", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"^FAILED .*TestClosed", done.stdout, re.MULTILINE), done.stdout


def _changed(store: Store, index: int, **fields: object) -> list[Change]:
    changes = list(store.changes(entries=True))
    changes[index] = changes[index]._replace(**fields)
    return changes


def _with_entry(store: Store, index: int, **fields: object) -> list[Change]:
    entries = list(store.changes(entries=True))[index].entries
    return _changed(store, index, entries=(*entries[:-1], entries[-1]._replace(**fields)))


TAMPERED: dict[str, Callable[[Store], list[Change]]] = {
    "the actor": lambda store: _changed(store, 1, actor="eve"),
    "the time": lambda store: _changed(store, 2, time=datetime(9999, 1, 1, tzinfo=timezone.utc)),
    "an earlier time": lambda store: _changed(store, 1, time=datetime(2000, 1, 1, tzinfo=timezone.utc)),
    "the reason": lambda store: _changed(store, 1, reason="none"),
    "the digest": lambda store: _changed(store, 1, digest="00" * 32),
    "a link": lambda store: _changed(store, 1, chain="00" * 32),
    "a text": lambda store: _with_entry(store, 1, text='["node","run","02","","","",{"x":2}]'),
    "a salt": lambda store: _with_entry(store, 1, salt=bytes(16)),
    "a short salt": lambda store: _with_entry(store, 1, salt=b""),
    "a digest beside a text": lambda store: _with_entry(store, 1, digest=bytes(32)),
    "what was closed": lambda store: _with_entry(store, 1, closed=True),
    "a lost entry": lambda store: _changed(store, 1, entries=()),
    "a lost change": lambda store: [change for change in store.changes(entries=True) if change.number != 2],
    "a lost end": lambda store: list(store.changes(entries=True))[:2],
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_chain_that_was_tampered_with_is_found_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store("memory://")
    for key in ("01", "02", "03"):
        write(store, run(key, x=1))
    assert verify_chain(store) == 3
    changes = TAMPERED[what](store)
    monkeypatch.setattr(store, "changes", lambda entries: iter(changes))
    with pytest.raises(AssertionError):
        verify_chain(store)


@pytest.mark.parametrize("order", ["x", "x desc", "x, y desc", "y desc, x", "none desc"])
def test_pages_follow_the_order_of_the_search_language(order: str) -> None:
    store = open_store("memory://")
    values = [3, None, "a", 1, True, 1, "A", [1, 2], 2.5]
    for i, value in enumerate(values):
        write(store, run(f"{i * 4 % 9}", x=value, y=i % 3))
    sort = parse_order(order)
    wanted = ordered(
        every(store, "run"),
        sort,
        lambda node, path: read(node.document, path.segments),
        lambda node: node.revision,
    )
    assert list(store.search("run", order=sort).items) == wanted


FORKS = """
import os, signal, threading, time
from arangopipe.model.graph import Batch, Node, Put
from arangopipe.store import open_store

store = open_store("memory://")

def write(name):
    return store.write(Batch(name, (Put(Node("run", name)),)))

def work():
    for number in range(1_000_000):
        write(f"{number}")
        time.sleep(0.0001)

threading.Thread(target=work, daemon=True).start()
for turn in range(40):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        change = write("child")
        os._exit(0 if store.head() == change and store.count("run") == {None: change.number} else 1)
    assert os.waitpid(child, 0)[1] == 0, f"child {turn} hangs or has lost something"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_store_in_memory_goes_on_in_a_fork_while_others_write() -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
