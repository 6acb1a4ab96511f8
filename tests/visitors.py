"""People who log in to the page: a store with users, clients that are logged in, and windows that are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from argon2 import PasswordHasher

from arangopipe import credentials
from arangopipe.pipe import ArangoPipe

if TYPE_CHECKING:
    from playwright.sync_api import Page

PASSWORD = "correct horse battery"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture(scope="module")
def cheap() -> Iterator[None]:
    """Hash in a millisecond."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "_hasher", lambda: hasher)
        yield


def people(pipe: ArangoPipe) -> None:
    """Register an administrator, a maintainer, a viewer and one who administers a project."""
    admin = pipe.admin
    admin.register_user("root", password=PASSWORD, admin=True, full_name="Rita Root")
    admin.register_user("ana", password=PASSWORD, roles={"diabetes": "maintainer"}, full_name="Ana Lima")
    admin.register_user("vic", password=PASSWORD, roles={"diabetes": "viewer"})
    admin.register_user("pia", password=PASSWORD, roles={"churn": "admin"})
    admin.create_token("ana", name="laptop", projects=["diabetes"], role="viewer")
    admin.create_token("root", name="nightly", expires=None)


@contextmanager
def logged_in(address: str, user: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
    """Give a client with the session of a user."""
    with httpx.Client(base_url=address, headers=HTML, timeout=60) as client:
        answer = client.post("/login", data={"name": user, "password": password})
        assert answer.status_code == 303, answer.text
        yield client


def log_in(page: Page, user: str, password: str = PASSWORD) -> None:
    """Log in to the page that a window shows."""
    page.get_by_label("Name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(re.compile(r"^(?!.*/login$)"))


def post(client: httpx.Client, path: str, act: str, **fields: object) -> httpx.Response:
    """Send a form of a page as a browser does."""
    csrf = client.get("/api/v1/me", headers={"Accept": "application/json"}).json()["csrf"]
    return client.post(path, data={"act": act, "csrf_token": csrf or "", **fields})
