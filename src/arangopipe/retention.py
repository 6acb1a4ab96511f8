"""Retention: rules that say what may go, the plan that follows from them, and carrying it out.

A rule selects things of a kind in the search language and says which of them are old enough. What a
live or scheduled deployment depends on never goes, whatever a rule says. `plan` changes nothing; `apply`
does what a plan says, if it still holds, in changes of bounded size.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from pathlib import Path as FilePath
from typing import Any

from arangopipe import deployments as placed
from arangopipe import guards
from arangopipe.errors import Conflict, InvalidInput
from arangopipe.model import times
from arangopipe.model.expressions import And, Compare, Expression, Path
from arangopipe.model.filters import parse
from arangopipe.model.graph import Batch, Change, Node
from arangopipe.model.vocabulary import OWNED_BY_RUN, near
from arangopipe.references import listed
from arangopipe.results import counted
from arangopipe.session import Session
from arangopipe.store.abilities import Maintenance, able
from arangopipe.store.base import MAX_PAGE, Store, last_number, nodes_of

__all__ = ["Plan", "Rule", "Verdict", "apply", "plan", "read_rules"]

DELETED_AT_ONCE = 500
ERASED_AT_ONCE = 5_000
"""An erasure writes the whole file anew, so fewer and larger ones are cheaper."""

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1), "y": timedelta(days=365)}
_DEPENDENTS_SEEN = 200

Progress = Callable[[int, "int | None"], object]


@dataclass(frozen=True)
class Rule:
    """What may go: things of `kind` that match `where`, and are old or many enough.

    `older_than`: nothing was written to them for so long ("90d"; h, d, w, y). `keep`: all but the so many
    last written, of each value of the path `each` if given. `unused`: nothing came of them. `project`
    is a short condition on it. `name` says in the record why they went.
    """

    kind: str
    where: str | None = None
    older_than: str | timedelta | None = None
    keep: int | None = None
    each: str | None = None
    unused: bool = False
    project: str | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if self.older_than is None and self.keep is None and self.where is None and not self.unused:
            raise InvalidInput(
                f"a rule that lets every {self.kind} go: say where, older_than, keep or unused"
            )
        for word in ("kind", "where", "each", "project", "name"):
            if not isinstance(getattr(self, word), (str, type(None))):
                raise InvalidInput(f"{word} is a text, not {getattr(self, word)!r}")
        if self.keep is not None and (type(self.keep) is not int or self.keep < 0):
            raise InvalidInput(f"keep is {self.keep!r}: it is how many stay, a whole number from 0")
        if self.each is not None and self.keep is None:
            raise InvalidInput(f"each={self.each!r} goes with keep=: how many stay of each")
        age_of(self.older_than)

    @property
    def label(self) -> str:
        """Its name, or what it says."""
        if self.name:
            return self.name
        parts = [
            self.where or "",
            f"project {self.project}" if self.project else "",
            f"older than {self.older_than}" if self.older_than is not None else "",
            "unused" if self.unused else "",
            f"but the last {self.keep}" if self.keep is not None else "",
            f"of each {self.each}" if self.each else "",
        ]
        return f"{self.kind}: {', '.join(part for part in parts if part)}"


@dataclass(frozen=True)
class Verdict:
    """What becomes of one thing, and why: a rule lets it go, or something keeps it."""

    node: Node
    goes: bool
    why: str

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-able values."""
        node = self.node
        own = {"id": node.id, "kind": node.kind, "name": node.name or None, "version": node.version or None}
        return {"goes": self.goes, **own, "project": node.project or None, "why": self.why}


