"""The lineage page as values: what is walked, grouped, hidden and opened, and how little is read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import arangopipe
import story
from arangopipe.model.graph import Batch, Edge, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.pipe import ArangoPipe
from arangopipe.server.pages import fans, grouping, tracing
from arangopipe.store.memory import MemoryStore
from test_pages import page, view, visiting


@pytest.fixture(scope="module")
def pipe() -> Iterator[ArangoPipe]:
    with arangopipe.connect("memory://", actor="ana", capture=False) as made:
        story.tell(made)
        yield made


@pytest.fixture(scope="module")
def client(pipe: ArangoPipe) -> Iterator[httpx.Client]:
    with visiting(pipe.store) as made:
        yield made


@pytest.fixture
def data(pipe: ArangoPipe) -> str:
    return pipe.lookup_dataset("patients").id


def labels(found: Any) -> dict[str, int]:
    return {box["label"]: box["level"] for box in found["boxes"]}


def arrows(found: Any) -> set[tuple[str, str]]:
    names = {box["id"]: box["label"] for box in found["boxes"]}
    return {(names[arrow["from"]], names[arrow["to"]]) for arrow in found["arrows"]}


# --- what is shown -----------------------------------------------------------------------------


def test_two_levels_each_way_a_run_stands_for_its_parameters(client: httpx.Client) -> None:
    found = view(client, "/lineage/deployment/prod-2")
    kinds = {(box["kind"], box["level"]) for box in found["boxes"]}
    assert kinds == {
        ("deployment", 0),
        ("models", -1),
        ("run", -1),
        ("featuresets", -1),
        ("datasets", -2),
        ("servingperf", 1),
    }
    assert labels(found)[story.BEST] == -1
    assert {("patients@2", story.BEST), (story.BEST, "forest"), (story.BEST, "prod")} <= arrows(found)
    served = next(box for box in found["boxes"] if box["id"] == "deployment/prod-2")
    assert served["status"] == "live"
    assert page(client, "/lineage/deployment/prod-2").count("data-row=") == len(found["boxes"])


@pytest.mark.parametrize("kind", ["modelparams", "devperf"])
def test_what_a_run_owns_leads_to_the_run(client: httpx.Client, kind: str) -> None:
    assert view(client, f"/lineage/{kind}/net-0")["start"]["id"] == "run/net-0"


def test_many_of_a_kind_are_one_box_that_opens_to_a_list(client: httpx.Client, data: str) -> None:
    found = view(client, f"/lineage/{data}")
    (group,) = [box for box in found["boxes"] if box["group"]]
    assert (group["label"], group["group"], group["level"]) == ("43 runs", 43, 1)
    assert ("43 runs", "forest") in arrows(found)
    trained = next(a for a in found["arrows"] if a["from"] == group["id"] and a["to"].endswith("prod-2"))
    assert (trained["count"], trained["words"]) == (1, "serves")
    text = client.get(group["href"]).text
    assert "43 runs" in text
    assert text.count("data-pin") == 43
    path, _, query = group["href"].partition("?")
    few = client.get(f"{path}.json?{query}&text=forest").json()
    assert (few["count"], few["matching"]) == (43, 8)
    after = client.get(f"{path}.json?{query}&after=40").json()
    assert (len(after["items"]), after["first"], after["after"]) == (3, False, None)


def test_a_group_that_is_gone_is_said(client: httpx.Client, data: str) -> None:
    answer = client.get(f"/lineage/{data}/members", params={"group": "group:none"})
    assert answer.status_code == 404
    assert "load the page again" in answer.text


def test_depth_and_direction(client: httpx.Client, data: str) -> None:
    near = view(client, f"/lineage/{data}", depth=1)
    assert {box["level"] for box in near["boxes"]} == {0, 1}
    assert {box["level"] for box in view(client, f"/lineage/{data}", direction="upstream")["boxes"]} == {0}
    far = view(client, f"/lineage/{data}", depth="all")
    assert {"serving period"} <= {box["title"] for box in far["boxes"]}
    run = view(client, "/lineage/run/net-0", direction="upstream")
    assert labels(run) == {"net-0": 0, "forest": -1, "patients@2": -1, "base+s5": -1}


def test_hidden_kinds_are_passed_through(client: httpx.Client, data: str) -> None:
    found = view(client, f"/lineage/{data}", hide=["run", "featuresets"], depth=1)
    assert labels(found) == {
        "patients@2": 0,
        "prod": 1,
        "trial": 1,
        **dict.fromkeys(story.TECHNIQUES, 1),
    }
    assert all(arrow["count"] == 0 for arrow in found["arrows"] if arrow["to"].startswith("models/"))
    assert ("patients@2", "forest") in arrows(found)
    assert "by way of what is hidden" in page(client, f"/lineage/{data}", hide=["run", "featuresets"])


def test_only_what_is_live(client: httpx.Client, data: str) -> None:
    found = view(client, f"/lineage/{data}", live=1, depth="all")
    assert {box["id"] for box in found["boxes"]} >= {"deployment/prod-2", data}
    assert "deployment/prod-1" not in {box["id"] for box in found["boxes"]}
    assert set(labels(found)) == {"patients@2", "base+s5", story.BEST, "forest", "prod"}
    assert "No deployment that is live now" in page(client, "/lineage/run/net-0", live=1)


def test_what_was_opened_stands_in_the_address(client: httpx.Client, pipe: ArangoPipe) -> None:
    best = pipe.lookup_run(story.BEST)
    before = view(client, "/lineage/deployment/prod-2")
    model = next(box for box in before["boxes"] if box["kind"] == "models")
    assert set(model["more"]) == {"upstream", "downstream"}
    found = view(client, "/lineage/deployment/prod-2", up=[model["id"]])
    (group,) = [box for box in found["boxes"] if box["group"]]
    assert group["label"] == "10 runs"
    assert best.id in {box["id"] for box in found["boxes"]}
    again = next(box for box in found["boxes"] if box["id"] == model["id"])
    assert again["more"] == ["downstream"]
    assert client.get(group["href"]).text.count("data-pin") == 10
    pinned = view(client, "/lineage/deployment/prod-2", up=[model["id"]], **{"with": ["run/net-0"]})
    assert "run/net-0" in {box["id"] for box in pinned["boxes"]}
    assert "9 runs" in labels(pinned)


def test_a_click_asks_for_the_neighbours_of_one_thing(client: httpx.Client, data: str) -> None:
    near = view(
        client, f"/lineage/{data}", depth=1, direction="downstream", room=3, **{"with": ["run/net-0"]}
    )
    assert labels(near) == {"patients@2": 0, "net-0": 1, "base": 1, "base+s5": 1, "42 runs": 1}
    tight = view(client, f"/lineage/{data}", depth=1, direction="downstream", room=1)
    assert labels(tight) == {"patients@2": 0, "45 things": 1}


def test_another_moment(client: httpx.Client, data: str) -> None:
    found = view(client, f"/lineage/{data}", as_of=5)
    assert set(labels(found)) <= {"patients@2", "base", "base+s5"}
    assert all("as_of=5" in box["href"] for box in found["boxes"])
    assert client.get(f"/lineage/{data}", params={"as_of": 1}).status_code == 404


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("depth=0", "depth is '0'"),
        ("depth=deep", "a number from 1 to 9, or all"),
        ("hide=nonsense", "no kind of node is called"),
        ("room=301", "room"),
        ("direction=left", "direction"),
    ],
)
def test_what_cannot_be_asked_is_said(client: httpx.Client, query: str, said: str) -> None:
    answer = client.get(f"/lineage/run/net-0?{query}")
    assert answer.status_code == 422
    assert said in answer.text.replace("&#39;", "'")


def test_the_picture_as_mermaid(client: httpx.Client, data: str) -> None:
    answer = client.get(f"/lineage/{data}/mermaid")
    lines = answer.text.splitlines()
    assert lines[0] == "flowchart LR"
    assert '["dataset<br/>patients@2"]' in lines[1]
    assert any('[["43 runs"]]' in line for line in lines)
    assert sum("-->" in line for line in lines) == len(view(client, f"/lineage/{data}")["arrows"])
    assert 'filename="lineage-patients-2.mmd"' in answer.headers["content-disposition"]
    hidden = client.get(f"/lineage/{data}/mermaid", params={"hide": "run"}).text
    assert "-.->" in hidden


def test_names_are_text_in_mermaid_too() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    evil = '"]\n<script>alert(1)</script>'
    data = pipe.register_dataset(evil)
    with visiting(pipe.store) as client:
        text = client.get(f"/lineage/{data.id}/mermaid").text
        assert "<script>" not in text
        assert len(text.splitlines()) == 2
        shown = page(client, f"/lineage/{data.id}")
        assert "<script>alert" not in shown
        assert "Nothing is recorded of what it came from" in shown


def test_boxes_of_one_name_differ(client: httpx.Client, data: str) -> None:
    found = view(client, f"/lineage/{data}", depth=3)
    notes = {box["id"]: box["note"] for box in found["boxes"]}
    assert (notes["deployment/prod-1"], notes["deployment/prod-2"]) == ("1 Oct 2026", "20 Oct 2026")
    assert notes[data] == "442 rows"
    assert {"8 Oct – 14 Oct 2026", "22 Oct – 28 Oct 2026"} <= labels(found).keys()


def test_an_edge_shows_what_it_holds(client: httpx.Client, data: str) -> None:
    found = view(client, "/lineage/edges", of=["run/net-0", data])
    (edge,) = found["edges"]
    assert (edge["kind"], edge["words"]) == ("run_datasets", "used")
    (turned,) = view(client, "/lineage/edges", of=[data, "run/net-0"], kind="run_datasets")["edges"]
    assert turned["words"] == "used by"
    assert view(client, "/lineage/edges", of=["run/net-0", "run/net-1"])["edges"] == []
    assert client.get("/lineage/edges", params={"of": data}).status_code == 422


def test_the_edge_of_a_deployment_to_its_run_is_that_to_its_parameters(
    client: httpx.Client, pipe: ArangoPipe
) -> None:
    best = pipe.lookup_run(story.BEST)
    (edge,) = view(client, "/lineage/edges", of=["deployment/prod-2", best.id])["edges"]
    assert (edge["kind"], edge["words"]) == ("deployment_modelparams", "serves")


# --- where one starts --------------------------------------------------------------------------


def test_where_to_start(client: httpx.Client, data: str) -> None:
    found = view(client, "/lineage")
    assert [each["id"] for each in found["live"]] == ["deployment/prod-2"]
    assert data in {each["id"] for each in found["datasets"]}
    answer = client.get("/lineage/of", params={"text": "run/net-0"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/lineage/run/net-0")
    answer = client.get("/lineage/of", params={"text": "net-1", "as_of": "100000"})
    assert answer.headers["location"] == "/lineage/run/net-1?as_of=100000"
    assert "patients@2" in client.get("/lineage/of", params={"text": "patients"}).text
    assert "Nothing is called that" in client.get("/lineage/of", params={"text": "nobody"}).text


def test_every_entity_leads_to_its_lineage(client: httpx.Client) -> None:
    assert 'href="/lineage/run/net-0"' in page(client, "/entity/run/net-0")


def test_an_empty_store_has_nothing_to_trace() -> None:
    with visiting(MemoryStore()) as client:
        assert "Nothing is live." in page(client, "/lineage")


# --- large graphs ------------------------------------------------------------------------------


def chained(pipe: ArangoPipe, edges: list[tuple[int, int]], count: int) -> None:
    """Fill a store with parts, the first of each pair made of the second."""
    pipe.admin.register_node_kind("part")
    pipe.admin.register_edge_kind("made_of", "part", "part", depends="from")
    pipe.store.write(
        Batch(
            uuid7(),
            puts=tuple(Put(Node("part", f"p{i}", f"part {i}")) for i in range(count)),
            edges=tuple(Edge("made_of", f"part/p{a}", f"part/p{b}") for a, b in edges),
        )
    )


@pytest.mark.parametrize(("shape", "count"), [("bush", 10_001), ("fan", 2_001), ("chain", 1_001)])
def test_of_ten_thousand_things_at_most_three_hundred_boxes_are_drawn(shape: str, count: int) -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    over = {"bush": lambda i: (i - 1) // 3, "fan": lambda _: 0, "chain": lambda i: i - 1}[shape]
    chained(pipe, [(over(i), i) for i in range(1, count)], count)
    with visiting(pipe.store) as client:
        found = view(client, "/lineage/part/p0", depth="all")
        assert len(found["boxes"]) <= grouping.ROOM + 1
        assert sum(box["group"] or 1 for box in found["boxes"]) == min(count, tracing.DEEPLY)
        assert len(found["arrows"]) <= 1_000
        first = view(client, "/lineage/part/p0")
        if shape == "fan":
            assert [box["label"] for box in first["boxes"]] == ["part 0", "2,000 parts"]
            assert "only a part of their neighbours" in page(client, "/lineage/part/p0")
        if shape == "bush":
            assert [box["label"] for box in first["boxes"] if box["group"]] == []
            assert {box["label"] for box in found["boxes"]} >= {"part 1", "part 13", "part 100"}


def test_a_walk_ends_in_circles() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    chained(pipe, [(0, 1), (1, 2), (2, 0)], 3)
    with visiting(pipe.store) as client:
        found = view(client, "/lineage/part/p0", depth="all")
        assert len(found["boxes"]) == 3
        assert len(found["arrows"]) == 3


class Counting(MemoryStore):
    """Counts what is read, to see that it does not grow with the store."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def edges(self, *rest: Any, **more: Any) -> Any:
        found = super().edges(*rest, **more)
        self.most = max(self.most, len(found))
        return found

    def traverse(self, *rest: Any, **more: Any) -> Any:
        raise AssertionError("a walk of the store reads all edges of a hub")


