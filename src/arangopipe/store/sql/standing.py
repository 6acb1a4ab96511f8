"""How a database stands, which every read begins with: its terms, its own kinds, its last node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from arangopipe.store.sql.dialect import Cursor
from arangopipe.store.sql.terms import FORGOTTEN, Names, Terms

STATE = (
    f"SELECT (SELECT max(id) FROM term), {FORGOTTEN}, (SELECT coalesce(max(id), 0) FROM node), "
    "count(*), coalesce(max(revision), 0) FROM node WHERE kind = {:d}"
)
State = tuple[int, int, int]

SAME = (
    "SELECT (SELECT coalesce(max(id), 0) FROM node), 0{nulls} "
    "FROM (SELECT count(*), coalesce(max(revision), 0) FROM node WHERE kind = {:d}) AS kinds(number, last) "
    "WHERE NOT EXISTS (SELECT 1 FROM term WHERE id > ?) AND (number, last) = (?, ?)"
)
"""A row with the last node, known by 0 in the second place, if all else is as it was: also a mark (see
`terms`) is a term beyond all others."""


class Outdated(Exception):
    """What a reader took for granted is not so any more: ask again without."""


class Standing:
    """What one transaction finds of the state of its database, or takes for granted."""

    def __init__(self, cursor: Cursor, terms: Terms) -> None:
        self.cursor = cursor
        self.terms = terms
        self.dialect = terms.dialect
        self._last_term: int | None = -1
        self._state: State | None = None
        self._names: Names | None = None
        self._assumes = False

    def term(self, kind: str) -> int | None:
        """Return the integer of a kind, None where the database does not have it."""
        known = self.terms.known(kind)
        if known is None:
            known = self.terms.look_up(self.cursor, kind, self.last_term())
        return known

    def name(self, text: str) -> int | None:
        """Return the integer of a path or metric (``run:params.alpha``, ``=loss``), None if there is none."""
        names = self.names_known()
        known = names.ids.get(text)
        if known is None:
            known = self.terms.look_up(self.cursor, text, self.last_term())
            if known is not None:
                names.keep({text: known})
        return known

    def names_known(self) -> Names:
        """Return what is known of names, and good now."""
        if self._names is None:
            _, self._names = self._read_state(self.terms.known("kinds"))
        return self._names

    def last_term(self) -> int | None:
        """Return the last of the texts that the database has."""
        if self._last_term == -1:
            self.state()
        return self._last_term

    def state(self) -> State:
        """Return what many reads begin with: the last node, how many own kinds there are, and their last
        change.
        """
        if self._state is None:
            known = self.terms.known("kinds")
            self._state, self._names = self._read_state(known)
            if known is None:
                found = self.terms.look_up(self.cursor, "kinds", self._last_term)
                if found is not None:
                    self._state, self._names = self._read_state(found)
        return self._state

    def _read_state(self, kinds: int | None) -> tuple[State, Names]:
        # A server plans a statement only once that has no parameters; there is no term 0.
        self._last_term, forgotten, *state = self.cursor.execute(STATE.format(kinds or 0)).fetchone()
        return (*state,), self.terms.names(forgotten)

    def known(self) -> tuple[int | None, State, Names]:
        """Return what another reader may `assume`."""
        return self.last_term(), self.state(), self.names_known()

    def assume(self, last_term: int | None, state: State, names: Names) -> bool:
        """Take for granted what another reader found, until it is asked; returns False where it was."""
        if self._state is None:
            self._last_term, self._state, self._names = last_term, state, names
            self._assumes = True
        return self._assumes

    def settle(self) -> None:
        """Find out now whether what was taken for granted is so; raises `Outdated` where it is not."""
        if self._assumes:
            assumed = self._last_term, (self._state or ())[1:]
            self._forget()
            if assumed != (self.last_term(), self.state()[1:]):
                raise Outdated

    def _forget(self) -> None:
        self._last_term, self._state, self._names, self._assumes = -1, None, None, False

    def with_state(self, sql: str, width: int, params: Sequence[Any]) -> list[Any]:
        """Return the rows of a statement, so many columns wide, of which the second is never 0.

        It tells by the way whether what was taken for granted is so; raises `Outdated` where it is not.
        """
        if not self._assumes or self._state is None:
            return self.cursor.execute(sql, params).fetchall()
        same = SAME.format(self.terms.known("kinds") or 0, nulls=", NULL" * (width - 2))
        assumed = self._state[1:]
        params = [*params, self._last_term or 0, *assumed]
        rows = self.cursor.execute(f"{sql} UNION ALL {same}", params).fetchall()
        self._assumes = False
        told = next((place for place, row in enumerate(rows) if row[1] == 0), None)
        if told is None:
            self._forget()
            raise Outdated
        self._state = (rows.pop(told)[0], *assumed)
        return rows
