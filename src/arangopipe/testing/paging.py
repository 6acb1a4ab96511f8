"""Promises about orders and pages."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from arangopipe.errors import InvalidInput
from arangopipe.model.filters import parse, parse_order
from arangopipe.model.graph import Node, Put
from arangopipe.store.base import AsOf, Store, pages_of
from arangopipe.store.memory import MemoryStore
from arangopipe.testing.build import (
    edge,
    keys,
    named,
    names,
    node_kind,
    owned,
    points,
    run,
    search,
    text,
    write,
)

LONG = "x" * 1_500

RISING: list[Any] = [
    -(2.0**60), -3, 0.5, 1, 2, 2**53, 1e300,
    "", "1", "9007199254740993", "NaN", "Ridge", "Straße", "ridge", "true", LONG,
    "\uffff", "\U0001f600",
    False, True,
]  # fmt: skip
"""Values in the order in which a search sorts them."""

NO_VALUE: list[Any] = [None, [], {}, [1, 2], [None], [None, 1], [[1], ["a"]], {"a": 1}]
"""Values that sort as missing."""

ORDERS = [
    "",
    "x",
    "x desc",
    "name",
    "name desc",
    "project desc",
    "key desc",
    "none",
    "none desc",
    "mixed",
    "mixed desc",
    "cfg.x",
    "cfg.x desc",
    "params.p",
    "params.p desc",
    "metrics.m",
    "metrics.m desc",
    "metrics.m.max desc, key",
    "tags.t",
    "tags.t desc",
    "text",
    "text desc",
    "model.rank",
    "model.rank desc",
    "model.rank desc, name",
    "x desc, mixed, cfg.x desc",
    "mixed, x desc",
]


class Ordering:
    """How a search sorts what it finds."""

    def test_events_come_newest_key_first(self, store: Store) -> None:
        """Sort events by key, descending, where no order is asked, whatever the order of writing."""
        write(store, run("03"), run("01"))
        write(store, run("02"), run("a"), run("B"))
        assert keys(search(store, "run").items) == ["a", "B", "03", "02", "01"]

    def test_named_nodes_come_by_name_the_newest_version_first(self, store: Store) -> None:
        """Sort by code points of the name, and versions by their creation."""
        write(store, named("datasets", "b", "2"), named("datasets", "ä"), named("datasets", "B"))
        write(
            store, named("datasets", "b", "10"), named("datasets", "\U0001f600"), named("datasets", "\uffff")
        )
        write(store, named("datasets", "b", "1"), Put(named("datasets", "b", "2", x=1), "any"))
        versions = [("b", "1"), ("b", "10"), ("b", "2")]
        expected = [("B", "1"), *versions, ("ä", "1"), ("\uffff", "1"), ("\U0001f600", "1")]
        for as_of in (None, 3):
            found = search(store, "datasets", as_of=as_of).items
            assert [(node.name, node.version) for node in found] == expected

    def test_own_kinds_come_by_name_and_params_by_key(self, store: Store) -> None:
        """Sort named own kinds as named, what a run owns as events."""
        a, b = run("01"), run("02")
        write(store, node_kind("reports"), a, b, owned("modelparams", b, {}), owned("modelparams", a, {}))
        write(store, named("reports", "z"), named("reports", "a"))
        assert names(search(store, "reports").items) == ["a", "z"]
        assert keys(search(store, "modelparams").items) == ["02", "01"]

    @pytest.mark.parametrize("path", ["v", "cfg.v", "params.v", "metrics.v", "tags.v", "dataset.v", '"v"'])
    @pytest.mark.parametrize("long", [False, True], ids=["short", "long"])
    def test_values_sort_by_type_then_value(self, store: Store, path: str, long: bool) -> None:
        """Sort numbers, then texts by code point, then booleans, then what has no single value."""
        values = [*NO_VALUE, *reversed(RISING)]
        if not long:
            values.remove(LONG)
        if path == "metrics.v":
            values.remove("NaN")
        _spread(store, path, values)
        rising = [repr(node.document["v"]) for node in search(store, "run", order=path).items]
        falling = [repr(node.document["v"]) for node in search(store, "run", order=f"{path} desc").items]
        there = [repr(value) for value in RISING if value in values]
        missing = [repr(value) for value in NO_VALUE]
        assert rising == there + missing
        assert falling == there[::-1] + missing[::-1]

    def test_a_list_of_one_value_sorts_as_that_value(self, store: Store) -> None:
        """Take the only value of a list, however deep, as the value."""
        write(store, run("01", x=[2]), run("02", x=1), run("03", x=[[3]]), run("04", x=[1, 1]))
        write(store, run("05", x=[[2.5, None]]))
        assert keys(search(store, "run", order="x").items) == ["02", "01", "03", "04", "05"]
        assert keys(search(store, "run", order="x desc").items) == ["03", "01", "02", "05", "04"]
        assert store.count("run", by="x") == {1: 1, 2: 1, 3: 1, None: 2}

    def test_missing_values_come_last_either_way(self, store: Store) -> None:
        """Put what has no value at the end, rising and falling."""
        write(store, run("01", x=1), run("02"), run("03", x=3))
        assert keys(search(store, "run", order="x").items) == ["01", "03", "02"]
        assert keys(search(store, "run", order="x desc").items) == ["03", "01", "02"]

    def test_ties_follow_creation_in_the_direction_of_the_last_key(self, store: Store) -> None:
        """Sort equal values by creation: upwards where the last key rises, else downwards."""
        write(store, run("03", x=1), run("01", x=1))
        write(store, run("02", x=1), run("05"), run("04"))
        write(store, Put(run("03", x=1, y=1), "any"))
        assert keys(search(store, "run", order="x").items) == ["03", "01", "02", "05", "04"]
        assert keys(search(store, "run", order="x desc").items) == ["02", "01", "03", "04", "05"]
        assert keys(search(store, "run", order="none, x").items) == ["03", "01", "02", "05", "04"]
        assert keys(search(store, "run", order="x, none desc").items) == ["02", "01", "03", "04", "05"]

    def test_several_keys_sort_one_within_the_other(self, store: Store) -> None:
        """Sort by the first key, what is equal there by the second, and so on."""
        rows = [(x, y) for y in (2, None, 1) for x in ("b", "a")]
        write(store, *(run(f"0{i}", x=x, y=y) for i, (x, y) in enumerate(rows)))
        found = search(store, "run", order="x, y desc").items
        assert [(node.document["x"], node.document["y"]) for node in found] == [
            ("a", 2), ("a", 1), ("a", None), ("b", 2), ("b", 1), ("b", None),
        ]  # fmt: skip

    def test_an_order_goes_with_a_filter(self, store: Store) -> None:
        """Sort what matches, also where filter and order read the same path."""
        write(store, *(run(f"{i:02}", x=i % 5, y=[i], z=i) for i in range(20)))
        assert [n.document["z"] for n in search(store, "run", "x > 2", "x desc, z").items] == [
            4, 9, 14, 19, 3, 8, 13, 18,
        ]  # fmt: skip
        assert len(search(store, "run", "x >= 2 and x < 4", "x desc").items) == 8
        assert len(search(store, "run", "y > 3 and y != 5", "y desc", limit=50).items) == 15
        assert [n.document["z"] for n in search(store, "run", "x is null or z < 3", "x").items] == [0, 1, 2]

    def test_names_and_projects_sort_as_texts(self, store: Store) -> None:
        """Sort by the node's own words, an empty one as missing."""
        write(
            store,
            named("datasets", "b", project="q"),
            named("datasets", "a"),
            named("datasets", "c", project="p"),
        )
        assert names(search(store, "datasets", order="project").items) == ["c", "b", "a"]
        assert names(search(store, "datasets", order="project desc, name").items) == ["b", "c", "a"]
        assert names(search(store, "datasets", order="name desc").items) == ["c", "b", "a"]


