"""The page of questions: forms that lead to answers, and answers that say what they leave out."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import arangopipe
import story
from arangopipe.analysis.importance import Importance, Weight
from arangopipe.errors import InvalidInput, MissingExtra
from arangopipe.model.expressions import Expression
from arangopipe.pipe import ArangoPipe
from arangopipe.server.access import Principal
from arangopipe.server.guard import GuardedStore
from arangopipe.server.pages import catalog, plots
from arangopipe.store.memory import MemoryStore
from visits import page, view, visiting

ASKED = {
    "techniques": {},
    "feature-techniques": {},
    "effect": {"attribute": "s5", "metric": "rmse"},
    "useful-features": {"metric": "rmse"},
    "leaderboard": {"metric": "rmse", "limit": "5"},
    "test-set-wear": {"metric": "rmse"},
    "datasets-used": {"per": "week"},
    "compare": {"run": ["run/net-0", "run/net-1"]},
    "explain-difference": {"a": "run/net-0", "b": "run/net-2", "metric": "rmse"},
}
"""Each question but that of importance, whose forest takes seconds."""


@pytest.fixture(scope="module")
def pipe() -> Iterator[ArangoPipe]:
    with arangopipe.connect("memory://", actor="ana", capture=False) as made:
        story.tell(made)
        yield made


@pytest.fixture(scope="module")
def client(pipe: ArangoPipe) -> Iterator[httpx.Client]:
    with visiting(pipe.store) as made:
        yield made


def drawn(text: str) -> list[dict[str, Any]]:
    """Return the plots that a part hands to the browser."""
    return [json.loads(each) for each in re.findall(r"data-plot='([^']*)'", text)]


def test_there_is_a_form_for_every_question(client: httpx.Client, pipe: ArangoPipe) -> None:
    methods = {name for name in dir(type(pipe.analysis)) if not name.startswith("_")}
    assert {question.name.replace("-", "_") for question in catalog.QUESTIONS} == methods
    text = page(client, "/questions")
    for question in catalog.QUESTIONS:
        assert f'href="/questions/{question.name}"' in text
        assert question.about in page(client, f"/questions/{question.name}").replace("&#39;", "'")


@pytest.mark.parametrize("name", ASKED)
def test_each_answer_is_a_sentence_a_plot_a_table_and_its_data(
    client: httpx.Client, pipe: ArangoPipe, name: str
) -> None:
    asked = ASKED[name]
    form = view(client, f"/questions/{name}", **asked)
    assert (form["problem"], form["name"]) == (None, name)
    assert form["answer"].startswith(f"/questions/{name}/answer")
    found = view(client, f"/questions/{name}/answer", **asked)
    method = getattr(pipe.analysis, name.replace("-", "_"))
    told = {key: int(value) if key == "limit" else value for key, value in asked.items()}
    answer = method(told["run"]) if name == "compare" else method(**told)
    assert found["answer"] == answer.to_dict()
    assert found["sentence"] == answer.sentence
    assert found["notes"][: len(answer.notes)] == list(answer.notes)
    text = client.get(form["answer"]).text
    assert drawn(text) == found["plots"]
    assert all(plot["words"] for plot in found["plots"])
    assert found["plots"] or name == "explain-difference"
    for note in found["notes"]:
        assert note.replace("'", "&#39;") in text
    rows = list(csv.reader(io.StringIO(client.get(found["csv"]).text)))
    assert rows[0] == [column["name"] for column in found["table"]["columns"]]
    assert len(rows) == 1 + len(answer.rows())


def test_the_effect_is_drawn_pair_by_pair(client: httpx.Client) -> None:
    found = view(client, "/questions/effect/answer", attribute="s5", metric="rmse")
    assert found["said"]["verdict"] == "Consistent gain on this dataset"
    assert found["tone"] == "good"
    (plot,) = found["plots"]
    assert (plot["kind"], plot["zero"], plot["better"]) == ("rows", True, "lower")
    *groups, total = plot["rows"]
    assert {row["name"] for row in groups} == set(story.TECHNIQUES)
    assert all(len(row["points"]) == story.SEEDS for row in groups)
    assert total["name"] == "all"
    assert total["low"] < total["middle"] < total["high"] < 0
    assert [total["low"], total["high"]] == found["answer"]["interval"]
    assert any("1 failed" in note for note in found["notes"])
    assert found["pairs"]["total"] == 20
    assert all(cell["href"] for row in found["pairs"]["rows"] for cell in row[2:4])
    pairs = list(csv.DictReader(io.StringIO(client.get(found["pairs_csv"]).text)))
    assert len(pairs) == 20
    assert {pair["technique"] for pair in pairs} == set(story.TECHNIQUES)


def test_what_cannot_be_compared_says_why(client: httpx.Client) -> None:
    found = view(client, "/questions/effect/answer", attribute="age", metric="rmse")
    assert found["sentence"].startswith("Adding age: not comparable (")
    assert (found["plots"], found["tone"], found["pairs"]) == ([], "warn", None)
    wear = view(client, "/questions/test-set-wear/answer", metric="rmse")
    assert any("no configuration was repeated" in note for note in wear["notes"])
    (worth, curve) = wear["plots"]
    assert [mark["label"] for mark in worth["rows"][0]["marks"]] == ["best run", "mean of all runs"]
    values = [value for _, value in curve["lines"][0]["points"]]
    assert values == sorted(values, reverse=True)
    assert curve["lines"][0]["points"][-1][0] == 40


def test_a_form_begins_with_what_the_store_has(client: httpx.Client) -> None:
    found = view(client, "/questions/effect")
    assert (found["problem"], found["answer"]) == (None, None)
    fields = {field["name"]: field for field in found["fields"]}
    assert fields["metric"]["value"] == "rmse"
    assert {"technique", "seed", "alpha"} <= set(fields["ignore"]["choices"])
    first = found["examples"][0]
    assert first["words"] == "Did adding s5 help rmse?"
    assert client.get(first["address"]).status_code == 200
    for question in view(client, "/questions")["questions"]:
        for example in question["examples"]:
            form = client.get(re.sub(r"(\?|$)", r".json\1", example["address"], count=1)).json()
            assert form["problem"] is None
            assert form["answer"]


def test_names_are_offered_for_completion(client: httpx.Client) -> None:
    names = view(client, "/questions/effect/names")["names"]
    values = {sort: [each["value"] for each in items] for sort, items in names.items()}
    assert values["metrics"][0] == "rmse"
    assert values["features"][0] == "s5"
    assert values["tasks"] == ["churn", "progression"]
    assert set(story.TECHNIQUES) <= set(values["techniques"])
    assert values["transformations"] == ["standard scaling"]
    assert values["projects"] == ["churn", "diabetes"]
    text = page(client, "/questions/compare/names")
    assert '<option value="run/net-0" label="net-0">' in text
    assert "patients@2" in page(client, "/questions/test-set-wear/names")
    assert "deployment/prod-2" in page(client, "/questions/explain-difference/names")


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("effect?metric=rmse", "say one of attribute, transformation, technique and param: none was said"),
        ("effect?metric=rmse&attribute=s5&param=alpha", "2 was said"),
        ("effect?attribute=s5", "say also: metric"),
        ("leaderboard?metric=rmse&limit=many", "how many is 'many'"),
        ("leaderboard?metric=rmse&limit=10001", "from 1 to 10,000"),
        ("datasets-used?per=century", "per is one of month, day"),
        ("explain-difference?a=run/net-0", "say also: that one"),
    ],
)
def test_what_is_wrong_with_a_form_is_said_beside_it(client: httpx.Client, address: str, said: str) -> None:
    answer = client.get(f"/questions/{address}")
    assert answer.status_code == 422
    assert said in answer.text.replace("&#39;", "'")
    assert 'role="alert"' in answer.text
    path, _, query = address.partition("?")
    plain = client.get(f"/questions/{path}.json?{query}")
    assert (plain.status_code, plain.json()["answer"]) == (422, None)


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("effect/answer?metric=rmse&attribute=s9", 404, "has a column 's9'"),
        ("leaderboard/answer?metric=rmes", 422, "Say so under More"),
        ("leaderboard/answer?metric=rmes&better=lower", 404, "did you mean 'rmse'?"),
        ("techniques/answer?task=nothing", 404, "No run is of task 'nothing'"),
        ("techniques/answer?project=nothing", 404, "nothing"),
        ("techniques/answer?where=tag+%3D", 422, "tag ="),
        ("techniques/answer?since=yesterday", 422, "is not a time"),
        ("compare/answer?run=run/net-0&run=run/net-0", 422, "two different runs"),
        ("effect/answer?metric=rmse", 422, "none was said"),
    ],
)
def test_what_cannot_be_answered_says_why_where_the_answer_would_be(
    client: httpx.Client, address: str, status: int, said: str
) -> None:
    answer = client.get(f"/questions/{address}")
    assert answer.status_code == status
    assert said in answer.text.replace("&#39;", "'")
    assert 'role="alert"' in answer.text
    assert "<html" not in answer.text
    path, _, query = address.partition("?")
    assert client.get(f"/questions/{path}.csv?{query}").status_code == status


def test_there_is_no_other_question(client: httpx.Client) -> None:
    for address in ("/questions/efect", "/questions/efect/answer", "/questions/efect/names"):
        answer = client.get(address)
        assert answer.status_code == 404
        assert "did you mean" in answer.text
    assert client.get("/questions/techniques/answer.csv?pairs=1").status_code == 404


def test_a_question_of_several_tasks_asks_which() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    for task in ("one", "two"):
        model = pipe.register_model(task, task=task, technique=task)
        pipe.log_run(model=model, metrics={"rmse": 1.0})
    with visiting(pipe.store) as client:
        answer = client.get("/questions/techniques/answer")
        assert answer.status_code == 422
        assert "choose a task" in answer.text
        found = view(client, "/questions/techniques/answer", task="two")
        assert found["answer"]["items"][0]["technique"] == "two"


def test_only_some_runs_and_another_moment(client: httpx.Client) -> None:
    some = view(client, "/questions/techniques/answer", where="tag = 'net'")
    assert [item["technique"] for item in some["answer"]["items"]] == ["forest"]
    late = view(client, "/questions/techniques/answer", since="2026-10-01", until="2026-10-02")
    assert sum(item["runs"] for item in late["answer"]["items"]) == 3
    text = page(client, "/questions/effect", as_of=2)
    assert '<input type="hidden" name="as_of" value="2">' in text
    before = client.get("/questions/techniques/answer", params={"as_of": 2})
    assert before.status_code == 404
    assert "There are no runs" in before.text


@pytest.mark.parametrize("name", ["effect", "leaderboard", "compare", "explain-difference", "test-set-wear"])
def test_the_same_answer_elsewhere(client: httpx.Client, pipe: ArangoPipe, name: str) -> None:
    asked = {**ASKED[name], **({"dataset": "holdout"} if name == "test-set-wear" else {})}
    found = view(client, f"/questions/{name}/answer", **asked)
    address = shlex.split(found["same"]["HTTP"])[1]
    answer = client.get(address, headers={"Accept": "application/json"})
    assert answer.json()["sentence"] == found["sentence"]
    code = found["same"]["Python"].replace("arangopipe.connect", "connect").replace("import arangopipe\n", "")
    names: dict[str, Any] = {"connect": lambda _: pipe}
    exec(code, names)
    assert names["answer"].sentence == found["sentence"]


def test_the_command_for_the_same_answer_is_one(client: httpx.Client) -> None:
    from click.testing import CliRunner

    from arangopipe.cli import main

    for name in ("effect", "compare", "test-set-wear"):
        found = view(client, f"/questions/{name}/answer", **ASKED[name])
        arguments = shlex.split(found["same"]["Command line"])[1:]
        said = CliRunner().invoke(main, [*arguments, "--json"], env={"ARANGOPIPE_TOKEN": ""})
        assert said.exit_code == 0, said.output
        assert json.loads(said.stdout)["sentence"] == found["sentence"]


def test_importance_is_drawn_with_its_spread() -> None:
    weights = (Weight("alpha", 0.4, 0.1, True, 3, 0.1, 10.0), Weight("depth", 0.01, 0.02, False, 2, 3, 4))
    (plot,) = plots.of(Importance(task="t", metric="rmse", runs=40, explained=0.8, items=weights))
    assert [(row["name"], row["tone"], row["error"]) for row in plot["rows"]] == [
        ("alpha", "good", 0.1),
        ("depth", "plain", 0.02),
    ]
    many = tuple(Weight(f"p{place}", 0.1, 0.1, False, 2, 0, 1) for place in range(60))
    (plot,) = plots.of(Importance(task="t", metric="rmse", runs=40, explained=0.8, items=many))
    assert (len(plot["rows"]), plot["left_out"]) == (plots.MOST_ROWS, 20)


def test_without_the_extra_the_page_says_what_to_install(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(self: ArangoPipe) -> Any:
        raise MissingExtra("scipy", "analysis")

    monkeypatch.setattr(ArangoPipe, "analysis", property(lacking))
    answer = client.get("/questions/techniques/answer")
    assert answer.status_code == 501
    assert "pip install" in answer.text


def test_names_and_answers_are_those_one_may_see(pipe: ArangoPipe) -> None:
    seen = GuardedStore(pipe.store, Principal("cho", roles={"churn": "viewer"}))
    with visiting(seen) as there:
        for question in catalog.QUESTIONS:
            for address in (f"/questions/{question.name}", f"/questions/{question.name}/names"):
                assert not re.search("diabetes|net-0|rmse|ridge", page(there, address)), address
        answer = there.get("/questions/leaderboard/answer", params={"metric": "rmse"})
        assert answer.status_code == 404
        assert "diabetes" not in answer.text


def test_what_is_recorded_is_text_in_plots_too() -> None:
    evil = "'><script>alert(1)</script>"
    pipe = arangopipe.connect("memory://", capture=False)
    model = pipe.register_model(evil, task=evil, technique=evil)
    pipe.log_run(name=evil, model=model, metrics={"rmse": 1.0}, params={evil: 1})
    with visiting(pipe.store) as there:
        for address in ("techniques/answer", "leaderboard/answer?metric=rmse", "effect", "effect/names"):
            text = there.get(f"/questions/{address}").text
            assert "alert(1)" in text
            assert "<script>alert" not in text


class Sampled(MemoryStore):
    """Sees to it that a form reads a sample and counts nothing."""

    def count(self, kind: str, where: Expression | None = None, *rest: Any, **more: Any) -> Any:
        raise AssertionError(f"{kind} was counted")

    def search(self, kind: str, *rest: Any, **more: Any) -> Any:
        found = super().search(kind, *rest, **more)
        assert len(found.items) <= 100
        return found


def test_forms_do_no_work_that_grows_with_the_store() -> None:
    store = Sampled()
    story.tell(arangopipe.connect(store, actor="ana", capture=False))
    with visiting(store) as client:
        for address in ("/questions", *(f"/questions/{question.name}" for question in catalog.QUESTIONS)):
            page(client, address)


def test_an_empty_store_can_be_asked_nothing_yet() -> None:
    with visiting(MemoryStore()) as client:
        page(client, "/questions")
        assert "There is nothing recorded yet" in page(client, "/questions/effect")
        assert client.get("/questions/techniques/answer").status_code == 404


def test_a_comparison_of_many_runs_shows_some_and_gives_all() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    runs = [pipe.log_run(name=f"r{place}", params={"a": place}).id for place in range(30)]
    with visiting(pipe.store) as client:
        found = view(client, "/questions/compare/answer", run=runs)
        assert (len(found["table"]["columns"]), found["table"]["columns_left_out"]) == (16, 16)
        assert "16 more columns" in page(client, "/questions/compare/answer", run=runs)
        (row,) = csv.DictReader(io.StringIO(client.get(found["csv"]).text))
        assert (row["r0"], row["r29"]) == ("0", "29")


def test_too_many_runs_are_refused() -> None:
    question = catalog.known("compare")
    with pytest.raises(InvalidInput, match="at most 200 runs"):
        catalog.check(question, {"run": [f"run/{place}" for place in range(201)]})
