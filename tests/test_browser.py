"""The pages as people use them, in a real browser: journeys, keys, and what keeps no one out."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

import story
from arangopipe.pipe import ArangoPipe
from arangopipe.store.memory import MemoryStore
from browser import Visitor
from served import serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]

PAGES = [
    "/",
    "/search",
    "/search?kind=datasets",
    "/find?text=a",
    "/entity/run/net-0?with=net-1",
    "/entity/run/broken",
    "/entity/deployment/prod-2",
    "/lineage",
    "/lineage/deployment/prod-2",
    "/lineage/edges?of=run/net-0&of=run/net-1",
    "/compare",
    "/compare?run=net-0&run=net-1&run=broken",
    "/questions",
    "/questions/effect",
    "/questions/effect?attribute=s5&metric=rmse&task=progression",
    "/questions/compare?run=run/net-0&run=run/net-1",
    "/questions/test-set-wear?metric=rmse",
    "/questions/datasets-used?per=week",
    "/deployments?at=2026-10",
    "/deployments?tag=prod&at=2026-10-15T12:00",
]


@pytest.mark.parametrize("path", PAGES)
def test_everyone_can_use_every_page(visitor: Visitor, path: str) -> None:
    visitor.open(path)
    visitor.everyone_can_use_it()


def test_who_asked_for_no_motion_sees_none(visitor: Visitor) -> None:
    page = visitor.open("/entity/run/net-0?with=net-1")
    page.emulate_media(color_scheme="dark")
    moving = page.evaluate(
        "() => { getComputedStyle(document.body).color; return document.getAnimations().length; }"
    )
    assert moving == 0
    page.evaluate(
        "() => document.querySelector('main').insertAdjacentHTML('beforeend', '<p class=loading>Loading</p>')"
    )
    assert page.evaluate("() => document.getAnimations().length") == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate("() => document.getAnimations().length") == 1


def test_find_the_best_run_and_see_why(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_role("link", name="Search", exact=True).click()
    page.get_by_label("Condition").fill("tag = 'sweep'")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(re.compile("q=tag"))
    visitor.settled()
    page.get_by_role("link", name="rmse", exact=True).click()
    visitor.settled()
    best = page.locator("tbody tr").first
    assert "order=metrics.rmse" in page.url
    expect(best).to_contain_text("base+s5")
    best.get_by_role("link").first.click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_contain_text("base+s5")
    expect(page.get_by_role("region", name="Metrics")).to_contain_text("rmse")
    page.get_by_role("link", name="base+s5", exact=True).click()
    expect(page.get_by_role("region", name="Columns")).to_contain_text("s5")
    visitor.back(2)
    assert "order=metrics.rmse" in page.url
    expect(page.locator("tbody tr").first).to_contain_text("base+s5")


def test_from_what_is_live_to_the_data_it_came_from(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_role("region", name="Live deployments").get_by_role("link", name=story.BEST).click()
    visitor.settled()
    page.get_by_role("link", name="patients@2").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("patients@2")
    page.get_by_role("link", name="differences to this").click()
    expect(page.locator("#difference")).to_contain_text("summary.rows")


def test_attributes_are_completed_while_one_types(visitor: Visitor) -> None:
    page = visitor.open("/search")
    box = page.get_by_label("Condition")
    box.press_sequentially("metrics.rm")
    option = page.get_by_role("option", name="metrics.rmse")
    expect(option).to_be_visible()
    box.press("ArrowDown")
    box.press("Enter")
    expect(box).to_have_value("metrics.rmse ")
    box.press_sequentially("< 53 and stat")
    page.get_by_role("option", name="status").click()
    box.press_sequentially("= 'finished'")
    expect(page.get_by_role("listbox")).to_be_hidden()
    box.press("Enter")
    page.wait_for_url(re.compile("status"))
    visitor.settled()
    assert page.locator("tbody tr").count() >= 1
    visitor.axe()


def test_values_are_completed_too(visitor: Visitor) -> None:
    page = visitor.open("/search")
    box = page.get_by_label("Condition")
    box.press_sequentially("model.technique = 'for")
    page.get_by_role("option", name="forest").click()
    expect(box).to_have_value("model.technique = 'forest' ")
    box.press_sequentially("and status = ")
    box.press("ArrowDown")
    box.press("Enter")
    assert re.search(r"and status = 'finished' $", box.input_value())


def test_names_are_offered_while_one_types(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.keyboard.press("/")
    page.locator("#find").press_sequentially("pati")
    expect(page.get_by_role("option", name="patients@2")).to_be_visible()
    visitor.axe()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/entity/datasets/"))
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_contain_text("patients")


def test_the_best_run_is_two_clicks_away(visitor: Visitor) -> None:
    page = visitor.open("/")
    runs = page.get_by_role("region", name="Results")
    runs.get_by_role("link", name="rmse", exact=True).click()
    visitor.settled()
    page.get_by_role("region", name="Results").locator("tbody tr").first.get_by_role("link").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_contain_text("base+s5")


def test_rows_are_chosen_with_keys(visitor: Visitor) -> None:
    page = visitor.open("/search?q=tag+%3D+%27sweep%27")
    for key in ("j", "x", "j", "j", "k", "x"):
        page.keyboard.press(key)
    expect(page.get_by_role("button", name="Compare the chosen")).to_have_text("Compare the chosen (2)")
    page.keyboard.press("c")
    page.wait_for_url(re.compile("/compare"))
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 runs")
    visitor.back()
    expect(page.locator("tbody input:checked")).to_have_count(2)


def test_a_text_is_copied_without_a_clipboard_too(visitor: Visitor) -> None:
    # Browsers have none where a page does not come over TLS.
    visitor.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page = visitor.open("/entity/run/net-0")
    button = page.get_by_role("button", name="Copy the id")
    button.click()
    expect(button).to_have_text("Copied")
    page.locator("#find").focus()
    page.keyboard.press("Control+v")
    expect(page.locator("#find")).to_have_value("run/net-0")


def test_what_is_recent_is_told_from_now(chromium: Browser) -> None:
    store = MemoryStore()
    ArangoPipe(store, capture=False).log_run(name="fresh", metrics={"rmse": 1.0})
    with serving(store) as address:
        visitor = Visitor(chromium, address)
        page = visitor.open("/search")
        start = page.locator("tbody time")
        expect(start).to_have_text("just now")
        assert re.fullmatch(r"\d+ \w+ \d{4}, \d\d:\d\d \(.* UTC\)", start.get_attribute("title") or "")
        page.emulate_media(media="print")
        expect(start).to_have_text(re.compile(r"\d{4}, \d\d:\d\d"))
        visitor.close()


def test_a_run_that_goes_on_is_followed(chromium: Browser) -> None:
    store = MemoryStore()
    pipe = ArangoPipe(store, capture=False)
    with serving(store) as address, pipe.start_run(name="going") as run:
        run.log_metric("loss", 1.0, step=0)
        run.flush()
        visitor = Visitor(chromium, address)
        visitor.page.clock.install()
        page = visitor.open(f"/entity/{run.id}")
        chart = page.locator("#curves svg").first
        expect(chart).to_be_visible()
        before = chart.inner_html()
        run.log_metric("loss", 0.25, step=400)
        run.flush()
        page.clock.fast_forward(11_000)
        expect(page.locator("#curves")).to_contain_text("400")
        assert chart.inner_html() != before
        visitor.close()


def test_a_condition_without_the_language(visitor: Visitor) -> None:
    page = visitor.open("/search")
    page.get_by_text("Add a condition without typing the language").click()
    page.get_by_label("Attribute").fill("model.technique")
    page.get_by_label("Value").fill("forest")
    page.get_by_role("button", name="Add").click()
    visitor.settled()
    expect(page.get_by_label("Condition")).to_have_value("model.technique = 'forest'")
    facets = page.locator("#facets")
    expect(facets).to_contain_text("11 match")
    facets.get_by_role("link", name="sweep").click()
    visitor.settled()
    expect(page.locator("#facets")).to_contain_text("8 match")


def test_columns_are_chosen_and_kept_on_the_next_page(visitor: Visitor) -> None:
    page = visitor.open("/search?limit=20")
    page.get_by_text("Choose columns").click()
    page.get_by_label("params.alpha").check()
    page.get_by_role("button", name="Show").last.click()
    visitor.settled()
    expect(page.get_by_role("columnheader", name="params.alpha")).to_be_visible()
    page.keyboard.press("n")
    page.wait_for_url(re.compile("cursor"))
    visitor.settled()
    expect(page.get_by_role("columnheader", name="params.alpha")).to_be_visible()


def test_a_search_that_cannot_be_read_is_said_beside_it(visitor: Visitor) -> None:
    visitor.expect(422)
    page = visitor.open("/search")
    page.get_by_label("Condition").fill("metrics.rmse <")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("^")
    expect(page.get_by_label("Condition")).to_have_value("metrics.rmse <")


def test_errors_are_pages(visitor: Visitor) -> None:
    visitor.expect(404)
    page = visitor.open("/entity/run/none")
    expect(page.get_by_role("heading", level=1)).to_have_text("Not here")
    expect(page.get_by_text("there is no run/none")).to_be_visible()
    visitor.axe()
    page.get_by_role("link", name="Home", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")


def test_curves_are_drawn_scaled_smoothed_and_overlaid(visitor: Visitor) -> None:
    page = visitor.open("/entity/run/net-0")
    charts = page.locator("#curves svg")
    expect(charts).to_have_count(2)
    lines = page.locator("#curves figure").first.locator("svg path[fill='none']")
    alone = lines.count()
    page.get_by_label("log scale").check()
    assert "log=1" in page.url
    page.get_by_label("smoothing").fill("0.8")
    assert "smooth=0.8" in page.url
    page.get_by_text("Draw other runs over it").click()
    page.get_by_label("net-1").check()
    page.get_by_role("button", name="Draw them").click()
    visitor.settled()
    expect(charts).to_have_count(2)
    assert "with=net-1" in page.url
    assert lines.count() > alone
    page.locator("#curves .chart").first.hover()
    expect(page.locator(".tip").first).to_contain_text("net-1")


def test_keys_and_themes(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.keyboard.press("/")
    expect(page.locator("#find")).to_be_focused()
    page.keyboard.type("net-2")
    page.keyboard.press("Enter")
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("net-2")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    visitor.axe()
    page.keyboard.press("Escape")
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("g")
    page.keyboard.press("h")
    visitor.settled()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_another_moment_stays_until_one_comes_back(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_text("See the store as of another moment").click()
    page.get_by_label("Time or change number").fill("3")
    page.get_by_role("button", name="Show").click()
    visitor.settled()
    expect(page.get_by_role("status")).to_contain_text("change 3")
    visitor.axe()
    page.get_by_role("link", name="Search", exact=True).click()
    expect(page.get_by_text("There is nothing of this kind at that moment")).to_be_visible()
    page.get_by_role("link", name="Back to now").click()
    visitor.settled()
    assert page.locator("tbody tr").count() > 10


def test_what_is_printed_is_what_was_recorded(visitor: Visitor) -> None:
    page = visitor.open("/entity/run/net-0")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("banner")).to_be_hidden()
    expect(page.get_by_role("button")).to_have_count(0)
    expect(page.locator("#curves svg").first).to_be_visible()
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 35, 44)"
    page.emulate_media(media="screen")
    visitor.open("/search?q=tag+%3D+%27sweep%27&limit=20")
    page.emulate_media(media="print")
    rows = page.get_by_role("region", name="Results").locator("tbody tr")
    expect(rows).to_have_count(20)
    expect(rows.last).to_be_visible()
    expect(page.get_by_role("checkbox")).to_have_count(0)


def test_times_are_those_of_the_reader(visitor: Visitor) -> None:
    page = visitor.open("/entity/run/net-0")
    started = page.locator("time[datetime^='2026-10-01T08:00']").first
    expect(started).to_have_text("1 Oct 2026, 10:00")
    expect(started).to_have_attribute("title", "1 Oct 2026, 10:00 (2026-10-01 08:00:00 UTC)")


def test_a_part_that_fails_says_so(chromium: Browser, site: str) -> None:
    visitor = Visitor(chromium, site)
    visitor.expect(503)
    visitor.page.route("**/points.json*", lambda route: route.fulfill(status=503, body='{"detail": "away"}'))
    page = visitor.open("/entity/run/net-0")
    expect(page.get_by_role("alert")).to_contain_text("away")
    visitor.close()


def test_an_empty_store_says_how_to_begin(chromium: Browser) -> None:
    with serving(MemoryStore()) as address:
        visitor = Visitor(chromium, address)
        page = visitor.open("/")
        expect(page.get_by_text("Nothing is recorded here yet")).to_be_visible()
        visitor.axe()
        visitor.close()


def test_odd_names_are_found_and_shown(chromium: Browser) -> None:
    store = MemoryStore()
    pipe = ArangoPipe(store, capture=False)
    odd = "<b>ö'\"&%_\\ " + "long " * 60
    tags = {"a.b": {"c": [1, {"d": odd}]}, odd: odd}
    pipe.log_run(name=odd, params={odd: odd}, metrics={odd: 1.0}, tags=tags, key="it's")
    with serving(store) as address:
        visitor = Visitor(chromium, address)
        page = visitor.open("/search")
        page.locator("tbody a").first.click()
        visitor.settled()
        expect(page.get_by_role("heading", level=1)).to_contain_text("<b>ö'\"&%_\\ long")
        visitor.fits()
        visitor.axe()
        word = "n" * 500  # which no blank breaks
        pipe.log_run(
            name=word, key=word[:99], model=pipe.register_model(word), status="failed", error=ValueError(word)
        )
        for path in ("/", f"/entity/run/{word[:99]}"):
            visitor.open(path)
            visitor.fits()
        visitor.close()
