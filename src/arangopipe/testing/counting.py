"""Promises about columns and counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from arangopipe.model.documents import EMPTY
from arangopipe.model.filters import parse
from arangopipe.model.graph import Put
from arangopipe.store.base import AsOf, Store
from arangopipe.store.records import Links
from arangopipe.testing.build import (
    edge,
    edge_kind,
    named,
    node_kind,
    owned,
    points,
    run,
    text,
    write,
)
from arangopipe.testing.paging import LONG


class Counting:
    """What columns and counts promise."""

    def test_columns_are_equally_long(self, store: Store) -> None:
        """Give id and one cell for each path and node, None where there is not one scalar."""
        a, b, c = (
            run("01", "a", x=1, y=[1, 2]),
            run("02", "b", x="s", y=True),
            run("03", x=None, y={"z": 1.5}),
        )
        model = named("models", "m", technique="ridge")
        write(
            store, a, b, c, owned("modelparams", a, {"p": 1.5}), model, edges=[edge("run_models", model, a)]
        )
        write(store, points=[points(b, "m", 3.5)])
        paths = ["x", "y", "y.z", "name", "params.p", "metrics.m", "metrics.m.max", "model.technique", "none"]
        cells = _columns(store, paths)
        assert cells == {
            "run/01": [1, None, None, "a", 1.5, None, None, "ridge", None],
            "run/02": ["s", True, None, "b", None, 3.5, 3.5, None, None],
            "run/03": [None, None, 1.5, None, None, None, None, None, None],
        }
        assert cells["run/02"][1] is True

    def test_columns_take_a_filter_and_a_moment(self, store: Store) -> None:
        """Give the cells of what matches, as it was then."""
        write(store, *(run(f"{i:02}", x=i, y=i % 2) for i in range(10)))
        write(store, Put(run("04", x=40, y=0), "any"), closes=["run/05"])
        assert _columns(store, ["x"], "y = 0 and x > 5") == {"run/06": [6], "run/08": [8], "run/04": [40]}
        assert _columns(store, ["x"], "x in (4, 5)", 1) == {"run/04": [4], "run/05": [5]}
        assert _columns(store, ["x"], "x = 99") == {}
        assert _columns(store, [], "x = 1") == {"run/01": []}

    def test_columns_come_in_chunks_of_any_number_of_nodes(self, store: Store) -> None:
        """Stream thousands of nodes, every one once."""
        write(store, *(run(f"{i:05}", x=i) for i in range(12_000)))
        for path in ("x", "cfg.x"):
            chunks = list(store.columns("run", [path]))
            assert all(len(chunk["id"]) == len(chunk[path]) > 0 for chunk in chunks)
            found = {name for chunk in chunks for name in chunk["id"]}
            assert len(found) == sum(len(chunk["id"]) for chunk in chunks) == 12_000

    def test_columns_show_what_a_search_compares(self, store: Store) -> None:
        """Give integers beyond 2**53 as text, and metrics that are not finite as None."""
        a = run("01", x=2**53 + 1, y="x" * 2_000)
        write(store, a, owned("devperf", a, {"m": "NaN", "n": 1}), points=[points(a, "l", "NaN")])
        cells = _columns(store, ["x", "y", "metrics.m", "metrics.n", "metrics.l"])
        assert cells == {"run/01": ["9007199254740993", "x" * 2_000, None, 1, None]}

    def test_links_are_the_edges_of_each_match(self, store: Store) -> None:
        """Give other end and document of the edges of a kind, as they were then; of unknown kinds none."""
        a, b = run("01"), run("02")
        data, more, model = named("datasets", "d"), named("datasets", "e"), named("models", "m")
        tested, trained = text({"roles": ["test"]}), text({"roles": ["training"]})
        kinds = ["run_datasets", "run_models", "related", "none"]
        closed = edge("run_models", model, a)
        links = [edge("run_datasets", a, data, roles=["test"]), edge("run_datasets", a, more), closed]
        links += [edge("run_models", model, b), edge("related", a, b)]
        before = write(store, a, b, data, more, model, edges=links).number
        write(store, edges=[edge("run_datasets", a, data, roles=["training"])], closes=[closed])
        to_a, to_b, to_model = ((a.id, EMPTY),), ((b.id, EMPTY),), ((model.id, EMPTY),)
        other = (more.id, EMPTY)
        then = {
            a.id: [_sorted((data.id, tested), other), to_model, to_b, ()],
            b.id: [(), to_model, to_a, ()],
        }
        now = {a.id: [_sorted((data.id, trained), other), (), to_b, ()], b.id: then[b.id]}
        assert _columns(store, [], "", before, kinds) == then
        assert _columns(store, [], "", None, kinds) == now
        assert _columns(store, [], "key = '01'", before, kinds) == {a.id: then[a.id]}
        assert _columns(store, [], "key = '01'", None, kinds) == {a.id: now[a.id]}
        (chunk,) = store.columns("models", [], links=["run_models"])
        assert chunk == {"id": [model.id], "run_models": [to_b]}

    def test_links_of_own_kinds_may_join_anything(self, store: Store) -> None:
        """Give the edges of a kind whose ends may be of any kind."""
        write(store, node_kind("patient"), edge_kind("about", None, "patient"), edge_kind("of", "run", None))
        patient, a, data = named("patient", "p"), run("01"), named("datasets", "d")
        links = [edge("about", a, patient), edge("about", data, patient), edge("of", a, data)]
        number = write(store, patient, a, data, edges=links).number
        to_patient, to_data, to_a = (((node.id, EMPTY),) for node in (patient, data, a))
        for as_of in (None, number):
            assert _columns(store, [], "", as_of, ["about", "of"]) == {a.id: [to_patient, to_data]}
            (chunk,) = store.columns("datasets", [], None, as_of, ["of", "about"])
            assert chunk == {"id": [data.id], "of": [to_a], "about": [to_patient]}
            (chunk,) = store.columns("patient", [], None, as_of, ["about"])
            assert chunk["about"] == [_sorted(*to_a, *to_data)]

    @pytest.mark.parametrize("where", ["", "x > 0", "key = '01'"])
    def test_columns_hold_documents(self, store: Store, where: str) -> None:
        """Give the text of each match as it was then, beside its values and links."""
        old = [run(f"{i:02}", x=i + 1, far=[{"y": "ü"}]) for i in range(30)]
        bare = named("datasets", "d")
        before = write(store, *old, bare, edges=[edge("run_datasets", old[1], bare)]).number
        new = [old[0], old[1]._replace(text=text({"x": 9, "far": None})), *old[2:]]
        write(store, Put(new[1], "any"))
        for as_of, nodes in ((before, old), (None, new)):
            chunks = list(store.columns("run", ["x"], parse(where), as_of, ["run_datasets"], True))
            found = {row[0]: row[1:] for chunk in chunks for row in zip(*chunk.values(), strict=True)}
            assert [*chunks[0]] == ["id", "x", "run_datasets", "document"]
            links = {old[1].id: ((bare.id, EMPTY),)}
            assert found == {
                node.id: (node.document["x"], links.get(node.id, ()), node.text)
                for node in nodes
                if node.key == "01" or not where.startswith("key")
            }
        (chunk,) = store.columns("datasets", [], documents=True)
        assert chunk == {"id": [bare.id], "document": [bare.text]}

    def test_links_of_any_number_of_nodes(self, store: Store) -> None:
        """Stream the links of thousands, beside values and in chunks, whatever of them a filter leaves."""
        data = [named("datasets", f"d{i}") for i in range(3)]
        runs = [run(f"{i:05}", x=i % 1_000) for i in range(12_000)]
        links = [edge("run_datasets", each, data[i]) for i in range(3) for each in runs[: 12_000 // (i + 1)]]
        write(store, *data, *runs, edges=links)
        ends = [(each.id, EMPTY) for each in data]
        kept = {"": runs, "x = 1": runs[1::1_000], "key != '00003'": runs[:3] + runs[4:]}
        for where, nodes in kept.items():
            found = _columns(store, ["x"], where, None, ["run_datasets"])
            assert found == {
                each.id: [int(each.key) % 1_000, _sorted(*ends[: min(3, 12_000 // (int(each.key) + 1))])]
                for each in nodes
            }, where

    def test_count_counts_what_matches(self, store: Store) -> None:
        """Return the number under None."""
        assert store.count("run") == {None: 0}
        write(store, *(run(f"{i:02}", x=i % 3, cfg={"x": i}) for i in range(10)))
        assert store.count("run") == {None: 10}
        assert store.count("run", parse("x = 1")) == {None: 3}
        assert store.count("run", parse("cfg.x > 6")) == {None: 3}
        assert store.count("run", parse("x = 9")) == {None: 0}
        assert store.count("run", as_of=0) == {None: 0}

    def test_count_by_a_path_counts_each_value(self, store: Store) -> None:
        """Return a count for each value, and None for nodes without one scalar there."""
        values = [1, 1.0, "1", "a", "a", False, None, [1, 2], {}, 2**53 + 1]
        write(
            store, *(run(f"{i:02}", x=value, cfg={"x": value}) for i, value in enumerate(values)), run("99")
        )
        expected = {1: 2, "1": 1, "a": 2, False: 1, None: 4, "9007199254740993": 1}
        assert store.count("run", by="x") == expected
        assert store.count("run", by="cfg.x") == expected
        assert store.count("run", by="x", as_of=1) == expected
        assert store.count("run", parse("key < '05'"), by="x") == {1: 2, "1": 1, "a": 2}
        assert store.count("run", by="none") == {None: 11}
        assert store.count("run", parse("x = 'b'"), by="x") == {}
        write(store, run("50", x=LONG))
        assert store.count("run", by="x") == {**expected, LONG: 1}
        assert store.count("run", parse("key < '05'"), by="x") == {1: 2, "1": 1, "a": 2}

    def test_count_by_project_and_of_projects(self, store: Store) -> None:
        """Count what belongs to no project under None, with any condition on the project."""
        assert store.count("run", by="project") == {}
        projects = ["a", "a", "b", "", "mine", "other"]
        write(store, *(run(f"{i:02}")._replace(project=name) for i, name in enumerate(projects)))
        every = {"a": 2, "b": 1, None: 1, "mine": 1, "other": 1}
        for where, expected in {
            "": every,
            "project = 'a'": {"a": 2},
            "project != 'a'": {"b": 1, "mine": 1, "other": 1},
            "project in ('a', 'other', 'none', 1)": {"a": 2, "other": 1},
            "project is null or project in ('b')": {"b": 1, None: 1},
            "not project like 'm%' and not project = 'a'": {"b": 1, None: 1, "other": 1},
            "project > 'a' and not project is null": {"b": 1, "mine": 1, "other": 1},
            "project = 'a' and key > '00'": {"a": 1},
            "project = 'none'": {},
        }.items():
            condition = parse(where)
            assert store.count("run", condition, by="project") == expected, where
            assert store.count("run", condition, by="project", as_of=1) == expected, where
            assert store.count("run", condition) == {None: sum(expected.values())}, where

    @pytest.mark.parametrize("path", ["x", "cfg.x"])
    def test_count_tells_true_from_one(self, store: Store, path: str) -> None:
        """Count booleans as texts where the numbers that Python takes them for occur too."""
        values = [1, True, True, 0.0, False, 2]
        write(store, *(run(f"{i:02}", x=value, cfg={"x": value}) for i, value in enumerate(values)))
        assert store.count("run", by=path) == {1: 1, "true": 2, 0: 1, "false": 1, 2: 1}
        assert store.count("run", parse(f"{path} >= false"), by=path) == {True: 2, False: 1}

    def test_count_by_a_neighbour_or_a_metric(self, store: Store) -> None:
        """Count by technique of the model, params, metrics and names."""
        a, b, c = run("01", "n"), run("02", "n"), run("03")
        ridge, svr = named("models", "m", technique="ridge"), named("models", "s", technique="svr")
        write(store, a, b, c, ridge, svr, edge_kind("judges", "models", "run"))
        write(
            store,
            edges=[edge("run_models", ridge, a), edge("run_models", svr, b), edge("run_models", svr, a)],
        )
        write(store, owned("devperf", a, {"m": 1}), points=[points(b, "m", 1)])
        assert store.count("run", by="model.technique") == {None: 2, "svr": 1}
        assert store.count("run", by="metrics.m") == {1: 2, None: 1}
        assert store.count("run", by="name") == {"n": 2, None: 1}
        assert store.count("models", by="run.name") == {"n": 1, None: 1}


def _sorted(*links: tuple[str, str]) -> Links:
    return tuple(sorted(links))


def _columns(
    store: Store, paths: list[str], where: str = "", as_of: AsOf = None, links: Sequence[str] = ()
) -> dict[str, list[Any]]:
    found = {}
    for chunk in store.columns("run", paths, parse(where), as_of, links):
        assert list(chunk) == ["id", *paths, *links]
        for node_id, *cells in zip(*chunk.values(), strict=True):
            found[node_id] = cells
    return found
