"""Logging in and looking after a store, in a real browser: the journeys of administrators and others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import arangopipe
import story
from arangopipe.pipe import ArangoPipe
from arangopipe.users import Users
from browser import PHONE, Visitor
from served import serving
from visitors import PASSWORD, cheap, log_in, people

__all__ = ["cheap"]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser"), pytest.mark.usefixtures("cheap")]


@pytest.fixture(scope="module")
def pipe(cheap: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ArangoPipe]:
    folder = tmp_path_factory.mktemp("admin")
    with arangopipe.connect(f"sqlite:///{folder / 'runs.db'}", actor="root", capture=False) as made:
        story.tell(made)
        people(made)
        yield made


@pytest.fixture(scope="module")
def address(pipe: ArangoPipe) -> Iterator[str]:
    with serving(pipe.store) as url:
        yield url


@contextmanager
def window(chromium: Browser, address: str, user: str, dark: bool = False) -> Iterator[Visitor]:
    visitor = Visitor(chromium, address, PHONE if dark else (1280, 900), dark)
    visitor.open("/login")
    log_in(visitor.page, user)
    yield visitor
    visitor.close()


PAGES = [
    "/account",
    "/admin/users",
    "/admin/users/ana",
    "/admin/tokens",
    "/admin/projects",
    "/admin/kinds",
    "/admin/deployments",
    "/admin/store",
]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark-phone"])
def test_everyone_can_use_these_pages(chromium: Browser, address: str, dark: bool) -> None:
    with window(chromium, address, "root", dark) as visitor:
        for path in PAGES:
            visitor.open(path)
            visitor.axe()
            visitor.fits()
        if not dark:  # on a phone it lies over the page
            visitor.page.locator("[data-menu] summary").click()
            visitor.axe()


def test_login_logout_and_roles(chromium: Browser, address: str) -> None:
    visitor = Visitor(chromium, address)
    visitor.expect(401)
    visitor.expect(403)
    page = visitor.open("/search?kind=models")
    assert "/login?next=" in page.url
    visitor.axe()
    page.get_by_label("Name").fill("ana")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    expect(page.get_by_label("Name")).to_have_value("ana")
    expect(page.get_by_label("Password")).to_be_focused()
    visitor.axe()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Password").press("Enter")
    page.wait_for_url(re.compile("kind=models"))
    expect(page.get_by_role("link", name="Admin")).to_be_visible()
    page.get_by_role("link", name="Admin").click()
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()
    expect(page.get_by_role("navigation", name="Parts of Admin").get_by_role("link")).to_have_count(1)
    page.goto(f"{address}/admin/users")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not yours to see")
    visitor.back()
    page.locator("[data-menu] summary").click()
    expect(page.get_by_text("maintainer in 1 project")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Log out")).to_be_hidden()
    page.locator("[data-menu] summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("status")).to_have_text("You are logged out.")
    visitor.back()
    page.reload()
    assert "/login?next=" in page.url
    log_in(page, "vic")
    visitor.open("/")
    expect(page.get_by_role("link", name="Admin")).to_have_count(0)
    visitor.close()


def test_a_session_that_ended_leads_to_the_login_and_back(
    chromium: Browser, address: str, pipe: ArangoPipe
) -> None:
    with window(chromium, address, "vic") as visitor:
        visitor.expect(401)
        page = visitor.open("/search?kind=models")
        people_ = Users(pipe.store, actor="root")
        for session in people_.tokens("vic", sessions=True):
            people_.revoke_token(session.key)
        page.get_by_label("Condition").fill("technique = 'ridge'")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url(re.compile("/login"))
        log_in(page, "vic")
        page.wait_for_url(re.compile("/search"))
        visitor.settled()
        expect(page.get_by_role("link", name="ridge").first).to_be_visible()


def test_an_administrator_registers_someone_and_gives_a_token(chromium: Browser, address: str) -> None:
    with window(chromium, address, "root") as visitor:
        visitor.expect(409)
        page = visitor.open("/admin")
        page.get_by_label("Name", exact=True).fill("vic")
        page.get_by_role("button", name="Register").click()
        expect(page.get_by_role("alert")).to_contain_text("A user is called 'vic' already")
        expect(page.get_by_label("Name", exact=True)).to_have_value("vic")
        page.get_by_label("Name", exact=True).fill("kim")
        page.get_by_label("Full name").fill("Kim K")
        page.get_by_role("button", name="Register").click()
        expect(page.get_by_role("status")).to_have_text("kim is registered.")
        page.get_by_role("link", name="kim").click()
        page.locator("select[name=role]").select_option("contributor")
        page.get_by_role("button", name="Give it").click()
        expect(page.get_by_role("status")).to_contain_text("contributor of churn")
        page.get_by_role("link", name="Tokens").click()
        page.get_by_label("For the user").select_option("kim")
        page.get_by_label("Name, such as").fill("notebook")
        page.get_by_role("button", name="Make a token").click()
        expect(page.get_by_role("status")).to_contain_text("shown this once")
        expect(page.locator(".copied pre")).to_have_text(re.compile("apt_[0-9a-f]{20}_.{43}"))
        visitor.axe()
        row = page.get_by_role("row", name=re.compile("notebook"))
        row.get_by_role("button", name=re.compile("Revoke")).click()
        expect(page.get_by_text("Whatever uses the token notebook")).to_be_visible()
        visitor.axe()
        page.get_by_role("button", name="Keep it as it is").locator("visible=true").click()
        expect(page.get_by_text("Whatever uses the token notebook")).to_be_hidden()
        row.get_by_role("button", name=re.compile("Revoke")).click()
        page.locator("[popover]:popover-open button.danger").click()
        expect(page.get_by_role("status")).to_contain_text("is ended")
        expect(page.get_by_role("row", name=re.compile("notebook"))).to_have_count(0)


def test_what_cannot_be_done_is_said_where_it_was_asked(chromium: Browser, address: str) -> None:
    with window(chromium, address, "root") as visitor:
        visitor.expect(409)
        page = visitor.open("/admin/users/root")
        page.get_by_role("button", name="Disable root").click()
        form = page.locator("[popover]:popover-open")
        form.get_by_label("Reason").fill("gone")
        form.locator("button.danger").click()
        expect(page.locator("[popover]:popover-open").get_by_role("alert")).to_contain_text(
            "last administrator"
        )


def test_a_maintainer_schedules_a_deployment_in_local_time(
    chromium: Browser, address: str, pipe: ArangoPipe
) -> None:
    with window(chromium, address, "ana") as visitor:
        visitor.expect(404)
        page = visitor.open("/admin/deployments")
        page.get_by_label("Tag, under").fill("winter")
        page.get_by_label("Run:").fill("nothing")
        page.get_by_label("When").select_option("schedule")
        page.get_by_label("Time").fill("2031-01-15T09:00")
        page.get_by_role("button", name="Deploy").click()
        expect(page.get_by_role("alert")).to_contain_text("nothing")
        expect(page.get_by_label("Time")).to_have_value("2031-01-15T09:00")
        page.get_by_label("Run:").fill(story.BEST)
        page.get_by_role("button", name="Deploy").click()
        expect(page.get_by_role("status")).to_have_text("winter is deployed.")
        (found,) = pipe.admin.deployments("winter")
        assert str(found.scheduled) == "2031-01-15 08:00:00+00:00"  # it is Berlin's winter time
        page.get_by_role("button", name="Activate winter").click()
        page.locator("[popover]:popover-open button.danger").click()
        expect(page.get_by_role("status")).to_have_text("winter is active.")


def test_an_empty_store_says_how_to_begin(chromium: Browser, tmp_path: Path) -> None:
    with (
        arangopipe.connect(f"sqlite:///{tmp_path}/runs.db", capture=False) as pipe,
        serving(pipe.store) as url,
    ):
        visitor = Visitor(chromium, url)
        for path, text in (
            ("/admin/users", "There are no users"),
            ("/admin/tokens", "There are no tokens"),
            ("/admin/projects", "There is no project yet"),
            ("/admin/kinds", "There are none yet"),
            ("/admin/deployments", "Nothing is deployed yet"),
            ("/admin/store", "nothing is recorded yet"),
        ):
            page = visitor.open(path)
            expect(page.get_by_text(text).first).to_be_visible()
            visitor.axe()
        page = visitor.open("/admin/users")
        page.get_by_label("Name", exact=True).fill("root")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Register").click()
        log_in(page, "root")
        expect(page.get_by_role("link", name="root")).to_be_visible()
        visitor.close()
