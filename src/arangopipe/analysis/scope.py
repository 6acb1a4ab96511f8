"""Which runs a question is about: a project, a time, and the state of the record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from arangopipe.errors import InvalidInput
from arangopipe.model import times
from arangopipe.model.expressions import And, Compare, Expression, Path
from arangopipe.model.filters import parse
from arangopipe.reader import Reader, Where
from arangopipe.record import Time
from arangopipe.references import Ref, When, moment_of
from arangopipe.store.base import AsOf


@dataclass(frozen=True)
class Scope:
    """The runs of a project ("": of all), started from `since` on and before `until`, that match `only`."""

    project: str = ""
    since: datetime | None = None
    until: datetime | None = None
    only: Expression | None = None
    as_of: AsOf = None

    @classmethod
    def of(
        cls,
        reader: Reader,
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> Scope:
        """Return the scope of a question; raises `NotFound` for an unknown project."""
        wanted = project if project is not None else reader.project or None
        name = "" if wanted is None else reader.lookup_project(wanted, as_of=as_of).name
        first, last = (
            None if moment is None else times.parse(moment, what)
            for moment, what in ((since, "since"), (until, "until"))
        )
        if first is not None and last is not None and last <= first:
            raise InvalidInput(f"until ({last:%Y-%m-%d %H:%M}) is not after since ({first:%Y-%m-%d %H:%M})")
        only = parse(where) if isinstance(where, str) else where
        return cls(name, first, last, only, moment_of(as_of))

    def where(self) -> Expression | None:
        """Return the filter on runs."""
        parts: list[Expression] = [] if self.only is None else [self.only]
        if self.project:
            parts.append(Compare(Path(("project",)), "=", self.project))
        # Start times are recorded in UTC in one form, so that they compare as texts.
        if self.since is not None:
            parts.append(Compare(Path(("start",)), ">=", times.to_text(self.since)))
        if self.until is not None:
            parts.append(Compare(Path(("start",)), "<", times.to_text(self.until)))
        return And(tuple(parts)) if len(parts) > 1 else next(iter(parts), None)

    @property
    def words(self) -> str:
        """The scope in words that end a sentence, empty where it is everything."""
        parts = [f"in project {self.project}"] if self.project else []
        parts += [f"since {self.since.astimezone():%Y-%m-%d}"] if self.since else []
        parts += [f"before {self.until.astimezone():%Y-%m-%d}"] if self.until else []
        parts += ["that match the filter"] if self.only is not None else []
        return "".join(f" {part}" for part in parts)
