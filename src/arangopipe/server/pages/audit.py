"""Audit: who changed what, when and why, and whether the record is still what was recorded."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from arangopipe import changelog
from arangopipe.details import change_dict
from arangopipe.errors import ArangopipeError, InvalidInput, NotFound
from arangopipe.model import times
from arangopipe.model.graph import Change
from arangopipe.model.vocabulary import RESERVED_KINDS
from arangopipe.server import problems
from arangopipe.server.pages import finding
from arangopipe.server.pages.acts import Posted, acts, moment
from arangopipe.server.pages.asking import Ask, Asked, AskedNow
from arangopipe.server.pages.rendering import Entry, View, page
from arangopipe.server.pages.rows import rows
from arangopipe.server.pages.things import change_view
from arangopipe.server.pages.verifying import Verifier
from arangopipe.store.base import last_number

NAVIGATION = Entry("Audit", "/audit")

LIMIT = 50
SECONDS = 1.0
"""So long a page looks back for what was asked; then it says how far it came."""

QUICK = 0.3
"""A verification that takes no longer is shown at once."""

router = APIRouter()


@page(router, "/audit", "audit.html")
def log(
    ask: Asked,
    actor: str = "",
    action: str = "",
    kind: str = "",
    thing: str = "",
    since: str = "",
    until: str = "",
    reason: str = "",
    cursor: str = "",
) -> View:
    """List the changes, the newest first. What cannot be asked for is said beside what was asked."""
    head = ask.store.head(ask.moment)
    asked = {
        "actor": actor.strip(),
        "action": action.strip(),
        "kind": kind,
        "thing": thing.strip(),
        "since": since,
        "until": until,
        "reason": reason.strip(),
    }
    view: View = {
        **{name: text for name, text in asked.items() if name not in ("since", "until")},
        "since": since,
        "until": until,
        "filtered": any(asked.values()),
        "kinds": [*finding.kinds(ask), *_reserved(ask)],
        "head": None if head is None else {**change_dict(head), "chain": head.chain},
        "first": not cursor,
        "items": [],
        "cursor": None,
        "complete": True,
        "may_verify": not ask.store.restricted,
        "problem": None,
    }
    try:
        wanted = _wanted(ask, asked, cursor)
        found, older = changelog.find(ask.pipe, LIMIT, wanted, SECONDS, bulk=False)
    except ArangopipeError as error:
        if (status := problems.status_of(error)) >= 500:
            raise
        return {**view, "problem": {"status": status, "said": str(error)}}
    complete = older is None or len(found) == LIMIT
    return {**view, "items": [_item(change) for change in found], "cursor": older, "complete": complete}


def _reserved(ask: Ask) -> list[dict[str, str]]:
    """Return the kinds that only administrators see changes of."""
    known = ask.store.vocabulary().nodes
    if ask.store.restricted:
        return []
    return [{"kind": name, "title": known[name].title} for name in RESERVED_KINDS if name in known]


def _wanted(ask: Ask, asked: dict[str, str], cursor: str) -> changelog.Wanted:
    if cursor and not (cursor.isdecimal() and len(cursor) < 19):
        raise InvalidInput(f"cursor is {cursor!r:.80}: it is the number of a change")
    start, end = (moment(asked[name], name) if asked[name] else None for name in ("since", "until"))
    return changelog.Wanted(
        actor=asked["actor"] or None,
        action=asked["action"] or None,
        kind=asked["kind"] or None,
        things=changelog.things(ask.pipe, asked["thing"], ask.as_of) if asked["thing"] else None,
        since=None if start is None else times.to_text(start),
        until=None if end is None else times.to_text(end),
        reason=asked["reason"] or None,
        cursor=int(cursor) if cursor else None,
        as_of=ask.as_of,
    )


def _item(change: Change) -> dict[str, Any]:
    return {**change_view(change), "hidden": not change.batch, "chain": change.chain}


@page(router, "/audit/verification", "parts/verification.html")
def verification(ask: AskedNow) -> View:
    """Say how far a verification is, and what the last one found."""
    return {**_verifier(ask).state(), "may_verify": not ask.store.restricted}


def _verifier(ask: Ask) -> Verifier:
    found: Verifier = ask.request.app.state.verifier
    return found


def verify(ask: Ask, form: Posted) -> str:
    """Begin to verify the chain, and give it a moment."""
    verifier = _verifier(ask)
    verifier.start(ask.store, ask.principal.user)
    verifier.wait(QUICK)
    return ""


@page(router, "/audit/{number}", "change.html")
def change(ask: Asked, number: int) -> View:
    """Show one change: who, when and why, and what differs since."""
    last = last_number(ask.store, ask.moment)
    if not 1 <= number <= last:
        raise NotFound(f"there is no change {number}: the last one is {last}")
    found = next(ask.store.changes(number - 1, limit=1, entries=True))
    links = {"batch": found.batch, "digest": found.digest, "chain": found.chain}
    return {
        **_item(found),
        **links,
        **rows(found),
        "previous": number - 1 or None,
        "next": number + 1 if number < last else None,
    }


acts(router, "/audit", "audit.html", log, verify=verify)
