"""What other processes do in the tests of concurrency and crashes: they write, as users would."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import arangopipe
import arangopipe.store.sql.store  # what takes long to import, before the clock runs
from arangopipe import AlreadyExists, ArangoPipe, Conflict, NotFound, StoreUnavailable
from arangopipe.model.graph import Batch, Node, Point, Points, Put
from arangopipe.model.ids import uuid7
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.spool.files import files
from arangopipe.spool.replay import Replay
from arangopipe.store import open_store
from arangopipe.store.base import Store

SECONDS = 60
POINTS = 2_500
"""So many that an active run writes some of them before it ends."""
ONE = (Point(0, 1_700_000_000_000_000, 0.5),)

_barriers: dict[int, Any] = {}


def set_up(barriers: dict[int, Any]) -> None:
    """Take, in a process of the pool, what its tasks meet at."""
    _barriers.update(barriers)


def meet(parties: int) -> None:
    """Wait until so many processes are here."""
    _barriers[parties].wait(SECONDS)


def connect(url: str) -> ArangoPipe:
    return arangopipe.connect(url, actor=f"process {os.getpid()}", capture=False)


def prepare(url: str) -> None:
    """Register what the runs use."""
    with connect(url) as pipe:
        data = pipe.register_dataset("diabetes", source="sklearn")
        pipe.register_featureset("base", dataset=data, columns={"s5": "float64"})
        pipe.register_model("ridge", technique="ridge")


def log_one(pipe: ArangoPipe, number: int) -> str:
    """Log one run of which every part holds the same number; return its key."""
    return pipe.log_run(
        model="ridge",
        dataset="diabetes",
        featureset="base",
        tags={"number": number},
        params={"number": number, "alpha": 1.0},
        metrics={"number": number, "rmse": 54.0 + number},
    ).key


def log_points(pipe: ArangoPipe, number: int) -> str:
    """Log one run while it goes on, with points; return its key once it has ended."""
    with pipe.start_run(model="ridge", dataset="diabetes", featureset="base", tags={"number": number}) as run:
        run.log_params({"number": number})
        for step in range(POINTS):
            run.log_metric("loss", number + 1 / (step + 1), step=step)
        run.log_metrics({"number": number})
    return run.key


INPUTS = {"run_models", "run_datasets", "run_featuresets"}
OWNED = {"run_modelparams", "run_devperf"}


def problems_of(store: Store, keys: Iterable[str]) -> list[str]:
    """Return in words what is not whole of these runs, which were logged by `log_one` or `log_points`."""
    return [said for key in keys if (said := _ended_problem(store, key))]


def problems_of_open(store: Store, keys: Iterable[str]) -> list[str]:
    """The same of runs that were perhaps still going on; what is there of one belongs together."""
    return [said for key in keys if (said := _open_problem(store, key))]


def _ended_problem(store: Store, key: str) -> str:
    nodes = store.get([f"run/{key}", f"modelparams/{key}", f"devperf/{key}"])
    run, params, metrics = nodes
    if run is None or params is None or metrics is None:
        return f"run/{key}: {nodes}"
    numbers = [run.document["tags"]["number"], *(node.document["number"] for node in (params, metrics))]
    if len(set(numbers)) != 1:
        return f"run/{key}: its parts are of different runs, {numbers}"
    if run.document["status"] != "finished":
        return f"run/{key}: is {run.document['status']}"
    points = store.points(run.id).get("loss", [])
    if len(points) not in (0, POINTS):
        return f"run/{key}: has {len(points)} points"
    return _edges_problem(store, run.id, INPUTS | OWNED) or _points_problem(run, points)


def _open_problem(store: Store, key: str) -> str:
    run, params, metrics = store.get([f"run/{key}", f"modelparams/{key}", f"devperf/{key}"])
    if run is None:
        return f"run/{key} is gone"
    if run.document["status"] == "finished":
        return _ended_problem(store, key)
    owned = {f"run_{node.kind}" for node in (params, metrics) if node is not None}
    points = store.points(run.id).get("loss", [])
    return _edges_problem(store, run.id, INPUTS | owned) or _points_problem(run, points)


def _edges_problem(store: Store, run: str, wanted: set[str]) -> str:
    edges = store.edges([run])
    key = run.partition("/")[2]
    owned = {f"run_{kind}": f"{kind}/{key}" for kind in OWNED_BY_RUN}
    strays = [edge for edge in edges if owned.get(edge.kind, edge.target) != edge.target]
    if len(edges) != len(wanted) or {edge.kind for edge in edges} != wanted or strays:
        return f"{run}: has the edges {edges}, not {sorted(wanted)}"
    return ""


def _points_problem(run: Node, points: list[Point]) -> str:
    number = run.document["tags"]["number"]
    if [(step, value) for step, _, value in points] != [
        (step, number + 1 / (step + 1)) for step in range(len(points))
    ]:
        return f"{run.id}: its points are not the first ones it logged"
    return ""


# --- tasks of a pool -----------------------------------------------------------------------------


def log_runs(url: str, parties: int, count: int, threads: int = 1) -> list[str]:
    """Log that many runs, in that many threads each, beginning together with other processes."""
    keys: list[str] = []
    with connect(url) as pipe:
        pipe.store.head()
        meet(parties)
        in_threads(threads, lambda: keys.extend([log_one(pipe, number) for number in range(count)]))
    return keys


def log_runs_apart(url: str, parties: int, count: int) -> list[str]:
    """Log that many runs, each after opening the store anew."""
    meet(parties)
    keys = []
    for number in range(count):
        with connect(url) as pipe:
            keys.append(log_one(pipe, number))
    return keys


def in_threads(count: int, work: Any) -> None:
    """Do something in several threads at once, and raise the first error any of them raised."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def read_while(url: str, parties: int, wanted: int) -> int:
    """Read until that many runs are there; whatever is seen must be whole. Return the number of reads."""
    reads = 0
    with connect(url) as pipe:
        meet(parties)
        found: set[str] = set()
        while len(found) < wanted:
            page = pipe.store.search("run", limit=10_000)
            fresh = {node.key for node in page.items}
            assert found <= fresh
            assert problems_of(pipe.store, list(fresh - found)[:5]) == []
            found = fresh
            graph = pipe.downstream("dataset:diabetes")
            runs = sum(1 for node in graph if node.kind == "run")
            # Whoever sees a run sees all that belongs to it.
            assert [len(graph.of_kind(kind)) for kind in ("modelparams", "devperf")] == [runs, runs]
            reads += 1
    return reads


