"""The pages as values: each says the same as HTML and as JSON, and reads no more than it shows."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import arangopipe
import story
from arangopipe.model.expressions import Expression
from arangopipe.model.graph import Point
from arangopipe.pipe import ArangoPipe
from arangopipe.roles import Principal
from arangopipe.server import access
from arangopipe.server.door import OPEN
from arangopipe.server.guard import GuardedStore
from arangopipe.server.pages import PAGES, curves, finding, static
from arangopipe.server.pages.rendering import Entry
from arangopipe.store.memory import MemoryStore
from commands import given
from served import serving
from visits import HTML, page, view, visiting

ROOT = Path(__file__).parent.parent
VENDORED = (static.FOLDER / "vendor", ROOT / "tests" / "data" / "vendor")
WEIGHT = 300_000
"""What a page may weigh with all it loads, but for charts."""


@pytest.fixture(scope="module")
def pipe() -> Iterator[ArangoPipe]:
    with arangopipe.connect("memory://", actor="ana", capture=False) as made:
        story.tell(made)
        yield made


@pytest.fixture(scope="module")
def client(pipe: ArangoPipe) -> Iterator[httpx.Client]:
    with visiting(pipe.store) as made:
        yield made


# --- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", VENDORED, ids=["pages", "tests"])
def test_files_by_others_are_what_they_are_said_to_be(folder: Path) -> None:
    said = (folder / "README.md").read_text("utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines() if "|" in line
    ]
    files = {row[0]: row for row in rows[2:]}
    assert set(files) == {path.name for path in folder.glob("*.js")}
    for name, (_, _, package, _, licence, digest) in files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
        version = package.rpartition("@")[2]
        assert version in name
        assert licence in ("0BSD", "MIT", "Apache-2.0", "MPL-2.0")
        stem = name[: name.index(version) + len(version)]
        assert (folder / f"{stem}.LICENSE.txt").stat().st_size > 500


def test_nothing_in_the_files_leads_elsewhere() -> None:
    ours = [
        path
        for path in static.FOLDER.rglob("*")
        if path.suffix in (".js", ".css") and path.parent.name != "vendor"
    ]
    templates = (ROOT / "src" / "arangopipe" / "server" / "templates").rglob("*.html")
    for path in [*ours, *templates]:
        text = path.read_text("utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://", text), path
        # The policy of the server lets no page carry code or looks of its own.
        assert not re.search(r"<script>|\sstyle=|\son[a-z]+=|hx-on|javascript:", text), path


def test_files_are_kept_for_as_long_as_they_are_the_same(client: httpx.Client) -> None:
    address = static.address("css/app.css")
    assert "immutable" in client.get(address).headers["cache-control"]
    other = client.get(address.replace(static.version(), "0" * 12))
    assert (other.status_code, other.headers["cache-control"]) == (200, "no-cache")
    assert client.get(f"/static/{static.version()}/../app.py").status_code == 404
    assert client.get(f"/static/{static.version()}/%2e%2e/%2e%2e/app.py").status_code == 404


# --- every page --------------------------------------------------------------------------------

ADDRESSES = [
    "/",
    "/home/counts",
    "/search",
    "/search?kind=datasets&order=name",
    "/search?kind=reports",
    "/search/facets",
    "/search/attributes?kind=models",
    "/find/names?text=forest",
    "/entity/run/net-0",
    "/entity/run/broken",
    "/entity/run/net-0/points",
    "/lineage",
    "/lineage/run/net-0",
    "/lineage/deployment/prod-2?live=1&depth=all",
    "/lineage/edges?of=run/net-0&of=run/net-1",
    "/compare",
    "/compare?run=net-0&run=net-1&run=broken",
    "/compare/values?run=net-0&run=net-1",
    "/compare/points?run=net-0",
    "/compare/why?a=net-0&b=net-1",
    "/entity/deployment/prod-2",
    "/questions",
    "/questions/effect?attribute=s5&metric=rmse",
    "/questions/effect/answer?attribute=s5&metric=rmse",
    "/questions/effect/names",
    "/deployments",
    "/deployments?at=2026-10&tag=prod",
    "/deployments/serving?tag=prod",
    "/deployments/impact",
    "/audit",
    "/audit/3",
    "/audit/verification",
    "/query",
    "/admin/users",
    "/admin/tokens",
    "/admin/projects",
    "/admin/kinds",
    "/admin/deployments",
    "/admin/store",
    "/admin/store/state",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_each_page_is_its_data(client: httpx.Client, address: str) -> None:
    path, _, query = address.partition("?")
    data = client.get(f"{'/home' if path == '/' else path}.json?{query}")
    assert data.status_code == 200
    answer = client.get(address)
    assert answer.status_code == 200
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert len(answer.content) < WEIGHT // 3


@pytest.mark.parametrize(
    "kind", ["project", "datasets", "featuresets", "models", "modelparams", "devperf", "servingperf"]
)
def test_things_of_every_kind_have_a_page(client: httpx.Client, pipe: ArangoPipe, kind: str) -> None:
    for thing in pipe.search(kind, limit=3):
        found = view(client, f"/entity/{thing.id}")
        assert found["thing"]["document"] == thing.document
        assert thing.key in page(client, f"/entity/{thing.id}")


@pytest.mark.parametrize("place", ["entity", "lineage"])
def test_a_key_may_end_like_the_address_of_json(place: str) -> None:
    key = f"{place}.json"
    pipe = arangopipe.connect("memory://", capture=False)
    pipe.log_run(key=key, name="odd", metrics={"rmse": 1.0})
    with visiting(pipe.store) as client:
        page = client.get(f"/{place}/run/{key}")
        assert page.headers["content-type"].startswith("text/html")
        assert key in page.text
        assert client.get(f"/{place}/run/{key}.json").headers["content-type"] == "application/json"
        missing = client.get(f"/{place}/run/none.json")
        assert (missing.status_code, "none.json" in missing.json()["detail"]) == (404, False)


def test_navigation_leads_to_pages_that_are_there(client: httpx.Client) -> None:
    entries = [module.NAVIGATION for module in PAGES if hasattr(module, "NAVIGATION")]
    assert all(isinstance(entry, Entry) for entry in entries)
    text = page(client, "/")
    for entry in entries:
        assert f'href="{entry.path}"' in text
        assert client.get(entry.path, follow_redirects=True).status_code == 200


def test_a_page_with_what_it_loads_is_light(client: httpx.Client) -> None:
    for address in (
        "/",
        "/search",
        "/entity/run/net-0",
        "/lineage/run/net-0",
        "/compare?run=net-0&run=net-1",
    ):
        text = page(client, address)
        loaded = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))
        imported = {static.address(f"js/{name}.js") for name in ("dom",)}
        if address.startswith("/lineage"):
            imported |= {
                static.address(f"js/{name}.js") for name in ("details", "drawing", "gestures", "layout")
            }
            imported.add(static.address("vendor/dagre-3.1.3.esm.js"))
        weight = sum(len(client.get(each).content) for each in loaded | imported)
        assert len(text.encode()) + weight < WEIGHT


def test_what_is_recorded_is_text_and_never_code(pipe: ArangoPipe, client: httpx.Client) -> None:
    evil = "<script>alert(1)</script>"
    other = arangopipe.connect("memory://", capture=False)
    other.admin.register_project("p", description=evil)
    run = other.log_run(
        project="p",
        name=evil,
        params={evil: evil},
        metrics={"rmse": float("nan")},
        tags={"t": evil},
        status="failed",
        error={"type": evil, "message": evil, "traceback": evil},
        artifacts=[{"name": evil, "uri": f"javascript:{evil}"}],
    )
    with visiting(other.store) as there:
        for address in (
            "/",
            "/search",
            f"/entity/{run.id}",
            f"/search?q={evil}",
            f"/find?text={evil}",
            f"/{evil}",
        ):
            text = there.get(address, follow_redirects=True).text
            assert "alert(1)" in text
            assert evil not in text
            assert 'href="javascript' not in text


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/nothing", 404, "nothing at /nothing"),
        ("/entity/run/none", 404, "there is no run/none"),
        ("/entity/nonsense/x", 422, "no kind of node is called"),
        ("/entity/users/ana", 422, "page Admin"),
        ("/search?limit=x", 422, "limit"),
        ("/search?as_of=yesterday", 422, "is not a time"),
        ("/entity/run/net-0?as_of=1", 404, "was not recorded yet"),
        ("/entity/run/net-0?a=99", 404, "has no revision"),
    ],
)
def test_errors_are_pages_for_people_and_problems_for_programs(
    client: httpx.Client, address: str, status: int, said: str
) -> None:
    answer = client.get(address)
    assert answer.status_code == status
    assert said in answer.text.replace("&#39;", "'")
    assert "<nav" in answer.text
    plain = client.get(address, headers={"Accept": "application/json"})
    assert plain.status_code == status
    assert plain.headers["content-type"] == "application/problem+json"
    assert said in plain.json()["detail"]


def test_a_search_that_cannot_be_read_shows_where(client: httpx.Client) -> None:
    answer = client.get("/search", params={"q": "metrics.rmse <"})
    assert answer.status_code == 422
    assert 'value="metrics.rmse &lt;"' in answer.text
    assert "^" in answer.text
    assert client.get("/search.json", params={"q": "metrics.rmse <"}).json()["problem"]["position"] == 14


# --- home --------------------------------------------------------------------------------------


def test_home_says_what_is_live_and_what_is_wrong(client: httpx.Client, pipe: ArangoPipe) -> None:
    found = view(client, "/home")
    assert [project["name"] for project in found["projects"]] == ["churn", "diabetes"]
    (live,) = found["live"]
    assert (live["tag"], live["id"]) == ("prod", "deployment/prod-2")
    assert live["serves"]["run"][0]["name"] == story.BEST
    assert live["last_serving"]["metrics"] == {"rmse": 62.0, "rows": 124}
    head = pipe.store.head()
    assert head is not None
    assert [change["change"] for change in found["changes"]] == list(range(head.number, head.number - 12, -1))
    assert found["changes"][0]["reason"] == "as reviewed"
    needs = found["attention"]
    assert [run["name"] for run in needs["failed"]] == ["broken"]
    assert needs["failed"][0]["error"] == "ValueError: Input X contains NaN"
    assert [each["tag"] for each in needs["unreported"]] == ["prod"]


def test_home_counts_by_project(client: httpx.Client) -> None:
    found = view(client, "/home/counts")
    counts = {project["name"]: project["counts"] for project in found["projects"]}
    assert counts["diabetes"] == {"datasets": 0, "featuresets": 0, "models": 5, "run": 44, "deployment": 4}
    assert found["shared"]["datasets"] == 3


def test_home_of_an_empty_store_says_how_to_begin() -> None:
    with visiting(MemoryStore()) as client:
        assert f"arangopipe init --store {client.base_url}".rstrip("/") in page(client, "/")


def test_a_change_names_a_run_once_whatever_it_wrote_of_it() -> None:
    store = MemoryStore()
    with ArangoPipe(store, capture=False).start_run(name="r") as run:
        run.log_metric("loss", 1.0, step=0)
    with visiting(store) as client:
        last = client.get("/home.json").json()["changes"][0]
    assert ([thing["name"] for thing in last["things"]], last["touched"]) == (["r"], 1)


def test_home_as_of_an_earlier_moment(client: httpx.Client) -> None:
    found = view(client, "/home", as_of=2)
    assert (found["live"], found["attention"]["failed"]) == ([], [])
    assert [project["name"] for project in found["projects"]] == ["churn", "diabetes"]
    text = page(client, "/", as_of=2)
    assert "As recorded at" in text
    assert 'href="/search?as_of=2"' in text


def test_runs_that_went_silent_need_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    pipe = arangopipe.connect("memory://", capture=False)
    pipe.log_run(name="hung", status="running")
    monkeypatch.setattr("arangopipe.details.STALE_AFTER", timedelta(0))
    with visiting(pipe.store) as client:
        assert [run["name"] for run in view(client, "/home")["attention"]["stale"]] == ["hung"]
        assert view(client, "/search")["items"][0]["status"] == "stale"


class Counting(MemoryStore):
    """Counts what is read of it, to see that a page reads no more than a page."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def count(self, kind: str, where: Expression | None = None, *rest: Any, **more: Any) -> Any:
        self.asked.append(f"count {kind}")
        return super().count(kind, where, *rest, **more)

    def search(self, kind: str, *rest: Any, **more: Any) -> Any:
        found = super().search(kind, *rest, **more)
        assert len(found.items) <= 100
        return found

    def edges(self, *rest: Any, **more: Any) -> Any:
        found = super().edges(*rest, **more)
        assert len(found) <= 100
        return found


