"""The pages about the record: which changes are found, what each did, and whether the chain holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import arangopipe
import story
from arangopipe import changelog
from arangopipe.errors import PermissionDenied
from arangopipe.pipe import ArangoPipe
from arangopipe.roles import Principal
from arangopipe.server.guard import guarded
from arangopipe.server.pages.verifying import Verifier
from arangopipe.store.memory import MemoryStore
from served import SECONDS, serving
from visitors import HTML, cheap, logged_in, people, post

__all__ = ["cheap"]

pytestmark = pytest.mark.usefixtures("cheap")


@pytest.fixture(scope="module")
def pipe(cheap: None) -> Iterator[ArangoPipe]:
    with arangopipe.connect("memory://", actor="root", capture=False) as made:
        story.tell(made)
        people(made)
        yield made


@pytest.fixture(scope="module")
def address(pipe: ArangoPipe) -> Iterator[str]:
    with serving(pipe.store) as url:
        yield url


@pytest.fixture(scope="module")
def root(address: str) -> Iterator[httpx.Client]:
    with logged_in(address, "root") as client:
        yield client


def view(client: httpx.Client, path: str, **query: Any) -> Any:
    answer = client.get(f"{path}.json", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def numbers(client: httpx.Client, **query: Any) -> list[int]:
    return [item["change"] for item in view(client, "/audit", **query)["items"]]


def test_changes_come_newest_first_and_page_by_page(root: httpx.Client, pipe: ArangoPipe) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arangopipe.server.pages.audit.LIMIT", 10)
        last = pipe.store.head().number  # type: ignore[union-attr]
        found, cursor = numbers(root), view(root, "/audit")["cursor"]
        assert found == list(range(last, last - 10, -1))
        while cursor:
            page = view(root, "/audit", cursor=cursor)
            found += [item["change"] for item in page["items"]]
            cursor = page["cursor"]
        assert found == list(range(last, 0, -1))


def test_changes_are_found_by_who_what_why_and_when(root: httpx.Client, pipe: ArangoPipe) -> None:
    items = {item["change"]: item for item in view(root, "/audit")["items"]}
    by_ana = numbers(root, actor="ana")
    assert by_ana
    assert {items[number]["actor"] for number in by_ana} == {"ana"}
    assert {items[number]["action"] for number in numbers(root, action="log run")} == {"log run"}
    (reviewed,) = numbers(root, reason="REVIEWED")
    assert items[reviewed]["reason"] == "as reviewed"
    forest = pipe.lookup_model("forest", project="diabetes")
    registered = items[reviewed]["change"], numbers(root, thing=forest.id)[-1]
    assert numbers(root, thing=forest.id) == numbers(root, thing="model:forest") == list(registered)
    assert len(numbers(root, thing="dataset:patients")) == 2
    assert len(numbers(root, thing="dataset:patients@2")) == 1
    deployed = numbers(root, kind="deployment")
    assert {items[number]["action"] for number in deployed} == {"register deployment"}
    assert numbers(root, kind="tokens")
    moment = items[reviewed]["time"]
    assert numbers(root, since=moment, until=moment) == [reviewed]
    assert numbers(root, as_of=3) == [3, 2, 1]
    assert "All changes" in root.get("/audit?actor=nobody").text
    assert "No change fits" in root.get("/audit?actor=nobody").text


@pytest.mark.parametrize(
    "query",
    [
        {"thing": "forest"},
        {"thing": "model:nothing"},
        {"since": "soon"},
        {"kind": "nothing"},
        {"cursor": "x"},
    ],
    ids=str,
)
def test_what_cannot_be_asked_for_is_said_beside_it(root: httpx.Client, query: dict[str, str]) -> None:
    answer = root.get("/audit", params=query)
    assert answer.status_code in (404, 422)
    assert 'role="alert"' in answer.text
    assert 'name="actor"' in answer.text


def test_looking_back_ends_in_time_and_goes_on(pipe: ArangoPipe) -> None:
    last = pipe.store.head().number  # type: ignore[union-attr]
    wanted = changelog.Wanted(action="register project")
    found, cursor = changelog.find(pipe, 5, wanted, seconds=-1)
    assert (found, cursor) == ([], last)
    seen: list[int] = []
    while cursor is not None:
        found, cursor = changelog.find(
            pipe, 5, changelog.Wanted(action="register project", cursor=cursor), -1
        )
        seen += [change.number for change in found]
    assert seen == [2, 1]


def test_how_far_a_page_looked_back_is_said(address: str, root: httpx.Client) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("arangopipe.server.pages.audit.SECONDS", -1)
        page = root.get("/audit?action=erase").text
        assert "looked back as far as change" in page
        assert "Next page" in page


def test_a_change_says_what_differs(root: httpx.Client) -> None:
    (number,) = numbers(root, reason="reviewed")
    change = view(root, f"/audit/{number}")
    (thing,) = change["things"]
    assert (thing["name"], thing["did"]) == ("forest", "changed")
    said = {each["path"]: (each["mark"], each["after"]) for each in thing["differences"]}
    assert said == {"description": ("+", "What serves since October")}
    assert change["previous"] == number - 1
    (logged,) = numbers(root, action="log runs")
    runs = view(root, f"/audit/{logged}")
    assert runs["things_count"] == 120
    assert len(runs["things"]) == 100
    assert runs["edges_count"] > 100
    assert "more things" in root.get(f"/audit/{logged}").text
    points = view(root, f"/audit/{numbers(root, action='log metrics')[0]}")
    assert [(each["name"], each["count"]) for each in points["points"]] == [
        ("loss", 120),
        ("validation.loss", 120),
    ]
    assert root.get("/audit/999999").status_code == 404
    assert root.get("/audit/5?as_of=4").status_code == 404


def test_nothing_that_proves_who_someone_is_is_shown(root: httpx.Client) -> None:
    for kind in ("users", "tokens"):
        for number in numbers(root, kind=kind):
            for path in (f"/audit/{number}.json", f"/audit/{number}"):
                text = root.get(path).text
                assert "argon2" not in text
                assert "sha256" not in text


def test_deletions_and_erased_rows_are_told() -> None:
    with arangopipe.connect("memory://", actor="ana", capture=False) as pipe, serving(pipe.store) as url:
        run = pipe.log_run(name="a", params={"alpha": 1.0})
        other = pipe.log_run(name="b", params={"alpha": 2.0})
        pipe.admin.delete(other, reason="double")
        pipe.admin.erase(run, reason="asked for")
        with httpx.Client(base_url=url, headers=HTML) as client:
            gone = view(client, "/audit/3")
            assert {(thing["kind"], thing["did"]) for thing in gone["things"]} == {
                ("run", "deleted"),
                ("modelparams", "deleted"),
                ("devperf", "deleted"),
            }
            assert view(client, "/audit/1")["unread"] == 3
            assert "only digests are left" in client.get("/audit/1").text


def test_who_is_restricted_sees_what_they_may(address: str, pipe: ArangoPipe) -> None:
    with logged_in(address, "vic") as vic:
        items = {item["change"]: item for item in view(vic, "/audit")["items"]}
        hidden = items[1 + next(n for n, item in items.items() if item["what"].endswith("diabetes"))]
        assert hidden["hidden"] is True
        assert (hidden["actor"], hidden["what"], len(hidden["chain"])) == ("", "", 64)
        assert "of something you may not see" in vic.get("/audit").text
        change = view(vic, f"/audit/{hidden['change']}")
        assert (change["things"], change["edges"]) == ([], [])
        assert "Verify now" not in vic.get("/audit").text
        assert post(vic, "/audit", "verify").status_code == 403
        kinds = {kind["kind"] for kind in view(vic, "/audit")["kinds"]}
        assert not kinds & {"users", "tokens"}
    with pytest.raises(PermissionDenied):
        Verifier().start(guarded(pipe.store, Principal("vic")), "vic")


def test_the_chain_is_verified_when_asked(root: httpx.Client, pipe: ArangoPipe) -> None:
    assert view(root, "/audit")["head"]["chain"] == pipe.store.head().chain  # type: ignore[union-attr]
    assert view(root, "/audit/verification")["last"] is None
    assert post(root, "/audit", "verify").status_code == 303
    last = _verified(root)
    assert (last["ok"], last["by"], last["failed"]) == (True, "root", "")
    assert "intact" in root.get("/audit/verification").text


def _verified(client: httpx.Client) -> Any:
    while True:
        found = view(client, "/audit/verification")
        if found["running"] is None and found["last"] is not None:
            return found["last"]


def test_the_first_bad_entry_is_named(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    with (
        arangopipe.connect(f"sqlite:///{path}", actor="ana", capture=False) as pipe,
        serving(pipe.store) as url,
    ):
        pipe.admin.register_project("diabetes")
        pipe.admin.register_project("asthma")
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE change SET actor = 'eve' WHERE number = 2")
        connection.close()
        with httpx.Client(base_url=url, headers=HTML, timeout=SECONDS) as client:
            assert client.post("/audit", data={"act": "verify"}).status_code == 303
            last = _verified(client)
            assert (last["ok"], last["problems"][0]["change"]) == (False, 2)
            page = client.get("/audit/verification").text
            assert "broken" in page
            assert 'href="/audit/2"' in page


def test_how_far_a_verification_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    from arangopipe import audit
    from arangopipe.errors import StoreUnavailable

    go_on, told = threading.Event(), threading.Event()

    def slow(store: Any, progress: Any) -> Any:
        progress(100, 250)
        told.set()
        assert go_on.wait(SECONDS)
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(audit, "verify", slow)
    with serving(MemoryStore()) as url, httpx.Client(base_url=url, headers=HTML, timeout=SECONDS) as client:
        client.post("/audit", data={"act": "verify"})
        assert told.wait(SECONDS)
        client.post("/audit", data={"act": "verify"})  # one at a time
        assert view(client, "/audit/verification")["running"] == {"done": 100, "total": 250}
        assert 'value="100"' in client.get("/audit/verification").text
        go_on.set()
        assert _verified(client)["failed"] == "the store is away"
        assert "the store is away" in client.get("/audit/verification").text
