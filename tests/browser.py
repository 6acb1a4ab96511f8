"""Real pages in a real browser: a server over a store, and Chromium in which nothing may go wrong.

`site` is the story's store behind a server, shared by all tests of a worker, so tests only read it; a test
that writes makes its own with `serving`, and its own `Visitor`. `visitor` is a window on `site`. When a
window is closed, errors that a page said in the console, requests that failed or left the server, and
answers that no test expected, fail the test.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from served import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page, Response
    from playwright.sync_api import Request as BrowserRequest


CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
AXE = Path(__file__).parent / "data" / "vendor" / "axe-core-4.14.1.min.js"
WAITING = ".loading:not(details:not([open]) *), [hx-trigger=load], .htmx-request"
WIDE = (1280, 900)
PHONE = (390, 844)


class Visitor:
    """One window of the browser, and what went wrong in it."""

    def __init__(self, browser: Browser, base: str, size: tuple[int, int] = WIDE, dark: bool = False) -> None:
        self.base = base
        self.problems: list[str] = []
        self.expected: set[int] = set()
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            timezone_id="Europe/Berlin",
            locale="en-GB",
            reduced_motion="reduce",
        )
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        self.page.on("request", self._asked)
        self.page.on("requestfailed", self._lost)
        self.page.on("response", self._answered)

    def open(self, path: str) -> Page:
        """Go to a page and wait until what follows later is there."""
        self.page.goto(self.base + path)
        return self.settled()

    def settled(self) -> Page:
        """Wait until nothing is loading any more."""
        self.page.wait_for_load_state("load")
        self.page.wait_for_function(f"() => !document.querySelector({WAITING!r})")
        return self.page

    def back(self, steps: int = 1) -> None:
        """Go back, a step at a time."""
        for _ in range(steps):
            self._through_history("back")

    def forward(self) -> None:
        """Go forward again."""
        self._through_history("forward")

    def _through_history(self, way: str) -> None:
        # The page goes by itself: Chromium refuses the driver while it puts one page in another's place.
        with self.page.expect_navigation():
            # It goes once the driver has its answer, which the next page would keep from it.
            self.page.evaluate(f"() => {{ setTimeout(() => history.{way}()); }}")
        self.settled()

    def expect(self, status: int) -> None:
        """Say that a page of this test answers with an error on purpose."""
        self.expected.add(status)

    def _painted(self) -> None:
        """Wait until what was resized is laid out, and what a theme colours is painted."""
        self.page.evaluate("() => new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")

    def axe(self) -> None:
        """Fail for what WCAG 2.2 A and AA, as far as a program can tell, find wrong with the page."""
        if not self.page.evaluate("() => Boolean(window.axe)"):
            # As the tools of a browser do: no policy of the page keeps it out.
            self.page.evaluate(AXE.read_text("utf-8") + "\n;undefined")
        self._painted()
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        options = "{runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']}"
        found = self.page.evaluate(f"tags => axe.run(document, {options})", tags)
        said = [
            f"{rule['id']} ({rule['impact']}): {rule['help']}\n    "
            + "\n    ".join(
                f"{node['html'][:160]}: {node['failureSummary'][:300]}" for node in rule["nodes"][:5]
            )
            for rule in found["violations"]
        ]
        assert not said, f"{self.page.url}\n" + "\n".join(said)

    def fits(self) -> None:
        """Fail where the page is wider than the window."""
        self._painted()
        wide = self.page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{self.page.url} is {wide} px wider than the window"

    def everyone_can_use_it(self) -> None:
        """Fail for what is wrong with the page as it is and, in the dark, on a phone."""
        self.axe()
        self.fits()
        self.page.emulate_media(color_scheme="dark")
        self.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        self.fits()
        self.axe()

    def close(self) -> None:
        """Close the window, and fail for what went wrong in it."""
        self.context.close()
        assert not self.problems, "\n".join(self.problems)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            if any(f"status of {status} " in message.text for status in self.expected):
                return
            self.problems.append(f"console {message.type}: {message.text} ({self.page.url})")

    def _asked(self, request: BrowserRequest) -> None:
        if not request.url.startswith((self.base, "blob:", "about:")):
            self.problems.append(f"request leaves the server: {request.url}")

    def _lost(self, request: BrowserRequest) -> None:
        # Whoever goes on to the next page no longer waits for the parts of this one.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"request failed: {request.url} ({request.failure})")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self.problems.append(f"{response.status} for {response.url}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser, started once for all tests of a worker."""
    if not CHROMIUM.exists():
        pytest.skip("there is no Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server over the story's store."""
    import arangopipe
    import story
    from arangopipe.store import open_store

    folder = tmp_path_factory.mktemp("site")
    url = f"sqlite:///{folder / 'story.db'}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ARANGOPIPE_HOME", str(folder / "home"))
        with arangopipe.connect(url, actor="ana", capture=False) as pipe:
            story.tell(pipe)
    with open_store(url) as store, serving(store) as address:
        yield address


@pytest.fixture
def visitor(chromium: Browser, site: str) -> Iterator[Visitor]:
    """A window on the story's store; closing it fails the test for what went wrong."""
    made = Visitor(chromium, site)
    yield made
    made.close()


def view(site: str, path: str) -> Any:
    """Return what a page says as JSON."""
    import httpx

    address = httpx.URL(site + path)
    plain = address.path if address.path != "/" else "/home"
    answer = httpx.get(address.copy_with(path=f"{plain}.json"), timeout=20)
    return json.loads(answer.text)
