"""Merging bundles: the same result in whatever order they come, however often, by whatever way."""

from __future__ import annotations

import tempfile
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from arangopipe import audit
from arangopipe.store import open_store
from arangopipe.store.abilities import Maintenance
from arangopipe.store.base import Store
from arangopipe.testing.build import named, write
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


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World([open_store("memory://") for _ in range(4)], tmp_path)


def merged(world: World, *order: int) -> Store:
    """Return a store of its own into which bundles were merged in that order."""
    store = open_store("memory://")
    write(store, named("models", "own"))
    for number in order:
        world.move(world.stores[number], store)
    return store


def all_orders(world: World, *numbers: int) -> dict[str, Any]:
    """Merge in every order, check that all come to the same, and return that."""
    found = [canonical(merged(world, *order)) for order in permutations(numbers)]
    assert all(one == found[0] for one in found)
    return found[0]


def data_of(state: dict[str, Any]) -> list[str]:
    return [node.text for node in state["nodes"] if node.kind == "datasets"]


def uses_of(state: dict[str, Any]) -> list[str]:
    return [link.source for link in state["edges"] if link.kind == "run_datasets"]


def test_what_is_deleted_goes_with_what_others_linked_before(world: World) -> None:
    a, b, *_ = world.stores
    world.register(a, "d1", 0)
    world.log(b, "d1", 0)
    world.move(a, b)
    world.log(b, "d1", 0)
    world.delete(a, "d1")
    state = all_orders(world, 0, 1)
    assert data_of(state) == uses_of(state) == []
    assert len([node for node in state["nodes"] if node.kind == "run"]) == 2


def test_what_is_made_again_elsewhere_has_what_was_linked_since(world: World) -> None:
    a, b, c, _ = world.stores
    world.register(a, "d1", 0)
    world.log(c, "d2", 0)
    world.move(a, c)
    world.delete(a, "d1")
    world.register(b, "d1", 1)
    world.log(c, "d1", 0)
    state = all_orders(world, 0, 1, 2)
    assert data_of(state) == ['{"content":1}']
    assert uses_of(state) == ["run/r2"]


def test_what_was_closed_before_it_was_made_again_takes_old_links_along(world: World) -> None:
    a, b, c, _ = world.stores
    world.register(a, "d1", 0)
    world.log(c, "d2", 0)
    world.move(a, c)
    world.log(c, "d1", 0)
    world.delete(a, "d1")
    world.register(b, "d1", 1)
    state = all_orders(world, 0, 1, 2)
    assert data_of(state) == ['{"content":1}']
    assert uses_of(state) == []


def test_the_last_revision_stands_and_the_others_are_history(world: World) -> None:
    a, b, *_ = world.stores
    world.register(a, "d1", 0)
    world.log(b, "d2", 0)
    world.move(a, b)
    world.revise(b, "d1", 1)
    world.revise(a, "d1", 2)
    assert data_of(all_orders(world, 0, 1)) == ['{"content":2,"revised":true}']
    store = merged(world, 0, 1)
    texts = {revision.node.text for revision in store.revisions(named("datasets", "d1").id)}
    assert texts == {'{"content":0}', '{"content":1,"revised":true}', '{"content":2,"revised":true}'}
    result = world.move(a, b)
    assert [conflict.what for conflict in result.conflicts] == ["revised differently"]


def test_what_was_made_twice_with_equal_content_is_one_thing(world: World) -> None:
    a, b, *_ = world.stores
    world.register(a, "d1", 0)
    world.revise(a, "d1", 1)
    world.register(b, "d1", 0)
    world.log(b, "d1", 0)
    state = all_orders(world, 0, 1)
    assert data_of(state) == ['{"content":1,"revised":true}']
    assert uses_of(state) == ["run/r1"]
    assert world.move(b, a).conflicts == ()
    assert canonical(a) == {**state, "nodes": [n for n in state["nodes"] if n.name != "own"]}


def test_what_was_made_differently_is_reported(world: World) -> None:
    a, b, *_ = world.stores
    world.register(a, "d1", 0)
    world.register(b, "d1", 1)
    assert data_of(all_orders(world, 0, 1)) == ['{"content":1}']
    for source, target in ((a, b), (b, a)):
        (conflict,) = world.move(source, target).conflicts
        assert conflict.what == "made differently"
        assert "stands" in str(conflict)


def test_a_name_that_is_taken_is_given_with_a_version_of_its_own(world: World) -> None:
    a, b, *_ = world.stores
    mine, other = named("datasets", "d1", x=1), named("datasets", "d1", x=2)._replace(key="other-key")
    write(a, mine)
    write(b, other)
    (conflict,) = world.move(b, a).conflicts
    said = "datasets/other-key (d1) was made under a name that is taken"
    assert str(conflict) == f"{said}, by {mine.id}: it is called d1@1~other-ke here"
    assert {(node.key, node.version, node.text) for node in a.find("datasets", "d1")} == {
        (mine.key, "1", mine.text),
        (other.key, "1~other-ke", other.text),
    }


def test_a_change_that_comes_through_a_third_store_is_known(world: World) -> None:
    a, b, c, d = world.stores
    for store in world.stores:
        world.log(store, "d1", 0)
    world.move(a, b)
    world.move(b, c)
    world.move(c, d)
    result = world.move(a, d)
    assert (result.new, result.known) == (0, 1)
    found = {change.batch: change.origin for change in d.changes() if change.origin}
    (first,) = a.changes()
    origin = found[first.batch]
    assert origin is not None
    assert (origin.store, origin.number, origin.time) == (first.chain[:16], 1, first.time)