def test_no_page_does_work_that_grows_with_the_store() -> None:
    store = Counting()
    story.tell(arangopipe.connect(store, actor="ana", capture=False))
    with visiting(store) as client:
        for address in (
            "/",
            "/search",
            "/lineage",
            "/lineage/run/net-0",
            "/lineage/deployment/prod-2",
            "/compare?run=net-0&run=net-1",
            "/entity/run/net-0",
            "/entity/deployment/prod-2",
            "/find/names?text=forest",
        ):
            page(client, address)
        assert store.asked == []


# --- search ------------------------------------------------------------------------------------


def test_search_finds_orders_and_pages(client: httpx.Client, pipe: ArangoPipe) -> None:
    query = {"q": "metrics.rmse < 56", "order": "metrics.rmse", "limit": 4}
    first = view(client, "/search", **query)
    column = [each["path"] for each in first["columns"]].index("metrics.rmse")
    values = [item["cells"][column] for item in first["items"]]
    assert values == sorted(values)
    assert first["columns"][column]["sorted"] == "ascending"
    columns = [each["path"] for each in first["columns"]]
    following = view(client, "/search", **query, columns=columns, cursor=first["cursor"])
    assert following["items"][0]["cells"][column] >= values[-1]
    assert not {item["id"] for item in first["items"]} & {item["id"] for item in following["items"]}
    text = page(client, "/search", **query)
    assert "data-next" in text
    assert 'aria-sort="ascending"' in text