def test_no_more_is_read_of_a_hub_than_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "LOOKED", 20)
    store = Counting()
    pipe = arangopipe.connect(store, capture=False)
    data = pipe.register_dataset("hub")
    features = pipe.register_featureset("f", dataset=data, columns={"a": "float64"})
    model = pipe.register_model("m")
    pipe.log_runs([{"dataset": data, "model": model, "name": f"r{i}"} for i in range(60)])
    pipe.log_run(dataset=data, featureset=features, name="other", key="other")
    with visiting(store) as client:
        found = view(client, f"/lineage/{data.id}")
        assert store.most == 20
        assert found["cut"]
        # The many runs neither hide the few of another kind, nor what comes after them.
        assert {"f", "m"} <= labels(found).keys()
        (group,) = [box for box in found["boxes"] if box["group"]]
        assert (group["label"], group["group"]) == ("60 runs", 60)
        assert next(a for a in found["arrows"] if a["to"] == group["id"])["count"] == 60
        listed = client.get(group["href"]).text
        assert ("60 runs" in listed, "as a search" in listed, listed.count("data-pin")) == (True, False, 50)
        pinned = view(client, f"/lineage/{data.id}", **{"with": [pipe.lookup_run("r57").id]})
        assert {"r57": 1, "59 runs": 1}.items() <= labels(pinned).items()
        monkeypatch.setattr(fans, "LISTED", 30)
        assert "All of them, as a search" in client.get(group["href"]).text
        near = view(client, "/lineage/run/other")
        assert labels(near) == {"other": 0, "f": -1, "hub": -1}
        (edge,) = view(client, "/lineage/edges", of=["run/other", data.id])["edges"]
        assert edge["words"] == "used"


