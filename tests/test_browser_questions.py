"""Questions and deployments as people use them, in a real browser."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

import arangopipe
import story
from arangopipe.store.memory import MemoryStore
from browser import PHONE, Visitor
from served import serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_ask_whether_an_attribute_helped(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_role("link", name="Questions", exact=True).click()
    page.get_by_role("link", name="Did adding it help?").click()
    visitor.settled()
    # The metric that most runs have stands there already, and names are completed.
    expect(page.get_by_label("Metric")).to_have_value("rmse")
    assert page.locator("#names-features option").first.get_attribute("value") == "s5"
    page.get_by_label("Attribute").fill("s5")
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_url(re.compile("attribute=s5&metric=rmse$"))
    visitor.settled()
    answer = page.get_by_role("region", name="Answer", exact=True)
    expect(answer).to_contain_text("Consistent gain on this dataset: adding s5 changes rmse by −")
    expect(answer).to_contain_text("in 20 of 20 matched pairs")
    plot = answer.locator(".chart")
    expect(plot).to_have_attribute("aria-label", re.compile("Pairs by technique: .*forest.*, all −?-?4"))
    expect(plot.locator("svg")).to_contain_text("better")
    for technique in ("ridge", "lasso", "svr", "knn", "forest", "all"):
        expect(plot.locator("svg")).to_contain_text(technique)
    assert plot.locator("svg path[fill]").count() > 20
    left_out = page.get_by_role("region", name="What it leaves out")
    expect(left_out).to_contain_text("1 run left out: not finished (1 failed)")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of all pairs").click()
    text = Path(download.value.path()).read_text("utf-8")
    assert len(list(csv.DictReader(io.StringIO(text)))) == 20
    # From a pair to its run, and back to the answer.
    page.get_by_role("region", name="Table of matched pairs").get_by_role("link").first.click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_contain_text("diabetes-")
    visitor.back()
    expect(page.get_by_role("region", name="Answer", exact=True)).to_contain_text("Consistent gain")


def test_a_pair_is_told_where_one_points(visitor: Visitor) -> None:
    page = visitor.open("/questions/effect?attribute=s5&metric=rmse")
    plot = page.get_by_role("region", name="Answer", exact=True).locator(".chart")
    plot.locator("svg path[fill-opacity='0.55']").first.hover()
    expect(page.locator(".tip")).to_contain_text("difference")
    expect(page.locator(".tip")).to_contain_text("without")


def test_what_is_wrong_is_said_and_put_right(visitor: Visitor) -> None:
    visitor.expect(422)
    visitor.expect(404)
    page = visitor.open("/questions/effect")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("say one of attribute, transformation")
    page.get_by_label("Attribute").fill("s4")
    page.get_by_role("button", name="Ask", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("has a column 's4'")
    visitor.axe()
    page.get_by_label("Attribute").fill("s5")
    page.get_by_text("More: what to compare").click()
    page.get_by_label("alpha").check()
    page.get_by_role("button", name="Ask", exact=True).click()
    page.wait_for_url(re.compile("ignore=alpha"))
    visitor.settled()
    expect(page.get_by_role("region", name="Answer", exact=True)).to_contain_text("adding s5 changes rmse")
    expect(page.get_by_label("alpha")).to_be_checked()


@pytest.mark.parametrize(
    ("path", "said", "drawn"),
    [
        ("techniques", "5 techniques in 44 runs", "forest"),
        ("feature-techniques", "1 feature-engineering technique", "standard scaling"),
        ("useful-features?metric=rmse", "s5 gave consistent gains", "s5"),
        ("leaderboard?metric=rmse", "diabetes-forest-base+s5-0 leads", "1. diabetes-forest"),
        ("explain-difference?a=run/net-0&b=diabetes-forest-base%2Bs5-0&metric=rmse", "rmse changes by", ""),
    ],
)
def test_each_question_is_answered_and_drawn(visitor: Visitor, path: str, said: str, drawn: str) -> None:
    page = visitor.open(f"/questions/{path}")
    answer = page.get_by_role("region", name="Answer", exact=True)
    expect(answer).to_contain_text(said)
    if drawn:
        expect(answer.locator("svg").first).to_contain_text(drawn)
    visitor.axe()
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    visitor.fits()


def test_a_table_that_is_whole_sorts_by_its_headings(visitor: Visitor) -> None:
    page = visitor.open("/questions/leaderboard?metric=rmse&limit=20")
    table = page.get_by_role("region", name="Table of the answer")
    ranks = table.locator("tbody tr td:first-child")
    heading = table.get_by_role("columnheader", name="rmse")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    expect(ranks).to_have_text([str(rank) for rank in range(20, 0, -1)])
    heading.get_by_role("button").click()
    expect(ranks.first).to_have_text("1")
    table.get_by_role("columnheader", name="technique").get_by_role("button").click()
    techniques = table.locator("tbody tr td:nth-child(4)").all_inner_texts()
    assert techniques == sorted(techniques)
    visitor.axe()


def test_of_several_tasks_one_is_chosen_with_a_click(chromium: Browser) -> None:
    store = MemoryStore()
    pipe = arangopipe.connect(store, capture=False)
    for task in ("rain", "snow"):
        model = pipe.register_model(f"of {task}", task=task, technique="ridge")
        pipe.log_runs(
            [{"model": model, "name": f"{task}-{i}", "metrics": {"rmse": i + 1.0}} for i in range(3)]
        )
    with serving(store) as address:
        visitor = Visitor(chromium, address)
        visitor.expect(422)
        page = visitor.open("/questions/leaderboard?metric=rmse")
        page.get_by_role("alert").get_by_role("link", name="snow").click()
        visitor.settled()
        expect(page.locator("#answer")).to_contain_text("snow-0 leads the runs of snow")
        visitor.close()


def test_who_was_live_in_october(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_role("link", name="Deployments", exact=True).click()
    visitor.settled()
    page.get_by_label("When (UTC)").fill("2026-10")
    page.get_by_role("button", name="Show").first.click()
    page.wait_for_url(re.compile("at=2026-10$"))
    visitor.settled()
    said = page.get_by_role("region", name="Who was live?", exact=True)
    expect(said).to_contain_text(
        "In October 2026, prod was served by diabetes-forest-base+s5-1 until 20 October 2026, "
        "then by diabetes-forest-base+s5-0 from 20 October 2026"
    )
    expect(said.locator("tbody tr")).to_have_count(3)
    expect(page.get_by_role("group", name="Who was live when")).to_contain_text("asked")
    page.get_by_role("link", name="Nov 2026").click()
    visitor.settled()
    expect(page.locator("#answer")).to_contain_text("In November 2026, prod was served by")
    visitor.back()
    expect(page.locator("#answer")).to_contain_text("In October 2026")
    said = page.get_by_role("region", name="Who was live?", exact=True)
    said.get_by_role("link", name="diabetes-forest-base+s5-1").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("diabetes-forest-base+s5-1")


def test_the_timeline_is_a_way_to_ask(visitor: Visitor) -> None:
    page = visitor.open("/deployments?tag=prod")
    timeline = page.get_by_role("group", name="Who was live when")
    bars = timeline.get_by_role("link").filter(has_not_text=re.compile("^prod$"))
    first, second, planned = (bars.nth(place).bounding_box() for place in range(3))
    assert first
    assert second
    assert planned
    assert first["x"] + first["width"] == pytest.approx(second["x"], abs=1)
    assert planned["x"] > second["x"] + second["width"]
    lane = timeline.locator(".track").first.bounding_box()
    assert lane is not None
    page.mouse.click((second["x"] + second["width"] + planned["x"]) / 2, lane["y"] + 4)
    page.wait_for_url(re.compile(r"at=2026-1\d-\d\d"))
    visitor.settled()
    expect(page.locator("#answer")).to_contain_text(re.compile("On [0-9]+ .* 2026, prod was served by"))
    timeline.get_by_role("link", name="prod", exact=True).focus()
    page.keyboard.press("Tab")
    served = f"prod, {story.BEST[:-1]}1, model forest, 1 Oct 2026 – 20 Oct 2026, archived"
    expect(page.get_by_role("region", name="Who was live when")).to_contain_text(served)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/entity/deployment/prod-1"))


def test_serving_is_drawn_against_development(visitor: Visitor) -> None:
    page = visitor.open("/deployments?tag=prod")
    serves = page.get_by_role("region", name="How prod serves")
    expect(serves).to_contain_text(
        "prod reported 4 periods, the last until 5 November 2026; rmse was 62 then"
    )
    charts = serves.locator(".chart svg")
    expect(charts).to_have_count(2)
    assert charts.first.locator("path[stroke-dasharray]").count() >= 2
    expect(serves).to_contain_text("about 1 period")
    impact = page.get_by_role("region", name="What hangs on the data")
    expect(impact.get_by_role("row", name=re.compile("patients@2"))).to_contain_text("43")
    serves.get_by_text("As a table").click()
    serves.get_by_role("region").get_by_role("link").first.click()
    visitor.settled()
    expect(page.get_by_role("heading", level=2, name="Metrics")).to_be_visible()


def test_a_time_that_is_none_is_said_beside_the_form(visitor: Visitor) -> None:
    visitor.expect(422)
    page = visitor.open("/deployments")
    page.get_by_label("When (UTC)").fill("October")
    page.get_by_role("button", name="Show").first.click()
    expect(page.get_by_role("alert")).to_contain_text("'October' is no time")
    expect(page.get_by_label("When (UTC)")).to_have_value("October")


def test_odd_names_and_no_names_are_drawn(chromium: Browser) -> None:
    store = MemoryStore()
    pipe = arangopipe.connect(store, capture=False)
    odd = "<b>'\"&%_\\ " + "long " * 30
    for value in (1.0, 2.0):
        model = pipe.register_model(f"{odd}{value}", technique=f"{odd}{value}")
        run = pipe.log_run(model=model, metrics={"rmse": value, odd: value}, params={odd: odd})
        pipe.admin.register_deployment(f"{odd}{value}", run=run)
    with serving(store) as address:
        visitor = Visitor(chromium, address, PHONE)
        for path in (
            "/questions",
            "/questions/techniques",
            "/questions/leaderboard?metric=rmse",
            "/deployments",
        ):
            visitor.open(path)
            visitor.fits()
            visitor.axe()
        visitor.close()
