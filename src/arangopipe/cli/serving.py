"""What a deployment would change: worked out, shown, and done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from arangopipe import deployments as placed
from arangopipe.cli.asking import proceed
from arangopipe.cli.labels import measured
from arangopipe.cli.labels import placed as placed_words
from arangopipe.cli.refs import find
from arangopipe.cli.tables import Column, show_table
from arangopipe.cli.terminal import Terminal, clean
from arangopipe.cli.words import when
from arangopipe.errors import Conflict, InvalidInput, NotFound
from arangopipe.model import times
from arangopipe.model.entities import Deployment, Run
from arangopipe.model.expressions import Compare, Path
from arangopipe.model.vocabulary import near
from arangopipe.words import length, short_key

if TYPE_CHECKING:
    from arangopipe.pipe import ArangoPipe


_HEADINGS = ("", "run", "model", "featureset", "measured", "in service", "last served")


@dataclass(frozen=True)
class Step:
    """What is asked: the way (run, activate, rollback, archive) and what goes with it."""

    way: str
    tag: str
    run: str | None
    schedule: datetime | None
    at: datetime | None
    keep: bool
    reason: str


@dataclass(frozen=True)
class Outlook:
    """What a step would do: the run that would serve (None: it only ends), what it ends, what it starts."""

    run: Run | None
    ends: tuple[Deployment, ...]
    starts: Deployment | None = None

    @property
    def mark(self) -> tuple[tuple[str, int], ...]:
        """What tells it from the outlook of another moment."""
        things = [thing for thing in (self.run, self.starts, *self.ends) if thing is not None]
        return tuple((thing.id, thing.revision) for thing in things)


def carry_out(terminal: Terminal, pipe: ArangoPipe, step: Step, dry_run: bool, yes: bool) -> None:
    """Show what a step would do, ask, and do it."""
    outlook = _outlook(pipe, step)
    if not terminal.as_json:
        _show(terminal, pipe, step, outlook)
    done = None
    if proceed(terminal, dry_run, yes):
        if _outlook(pipe, step).mark != outlook.mark:
            raise Conflict(f"what serves as {step.tag!r} changed while you were asked: look again")
        done = _do(pipe, step, outlook)
    if terminal.as_json:
        terminal.give(_as_json(step, outlook, done))
    elif done is not None:
        terminal.show(
            Text.assemble(
                ("deployment ", ""), (short_key(done.key), "bold"), f" of {clean(done.tag)} is "
            ).append_text(placed_words(done))
        )


def _outlook(pipe: ArangoPipe, step: Step) -> Outlook:
    known = placed.of_tag(pipe.store, step.tag)
    if not known and step.way != "run":
        tags = {one.tag for one in placed.every(pipe.store)}
        raise NotFound(f"nothing is deployed as {step.tag!r}{near(step.tag, tags)}")
    if step.way == "archive":
        return Outlook(None, (placed.one_of(known, step.tag, "active", "scheduled"),))
    if step.way == "activate":
        starts = placed.one_of(known, step.tag, "scheduled")
        return Outlook(_run_of(pipe, starts), _ended(known, step, starts), starts)
    if step.way == "rollback":
        return Outlook(_run_of(pipe, _before(known, step)), _ended(known, step))
    if step.run is None:
        (run,) = pipe.entities([pipe.admin.carrier(step.tag)])
    else:
        (run,) = pipe.entities([find(pipe, step.run)])
    if not isinstance(run, Run):
        raise InvalidInput(f"{run.id} is no run: 'arangopipe runs' lists those that can be deployed")
    return Outlook(run, () if step.schedule is not None else _ended(known, step))


def _ended(
    known: Sequence[Deployment], step: Step, starts: Deployment | None = None
) -> tuple[Deployment, ...]:
    """Return what a step takes out of service; raises `Conflict` where it cannot."""
    if step.keep:
        return ()
    others = [one for one in known if starts is None or one.id != starts.id]
    ids = {put.node.id for put in placed.handover(others, step.tag, step.at or times.now(), None)}
    return tuple(one for one in others if one.id in ids)


def _before(known: Sequence[Deployment], step: Step) -> Deployment:
    """Return the deployment that was in service last, before the one that is."""
    ended = [one for one in known if one.status == "archived" and one.active_to is not None]
    if not ended:
        raise Conflict(f"nothing was in service as {step.tag!r} before: name a run with --run")
    return max(ended, key=lambda one: (one.active_to or times.now(), one.key))


def _run_of(pipe: ArangoPipe, deployment: Deployment) -> Run:
    edges = pipe.store.edges([deployment.id], ["deployment_modelparams"])
    nodes = pipe.store.get([edge.target.replace("modelparams/", "run/") for edge in edges])
    runs = pipe.entities([node for node in nodes if node is not None])
    if len(runs) != 1 or not isinstance(runs[0], Run):
        raise Conflict(f"the run that {deployment.id} served is gone: name another with --run")
    return runs[0]


def _do(pipe: ArangoPipe, step: Step, outlook: Outlook) -> Deployment:
    admin = pipe.admin
    if step.way == "archive":
        return admin.archive_deployment(outlook.ends[0], at=step.at, reason=step.reason)
    if outlook.starts is not None:
        return admin.activate_deployment(outlook.starts, at=step.at, keep=step.keep, reason=step.reason)
    given = {"schedule": step.schedule, "active_from": step.at, "keep": step.keep, "reason": step.reason}
    return admin.register_deployment(step.tag, outlook.run, **given)  # type: ignore[arg-type]


def _show(terminal: Terminal, pipe: ArangoPipe, step: Step, outlook: Outlook) -> None:
    verbs = {"archive": "Take out of service", "rollback": "Roll back", "activate": "Activate"}
    doing = verbs.get(step.way, "Deploy" if step.schedule is None else "Schedule")
    if any(one.status == "scheduled" for one in outlook.ends):
        doing = "Call off"
    terminal.show(Text.assemble((f"{doing} ", ""), (clean(step.tag), "bold"), _moment(step)))
    rows = [_row(pipe, one) for one in outlook.ends]
    if outlook.run is not None:
        rows.insert(0, {"": "will serve", **_of_run(pipe, outlook.run)})
    columns = [Column(name, [row.get(name) for row in rows], rank) for rank, name in enumerate(_HEADINGS)]
    show_table(terminal, columns)
    if outlook.run is not None and not outlook.ends and step.schedule is None:
        said = "What is in service stays." if step.keep else "Nothing is in service under this tag now."
        terminal.note(said)


def _moment(step: Step) -> str:
    if step.schedule is not None:
        return f" for {when(step.schedule, seconds=False)}"
    return "" if step.at is None else f" as of {when(step.at, seconds=False)}"


def _row(pipe: ArangoPipe, deployment: Deployment) -> dict[str, Any]:
    """Return what a table says of a deployment that ends."""
    scheduled = deployment.status == "scheduled"
    since = deployment.active_from
    perf = placed.last_serving(pipe.store, [deployment]).get(deployment.id)
    try:
        shown = _of_run(pipe, _run_of(pipe, deployment))
    except Conflict:
        shown = {}
    return {
        "": "is called off" if scheduled else "ends",
        **shown,
        "in service": None if scheduled or since is None else f"for {length(times.now() - since)}",
        "last served": None if perf is None else measured(perf.metrics),
    }


def _of_run(pipe: ArangoPipe, run: Run) -> dict[str, Any]:
    """Return what a table says of a run."""
    this = Compare(Path(("key",)), "=", run.key)
    (found,) = pipe.store.columns("run", ["model.name", "featureset.name"], this)
    return {
        "run": clean(run.name) if run.name else short_key(run.key),
        "model": found["model.name"][0],
        "featureset": found["featureset.name"][0],
        "measured": measured(run.metrics),
    }


def _as_json(step: Step, outlook: Outlook, done: Deployment | None) -> dict[str, Any]:
    return {
        "tag": step.tag,
        "action": step.way if step.schedule is None else "schedule",
        "run": None if outlook.run is None else outlook.run.id,
        "ends": [one.to_dict() for one in outlook.ends],
        "deployment": None if done is None else done.to_dict(),
        "done": done is not None,
    }
