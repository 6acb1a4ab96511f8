"""The page that compares as people use it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

import story
from browser import PHONE, Visitor, view

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_compare_five_runs(visitor: Visitor) -> None:
    page = visitor.open("/search?q=tag+%3D+%27sweep%27&order=metrics.rmse")
    boxes = page.get_by_role("region", name="Results").locator("tbody").get_by_role("checkbox")
    compare = page.get_by_role("button", name="Compare the chosen")
    boxes.first.check()
    expect(compare).to_be_disabled()
    boxes.nth(3).click(modifiers=["Shift"])
    expect(compare).to_have_text("Compare the chosen (4)")
    compare.click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 4 runs")
    page.get_by_text("Add another").click()
    page.get_by_label("Add a run").fill("net-0")
    page.get_by_role("button", name="Add").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 5 runs")
    differs = page.get_by_role("region", name="What differs")
    expect(differs).to_contain_text("technique")
    best = differs.locator("tr", has_text="rmse").locator(".best")
    expect(best).to_have_count(1)
    expect(best.get_by_role("img", name="best")).to_be_visible()
    page.get_by_text("The same in all").click()
    expect(page.locator("#differences .same")).to_contain_text("patients@2")
    runs = page.get_by_role("region", name="Runs")
    expect(runs.locator("tbody tr").first).to_contain_text(story.BEST)
    page.get_by_role("link", name="r2", exact=True).click()
    visitor.settled()
    assert "order=metrics.r2+desc" in page.url or "order=metrics.r2%20desc" in page.url
    expect(runs.locator("tbody tr").first).to_contain_text(story.BEST)
    expect(runs.locator("tbody tr").last).to_contain_text("net-0")
    expect(page.locator("#plots svg")).to_have_count(2)
    # Curves are drawn when they come into sight.
    page.get_by_role("link", name="Curves").click()
    expect(page.locator("#curves svg")).to_have_count(2)
    page.get_by_role("link", name="Leave out net-0").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 4 runs")


def test_a_metric_by_what_the_runs_were_given(visitor: Visitor) -> None:
    keys = [item["key"] for item in view(visitor.base, "/search?q=tag+%3D+%27sweep%27")["items"]]
    page = visitor.open("/compare?" + "&".join(f"run={key}" for key in keys))
    plots = page.locator("#plots")
    chart = plots.locator(".chart").first
    expect(chart).to_have_attribute("aria-label", "rmse by technique of 40 runs")
    plots.get_by_label("by", exact=True).select_option("alpha")
    expect(plots.get_by_label("log scale")).to_be_checked()
    plots.get_by_label("of", exact=True).select_option("r2")
    expect(chart).to_have_attribute("aria-label", "r2 by alpha of 40 runs")
    plots.get_by_label("log scale").uncheck()
    assert {"by=params.alpha", "of=metrics.r2", "scale=linear"} <= set(page.url.partition("?")[2].split("&"))
    page.reload()
    visitor.settled()
    expect(chart).to_have_attribute("aria-label", "r2 by alpha of 40 runs")
    expect(plots.get_by_label("log scale")).not_to_be_checked()
    expect(plots.locator(".chart").nth(1)).to_have_attribute("aria-label", re.compile("in parallel"))
    visitor.axe()


def test_a_point_of_the_plot_leads_to_its_run(visitor: Visitor) -> None:
    page = visitor.open("/compare?run=net-0&run=net-1&run=net-2")
    chart = page.locator("#plots .chart").first
    expect(chart).to_have_attribute("aria-label", re.compile("of 3 runs"))
    spots = chart.locator("svg path[fill-opacity='0.8']")
    expect(spots).to_have_count(3)
    visitor.settled()  # what is still to come would move it from under the pointer
    spots.last.hover()  # what is under the pointer is drawn last
    expect(page.locator(".tip").first).to_contain_text("rmse")
    spots.last.click()
    page.wait_for_url(re.compile("/entity/run/net-"))


def test_why_two_of_them_differ(visitor: Visitor) -> None:
    runs = [f"diabetes-ridge-{name}-0" for name in ("base", "base%2Bs5")]
    page = visitor.open("/compare?" + "&".join(f"run={run}" for run in runs))
    page.get_by_role("button", name="Explain").click()
    because = page.locator("#because")
    expect(because).to_contain_text("the likeliest cause")
    expect(because.get_by_role("region", name="Why they differ")).to_contain_text("column s5")
    visitor.axe()


def test_it_says_how_to_choose(visitor: Visitor) -> None:
    page = visitor.open("/compare")
    expect(page.get_by_role("heading", name="Choose the runs to compare")).to_be_visible()
    page.get_by_label("net-0").check()
    page.get_by_label("net-2").check()
    page.get_by_role("button", name="Compare them").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 runs")
    page.get_by_text("Add another").click()
    page.get_by_label("Add a run").fill("nobody")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert")).to_contain_text("nobody is left out")
    visitor.axe()


def test_many_runs_on_a_phone(chromium: Browser, site: str) -> None:
    keys = [item["key"] for item in view(site, "/search?q=tag+%3D+%27sweep%27")["items"]]
    visitor = Visitor(chromium, site, PHONE, dark=True)
    page = visitor.open("/compare?" + "&".join(f"run={key}" for key in keys))
    expect(page.get_by_role("region", name="What differs")).to_contain_text("forest × 8")
    visitor.fits()
    visitor.axe()
    visitor.close()
