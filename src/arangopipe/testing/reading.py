"""Promises about reading: by id, by name, in time; what is handed out."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from arangopipe.errors import InvalidInput, NotFound
from arangopipe.model.graph import Change, Node, Point, Put
from arangopipe.store.base import Store
from arangopipe.testing.build import (
    edge,
    every,
    keys,
    named,
    names,
    one,
    owned,
    points,
    recorded,
    run,
    search,
    write,
)

TEXTS = {
    "accents": "Größe naïve",
    "decomposed": "e\u0301",
    "composed": "\u00e9",
    "right to left": "שלום \u202eعالم",
    "emoji": "👩🏽‍🔬🧪",
    "last": "\U0010ffff\ufffe",
    "quotes": "\"a\" 'b' `c` \\ %_*?[x]",
    "lines": "a\nb\tc\r\n\u2028",
    "blanks": "  a  ",
    "sql": "'; DROP TABLE node; --",
    "number": "1e5",
    "long": "x" * 1_000,
}
DOCUMENT: dict[str, Any] = {
    "null": None,
    "true": True,
    "one": 1,
    "one point": 1.0,
    "minus zero": -0.0,
    "small": 5e-324,
    "large": 1.7976931348623157e308,
    "exact": 2**53,
    "beyond": 2**53 + 1,
    "long": 2**64,
    "huge": -(10**400),
    "nul": "a\x00b",
    "text": TEXTS,
    "": {"": []},
    "deep": {"a": [{"b": [[], {}, [1, [2]]]}]},
    "z\U0001f600": "astral key",
    "z\uffff": "last of the plane",
    "very long": "é" * 200_000,
}


class Reading:
    """What the reads of a store promise."""

    # By id

    def test_get_answers_in_the_order_asked(self, store: Store) -> None:
        """Return a node for each id, None where there is none, the same one twice if asked twice."""
        data, execution = named("datasets", "d"), run("01")
        write(store, data, execution)
        asked = ["run/01", "run/02", data.id, "planets/mars", "datasets/01", "run/01"]
        first, second = execution._replace(revision=1), data._replace(revision=1)
        assert store.get(asked) == (first, None, second, None, None, first)
        assert store.get([]) == ()

    @pytest.mark.parametrize("bad", ["", "run", "run/", "/01"])
    def test_what_is_no_id_is_refused(self, store: Store, bad: str) -> None:
        """Raise `InvalidInput` for a text that is not ``kind/key``."""
        with pytest.raises(InvalidInput):
            store.get([bad])
        with pytest.raises(InvalidInput):
            store.revisions(bad)

    def test_get_tells_many_ids_apart(self, store: Store) -> None:
        """Answer for thousands of ids at once."""
        nodes = [run(f"{i:05}", x=i) for i in range(3_000)]
        write(store, *nodes)
        assert store.get([node.id for node in reversed(nodes)]) == tuple(
            node._replace(revision=1) for node in reversed(nodes)
        )

    def test_owned_gives_what_runs_own(self, store: Store) -> None:
        """Give the texts of modelparams and devperf by key of a run, now and earlier, never another's."""
        first, second, bare = run("01"), run("02"), run("k'3%")
        params, perf = owned("modelparams", first, {"a": 1}), owned("devperf", first, {"m": 1})
        write(store, first, params, perf, second, owned("devperf", second, {"m": 2}), bare)
        write(store, Put(params._replace(text='{"a":2}'), "any"), closes=[perf])
        keys = [bare.key, "01", "absent", "02", "01"]
        none = ("{}", "{}")
        assert store.owned(keys) == {
            bare.key: none,
            "01": ('{"a":2}', "{}"),
            "absent": none,
            "02": ("{}", '{"m":2}'),
        }
        assert store.owned(["01"], as_of=1) == {"01": ('{"a":1}', '{"m":1}')}
        assert store.owned(["01"], as_of=0) == {"01": none}
        assert store.owned([]) == {}

    # By name

    def test_it_is_known_when_runs_last_wrote(self, store: Store) -> None:
        """Tell the time of the last change that wrote a run, its params, its metrics or points of it."""
        a, b, c = run("01", x=1), run("02"), run("03")
        params, perf = owned("modelparams", a, {"p": 1}), owned("devperf", a, {"m": 1})
        made = [
            write(store, a, b, points=[points(b, "later", 9)]),
            write(store, params),
            write(store, perf, c),
            write(store, points=[points(a, "loss", 1), points(a, "other", 1)]),
            write(store, points=[points(a, "loss", 0, step=9), points(c, "loss", 1)]),
            write(store, Put(a._replace(text='{"x":2}'), "any")),
            write(store, Put(params._replace(text='{"p":2}'), "any")),
            write(store, closes=[c]),
            write(store, c),
            write(store, closes=[perf]),
        ]
        last = {"01": (1, 2, 3, 4, 5, 6, 7, 7, 7, 7), "02": (1,) * 10, "03": (0, 0, 3, 3, 5, 5, 5, 0, 9, 9)}
        for number in range(1, 11):
            wanted = {key: found[number - 1] for key, found in last.items() if found[number - 1]}
            times = {key: made[by - 1].time for key, by in wanted.items()}
            assert store.last_written([*last, "04"], number) == times
        assert store.last_written(["03", "04", "03"]) == {"03": made[8].time}
        assert store.last_written(["01"]) == {"01": made[6].time}
        assert store.last_written([]) == store.last_written(["01"], 0) == {}

    def test_find_gives_the_newest_first(self, store: Store) -> None:
        """Return all nodes of a name in the order of their creation, whatever was revised since."""
        nodes = [named("datasets", "d", version) for version in ("2", "10", "b", "1")]
        for node in nodes:
            write(store, node, named("datasets", "d2", node.version))
        write(store, Put(nodes[0]._replace(text='{"x":1}'), "any"))
        assert [node.version for node in store.find("datasets", "d")] == ["1", "b", "10", "2"]
        assert store.find("featuresets", "d") == ()

    def test_find_orders_what_one_batch_created(self, store: Store) -> None:
        """Take the order of the puts of a batch as the order of their creation."""
        write(store, *(named("datasets", "d", version) for version in ("2", "3", "1")))
        assert [node.version for node in store.find("datasets", "d")] == ["1", "3", "2"]

    def test_find_tells_projects_apart(self, store: Store) -> None:
        """Return those of one project, the shared ones for the empty text, and all for None."""
        shared, mine, other = (named("datasets", "d", project=p) for p in ("", "mine", "other"))
        write(store, shared, mine, other)
        assert [node.project for node in store.find("datasets", "d")] == ["other", "mine", ""]
        assert [node.project for node in store.find("datasets", "d", "mine")] == ["mine"]
        assert [node.project for node in store.find("datasets", "d", "")] == [""]
        assert store.find("datasets", "d", "none") == ()

    def test_called_takes_a_key_before_a_name(self, store: Store) -> None:
        """Return the one node of a key, else all of a name, the newest first; as it was then, too."""
        write(store, run("01", "a"), run("02", "b"))
        write(store, run("a", "b"), Put(run("01", "a", x=1), "any"))
        assert keys(store.called("run", "01")) == ["01"]
        assert keys(store.called("run", "a")) == ["a"]
        assert keys(store.called("run", "a", as_of=1)) == ["01"]
        assert keys(store.called("run", "b")) == ["a", "02"]
        assert store.called("run", "c") == store.called("deployment", "a") == ()

    def test_names_are_told_apart_by_every_character(self, store: Store) -> None:
        """Find a name as it was written, character by character."""
        write(store, *(named("datasets", name) for name in TEXTS.values()))
        for name in TEXTS.values():
            assert names(store.find("datasets", name)) == [name]
        assert store.find("datasets", "größe naïve") == ()
        assert store.find("datasets", "") == ()

    # What is handed out

    def test_documents_come_back_byte_for_byte(self, store: Store) -> None:
        """Keep the canonical text of nodes and edges: unicode, NUL, big integers, nesting, size."""
        node, other = run("01", **DOCUMENT), named("datasets", "d", **DOCUMENT)
        link = edge("run_datasets", node, other, **DOCUMENT)
        write(store, node, other, edges=[link])
        assert store.get([node.id, other.id]) == (node._replace(revision=1), other._replace(revision=1))
        assert store.edges([node.id]) == (link._replace(revision=1),)
        assert store.revisions(node.id)[0].node.text == node.text

    def test_names_of_metrics_come_back_as_they_were(self, store: Store) -> None:
        """Keep any text as the name of a metric."""
        write(store, run("01"), points=[points("run/01", name, 1.0) for name in TEXTS.values()])
        assert store.points("run/01") == {name: [Point(0, 0, 1.0)] for name in TEXTS.values()}

    def test_what_is_handed_out_is_a_copy(self, store: Store) -> None:
        """Hand out nothing whose change would reach the store."""
        node = run("01", tags={"a": [1]})
        write(store, node, points=[points(node, "loss", 1.0)])
        found = one(store, node)
        assert found is not None
        found.document["tags"]["a"].append(2)
        found.document.clear()
        store.points(node.id)["loss"].clear()
        store.points(node.id).clear()
        assert one(store, node) == node._replace(revision=1)
        assert one(store, node).document == {"tags": {"a": [1]}}  # type: ignore[union-attr]
        assert len(store.points(node.id)["loss"]) == 1

    # Edges

    def test_edges_are_given_from_either_end(self, store: Store) -> None:
        """Return each edge that touches any of the nodes once, walked or not, and of the kinds asked."""
        data, model = named("datasets", "d"), named("models", "m")
        links = {
            edge("run_datasets", "run/01", data, roles=["training"]),
            edge("run_datasets", "run/02", data),
            edge("run_models", model, "run/01"),
            edge("related", "run/02", "run/01"),
        }
        write(store, data, model, run("01"), run("02"), edges=links)
        links = {link._replace(revision=1) for link in links}
        assert set(store.edges([data.id])) == {link for link in links if link.target == data.id}
        assert set(store.edges(["run/01"])) == {link for link in links if link.source != "run/02"} | {
            link for link in links if link.kind == "related"
        }
        assert sorted(store.edges(["run/01", "run/02", data.id, "run/01"])) == sorted(links)
        of_kind = store.edges([data.id, "run/01"], kinds=["run_models", "related", "orbits"])
        assert {link.kind for link in of_kind} == {"run_models", "related"}
        assert store.edges([data.id], kinds=["orbits"]) == ()
        assert len(store.edges(["run/01", "run/02"], limit=3)) == 3
        assert store.edges([]) == store.edges(["run/09", "planets/mars"]) == ()

    def test_edges_are_counted_by_kind_and_direction_up_to_a_bound(self, store: Store) -> None:
        """Count the edges of a kind that lead away from a node or to it, now or then, up to a bound."""
        data, *runs = named("datasets", "d"), run("01"), run("02"), run("03")
        links = [edge("run_datasets", each, data) for each in runs]
        write(store, data, *runs, edges=[*links, edge("related", data, "run/01")])
        write(store, closes=[links[0].ref])
        assert [store.degree(data.id, "run_datasets", away) for away in (True, False)] == [0, 2]
        assert [store.degree(data.id, "related", away) for away in (True, False)] == [1, 0]
        assert store.degree(data.id, "run_datasets", False, 1) == 1
        assert store.degree(data.id, "run_datasets", False, as_of=1) == 3
        assert store.degree("run/01", "run_datasets", True, as_of=2) == 0
        for node, kind in ((data.id, "orbits"), ("run/09", "run_datasets"), ("planets/mars", "related")):
            assert store.degree(node, kind, True) == store.degree(node, kind, False) == 0
        with pytest.raises(InvalidInput, match="most"):
            store.degree(data.id, "related", True, 0)

    # In time

    def test_every_read_shows_what_was_recorded_then(self, store: Store) -> None:
        """Answer every read as of any change, by its number and by its time, as it was answered then."""
        data, model, execution = named("datasets", "d", rows=1), named("models", "m"), run("01", x=1)
        params, perf = owned("modelparams", execution, {"a": 1}), owned("devperf", execution, {"f": 1})
        used, trained = edge("run_datasets", execution, data), edge("run_models", model, execution)
        steps: list[Any] = [
            lambda: write(store, data, model),
            lambda: write(store, execution, params, perf, edges=[used, trained]),
            lambda: write(store, points=[points(execution, "loss", 3.0, 2.0)]),
            lambda: write(store, Put(data._replace(text='{"rows":2}'), "any")),
            lambda: write(store, Put(params._replace(text='{"a":2}'), "any"), run("02", x=1)),
            lambda: write(store, points=[points(execution, "loss", 1.0, step=2)]),
            lambda: write(store, edges=[edge("run_datasets", execution, data, roles=["test"])]),
            lambda: write(store, closes=[trained]),
            lambda: write(store, closes=[data]),
            lambda: write(store, Put(perf._replace(text='{"f":2,"loss":7}'), "any")),
            lambda: write(store, closes=[execution]),
            lambda: write(store, execution),
        ]
        then: list[tuple[Change, Any]] = []
        for step in steps:
            change = step()
            then.append((change, _answers(store, None)))
        for change, answers in then:
            assert _answers(store, change.number) == answers, f"as of {change.number}"
        last = {change.time: answers for change, answers in then}
        for moment, answers in last.items():
            assert _answers(store, moment) == answers, f"as of {moment}"
            eastern = moment.astimezone(timezone(timedelta(hours=5)))
            assert store.head(eastern) == store.head(moment)

    def test_before_the_first_change_the_store_is_empty(self, store: Store) -> None:
        """Show nothing as of number 0, or a time before the first change."""
        change = write(store, named("datasets", "d"), run("01"), points=[points("run/01", "loss", 1.0)])
        for as_of in (0, change.time - timedelta(microseconds=1), datetime(1, 1, 1, tzinfo=timezone.utc)):
            assert store.head(as_of) is None
            assert recorded(store, as_of) == {"nodes": [], "edges": set(), "points": {}}
            assert store.find("datasets", "d", as_of=as_of) == ()
            assert store.count("run", as_of=as_of) == {None: 0}
            with pytest.raises(NotFound):
                store.traverse(["run/01"], "upstream", as_of=as_of)

    def test_beyond_the_last_change_is_now(self, store: Store) -> None:
        """Show the present as of a number or a time that has not come."""
        write(store, run("01"))
        change = write(store, run("02"))
        for as_of in (2, 3, 2**40, change.time + timedelta(days=1)):
            assert store.head(as_of) == change
            assert recorded(store, as_of) == recorded(store)

    @pytest.mark.parametrize("as_of", [-1, True, False, "1", 1.0, datetime(2026, 11, 23)])
    def test_what_is_no_moment_is_refused(self, store: Store, as_of: Any) -> None:
        """Raise `InvalidInput` for a negative number, a time without a zone, and whatever is neither."""
        write(store, run("01"))
        reads: list[Any] = [
            lambda: store.head(as_of),
            lambda: store.get(["run/01"], as_of),
            lambda: store.owned(["01"], as_of),
            lambda: store.find("run", "n", as_of=as_of),
            lambda: store.search("run", as_of=as_of),
            lambda: list(store.columns("run", ["x"], as_of=as_of)),
            lambda: store.count("run", as_of=as_of),
            lambda: store.edges(["run/01"], as_of=as_of),
            lambda: store.degree("run/01", "run_datasets", True, as_of=as_of),
            lambda: store.traverse(["run/01"], "upstream", as_of=as_of),
            lambda: store.points("run/01", as_of=as_of),
        ]
        for read in reads:
            with pytest.raises(InvalidInput):
                read()

    # Revisions

    def test_revisions_are_all_states_of_a_node(self, store: Store) -> None:
        """Return each state with the change that wrote it and the one that ended it, the oldest first."""
        node = run("01", "n", x=1)
        second = node._replace(text='{"x":2}', name="m")
        changes = [
            write(store, node),
            write(store, Put(second, "any"), run("02")),
            write(store, closes=[node]),
            write(store, node),
        ]
        found = store.revisions("run/01")
        assert [state.node for state in found] == [
            node._replace(revision=1),
            second._replace(revision=2),
            node._replace(revision=4),
        ]
        assert [state.change for state in found] == [changes[0], changes[1], changes[3]]
        assert [state.closed_by for state in found] == [changes[1], changes[2], None]
        assert store.revisions("run/09") == store.revisions("planets/mars") == ()

    # Changes

    def test_changes_are_streamed_in_order(self, store: Store) -> None:
        """Return the changes after a number, as many as asked."""
        made = [write(store, run(f"{i:02}")) for i in range(7)]
        assert list(store.changes()) == made
        assert list(store.changes(after=3)) == made[3:]
        assert list(store.changes(after=2, limit=2)) == made[2:4]
        assert list(store.changes(after=7)) == list(store.changes(after=99)) == []


