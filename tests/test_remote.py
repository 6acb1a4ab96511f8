"""The store of a server: its address, its errors, and what comes of bad days."""

from __future__ import annotations

import gzip
import http.server
import json
import logging
import os
import pickle
import ssl
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings

import arangopipe
from arangopipe import (
    ArangoPipeAdmin,
    ArangopipeError,
    ArangopipeWarning,
    FilterSyntaxError,
    InvalidInput,
    NotFound,
    PermissionDenied,
    SchemaMismatch,
    StoreError,
    StoreUnavailable,
    Unsupported,
    audit,
    bundle,
    connect,
    errors,
    outbox,
)
from arangopipe.compat import nested
from arangopipe.model.filters import parse, to_text
from arangopipe.model.graph import Batch, Node, Page, Point, Points, Put
from arangopipe.model.ids import uuid7
from arangopipe.model.wire import batch_dict, batch_from, batch_text, error_dict, error_from
from arangopipe.server.limits import Limits
from arangopipe.spool import files as spool
from arangopipe.store import open_store
from arangopipe.store.abilities import Maintenance, NativeQuery, Replica, Rows
from arangopipe.store.base import AsOf, Store
from arangopipe.store.offline import OfflineStore
from arangopipe.store.remote import pool
from arangopipe.store.remote.address import address_of
from arangopipe.store.sql import SQLiteStore
from arangopipe.testing import strategies
from arangopipe.testing.build import busy, every, run, write
from flaky import Flaky
from places import POSTGRES, empty_store
from served import serving

CERTIFICATE = Path(__file__).parent / "data" / "localhost.pem"

pytestmark = pytest.mark.xdist_group("remote")


