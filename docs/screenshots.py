"""Take pictures of the pages: ``python docs/screenshots.py [PAGE ...]``.

Each page is taken in light and dark, on a desk and on a phone, into ``.screenshots/``; those that the
documentation shows also go into ``docs/pages/``, with fewer colours. The store is that of the tests.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from PIL import Image  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

import arangopipe  # noqa: E402
import story  # noqa: E402
import visitors  # noqa: E402
from arangopipe.pipe import ArangoPipe  # noqa: E402
from browser import ARGUMENTS, CHROMIUM, PHONE, WIDE, Visitor  # noqa: E402
from served import serving  # noqa: E402

ALL = ROOT / ".screenshots"
SHOWN = ROOT / "docs" / "pages"
TALLEST = 1_400
COLOURS = 128

PAGES = {
    "home": "/",
    "search": "/search?q=tag+%3D+%27sweep%27&order=metrics.rmse&limit=20",
    "dataset": "/entity/{dataset}",
    "deployment": "/entity/deployment/prod-2",
    "lineage": "/lineage/deployment/prod-2?up={best}",
    "lineage-data": "/lineage/{dataset}",
    "lineage-start": "/lineage",
    "compare": "/compare?run=net-0&run=net-1&run=net-2&{best_runs}",
    "compare-many": "/compare?{sweep}&order=metrics.rmse",
    "compare-none": "/compare",
    "questions": "/questions",
    "question": "/questions/effect?attribute=s5&metric=rmse",
    "deployments": "/deployments?at=2026-10",
    "run": "/entity/run/net-0?with=net-1&with=net-2&smooth=0.5",
    "audit": "/audit",
    "change": "/audit/{reviewed}",
    "query": "/query?sql=SELECT+action,+count(*)+AS+changes%0AFROM+change+GROUP+BY+action+ORDER+BY+2",
    "login": "/login",
    "account": "/account",
    "admin": "/admin/users",
    "admin-user": "/admin/users/ana",
    "admin-tokens": "/admin/tokens",
    "admin-projects": "/admin/projects",
    "admin-kinds": "/admin/kinds",
    "admin-deployments": "/admin/deployments",
    "admin-store": "/admin/store",
}
"""The pages by name; `{dataset}` is the id of the newest."""

IN_DOCS = (
    *("home-light", "search-light", "dataset-light", "run-dark", "question-light", "deployments-light"),
    *("compare-light", "lineage-data-light"),
    *("login-light", "admin-user-light", "change-light", "query-light"),
)

INSIDE = ("login", "account", "admin")
"""What is shown where there are users; the rest where nobody has to log in."""


def main(names: list[str]) -> None:
    ALL.mkdir(exist_ok=True)
    SHOWN.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        arangopipe.connect(f"sqlite:///{folder}/story.db", actor="ana", capture=False) as pipe,
    ):
        story.tell(pipe)
        wanted = names or list(PAGES)
        inside = [name for name in wanted if name.startswith(INSIDE)]
        with serving(pipe.store) as address:
            take(address, pipe, [name for name in wanted if name not in inside])
        if inside:
            visitors.people(pipe)
            with serving(pipe.store) as address:
                take(address, pipe, inside)


def take(address: str, pipe: ArangoPipe, names: list[str]) -> None:
    sweep = pipe.search("run", "tag = 'sweep'", order_by="metrics.rmse")
    known = {
        "dataset": pipe.lookup_dataset("patients").id,
        "best": pipe.lookup_run(story.BEST).id,
        "best_runs": "&".join(f"run={run.key}" for run in sweep[:2]),
        "reviewed": next(change.number for change in pipe.store.changes() if "review" in change.reason),
        "sweep": "&".join(f"run={run.key}" for run in sweep),
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        for name in names:
            for theme in ("light", "dark"):
                for size, suffix in ((WIDE, ""), (PHONE, "-phone")):
                    visitor = Visitor(browser, address, size, dark=theme == "dark")
                    if name.startswith(INSIDE) and name != "login":
                        visitor.open("/login")
                        visitors.log_in(visitor.page, "root")
                    page = visitor.open(PAGES[name].format(**known))
                    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
                    page.set_viewport_size({"width": size[0], "height": height})
                    # Charts follow the size of the window a moment later.
                    page.wait_for_timeout(300)
                    path = ALL / f"{name}-{theme}{suffix}.png"
                    page.screenshot(path=path)
                    visitor.close()
                    if path.stem in IN_DOCS:
                        with Image.open(path) as image:
                            image.convert("RGB").quantize(COLOURS).save(SHOWN / path.name, optimize=True)
                    print(path.relative_to(ROOT))
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
