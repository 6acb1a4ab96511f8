"""The audit chain of a store, computed again from what the store shows."""

from __future__ import annotations

from arangopipe.model import chain
from arangopipe.model.graph import Change, Entry
from arangopipe.store.base import Store


def verify_chain(store: Store) -> int:
    """Recompute every digest and link, and return how many changes there are.

    Raises `AssertionError` naming the first change that is not what its chain says.
    """
    previous, last = chain.GENESIS, None
    for change in store.changes(entries=True):
        number = 1 if last is None else last.number + 1
        assert change.number == number, f"change {number} is missing: {change.number} follows"
        assert last is None or change.time >= last.time, f"change {number} is earlier than the one before"
        digest = chain.change_digest(_entry_digest(change, entry) for entry in change.entries)
        assert digest.hex() == change.digest, f"change {number}: its rows do not give its digest"
        previous = chain.link(previous, number, change.time, change.actor, digest)
        assert previous.hex() == change.chain, f"change {number}: its link of the chain is wrong"
        last = change
    head = store.head()
    assert (head and head._replace(entries=())) == (last and last._replace(entries=()))
    return last.number if last else 0


def _entry_digest(change: Change, entry: Entry) -> bytes:
    where = f"an entry of change {change.number}"
    if entry.text is None:
        assert entry.salt is None, f"{where} was erased and still has its salt"
        assert entry.digest is not None, f"{where} has neither text nor digest"
    else:
        assert entry.salt is not None, f"{where} has no salt"
        assert len(entry.salt) == chain.SALT, f"{where} has a salt of {len(entry.salt)} bytes"
        given = entry.digest or chain.row_digest(entry.salt, entry.text)
        assert given == chain.row_digest(entry.salt, entry.text), f"{where} has a wrong digest"
    if entry is change.entries[0]:
        note = chain.note_text(change.batch, change.action, change.reason, change.origin)
        assert (entry.closed, entry.text) == (False, note), f"{where}: the first is its own note"
    return chain.entry_digest(entry)