def _answers(store: Store, as_of: Any) -> dict[str, Any]:
    """Return what every kind of read says about the store of the test above."""
    data, model = named("datasets", "d"), named("models", "m")
    there: list[Node] = [node for node in store.get([data.id, "run/01", model.id], as_of) if node]
    head = store.head(as_of)
    return {
        **recorded(store, as_of),
        "head": head and head.number,
        "get": there,
        "find": store.find("datasets", "d", as_of=as_of),
        "search": keys(
            search(store, "run", "params.a = 2 or metrics.loss = 2 or dataset.rows > 0", as_of=as_of).items
        ),
        "order": keys(search(store, "run", order="metrics.loss desc, key", as_of=as_of).items),
        "summary": keys(search(store, "run", "metrics.loss.min = 1", as_of=as_of).items),
        "columns": _cells(store, as_of),
        "links": sorted(
            row
            for chunk in store.columns("run", [], None, as_of, ["run_models", "run_datasets"])
            for row in zip(*chunk.values(), strict=True)
        ),
        "count": store.count("run", by="x", as_of=as_of),
        "trained": store.count("run", by="model.name", as_of=as_of),
        "every": keys(every(store, "run", as_of, page=1)),
        "walks": [
            (graph.depths, set(graph.edges), dict(graph.nodes))
            for node in there
            for way in ("upstream", "downstream")
            for graph in [store.traverse([node.id], way, as_of=as_of)]
        ],
    }


def _cells(store: Store, as_of: Any) -> list[tuple[Any, ...]]:
    chunks = store.columns("run", ["x", "params.a", "metrics.loss", "metrics.f", "model.name"], as_of=as_of)
    return sorted(row for chunk in chunks for row in zip(*chunk.values(), strict=True))
