"""Logging in and the pages for administrators, over HTTP: who sees what, and what forms do."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import arangopipe
import story
from arangopipe.pipe import ArangoPipe
from arangopipe.roles import ROLES
from arangopipe.server import create_app
from arangopipe.server.access import Gate
from arangopipe.server.pages.acts import moment
from arangopipe.server.pages.login import local
from arangopipe.store.memory import MemoryStore
from served import running, serving
from visitors import HTML, PASSWORD, cheap, logged_in, people, post

__all__ = ["cheap"]

pytestmark = pytest.mark.usefixtures("cheap")

SECTIONS = ("users", "tokens", "projects", "kinds", "deployments", "store")


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


@pytest.fixture
def root(address: str) -> Iterator[httpx.Client]:
    with logged_in(address, "root") as client:
        yield client


@pytest.fixture
def ana(address: str) -> Iterator[httpx.Client]:
    with logged_in(address, "ana") as client:
        yield client


def said(answer: httpx.Response) -> str:
    """Return what stands in the notice of a page, without marks."""
    found = re.search(r'class="notice [a-z]+" role="(?:alert|status)">(.*?)</div>', answer.text, re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", found[1]).split())) if found else ""


def followed(client: httpx.Client, answer: httpx.Response) -> str:
    assert answer.status_code == 303, said(answer)
    return said(client.get(answer.headers["location"]))


# --- login ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["//evil", "https://evil", "/\\evil", "evil", "", "javascript:x", "/a b", "/a\nb", "/login", "/logout"],
)
def test_login_leads_to_no_other_place(path: str) -> None:
    assert local(path) == "/"


def test_login_leads_back(address: str) -> None:
    with httpx.Client(base_url=address, headers=HTML) as client:
        led = client.get("/search?kind=datasets")
        assert led.headers["location"] == "/login?next=%2Fsearch%3Fkind%3Ddatasets"
        form = client.get(led.headers["location"])
        assert 'value="/search?kind=datasets"' in form.text
        assert "Search</a>" not in form.text  # who is not known is shown no way further
        answer = client.post(
            "/login", data={"name": "ana", "password": PASSWORD, "next": "/search?kind=datasets"}
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/search?kind=datasets")
        assert "ana" in client.get("/").text
        elsewhere = client.post("/login", data={"name": "ana", "password": PASSWORD, "next": "//evil"})
        assert elsewhere.headers["location"] == "/"


def test_a_wrong_password_is_said_beside_the_form_and_not_repeated(address: str) -> None:
    with httpx.Client(base_url=address, headers=HTML) as client:
        wrong = client.post("/login", data={"name": "nobody", "password": "secret-word"})
        assert wrong.status_code == 401
        assert said(wrong) == "The name or the password is wrong."
        assert 'value="nobody"' in wrong.text
        assert "secret-word" not in wrong.text
        for _ in range(8):
            wrong = client.post("/login", data={"name": "nobody", "password": "x"})
        assert wrong.status_code == 429
        assert said(wrong).startswith("Too many attempts to log in: try again in ")
        assert int(wrong.headers["retry-after"]) >= 1


def test_logging_out_ends_the_session(address: str) -> None:
    with logged_in(address, "vic") as client:
        cookie = dict(client.cookies)
        assert client.post("/logout").status_code == 403  # without the proof of a page
        answer = post(client, "/logout", "")
        assert answer.headers["location"] == "/login?done=logout"
        assert said(client.get("/login?done=logout")) == "You are logged out."
        again = httpx.get(f"{address}/account", cookies=cookie, headers=HTML)
        assert again.headers["location"].startswith("/login?next=")


def test_a_form_and_a_part_of_a_session_that_has_ended_lead_to_the_page_they_stand_on(address: str) -> None:
    part = {"HX-Request": "true", "HX-Current-URL": f"{address}/search?kind=run"}
    led = httpx.get(f"{address}/search/facets?kind=run", headers={**HTML, **part})
    assert (led.status_code, led.headers["hx-redirect"]) == (401, "/login?next=%2Fsearch%3Fkind%3Drun")
    led = httpx.post(f"{address}/account", data={}, headers={**HTML, "Referer": f"{address}/account?done=x"})
    assert (led.status_code, led.headers["location"]) == (303, "/login?next=%2Faccount%3Fdone%3Dx")


def test_a_server_without_users_asks_nobody_to_log_in() -> None:
    with serving(MemoryStore()) as url, httpx.Client(base_url=url, headers=HTML) as client:
        assert client.get("/login?next=/search").headers["location"] == "/search"
        assert client.get("/account").status_code == 404
        assert "log out" not in client.get("/").text


def test_the_first_administrator_is_made_in_the_browser() -> None:
    app = create_app(MemoryStore(), authentication=True)
    gate: Gate = app.state.gate
    token = gate.setup_token()
    assert token
    given = {"name": "root", "password": PASSWORD, "password_again": PASSWORD, "setup_token": token}
    with running(app) as url, httpx.Client(base_url=url, headers=HTML, timeout=60) as client:
        assert "The first administrator" in client.get("/login").text
        for field, wrong, status in (
            ("setup_token", token[:-1] + "x" * 3, 401),
            ("password_again", "other", 422),
            ("name", "a b", 422),
        ):
            answer = client.post("/login", data={**given, field: wrong})
            assert (answer.status_code, bool(said(answer))) == (status, True), field
        short = client.post("/login", data={**given, "password": "x", "password_again": "x"})
        assert said(short) == "A password has 8 to 1,000 characters, not 1."
        assert client.post("/login", data=given).headers["location"] == "/"
        assert "administers the store" in client.get("/").text
        assert "The first administrator" not in client.get("/login").text


def test_the_first_user_registered_in_the_page_is_its_administrator() -> None:
    with serving(MemoryStore()) as url, httpx.Client(base_url=url, headers=HTML, timeout=60) as client:
        assert "Register the first administrator" in client.get("/admin/users").text
        form = {"act": "register-user", "name": "root"}
        assert "needs a password" in said(client.post("/admin/users", data=form))
        answer = client.post("/admin/users", data={**form, "password": PASSWORD})
        assert answer.headers["location"] == "/login?next=/admin/users"
        assert client.get("/admin/users").status_code == 303
        with logged_in(url, "root") as known:
            assert known.get("/admin/users.json").json()["users"][0]["admin"] is True


# --- one's own account ---------------------------------------------------------------------------


def test_a_token_is_shown_once_and_ends(address: str, ana: httpx.Client) -> None:
    made = post(ana, "/account", "create-token", name="cluster", role="viewer", days="30")
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    text = re.search(r"apt_[0-9a-f]{20}_[A-Za-z0-9_-]{43}", made.text)
    assert text
    assert text[0] not in ana.get("/account").text
    bearer = {"Authorization": f"Bearer {text[0]}"}
    me = httpx.get(f"{address}/api/v1/me", headers=bearer).json()
    assert me["roles"] == {"diabetes": "viewer"}
    key = text[0].split("_")[1]
    assert followed(ana, post(ana, "/account", "revoke-token", about=key)) == f"The token {key} is ended."
    assert httpx.get(f"{address}/api/v1/me", headers=bearer).status_code == 401


def test_a_token_for_what_one_may_not_see_is_refused_beside_the_form(ana: httpx.Client) -> None:
    answer = post(ana, "/account", "create-token", name="x", project="churn")
    assert answer.status_code == 404
    assert said(answer) == "You have a role in no project that is called 'churn'"
    assert "Days: " in said(post(ana, "/account", "create-token", days="-1"))
    assert post(ana, "/account", "fly").status_code == 422


def test_a_password_is_changed_and_other_sessions_end(pipe: ArangoPipe, address: str) -> None:
    pipe.admin.register_user("zoe", password=PASSWORD)
    with logged_in(address, "zoe") as here, logged_in(address, "zoe") as there:
        new = {"new_password": "another sentence", "new_password_again": "another sentence"}
        wrong = post(here, "/account", "password", old_password="wrong", **new)
        assert (wrong.status_code, said(wrong)) == (422, "The old password is wrong")
        assert "another sentence" not in wrong.text
        differ = post(here, "/account", "password", old_password=PASSWORD, **{**new, "new_password": "x" * 9})
        assert "differ" in said(differ)
        done = followed(here, post(here, "/account", "password", old_password=PASSWORD, **new))
        assert done == "Your password is changed, and your other sessions are ended."
        assert there.get("/account").status_code == 303
    with logged_in(address, "zoe", "another sentence") as again:
        session = next(it for it in again.get("/account.json").json()["sessions"] if not it["here"])
        assert followed(again, post(again, "/account", "end-session", about=session["key"]))
        assert [it["here"] for it in again.get("/account.json").json()["sessions"]] == [True]


# --- who sees what -------------------------------------------------------------------------------

MAY = {
    "root": SECTIONS,
    "pia": ("users", "tokens", "deployments"),
    "ana": ("deployments",),
    "vic": (),
}


@pytest.mark.parametrize("user", MAY)
def test_roles_decide_what_is_shown(address: str, user: str) -> None:
    with logged_in(address, user) as client:
        home = client.get("/").text
        assert ('href="/admin"' in home) is bool(MAY[user])
        for section in SECTIONS:
            status = client.get(f"/admin/{section}").status_code
            assert status == (200 if section in MAY[user] else 403), section
        if MAY[user]:
            assert client.get("/admin").headers["location"] == f"/admin/{MAY[user][0]}"
            shown = re.findall(r'href="/admin/([a-z]+)"', client.get(f"/admin/{MAY[user][0]}").text)
            assert tuple(dict.fromkeys(shown)) == MAY[user]


REFUSED: list[tuple[str, str, dict[str, Any]]] = [
    ("/admin/users", "register-user", {"name": "eve"}),
    ("/admin/users/vic", "disable", {}),
    ("/admin/users/vic", "grant-admin", {}),
    ("/admin/users/vic", "set-password", {"password": PASSWORD, "password_again": PASSWORD}),
    ("/admin/users/vic", "grant", {"project": "diabetes", "role": "admin"}),
    ("/admin/users/vic", "revoke", {"about": "diabetes"}),
    ("/admin/tokens", "create-token", {"user": "root"}),
    ("/admin/projects", "register-project", {"name": "own"}),
    ("/admin/projects", "describe", {"about": "churn", "description": "x"}),
    ("/admin/kinds", "register-node-kind", {"name": "own"}),
    ("/admin/kinds", "register-edge-kind", {"name": "own_own"}),
    ("/admin/kinds", "delete-kind", {"about": "reports"}),
    ("/admin/deployments", "archive", {"about": "prod"}),
    ("/admin/deployments", "deploy", {"tag": "own", "run": story.BEST}),
]


@pytest.mark.parametrize(("path", "act", "fields"), REFUSED, ids=lambda value: str(value)[:30])
def test_nobody_does_more_than_their_roles_allow(
    pipe: ArangoPipe, address: str, path: str, act: str, fields: dict[str, Any]
) -> None:
    before = pipe.store.head()
    assert before is not None
    for user in ("vic", "pia"):
        with logged_in(address, user) as client:
            assert post(client, path, act, **fields).status_code in (403, 404), user
    done = [change.action for change in pipe.store.changes(before.number)]
    assert set(done) == {"log in"}


def test_who_administers_a_project_gives_roles_there(address: str) -> None:
    with logged_in(address, "pia") as pia:
        names = [user["name"] for user in pia.get("/admin/users.json").json()["users"]]
        assert {"ana", "vic"} <= set(names)
        page = pia.get("/admin/users/vic").text
        assert "Ana" not in page
        assert "Set the password" not in page
        done = post(pia, "/admin/users/vic", "grant", project="churn", role="viewer", reason="helps")
        assert followed(pia, done) == "The role is given: viewer of churn."
        assert pia.get("/admin/users/vic.json").json()["user"]["roles"] == {"churn": "viewer"}
        taken = post(pia, "/admin/users/vic", "revoke", about="churn", reason="helped")
        assert followed(pia, taken) == "The role is taken away: churn."


# --- what administrators do ----------------------------------------------------------------------


def test_a_user_is_registered_given_a_role_disabled_and_let_in_again(
    pipe: ArangoPipe, address: str, root: httpx.Client
) -> None:
    form = {"name": "bob", "full_name": "Bob B", "password": PASSWORD, "project": "churn", "role": "viewer"}
    assert followed(root, post(root, "/admin/users", "register-user", **form)) == "bob is registered."
    again = post(root, "/admin/users", "register-user", **form)
    assert (again.status_code, "called 'bob' already" in said(again)) == (409, True)
    assert 'value="Bob B"' in again.text
    assert PASSWORD not in again.text
    assert "both a project and a role" in said(
        post(root, "/admin/users", "register-user", name="c", role="viewer")
    )
    with logged_in(address, "bob") as bob:
        assert followed(root, post(root, "/admin/users/bob", "disable", reason="has left"))
        assert bob.get("/").status_code == 303
    assert pipe.store.head().reason == "has left"  # type: ignore[union-attr]
    assert "disabled" in root.get("/admin/users/bob").text
    assert followed(root, post(root, "/admin/users/bob", "enable")) == "bob is enabled."
    assert followed(root, post(root, "/admin/users/bob", "grant-admin")) == "bob now administers the store."
    assert (
        followed(root, post(root, "/admin/users/bob", "revoke-admin"))
        == "bob no longer administers the store."
    )
    new = {"password": "another sentence", "password_again": "another sentence"}
    assert followed(root, post(root, "/admin/users/bob", "set-password", **new))
    with logged_in(address, "bob", "another sentence"):
        pass
    last = post(root, "/admin/users/root", "disable", about="root")
    assert (last.status_code, "the last administrator" in said(last)) == (409, True)
    assert 'popover aria-label="Disable root" data-open' in last.text
    assert root.get("/admin/users/nobody").status_code == 404


def test_tokens_of_all_are_listed_made_and_ended(root: httpx.Client) -> None:
    listed = root.get("/admin/tokens.json").json()["tokens"]
    assert {token["name"] for token in listed} >= {"laptop", "nightly"}
    assert "sha256" not in root.get("/admin/tokens.json").text
    made = post(root, "/admin/tokens", "create-token", user="vic", name="shared", days="never")
    assert "apt_" in made.text
    key = next(t["key"] for t in root.get("/admin/tokens.json?user=vic").json()["tokens"])
    assert (
        followed(root, post(root, "/admin/tokens", "revoke-token", about=key)) == f"The token {key} is ended."
    )
    assert root.get("/admin/tokens.json?user=vic").json()["tokens"] == []


def test_projects_and_kinds_are_registered(pipe: ArangoPipe, root: httpx.Client) -> None:
    done = post(root, "/admin/projects", "register-project", name="asthma", description="Breath")
    assert followed(root, done) == "Project asthma is registered."
    assert "taken" in said(post(root, "/admin/projects", "register-project", name="asthma"))
    assert followed(
        root, post(root, "/admin/projects", "describe", about="asthma", description="Air", reason="r")
    )
    found = {each["name"]: each for each in root.get("/admin/projects.json").json()["projects"]}
    assert found["asthma"]["document"] == {"description": "Air"}

    assert followed(
        root, post(root, "/admin/kinds", "register-node-kind", name="papers", records="what is read")
    )
    edge = {"name": "paper_run", "from": "papers", "to": "run", "depends": "from"}
    assert followed(root, post(root, "/admin/kinds", "register-edge-kind", **edge))
    assert pipe.store.vocabulary(reload=True).edges["paper_run"].depends == "from"
    used = post(root, "/admin/kinds", "delete-kind", about="papers")
    assert (used.status_code, "paper_run" in said(used)) == (409, True)
    for name in ("paper_run", "papers"):
        done = post(root, "/admin/kinds", "delete-kind", about=name, reason="unused")
        assert followed(root, done) == f"The kind {name} is deleted."


def test_a_maintainer_deploys_schedules_activates_and_archives(pipe: ArangoPipe, ana: httpx.Client) -> None:
    run = pipe.lookup_run(story.BEST)
    deploy = {"tag": "beta", "run": run.id, "reason": "approved"}
    no_time = post(ana, "/admin/deployments", "deploy", **deploy, when="schedule")
    assert "say the time" in said(no_time).lower()
    assert f'value="{run.id}"' in no_time.text
    later = post(ana, "/admin/deployments", "deploy", **deploy, when="schedule", at="2031-01-01T09:00")
    assert followed(ana, later) == "beta is deployed."
    (planned,) = pipe.admin.deployments("beta")
    assert (planned.status, str(planned.scheduled)) == ("scheduled", "2031-01-01 09:00:00+00:00")
    assert followed(ana, post(ana, "/admin/deployments", "activate", about=planned.id)) == "beta is active."
    assert followed(ana, post(ana, "/admin/deployments", "archive", about=planned.id, reason="over"))
    (ended,) = pipe.admin.deployments("beta")
    assert ended.status == "archived"
    missing = post(ana, "/admin/deployments", "deploy", tag="gamma")
    assert (missing.status_code, "no run carries the tag" in said(missing).lower()) == (404, True)


def test_the_store_says_what_it_is(root: httpx.Client) -> None:
    assert root.get("/admin/store.json").json()["authentication"] is True
    assert root.get("/admin/store/state.json").json()["tables"] == []


def test_pages_for_administrators_are_of_now(root: httpx.Client) -> None:
    page = root.get("/admin/users?as_of=1").text
    assert "As recorded at" not in page
    assert "another moment" not in page


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-23", "2026-11-23 00:00:00+00:00"),
        ("2026-11-23T09:30", "2026-11-23 09:30:00+00:00"),
        ("2026-11-23T09:30:00.000Z", "2026-11-23 09:30:00+00:00"),
        ("2026-11-23T09:30+02:00", "2026-11-23 07:30:00+00:00"),
    ],
)
def test_times_of_forms_are_utc_unless_they_say_otherwise(text: str, read: str) -> None:
    assert str(moment(text, "at")) == read


def test_roles_are_explained(root: httpx.Client) -> None:
    page = root.get("/admin/users/vic").text
    assert all(what in page for actions in ROLES.values() for what in actions.values())
