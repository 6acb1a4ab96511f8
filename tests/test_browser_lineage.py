"""The lineage page as people use it: following, opening, listing, finding, by pointer, keys and touch."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import arangopipe
import story
from arangopipe.store.memory import MemoryStore
from browser import PHONE, Visitor, view
from served import serving

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


def box(page: Page, name: str) -> Locator:
    return page.locator(".canvas .box", has=page.locator(f".name:text-is('{name}')"))


def places(page: Page) -> dict[str, Any]:
    """Return where each box stands on the screen, once that is drawn."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    found: dict[str, Any] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.canvas .box')].map((box) => {
          const {x, y} = box.querySelector('.frame').getBoundingClientRect();
          return [box.dataset.id, [x, y]];
        }))"""
    )
    return found


def patients(site: str) -> str:
    known = {each["label"]: each["id"] for each in view(site, "/lineage/run/net-0")["boxes"]}
    data: str = known["patients@2"]
    return data


def test_from_a_live_deployment_to_the_data_it_came_from(visitor: Visitor) -> None:
    page = visitor.open("/")
    page.get_by_role("region", name="Live deployments").get_by_role("link", name="prod").click()
    visitor.settled()
    page.get_by_role("link", name="Lineage", exact=True).last.click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("prod")
    before = places(page)
    data = page.get_by_role("link", name="dataset patients@2")
    expect(data).to_be_visible()
    box(page, "forest").locator("[data-way=upstream]").click()
    expect(page.get_by_role("status")).to_contain_text("what forest came from")
    expect(page.locator(".canvas .group")).to_have_count(1)
    after = places(page)
    assert {each: after[each] for each in before} == before
    assert "up=models" in page.url
    visitor.back()
    visitor.forward()
    expect(page.locator(".canvas .group")).to_have_count(1)
    box(page, "patients@2").locator(".name").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("patients@2")
    assert page.url.endswith(patients(visitor.base))


def test_a_group_opens_to_a_list_from_which_one_is_shown(visitor: Visitor, site: str) -> None:
    page = visitor.open(f"/lineage/{patients(site)}")
    group = page.locator(".canvas .group")
    expect(group.locator(".name")).to_have_text("43 runs")
    group.click()
    panel = page.get_by_role("region", name="Details")
    expect(panel).to_contain_text("43 runs")
    visitor.axe()
    panel.get_by_label("Name or key holds").fill("net-")
    panel.get_by_role("button", name="Narrow").click()
    expect(panel).to_contain_text("3 of 43")
    before = places(page)
    panel.get_by_role("link", name="show in the picture: net-1").click()
    expect(box(page, "net-1")).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^run net-1,"))).to_be_focused()
    assert "with=run" in page.url
    assert len(places(page)) == len(before) + 1
    expect(page.locator("[data-row='run/net-1']")).to_contain_text("patients@2")
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_be_hidden()
    page.reload()
    visitor.settled()
    expect(group.locator(".name")).to_have_text("42 runs")
    expect(box(page, "net-1")).to_be_visible()


def test_boxes_are_opened_and_closed_again(visitor: Visitor) -> None:
    page = visitor.open("/lineage/run/net-0?direction=upstream&depth=1")
    start = len(places(page))
    features = box(page, "base+s5")
    features.locator("[data-way=downstream]").click()
    expect(page.locator(".canvas .group .name")).to_have_text("22 runs")
    rows = page.locator("[data-rows] tbody tr")
    assert rows.count() == len(places(page)) > start
    features.locator("[data-way=downstream]").click()
    expect(page.locator(".canvas .group")).to_have_count(0)
    assert (rows.count(), len(places(page))) == (start, start)
    assert "down=" not in page.url


def test_what_is_open_outlives_the_page(visitor: Visitor) -> None:
    page = visitor.open("/lineage/run/net-0?direction=upstream&depth=1")
    start = len(places(page))
    # What was opened upstream stands on something that was opened downstream.
    box(page, "base+s5").locator("[data-way=downstream]").click()
    expect(page.locator(".canvas .group")).to_have_count(1)
    trial = page.locator(".canvas .box[data-id='deployment/prod-1']")
    trial.locator("[data-way=upstream]").click()
    expect(page.get_by_role("status")).to_contain_text("what prod came from")
    drawn = places(page)
    page.reload()
    visitor.settled()
    again = places(page)
    assert again.keys() == drawn.keys()
    apart = {each: [a - b for a, b in zip(again[each], drawn[each], strict=True)] for each in drawn}
    first = apart["run/net-0"]
    assert all(shift == pytest.approx(first, abs=1) for shift in apart.values())
    with page.expect_download() as saved:
        page.get_by_role("link", name="Mermaid").click()
    text = saved.value.path().read_text("utf-8")
    assert text.count("[") - text.count("[[") == len(drawn)
    box(page, "base+s5").locator("[data-way=downstream]").click()
    expect(page.locator(".canvas .group")).to_have_count(0)
    assert len(places(page)) == start
    assert "up=" not in page.url
    assert "down=" not in page.url


def test_names_fit_their_boxes_and_keep_both_ends(chromium: Browser) -> None:
    store = MemoryStore()
    pipe = arangopipe.connect(store, capture=False)
    long = "übermäßig-langer-name-" + "日本語" * 40 + "-7"
    data = [pipe.register_dataset(name) for name in (long, "W" * 180, "short")]
    pipe.log_run(datasets={"training": data}, name="i" * 200, key="long")
    with serving(store) as address:
        visitor = Visitor(chromium, address)
        page = visitor.open("/lineage/run/long")
        shown = page.locator(".canvas .name").all_text_contents()
        assert any(name.startswith("über") and "…" in name and name.endswith("-7") for name in shown)
        wide = page.evaluate(
            """() => [...document.querySelectorAll('.canvas .box')].map((box) =>
              box.querySelector('.name').getComputedTextLength()
              / box.querySelector('.frame').getBBox().width)"""
        )
        assert max(wide) < 1
        assert sum(each > 0.7 for each in wide) == 3
        visitor.close()


def test_the_path_under_the_pointer_stands_out(visitor: Visitor) -> None:
    page = visitor.open("/lineage/deployment/prod-2")
    box(page, "base+s5").hover()
    assert page.locator(".canvas .view.tracing").count() == 1
    on = {
        each.get_attribute("data-id").partition("/")[0]  # type: ignore[union-attr]
        for each in page.locator(".canvas .box.on").all()
    }
    assert on == {"datasets", "featuresets", "run", "models", "deployment", "servingperf"}
    page.get_by_role("heading", level=1).hover()
    expect(page.locator(".canvas .view.tracing")).to_have_count(0)
    edge = page.get_by_role("button", name=f"{story.BEST} used patients@2")
    edge.locator(".touch").dispatch_event("pointerover", {"bubbles": True})
    assert edge.evaluate("edge => edge.classList.contains('on')")
    assert box(page, "forest").evaluate("box => box.classList.contains('on')")


def test_an_edge_shows_its_document(visitor: Visitor) -> None:
    page = visitor.open("/lineage/run/net-0")
    page.get_by_role("button", name="net-0 used patients@2").locator(".touch").dispatch_event(
        "click", {"bubbles": True, "detail": 1}
    )
    panel = page.get_by_role("region", name="Details")
    expect(panel).to_contain_text("run_datasets")
    expect(panel).to_contain_text("used")
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    visitor.open(f"/lineage/{patients(visitor.base)}")
    page.get_by_role("button", name="43 runs used patients@2").locator(".touch").dispatch_event(
        "click", {"bubbles": True, "detail": 1}
    )
    expect(panel).to_contain_text("43 edges of kind run_datasets")


def test_by_keys_alone(visitor: Visitor) -> None:
    page = visitor.open("/lineage/deployment/prod-2")
    focused = page.locator(".body:focus title")
    page.locator(".canvas a[tabindex='0']").focus()
    expect(focused).to_have_text("deployment prod, 20 Oct 2026, live, start")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(focused).to_contain_text("before")
    assert page.locator(".canvas .view.tracing").count() == 1
    page.keyboard.press("f")
    page.keyboard.type("forest")
    expect(page.get_by_role("status")).to_contain_text("2 boxes hold")
    page.keyboard.press("Enter")
    page.keyboard.press("f")
    page.locator("#seek").fill("models/")
    page.keyboard.press("Enter")
    expect(focused).to_contain_text("model forest")
    page.keyboard.press("d")
    expect(page.get_by_role("region", name="Details")).to_contain_text(re.compile("Between .*forest"))
    page.keyboard.press("Escape")
    before = len(places(page))
    page.keyboard.press("e")
    expect(page.get_by_role("status")).to_contain_text("forest")
    page.wait_for_function(f"() => document.querySelectorAll('.canvas .box').length !== {before}")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("along the edges")
    page.keyboard.press("Escape")
    page.locator(".canvas a[tabindex='0']").focus()
    page.keyboard.press("Enter")
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("forest")
    assert "/entity/models/" in page.url


def test_filters_stand_in_the_address(visitor: Visitor, site: str) -> None:
    page = visitor.open(f"/lineage/{patients(site)}")
    page.get_by_label("run", exact=True).check()
    page.get_by_label("Levels").select_option("1")
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(re.compile("hide=run"))
    visitor.settled()
    assert "depth=1" in page.url
    expect(page.locator(".canvas .edge.passes").first).to_be_attached()
    page.get_by_label("only what is live").check()
    page.get_by_role("button", name="Show", exact=True).click()
    page.wait_for_url(re.compile("live=1"))
    visitor.settled()
    expect(page.locator(".canvas .state.live")).to_have_count(1)
    page.get_by_role("link", name="Start again").click()
    visitor.settled()
    assert "?" not in page.url


def test_panned_zoomed_fitted_and_laid_out_anew(visitor: Visitor, site: str) -> None:
    page = visitor.open(f"/lineage/{patients(site)}")
    start = box(page, "patients@2")
    first = places(page)
    area = page.locator(".canvas svg").bounding_box()
    assert area is not None
    at = page.locator(".canvas .view").get_attribute("transform")
    corner = (area["x"] + 30, area["y"] + 30)
    page.mouse.move(*corner)
    page.mouse.wheel(0, 300)
    page.wait_for_function(
        "before => document.querySelector('.canvas .view').getAttribute('transform') !== before", arg=at
    )
    smaller = places(page)
    assert smaller != first
    page.mouse.down()
    page.mouse.move(corner[0] + 80, corner[1] + 50, steps=4)
    page.mouse.up()
    moved = places(page)
    for each, (x, y) in smaller.items():
        assert moved[each] == pytest.approx([x + 80, y + 50], abs=1)
    page.get_by_role("button", name="Fit").click()
    expect(start).to_be_in_viewport()
    page.keyboard.press("+")
    page.keyboard.press("0")
    start.locator("a").focus()
    stands = places(page)[patients(site)]
    page.get_by_role("button", name="Tidy").click()
    assert places(page)[patients(site)] == pytest.approx(stands, abs=1)


def test_the_picture_as_files(visitor: Visitor, site: str, tmp_path: Path) -> None:
    page = visitor.open(f"/lineage/{patients(site)}")
    with page.expect_download() as saved:
        page.get_by_role("button", name="SVG").click()
    assert saved.value.suggested_filename == "lineage-patients.svg"
    saved.value.save_as(tmp_path / "lineage.svg")
    root = ElementTree.parse(tmp_path / "lineage.svg").getroot()
    texts = {each.text for each in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"patients@2", "43 runs", "forest"} <= texts
    assert float(root.attrib["width"]) > 500
    assert all("light-dark" not in (each.get("fill") or "") for each in root.iter())
    with page.expect_download() as saved:
        page.get_by_role("link", name="Mermaid").click()
    assert "43 runs" in saved.value.path().read_text("utf-8")


def test_on_a_phone(chromium: Browser, site: str) -> None:
    visitor = Visitor(chromium, site, PHONE, dark=True)
    page = visitor.open(f"/lineage/{patients(site)}")
    expect(box(page, "patients@2")).to_be_in_viewport()
    visitor.fits()
    before = places(page)
    page.evaluate(
        """() => {
          const svg = document.querySelector('.canvas svg');
          const {x, y} = svg.getBoundingClientRect();
          const touch = (type, id, px, py) => svg.dispatchEvent(new PointerEvent(type, {
            pointerId: id, pointerType: 'touch', clientX: x + px, clientY: y + py, bubbles: true }));
          touch('pointerdown', 1, 100, 100);
          touch('pointerdown', 2, 140, 100);
          touch('pointermove', 2, 200, 100);
          touch('pointerup', 1, 100, 100);
          touch('pointerup', 2, 200, 100);
        }"""
    )
    assert places(page) != before
    page.get_by_role("button", name="Fit").click()
    expect(page.locator(".canvas .group")).to_be_in_viewport()
    page.locator(".canvas .group").click()
    panel = page.get_by_role("region", name="Details")
    expect(panel).to_contain_text("43 runs")
    expect(panel.get_by_role("heading")).to_be_in_viewport()
    around, close = panel.bounding_box(), panel.get_by_role("button", name="Close").bounding_box()
    assert around
    assert close
    assert close["y"] > around["y"]
    visitor.fits()
    visitor.axe()
    visitor.close()


def test_printed_it_is_a_picture_and_a_table(visitor: Visitor) -> None:
    page = visitor.open("/lineage/deployment/prod-2")
    page.emulate_media(media="print")
    expect(page.locator(".canvas svg")).to_be_visible()
    expect(page.get_by_role("region", name="Lineage as a table")).to_be_visible()
    expect(page.locator(".canvas .more").first).to_be_hidden()


def test_where_to_start(visitor: Visitor) -> None:
    page = visitor.open("/lineage")
    page.get_by_label("Name or id").fill("nobody")
    page.get_by_role("button", name="Show its lineage").click()
    expect(page.get_by_role("region", name="Found")).to_contain_text("Nothing is called that")
    page.get_by_label("Name or id").fill("dataset:patients")
    page.get_by_role("button", name="Show its lineage").click()
    visitor.settled()
    expect(page.get_by_role("heading", level=1)).to_have_text("patients@2")
    expect(page.locator(".canvas .box").first).to_be_visible()


def test_what_does_not_arrive_is_said(chromium: Browser, site: str) -> None:
    visitor = Visitor(chromium, site)
    visitor.expect(503)
    page = visitor.open("/lineage/deployment/prod-2")
    page.route("**/lineage/deployment/**", lambda route: route.fulfill(status=503, body="<main><p>away</p>"))
    box(page, "forest").locator("[data-way=upstream]").click()
    expect(page.get_by_role("status")).to_contain_text("away")
    assert "up=" not in page.url
    page.unroute("**/lineage/deployment/**")
    box(page, "forest").locator("[data-way=upstream]").click()
    expect(page.locator(".canvas .group")).to_have_count(1)
    visitor.close()


def test_a_large_graph_stays_a_picture(chromium: Browser) -> None:
    store = MemoryStore()
    pipe = arangopipe.connect(store, capture=False)
    pipe.admin.register_project("p")
    data = [pipe.register_dataset(f"d{i}") for i in range(9)]
    pipe.log_runs(
        [{"project": "p", "dataset": data[i % 9], "name": f"r{i}", "params": {"a": i}} for i in range(1_204)]
    )
    pipe.log_runs([{"project": "p", "dataset": data[0], "name": f"s{i}"} for i in range(1_070)])
    with serving(store) as address:
        visitor = Visitor(chromium, address)
        page = visitor.open(f"/lineage/{data[0].id}")
        expect(page.locator(".canvas .group .name")).to_have_text("1,204 runs")
        page.locator(".canvas .group").click()
        panel = page.get_by_role("region", name="Details")
        panel.get_by_role("link", name="More").click()
        expect(panel.get_by_role("link", name="First")).to_be_visible()
        visitor.close()