@pytest.fixture
def behind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The store of the server; `on_postgres` has a test run on PostgreSQL too."""
    engine = getattr(request, "param", "sqlite")
    with empty_store(request, engine, tmp_path) as url:
        relaxed = "?durability=relaxed" if engine == "sqlite" else ""
        with open_store(url + relaxed) as store:
            yield store


on_postgres = pytest.mark.parametrize("behind", ["sqlite", POSTGRES], indirect=True)


@pytest.fixture
def url(behind: Store) -> Iterator[str]:
    with serving(behind) as url:
        yield url


# --- addresses and tokens ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://ann:hunter2@host", "holds no user or password"),
        ("https://hunter2@host/x", "holds no user or password"),
        ("https://", "not the address of a server"),
        ("https://host:port", "not the address of a server"),
        ("https://host:99999", "not the address of a server"),
        ("http://ho st", "not the address of a server"),
        ("http://host?token=hunter2", "no option 'token': a token is passed as token="),
        ("http://host?timeout=soon", "write a number of seconds"),
        ("http://host?timeout=nan", "write a number of seconds"),
        ("http://host?gzip=perhaps", "write on or off"),
        ("https://host?ca=/nowhere/ca.pem", "cannot be read as certificates"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_secrets(address: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        open_store(address)
    assert "hunter2" not in str(caught.value)


def test_what_an_address_says() -> None:
    found = address_of("https://host:8443/team/?timeout=5&ca=/ca.pem", "t")
    assert (found.host, found.port, found.path, found.timeout) == ("host", 8443, "/team", 5.0)
    assert (found.url, found.secure) == ("https://host:8443/team?timeout=5&ca=/ca.pem", True)
    assert address_of("http://host").gzip
    assert not address_of("http://localhost").gzip
    assert not address_of("http://[::1]:8321").gzip
    assert address_of("http://localhost?gzip=on").gzip


def test_a_token_shows_nowhere(
    behind: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = "hunter2-hunter2"
    with serving(behind) as url, connect(url, token=token) as pipe:
        shown = [
            repr(pipe),
            repr(pipe.store),
            str(vars(pipe.store)),
            pipe.store.url,
            repr(address_of(url, token)),
        ]
        pipe.log_run(key="a")
    with pytest.raises(StoreUnavailable) as caught:
        pipe.store.head()
    assert not any(token in text for text in [*shown, str(caught.value), caplog.text])
    with pytest.raises(InvalidInput, match="a character that no token has") as refused:
        connect("http://localhost:1", token="hunter2\n")
    assert "hunter2" not in str(refused.value)
    with pytest.raises(InvalidInput, match="takes none"):
        open_store("memory://", "hunter2")


def test_the_token_comes_from_the_setting_or_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARANGOPIPE_TOKEN", "from-the-setting")
    with answering(200, {"arangopipe": "1", "api": 1, "abilities": []}) as (url, seen):
        open_store(url).close()
        open_store(url, "from-the-call").close()
    assert [headers["Authorization"] for headers in seen] == [
        "Bearer from-the-setting",
        "Bearer from-the-call",
    ]


def test_a_light_import() -> None:
    code = "import sys, arangopipe; arangopipe.connect('memory://'); print('http.client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# --- who answers ---------------------------------------------------------------------------------


@contextmanager
def answering(status: int, said: Any, kind: str = "application/json") -> Iterator[tuple[str, list[Any]]]:
    """Run something that answers everything so; gives its URL, and the headers it was sent."""
    seen: list[Any] = []
    body = said if isinstance(said, bytes) else json.dumps(said).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(dict(self.headers))
            here = isinstance(said, dict) and self.path == said.get("at", self.path)
            self.send_response(status if here or isinstance(said, bytes) else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (200, b"<html>Welcome</html>", StoreError, "no Arangopipe server answers"),
        (200, {"hello": "world"}, StoreError, "no Arangopipe server answers"),
        (404, b"nothing", StoreError, "no Arangopipe server answers"),
        (302, b"", StoreError, "no Arangopipe server answers"),
        (401, b"", PermissionDenied, "refuses what was asked"),
        (200, {"at": "/api", "arangopipe": "9.0", "api": [2, 3]}, SchemaMismatch, "speaks version 2, 3"),
    ],
)
def test_what_is_no_server_of_this_version_is_refused(
    status: int, said: Any, error: type[Exception], words: str
) -> None:
    with answering(status, said) as (url, _), pytest.raises(error, match=words):
        open_store(url)


def test_https_wants_a_certificate_that_is_trusted(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with Flaky(url, context) as proxy:
        with pytest.raises(StoreError, match=r"is not trusted: self.signed certificate .*\?ca=/path"):
            open_store(proxy.url)
        with open_store(f"{proxy.url}?ca={CERTIFICATE}") as store:
            assert store.head() is None
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        with open_store(proxy.url) as store:
            assert store.head() is None
        with pytest.raises(StoreError, match="does not speak https"):
            open_store(url.replace("http:", "https:"))


@on_postgres
def test_the_abilities_are_those_of_the_store_behind(behind: Store, url: str) -> None:
    with open_store(url) as store:
        assert isinstance(store, Maintenance)
        assert isinstance(store, Replica)
        assert isinstance(store, NativeQuery)
        file = isinstance(behind, SQLiteStore)
        place, plan, refused = ("?", "SCAN", "may only read") if file else ("$1::text", "Result", "DELETE")
        found = store.query(f"SELECT 1 AS one, {place} AS two", ["b"])
        assert found == Rows(("one", "two"), ((1, "b"),), False)
        assert store.explain("SELECT 1")[0].startswith(plan)
        with pytest.raises(InvalidInput, match=refused):
            store.query("DELETE FROM node")
        assert type(store).__name__ == "RemoteStore"
    with serving(Plain("memory://")) as plain, open_store(plain) as store:
        assert not isinstance(store, (Maintenance, Replica))
        with pytest.raises(Unsupported):
            ArangoPipeAdmin(store).erase("run/01", reason="none")
        asked = httpx.post(f"{plain}/api/v1/store/check")
        assert (asked.status_code, asked.json()["title"]) == (501, "Unsupported")


class Plain(OfflineStore):
    """An empty store that can do nothing beside the contract."""

    def head(self, as_of: AsOf = None) -> None:
        return None

    def get(self, ids: Sequence[str], as_of: AsOf = None) -> tuple[None, ...]:
        return (None,) * len(ids)

    def search(self, kind: str, *rest: Any, **more: Any) -> Page:
        return Page((), None)

    def count(self, kind: str, *rest: Any, **more: Any) -> dict[Any, int]:
        return {None: 0}


# --- values and errors ---------------------------------------------------------------------------


@given(strategies.filters())
@settings(deadline=None)
def test_every_expression_goes_as_text(where: Any) -> None:
    assert parse(to_text(where)) == where


@given(strategies.canonical_documents(), strategies.series())
@settings(deadline=None)
def test_a_batch_comes_out_as_it_went_in(text: str, points: Points) -> None:
    batch = Batch(uuid7(), (Put(Node("run", "01", text=text)),), points=(points,), actor="é", reason="\x00")
    assert json.loads(batch_text(batch)) == {"edges": [], "puts": [], **batch_dict(batch)} | {
        "puts": json.loads(batch_text(batch))["puts"]
    }
    assert batch_from(json.loads(batch_text(batch))) == batch


@on_postgres
def test_odd_values_are_the_same_to_the_byte(behind: Store, url: str) -> None:
    odd = {
        "whole": [2**53 + 1, -(2**63), 10**300],
        "float": [0.1, -0.0, 1e300, 5e-324, 1.0],
        "text": ["\x00", "\u2028", "😀", "\uffff", '"\\'],
        "": {"nested": [[], {}, None, True]},
    }
    execution = run("01", "ü\x7f", **odd)
    points = Points("run/01", "loss", (Point(0, 1, "NaN"), Point(1, 2**60, "Infinity"), Point(2, 3, 2**60)))
    with open_store(url) as store:
        write(store, execution, points=[points])
        assert store.get(["run/01"]) == behind.get(["run/01"])
        assert store.get(["run/01"])[0].text == execution.text
        assert store.points("run/01") == {"loss": list(points.points)}
        for ask in (
            lambda: store.find("datasets", "\ud800"),
            lambda: write(store, Node("run", "02", "\ud800")),
        ):
            with pytest.raises(InvalidInput, match="surrogate"):
                ask()


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_the_same_on_the_other_side(name: str) -> None:
    kind: Any = getattr(errors, name)
    made = {"FilterSyntaxError": ("bad", "x =", 3), "MissingExtra": ("pandas", "analysis")}
    error: ArangopipeError = kind(*made.get(name, ("what, which, and what to do",)))
    found = error_from(name, str(error), json.loads(json.dumps(error_dict(error))))
    assert type(found) is kind
    assert str(found) == str(error)
    assert vars(found) == vars(pickle.loads(pickle.dumps(error)))
    assert error_from("KeyError", "", {}) is None


@on_postgres
def test_errors_are_those_of_the_store(behind: Store, url: str) -> None:
    def asked(store: Store) -> list[tuple[type, str]]:
        found: list[tuple[type, str]] = []
        for ask in (
            lambda: store.search("nothing"),
            lambda: store.search("run", cursor="x"),
            lambda: list(store.columns("run", ["a ="])),
            lambda: store.head(-1),
            lambda: store.traverse(["run/no"], "upstream"),
            lambda: store.revisions("x"),
            lambda: write(store),
            lambda: write(store, Put(run("01"), 3)),
            lambda: write(store, Node("run", "01", text="[]")),
            lambda: write(store, Node("run", "01", text='{"a":')),
        ):
            try:
                found.append((type(None), repr(ask())))
            except ArangopipeError as error:
                found.append((type(error), str(error)))
        return found

    with open_store(url) as store:
        assert asked(store) == asked(behind)
        with pytest.raises(FilterSyntaxError) as caught:
            store.count("run", by="a =")
        assert (caught.value.text, caught.value.position) == ("a =", 2)


# --- whole journeys ------------------------------------------------------------------------------


@on_postgres
def test_a_pipeline_is_recorded_asked_and_audited(behind: Store, url: str, tmp_path: Path) -> None:
    with connect(url, capture=False) as pipe:
        pipe.admin.register_project("p")
        data = pipe.register_dataset("d", rows=3)
        features = pipe.register_featureset("f", dataset=data, columns={"a": "float64"})
        model = pipe.register_model("m", project="p", technique="ridge", task="t")
        for i in range(6):
            with pipe.start_run(dataset=data, featureset=features, model=model, tag=f"t{i}") as active:
                active.log_params({"alpha": i})
                active.log_metrics({"rmse": 10.0 - i})
                active.log_metric("loss", 1.0, step=0)
        best = pipe.search("run", "model.technique = 'ridge'", order_by="metrics.rmse")[0]
        assert best.params == {"alpha": 5}
        assert best.id in pipe.downstream(data)
        assert pipe.admin.register_deployment("prod", run=best).tag == "prod"
        pipe.admin.register_node_kind("reports")
        assert pipe.admin.register("reports", "r").id in {node.id for node in every(behind, "reports")}
        assert [row["technique"] for row in pipe.analysis.techniques(task="t").rows()] == ["ridge"]
        with pytest.raises(NotFound, match="called 'n'"):
            pipe.lookup_model("n")
        assert audit.verify(pipe.store).ok
        worst = pipe.search("run", order_by="-metrics.rmse")[0]
        pipe.admin.erase(worst, reason="asked for")
        bundle.export(pipe.store, tmp_path / "all.bundle")
    with open_store("memory://") as other, serving(other) as second, open_store(second) as target:
        bundle.import_bundle(target, tmp_path / "all.bundle", actor="ann")
        assert [change.chain for change in other.changes()] == [change.chain for change in behind.changes()]


@on_postgres
def test_a_store_is_merged_into_another_by_way_of_two_servers(behind: Store, url: str) -> None:
    busy(behind)
    with open_store("memory://") as other, serving(other) as second:
        write(other, run("mine"))
        with open_store(url) as source, open_store(second) as target:
            bundle.copy(source, target, actor="ann", merge=True)
        assert {node.key for node in every(other, "run")} == {"mine", "01", "02"}
        assert audit.verify(other).ok


def test_code_for_arangopipe_0_0_works_with_a_server(
    behind: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARANGOPIPE_LEGACY_URL", url)
    config = nested.ArangoPipeConfig()
    admin = nested.ArangoPipeAdmin(reuse_connection=False, config=config)
    admin.register_project({"name": "P"})
    old = nested.ArangoPipe(config)
    dataset = old.register_dataset({"name": "d", "source": "clinic"})
    featureset = old.register_featureset({"name": "f", "bmi": "float64"}, dataset["_key"])
    model = old.register_model({"name": "m", "type": "ridge"}, project="P")
    old.log_run(
        {
            "run_id": "17",
            "dataset": dataset["_key"],
            "featureset": featureset["_key"],
            "model": model["_key"],
            "model-params": {"run_id": "17", "alpha": 1},
            "model-perf": {"run_id": "17", "timestamp": "2020-03-01 12:00:00", "rmse": 5.0},
            "tag": "t",
        }
    )
    assert old.lookup_modelperf("t")["rmse"] == 5.0
    assert behind.count("run") == {None: 1}


@on_postgres
def test_who_asks_is_who_has_the_token(behind: Store) -> None:
    admin = ArangoPipeAdmin(behind, actor="root")
    project = admin.register_project("p")
    admin.register_user("boss", admin=True)
    admin.register_user("ann")
    admin.grant("ann", project, "contributor")
    boss, ann = (admin.create_token(user).text for user in ("boss", "ann"))
    with serving(behind, authentication=True) as url:
        with pytest.raises(PermissionDenied):
            connect(url)
        with pytest.raises(PermissionDenied):
            connect(url, token=f"{ann[:-1]}{'a' if ann[-1] != 'a' else 'b'}")
        with connect(url, token=boss) as pipe:
            assert isinstance(pipe.store, Maintenance)
        with connect(url, token=ann, actor="somebody else", capture=False, project="p") as pipe:
            assert not isinstance(pipe.store, (Maintenance, Replica))
            assert pipe.store.restricted
            pipe.log_run(key="mine", project="p")
            with pytest.raises(PermissionDenied):
                pipe.admin.register_user("eve", admin=True)
            active = pipe.start_run(key="late", project="p")
            admin.revoke_token(admin.tokens("ann")[0].key)
            with pytest.warns(ArangopipeWarning, match="kept in the spool"):
                active.close()
            with pytest.raises(PermissionDenied):
                pipe.log_run(key="later", project="p")
        assert behind.revisions("run/mine")[0].change.actor == "ann"
    assert [node and node.document["status"] for node in behind.get(["run/late", "run/later"])] == [
        "running",
        None,
    ]
    assert [file.refused for file in spool.files()] == [True]


@on_postgres
def test_a_maintainer_exports_their_own_project(behind: Store, tmp_path: Path) -> None:
    admin = ArangoPipeAdmin(behind, actor="root")
    pipe = arangopipe.ArangoPipe(behind, actor="root", capture=False)
    for name in ("mine", "secret"):
        admin.register_project(name)
        pipe.register_dataset(f"{name}-data", project=name, note=f"{name}-note")
    admin.register_user("max", roles={"mine": "maintainer"})
    admin.register_user("vic", roles={"mine": "viewer"})
    tokens = {user: admin.create_token(user).text for user in ("max", "vic")}
    weak = admin.create_token("max", role="contributor").text
    target = tmp_path / "mine.bundle"
    with serving(behind, authentication=True) as url:
        for token in (tokens["vic"], weak):
            with connect(url, token=token) as pipe:
                with pytest.raises(PermissionDenied, match=r"project 'mine' takes a maintainer of it"):
                    pipe.admin.export(target, project="mine")
                with pytest.raises(PermissionDenied, match=r"takes an administrator of it$"):
                    pipe.admin.export(target)
        with connect(url, token=tokens["max"]) as pipe:
            with pytest.raises(PermissionDenied, match="name a project that you may export: mine"):
                pipe.admin.export(target)
            with pytest.raises(PermissionDenied, match="project 'secret' takes a maintainer"):
                pipe.admin.export(target, project="secret")
            assert not target.exists()
            pipe.admin.export(target, project="mine")
    assert b"secret" not in gzip.decompress(target.read_bytes())
    with open_store("memory://") as other:
        bundle.import_bundle(other, target, actor="root")
        assert [node.name for node in every(other, "datasets")] == ["mine-data"]


def test_a_server_says_what_it_speaks(url: str) -> None:
    said = httpx.get(f"{url}/api").json()
    assert said == {"name": "Arangopipe", "arangopipe": arangopipe.__version__, "api": [1]}


# --- bad days ------------------------------------------------------------------------------------


@pytest.fixture
def flaky(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flaky]:
    monkeypatch.setattr(outbox, "PATIENCE", 0.6)
    with Flaky(url) as proxy:
        yield proxy


FAULTS = ["drop", "unheard", "lost", "half", "502", "503", "429"]


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_once_is_not_noticed(behind: Store, flaky: Flaky, fault: str) -> None:
    with open_store(flaky.url) as store:
        flaky.plan.append(fault)
        change = write(store, run("01"))
        flaky.plan.append(fault)
        assert store.get(["run/01"])[0].revision == change.number
    assert [found.number for found in behind.changes()] == [1]
    assert sum(fault in line for line in flaky.seen) == 2


def test_what_may_be_done_once_only_is_not_asked_twice(behind: Store, flaky: Flaky) -> None:
    with open_store(flaky.url) as store:
        write(store, run("01", x=1))
        flaky.plan.append("lost")
        with pytest.raises(StoreUnavailable, match="may have been done"):
            store.erase(["run/01"], "ann", "asked for")
    assert [change.action for change in behind.changes()] == ["test", "erase"]


def test_a_stream_that_breaks_off_is_no_whole_answer(behind: Store, flaky: Flaky) -> None:
    for number in range(30):
        write(behind, run(f"{number:02}"))
    with open_store(flaky.url) as store:
        flaky.plan.append("half")
        with pytest.raises(StoreUnavailable, match="midst of an answer"):
            list(store.changes(entries=True))
        assert len(list(store.changes(entries=True))) == 30


def test_who_cannot_be_reached_is_named_in_the_end(flaky: Flaky) -> None:
    flaky.go_away()
    with open_store(flaky.url) as store:
        with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1.* not to be reached: connection refused"):
            store.head()
        assert not isinstance(store, Maintenance)
        flaky.come_back()
        assert store.head() is None
        assert isinstance(store, Maintenance)
        flaky.mode = "502"
        with pytest.raises(StoreUnavailable, match="status 502 with text/html"):
            store.head()
        flaky.mode = "hang"
        with pytest.raises(StoreUnavailable, match="not answer in time"):
            store.write(Batch(uuid7(), (Put(Node("run", "01")),)), patience=0.2)


def test_a_server_that_hangs_is_told_from_one_that_takes_long(
    behind: Store, flaky: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "QUIET", 0.2)
    monkeypatch.setattr(pool, "LIVES", 0.5)
    with open_store(flaky.url) as store:
        write(store, run("01"))
        flaky.plan.append("slow")
        assert store.head().number == 1, "it takes two seconds, and says meanwhile that it lives"
        assert "good /health" in flaky.seen
        flaky.mode = "hang"
        with pytest.raises(StoreUnavailable, match="nor say that it lives"):
            store.head()
        assert sum("store/head" in line for line in flaky.seen if "hang" in line) == 1
        flaky.heal()
        assert store.head().number == 1


def train(pipe: arangopipe.ArangoPipe, then: Callable[[], object] = lambda: None) -> None:
    with pipe.start_run(key="first") as active:
        then()
        active.log_params({"a": 1})
        for step in range(10):
            active.log_metric("loss", 1 / (step + 1), step=step)
        active.flush()
        with active.start_run(key="inner") as inner:
            inner.log_metric("loss", 1.0, step=0)
    pipe.log_run(key="whole", metrics={"rmse": 1.0})


def settle(url: str) -> None:
    with connect(url) as pipe:
        deadline = time.monotonic() + 60
        while spool.files() and time.monotonic() < deadline:
            pipe.outbox.catch_up()
        assert not spool.files()


def check_trained(store: Store) -> None:
    nodes = store.get([f"run/{key}" for key in ("first", "inner", "whole")])
    assert [node and node.document["status"] for node in nodes] == ["finished"] * 3
    assert [len(store.points(node.id).get("loss", ())) for node in nodes] == [10, 1, 0]
    changes = list(store.changes())
    assert set(Counter(change.batch for change in changes).values()) == {1}
    assert audit.verify(store).ok
    firsts = {key: store.revisions(f"run/{key}")[0].change.number for key in ("first", "inner", "whole")}
    assert firsts["first"] < firsts["inner"] < firsts["whole"]


@pytest.mark.slow
@pytest.mark.fault
@pytest.mark.parametrize(
    ("when", "fault"),
    [
        *(("from the start", fault) for fault in ("dead", "hang", "502")),
        *(("in the midst", fault) for fault in ("dead", "hang", *FAULTS[:5], "500", "503")),
    ],
)
def test_training_goes_on_whatever_the_server_does(
    behind: Store, flaky: Flaky, fault: str, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arangopipe.store.remote.store.GREETING", 0.5)

    def begin() -> None:
        if fault == "dead":
            flaky.go_away()
        else:
            flaky.mode = fault

    if when == "from the start":
        begin()
    with connect(flaky.url, capture=False) as pipe:
        with pytest.warns(ArangopipeWarning, match="waits in the spool"):
            train(pipe, begin if when == "in the midst" else lambda: None)
        assert spool.files()
        if fault == "dead":
            flaky.come_back()
        flaky.heal()
    settle(flaky.url)
    check_trained(behind)


@pytest.mark.slow
@pytest.mark.fault
def test_training_with_a_slow_server(behind: Store, flaky: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "PATIENCE", 10.0)
    with connect(flaky.url, capture=False) as pipe:
        flaky.mode = "slow"
        train(pipe)
        flaky.heal()
    settle(flaky.url)
    check_trained(behind)


@pytest.mark.slow
@pytest.mark.fault
def test_training_with_a_server_that_fails_now_and_then(behind: Store, flaky: Flaky) -> None:
    with connect(flaky.url, capture=False) as pipe:
        flaky.plan.extend(
            ["good", "lost", "502", "good", "half", "unheard", "503", "good", "429", "drop"] * 3
        )
        train(pipe)
    flaky.heal()
    settle(flaky.url)
    check_trained(behind)


# --- the write door ------------------------------------------------------------------------------


def batches(count: int) -> list[dict[str, Any]]:
    return [batch_dict(Batch(uuid7(), (Put(Node("run", f"{i:05}")),), actor="ann")) for i in range(count)]


@on_postgres
def test_a_stream_of_batches_is_answered_line_by_line(behind: Store, url: str) -> None:
    sent = batches(300)
    lines: list[Any] = [*sent[:200], {"id": "bad", "puts": [1]}, *sent[200:], sent[0]]
    body = b"\n".join(json.dumps(line).encode() for line in lines) + b"\n\nnot json"
    for packed in (False, True):
        headers = {"Content-Type": "application/x-ndjson"} | ({"Content-Encoding": "gzip"} if packed else {})
        content = gzip.compress(body) if packed else body
        answer = httpx.post(f"{url}/api/v1/batches", content=content, headers=headers)
        said = [json.loads(line) for line in answer.text.splitlines()]
        numbers = [line.get("change", line.get("title")) for line in said]
        assert numbers == [*range(1, 201), "InvalidInput", *range(201, 301), 1, "InvalidInput"]
    assert [change.actor for change in behind.changes()] == ["ann"] * 300


def test_a_server_that_takes_no_more_is_heard(behind: Store) -> None:
    """It says so, and closes, while much is still being sent."""
    with serving(behind, limits=Limits(body=1_000_000)) as url, open_store(url) as store:
        with pytest.raises(InvalidInput, match="larger than 1,000,000 bytes"):
            store.get([f"run/{number:0200}" for number in range(150_000)])
        assert store.head() is None


def test_a_body_beyond_the_limits_is_refused(behind: Store) -> None:
    with serving(behind, limits=Limits(body=2_000, depth=10)) as url:
        at = f"{url}/api/v1/batches"
        big = {"id": "1", "reason": "x" * 3_000}
        lines = {"Content-Type": "application/x-ndjson"}
        packed = {"Content-Encoding": "gzip"}
        answers = [
            httpx.post(at, json=big),
            httpx.post(at, content=json.dumps(big), headers=lines),
            httpx.post(at, content=gzip.compress(json.dumps(big).encode()), headers=packed),
            httpx.post(at, content=b"[" * 20 + b"]" * 20),
            httpx.post(at, content=b"x", headers=packed),
            httpx.post(at, content=gzip.compress(b"{}")[:-4], headers=packed),
            httpx.post(at, content=b"x", headers={"Content-Encoding": "br"}),
            httpx.post(at, content=b"{"),
        ]
        assert [answer.status_code for answer in answers] == [413, 413, 413, 422, 422, 422, 415, 422]
        assert all(answer.headers["content-type"] == "application/problem+json" for answer in answers)
        with open_store(url) as store, pytest.raises(InvalidInput, match="larger than 2,000 bytes"):
            write(store, run("01", text="x" * 3_000))


@pytest.mark.parametrize(
    ("route", "body", "said"),
    [
        ("get", "[]", "must be a JSON object"),
        ("get", "{}", "ids must be given"),
        ("get", '{"ids": "run/1"}', "ids: must be a list of texts"),
        ("get", '{"ids": [1]}', "ids: must be a list of texts"),
        ("get", '{"ids": [], "x": 1}', "there is no argument 'x'"),
        ("search", '{"kind": "run", "limit": "9"}', "limit: must be a whole number"),
        ("search", '{"kind": "run", "as_of": "soon"}', "as_of: as_of 'soon' is not a time"),
        ("search", '{"kind": "run", "where": 1}', "where: a search is written as text"),
        ("adopt", '{"adoptions": [1]}', "no adoption"),
        ("append", "[1]", "no change of a store"),
        ("head", "{", "no JSON"),
    ],
)
def test_arguments_that_are_none_are_refused_by_name(url: str, route: str, body: str, said: str) -> None:
    answer = httpx.post(f"{url}/api/v1/store/{route}", content=body)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["detail"]


# --- connections ---------------------------------------------------------------------------------


def test_bodies_are_packed_both_ways(url: str) -> None:
    with open_store(f"{url}?gzip=on") as store:
        execution = run("01", text="x" * 100_000)
        write(store, execution)
        assert store.get(["run/01"])[0].text == execution.text
        assert [change.entries[1].text for change in store.changes(entries=True)]
    answer = httpx.post(
        f"{url}/api/v1/store/get", json={"ids": ["run/01"]}, headers={"Accept-Encoding": "gzip"}
    )
    assert answer.headers["content-encoding"] == "gzip"
    plain = httpx.post(
        f"{url}/api/v1/store/get", json={"ids": ["run/01"]}, headers={"Accept-Encoding": "identity"}
    )
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content


def test_one_connection_serves_one_thread(flaky: Flaky) -> None:
    with open_store(flaky.url) as store:
        for number in range(20):
            write(store, run(f"{number}"))
            list(store.changes())
        assert len(flaky._open) == 1


@on_postgres
def test_eight_threads_share_a_pipe(behind: Store, url: str) -> None:
    failed: list[BaseException] = []
    with connect(url, capture=False) as pipe:

        def work(thread: int) -> None:
            try:
                for number in range(10):
                    pipe.log_run(key=f"{thread}-{number}", metrics={"x": number})
                    assert pipe.get(f"run/{thread}-{number}").metrics == {"x": number}
            except BaseException as error:
                failed.append(error)

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert pipe.store.count("run") == {None: 80}


FORK = """
import os, sys, arangopipe
pipe = arangopipe.connect(sys.argv[1], capture=False)
pipe.log_run(key="before")
children = []
for child in range(3):
    pid = os.fork()
    if pid == 0:
        for number in range(5):
            pipe.log_run(key=f"child-{child}-{number}")
            assert pipe.get(f"run/child-{child}-{number}").key == f"child-{child}-{number}"
        os._exit(0)
    children.append(pid)
for number in range(5):
    pipe.log_run(key=f"parent-{number}")
    assert pipe.get(f"run/parent-{number}").key == f"parent-{number}"
assert [os.waitpid(pid, 0)[1] for pid in children] == [0, 0, 0]
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_children_have_connections_of_their_own(behind: Store, url: str) -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert behind.count("run") == {None: 21}


def test_a_closed_store_says_so(url: str) -> None:
    store = open_store(url)
    rest = store.changes()
    store.close()
    store.close()
    for ask in (store.head, store.vocabulary, store.changes, lambda: store.columns("run", [])):
        with pytest.raises(StoreUnavailable, match="is closed: connect again"):
            ask()
    assert list(rest) == []