@dataclass(frozen=True)
class Plan:
    """What rules would do to a store as it was at change `head`: everything they select is in one list."""

    rules: tuple[Rule, ...]
    head: int
    moment: datetime
    goes: tuple[Verdict, ...] = field(repr=False, default=())
    stays: tuple[Verdict, ...] = field(repr=False, default=())

    def __str__(self) -> str:
        return f"{len(self.goes):,} of {len(self.goes) + len(self.stays):,} things would go"

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able values."""
        return {
            "head": self.head,
            "time": times.to_text(self.moment),
            "rules": [rule.label for rule in self.rules],
            "goes": [verdict.to_dict() for verdict in self.goes],
            "stays": [verdict.to_dict() for verdict in self.stays],
        }


def age_of(text: str | timedelta | None) -> timedelta | None:
    """Return a length of time such as ``90d``; h, d, w and y (365 days) are known."""
    if text is None or isinstance(text, timedelta):
        return text
    match = re.fullmatch(r"\s*(\d{1,6})\s*([hdwy])\w*\s*", str(text))
    if match is None:
        raise InvalidInput(f"{text!r} is no age: write 12h, 90d, 8w or 1y")
    return int(match[1]) * _UNITS[match[2]]


def read_rules(path: str | FilePath) -> tuple[Rule, ...]:
    """Return the rules of a YAML file: a list of them under ``rules``, each with the fields of `Rule`."""
    import yaml

    try:
        with FilePath(path).open(encoding="utf-8") as file:
            found = yaml.safe_load(file)
    except OSError as error:
        raise InvalidInput(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is no YAML: {error}") from error
    rules = found.get("rules") if isinstance(found, Mapping) else None
    if not isinstance(rules, list) or not all(isinstance(rule, Mapping) for rule in rules):
        raise InvalidInput(f"{path}: write a list of rules under 'rules:', each with at least a kind")
    known = [one.name for one in fields(Rule)]
    for number, rule in enumerate(rules, 1):
        for word in rule:
            if word not in known:
                hint = near(str(word), known) or f": {', '.join(known)}"
                raise InvalidInput(f"{path}, rule {number}: no field is called {word!r}{hint}")
        if "kind" not in rule:
            raise InvalidInput(f"{path}, rule {number}: say of which kind the things are that may go")
    try:
        return tuple(Rule(**rule) for rule in rules)
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from error


def plan(session: Session, rules: Iterable[Rule], *, moment: datetime | None = None) -> Plan:
    """Return what rules would do now; nothing is changed. Age is counted back from `moment`."""
    store = session.store
    given, now = tuple(rules), moment or times.now()
    head = last_number(store)
    needed = _in_service(store)
    goes: dict[str, Verdict] = {}
    stays: dict[str, Verdict] = {}
    for rule in given:
        for verdict in _judged(session, rule, now):
            node = verdict.node
            if verdict.goes and node.id in needed:
                verdict = Verdict(node, False, needed[node.id])
            (goes if verdict.goes else stays).setdefault(node.id, verdict)
    kept = tuple(verdict for node_id, verdict in stays.items() if node_id not in goes)
    return Plan(given, head, now, tuple(goes.values()), kept)


def _in_service(store: Store) -> dict[str, str]:
    """Return why each thing is needed that a live or scheduled deployment depends on."""
    now = times.now()
    found: dict[str, str] = {}
    for one in placed.every(store):
        if one.status == "scheduled" or one.live_at(now):
            state = "scheduled" if one.status == "scheduled" else "live"
            for node in store.traverse([one.id], "upstream"):
                why = f"{one.id} of {one.tag!r} depends on it and is {state}"
                found.setdefault(node.id, f"it is {state}" if node.id == one.id else why)
    return found


def _judged(session: Session, rule: Rule, now: datetime) -> Iterator[Verdict]:
    """Yield what a rule says of each thing that it selects, the last written first."""
    store = session.store
    kind = session.references().kind(rule.kind).name
    if kind in (*OWNED_BY_RUN, "project", "kinds"):
        raise InvalidInput(f"no rule can let things of kind {rule.kind!r} go: they belong to others")
    where = _where(rule)
    age = age_of(rule.older_than)
    last_old = last_number(store, now - age) if age is not None else None
    groups = _values(store, kind, rule.each, where) if rule.each else {}
    seen: dict[Any, int] = {}
    nodes = sorted(nodes_of(store, kind, where), key=lambda node: (-node.revision, node.id))
    for page in (nodes[start : start + MAX_PAGE] for start in range(0, len(nodes), MAX_PAGE)):
        written = _last_written(store, kind, page)
        for node in page:
            group = groups.get(node.id)
            seen[group] = seen.get(group, 0) + 1
            kept = _kept(store, rule, node, seen[group], written[node.id], last_old, now)
            yield Verdict(node, not kept, kept or rule.label)


def _where(rule: Rule) -> Expression | None:
    parts = [parse(rule.where)] if rule.where else []
    if rule.project is not None:
        parts.append(Compare(Path(("project",)), "=", rule.project))
    found = [part for part in parts if part is not None]
    return And(tuple(found)) if len(found) > 1 else next(iter(found), None)


def _values(store: Store, kind: str, path: str, where: Expression | None) -> dict[str, Any]:
    """Return what stands at a path, by id."""
    return {
        node_id: value
        for chunk in store.columns(kind, [path], where)
        for node_id, value in zip(chunk["id"], chunk[path], strict=True)
    }


def _last_written(store: Store, kind: str, nodes: Sequence[Node]) -> dict[str, int]:
    """Return the last change of each, of a run also that of its parameters and performance."""
    found = {node.id: node.revision for node in nodes}
    if kind == "run":
        for part in OWNED_BY_RUN:
            for owned in store.get([f"{part}/{node.key}" for node in nodes]):
                if owned is not None:
                    run = f"run/{owned.key}"
                    found[run] = max(found[run], owned.revision)
    return found


def _kept(
    store: Store, rule: Rule, node: Node, place: int, written: int, last_old: int | None, now: datetime
) -> str:
    """Return why a rule keeps a thing, "" where it lets it go."""
    if rule.keep is not None and place <= rule.keep:
        return f"among the last {rule.keep:,}" + (f" of its {rule.each}" if rule.each else "")
    if last_old is not None and written > last_old:
        return f"written within {rule.older_than}"
    if (
        node.kind == "run"
        and node.document.get("status") == "running"
        and not _silent(store, rule, node, now)
    ):
        return "it is running"
    if rule.unused and (used := _used(store, node)):
        return used
    return ""


def _silent(store: Store, rule: Rule, node: Node, now: datetime) -> bool:
    """Whether a run that says it is running has logged nothing for as long as the rule asks."""
    age = age_of(rule.older_than)
    if age is None:
        return False
    last = max((point.time for series in store.points(node.id).values() for point in series), default=0)
    return times.from_microseconds(last) < now - age


def _used(store: Store, node: Node) -> str:
    """Return what came of a thing; what a run owns and the model it trained do not count."""
    own = (*OWNED_BY_RUN, "models") if node.kind == "run" else OWNED_BY_RUN
    found = store.traverse([node.id], "downstream", depth=2, limit=_DEPENDENTS_SEEN)
    kinds = Counter(other.kind for other in found if other.id != node.id and other.kind not in own)
    least = "at least " if len(found) == _DEPENDENTS_SEEN else ""
    return f"used by {least}{', '.join(counted(*item) for item in sorted(kinds.items()))}" if kinds else ""


def apply(
    session: Session,
    plan_: Plan,
    *,
    reason: str = "",
    erase: bool = False,
    progress: Progress | None = None,
) -> tuple[Change, ...]:
    """Do what a plan says, and return the changes; what has changed since it was made raises `Conflict`.

    Things are closed, as `ArangoPipeAdmin.delete` does; with `erase` their content is removed for good. The
    record keeps the reason, by default the rules. Stopped half-way, a new plan goes on.
    """
    if erase:
        able(session.store, Maintenance, "erase")
    _check_holds(session, plan_)
    said = reason.strip() or f"retention: {'; '.join(rule.label for rule in plan_.rules)}"
    at_once = ERASED_AT_ONCE if erase else DELETED_AT_ONCE
    changes = []
    for start in range(0, len(plan_.goes), at_once):
        nodes = [verdict.node for verdict in plan_.goes[start : start + at_once]]
        changes.append(_remove(session, nodes, said, erase))
        if progress is not None:
            progress(min(start + at_once, len(plan_.goes)), len(plan_.goes))
    return tuple(changes)


def _check_holds(session: Session, plan_: Plan) -> None:
    """Raise `Conflict` unless the rules still let everything go that the plan says, and as it was then."""
    if last_number(session.store) == plan_.head:
        return
    now = {verdict.node for verdict in plan(session, plan_.rules, moment=plan_.moment).goes}
    gone = [verdict.node.id for verdict in plan_.goes if verdict.node not in now]
    if gone:
        raise Conflict(f"the plan does not hold any more for {listed(gone)}: make it again")


def _remove(session: Session, nodes: Sequence[Node], reason: str, erase: bool) -> Change:
    """Close or erase some things in one change, unless one has changed or serves meanwhile."""
    store = session.store
    ids = [node.id for node in nodes]
    unchanged = (*guards.rests_on(store), *ids)

    def checked() -> int:
        since = last_number(store)
        stale = [node.id for node, known in zip(nodes, store.get(ids), strict=True) if node != known]
        if stale:
            raise Conflict(f"{listed(stale)} changed meanwhile: make the plan again")
        if live := guards.depending(store, ids):
            tags = listed([f"{one.id} of {one.tag!r}" for one in live])
            raise Conflict(f"{tags} came to depend on what would go: make the plan again")
        return since

    def remove(since: int) -> Change:
        if erase and isinstance(store, Maintenance):
            return store.erase(ids, session.actor, reason, unchanged, since)
        rest: dict[str, Any] = {"unchanged": unchanged, "since": since}
        batch: Batch = session.batch("retention", closes=ids, reason=reason, **rest)
        return store.write(batch)

    return session.retried(checked, remove)
