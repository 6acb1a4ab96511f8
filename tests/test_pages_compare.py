"""The page that compares, as values: what differs, what is the same, what is best, and who is left out."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import arangopipe
import story
from arangopipe.model.directions import known_direction
from arangopipe.pipe import ArangoPipe
from arangopipe.server.pages import compare, comparing
from arangopipe.server.pages.comparing import Column
from arangopipe.store.memory import MemoryStore
from test_pages import page, view, visiting

NETS = ["net-0", "net-1", "net-2"]


@pytest.fixture(scope="module")
def pipe() -> Iterator[ArangoPipe]:
    with arangopipe.connect("memory://", actor="ana", capture=False) as made:
        story.tell(made)
        yield made


@pytest.fixture(scope="module")
def client(pipe: ArangoPipe) -> Iterator[httpx.Client]:
    with visiting(pipe.store) as made:
        yield made


@pytest.fixture(scope="module")
def sweep(pipe: ArangoPipe) -> list[str]:
    return [run.key for run in pipe.search("run", "tag = 'sweep'", limit=100)]


def differing(found: Any, section: str) -> dict[str, Any]:
    return {fact["name"]: fact for fact in found["differences"].get(section, [])}


# --- a few -------------------------------------------------------------------------------------


def test_what_differs_comes_first(client: httpx.Client) -> None:
    found = view(client, "/compare", run=NETS)
    assert [run["name"] for run in found["runs"]] == NETS
    assert set(found["differences"]) == {"params"}
    assert differing(found, "params")["rate"]["values"] == [0.1, 0.01, 0.001]
    equal = {
        section: {fact["name"]: fact["value"] for fact in facts} for section, facts in found["equal"].items()
    }
    assert equal["params"]["solver"] == "adam"
    assert equal["code"]["commit"] == "9140abc"
    assert equal["environment"]["numpy"] == "2.1.3"
    assert equal["data"]["training"] == "patients@2"
    assert equal["features"]["featureset"] == "base+s5"
    text = page(client, "/compare", run=NETS)
    assert "The same in all: 3 of params" in text


def test_the_best_of_each_metric_is_marked(client: httpx.Client, pipe: ArangoPipe) -> None:
    best = pipe.lookup_run(story.BEST).key
    found = view(client, "/compare", run=["net-0", best, "net-1"])
    metrics = {fact["name"]: fact for fact in found["metrics"]}
    assert (metrics["rmse"]["better"], metrics["rmse"]["best"]) == ("lower", [1])
    assert metrics["loss"]["best"] == []
    assert metrics["r2"]["missing"] == 2
    assert [column["name"] for column in found["columns"] if column["section"] == "metrics"][0] == "rmse"
    text = page(client, "/compare", run=["net-0", best, "net-1"])
    assert text.count('aria-label="best"') == 2
    assert 'title="not recorded"' in text


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [
        ("rmse", (3.0, 1.0, 2.0), [1]),
        ("accuracy", (0.5, 0.9, 0.9), [1, 2]),
        ("rmse", (2.0, 2.0, 2.0), []),
        ("rmse", (2.0, None, "NaN"), []),
        ("rmse", (2.0, True, 1.0), [2]),
        ("rows", (1, 2, 3), []),
    ],
)
def test_what_is_best(name: str, values: tuple[Any, ...], best: list[int]) -> None:
    assert Column("metrics", name, values).best(known_direction(name)) == best


def test_true_is_not_one() -> None:
    assert Column("params", "x", (True, 1)).differs
    assert not Column("params", "x", (1, 1.0)).differs


def test_numbers_that_are_not_finite_are_told_and_never_best() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    for name, value in (("a", float("nan")), ("b", float("inf")), ("c", 2.0), ("d", 3.0)):
        pipe.log_run(name=name, key=name, metrics={"rmse": value})
    with visiting(pipe.store) as client:
        found = view(client, "/compare", run=["a", "b", "c", "d"], order="metrics.rmse")
        (rmse,) = found["metrics"]
        assert rmse["values"][2:] == [2.0, 3.0]
        assert all(isinstance(value, str) for value in rmse["values"][:2])
        assert rmse["best"] == [2]
        assert found["places"][:2] == [2, 3]
        page(client, "/compare", run=["a", "b", "c", "d"])


# --- many --------------------------------------------------------------------------------------


def test_many_runs_are_told_by_how_their_values_divide(client: httpx.Client, sweep: list[str]) -> None:
    found = view(client, "/compare", run=sweep)
    assert not found["few"]
    technique = differing(found, "params")["technique"]["spread"]
    assert {each["value"]: each["count"] for each in technique["values"]} == dict.fromkeys(
        story.TECHNIQUES, 8
    )
    assert differing(found, "features")["column s5"]["missing"] == 20
    assert "forest <span" in page(client, "/compare", run=sweep)


def test_many_numbers_are_a_range() -> None:
    spread = Column("params", "x", (*range(50), None)).spread()
    assert (spread["least"], spread["middle"], spread["greatest"], spread["distinct"]) == (0, 25, 49, 50)


def test_the_table_is_sorted_by_any_column(client: httpx.Client, sweep: list[str]) -> None:
    for order, down in (("metrics.rmse", False), ("metrics.rmse desc", True), ("params.technique", False)):
        found = view(client, "/compare", run=sweep, order=order)
        column = [each["key"] for each in found["columns"]].index(order.removesuffix(" desc"))
        values = [found["cells"][place][column] for place in found["places"]]
        assert values == sorted(values, reverse=down)
    r2 = next(each for each in found["columns"] if each["name"] == "r2")
    assert (r2["better"], r2["order"]) == ("higher", "metrics.r2 desc")
    assert 'aria-sort="descending"' in page(client, "/compare", run=sweep, order="metrics.rmse desc")


def test_what_is_missing_sorts_last_both_ways() -> None:
    column = Column("metrics", "x", (None, 2.0, "NaN", 1.0))
    assert comparing.sorted_by(column, 4, False) == [3, 1, 2, 0]
    assert comparing.sorted_by(column, 4, True)[-1] == 0
    assert comparing.sorted_by(None, 4, True) == [0, 1, 2, 3]


def test_columns_are_chosen(client: httpx.Client) -> None:
    found = view(client, "/compare", run=NETS, columns=["metrics.rmse", "code.commit", "nothing"])
    assert [column["key"] for column in found["columns"]] == ["metrics.rmse", "code.commit"]


def test_two_hundred_runs_are_compared_and_no_more() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.log_runs(
        [
            {"name": f"r{i}", "params": {"a": i, **{f"p{n}": n for n in range(20)}}, "metrics": {"rmse": i}}
            for i in range(201)
        ]
    )
    keys = [run.key for run in pipe.search("run", limit=201)]
    with visiting(pipe.store) as client:
        found = view(client, "/compare", run=keys[:200])
        assert len(found["runs"]) == 200
        assert differing(found, "params")["a"]["spread"]["distinct"] == 200
        assert page(client, "/compare", run=keys[:200]).count('<th scope="row"><a') == 200
        answer = client.get("/compare", params={"run": keys})
        assert answer.status_code == 422
        assert "choose up to 200" in answer.text


def test_thousands_of_metrics_do_not_make_the_page_heavy() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    for name in ("a", "b"):
        pipe.log_run(
            name=name, key=name, metrics={f"m{n}": n + len(name) for n in range(5_000)} | {"rmse": 1.0}
        )
    with visiting(pipe.store) as client:
        found = view(client, "/compare", run=["a", "b"])
        assert found["metrics"][0]["name"] == "rmse"
        assert len(found["metrics"]) == compare.OFFERED
        assert len(page(client, "/compare", run=["a", "b"])) < 300_000


# --- choosing ----------------------------------------------------------------------------------


def test_runs_are_named_by_key_id_or_name(client: httpx.Client, pipe: ArangoPipe) -> None:
    best = pipe.lookup_run(story.BEST)
    found = view(client, "/compare", run=["net-0", "run/net-0", story.BEST, best.key, "nobody", " "])
    assert [run["id"] for run in found["runs"]] == ["run/net-0", best.id]
    (wrong,) = found["wrong"]
    assert wrong["text"] == "nobody"
    assert "is left out" in page(client, "/compare", run=["net-0", "net-1", "nobody"])


@pytest.mark.parametrize("run", [[], ["net-0"]])
def test_too_few_runs_say_how_to_choose(client: httpx.Client, run: list[str]) -> None:
    text = page(client, "/compare", run=run)
    assert "Compare the chosen" in text
    assert text.count('type="checkbox"') == compare.SUGGESTED - len(run)


def test_an_empty_store_has_nothing_to_compare() -> None:
    with visiting(MemoryStore()) as client:
        assert "No run is recorded yet" in page(client, "/compare")


def test_search_leads_here(client: httpx.Client) -> None:
    assert "Compare the chosen" in page(client, "/search")


# --- parts and files ---------------------------------------------------------------------------


def test_values_for_charts(client: httpx.Client, sweep: list[str]) -> None:
    found = view(client, "/compare/values", run=sweep)
    given = {column["name"]: column for column in found["given"]}
    assert {"technique", "alpha", "featureset"} <= set(given)
    assert (given["alpha"]["numeric"], given["technique"]["numeric"]) == (True, False)
    assert len(given["alpha"]["values"]) == len(found["runs"]) == 40
    assert found["metrics"][0]["name"] == "rmse"
    assert "params.alpha" in page(client, "/compare/values", run=sweep)


def test_curves_of_the_runs(client: httpx.Client) -> None:
    found = view(client, "/compare/points", run=["net-0", "net-1"], name="loss")
    assert [list(run["series"]) for run in found["runs"]] == [["loss"], ["loss"]]


def test_why_two_runs_differ(client: httpx.Client, pipe: ArangoPipe) -> None:
    one, other = (pipe.lookup_run(f"diabetes-ridge-{name}-0") for name in ("base", "base+s5"))
    found = view(client, "/compare/why", a=one.id, b=other.id, metric="rmse")
    assert found["causes"][0]["name"].startswith("column s5")
    assert "the likeliest cause" in found["said"]
    assert "column s5" in page(client, "/compare/why", a=one.id, b=other.id)
    said = view(client, "/compare/why", a="net-0", b="nobody")
    assert "nobody" in said["said"]


def test_a_comparison_can_be_downloaded(client: httpx.Client, sweep: list[str]) -> None:
    answer = client.get("/compare/download/csv", params={"run": sweep})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 40
    assert float(rows[0]["metrics.rmse"]) > 50
    assert rows[0]["data.training"] == "patients@2"
    things = client.get("/compare/download/json", params={"run": NETS}).json()
    assert [thing["name"] for thing in things] == NETS
    assert client.get("/compare/download/json").json() == []
    assert client.get("/compare/download/xlsx").status_code == 422


def test_another_moment(client: httpx.Client) -> None:
    found = view(client, "/compare", run=NETS, as_of=3)
    assert (found["runs"], len(found["wrong"])) == ([], 3)


def test_runs_of_others_are_not_there() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    for project in ("mine", "theirs"):
        pipe.admin.register_project(project)
    pipe.log_run(project="mine", name="own", key="own", params={"a": 1})
    pipe.log_run(project="mine", name="too", key="too", params={"a": 2})
    pipe.log_run(project="theirs", name="hidden", key="hidden", params={"a": 3})
    pipe.admin.register_user("eve", roles={"mine": "viewer"})
    token = pipe.admin.create_token("eve").text
    with visiting(pipe.store) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        found = view(client, "/compare", run=["own", "too", "hidden"])
        assert [run["name"] for run in found["runs"]] == ["own", "too"]
        assert differing(found, "params")["a"]["values"] == [1, 2]
        assert client.get("/compare/download/json", params={"run": ["hidden"]}).json() == []