def test_search_shows_the_columns_that_are_chosen(client: httpx.Client) -> None:
    found = view(
        client, "/search", kind="run", q="tag = 'sweep'", columns=["model.technique", "params.alpha"]
    )
    assert [column["path"] for column in found["columns"]] == ["model.technique", "params.alpha"]
    assert found["items"][0]["cells"] == ["forest", 0.001]


def test_a_click_on_a_metric_brings_the_best_to_the_top(client: httpx.Client) -> None:
    def orders(order: str) -> dict[str, str]:
        found = view(client, "/search", q="tag = 'sweep'", order=order)
        return {column["path"]: column["order"] for column in found["columns"]}

    assert orders("")["metrics.r2"] == "metrics.r2 desc"
    assert orders("")["metrics.rmse"] == "metrics.rmse"
    assert orders("metrics.r2 desc")["metrics.r2"] == "metrics.r2"
    assert orders("metrics.r2")["metrics.r2"] == ""


def test_usual_columns_are_those_that_say_something(client: httpx.Client) -> None:
    sweep = [column["path"] for column in view(client, "/search", q="tag = 'sweep'")["columns"]]
    assert {"params.alpha", "params.depth"} < set(sweep)
    assert "params.loss" not in sweep, "the same in all runs"
    broken = view(client, "/search", q="name = 'broken'")
    assert "tag" not in [column["path"] for column in broken["columns"]]
    assert len(broken["items"][0]["cells"]) == len(broken["columns"])


