"""Merging the changes of another store into one that has changes of its own; `stamps` has the rules.

Each change becomes one change here, under its own batch id, so that it is known when it comes again by
whatever way. All that it wrote is recorded: what lost to something later goes into the history as
superseded at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice

from arangopipe.bundle.operations import Operations, Written, operations_of
from arangopipe.bundle.stamps import Life, Notes, Stamp, after, always_new, life_of, name_of
from arangopipe.errors import AlreadyExists, InvalidInput, NotFound
from arangopipe.model import documents, times
from arangopipe.model.graph import Batch, Change, Edge, EdgeRef, Node, Origin, Points, Put
from arangopipe.model.ids import split_id
from arangopipe.model.vocabulary import OWNED_BY_RUN
from arangopipe.store.abilities import Adoption, Replica
from arangopipe.store.base import Store

AHEAD = timedelta(days=1)
"""How far ahead of this machine's clock another's may have been."""

TAKEN = "made under a name that is taken"

CHUNK = 100
"""Changes recorded in one transaction."""

_LIVES = 20_000

Ref = str | EdgeRef


@dataclass(frozen=True)
class Conflict:
    """Two stores wrote one thing differently: whose content stands, and whose is in the history only.

    Where two things have one name and version, `kept` is the thing that has it and `other` what that of this
    id is called now.
    """

    id: str
    name: str
    what: str
    kept: str
    other: str

    def __str__(self) -> str:
        if self.what == TAKEN:
            return f"{self.id} ({self.name}) was {self.what}, by {self.kept}: it is called {self.other} here"
        kept, other = (text.partition(" (")[0] for text in (self.kept, self.other))
        return f"{self.id} ({self.name}) was {self.what}: that of {kept} stands, that of {other} is history"


@dataclass
class _Plan:
    """What is to be recorded of a change."""

    stamp: Stamp
    puts: dict[str, Node] = field(default_factory=dict)
    edges: dict[EdgeRef, Edge] = field(default_factory=dict)
    points: list[Points] = field(default_factory=list)
    closes: list[Ref] = field(default_factory=list)
    past: list[Node | Edge | Points] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    back: set[str] = field(default_factory=set)

    def write(self, value: Node | Edge) -> None:
        """Record a state that stands from now on."""
        if isinstance(value, Node):
            self.puts[value.id] = value
        else:
            self.edges[value.ref] = value

    def merged(self) -> str:
        """Return the notes as the origin of the change keeps them."""
        notes = {name: sorted(getattr(self, name)) for name in Notes._fields}
        return documents.dump({name: found for name, found in notes.items() if found})


class Merger:
    """Merges changes of one bundle, in their order, into a store."""

    def __init__(self, store: Store, source: str, actor: str, whole: bool = True) -> None:
        if not isinstance(store, Replica):
            raise InvalidInput(f"{store.url} cannot take over changes")
        self._store: Store = store
        self._replica: Replica = store
        self._source = source
        self._actor = actor
        self._whole = whole
        self._lives: dict[Ref, Life] = {}
        self._planned: list[tuple[_Plan, Change]] = []
        self._latest = times.now() + AHEAD
        self.new = 0
        self.known = 0
        self.conflicts: list[Conflict] = []

    def merge(self, changes: Iterable[Change]) -> None:
        """Record those of these changes whose batches are not known."""
        stream = iter(changes)
        while chunk := list(islice(stream, CHUNK)):
            known = self._replica.numbers([change.batch for change in chunk])
            for change in chunk:
                if change.batch in known:
                    self.known += 1
                else:
                    self._merge(change)
            self._flush()
            if len(self._lives) > _LIVES:
                self._lives.clear()

    def _merge(self, change: Change) -> None:
        operations = operations_of(change)
        if operations.stamp.time > self._latest:
            raise InvalidInput(
                f"change {change.number} was recorded at {times.to_text(operations.stamp.time)}, over a day "
                "ahead of this machine's clock: set whichever clock is wrong"
            )
        if operations.closes:
            self._flush()
        plan = _Plan(operations.stamp)
        try:
            self._plan(plan, operations)
        except NotFound as error:
            self._flush()
            raise NotFound(f"change {change.number} cannot be recorded: {error}") from error
        self._planned.append((plan, change))
        if plan.closes or any(node.kind == "kinds" for node in plan.puts.values()):
            # What is closed takes more along than is known here, and kinds must be known to be used.
            self._flush()
            self._lives.clear()

    def _plan(self, plan: _Plan, operations: Operations) -> None:
        for written in operations.writes:
            if isinstance(written.value, Node):
                self._write_node(plan, written, written.value)
        # Of what was erased before it was exported only a trace is left, which edges hang on.
        traces = [ref for ref in operations.closes if isinstance(ref, str) and not self._life(ref).known]
        for trace in traces:
            self._close(plan, trace, operations.closes.pop(trace))
        for written in operations.writes:
            if isinstance(written.value, Edge) and self._has(written.value.source, written.value.target):
                self._write(plan, written.value.ref, written)
        for points in operations.points:
            if self._has(points.run):
                (plan.points if self._admits(points.run, plan.stamp) else plan.past).append(points)
        closes = operations.closes.items()
        for ref, value in sorted(closes, key=lambda item: isinstance(item[0], str)):
            self._close(plan, ref, value)
        closed = set(plan.closes)
        for edge in [edge for edge in plan.edges.values() if {edge.source, edge.target} & closed]:
            del plan.edges[edge.ref]
            plan.back.discard(name_of(edge.ref))

    def _flush(self) -> None:
        """Record what was planned, in one transaction if no name is taken."""
        planned, self._planned = self._planned, []
        try:
            self._replica.adopt([self._adoption(*each) for each in planned])
        except AlreadyExists:
            for plan, change in planned:
                try:
                    self._replica.adopt([self._adoption(plan, change)])
                except AlreadyExists:
                    self._rename(plan)
                    self._replica.adopt([self._adoption(plan, change)])
        self.new += len(planned)

    def _adoption(self, plan: _Plan, change: Change) -> Adoption:
        first = change.origin or Origin(self._source, change.number, change.time, change.actor)
        batch = Batch(
            change.batch,
            tuple(Put(node, "any") for node in plan.puts.values()),
            tuple(plan.edges.values()),
            tuple(plan.closes),
            tuple(plan.points),
            self._actor,
            change.action,
            change.reason,
            origin=first._replace(merged=plan.merged()),
        )
        return Adoption(batch, plan.past)

    # Writing

    def _write_node(self, plan: _Plan, written: Written, node: Node) -> None:
        life = self._life(node.id)
        known, birth, stood = life.known, life.birth, life.stands
        self._note_conflict(plan, written, node, life)
        self._write(plan, node.id, written)
        if known and life.stands and (not stood or life.birth != birth):
            self._bring_back(plan, node.id)

    def _write(self, plan: _Plan, ref: Ref, written: Written) -> None:
        """Record a state: as the one that stands if it is the last one, else in the history."""
        life, value = self._life(ref), written.value
        before = life.content if life.stands else None
        life.write(plan.stamp, value, written.new)
        life.stands, content = self._stands(ref), life.content
        changes = life.stands and content is not None and not (before and _equal(before[1], content[1]))
        if changes and content is not None and content[0] == plan.stamp:
            plan.write(value)
            known_as_new = before is None
        else:
            plan.past.append(value)
            known_as_new = False
            if changes:
                self._write_back(plan, ref)
        if written.new and not known_as_new and not always_new(ref):
            plan.new.add(name_of(ref))

    def _write_back(self, plan: _Plan, ref: Ref) -> None:
        """Record what was written before, as what stands from now on."""
        content = self._life(ref).content
        if content is not None:
            plan.write(content[1])
            plan.back.add(name_of(ref))
            self._life(ref).stands = True

    def _bring_back(self, plan: _Plan, node_id: str) -> None:
        """Bring back what was written for a thing while it was not there, and may be there now."""
        kind, key = split_id(node_id)
        refs: list[Ref] = [f"{owned}/{key}" for owned in OWNED_BY_RUN if kind == "run"]
        self._flush()
        for ref in [*refs, *self._replica.ever_linked(node_id)]:
            if not self._life(ref).stands and self._stands(ref):
                self._write_back(plan, ref)

    # Closing

    def _close(self, plan: _Plan, ref: Ref, value: Node | Edge) -> None:
        life = self._life(ref)
        before = life.content
        if not life.close(plan.stamp) or not self._ends_known(ref):
            return
        stood, life.stands = life.stands, self._stands(ref)
        if stood and not life.stands:
            plan.closes.append(ref)
            return
        plan.past.append(value)
        plan.stale.add(name_of(ref))
        if life.stands and before and life.content and not _equal(before[1], life.content[1]):
            self._write_back(plan, ref)
        if life.stands and isinstance(ref, str):
            # What was linked before it was made again goes all the same.
            gone = (edge.ref for edge in self._store.edges([ref]) if not self._stands(edge.ref))
            plan.closes += gone

    # What stands

    def _stands(self, ref: Ref) -> bool:
        """Whether a thing or edge is there, by the rules of `stamps`."""
        life = self._life(ref)
        if isinstance(ref, EdgeRef):
            return life.birth is not None and all(
                self._admits(end, life.written) for end in (ref.source, ref.target)
            )
        kind, key = split_id(ref)
        if kind == "kinds":
            return life.written is not None  # a kind may be in use elsewhere, so merging never ends one
        owned = kind in OWNED_BY_RUN
        return life.birth is not None and (not owned or self._admits(f"run/{key}", life.written))

    def _admits(self, node_id: str, stamp: Stamp | None) -> bool:
        """Whether what was written at a stamp may hang on a thing: that is there, and was made before."""
        birth = self._life(node_id).birth
        return birth is not None and stamp is not None and birth <= stamp and self._stands(node_id)

    def _has(self, *node_ids: str) -> bool:
        """Whether anything is known of these; of what was erased before it was exported nothing is."""
        for node_id in node_ids:
            if not self._life(node_id).known:
                if self._whole:
                    return False
                raise NotFound(
                    f"{node_id} is neither in this store nor in the bundle: import the bundle of earlier "
                    "changes first"
                )
        return True

    def _ends_known(self, ref: Ref) -> bool:
        ends = (ref.source, ref.target) if isinstance(ref, EdgeRef) else ()
        return all(self._life(end).known for end in ends)

    def _life(self, ref: Ref) -> Life:
        life = self._lives.get(ref)
        if life is None:
            if isinstance(ref, EdgeRef):
                new = any(self._life(end).fresh for end in (ref.source, ref.target))
                life = life_of(ref, () if new else self._replica.edge_revisions(ref))
            else:
                life = life_of(ref, self._store.revisions(ref))
            self._lives[ref] = life
        return life

    # Conflicts

    def _note_conflict(self, plan: _Plan, written: Written, node: Node, life: Life) -> None:
        """Note where two stores wrote one thing differently, not knowing of each other."""
        if not life.stands or life.content is None or _equal(life.content[1], node):
            return
        stamp, here = life.content
        if written.new:
            made = [value for stamp, value in life.made.items() if after(stamp, life.closed)]
            if any(_equal(value, node) for value in made):
                return
            what = "made differently"
        elif always_new(node.id) or written.base is None or _equal(written.base, here):
            return
        else:
            what = "revised differently"
        first, last = (f"{times.to_text(s.time)} (batch {s.batch})" for s in sorted([stamp, plan.stamp]))
        self.conflicts.append(Conflict(node.id, node.label, what, last, first))

    def _rename(self, plan: _Plan) -> None:
        """Give things whose name another one has, under another key, a version of their own."""
        for node in plan.puts.values():
            taken = self._store.find(node.kind, node.name, node.project) if node.name else ()
            others = [other for other in taken if other.version == node.version and other.id != node.id]
            if others:
                renamed = node._replace(version=f"{node.version or 1}~{node.key[:8]}")
                plan.puts[node.id] = renamed
                self.conflicts.append(Conflict(node.id, node.label, TAKEN, others[0].id, renamed.label))


def _equal(one: Node | Edge, other: Node | Edge) -> bool:
    return one._replace(revision=0) == other._replace(revision=0)
