"""A run while it goes on: ``with pipe.start_run(…) as run: run.log_metric("loss", x, step=i)``.

Logging only fills a buffer, which a thread (`flusher`) writes every five seconds or when 1,000 points
have gathered; the rest is written when the run ends, in one batch with its status. What the store
cannot take for now stays buffered. Params and metrics get their nodes with the first write that
has some, at the latest when the run ends.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time as clock
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from arangopipe import flusher
from arangopipe.errors import AlreadyExists, ArangopipeError, Conflict, InvalidInput, NotFound
from arangopipe.keeper import MAX_STEP, ArangopipeWarning, Keeper, warn
from arangopipe.model import documents, times
from arangopipe.model.entities import Run
from arangopipe.model.graph import Batch, Edge, Node, Put
from arangopipe.model.ids import uuid7
from arangopipe.points import Buffer, Elsewhere, Ended, Series, as_batch
from arangopipe.record import (
    ENDED,
    RunRecord,
    Status,
    Time,
    artifact,
    check_status,
    error_document,
    named,
    run_record,
)
from arangopipe.session import RETRIES, Session
from arangopipe.store.base import Store

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ActiveRun", "ArangopipeWarning", "end_open_runs", "start"]


class _Draft:
    """One of a run's documents: as it is stored, and all that this run has set in it."""

    def __init__(self, node: Node, edge: Edge | None = None) -> None:
        self.node = node
        self.edge = edge
        self.set: dict[str, Any] = {}
        self.dirty = False

    def update(self, values: Mapping[str, Any]) -> None:
        """Set attributes, to be written with the next batch."""
        self.set.update(values)
        self.dirty = self.dirty or bool(values)

    def get(self, name: str, default: Any) -> Any:
        """Return an attribute as it is now."""
        return self.set[name] if name in self.set else self.node.document.get(name, default)

    def put(self) -> Put:
        """Return what writes it, over the revision that is known."""
        text = documents.dump({**self.node.document, **self.set})
        return Put(self.node._replace(text=text), self.node.revision or "absent")