def test_a_search_that_finds_nothing_says_what_may_be_meant(client: httpx.Client) -> None:
    found = view(client, "/search", q="rmse < 55 and not (model.technik = 'ridge')")
    assert found["items"] == []
    assert [
        (each["path"], each["instead"][0]["path"], each["instead"][0]["q"]) for each in found["meant"]
    ] == [
        ("rmse", "metrics.rmse", "metrics.rmse < 55 and not model.technik = 'ridge'"),
        ("model.technik", "model.technique", "rmse < 55 and not model.technique = 'ridge'"),
    ]
    assert view(client, "/search", q="metrics.rmse < 0")["meant"] == []


def test_each_part_of_a_condition_can_be_left_out(client: httpx.Client) -> None:
    found = view(client, "/search", q="tag = 'sweep' and (seed = 1 or seed = 2) and status = 'finished'")
    assert [part["text"] for part in found["parts"]] == [
        "tag = 'sweep'",
        "seed = 1 or seed = 2",
        "status = 'finished'",
    ]
    assert found["parts"][0]["without"] == "(seed = 1 or seed = 2) and status = 'finished'"
    assert view(client, "/search", q="tag = 'sweep'")["parts"][0]["without"] == ""


def test_facets_divide_what_is_found(client: httpx.Client) -> None:
    found = view(client, "/search/facets", kind="run", q="tag = 'sweep'")
    assert found["total"] == 40
    techniques = next(facet for facet in found["facets"] if facet["path"] == "model.technique")
    assert {value["value"]: value["count"] for value in techniques["values"]} == dict.fromkeys(
        story.TECHNIQUES, 8
    )
    narrowed = view(client, "/search/facets", kind="run", q=techniques["values"][0]["q"])
    assert narrowed["total"] == 8


