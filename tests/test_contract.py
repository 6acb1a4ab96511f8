"""The store contract, on every store of this package that needs no server."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.testing import StoreContract, StoreMachine, store_machine, verify_chain
from arangopipe.testing.build import run, write

SHORT = settings(
    settings.default,
    max_examples=settings.default.max_examples // 4,
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


def machine_test(make: type[StoreMachine]) -> type:
    """Return a machine as a test case that runs a number of examples in proportion to the profile."""
    make.TestCase.settings = SHORT
    return make.TestCase


_folder = tempfile.TemporaryDirectory(prefix="arangopipe-machine-")
_numbers = itertools.count()


def fresh_sqlite() -> Store:
    return open_store(f"sqlite:///{_folder.name}/{next(_numbers)}.db?durability=relaxed")


TestMemoryMachine = machine_test(store_machine(lambda: open_store("memory://")))
TestSQLiteMachine = machine_test(store_machine(fresh_sqlite))
