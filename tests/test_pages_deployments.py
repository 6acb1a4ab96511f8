"""The page of deployments: who is live, who was when, how they serve, and what hangs on their data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

import arangopipe
import story
from arangopipe.errors import InvalidInput
from arangopipe.model import times
from arangopipe.model.expressions import Expression
from arangopipe.pipe import ArangoPipe
from arangopipe.roles import Principal
from arangopipe.server.guard import GuardedStore
from arangopipe.server.pages import deployments, placed, reported, spans
from arangopipe.store.base import Store
from arangopipe.store.memory import MemoryStore
from visits import page, view, visiting

JANUARY = datetime(2025, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def pipe() -> Iterator[ArangoPipe]:
    with arangopipe.connect("memory://", actor="ana", capture=False) as made:
        story.tell(made)
        yield made


@pytest.fixture(scope="module")
def client(pipe: ArangoPipe) -> Iterator[httpx.Client]:
    with visiting(pipe.store) as made:
        yield made


def deployed(store: Store | None = None, **more: Any) -> ArangoPipe:
    """Return a store with one deployment of `web`, live since the first of January."""
    pipe = arangopipe.connect(store or "memory://", capture=False)
    model = pipe.register_model("net", technique="net")
    run = pipe.log_run(name="first", model=model, metrics={"rmse": 2.0}, params={"a": 1})
    pipe.admin.register_deployment("web", run=run, active_from=JANUARY, key="web-1", **more)
    return pipe


# --- spans -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end", "words"),
    [
        ("2026", "2026-01-01", "2027-01-01", "in 2026"),
        (" 2026-12 ", "2026-12-01", "2027-01-01", "in December 2026"),
        ("2026-02-28", "2026-02-28", "2026-03-01", "on 28 February 2026"),
        ("2026-10-15T12:30", "2026-10-15T12:30", "2026-10-15T12:30", "at 12:30 UTC on 15 October 2026"),
        ("2026-10-15T12:30+02:00", "2026-10-15T10:30", "2026-10-15T10:30", "at 10:30 UTC on 15 October 2026"),
        ("2026-10-15T12:30:00Z", "2026-10-15T12:30", "2026-10-15T12:30", "at 12:30 UTC on 15 October 2026"),
    ],
)
def test_people_name_stretches_of_time(text: str, start: str, end: str, words: str) -> None:
    span = spans.parse(text)
    known = [datetime.fromisoformat(each).replace(tzinfo=timezone.utc) for each in (start, end)]
    assert [span.start, span.end] == known
    assert (span.words, span.moment) == (words, start == end)


@pytest.mark.parametrize("text", ["", "october", "2026-13", "2026-02-30", "26-10", "9999", "2026-10-15T99"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="write 2026, 2026-10"):
        spans.parse(text)


def test_months_are_the_last_ones() -> None:
    found = spans.months(
        datetime(2024, 5, 9, tzinfo=timezone.utc), datetime(2026, 1, 31, tzinfo=timezone.utc), 3
    )
    assert found == [("2025-11", "Nov 2025"), ("2025-12", "Dec 2025"), ("2026-01", "Jan 2026")]


# --- who is and was live -------------------------------------------------------------------------


def test_who_is_live_and_who_is_to_be(client: httpx.Client) -> None:
    found = view(client, "/deployments")
    (live,) = found["live"]
    assert (live["tag"], live["status"], live["runs"][0]["name"]) == ("prod", "live", story.BEST)
    assert [(each["name"], each["roles"]) for each in live["data"]] == [
        ("patients", ["training"]),
        ("holdout", ["test"]),
    ]
    assert [each["key"] for each in found["scheduled"]] == ["prod-3"]
    assert found["who"] is None
    assert found["tags"] == ["prod", "trial"]
    assert (found["reports"], found["months"][1]["at"]) == (["prod", "trial"], "2026-10")


@pytest.mark.parametrize(
    ("at", "tag", "keys", "said"),
    [
        (
            "2026-10",
            "",
            ["prod-1", "prod-2", "trial-1"],
            "In October 2026, prod was served by diabetes-forest-base+s5-1 until 20 October 2026, then by "
            "diabetes-forest-base+s5-0 from 20 October 2026; trial was served by diabetes-svr-base-0 until "
            "10 October 2026.",
        ),
        (
            "2026-10-20",
            "prod",
            ["prod-2"],
            "On 20 October 2026, prod was served by diabetes-forest-base+s5-0.",
        ),
        ("2026-10-19T23:59:59", "prod", ["prod-1"], "At 23:59 UTC on 19 October 2026, prod was served by"),
        ("2026-10-20T00:00", "prod", ["prod-2"], "At 00:00 UTC on 20 October 2026, prod was served by"),
        ("2026-08", "", [], "In August 2026, nothing was live."),
        ("2026-11", "trial", [], "In November 2026, no deployment of trial was live."),
    ],
)
def test_who_was_live(
    client: httpx.Client, pipe: ArangoPipe, at: str, tag: str, keys: list[str], said: str
) -> None:
    found = view(client, "/deployments", at=at, tag=tag)["who"]
    assert [item["key"] for item in found["items"]] == keys
    assert found["sentence"].startswith(said)
    text = page(client, "/deployments", at=at, tag=tag)
    assert found["sentence"] in text
    if spans.parse(at).moment:
        live = pipe.admin.deployments(tag or None, live_at=spans.parse(at).start)
        assert {item.key for item in live} == set(keys)


def test_a_time_that_cannot_be_read_is_said_beside_the_form(client: httpx.Client) -> None:
    answer = client.get("/deployments", params={"at": "october"})
    assert answer.status_code == 422
    assert 'value="october"' in answer.text
    assert "is no time: write 2026, 2026-10" in answer.text


def test_what_was_recorded_then_may_differ() -> None:
    pipe = deployed()
    before = pipe.store.head()
    assert before is not None
    pipe.admin.archive_deployment("deployment/web-1", at=JANUARY + DAY, reason="it was off all along")
    with visiting(pipe.store) as client:
        now = view(client, "/deployments", at="2025-02")["who"]
        assert (now["items"], now["sentence"]) == ([], "In February 2025, nothing was live.")
        assert "as_of=2025-03-01" in now["then"]
        then = view(client, "/deployments", at="2025-02", as_of=before.number)
        assert [item["key"] for item in then["who"]["items"]] == ["web-1"]
        assert then["who"]["then"] is None
        assert [item["key"] for item in then["live"]] == ["web-1"]
        assert view(client, "/deployments", as_of=before.number - 1)["bars"] == []


def test_the_timeline_has_lanes_and_marks_what_was_asked(client: httpx.Client) -> None:
    text = page(client, "/deployments", at="2026-10")
    (plot,) = [json.loads(each) for each in re.findall(r"data-timeline='([^']*)'", text)]
    assert plot["lanes"] == ["prod", "trial"]
    assert [(bar["tag"], bar["status"], bar["lane"]) for bar in plot["bars"]] == [
        ("prod", "archived", 0),
        ("prod", "live", 0),
        ("prod", "scheduled", 0),
        ("trial", "archived", 1),
    ]
    assert [moment[:10] for moment in plot["asked"]] == ["2026-10-01", "2026-11-01"]
    assert plot["words"].startswith("Who was live when: prod: diabetes-forest-base+s5-1 from 2026-10-01")


def test_deployments_that_serve_at_once_stand_in_lanes_of_their_own() -> None:
    pipe = deployed()
    run = pipe.lookup_run("first")
    pipe.admin.register_deployment("web", run=run, active_from=JANUARY + 3 * DAY, key="web-2", keep=True)
    pipe.admin.archive_deployment("deployment/web-1", at=JANUARY + 5 * DAY)
    pipe.admin.register_deployment("web", run=run, active_from=JANUARY + 6 * DAY, key="web-3", keep=True)
    with visiting(pipe.store) as client:
        bars = view(client, "/deployments")["bars"]
        assert [(bar["id"][-5:], bar["lane"]) for bar in bars] == [("web-1", 0), ("web-3", 0), ("web-2", 1)]
        assert [item["key"] for item in view(client, "/deployments", at="2025-01-05")["who"]["items"]] == [
            "web-1",
            "web-2",
        ]


def test_deployments_that_never_served_were_never_live() -> None:
    pipe = deployed()
    run = pipe.lookup_run("first")
    pipe.admin.register_deployment("web", run=run, schedule=times.now() + DAY, key="web-2")
    pipe.admin.archive_deployment("deployment/web-2")
    with visiting(pipe.store) as client:
        found = view(client, "/deployments", at="2025")
        assert [item["key"] for item in found["who"]["items"]] == ["web-1"]
        assert [bar["id"] for bar in found["bars"]] == ["deployment/web-1"]
        assert found["scheduled"] == []


def test_older_deployments_follow_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placed, "TIMELINE", 2)
    pipe = deployed()
    run = pipe.lookup_run("first")
    for place in (2, 3):
        start = JANUARY + place * DAY
        pipe.admin.register_deployment("web", run=run, active_from=start, key=f"web-{place}")
    with visiting(pipe.store) as client:
        first = view(client, "/deployments")
        assert [bar["id"] for bar in first["bars"]] == ["deployment/web-2", "deployment/web-3"]
        assert "data-next" in page(client, "/deployments")
        second = view(client, "/deployments", cursor=first["cursor"])
        assert [bar["id"] for bar in second["bars"]] == ["deployment/web-1"]
        assert second["cursor"] is None


# --- serving -----------------------------------------------------------------------------------


def test_serving_stands_against_development(client: httpx.Client, pipe: ArangoPipe) -> None:
    found = view(client, "/deployments/serving", tag="prod")
    rmse, rows = found["metrics"]
    assert (rmse["name"], rows["name"], rows["development"]) == ("rmse", "rows", [])
    assert [line["label"] for line in rmse["development"]] == [f"{story.BEST[:-1]}1", story.BEST]
    assert rmse["development"][1]["value"] == pipe.lookup_run(story.BEST).metrics["rmse"]
    assert [(each["deployment"][-6:], each["value"]) for each in rmse["serving"]] == [
        ("prod-1", 58.0),
        ("prod-1", 59.0),
        ("prod-2", 61.0),
        ("prod-2", 62.0),
    ]
    first, last = found["missing"]
    assert (first["deployment"], first["from"][:10], first["to"][:10]) == (
        "deployment/prod-1",
        "2026-10-15",
        "2026-10-20",
    )
    assert (last["deployment"], last["from"][:10]) == ("deployment/prod-2", "2026-11-05")
    assert found["sentence"].startswith(
        "prod reported 4 periods, the last until 5 November 2026; rmse was 62 then"
    )
    assert "went unreported" in found["sentence"]
    text = page(client, "/deployments/serving", tag="prod")
    (plot,) = [json.loads(each) for each in re.findall(r"data-serving='([^']*)'", text)]
    assert [metric["serving"] for metric in plot["metrics"]] == [
        metric["serving"] for metric in found["metrics"]
    ]
    assert len(plot["missing"]) == 2


def test_periods_without_a_gap_are_said_to_be_whole() -> None:
    pipe = deployed()
    pipe.admin.archive_deployment("web", at=JANUARY + 21 * DAY)
    for week in range(3):
        start = JANUARY + 7 * week * DAY
        pipe.log_serving_perf("deployment/web-1", {"rmse": 2.0 + week}, period=(start, start + 7 * DAY))
    with visiting(pipe.store) as client:
        found = view(client, "/deployments/serving", tag="web")
        assert found["missing"] == []
        assert found["sentence"].endswith("rmse was 4 then, 2 in development (+100 %). None is missing.")


def test_a_tag_that_never_reported_says_so(client: httpx.Client) -> None:
    found = view(client, "/deployments/serving", tag="trial")
    assert (found["sentence"], found["metrics"]) == ("trial has not reported how it serves.", [])
    assert [gap["periods"] for gap in found["missing"]] == [6]
    assert view(client, "/deployments/serving", tag="nothing")["missing"] == []


def test_only_the_latest_periods_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported, "PERIODS", 3)
    pipe = deployed()
    for day in range(6):
        start = JANUARY + day * DAY
        pipe.log_serving_perf("web", {"rmse": float(day)}, period=(start, start + DAY))
    with visiting(pipe.store) as client:
        found = view(client, "/deployments/serving", tag="web")
        assert [each["metrics"]["rmse"] for each in found["periods"]] == [5.0, 4.0, 3.0]
        assert found["cut"]
        # What was not read is not missing.
        assert [gap["from"][:10] for gap in found["missing"]] == ["2025-01-07"]


# --- impact, and who asks ------------------------------------------------------------------------


def test_what_hangs_on_the_data_of_what_is_live(client: httpx.Client) -> None:
    found = view(client, "/deployments/impact")
    patients, holdout = found["datasets"]
    assert patients["counts"] == {"featuresets": 2, "run": 43, "models": 5, "deployment": 4}
    assert holdout["counts"]["featuresets"] == 0
    assert [each["tag"] for each in patients["live"]] == ["prod"]
    assert not patients["more"]


def test_a_large_impact_is_counted_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch, client: httpx.Client
) -> None:
    monkeypatch.setattr(deployments, "WALKED", 10)
    found = view(client, "/deployments/impact", tag="prod")
    assert all(each["more"] for each in found["datasets"])
    assert all([live["tag"] for live in each["live"]] == ["prod"] for each in found["datasets"])
    assert "counting ended after 10 things" in page(client, "/deployments/impact", tag="prod")


def test_one_sees_the_deployments_of_ones_projects(pipe: ArangoPipe) -> None:
    seen = GuardedStore(pipe.store, Principal("cho", roles={"churn": "viewer"}))
    with visiting(seen) as there:
        for address in ("/deployments?at=2026-10", "/deployments/serving?tag=prod", "/deployments/impact"):
            answer = there.get(address)
            assert answer.status_code == 200
            assert not re.search("diabetes|forest|rmse|prod-1|holdout", answer.text), address
        found = view(there, "/deployments", at="2026-10")
        assert (found["live"], found["bars"], found["who"]["items"]) == ([], [], [])


def test_an_empty_store_has_no_deployments() -> None:
    with visiting(MemoryStore()) as client:
        text = page(client, "/deployments")
        assert "Nothing is live." in text
        assert "Nothing was deployed yet." in text


class Bounded(MemoryStore):
    """Sees to it that the page reads no more than a page."""

    def count(self, kind: str, where: Expression | None = None, *rest: Any, **more: Any) -> Any:
        raise AssertionError(f"{kind} was counted")

    def search(self, kind: str, *rest: Any, **more: Any) -> Any:
        found = super().search(kind, *rest, **more)
        assert len(found.items) <= 100
        return found

    def edges(self, *rest: Any, **more: Any) -> Any:
        found = super().edges(*rest, **more)
        assert len(found) <= 100
        return found


def test_the_page_does_no_work_that_grows_with_the_store() -> None:
    store = Bounded()
    pipe = deployed(store)
    for day in range(150):
        start = JANUARY + day * DAY
        pipe.log_serving_perf("web", {"rmse": float(day)}, period=(start, start + DAY))
    with visiting(store) as client:
        for address in ("/deployments", "/deployments?at=2025&tag=web", "/deployments/serving?tag=web"):
            page(client, *address.split("?")[:1], **dict(httpx.QueryParams(address.partition("?")[2])))