def test_attributes_that_may_be_named(client: httpx.Client) -> None:
    found = view(client, "/search/attributes", kind="run")["attributes"]
    assert {"metrics.rmse", "params.alpha", "status", "model.technique", "dataset.name"} <= set(found)


def test_values_that_may_be_asked_for(client: httpx.Client) -> None:
    values = view(client, "/search/attributes", kind="run")["values"]
    assert set(values["model.technique"]) == set(story.TECHNIQUES)
    assert {"finished", "failed"} == set(values["status"])
    assert "metrics.rmse" not in values


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (("metrics.rmse", "<", "55"), "metrics.rmse < 55"),
        (("name", "=", "55"), "name = '55'"),
        (("tag", "contains", "50%"), r"tag ilike '%50\%%'"),
        (("name", "=", "o'hara"), "name = 'o''hara'"),
        (("metrics.rmse", "is null", ""), "metrics.rmse is null"),
        (("params.debug", "=", "true"), "params.debug = true"),
        (("params.x", "=", "nan"), "params.x = 'nan'"),
    ],
)
def test_a_form_says_a_condition(form: tuple[str, str, str], said: str) -> None:
    assert finding.built(*form) == said
    assert finding.condition([said]) is not None


def test_a_condition_is_added_to_a_search(client: httpx.Client) -> None:
    query = {
        "kind": "run",
        "q": "tag = 'a' or tag = 'b'",
        "attribute": "metrics.rmse",
        "operator": "<",
        "value": "55",
    }
    answer = client.get("/search/add", params=query)
    assert answer.status_code == 303
    asked = httpx.URL(answer.headers["location"]).params
    assert asked["q"] == "(tag = 'a' or tag = 'b') and metrics.rmse < 55"


def test_a_search_can_be_downloaded(client: httpx.Client, pipe: ArangoPipe) -> None:
    query = {"kind": "run", "q": "tag = 'sweep'", "order": "metrics.rmse"}
    answer = client.get("/search/download/csv", params={**query, "columns": ["metrics.rmse", "name"]})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    values = [float(row["metrics.rmse"]) for row in rows]
    assert len(rows) == 40
    assert values == sorted(values)
    things = client.get("/search/download/json", params=query).json()
    assert [thing["id"] for thing in things] == [row["id"] for row in rows]
    assert things[0] == next(iter(pipe.search("run", query["q"], order_by=query["order"]))).to_dict()
    assert client.get("/search/download/json", params={"q": "name = 'none'"}).json() == []
    assert client.get("/search/download/xlsx").status_code == 422


# --- find --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "leads"),
    [
        ("run/net-0", "/entity/run/net-0"),
        ("deployment:prod", "/entity/deployment/prod-2"),
        ("net-1", "/entity/run/net-1"),
        ("metrics.rmse < 55", "/search?kind=run&q=metrics.rmse+%3C+55"),
    ],
)
def test_the_box_leads_to_what_is_meant(client: httpx.Client, text: str, leads: str) -> None:
    answer = client.get("/find", params={"text": text})
    assert (answer.status_code, answer.headers["location"]) == (303, leads)


def test_a_name_comes_before_the_condition_that_it_could_be() -> None:
    store = MemoryStore()
    ArangoPipe(store, capture=False).log_run(name="alpha=10.0", key="r")
    with visiting(store) as client:
        leads = [
            client.get("/find", params={"text": f"alpha={n}"}).headers["location"] for n in ("10.0", "1")
        ]
    assert leads == ["/entity/run/r", "/search?kind=run&q=alpha%3D1"]


def test_the_box_shows_what_may_be_meant(client: httpx.Client) -> None:
    assert "patients@2" in page(client, "/find", text="patients")
    assert "Nothing is called that" in page(client, "/find", text="nobody")