def create(url: str, parties: int) -> tuple[str, int]:
    """Open a store that is not there yet, together with another process, and write into it."""
    meet(parties)
    with connect(url) as pipe:
        name = f"of {os.getpid()}"
        pipe.register_dataset(name)
        change = pipe.store.head()
        assert change is not None
        return name, change.number


def register(url: str, parties: int, name: str, content: str, exist_ok: bool) -> str:
    """Register a dataset together with other processes; return its id, "" where another was first."""
    with connect(url) as pipe:
        pipe.store.head()
        meet(parties)
        try:
            return pipe.register_dataset(name, content=content, exist_ok=exist_ok).id
        except AlreadyExists:
            return ""


def register_versions(url: str, parties: int, name: str, count: int) -> list[str]:
    """Register other content under one name again and again; return the versions that were made."""
    with connect(url) as pipe:
        meet(parties)
        who = f"{os.getpid()}"
        return [
            pipe.register_dataset(name, by=who, number=number, exist_ok=True).version
            for number in range(count)
        ]


def annotate(url: str, parties: int, name: str, count: int) -> int:
    """Revise one thing again and again, each time by an attribute of its own."""
    with connect(url) as pipe:
        meet(parties)
        for number in range(count):
            pipe.annotate(f"dataset:{name}", {f"a-{os.getpid()}-{number}": number})
    return count


def change_service(url: str, parties: int, act: str, run: str) -> str:
    """Delete a run, or deploy it under the tag ``prod``, while others do; return what came of it."""
    with connect(url) as pipe:
        meet(parties)
        try:
            if act == "delete":
                pipe.admin.delete(run)
            else:
                pipe.admin.register_deployment("prod", run=run)
        except (Conflict, NotFound) as error:
            return type(error).__name__
        return "done"


def log_by_pickle(pickled: bytes, number: int) -> str:
    """Log a run into the store whose address came pickled."""
    import pickle

    with connect(pickle.loads(pickled)) as pipe:
        return log_one(pipe, number)


# --- writers that are killed ---------------------------------------------------------------------


def write_until_killed(work: str, url: str, said: Connection) -> None:
    """Say that it begins, and then the key of each run once it has been acknowledged."""
    log = {"log_run": log_one, "start_run": log_points}[work]
    with connect(url) as pipe:
        said.send_bytes(b"ready")
        for number in itertools.count():
            said.send_bytes(log(pipe, number).encode())


def create_until_killed(url: str, said: Connection) -> None:
    """Say that it begins, and make a store."""
    said.send_bytes(b"ready")
    with connect(url) as pipe:
        pipe.store.head()
        threading.Event().wait()


# --- the spool -----------------------------------------------------------------------------------


def spool_until_killed(home: str, url: str, said: Connection) -> None:
    """Log runs of both sorts offline, and say the key of each once it is acknowledged."""
    os.environ.update(ARANGOPIPE_HOME=home, ARANGOPIPE_OFFLINE="1")
    with connect(url) as pipe:
        said.send_bytes(b"ready")
        for number in itertools.count():
            said.send_bytes(log_offline(pipe, number).encode())


def log_offline(pipe: ArangoPipe, number: int) -> str:
    """Log a run without looking anything up; return its key."""
    if number % 2:
        return pipe.log_run(
            tags={"number": number}, params={"number": number}, metrics={"number": number}
        ).key
    with pipe.start_run(tags={"number": number}) as run:
        run.log_params({"number": number})
        run.log_metric("loss", 0.5, step=0)
        run.flush()
        run.log_metric("loss", 0.25, step=1)
        run.log_metrics({"number": number})
    return run.key


def replay_until_killed(home: str, url: str, said: Connection) -> None:
    """Say that it begins, and replay the spool."""
    os.environ["ARANGOPIPE_HOME"] = home
    with open_store(url) as store:
        said.send_bytes(b"ready")
        work = Replay(store)
        for file in files(url):
            work.file(file)
    said.send_bytes(b"done")
    threading.Event().wait()


# --- writers of a server that fails ----------------------------------------------------------------


class Told(NamedTuple):
    """What a writer was told: the change of each run that was acknowledged, and what was refused."""

    runs: dict[str, int]
    complaints: list[str]


def write_until_told(url: str, said: Connection) -> None:
    """Write run after run, each until it is acknowledged, until told to stop; then say what was told."""
    told = Told({}, [])
    with open_store(url) as store:
        said.send("ready")
        while not said.poll():
            key = uuid7()
            batch = Batch(uuid7(), (Put(Node("run", key)),), points=(Points(f"run/{key}", "loss", ONE),))
            told.runs[key] = _insist(store, batch, told.complaints)
    said.send(told)


def _insist(store: Store, batch: Batch, complaints: list[str]) -> int:
    while True:
        try:
            return store.write(batch).number
        except StoreUnavailable as error:
            complaints.append(str(error))
            time.sleep(0.02)