class ActiveRun:
    """A run that is going on; `ArangoPipe.start_run` makes one.

    Its methods may be called from any thread. In the ``with`` block a value that cannot be recorded is
    kept as text with an `ArangopipeWarning`, or raises `InvalidInput` if the run is strict.

    >>> import arangopipe
    >>> pipe = arangopipe.connect("memory://", capture=False)
    >>> with pipe.start_run(name="first") as run:
    ...     run.log_params({"alpha": 1.0})
    ...     for step in range(3):
    ...         run.log_metric("loss", 1 / (step + 1), step=step)
    >>> [point.value for point in pipe.metric_points(run, "loss")]
    [1.0, 0.5, 0.3333333333333333]
    """

    def __init__(
        self, session: Session, record: RunRecord, run: Node, *, strict: bool, capture: bool
    ) -> None:
        self.session = session
        self._capture = capture
        self._keeper = Keeper(run.id, strict)
        self._run = _Draft(run)
        self._params = _Draft(record.params, record.owned[0])
        self._metrics = _Draft(record.metrics, record.owned[1])
        self._buffer: Buffer = Buffer()
        # Metrics whose last value is a number; the document has the other ones already.
        self._numbers: set[str] = set()
        self._series = Series()
        self._sections: set[str] = set()
        self._pending: Batch | None = None
        self._closing = False
        self._result: Run | None = None
        self._error_before = _last_error()
        # Held for moments by whoever logs, and during a write by whoever writes.
        self._state = threading.Lock()
        self._writing = threading.Lock()

    @property
    def id(self) -> str:
        """The reference ``run/key``."""
        return self._run.node.id

    @property
    def key(self) -> str:
        """Its key."""
        return self._run.node.key

    @property
    def status(self) -> str:
        """Its status: running, until it has ended."""
        return self._run.get("status", "running")  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<ActiveRun {self.id} status={self.status!r}>"

    # --- logging ---------------------------------------------------------------------------------

    def log_metric(self, name: str, value: Any, step: int | None = None, time: Time | None = None) -> None:
        """Log a value of a metric; the one of the latest step, and of that the latest, is its last.

        Without `step` the value is the metric's only one; logged again, its values become points
        0, 1, 2, …
        """
        # A training loop does this at every step: plain values are only appended, and looked at later.
        if (
            type(value) is float
            and type(name) is str
            and name in self._numbers
            and (step is None or (type(step) is int and -MAX_STEP <= step <= MAX_STEP))
            and time is None
        ):
            self._buffer.append((name, value, step, clock.time_ns()))
        else:
            self._log_value(name, value, step, time)
        if len(self._buffer) >= flusher.POINTS:
            flusher.wake()

    def log_metrics(
        self, metrics: Mapping[str, Any], step: int | None = None, time: Time | None = None
    ) -> None:
        """Log a value of each of several metrics, at one step and time."""
        moment = times.now() if time is None else time
        for name, value in self._keeper.items(metrics, "metrics"):
            self._log_value(name, value, step, moment)
        if len(self._buffer) >= flusher.POINTS:
            flusher.wake()

    def _log_value(self, name: Any, value: Any, step: Any, time: Time | None) -> None:
        keep = self._keeper
        if type(name) is not str or name not in self._numbers:
            name = keep.name(name, "metrics")
        number = keep.number(value)
        if number is not None:
            self._numbers.add(name)
            self._buffer.append((name, number, keep.step(name, step), keep.time(name, time)))
            return
        if step is not None:
            said = f"metrics.{name}: {type(value).__name__} is no number, so not a point of a step"
            keep.refuse(f"{said}; kept as its last value", f"point of {name}")
        kept = keep.value(name, value, "metrics")
        with self._changing():
            self._numbers.discard(name)
            self._metrics.update({name: kept})

    def log_param(self, name: str, value: Any) -> None:
        """Log a hyper-parameter; logged again, the later value counts."""
        self.log_params({name: value})

    def log_params(self, params: Mapping[str, Any]) -> None:
        """Log hyper-parameters."""
        kept = self._keeper.mapping(params, "params")
        with self._changing():
            for section in sorted(self._sections & kept.keys()):
                self._keeper.refuse(f"params.{section}: log_{section} has it; kept as '{section}_'")
                kept[f"{section}_"] = kept.pop(section)
            self._params.update(kept)

    def log_fitted(self, fitted: Mapping[str, Any]) -> None:
        """Log what the run found, such as coefficients."""
        self._log_section("fitted", fitted)

    def log_optimizer(self, optimizer: Mapping[str, Any]) -> None:
        """Log how it was found, such as solver and iterations."""
        self._log_section("optimizer", optimizer)

    def _log_section(self, section: str, values: Mapping[str, Any]) -> None:
        kept = self._keeper.mapping(values, section)
        with self._changing():
            known = self._params.get(section, {})
            if section not in self._sections and known != {}:
                self._keeper.refuse(f"params.{section}: a param has it; that is now '{section}_'")
                self._params.update({f"{section}_": known})
                known = {}
            self._sections.add(section)
            self._params.update({section: {**known, **kept}})

    def set_tag(self, name: str, value: Any) -> None:
        """Set a free tag; set again, the later value counts."""
        self.set_tags({name: value})

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set free tags."""
        kept = self._keeper.mapping(tags, "tags")
        with self._changing():
            self._run.update({"tags": {**self._run.get("tags", {}), **kept}})

    def log_artifact(
        self, place: str | os.PathLike[str], name: str | None = None, **attributes: Any
    ) -> dict[str, Any]:
        """Record the reference to a file or URL that the run made, and return it.

        It has ``name`` and ``uri`` and, for a local file, ``checksum`` (sha256) and ``bytes``. The file
        itself stays where it is.
        """
        try:
            found = artifact(place, name)
        except InvalidInput as error:
            self._keeper.refuse(f"{error}; kept without checksum")
            text = str(place)
            found = {"name": name or Path(text).name, "uri": text}
        kept = self._keeper.mapping({**found, **attributes}, "artifact")
        with self._changing():
            self._run.update({"artifacts": [*self._run.get("artifacts", []), kept]})
        return kept

    def start_run(self, **fields: Any) -> ActiveRun:
        """Start a run nested in this one; the arguments are those of `ArangoPipe.start_run`."""
        project = self._run.node.project or None
        given = {"project": project, "strict": self._keeper.strict, "capture": self._capture}
        return start(self.session, **{**given, **fields, "parent": self})

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._state:
            if isinstance(self._buffer, Elsewhere):
                self._buffer.warn()
            if self._closing:
                raise Conflict(f"{self.id} has ended ({self.status}): start another run")
            yield

    # --- writing ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what has been logged so far; what the store cannot take stays buffered."""
        with self._writing:
            if self._result is None:
                self._write_pending()
            if self._result is None and not self._closing:
                self._pending = self._gathered(self._buffer)
                self._write_pending()

    def flush_quietly(self) -> None:
        """Write what has been logged so far, if that is possible now."""
        try:
            self.flush()
        except Exception:  # nothing is lost: the next flush tries again, and `close` raises
            return

    def close(
        self,
        status: Status = "finished",
        error: BaseException | str | None = None,
        end: Time | None = None,
    ) -> Run:
        """End the run, write what is left of it, and return it; closing twice is harmless.

        Raises `StoreError` if the store fails, after which it can be closed again.
        """
        with self._writing:
            if self._result is not None:
                return self._result
            self._write_pending()
            if not self._closing:
                ending = self._ending(status, error, end)
                with self._state:
                    self._run.update(ending)
                    self._closing = True
                    rest, self._buffer = self._buffer, Ended()
                self._pending = self._gathered(rest, final=True)
                self._write_pending()
            flusher.forget(self)
            self._result = Run(self._run.node, self._params.node.text, self._metrics.node.text)
            return self._result

    def _ending(self, status: Status, error: BaseException | str | None, end: Time | None) -> dict[str, Any]:
        if check_status(status) not in ENDED:
            raise InvalidInput(f"a run cannot end as {status!r}: {', '.join(ENDED)}")
        started = times.parse(self._run.get("start", None), "start")
        ended = max(times.now(), started) if end is None else times.parse(end, "end")
        if ended < started:
            raise InvalidInput(f"the run ends ({ended}) before it started ({started})")
        ending: dict[str, Any] = {"status": status, "end": times.to_text(ended)}
        if error is not None:
            ending["error"] = self._keeper.mapping(error_document(error), "error")
        return ending

    def _gathered(self, buffer: Buffer, final: bool = False) -> Batch | None:
        """Return what is not written yet as a batch, None if there is nothing."""
        with self._state:
            single, points = self._series.drain(buffer)
            if final:
                single = {name: last.value for name, last in self._series.last.items()}
            numbers = {name: named(single[name]) for name in single.keys() & self._numbers}
            self._metrics.update(numbers)
            drafts = [
                draft
                for draft in (self._run, self._params, self._metrics)
                if draft.dirty or (final and not draft.node.revision)
            ]
            for draft in drafts:
                draft.dirty = False
            puts = [draft.put() for draft in drafts]
        if not (puts or points):
            return None
        edges = [draft.edge for draft in drafts if draft.edge and not draft.node.revision]
        action = "end run" if final else "log to run"
        return self.session.batch(action, puts=puts, edges=edges, points=as_batch(self.id, points))

    def _write_pending(self) -> None:
        for _ in range(RETRIES):
            if self._pending is None:
                return
            try:
                change = self.session.store.write(self._pending)
            except (AlreadyExists, Conflict):
                self._pending = self._rebased(self._pending)
                continue
            for put in self._pending.puts:
                self._draft(put).node = put.node._replace(revision=change.number)
            self._pending = None
            return
        raise Conflict(f"{self.id} was changed {RETRIES} times while it was to be written")

    def _rebased(self, batch: Batch) -> Batch:
        """Return a batch over what others have written meanwhile; what this run set itself wins."""
        found = self.session.store.get([put.node.id for put in batch.puts])
        for put, node in zip(batch.puts, found, strict=True):
            draft = self._draft(put)
            if node is None and draft is self._run:
                raise NotFound(f"{self.id} was deleted while it was going on")
            draft.node = node if node is not None else draft.node._replace(revision=0)
        puts = tuple(self._draft(put).put() for put in batch.puts)
        return replace(batch, id=uuid7(), puts=puts)

    def _draft(self, put: Put) -> _Draft:
        kinds = {"run": self._run, "modelparams": self._params, "devperf": self._metrics}
        return kinds[put.node.kind]

    def leave_to_parent(self) -> None:
        """Never write again: this is a copy in a forked child."""
        self._state, self._writing = threading.Lock(), threading.Lock()
        self._pending, self._buffer = None, Elsewhere()
        self._result = Run(self._run.node, self._params.node.text, self._metrics.node.text)

    # --- the block -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_after(error)

    def _close_after(self, error: BaseException | None) -> None:
        """End the run as an exception says, None for success; that one is never hidden by another."""
        status = _status_after(error)
        try:
            self.close(status, error if status != "finished" else None)
        except Exception as problem:
            if error is None:
                raise
            warn(f"{self.id}: its end could not be recorded: {problem}")