def test_a_part_of_a_name_or_a_slip_is_enough(client: httpx.Client) -> None:
    runs = view(client, "/find/names", text="forest-base+s5")["groups"]
    assert [group["kind"] for group in runs] == ["run"]
    near = view(client, "/find/names", text="pateints")["near"]
    assert near[0]["name"] == "patients"


def test_what_is_not_there_leads_to_what_may_be_meant(client: httpx.Client) -> None:
    assert 'Did you mean <a href="/search">Search</a>?' in client.get("/serach").text
    assert 'href="/find?text=net-9"' in client.get("/entity/run/net-9").text


# --- entities ----------------------------------------------------------------------------------


def test_versions_differ_by_what_changed(client: httpx.Client, pipe: ArangoPipe) -> None:
    first, second = (pipe.lookup_dataset("patients", version=version) for version in (1, 2))
    found = view(client, f"/entity/{second.id}", a=first.id, b=second.id)
    assert [each["version"] for each in found["versions"]] == ["2", "1"]
    changed = {each["path"]: (each["before"], each["after"]) for each in found["difference"]["differences"]}
    assert changed["summary.rows"] == (430, 442)
    assert {column["name"] for column in found["facts"]["columns"]} == set(story.COLUMNS)


def test_revisions_differ_and_can_be_seen_as_they_were(client: httpx.Client, pipe: ArangoPipe) -> None:
    model = pipe.lookup_model("forest", project="diabetes")
    found = view(client, f"/entity/{model.id}")
    last, first = found["history"]["steps"]
    assert [each["path"] for each in last["differences"]] == ["description"]
    before = view(client, f"/entity/{model.id}", as_of=last["change"] - 1)
    assert "description" not in before["thing"]["document"]
    assert before["history"]["count"] == 1
    compared = view(client, f"/entity/{model.id}", a=first["change"], b=last["change"])
    assert [each["mark"] for each in compared["difference"]["differences"]] == ["+"]


def test_many_links_lead_to_a_search(client: httpx.Client, pipe: ArangoPipe) -> None:
    data = pipe.lookup_dataset("patients")
    found = view(client, f"/entity/{data.id}")
    used = next(group for group in found["links"] if group["words"] == "used by")
    assert used["more"]
    assert len(used["items"]) == 8
    assert view(client, "/search/facets", **used["search"])["total"] == 43


def test_the_same_thing_elsewhere(client: httpx.Client, pipe: ArangoPipe) -> None:
    same = view(client, "/entity/run/net-0")["same"]
    address = same["HTTP"].removeprefix("curl ").strip("'")
    answer = client.get(address, headers={"Accept": "application/json"})
    assert answer.json()["id"] == "run/net-0"
    code = same["Python"].replace("arangopipe.connect", "connect").replace("import arangopipe\n", "")
    names: dict[str, Any] = {"connect": lambda _: pipe}
    exec(code, names)
    assert names["thing"] == pipe.lookup_run("net-0")
    assert same["Command line"].startswith("arangopipe show run/net-0 --store http://")


def test_the_same_search_elsewhere(client: httpx.Client, pipe: ArangoPipe) -> None:
    query = {"q": "tag = 'sweep' and name != 'it''s'", "order": "metrics.rmse", "columns": ["metrics.rmse"]}
    found = view(client, "/search", **query)
    ids = [item["id"] for item in found["items"]]
    address = shlex.split(found["same"]["HTTP"])[1]
    answer = client.get(address, headers={"Accept": "application/json"})
    assert [item["id"] for item in answer.json()["items"]][: len(ids)] == ids
    names: dict[str, Any] = {"connect": lambda _: pipe}
    exec(
        found["same"]["Python"].replace("arangopipe.connect", "connect").replace("import arangopipe\n", ""),
        names,
    )
    assert [row["id"] for row in names["rows"]][: len(ids)] == ids
    said = shlex.split(found["same"]["Command line"])[1:]
    said[said.index("--store") + 1] = str(client.base_url)
    assert len(given(*said)["items"]) == 25


def test_what_was_deleted_is_shown_as_it_was() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    data = pipe.register_dataset("gone", source="here")
    pipe.admin.delete(data, reason="by mistake")
    with visiting(pipe.store) as client:
        found = view(client, f"/entity/{data.id}")
        assert found["deleted"]["reason"] == "by mistake"
        assert found["thing"]["document"]["source"] == "here"
        assert "This was deleted" in page(client, f"/entity/{data.id}")


