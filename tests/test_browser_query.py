"""Asking in SQL in a real browser: an example, one's own query, what is wrong, and the way back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from browser import Visitor

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

MANY = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 120) SELECT x AS step FROM c"


@pytest.mark.parametrize("path", ["/query", "/query?sql=SELECT+number,+actor+FROM+change"])
def test_everyone_can_use_the_page(visitor: Visitor, path: str) -> None:
    visitor.open(path)
    visitor.everyone_can_use_it()


def test_an_example_a_query_of_ones_own_and_back(visitor: Visitor) -> None:
    visitor.expect(422)
    page = visitor.open("/")
    page.get_by_role("link", name="Query").click()
    page.get_by_role("link", name="Things by kind and project").click()
    visitor.settled()
    found = page.get_by_role("region", name="Rows")
    expect(found).to_contain_text("featuresets")
    page.get_by_text("How it is answered").click()
    expect(page.locator("#plan pre")).to_contain_text("SCAN")
    editor = page.locator("textarea[name=sql]")
    editor.fill("DELETE FROM node")
    editor.press("Control+Enter")
    page.wait_for_url(re.compile("DELETE"))
    expect(page.get_by_role("alert")).to_contain_text("may only read")
    expect(editor).to_have_value("DELETE FROM node")
    editor.fill("SELECT number\nFROM chang")
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile(r"FROM\+chang\b"))
    expect(page.get_by_role("alert")).to_contain_text("line 2")
    expect(page.get_by_role("alert").locator(".caret")).to_have_text("FROM chang\n     ^^^^^")
    editor.fill(MANY)
    page.get_by_role("button", name="Run").click()
    page.wait_for_url(re.compile("RECURSIVE"))
    expect(found.locator("tbody tr:visible")).to_have_count(50)
    page.get_by_role("button", name="Rows after").click()
    page.get_by_role("button", name="Rows after").click()
    expect(found.locator("tbody tr:visible")).to_have_count(20)
    expect(page.get_by_text("rows 101 to 120 of 120")).to_be_visible()
    visitor.axe()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename == "query.csv"
    visitor.back(3)
    expect(found).to_contain_text("featuresets")
