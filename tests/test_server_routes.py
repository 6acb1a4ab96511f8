"""The routes for people and programs of any language: what is registered, logged, asked and moved."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

import arangopipe
from arangopipe.admin import ArangoPipeAdmin
from arangopipe.server.limits import Limits
from arangopipe.store import open_store
from arangopipe.store.memory import MemoryStore
from commands import fill
from places import POSTGRES, empty_store
from served import SECONDS, http, serving

Serve = Callable[..., str]


Known = dict[str, httpx.Client]


@pytest.fixture(scope="module", params=["sqlite", POSTGRES])
def users(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """Clients of two users of a store with something of everything; tests only read it."""
    with ExitStack() as stack:
        url = stack.enter_context(empty_store(request, request.param, tmp_path_factory.mktemp("served")))
        fill(url)
        store = stack.enter_context(open_store(url))
        base = stack.enter_context(serving(store))
        found = {}
        for user in ("ana", "boss"):
            token = ArangoPipeAdmin(store).create_token(user).text
            client = httpx.Client(
                base_url=f"{base}/api/v1", timeout=SECONDS, headers={"Authorization": f"Bearer {token}"}
            )
            found[user] = stack.enter_context(client)
        yield found


@pytest.fixture
def full(users: Known) -> httpx.Client:
    """The client of an administrator."""
    return users["boss"]


@pytest.fixture(params=["memory", POSTGRES])
def api(request: pytest.FixtureRequest, served: Serve, tmp_path: Path) -> Iterator[httpx.Client]:
    """An empty store."""
    with (
        empty_store(request, request.param, tmp_path) as url,
        open_store(url) as store,
        httpx.Client(base_url=f"{served(store)}/api/v1", timeout=SECONDS) as client,
    ):
        yield client


def given(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()


def refused(response: httpx.Response, status: int, *words: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert all(word in response.json()["detail"] for word in words), response.text


def study(api: httpx.Client) -> dict[str, Any]:
    """Register what a run needs."""
    given(api.post("/projects", json={"name": "diabetes", "document": {"about": "x"}}), 201)
    data = given(api.post("/datasets", json={"name": "diabetes", "document": {"rows": 442}}), 201)
    body = {"name": "base", "dataset": "diabetes", "document": {"columns": {"age": "float64"}}}
    features = given(api.post("/featuresets", json=body), 201)
    body = {"name": "ridge", "project": "diabetes", "document": {"technique": "ridge", "task": "t"}}
    model = given(api.post("/models", json=body), 201)
    return {"dataset": data["id"], "featureset": features["id"], "model": model["id"]}


# --- things ----------------------------------------------------------------------------------------


def test_things_are_registered_and_found(api: httpx.Client) -> None:
    ids = study(api)
    assert given(api.get("/datasets/diabetes"))["document"] == {"rows": 442}
    assert given(api.get("/models/ridge", params={"project": "diabetes"}))["project"] == "diabetes"
    key = ids["model"].partition("/")[2]
    assert given(api.get(f"/models/{key}"))["id"] == ids["model"]
    links = given(api.get("/links", params={"ref": ids["featureset"]}))["items"]
    assert [(link["kind"], link["to"]) for link in links] == [("featureset_dataset", ids["dataset"])]
    refused(api.get("/datasets/diabets"), 404, "did you mean 'diabetes'")


def test_the_answer_says_where_it_is(api: httpx.Client) -> None:
    made = api.post("/datasets", json={"name": "a b"})
    assert given(http.get(f"{api.base_url.copy_with(path='')}{made.headers['location']}"))["name"] == "a b"
    assert given(api.get("/datasets/a%20b"))["key"] == made.json()["key"]
    for path in ("/datasets", "/kinds/nodes"):
        made = api.post(path, json={"name": "odd", **({"key": "%2f;@"} if path == "/datasets" else {})})
        assert (
            given(http.get(f"{api.base_url.copy_with(path='')}{made.headers['location']}"))["name"] == "odd"
        )


def test_a_taken_name(api: httpx.Client) -> None:
    body: dict[str, Any] = {"name": "d", "document": {"rows": 1}}
    first = given(api.post("/datasets", json=body), 201)
    refused(api.post("/datasets", json={**body, "document": {}}), 409, "'d' is taken")
    assert given(api.post("/datasets", json={**body, "exist_ok": True}), 201) == first
    other = {**body, "exist_ok": True, "document": {"rows": 2}}
    assert given(api.post("/datasets", json=other), 201)["version"] == "2"
    versions = given(api.get("/datasets/d/versions"))["items"]
    assert [thing["version"] for thing in versions] == ["2", "1"]
    assert given(api.get("/datasets/d@1"))["document"] == {"rows": 1}
    assert given(api.get("/datasets/d", params={"version": 1}))["document"] == {"rows": 1}


def test_no_file_of_the_server_is_read(api: httpx.Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    body = {"name": "d", "document": {"data": str(secret), "location": str(secret)}}
    made = given(api.post("/datasets", json=body), 201)
    assert made["document"] == body["document"]
    refused(api.post("/runs", json={"artifacts": [str(secret)]}), 422)
    run = given(api.post("/runs", json={"artifacts": [{"uri": str(secret)}]}), 201)
    assert run["document"]["artifacts"] == [{"name": "secret.csv", "uri": str(secret)}]
    refused(api.post("/runs", json={"document": {"capture": True}}), 422, "cannot hold capture")
    assert "code" not in run["document"]


def test_unknown_fields_are_refused(api: httpx.Client) -> None:
    refused(api.post("/datasets", json={"name": "d", "rows": 1}), 422, "body.rows")
    refused(api.post("/datasets", json={}), 422, "body.name")
    refused(api.post("/datasets", json={"name": "d", "document": {"name": "e"}}), 422, "cannot hold name")
    refused(api.get("/search/runs?limit=0"), 422, "query.limit")
    refused(api.get("/search/nothing"), 422, "nothing")
    refused(api.get("/search/run?were=1"), 422, "query.were", "did you mean 'where'")
    refused(api.delete("/datasets/d?x=1"), 422, "query.x", "it takes")


def test_an_etag_saves_a_transfer(api: httpx.Client) -> None:
    made = api.post("/datasets", json={"name": "d"})
    tag = made.headers["etag"]
    assert api.get("/datasets/d").headers["etag"] == tag
    answer = api.get("/datasets/d", headers={"If-None-Match": f'"0", W/{tag}'})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert api.get("/datasets/d", headers={"If-None-Match": '"0"'}).status_code == 200


def test_a_change_may_say_what_it_has_seen(api: httpx.Client) -> None:
    seen = api.post("/datasets", json={"name": "d"}).headers["etag"]
    body = {"document": {"owner": "ann"}, "reason": "asked"}
    changed = api.patch("/datasets/d", json=body, headers={"If-Match": seen})
    assert given(changed)["document"] == {"owner": "ann"}
    assert changed.headers["etag"] != seen
    refused(api.patch("/datasets/d", json=body, headers={"If-Match": seen}), 412, "get it again")
    refused(api.delete("/datasets/d", headers={"If-Match": seen}), 412)
    assert given(api.patch("/datasets/d", json={"remove": ["owner"]}))["document"] == {}
    now = api.get("/datasets/d").headers["etag"]
    assert given(api.delete("/datasets/d", headers={"If-Match": now}))["action"] == "delete"
    assert api.get("/datasets/d").status_code == 404


def test_the_etag_of_a_run_names_its_metrics_too(api: httpx.Client) -> None:
    run = api.post("/runs", json={"status": "running", "key": "r-1"})
    api.post("/runs/r-1/log", json={"metrics": {"rmse": 1.5}})
    assert api.get("/runs/r-1").headers["etag"] != run.headers["etag"]


def test_what_is_deleted_is_still_in_the_past(api: httpx.Client) -> None:
    key = given(api.post("/datasets", json={"name": "d", "document": {"rows": 1}}), 201)["key"]
    api.patch("/datasets/d", json={"document": {"rows": 2}})
    gone = given(api.delete("/datasets/d", params={"reason": "by mistake"}))
    assert (gone["reason"], gone["change"]) == ("by mistake", 3)
    refused(api.get("/datasets/d"), 404)
    assert given(api.get("/datasets/d", params={"as_of": 1}))["document"] == {"rows": 1}
    assert given(api.get("/datasets/d", params={"as_of": 2}))["document"] == {"rows": 2}
    history = given(api.get(f"/datasets/{key}/revisions"))["items"]
    assert [step["deleted"] for step in history] == [False, False, True]
    assert history[1]["differences"] == [{"mark": "~", "path": "rows", "before": 1, "after": 2}]
    assert len(given(api.get(f"/datasets/{key}/revisions", params={"as_of": 1}))["items"]) == 1
    refused(api.get("/datasets/d", params={"as_of": "yesterday"}), 422, "yesterday")
    refused(api.get("/datasets/d", params={"as_of": "9" * 30}), 422, "no such change")


def test_the_server_says_who(api: httpx.Client) -> None:
    study(api)
    changes = given(api.get("/audit/changes"))["items"]
    assert {change["actor"] for change in changes} != {""}
    assert all(change["time"].endswith("Z") for change in changes)


# --- runs ------------------------------------------------------------------------------------------


def test_a_whole_run(api: httpx.Client) -> None:
    ids = study(api)
    used = {"model": ids["model"], "dataset": "diabetes", "featureset": "base"}
    body = {**used, "params": {"alpha": 1.0}, "metrics": {"rmse": 54.2, "worst": "NaN"}, "tag": "s"}
    run = given(api.post("/runs", json={**body, "document": {"environment": {"R": "4.4"}}}), 201)
    assert run["params"] == {"alpha": 1.0}
    assert run["metrics"] == {"rmse": 54.2, "worst": "NaN"}
    assert run["project"] == "diabetes"
    assert run["document"]["environment"] == {"R": "4.4"}
    found = given(api.get("/search/run", params={"where": "metrics.rmse < 55 and model.technique = 'ridge'"}))
    assert [item["id"] for item in found["items"]] == [run["id"]]
    up = given(api.get("/graph/upstream", params={"ref": run["id"]}))
    assert {node["kind"] for node in up["nodes"]} >= {"run", "datasets", "featuresets"}
    refused(api.post("/runs", json={"dataset": "nothing"}), 404, "no dataset is called 'nothing'")
    refused(api.post("/runs", json={"status": "done"}), 422, "body.status")


def test_roles_of_datasets(api: httpx.Client) -> None:
    study(api)
    run = given(api.post("/runs", json={"datasets": {"training": "diabetes", "test": ["diabetes"]}}), 201)
    (link,) = given(api.get("/links", params={"ref": run["id"], "kind": "run_datasets"}))["items"]
    assert link["document"] == {"roles": ["training", "test"]}


def test_a_run_that_goes_on(api: httpx.Client) -> None:
    study(api)
    run = given(api.post("/runs", json={"status": "running", "dataset": "diabetes", "name": "mine"}), 201)
    key = run["key"]
    assert run["document"]["status"] == "running"
    given(api.post(f"/runs/{key}/log", json={"params": {"alpha": 1}, "tags": {"who": "ann"}}))
    given(api.post(f"/runs/{key}/log", json={"params": {"beta": 2}, "fitted": {"w": [1, 2]}}))
    for step in range(3):
        point = {"step": step, "value": 1 / (step + 1), "time": f"2026-01-01T00:00:0{step}Z"}
        given(api.post(f"/runs/{key}/log", json={"points": {"loss": [point]}, "tags": {"step": step}}))
    points = given(api.get(f"/runs/{key}/points", params={"name": "loss"}))["points"]
    assert [point["value"] for point in points["loss"]] == [1.0, 0.5, 1 / 3]
    assert points["loss"][1]["time"] == "2026-01-01T00:00:01.000000Z"
    assert given(api.get("/search/run", params={"where": "metrics.loss < 0.4"}))["items"]
    ended = given(api.post("/runs/mine/finish", json={"metrics": {"rmse": 3}, "document": {"note": "ok"}}))
    assert ended["document"]["status"] == "finished"
    assert ended["document"]["end"] >= ended["document"]["start"]
    assert ended["document"]["tags"] == {"who": "ann", "step": 2}
    assert ended["document"]["note"] == "ok"
    assert ended["params"] == {"alpha": 1, "beta": 2, "fitted": {"w": [1, 2]}}
    assert ended["metrics"] == {"loss": 1 / 3, "rmse": 3}
    refused(api.post(f"/runs/{key}/log", json={"params": {"x": 1}}), 409, "has ended")
    refused(api.post(f"/runs/{key}/finish", json={}), 409, "has ended")


def test_a_run_that_failed(api: httpx.Client) -> None:
    api.post("/runs", json={"status": "running", "key": "r-1"})
    bad = {"end": "1999-01-01T00:00:00Z"}
    refused(api.post("/runs/r-1/finish", json=bad), 422, "before it started")
    ended = given(api.post("/runs/r-1/finish", json={"status": "failed", "error": "no memory"}))
    assert ended["document"]["error"] == {"message": "no memory"}
    assert ended["metrics"] == {}


def test_a_run_of_the_python_api_can_be_logged_to(served: Serve) -> None:
    store = MemoryStore()
    pipe = arangopipe.connect(store, capture=False)
    run = pipe.start_run(name="python")
    url = f"{served(store)}/api/v1/runs/{run.key}"
    given(http.post(f"{url}/log", json={"metrics": {"rmse": 1}, "params": {"alpha": 2}}))
    run.log_param("beta", 3)
    run.close()
    assert given(http.get(url))["params"] == {"alpha": 2, "beta": 3}
    pipe.close()


def test_odd_points(api: httpx.Client) -> None:
    api.post("/runs", json={"status": "running", "key": "r-1"})
    bad: Any
    for bad in ({"value": "high"}, {"step": 1.5, "value": 1}, {"step": 2**63, "value": 1}, {}):
        refused(api.post("/runs/r-1/log", json={"points": {"loss": [bad]}}), 422)
    given(api.post("/runs/r-1/log", json={"points": {"loss": [{"value": "NaN"}, {"step": -1, "value": 2}]}}))
    assert [p["value"] for p in given(api.get("/runs/r-1/points"))["points"]["loss"]] == [2.0, "NaN"]
    assert given(api.post("/runs/r-1/finish", json={}))["metrics"] == {"loss": "NaN"}


# --- deployments -----------------------------------------------------------------------------------


def test_a_deployment_and_how_it_serves(api: httpx.Client) -> None:
    ids = study(api)
    given(api.post("/runs", json={"model": ids["model"], "tag": "best", "key": "r-1"}), 201)
    body = {"tag": "prod", "run": "run/r-1", "active_from": "2026-01-01T00:00:00Z", "reason": "it is best"}
    first = given(api.post("/deployments", json=body), 201)
    assert first["document"]["status"] == "active"
    later = {"tag": "prod", "run": "run/r-1", "schedule": "2099-01-01T00:00:00Z"}
    second = given(api.post("/deployments", json=later), 201)
    period = {"start": "2026-02-01T00:00:00Z", "end": "2026-02-08T00:00:00Z"}
    perf = given(api.post("/deployments/prod/servingperf", json={"metrics": {"rmse": 9}, **period}), 201)
    assert perf["document"]["rmse"] == 9
    assert given(api.get(f"/servingperf/{perf['key']}"))["id"] == perf["id"]
    hit = given(api.get("/graph/impact", params={"ref": ids["model"]}))
    assert [live["id"] for live in hit["live"]] == [first["id"]]
    assert hit["last_serving"][first["id"]]["id"] == perf["id"]
    refused(api.delete(f"/models/{ids['model'].partition('/')[2]}"), 409, "is live")
    active = given(api.post("/deployments/prod/activate", json={"reason": "now"}))
    assert (active["id"], active["document"]["status"]) == (second["id"], "active")
    assert given(api.post("/deployments/prod/archive", json={}))["document"]["status"] == "archived"
    refused(api.post("/deployments/prod/archive", json={}), 409, "none of prod is active")
    refused(api.post("/deployments", json={"tag": "other"}), 404, "no run carries the tag 'other'")


# --- kinds, things, links --------------------------------------------------------------------------


def test_own_kinds(api: httpx.Client) -> None:
    study(api)
    given(api.post("/kinds/nodes", json={"name": "patient", "records": "who it is about"}), 201)
    edge = {"name": "about", "from": "datasets", "to": "patient", "depends": "from"}
    given(api.post("/kinds/edges", json=edge), 201)
    made = api.post("/things/patient", json={"name": "p-1", "document": {"age": 51}})
    assert made.headers["location"] == f"/api/v1/things/patient/{given(made, 201)['key']}"
    assert given(api.get("/things/patient/p-1"))["document"] == {"age": 51}
    link = {"from": "dataset:diabetes", "to": "patient:p-1", "kind": "about", "document": {"n": 1}}
    assert given(api.post("/links", json=link), 201)["document"] == {"n": 1}
    up = given(api.get("/graph/upstream", params={"ref": "dataset:diabetes"}))
    assert [node["name"] for node in up["nodes"]] == ["diabetes", "p-1"]
    kinds = given(api.get("/kinds"))
    assert [kind["name"] for kind in kinds["nodes"] if kind["own"]] == ["patient"]
    assert [kind["name"] for kind in kinds["edges"] if kind["own"]] == ["about"]
    refused(api.delete("/kinds/patient"), 409)
    ends = {"from": link["from"], "to": link["to"], "kind": "about"}
    assert given(api.delete("/links", params=ends)) == {"deleted": True}
    refused(api.delete("/links", params=ends), 404)
    assert given(api.patch("/things/patient/p-1", json={"document": {"age": 52}}))["revision"]
    assert len(given(api.get("/things/patient/p-1/revisions"))["items"]) == 2
    given(api.delete("/things/patient/p-1"))
    given(api.delete("/kinds/about"))
    given(api.delete("/kinds/patient"))
    refused(api.post("/things/run", json={"name": "x"}), 422, "built-in kind")


# --- reading ---------------------------------------------------------------------------------------


def test_a_search_goes_on_by_cursor(full: httpx.Client) -> None:
    asked: dict[str, Any] = {"where": "tag = 'sweep'", "order_by": "-metrics.rmse", "limit": 5}
    seen: list[float] = []
    while True:
        page = given(full.get("/search/run", params=asked))
        seen += [item["metrics"]["rmse"] for item in page["items"]]
        if page["cursor"] is None:
            break
        asked["cursor"] = page["cursor"]
    assert len(seen) == 12
    assert seen == sorted(seen, reverse=True)
    assert given(full.get("/runs", params={"limit": 1}))["cursor"]


def test_a_search_that_cannot_be_read(full: httpx.Client) -> None:
    answer = full.get("/search/run", params={"where": "metrics.rmse <"})
    refused(answer, 422)
    assert answer.json()["position"] == 14
    assert answer.json()["title"] == "FilterSyntaxError"
    refused(full.get("/search/run", params={"cursor": "nonsense"}), 422)


@pytest.mark.parametrize("path", ["search", "count", "things"])
def test_users_have_routes_of_their_own(full: httpx.Client, path: str) -> None:
    for kind in ("tokens", "users", "user"):
        refused(full.get(f"/{path}/{kind}{'/ann' if path == 'things' else ''}"), 422, "below /api/v1/")


@pytest.mark.parametrize("as_of", [None, 1])
@pytest.mark.parametrize(
    "path", ["/links", "/graph/upstream", "/graph/downstream", "/graph/lineage", "/graph/impact"]
)
def test_what_is_not_there_has_no_surroundings(full: httpx.Client, path: str, as_of: int | None) -> None:
    for ref in ("datasets/nothing", "dataset:nothing", "run/nothing"):
        answer = full.get(path, params={"ref": ref, **({} if as_of is None else {"as_of": as_of})})
        assert answer.status_code == 404, answer.text


def test_counts(full: httpx.Client) -> None:
    assert given(full.get("/count/run", params={"where": "tag = 'sweep'"})) == {"count": 12}
    by = given(full.get("/count/run", params={"by": "status"}))
    assert by == {
        "count": 14,
        "by": [{"value": "finished", "count": 13}, {"value": "failed", "count": 1}],
    }


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/questions/techniques", {}),
        ("/questions/feature-techniques", {}),
        ("/questions/useful-features", {"metric": "rmse", "ignore": "alpha"}),
        ("/questions/effect", {"metric": "rmse", "attribute": "s5", "ignore": ["alpha", "seed"]}),
        ("/questions/effect", {"metric": "rmse", "param": "alpha=1", "versus": "2"}),
        ("/questions/datasets-used", {"per": "year"}),
        ("/questions/leaderboard", {"metric": "rmse", "limit": 3, "where": "tag = 'sweep'"}),
        ("/questions/test-set-wear", {"metric": "rmse"}),
        ("/questions/compare", {"run": ["run/aaaaaaaa-00000001", "run/aaaaaaaa-00000002"]}),
        ("/questions/explain-difference", {"a": "run/aaaaaaaa-00000001", "b": "deployment:prod"}),
    ],
)
def test_questions(full: httpx.Client, path: str, params: dict[str, Any]) -> None:
    assert given(full.get(path, params=params))["sentence"]


def test_questions_that_have_no_answer(full: httpx.Client) -> None:
    refused(full.get("/questions/importance", params={"metric": "nothing"}), 404)
    refused(full.get("/questions/leaderboard", params={"metric": "rmse", "since": "2099-01-01"}), 404)
    refused(full.get("/questions/leaderboard"), 422, "query.metric")


def test_walks(full: httpx.Client) -> None:
    whole = given(full.get("/graph/lineage", params={"ref": "dataset:diabetes"}))
    assert not whole["truncated"]
    assert {node["depth"] for node in whole["nodes"]} >= {0, 1}
    near = given(full.get("/graph/downstream", params={"ref": "dataset:diabetes", "depth": 1, "limit": 3}))
    assert len(near["nodes"]) == 3
    assert near["truncated"]
    refused(full.get("/graph/upstream", params={"ref": "diabetes"}), 422, "does not say what kind")
    refused(full.get("/graph/upstream", params={"ref": "dataset:x"}), 404)


def test_the_audit(full: httpx.Client) -> None:
    page = given(full.get("/audit/changes", params={"actor": "ann", "limit": 3}))
    assert len(page["items"]) == 3
    assert page["items"][0]["change"] > page["items"][2]["change"] >= page["cursor"]
    older = given(full.get("/audit/changes", params={"cursor": page["cursor"], "limit": 1}))["items"]
    assert older[0]["change"] < page["cursor"]
    since = page["items"][1]["time"]
    later = given(full.get("/audit/changes", params={"since": since}))["items"]
    assert min(change["time"] for change in later) == since
    of_kind = given(full.get("/audit/changes", params={"kind": "deployment"}))["items"]
    assert all("deployment" in change["things"] for change in of_kind)
    of_thing = given(full.get("/audit/changes", params={"thing": "dataset:diabetes"}))["items"]
    assert of_thing
    assert all("datasets" in change["things"] for change in of_thing)
    assert given(full.get("/audit/changes", params={"reason": "nobody said that"}))["items"] == []
    refused(full.get("/audit/changes", params={"thing": "dataset:x"}), 404, "known by its id")
    assert given(full.get("/audit/verify"))["ok"] is True


def test_the_server_describes_itself(full: httpx.Client) -> None:
    found = given(full.get("/server"))
    assert found["arangopipe"] == arangopipe.__version__
    assert found["change"] > 10


@pytest.mark.parametrize(
    "path",
    [
        "/server",
        "/kinds",
        "/runs",
        "/count/run?by=status",
        "/datasets/diabetes/revisions",
        "/links?ref=dataset:diabetes",
        "/graph/lineage?ref=dataset:diabetes",
        "/graph/impact?ref=dataset:diabetes",
        "/audit/changes?limit=3",
        "/questions/leaderboard?metric=rmse&project=diabetes",
        "/runs/curve/points",
    ],
)
def test_what_a_contributor_may_read(users: Known, path: str) -> None:
    assert given(users["ana"].get(path))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/audit/verify", None),
        ("GET", "/export", None),
        ("POST", "/import", None),
        ("POST", "/erase", {"refs": ["dataset:diabetes"], "reason": "none"}),
    ],
)
def test_what_is_for_administrators(users: Known, method: str, path: str, body: Any) -> None:
    refused(users["ana"].request(method, path, json=body), 403, "ana does not administer the store")


# --- moving ----------------------------------------------------------------------------------------


def test_a_bundle_goes_out_and_in(full: httpx.Client, api: httpx.Client) -> None:
    bundle = full.get("/export")
    assert bundle.headers["content-type"] == "application/gzip"
    assert json.loads(gzip.decompress(bundle.content).splitlines()[0])["format"] == "arangopipe bundle"
    found = given(api.post("/import", content=bundle.content))
    assert found["verbatim"] is True
    assert (found["new"], found["known"], found["conflicts"]) == (given(full.get("/server"))["change"], 0, [])
    # The users came along, and their tokens.
    refused(api.get("/audit/verify"), 401)
    api.headers["Authorization"] = full.headers["Authorization"]
    assert given(api.get("/audit/verify")) == given(full.get("/audit/verify"))
    again = given(api.post("/import", content=iter([bundle.content[:100], bundle.content[100:]])))
    assert again["new"] == 0
    refused(api.post("/import", content=bundle.content[:-20]), 422, "what was sent is damaged")
    refused(api.post("/import", content=b"nothing"), 422, "what was sent is no bundle")
    part = full.get("/export", params={"project": "diabetes", "since": "1", "until": "5"})
    assert json.loads(gzip.decompress(part.content).splitlines()[0])["last"] == 5
    refused(full.get("/export", params={"project": "nothing"}), 404)


def test_a_bundle_may_be_larger_than_a_body(served: Serve, full: httpx.Client) -> None:
    content = full.get("/export").content
    url = served(MemoryStore(), limits=Limits(body=len(content) // 2))
    refused(http.post(f"{url}/api/v1/datasets", content=content), 413)
    assert given(http.post(f"{url}/api/v1/import", content=content))["new"]


def test_erasing(api: httpx.Client) -> None:
    key = given(api.post("/datasets", json={"name": "patients", "document": {"who": "x"}}), 201)["key"]
    refused(api.post("/erase", json={"refs": ["dataset:patients"], "reason": ""}), 422, "reason")
    given(api.post("/erase", json={"refs": ["dataset:patients"], "reason": "asked"}))
    history = given(api.get(f"/datasets/{key}/revisions"))["items"]
    assert "x" not in json.dumps([step["document"] for step in history])
