"""Merging bundles: the same result in whatever order they come, however often, by whatever way."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arangopipe import audit
from arangopipe.store import open_store
from arangopipe.store.base import Maintenance, Store
from worlds import STORES, World, canonical, steps

ORDERS = st.lists(st.integers(0, STORES - 1), min_size=STORES, max_size=STORES + 3).filter(
    lambda order: set(order) == set(range(STORES))
)


def check_merging(open_one: Any, happenings: Any, orders: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World([open_one(folder, number) for number in range(STORES)], Path(folder))
        world.play(happenings)
        bundles = [world.bundle(store) for store in world.stores]
        results = []
        for number, order in enumerate(orders):
            store = open_one(folder, f"merged-{number}")
            for source in order:
                take(store, bundles[source])
            results.append(store)
        # The stores themselves, too, once they know each other.
        for store in world.stores:
            for bundle in bundles:
                take(store, bundle)
        results += world.stores
        first = canonical(results[0])
        for store in results:
            assert canonical(store) == first
            assert audit.verify(store).ok
            if isinstance(store, Maintenance):
                assert list(store.check()) == []
        for store in [*results, *world.stores]:
            store.close()


def take(store: Store, bundle: Path) -> None:
    from arangopipe.bundle import import_bundle

    import_bundle(store, bundle, actor="mover")


def memory(folder: str, name: Any) -> Store:
    return open_store("memory://")


def sqlite(folder: str, name: Any) -> Store:
    return open_store(f"sqlite:///{folder}/{name}.db?durability=relaxed")


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps(), st.lists(ORDERS, min_size=2, max_size=2))
@pytest.mark.slow
def test_any_order_gives_the_same_in_memory(happenings: Any, orders: Any) -> None:
    check_merging(memory, happenings, orders)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps(), st.lists(ORDERS, min_size=2, max_size=2))
@pytest.mark.slow
def test_any_order_gives_the_same_in_files(happenings: Any, orders: Any) -> None:
    check_merging(sqlite, happenings, orders)
