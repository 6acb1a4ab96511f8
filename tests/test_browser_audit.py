"""Reading the record in a real browser: finding a change, seeing what it did, verifying the chain."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize("path", ["/audit", "/audit/3", "/audit/13", "/audit/29"])
def test_everyone_can_use_these_pages(visitor: Visitor, path: str) -> None:
    visitor.open(path)
    visitor.everyone_can_use_it()


def test_who_reviewed_what_and_what_changed(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_role("link", name="Audit").click()
    page.get_by_label("In the reason").fill("reviewed")
    page.get_by_label("From").fill("2026-01-01T00:00")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url(re.compile(r"/audit\?reason=reviewed&since=2025-12-31T23%3A00%3A00.000Z$"))
    visitor.settled()
    expect(page.get_by_label("From")).to_have_value("2026-01-01T00:00")
    rows = page.get_by_role("region", name="List of changes").locator("tbody tr")
    expect(rows).to_have_count(1)
    rows.first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"^Change \d+$"))
    expect(page.get_by_role("region", name=re.compile("^Differences"))).to_contain_text(
        "What serves since October"
    )
    page.get_by_role("link", name="All changes of it").click()
    expect(rows).to_have_count(2)
    visitor.back(2)
    expect(rows).to_have_count(1)
    page.get_by_role("link", name="All changes").click()
    visitor.settled()
    assert rows.count() > 20


def test_the_chain_is_verified_and_its_link_copied(visitor: Visitor) -> None:
    page = visitor.open("/audit")
    expect(page.get_by_text("Not verified since the server started")).to_be_visible()
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_text("intact")).to_be_visible()
    visitor.axe()
    expect(page.locator(".digest pre")).to_have_text(re.compile("^[0-9a-f]{64}$"))
