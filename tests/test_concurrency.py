"""Many processes and threads on one file: everything arrives whole, and no lock is anyone's trouble."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest

import forks
import writers
from arangopipe import ArangoPipe, audit
from arangopipe.store import open_store

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("concurrency")]

PROCESSES = 8
RUNS_OF_EACH = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 20


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    spawn = multiprocessing.get_context("spawn")
    barriers = {parties: spawn.Barrier(parties) for parties in (2, 4, 6, 8)}
    with ProcessPoolExecutor(PROCESSES, spawn, writers.set_up, (barriers,)) as executor:
        yield executor


@pytest.fixture
def url(tmp_path: Path) -> str:
    address = f"sqlite:///{tmp_path}/together.db"
    writers.prepare(address)
    return address


def together(pool: ProcessPoolExecutor, parties: int, task: Callable[..., Any], *args: Any) -> list[Any]:
    """Do a task in that many processes at once; they wait for each other before they begin."""
    futures: list[Future[Any]] = [pool.submit(task, args[0], parties, *args[1:]) for _ in range(parties)]
    return [future.result(writers.SECONDS * 2) for future in futures]


def joined(lists: list[list[Any]]) -> list[Any]:
    return list(itertools.chain.from_iterable(lists))


def check_runs(url: str, keys: list[str]) -> None:
    """All these runs, and no others, are there and whole, and the chain holds."""
    with open_store(url) as store:
        assert store.count("run") == {None: len(keys)}
        assert len(set(keys)) == len(keys)
        assert writers.problems_of(store, keys) == []
        found = audit.verify(store)
        assert found.ok, str(found)


def test_eight_processes_log_a_hundred_runs_each(pool: ProcessPoolExecutor, url: str) -> None:
    keys = joined(together(pool, 8, writers.log_runs, url, 100))
    assert len(keys) == 800
    check_runs(url, keys)


def test_thirty_two_processes_log_at_once(server: ForkServerContext, url: str) -> None:
    """Far more writers than cores, one of them opening the store anew each time, and nobody fails."""
    barrier = server.Barrier(32)
    with ProcessPoolExecutor(32, server, writers.set_up, ({32: barrier},)) as executor:
        futures = [executor.submit(writers.log_runs, url, 32, RUNS_OF_EACH) for _ in range(31)]
        futures.append(executor.submit(writers.log_runs_apart, url, 32, RUNS_OF_EACH))
        keys = joined([future.result(writers.SECONDS * 5) for future in futures])
    assert len(keys) == 32 * RUNS_OF_EACH
    check_runs(url, keys)


def test_threads_of_several_processes(pool: ProcessPoolExecutor, url: str) -> None:
    keys = joined(together(pool, 4, writers.log_runs, url, 10, 4))
    assert len(keys) == 4 * 4 * 10
    check_runs(url, keys)


def test_readers_see_whole_runs_while_others_write(pool: ProcessPoolExecutor, url: str) -> None:
    readers = [pool.submit(writers.read_while, url, 6, 120) for _ in range(2)]
    writing = [pool.submit(writers.log_runs, url, 6, 30) for _ in range(4)]
    keys = [key for future in writing for key in future.result(writers.SECONDS)]
    assert all(future.result(writers.SECONDS) > 1 for future in readers)
    check_runs(url, keys)


def test_two_processes_create_one_store_at_once(pool: ProcessPoolExecutor, tmp_path: Path) -> None:
    for number in range(20):
        url = f"sqlite:///{tmp_path}/new-{number}.db"
        made = together(pool, 2, writers.create, url)
        with open_store(url) as store:
            assert {node.name for node in store.search("datasets").items} == {name for name, _ in made}
            assert {number for _, number in made} <= {1, 2}
            assert audit.verify(store).changes == 2


def test_opening_and_closing_all_the_time(pool: ProcessPoolExecutor, url: str) -> None:
    """Whoever closes last tidies up; whoever opens just then must not notice."""
    keys = joined(together(pool, 4, writers.log_runs_apart, url, 25))
    assert len(keys) == 100
    check_runs(url, keys)


def test_one_of_two_processes_registers_a_name(pool: ProcessPoolExecutor, url: str) -> None:
    for number in range(20):
        futures = [
            pool.submit(writers.register, url, 2, f"raced-{number}", content, False) for content in "ab"
        ]
        ids = [future.result(writers.SECONDS) for future in futures]
        assert sorted(map(bool, ids)) == [False, True]


def test_one_of_two_processes_registers_the_same_thing(pool: ProcessPoolExecutor, url: str) -> None:
    wins = [
        sorted(map(bool, together(pool, 2, writers.register, url, f"same-{number}", "a", False)))
        for number in range(20)
    ]
    assert wins == [[False, True]] * 20


def test_two_processes_register_the_same_thing_if_it_may_exist(pool: ProcessPoolExecutor, url: str) -> None:
    for number in range(20):
        first, second = together(pool, 2, writers.register, url, f"shared-{number}", "a", True)
        assert first == second
        with open_store(url) as store:
            assert [node.id for node in store.find("datasets", f"shared-{number}")] == [first]


def test_racing_for_the_next_version_makes_distinct_ones(pool: ProcessPoolExecutor, url: str) -> None:
    made = joined(together(pool, 4, writers.register_versions, url, "versions", 10))
    assert sorted(map(int, made)) == list(range(1, 41))
    with open_store(url) as store:
        assert {node.version for node in store.find("datasets", "versions")} == set(made)


@pytest.mark.parametrize("attempt", range(4))
def test_what_is_deployed_is_not_deleted_at_the_same_moment(
    pool: ProcessPoolExecutor, url: str, attempt: int
) -> None:
    with writers.connect(url) as pipe:
        run = writers.log_one(pipe, attempt)
    futures = [
        pool.submit(writers.change_service, url, 4, act, f"run/{run}") for act in ("delete", "deploy") * 2
    ]
    outcomes = [future.result(writers.SECONDS * 2) for future in futures]
    with open_store(url) as store:
        stands = store.get([f"run/{run}"]) != (None,)
        placed = store.search("deployment").items
        assert stands is bool(placed)
        assert outcomes[0::2].count("done") == (0 if stands else 1)
        assert outcomes[1::2].count("done") == len(placed)
        assert [node.document["status"] for node in placed].count("active") == (1 if stands else 0)


def test_annotations_by_several_processes_are_all_kept(pool: ProcessPoolExecutor, url: str) -> None:
    together(pool, 4, writers.annotate, url, "diabetes", 10)
    with ArangoPipe(url) as pipe:
        document = pipe.lookup_dataset("diabetes").document
    assert sum(name.startswith("a-") for name in document) == 40


def test_the_address_goes_to_a_spawned_process(pool: ProcessPoolExecutor, url: str) -> None:
    with open_store(url) as store:
        pickled = pickle.dumps(store.url)
        keys = [pool.submit(writers.log_by_pickle, pickled, 1).result(writers.SECONDS)]
        assert writers.problems_of(store, keys) == []


# --- threads of one process ----------------------------------------------------------------------


def test_many_threads_share_one_store(url: str) -> None:
    keys: list[str] = []
    with writers.connect(url) as pipe:
        writers.in_threads(16, lambda: keys.extend(writers.log_one(pipe, n) for n in range(10)))
    assert len(keys) == 160
    check_runs(url, keys)


def test_a_reader_in_the_middle_keeps_its_moment(url: str) -> None:
    with writers.connect(url) as pipe:
        for number in range(5):
            writers.log_one(pipe, number)
        changes = pipe.store.changes()
        first = next(changes)
        before = pipe.store.count("run")
        writers.in_threads(4, lambda: [writers.log_one(pipe, number) for number in range(5)])
        # What is read in one go is of one moment: the stream does not see what came meanwhile.
        assert [first.number, *(change.number for change in changes)] == list(range(1, 9))
        assert pipe.store.count("run") == {None: before[None] + 20}


# --- fork ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scenario", forks.SCENARIOS)
def test_fork_after_connect(scenario: str, url: str) -> None:
    program = [sys.executable, "-W", "error", forks.__file__, scenario, url]
    done = subprocess.run(program, capture_output=True, text=True, timeout=writers.SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