# --- who asks ----------------------------------------------------------------------------------


def test_what_is_not_yours_is_shown_without_a_name() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    for project in ("mine", "theirs"):
        pipe.admin.register_project(project)
    data = pipe.register_dataset("shared")
    secret = pipe.register_dataset("secret", project="theirs")
    pipe.log_run(project="mine", dataset=data, name="own", key="own")
    run = pipe.log_run(project="mine", datasets={"test": secret}, name="odd", key="odd")
    pipe.log_run(project="theirs", dataset=data, name="hidden", key="hidden")
    pipe.admin.register_user("eve", roles={"mine": "viewer"})
    token = pipe.admin.create_token("eve").text
    with visiting(pipe.store) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        found = view(client, f"/lineage/{data.id}")
        assert labels(found) == {"shared": 0, "own": 1, "not yours to see": 1}
        (unseen,) = [box for box in found["boxes"] if box["redacted"]]
        assert (unseen["id"], unseen["href"], unseen["more"]) == ("run/hidden", None, [])
        found = view(client, f"/lineage/{run.id}")
        assert labels(found) == {"odd": 0, "not yours to see": -1}
        assert "secret" not in page(client, f"/lineage/{run.id}")
        assert client.get(f"/lineage/{secret.id}").status_code == 404
        assert client.get("/lineage/edges", params={"of": [run.id, secret.id]}).status_code == 404
