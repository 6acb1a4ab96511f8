"""Promises about searching: what a filter means, and what a path reads."""

from __future__ import annotations

from typing import Any

import pytest

from arangopipe.errors import InvalidInput
from arangopipe.model.filters import parse
from arangopipe.model.graph import Node, Put
from arangopipe.store.base import Store
from arangopipe.testing.build import (
    edge,
    every,
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

VALUES: dict[str, Any] = {
    "one": 1,
    "one point": 1.0,
    "two": 2,
    "half": 0.5,
    "negative": -3,
    "exact": 2**53,
    "beyond": 2**53 + 1,
    "huge": 1e300,
    "text one": "1",
    "ridge": "ridge",
    "Ridge": "Ridge",
    "sharp s": "Straße",
    "empty": "",
    "long": "x" * 1_500 + "y",
    "nan": "NaN",
    "text true": "true",
    "true": True,
    "false": False,
    "null": None,
    "list": [1, "ridge"],
    "list of lists": [[2], [True, [None]]],
    "list of one": [7],
    "null and one": [None, 1],
    "nulls": [None],
    "empty list": [],
    "object": {"a": 1},
    "objects": [{"a": 2}, {"a": [3, "x"]}, {"b": 4}],
}
"""Runs by name, with the value of their attribute ``v``; one more, "missing", has none."""

EVERY = {*VALUES, "missing"}
ONES = {"one", "one point", "list", "null and one"}
TEXTS = {
    "beyond", "text one", "ridge", "Ridge", "sharp s", "empty", "long", "nan", "text true", "list",
}  # fmt: skip
NULLS = {"null", "missing", "nulls"}

MEANING: dict[str, set[str]] = {
    "v = 1": ONES,
    "v = 1.0": ONES,
    "v = '1'": {"text one"},
    "v = true": {"true", "list of lists"},
    "v = 'true'": {"text true"},
    "v = false": {"false"},
    "v = 7": {"list of one"},
    "v != 1": {"two", "half", "negative", "exact", "huge", "list of lists", "list of one"},
    "v != 'ridge'": TEXTS - {"ridge", "list"},
    "v != true": {"false"},
    "not v = 1": EVERY - ONES,
    "v > 1": {"two", "exact", "huge", "list of lists", "list of one"},
    "v >= 1": {"two", "exact", "huge", "list of lists", "list of one"} | ONES,
    "v < 1": {"half", "negative"},
    "v <= -3": {"negative"},
    "v > 0.4 and v < 1.5": ONES | {"half"},
    "v < true": {"false"},
    "v >= false": {"true", "false", "list of lists"},
    "v = 9007199254740992": {"exact"},
    "v = 9007199254740993": {"beyond"},
    "v = '9007199254740993'": {"beyond"},
    "v > 9007199254740993": TEXTS - {"beyond", "text one", "empty"},
    "v > 1e299": {"huge"},
    "v > 'S'": {"ridge", "sharp s", "long", "text true", "list"},
    "v <= 'NaN'": {"beyond", "text one", "empty", "nan"},
    "v <= ''": {"empty"},
    "v = 'ridge'": {"ridge", "list"},
    "v = 1 and v = 'ridge'": {"list"},
    "v = 'Straße'": {"sharp s"},
    "v = 'NaN'": {"nan"},
    "v in (1, 'ridge', false)": ONES | {"ridge", "false"},
    "v in (9007199254740993)": {"beyond"},
    "v in ('')": {"empty"},
    "v not in (1, 2)": EVERY - ONES - {"two", "list of lists"},
    "v like 'r%'": {"ridge", "list"},
    "v like '_idge'": {"ridge", "Ridge", "list"},
    "v like 'Ridge'": {"Ridge"},
    "v ilike 'RID%'": {"ridge", "Ridge", "list"},
    "v ilike 'STRASSE'": {"sharp s"},
    "v like '%'": TEXTS,
    "v like ''": {"empty"},
    "v like '%xy'": {"long"},
    "v like '900719925474099_'": {"beyond"},
    "v not like '%'": EVERY - TEXTS,
    "v is null": NULLS,
    "v is not null": EVERY - NULLS,
    "not v is null": EVERY - NULLS,
    "v.a is null": EVERY - {"object", "objects"},
    "v.a = 1": {"object"},
    "v.a = 3": {"objects"},
    "v.a = 2 and v.a = 'x' and v.b = 4": {"objects"},
    "v.a.b is null": EVERY,
    "none = 1": set(),
    "none != 1": set(),
    "none is null": EVERY,
    "v = 1 or v = 2": ONES | {"two", "list of lists"},
    "not (v = 1 or v is null)": EVERY - ONES - NULLS,
    "v = 2 or v = 1 and v = 'ridge'": {"two", "list of lists", "list"},
    "not (not v = true)": {"true", "list of lists"},
    "": EVERY,
}

WORDS: dict[str, set[str]] = {
    "name = 'iris'": {"1", "2"},
    "name != 'iris'": {"3"},
    "name like 'I%'": set(),
    "name ilike 'I%'": {"1", "2", "3"},
    "name in ('iris', 'isle of data', 3)": {"1", "2", "3"},
    "name > 'iris'": {"3"},
    "name = 3": set(),
    "name is null": set(),
    "version = '2'": {"2"},
    "version > '1'": {"2", "3"},
    "project = 'p'": {"2"},
    "project is null": {"1", "3"},
    "project != 'q'": {"2"},
    "project like '%'": {"2"},
    "not project = 'p'": {"1", "3"},
    "key = 'mine'": {"3"},
    "key like 'mi%' and name = 'isle of data'": {"3"},
    "\"name\" = 'inner'": {"1"},
    '"name" is null': {"3"},
    "\"key\" = 'inner key'": {"2"},
    '"a b" = 1': {"1"},
    '"r.squared" > 0.4': {"2"},
    '"in" = 3': {"3"},
    '"say ""hi""" = true': {"3"},
    "größe = 5": {"1"},
    "cfg.lr = 0.1": {"1"},
    'cfg."a.b" = 1': {"2"},
    "cfg.deep.er.x = 'y'": {"3"},
    "cfg.deep.er.x is null": {"1", "2"},
    "cfg = 1": set(),
    "tags.team = 'a'": {"1"},
    "tags.team = 'b'": {"1", "2"},
    "tags.deep.x > 1": {"2"},
    "tags.n != 1": {"2"},
    "tags.team is null": {"3"},
    "name.x = 1": {"2"},
}

RUNS: dict[str, set[str]] = {
    "params.alpha = 1": {"a"},
    "params.alpha > 0.5": {"a", "b"},
    "params.alpha is null": {"c", "d"},
    "params.optimizer.lr = 0.1": {"a"},
    "params.layers = 64": {"b"},
    "params.flag = true": {"a"},
    "params.note like '%end'": {"b"},
    "params.n = 12345678901234567890": {"b"},
    'params."r.squared" = 1': {"b"},
    'params."" = 5': {"a"},
    "params = 1": set(),
    '"params".alpha = 7': {"c"},
    '"params" is null': {"a", "b", "d"},
    "metrics.rmse < 55": {"a"},
    "metrics.rmse >= 55": {"b"},
    "metrics.rmse is null": {"c", "d"},
    "metrics.f1 = 0.5": {"b"},
    "metrics.f1 != 0.5": set(),
    "metrics.f1 = 'NaN'": set(),
    "metrics.f1 is not null": {"a", "b"},
    "metrics.by.class.x = 1": {"a"},
    "metrics.rmse <= 60 and (params.alpha >= 2 or model.technique = 'ridge')": {"a", "b"},
    "status = 'failed' or metrics.rmse < 55": {"a", "c"},
    "alpha = 1": set(),
}

HOPS: dict[str, tuple[str, set[str]]] = {
    "model.technique = 'ridge'": ("run", {"a", "b"}),
    "model.technique != 'ridge'": ("run", {"c"}),
    "not model.technique = 'ridge'": ("run", {"c", "d"}),
    "model.name like 'm%'": ("run", {"a", "b", "c"}),
    "model.project = 'p'": ("run", {"c"}),
    "model.project is null": ("run", {"a", "b", "d"}),
    "model.technique is null": ("run", {"d"}),
    "model.technique is not null": ("run", {"a", "b", "c"}),
    "model.cfg.depth = 3": ("run", {"c"}),
    "dataset.name = 'd1'": ("run", {"a", "b"}),
    "dataset.rows > 100": ("run", {"a", "c"}),
    "dataset.name = 'd1' and dataset.name = 'd2'": ("run", {"a"}),
    "dataset.tags.team = 'x'": ("run", {"a", "b"}),
    "featureset.columns = 's5'": ("run", {"b"}),
    "featureset.name in ('f', 'g')": ("run", {"b"}),
    "run.name = 'a'": ("run", {"b"}),
    "modelparams.alpha = 1": ("run", {"a"}),
    "devperf.rmse = 60": ("run", {"b"}),
    "modelparams.key is not null": ("run", {"a", "b", "c"}),
    "run.status = 'failed'": ("models", {"m2"}),
    "run.name = 'a' or run.name = 'c'": ("models", {"m1", "m2"}),
    "run.name is null": ("models", {"m3"}),
    "project.name = 'p'": ("models", {"m2"}),
    "deployment.name = 'prod'": ("models", {"m1"}),
    "featureset.name = 'f'": ("datasets", {"d1"}),
    "run.status in ('finished')": ("datasets", {"d1", "d2"}),
    "dataset.rows = 50": ("featuresets", {"f"}),
    "deployment.status = 'active'": ("featuresets", {"f"}),
    "model.name = 'm2'": ("project", {"p"}),
    "model.technique = 'ridge' and featureset.name = 'f'": ("deployment", {"prod"}),
    "modelparams.alpha = 2": ("deployment", {"prod"}),
    "servingperf.rmse > 50": ("deployment", {"prod"}),
    "servingperf.f1 > 0 or servingperf.f1 = 'NaN'": ("deployment", set()),
    "\"model\".technique = 'own'": ("run", {"d"}),
}


class Searching:
    """What a search finds."""

    @pytest.mark.parametrize("where", MEANING)
    def test_a_filter_means_what_the_language_says(self, store: Store, where: str) -> None:
        """Compare values by type, arrays by any element, integers beyond 2**53 as text."""
        nodes = {name: run(f"{i:02}", name, v=value) for i, (name, value) in enumerate(VALUES.items())}
        expression, expected = parse(where), MEANING[where]
        # A long text may keep an engine from its index: all is asked without it, with it, and in the past.
        long = nodes.pop("long")
        write(store, *nodes.values(), run("99", "missing"))
        assert set(names(search(store, "run", where).items)) == expected - {"long"}
        assert store.count("run", expression) == {None: len(expected - {"long"})}
        write(store, long)
        assert set(names(search(store, "run", where).items)) == expected
        assert store.count("run", expression) == {None: len(expected)}
        assert set(names(search(store, "run", where, as_of=1).items)) == expected - {"long"}
        assert set(names(search(store, "run", where, as_of=2).items)) == expected

    @pytest.mark.parametrize("where", WORDS)
    def test_a_path_reads_a_nodes_own_words_and_attributes(self, store: Store, where: str) -> None:
        """Read key, name, version and project of the node, quoted names and nested ones of its document."""
        documents = [
            {"name": "inner", "größe": 5, "a b": 1, "cfg": {"lr": 0.1}, "tags": {"team": ["a", "b"], "n": 1}},
            {"name": {"x": 1}, "key": "inner key", "r.squared": 0.5, "cfg": {"a.b": 1},
             "tags": {"team": "b", "n": 2, "deep": {"x": 3}}},
            {"in": 3, 'say "hi"': True, "cfg": {"deep": {"er": {"x": "y"}}}},
        ]  # fmt: skip
        titles = [("iris", "1", ""), ("iris", "2", "p"), ("isle of data", "3", "")]
        nodes = [
            named("datasets", *title)._replace(text=text(document))
            for title, document in zip(titles, documents, strict=True)
        ]
        nodes[2] = nodes[2]._replace(key="mine")
        write(store, *nodes)
        assert {node.version for node in search(store, "datasets", where).items} == WORDS[where]

    @pytest.mark.parametrize("where", RUNS)
    def test_a_run_is_searched_with_its_params_and_metrics(self, store: Store, where: str) -> None:
        """Read the run's modelparams under ``params`` and its devperf under ``metrics``."""
        _pipeline(store)
        assert set(names(search(store, "run", where).items)) == RUNS[where]
        assert set(names(search(store, "run", where, as_of=store.head().number).items)) == RUNS[where]  # type: ignore[union-attr]

    @pytest.mark.parametrize("where", HOPS)
    def test_a_path_may_lead_one_edge_away(self, store: Store, where: str) -> None:
        """Read the nodes that lie one edge away, along the edge or against it; any of them may match."""
        _pipeline(store)
        kind, expected = HOPS[where]
        assert set(names(search(store, kind, where).items)) == expected
        assert set(names(search(store, kind, where, as_of=store.head().number).items)) == expected  # type: ignore[union-attr]

    def test_a_search_sees_every_change_at_once(self, store: Store) -> None:
        """Find a node by its present values only, as soon as they are written."""
        node, params = run("01", x=1, tags={"a": "b"}), owned("modelparams", run("01"), {"a": [1, 2]})
        perf, model = owned("devperf", run("01"), {"m": 1}), named("models", "m", technique="ridge")
        trained = edge("run_models", model, node)
        write(store, node, params, perf, model, edges=[trained])
        old = ("x = 1", "tags.a = 'b'", "params.a = 2", "metrics.m = 1", "model.technique = 'ridge'")
        assert all(search(store, "run", where).items for where in old)
        write(
            store,
            Put(node._replace(text=text({"x": 2, "tags": {"a": "c"}})), "any"),
            Put(params._replace(text='{"a":[3]}'), "any"),
            Put(perf._replace(text='{"m":2}'), "any"),
            Put(model._replace(text='{"technique":"lasso"}'), "any"),
        )
        new = ("x = 2", "tags.a = 'c'", "params.a = 3", "metrics.m = 2", "model.technique = 'lasso'")
        assert not any(search(store, "run", where).items for where in old)
        assert all(search(store, "run", where).items for where in new)
        write(store, closes=[trained])
        assert search(store, "run", new[-1]).items == ()
        assert all(search(store, "run", where, as_of=1).items for where in old)
        assert not any(search(store, "run", where, as_of=1).items for where in new)

    # Points

    def test_points_speak_for_their_metric(self, store: Store) -> None:
        """Read the last point by (step, time) as the metric, and its least, greatest and last value."""
        a, b, c, d = (run(f"0{i}", name) for i, name in enumerate("abcd"))
        perf = owned("devperf", a, {"loss": 99, "f1": 0.5})
        deep = owned("devperf", d, {"loss": {"min": 5}})
        write(store, a, b, c, d, perf, deep)
        write(store, points=[points(a, "loss", 3, 1, 2), points(b, "loss", 5.5), points(c, "acc", 1)])
        expected = {
            "metrics.loss = 2": "a",
            "metrics.loss = 99": "",
            "metrics.loss.last = 2": "a",
            "metrics.loss.min = 1": "a",
            "metrics.loss.max >= 3": "ab",
            "metrics.loss.min = 5": "d",
            "metrics.loss > 0": "ab",
            "metrics.loss is null": "c",
            "metrics.loss.first is null": "abcd",
            "metrics.acc.max = 1": "c",
            "metrics.f1 = 0.5": "a",
        }
        for where, found in expected.items():
            assert sorted(names(search(store, "run", where).items)) == list(found), where
        write(store, points=[points(a, "loss", 0.5, step=1)])
        assert names(search(store, "run", "metrics.loss = 2 and metrics.loss.min = 0.5").items) == ["a"]
        write(store, points=[points(a, "loss", 0.25, step=2)])
        assert names(search(store, "run", "metrics.loss = 0.25 and metrics.loss.max = 3").items) == ["a"]
        assert search(store, "run", "metrics.loss = 2 and metrics.loss.min = 0.5").items == ()
        assert names(search(store, "run", "metrics.loss = 2", as_of=2).items) == ["a"]
        write(store, Put(perf._replace(text='{"loss":98}'), "any"))
        assert names(search(store, "run", "metrics.loss = 98 or metrics.f1 = 0.5").items) == []

    def test_points_that_are_not_finite_never_compare(self, store: Store) -> None:
        """Leave them out of min and max, and compare with none of them, but count them as present."""
        a, b = run("01", "a"), run("02", "b")
        write(store, a, b, points=[points(a, "loss", 1, "Infinity", 2, "NaN"), points(b, "loss", "NaN")])
        expected = {
            "metrics.loss > 0 or metrics.loss <= 0 or metrics.loss = 'NaN'": "",
            "metrics.loss is null": "",
            "metrics.loss.last is not null": "ab",
            "metrics.loss.max = 2": "a",
            "metrics.loss.min = 1": "a",
            "metrics.loss.max is not null": "ab",
            "metrics.loss.max < 1e308": "a",
        }
        for where, found in expected.items():
            assert sorted(names(search(store, "run", where).items)) == list(found), where
        assert names(search(store, "run", order="metrics.loss.max, key").items) == ["a", "b"]
        write(store, points=[points(b, "loss", 3, step=9)])
        assert names(search(store, "run", "metrics.loss = 3").items) == ["b"]

    def test_metrics_that_are_not_finite_are_no_texts(self, store: Store) -> None:
        """Treat NaN and the infinities in devperf and servingperf as numbers that compare with nothing."""
        execution, serving = run("01"), Node("servingperf", "s1", text='{"m":"-Infinity","n":"nan"}')
        served = Node("deployment", "d1", text="{}")
        write(store, execution, owned("devperf", execution, {"m": "NaN", "n": "nan"}), served, serving)
        write(store, edges=[edge("deployment_servingperf", served, serving)])
        for kind, path in (("run", "metrics."), ("servingperf", ""), ("devperf", "")):
            assert search(store, kind, f"{path}m like '%' or {path}m < 0").items == ()
            assert len(search(store, kind, f"{path}m is not null and {path}n = 'nan'").items) == 1

    def test_names_of_metrics_may_need_quotes(self, store: Store) -> None:
        """Tell the metric ``a.min`` from the least value of the metric ``a``."""
        write(store, run("01"), points=[points("run/01", "a.min", 1), points("run/01", "val loss", 2)])
        write(store, run("02"), points=[points("run/02", "a", 1), points("run/02", "min", 2)])
        assert keys(search(store, "run", 'metrics."a.min" = 1').items) == ["01"]
        assert keys(search(store, "run", "metrics.a.min = 1").items) == ["02"]
        assert keys(search(store, "run", 'metrics."val loss".max = 2').items) == ["01"]
        assert keys(search(store, "run", "metrics.min.min = 2").items) == ["02"]

    # Size

    def test_long_texts_are_searched(self, store: Store) -> None:
        """Find texts of over 1,000 characters, and other values beside them, in nodes and neighbours."""
        long = "é" * 1_001
        model, data = named("models", "m", note=long), named("datasets", "d", note=long, rows=3)
        a, b = run("01", "a", note=long, x=1), run("02", "b", note="é" * 1_000, x=1)
        write(store, a, b, model, data, owned("modelparams", a, {"note": long + "z", "p": 1}))
        write(store, edges=[edge("run_models", model, a), edge("run_datasets", b, data)])
        expected = {
            f"note = '{long}'": ["a"],
            f"note = '{long[1:]}'": ["b"],
            f"note != '{long}'": ["b"],
            "note like 'é%'": ["a", "b"],
            "note is null": [],
            "x = 1": ["a", "b"],
            "params.note like '%z' and params.p = 1": ["a"],
            "params.note is null": ["b"],
            f"model.note = '{long}'": ["a"],
            "dataset.note ilike 'É%' and dataset.rows = 3": ["b"],
            "dataset.rows = 3 or x = 2": ["b"],
        }
        for where, found in expected.items():
            assert sorted(names(search(store, "run", where).items)) == found, where
        assert names(search(store, "run", order="note").items) == ["b", "a"]
        assert names(search(store, "run", order="note desc").items) == ["a", "b"]
        assert names(search(store, "run", order="params.note, x desc").items) == ["a", "b"]

    def test_documents_of_many_attributes_are_searched(self, store: Store) -> None:
        """Find any of more than 1,000 attributes of a node, of params, metrics and tags."""
        many = {f"a{i:04}": i for i in range(1_500)}
        a = run("01", "a", tags=many, **many)
        write(store, a, owned("modelparams", a, many), owned("devperf", a, many), run("02", "b", a0001=1))
        for path in ("", "tags.", "params.", "metrics."):
            assert "a" in names(search(store, "run", f"{path}a1499 = 1499").items), path
            assert "a" in names(search(store, "run", f"{path}a0001 = 1 and {path}a1200 > 5").items), path
        assert names(search(store, "run", "a0001 = 1").items) == ["b", "a"]
        assert names(search(store, "run", "a0001 = 2").items) == []
        assert names(search(store, "run", order="a1499").items) == ["a", "b"]
        assert store.count("run", by="params.a1499") == {1499: 1, None: 1}
        write(store, Put(a._replace(text="{}"), "any"))
        assert names(search(store, "run", "a0001 = 1").items) == ["b"]

    def test_a_filter_may_be_large(self, store: Store) -> None:
        """Take thousands of comparisons, and deep nesting."""
        write(store, *(run(f"{i:03}", x=i) for i in range(20)))
        either = " or ".join(f"x = {i}" for i in range(5, 45))
        for narrow, found in (("x < 7", 7), (f"({either} or x < 7)", 20)):
            assert len(search(store, "run", " and ".join([narrow] * 50)).items) == found
        wide = " or ".join(f"x = {i}" for i in range(5, 1_500))
        assert len(search(store, "run", wide).items) == 15
        values = ", ".join(str(i) for i in range(5, 3_000))
        assert len(search(store, "run", f"x in ({values})").items) == 15
        deep = "not (" * 40 + "x = 1" + ")" * 40
        assert keys(search(store, "run", deep).items) == ["001"]

    def test_injected_sql_is_text(self, store: Store) -> None:
        """Take whatever a filter holds as a value or a name, never as part of a statement."""
        evil = "x' OR '1'='1"
        write(store, run("01", evil, **{evil: 1, "q": evil}), run("02"))
        quoted = evil.replace("'", "''")
        assert keys(search(store, "run", f"name = '{quoted}'").items) == ["01"]
        assert keys(search(store, "run", f"q = '{quoted}'").items) == ["01"]
        assert keys(search(store, "run", f'"{evil}" = 1', f'"{evil}" desc').items) == ["01"]
        assert store.count("run", by=f'"{evil}"') == {1: 1, None: 1}

    # Kinds

    def test_a_kind_that_no_one_knows_cannot_be_searched(self, store: Store) -> None:
        """Raise `InvalidInput` for an unknown kind."""
        for read in (store.search, store.count, lambda kind: list(store.columns(kind, []))):
            with pytest.raises(InvalidInput, match="planets"):
                read("planets")

    def test_own_kinds_are_searched_like_others(self, store: Store) -> None:
        """Search the definitions of kinds themselves as well."""
        write(store, node_kind("reports"), node_kind("plots"))
        assert names(every(store, "kinds")) == ["plots", "reports"]
        assert names(search(store, "kinds", "of = 'node' and name > 'q'").items) == ["reports"]


def _pipeline(store: Store) -> None:
    """Record four runs, and what they used and made."""
    project = named("project", "p")
    m1, m2 = (
        named("models", "m1", technique="ridge"),
        named("models", "m2", "1", "p", technique="svr", cfg={"depth": 3}),
    )
    m3 = named("models", "m3")
    d1 = named("datasets", "d1", rows=50, tags={"team": "x"})
    d2 = named("datasets", "d2", rows=442)
    features = named("featuresets", "f", columns=["s5", "s6"])
    a, b = run("01", "a", status="finished"), run("02", "b", status="finished")
    c, d = run("03", "c", status="failed", params={"alpha": 7}), run("04", "d", model={"technique": "own"})
    pa = owned("modelparams", a, {"alpha": 1, "optimizer": {"lr": 0.1}, "flag": True, "": 5})
    pb = {"alpha": 2.0, "layers": [32, 64], "note": "to the end", "n": 12345678901234567890, "r.squared": 1}
    params = [pa, owned("modelparams", b, pb), owned("modelparams", c, {"depth": 3})]
    perf = [
        owned("devperf", a, {"rmse": 50.5, "f1": "NaN", "by": {"class": {"x": 1}}}),
        owned("devperf", b, {"rmse": 60, "f1": 0.5}),
    ]
    deployment = Node("deployment", "x1", "prod", text='{"status":"active"}')
    serving = Node("servingperf", "s1", text='{"f1":"NaN","rmse":55.5}')
    links = [
        edge("project_models", project, m2),
        edge("featureset_dataset", features, d1),
        *(edge("run_models", model, of) for model, of in ((m1, a), (m1, b), (m2, c))),
        *(edge("run_datasets", of, data) for of, data in ((a, d1), (a, d2), (b, d1), (c, d2))),
        edge("run_featuresets", b, features),
        *(edge("run_modelparams", f"run/{node.key}", node) for node in params),
        *(edge("run_devperf", f"run/{node.key}", node) for node in perf),
        edge("run_parent", b, a),
        edge("deployment_model", deployment, m1),
        edge("deployment_modelparams", deployment, params[1]),
        edge("deployment_featureset", deployment, features),
        edge("deployment_servingperf", deployment, serving),
    ]
    nodes = [project, m1, m2, m3, d1, d2, features, a, b, c, d, *params, *perf, deployment, serving]
    write(store, *nodes, edges=links)
