"""A run while it goes on: ``with pipe.start_run(…) as run: run.log_metric("loss", x, step=i)``.

Logging only fills a buffer, which a thread (`outbox`) writes every five seconds or when 1,000 points
have gathered; the rest is written when the run ends, in one batch with its status. What the store
cannot take waits in the spool: an error of the store changes nothing in the block, unless the run is
strict.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time as clock
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from arangopipe import outbox
from arangopipe.drafts import Drafts
from arangopipe.errors import Conflict, InvalidInput
from arangopipe.keeper import MAX_STEP, ArangopipeWarning, Keeper, warn
from arangopipe.model import times
from arangopipe.model.entities import Run
from arangopipe.model.graph import Edge, Put
from arangopipe.outbox import Job
from arangopipe.points import Buffer, Elsewhere, Ended
from arangopipe.record import (
    ENDED,
    RunRecord,
    Status,
    Time,
    artifact,
    check_status,
    error_document,
    run_record,
)
from arangopipe.session import Session
from arangopipe.store.base import Store

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ActiveRun", "ArangopipeWarning", "end_open_runs", "start"]


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

    def __init__(self, session: Session, record: RunRecord, *, strict: bool, capture: bool) -> None:
        self.session = session
        self._capture = capture
        self._keeper = Keeper(record.nodes[0].id, strict)
        self._drafts = Drafts(record)
        self._run, self._params, self._metrics = self._drafts.all
        self._numbers = self._drafts.numbers
        self._buffer: Buffer = Buffer()
        self._sections: set[str] = set()
        self._closing = False
        self._result: Run | None = None
        self._error_before = _last_error()
        # Held by whoever hands over what was logged; only the first of the jobs is on its way.
        self._handing = threading.Lock()
        self._jobs: deque[Job] = deque()
        self._told = False

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
        if len(self._buffer) >= outbox.POINTS:
            self.session.outbox.wake()

    def log_metrics(
        self, metrics: Mapping[str, Any], step: int | None = None, time: Time | None = None
    ) -> None:
        """Log a value of each of several metrics, at one step and time."""
        moment = times.now() if time is None else time
        for name, value in self._keeper.items(metrics, "metrics"):
            self._log_value(name, value, step, moment)
        if len(self._buffer) >= outbox.POINTS:
            self.session.outbox.wake()

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
        with self._drafts.lock:
            if isinstance(self._buffer, Elsewhere):
                self._buffer.warn()
            if self._closing:
                raise Conflict(f"{self.id} has ended ({self.status}): start another run")
            yield

    # --- writing ---------------------------------------------------------------------------------

    def flush(self) -> None:
        """Write what has been logged so far; what the store does not take in time waits in the spool.

        If the run is strict, raises `StoreError` instead; what was logged is kept, and written later.
        """
        with self._handing:
            if self._settle(self._keeper.strict) and not self._closed:
                self._gather(self._buffer)
                self._settle(self._keeper.strict)

    def hand_over(self) -> None:
        """Queue what has been logged so far, unless something of this run is still on its way."""
        if self._handing.acquire(blocking=False):
            try:
                if self._jobs and self._jobs[0].recorded:
                    self._jobs.popleft()
                if not self._jobs and not self._closed:
                    self._gather(self._buffer, attended=False)
                self._submit()
            finally:
                self._handing.release()

    def close(
        self,
        status: Status = "finished",
        error: BaseException | str | None = None,
        end: Time | None = None,
    ) -> Run:
        """End the run, write what is left of it, and return it; closing twice is harmless.

        If the run is strict, raises `StoreError` if the store fails, after which it can be closed again.
        """
        return self._close(status, error, end, self._keeper.strict)

    def _close(
        self, status: Status, error: BaseException | str | None, end: Time | None, strict: bool
    ) -> Run:
        with self._handing:
            if not self._closed:
                ending = self._ending(status, error, end)
                with self._drafts.lock:
                    self._run.update(ending)
                    self._closing = True
                    rest, self._buffer = self._buffer, Ended()
                self._gather(rest, last=True)
            if self._result is None and self._settle(strict):
                self.session.outbox.forget(self)
                self._result = self._drafts.entity()
            return self._result or self._drafts.entity()

    @property
    def _closed(self) -> bool:
        """Whether there is nothing more to come, which in a forked child is so from the start."""
        return self._closing or self._result is not None

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

    def _begin(self, used: Iterable[Edge]) -> None:
        """Record that the run has started; what the store refuses is raised."""
        batch = self.session.batch("start run", puts=[Put(self._run.node)], edges=used)
        self._jobs.append(Job(batch, self._drafts.known, self._keeper.strict, attended=True, first=True))
        self._settle(self._keeper.strict)
        self.session.outbox.watch(self)

    def _gather(self, buffer: Buffer, last: bool = False, attended: bool = True) -> None:
        """Make a job of what has not been handed over yet, if there is anything."""
        puts, edges, points = self._drafts.gather(buffer, last)
        if puts or points:
            action = "end run" if last else "log to run"
            batch = self.session.batch(action, puts=puts, edges=edges, points=points)
            self._jobs.append(Job(batch, self._drafts.known, self._keeper.strict, attended))

    def _submit(self) -> None:
        """Send the next job on its way, if it is not; what could not even be spooled goes again."""
        if self._jobs and (self._jobs[0].error is not None or not self._jobs[0].queued):
            self.session.outbox.submit(self._jobs[0])

    def _settle(self, strict: bool) -> bool:
        """Wait until all jobs are recorded or spooled; return False or, if strict, raise where one is not."""
        while self._jobs:
            job = self._jobs[0]
            job.strict = strict
            self._submit()
            self.session.outbox.wait(job)
            if job.error is not None:
                if job.first or strict:
                    raise job.error
                if not self._told:
                    self._told = True
                    warn(f"{self.id}: {job.error}")
                return False
            self._jobs.popleft()
        return True

    def leave_to_parent(self) -> None:
        """Never write again: this is a copy in a forked child."""
        self._drafts.lock, self._handing = threading.Lock(), threading.Lock()
        self._jobs, self._buffer = deque(), Elsewhere()
        self._result = self._drafts.entity()

    # --- the block -------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close_after(error, strict=self._keeper.strict and error is None)

    def _close_after(self, error: BaseException | None, strict: bool = False) -> None:
        """End the run as an exception says, None for success; that one is never hidden by another."""
        status = _status_after(error)
        try:
            self._close(status, error if status != "finished" else None, None, strict)
        except Exception as problem:
            if error is None:
                raise
            warn(f"{self.id}: its end could not be recorded: {problem}")


def start(session: Session, /, *, strict: bool, capture: bool, **fields: Any) -> ActiveRun:
    """Record that a run has started; the arguments are those of `ArangoPipe.start_run`."""
    references = session.references()
    record = run_record(references, session.actor, capture=capture, status="running", **fields)
    run = ActiveRun(session, record, strict=strict, capture=capture)
    run._begin(record.edges[:-2])
    return run


def end_open_runs(store: Store | None = None, error: BaseException | None = None) -> None:
    """End the runs that are still open, in one store or in all, as an exception says."""
    for run in outbox.watched():
        if isinstance(run, ActiveRun) and store in (None, run.session.store):
            run._close_after(error)


def _end_at_exit() -> None:
    for run in outbox.watched():
        if isinstance(run, ActiveRun):
            error = _last_error()
            run._close_after(error if error is not run._error_before else None)


atexit.register(_end_at_exit)


def _last_error() -> BaseException | None:
    """Return the exception that the interpreter has reported last: the one a script dies of."""
    return getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)


def _status_after(error: BaseException | None) -> Status:
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "finished"
    return "killed" if isinstance(error, (KeyboardInterrupt, SystemExit)) else "failed"
