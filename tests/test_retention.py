"""Retention: what rules let go, what they never do, and that a plan is carried out whole or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from arangopipe import ArangoPipe, Conflict, InvalidInput, audit, connect, retention
from arangopipe.model import times
from arangopipe.retention import Plan, Rule
from places import ENGINES, empty_store

LATER = timedelta(days=100)


@pytest.fixture(params=ENGINES)
def pipe(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ArangoPipe]:
    with (
        empty_store(request, request.param, tmp_path) as url,
        connect(url, capture=False, actor="ann") as opened,
    ):
        yield opened


def planned(pipe: ArangoPipe, *rules: Rule, later: timedelta = LATER) -> Plan:
    return retention.plan(pipe, rules, moment=times.now() + later)


def going(plan: Plan) -> list[str]:
    return sorted(verdict.node.name or verdict.node.key for verdict in plan.goes)


def staying(plan: Plan) -> dict[str, str]:
    return {verdict.node.name or verdict.node.key: verdict.why for verdict in plan.stays}


def names(pipe: ArangoPipe, kind: str = "run") -> list[str]:
    return sorted(node.name for node in pipe.store.search(kind, limit=1_000).items)


# --- rules -------------------------------------------------------------------------------------


def test_what_is_old_goes(pipe: ArangoPipe) -> None:
    pipe.log_run(name="a", status="failed")
    pipe.log_run(name="b")
    rule = Rule("run", where="status = 'failed'", older_than="90d", name="failed runs")
    plan = planned(pipe, rule)
    assert [(v.node.name, v.why) for v in plan.goes] == [("a", "failed runs")]
    assert plan.stays == ()
    assert str(plan) == "1 of 1 things would go"
    younger = planned(pipe, rule, later=timedelta(days=89))
    assert (going(younger), staying(younger)) == ([], {"a": "written within 90d"})
    assert names(pipe) == ["a", "b"]


def test_what_a_run_owns_counts_as_written(pipe: ArangoPipe, monkeypatch: pytest.MonkeyPatch) -> None:
    run = pipe.log_run(name="a", metrics={"rmse": 1})
    before = times.now()
    pipe.annotate(f"devperf/{run.key}", note="looked at again")
    rule = Rule("run", older_than=timedelta(days=1))
    assert going(retention.plan(pipe, [rule], moment=before + timedelta(days=1))) == []
    assert going(planned(pipe, rule)) == ["a"]


def test_the_last_written_are_kept_of_all_or_of_each(pipe: ArangoPipe) -> None:
    pipe.admin.register_project("p")
    one, two = (pipe.register_model(name, project="p") for name in ("one", "two"))
    for number in range(6):
        pipe.log_run(name=f"r{number}", model=two if number % 3 == 0 else one)
    pipe.log_run(name="other")
    assert going(planned(pipe, Rule("run", project="p", keep=2))) == ["r0", "r1", "r2", "r3"]
    plan = planned(pipe, Rule("run", project="p", keep=2, each="model.name"))
    assert going(plan) == ["r1", "r2"]
    assert set(staying(plan).values()) == {"among the last 2 of its model.name"}
    pipe.annotate("run:r1", keep=True)
    assert going(planned(pipe, Rule("run", project="p", keep=2, each="model.name"))) == ["r2", "r4"]
    assert len(planned(pipe, Rule("run", keep=0)).goes) == 7


def test_old_versions_go(pipe: ArangoPipe) -> None:
    for rows in range(4):
        pipe.register_dataset("d", rows=rows, exist_ok=True)
    pipe.register_dataset("e")
    plan = planned(pipe, Rule("dataset", keep=2, each="name"))
    assert sorted(verdict.node.version for verdict in plan.goes) == ["1", "2"]


def test_what_nothing_came_of_is_unused(pipe: ArangoPipe) -> None:
    used, _ = pipe.register_dataset("used"), pipe.register_dataset("unused")
    pipe.admin.register_project("p")
    model, _ = pipe.register_model("model", project="p"), pipe.register_model("untrained", project="p")
    run = pipe.log_run(name="r", dataset=used, model=model, metrics={"m": 1})
    plan = planned(pipe, Rule("dataset", unused=True), Rule("model", unused=True))
    assert going(plan) == ["untrained", "unused"]
    assert staying(plan) == {"used": "used by 1 model, 1 run", "model": "used by 1 run"}
    assert going(planned(pipe, Rule("run", unused=True))) == ["r"]
    deployment = pipe.admin.register_deployment("prod", run=run)
    pipe.admin.archive_deployment(deployment)
    assert staying(planned(pipe, Rule("run", unused=True))) == {"r": "used by 1 deployment"}


def test_a_running_run_stays_until_it_is_silent_for_long(pipe: ArangoPipe) -> None:
    run = pipe.log_run(name="r", status="running")
    rule = Rule("run", where="status = 'running'")
    assert staying(planned(pipe, rule)) == {"r": "it is running"}
    assert going(planned(pipe, Rule("run", where="status = 'running'", older_than="1w"))) == ["r"]
    with pipe.start_run(name="s") as active:
        active.log_metric("loss", 1.0, step=1, time=times.now() + LATER)
        active.flush()
        old = planned(pipe, Rule("run", older_than="1w"), later=LATER - timedelta(days=1))
        assert (going(old), staying(old)) == ([run.name], {"s": "it is running"})


@pytest.mark.parametrize("state", ["live", "scheduled"])
def test_what_is_in_service_never_goes(pipe: ArangoPipe, state: str) -> None:
    pipe.admin.register_project("p")
    data, model = pipe.register_dataset("d"), pipe.register_model("m", project="p")
    features = pipe.register_featureset("f", dataset=data)
    run = pipe.log_run(name="r", dataset=data, featureset=features, model=model)
    pipe.log_run(name="other", dataset=data, model=model)
    when: dict[str, Any] = {"schedule": "2099-01-01T00:00Z"} if state == "scheduled" else {}
    deployment = pipe.admin.register_deployment("prod", run=run, **when)
    kinds = ("dataset", "featureset", "model", "run", "deployment")
    plan = planned(pipe, *(Rule(kind, older_than="1d") for kind in kinds))
    assert going(plan) == ["other"]
    why = f"{deployment.id} of 'prod' depends on it and is {state}"
    assert staying(plan) == {**dict.fromkeys(["d", "f", "m", "r"], why), "prod": f"it is {state}"}
    pipe.admin.archive_deployment(deployment)
    assert going(planned(pipe, Rule("deployment", where="status = 'archived'"))) == ["prod"]


def test_a_thing_that_one_rule_keeps_and_another_lets_go_goes(pipe: ArangoPipe) -> None:
    pipe.log_run(name="a", status="failed")
    plan = planned(pipe, Rule("run", keep=5), Rule("run", where="status = 'failed'", name="failed"))
    assert [verdict.why for verdict in plan.goes] == ["failed"]
    assert plan.stays == ()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"kind": "run"}, "lets every run go"),
        ({"kind": "run", "older_than": "90"}, "'90' is no age: write 12h, 90d"),
        ({"kind": "run", "older_than": "a while"}, "is no age"),
        ({"kind": "run", "keep": -1}, "keep is -1"),
        ({"kind": "run", "keep": True}, "keep is True"),
        ({"kind": "run", "where": 3}, "where is a text"),
        ({"kind": "run", "each": "name", "unused": True}, "goes with keep="),
    ],
)
def test_rules_that_make_no_sense(rule: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Rule(**rule)


def test_kinds_that_belong_to_others_have_no_rule(pipe: ArangoPipe) -> None:
    for kind in ("project", "kinds", "modelparams", "devperf"):
        with pytest.raises(InvalidInput, match="belong to others"):
            planned(pipe, Rule(kind, older_than="1d"))
    with pytest.raises(InvalidInput, match="planet"):
        planned(pipe, Rule("planet", older_than="1d"))


# --- rules in a file ---------------------------------------------------------------------------


def test_rules_are_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(
        "rules:\n"
        "- {kind: run, where: status = 'failed', older_than: 90d, name: x}\n"
        "- {kind: dataset, keep: 3}\n"
    )
    assert retention.read_rules(path) == (
        Rule("run", where="status = 'failed'", older_than="90d", name="x"),
        Rule("dataset", keep=3),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rules: [{kind: run, older: 90d}]", "rule 1: no field is called 'older'; did you mean 'older_than'"),
        ("rules: [{keep: 3}]", "rule 1: say of which kind"),
        ("rules: [{kind: run}]", "lets every run go"),
        ("rules: {kind: run}", "write a list of rules"),
        ("", "write a list of rules"),
        ("rules: [", "is no YAML"),
        ("\xff", "is no YAML"),
    ],
)
def test_files_that_hold_no_rules(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(InvalidInput, match=said) as caught:
        retention.read_rules(path)
    assert str(path) in str(caught.value)
    with pytest.raises(InvalidInput, match="No such file"):
        retention.read_rules(tmp_path / "none.yaml")


# --- carrying it out ---------------------------------------------------------------------------


def test_a_plan_is_carried_out_in_changes_of_bounded_size(
    pipe: ArangoPipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "DELETED_AT_ONCE", 3)
    for number in range(8):
        pipe.log_run(name=f"r{number}", metrics={"m": number})
    told: list[tuple[int, int | None]] = []
    plan = retention.plan(pipe, [Rule("run", keep=1, name="old runs")])
    changes = retention.apply(pipe, plan, progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 7), (6, 7), (7, 7)]
    assert [(c.actor, c.action, c.reason) for c in changes] == [
        ("ann", "retention", "retention: old runs")
    ] * 3
    assert names(pipe) == ["r7"]
    assert len(pipe.store.search("run", as_of=plan.head).items) == 8
    assert audit.verify(pipe.store).ok


def test_an_erasure_leaves_nothing(pipe: ArangoPipe) -> None:
    pipe.log_run(name="r", note="secret")
    plan = retention.plan(pipe, [Rule("run", keep=0)])
    (change,) = retention.apply(pipe, plan, erase=True, reason="asked to")
    assert (change.action, change.reason) == ("erase", "asked to")
    assert pipe.store.revisions(plan.goes[0].node.id)[0].node.text == "{}"


def test_nothing_to_do_is_no_change(pipe: ArangoPipe) -> None:
    pipe.log_run(name="r")
    assert retention.apply(pipe, retention.plan(pipe, [Rule("run", keep=5)])) == ()


@pytest.mark.parametrize(
    "change",
    [
        lambda pipe: pipe.annotate("run:r", note="keep it"),
        lambda pipe: pipe.admin.register_deployment("prod", run="run:r"),
        lambda pipe: pipe.admin.delete("run:r"),
    ],
    ids=["changed", "deployed", "deleted"],
)
@pytest.mark.parametrize("late", [False, True], ids=["before", "during"])
def test_a_plan_that_does_not_hold_any_more_is_refused(
    pipe: ArangoPipe, change: Callable[[ArangoPipe], object], late: bool
) -> None:
    data = pipe.register_dataset("d")
    pipe.log_run(name="r", dataset=data)
    plan = retention.plan(pipe, [Rule("run", keep=0), Rule("dataset", keep=0)])
    assert len(plan.goes) == 2
    write = pipe.store.write

    def first(batch: Any) -> Any:
        pipe.store.write = write  # type: ignore[method-assign]
        change(pipe)
        return write(batch)

    if late:
        pipe.store.write = first  # type: ignore[method-assign]
    else:
        change(pipe)
    with pytest.raises(Conflict, match=r"make (it|the plan) again"):
        retention.apply(pipe, plan)
    assert names(pipe, "datasets") == ["d"]


def test_what_came_meanwhile_does_not_stand_in_the_way(pipe: ArangoPipe) -> None:
    pipe.log_run(name="r")
    plan = retention.plan(pipe, [Rule("run", keep=0)])
    pipe.log_run(name="new")
    retention.apply(pipe, plan)
    assert names(pipe) == ["new"]