def start(session: Session, /, *, strict: bool, capture: bool, **fields: Any) -> ActiveRun:
    """Record that a run has started; the arguments are those of `ArangoPipe.start_run`."""
    references = session.references()
    record = run_record(references, session.actor, capture=capture, status="running", **fields)
    batch = session.batch("start run", puts=[Put(record.run)], edges=record.used)
    run = ActiveRun(session, record, session.send(batch)[0], strict=strict, capture=capture)
    flusher.watch(run)
    return run


def end_open_runs(store: Store | None = None, error: BaseException | None = None) -> None:
    """End the runs that are still open, in one store or in all, as an exception says."""
    for run in flusher.watched():
        if isinstance(run, ActiveRun) and store in (None, run.session.store):
            run._close_after(error)


def _end_at_exit() -> None:
    for run in flusher.watched():
        if isinstance(run, ActiveRun):
            error = _last_error()
            try:
                run._close_after(error if error is not run._error_before else None)
            except ArangopipeError as problem:
                warn(f"{run.id}: its end could not be recorded: {problem}")


atexit.register(_end_at_exit)


def _last_error() -> BaseException | None:
    """Return the exception that the interpreter has reported last: the one a script dies of."""
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)


def _status_after(error: BaseException | None) -> Status:
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "finished"
    return "killed" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "failed"
