"""Copies between engines: byte for byte the same, also after a copy that was killed half-way."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arangopipe import audit, bundle
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.testing.build import every, run, write
from places import empty_store

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("copying")]

CHANGES = 1_600

COPIER = """
import sys
from arangopipe import bundle
from arangopipe.store import open_store

with open_store(sys.argv[1]) as source, open_store(sys.argv[2]) as target:
    bundle.copy(source, target, actor="mover", progress=lambda done, total: print(done, flush=True))
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("copying") / "source.db"
    with open_store(f"sqlite:///{path}?durability=relaxed") as store:
        for number in range(CHANGES):
            write(store, run(f"{number:05}", x=number, text="größer", list=[1, 2.5, None]))
        yield store


@pytest.fixture(params=["sqlite", "postgres", "server"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with empty_store(request, request.param, tmp_path) as url:
        yield url


def documents(store: Store) -> list[tuple[str, str]]:
    return [(node.id, node.text) for node in every(store, "run")]


@pytest.mark.fault
def test_a_copy_that_is_killed_half_way_goes_on(source: Store, target: str) -> None:
    command = [sys.executable, "-c", COPIER, source.url, target]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as copier:
        assert copier.stdout is not None
        while int(copier.stdout.readline()) < CHANGES * 3 // 4:
            pass
        copier.send_signal(signal.SIGKILL)
    told: list[int] = []
    with open_store(target) as store:
        done = bundle.copy(source, store, actor="mover", progress=lambda at, total: told.append(at))
        assert done.known >= 500
        assert done.new == CHANGES - done.known > 0
        assert told[0] > done.known
        assert audit.verify(store).head == audit.verify(source).head
        assert documents(store) == documents(source)


def test_a_copy_and_the_copy_of_a_copy_are_the_same(source: Store, target: str, tmp_path: Path) -> None:
    back = f"sqlite:///{tmp_path}/back.db?durability=relaxed"
    with open_store(target) as there, open_store(back) as again:
        for one, other in ((source, there), (there, again)):
            done = bundle.copy(one, other, actor="mover")
            assert (done.verbatim, done.new, done.known) == (True, CHANGES, 0)
        assert list(again.changes(entries=True)) == list(source.changes(entries=True))
        assert documents(again) == documents(there) == documents(source)
        assert bundle.copy(source, again, actor="mover").new == 0