def _neighbours(store: Store) -> None:
    """Write runs of models that are alike and unlike, some without a model, some of two."""
    documents: list[dict[str, Any]] = [
        {"rank": 1, "parts": "a"},
        {"rank": 1.0, "parts": ["b"]},
        {"rank": "1", "parts": ["a", "b"], "mixed": {"deep": 2}},
        {"rank": True, "mixed": {"deep": "2"}},
        {"rank": [2, 3], "mixed": {"deep": [1]}},
        {"mixed": 1},
    ]
    models = [
        named("models", f"m{place % 4}", project="pq"[place // 4], **document)
        for place, document in enumerate(documents)
    ]
    runs = [run(f"{7 * place % 23:02}", f"n{place % 3}", x=place % 5) for place in range(23)]
    links = [edge("run_models", models[place % 5], each) for place, each in enumerate(runs) if place % 8]
    links += [edge("run_models", models[5], each) for each in runs[5::6]]
    write(store, *models, *runs, edges=links)


class Paging:
    """How a search is given in pages."""

    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize(("long", "as_of"), [(False, None), (True, None), (False, 2)])
    def test_pages_together_are_the_whole(self, store: Store, order: str, long: bool, as_of: AsOf) -> None:
        """Neither skip nor repeat a node, whatever the order and the size of pages."""
        _mixture(store, 23, long)
        for where in ("", "x >= 1", "mixed is not null", "metrics.m > 1 or name < 'n1'"):
            whole = search(store, "run", where, order, as_of)
            assert whole.cursor is None
            for limit in (1, 4, len(whole.items) or 1):
                assert _paged(store, where, order, as_of, limit) == list(whole.items), (where, limit)

    @pytest.mark.parametrize("path", ["name", "key", "rank", "parts"])
    def test_an_order_by_neighbours_is_that_of_the_reference(self, store: Store, path: str) -> None:
        """Sort by what the one neighbour has at a path; what has no neighbour, or several, comes last."""
        with MemoryStore() as other:
            for each in (store, other):
                _neighbours(each)
            for kind, order in (("run", f"model.{path}"), ("run", f"model.{path} desc"), ("models", "run.x")):
                for where in ("", "name like 'n%' and x < 9"):
                    whole = [node.id for node in search(other, kind, where, order).items]
                    for limit in (3, 100):
                        found = _paged(store, where, order, None, limit, kind)
                        assert [node.id for node in found] == whole, (order, where, limit)

    @pytest.mark.parametrize("order", ["", "name desc", "version, name"])
    def test_pages_of_named_nodes_are_the_whole(self, store: Store, order: str) -> None:
        """Page through names and versions."""
        nodes = [named("datasets", f"n{i % 3}", f"{i}") for i in range(11)]
        write(store, *nodes)
        whole = search(store, "datasets", order=order).items
        assert len(whole) == 11
        assert _paged(store, "", order, None, 2, "datasets") == list(whole)

    @pytest.mark.parametrize("order", ["", "x", "x desc", "name", "cfg.x desc", "metrics.m"])
    def test_pages_hold_while_others_write(self, store: Store, order: str) -> None:
        """Neither skip nor repeat a node that stays as it is while others come, change and go."""
        _mixture(store, 30, long=False)
        whole = list(search(store, "run", order=order).items)
        found: list[Node] = []
        cursor = None
        for i in range(100):
            page = search(store, "run", order=order, limit=3, cursor=cursor)
            found += page.items
            cursor = page.cursor
            if cursor is None:
                break
            # The node at which a page ended may itself change or go.
            ended = page.items[-1]
            if i % 2:
                write(store, Put(ended._replace(text='{"x":99,"cfg":{"x":99}}'), "any"))
            else:
                write(store, closes=[ended])
            write(store, run(f"{i:03}-new", f"n{i}", x=i % 4), run(f"z{i:03}", x=1))
        fresh = {node.id for node in whole}
        assert [node for node in found if node.id in fresh and node.revision <= 2] == whole

    def test_the_last_page_has_no_cursor(self, store: Store) -> None:
        """Give a cursor only where something follows."""
        write(store, *(run(f"0{i}") for i in range(4)))
        page = search(store, "run", limit=2)
        assert page.cursor is not None
        assert search(store, "run", limit=2, cursor=page.cursor).cursor is None
        assert search(store, "run", limit=4).cursor is None
        assert search(store, "run", "x = 1").cursor is None

    def test_a_cursor_is_opaque_text_for_an_address(self, store: Store) -> None:
        """Write a cursor in letters, digits, - and _ alone, whatever it stands for."""
        write(store, run("01", "ä/b?c&d", x="ü+="), run("02", "ß%20", x="~~"), run("03", x="\U0001f600"))
        for order in ("", "x", "name desc, x"):
            cursor = search(store, "run", order=order, limit=1).cursor
            assert cursor is not None
            assert cursor.replace("-", "").replace("_", "").isalnum()
            assert cursor.isascii()

    def test_a_cursor_belongs_to_its_search(self, store: Store) -> None:
        """Raise `InvalidInput` for a cursor of another kind, filter, order or moment."""
        write(store, *(run(f"0{i}", x=i) for i in range(4)), *(named("datasets", f"d{i}") for i in range(4)))
        cursor = search(store, "run", "x >= 0", "x", limit=1).cursor
        for kind, where, order, as_of in (
            ("datasets", "x >= 0", "x", None),
            ("run", "x >= 1", "x", None),
            ("run", "", "x", None),
            ("run", "x >= 0", "x desc", None),
            ("run", "x >= 0", "", None),
            ("run", "x >= 0", "x", 1),
        ):
            with pytest.raises(InvalidInput):
                search(store, kind, where, order, as_of, cursor=cursor)
        assert len(search(store, "run", "x >= 0", "x", limit=9, cursor=cursor).items) == 3

    def test_a_damaged_cursor_is_refused(self, store: Store) -> None:
        """Raise `InvalidInput` for what is no cursor, and nothing else for one that is a little off."""
        write(store, *(run(f"0{i}", x=i) for i in range(4)))
        cursor = search(store, "run", order="x", limit=1).cursor
        assert cursor is not None
        halves = [cursor[:i] for i in range(len(cursor))]
        for damaged in ["", "?", "ä", "e30", "W10", "bnVsbA", "MQ", *halves]:
            with pytest.raises(InvalidInput):
                search(store, "run", order="x", limit=1, cursor=damaged)
        for i in range(len(cursor)):
            with suppress(InvalidInput):
                search(store, "run", order="x", cursor=f"{cursor[:i]}{cursor[i].swapcase()}{cursor[i + 1 :]}")

    @pytest.mark.parametrize("limit", [0, -1, 10_001, True, "10", None, 1.0])
    def test_a_page_has_1_to_10000_items(self, store: Store, limit: Any) -> None:
        """Raise `InvalidInput` for any other limit."""
        write(store, run("01"))
        with pytest.raises(InvalidInput):
            store.search("run", limit=limit)
        assert len(store.search("run", limit=10_000).items) == 1


def _spread(store: Store, path: str, values: list[Any]) -> None:
    """Record a run for each value, which `path` finds."""
    for i, value in enumerate(values):
        document: dict[str, Any] = {"v": value, "cfg": {"v": value}, "tags": {"v": value}}
        node = run(f"{i:02}")._replace(text=text(document))
        if path.startswith("dataset"):
            data = named("datasets", f"d{i}")._replace(text=text({"v": value}))
            write(store, node, data, edges=[edge("run_datasets", node, data)])
        else:
            write(store, node, owned("modelparams", node, {"v": value}), owned("devperf", node, {"v": value}))


def _mixture(store: Store, count: int, long: bool) -> None:
    """Record runs with values of every kind at many paths, in two changes; some texts may be `long`."""
    mixed = [1, "a", True, None, [1, 2], "A", 1.5, {}, "b", -1, False, LONG if long else "c"]
    models = [named("models", f"m{i}", rank=i) for i in range(3)]
    nodes, links = [], []
    for i in range(count):
        # Keys neither rise nor fall with creation.
        node = run(f"{i * 7 % count:03}", f"n{i % 5}", x=i % 4, mixed=mixed[i % len(mixed)], cfg={"x": i % 3})
        document = node.document | {"tags": {"t": i % 6}, "text": "t" * ((999 if long else 98) + i % 3)}
        if i % 7 == 0:
            del document["x"]
        nodes.append(node._replace(text=text(document)))
        links.append(edge("run_models", models[i % 3], node))
    params = [owned("modelparams", node, {"p": i % 4}) for i, node in enumerate(nodes) if i % 3]
    perf = [owned("devperf", node, {"m": i % 5}) for i, node in enumerate(nodes) if i % 4]
    series = [points(node, "m", i % 3, i % 5) for i, node in enumerate(nodes) if i % 6 == 0]
    half = count // 2
    write(store, *models, *nodes[half:], edges=links[half:])
    write(store, *nodes[:half], *params, *perf, edges=links[:half], points=series)


def _paged(store: Store, where: str, order: str, as_of: AsOf, limit: int, kind: str = "run") -> list[Node]:
    pages = list(pages_of(store, kind, parse(where), parse_order(order), limit, as_of))
    assert all(len(page.items) == limit for page in pages[:-1])
    return [node for page in pages for node in page.items]