# --- runs --------------------------------------------------------------------------------------


def test_a_run_shows_all_that_was_recorded(client: httpx.Client) -> None:
    found = view(client, "/entity/run/net-0")
    assert found["params"] == {"rate": 0.1, "layers": [64, 32], "solver": "adam"}
    assert found["fitted"] == {"epochs": 120}
    assert (found["status"], found["seconds"]) == ("finished", 3600.0)
    assert found["artifacts"][0]["name"] == "weights"
    assert found["tags"] == {"owner": "ana", "stage": "trial"}
    assert {each["name"] for each in found["siblings"]} == {"net-1", "net-2"}
    text = page(client, "/entity/run/broken")
    assert "Input X contains NaN" in text


def test_a_run_that_goes_on_shows_what_it_measured_last() -> None:
    pipe = arangopipe.connect("memory://", capture=False)
    with visiting(pipe.store) as client, pipe.start_run(name="going") as run:
        for step in range(3):
            run.log_metric("loss", 1 / (step + 1), step=step)
        run.flush()
        found = view(client, f"/entity/{run.id}")
        assert found["status"] == "running"
        assert found["metrics"] == {"loss": 1 / 3}


def test_curves_of_several_runs(client: httpx.Client) -> None:
    found = view(client, "/entity/run/net-0/points", **{"with": ["net-1"]})
    assert [run["name"] for run in found["runs"]] == ["net-0", "net-1"]
    series = found["runs"][0]["series"]
    assert set(series) == {"loss", "validation.loss"}
    assert len(series["loss"]["points"]) == series["loss"]["count"] == 120


def test_thinning_keeps_every_spike() -> None:
    points = [Point(step, step, 1.0) for step in range(50_000)]
    points[31_415] = Point(31_415, 0, 99.0)
    points[271] = Point(271, 0, -99.0)
    points[7] = Point(7, 0, "NaN")
    thinned = list(curves.thinned(points))
    assert len(thinned) <= curves.POINTS
    assert [point.step for point in thinned] == sorted(point.step for point in thinned)
    assert {-99.0, 99.0} <= {point.value for point in thinned}
    assert (thinned[0], thinned[-1]) == (points[0], points[-1])
    assert list(curves.thinned(points[:10])) == points[:10]
    assert list(curves.thinned([Point(n, n, "NaN") for n in range(5_000)]))


# --- who asks ----------------------------------------------------------------------------------


def test_every_page_reads_the_store_as_who_asks_may_see_it() -> None:
    routes = [route for module in PAGES for route in module.router.routes]
    assert len(routes) > 10
    for route in routes:
        needs = [route.dependant]
        asked = set()
        while needs:
            need = needs.pop()
            asked.add(need.call)
            needs += need.dependencies
        if route.path not in OPEN:
            assert access._store in asked, route.path


def test_who_is_not_known_is_led_to_the_login() -> None:
    with serving(MemoryStore(), authentication=True) as address:
        for path in ("/", "/search?kind=run", "/entity/run/x"):
            answer = httpx.get(address + path, headers=HTML)
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login?next=")
            assert httpx.get(address + path.partition("?")[0] + ".json").status_code == 401
        assert httpx.get(address + static.address("css/app.css")).status_code == 200


def test_pages_show_what_one_may_see(pipe: ArangoPipe) -> None:
    seen = GuardedStore(pipe.store, Principal("cho", roles={"churn": "viewer"}))
    with visiting(seen) as there:
        for address in ("/", "/home/counts", "/search", "/search/facets", "/search/attributes"):
            for path in (address, f"{'/home' if address == '/' else address}.json"):
                answer = there.get(path)
                assert answer.status_code == 200
                assert not re.search("diabetes|forest|net-0|rmse(?! &lt;)", answer.text), path
        assert "Nothing is called that" in there.get("/find", params={"text": "net-0"}).text
        for path in ("/entity/run/net-0", "/entity/run/net-0/points", "/entity/deployment/prod-2"):
            assert there.get(path).status_code == there.get(f"{path}.json").status_code == 404
        data = pipe.lookup_dataset("patients")
        text = page(there, f"/entity/{data.id}")
        assert "patients@2" in text
        assert "net-0" not in text
