"""Damaged store files are read as far as they go: nothing crashes, nothing whole is missed or made up."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import released
from arangopipe import audit
from arangopipe.errors import InvalidInput, StoreError
from arangopipe.model import documents
from arangopipe.model.graph import Node
from arangopipe.store import open_store
from arangopipe.store.base import Store
from arangopipe.store.sql.salvage import Report, salvage
from filled import Put, fill, fill_secret, named, points, run_parts, write

pytestmark = [pytest.mark.slow, pytest.mark.fault, pytest.mark.xdist_group("salvage")]

PAGE = 4_096
TIMES = 150 if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else 5


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with every sort of thing in it, and of each more than fits on a page."""
    path = tmp_path_factory.mktemp("whole") / "runs.db"
    with open_store(f"sqlite:///{path}?durability=relaxed") as store:
        fill(store)
        fill_secret(store)
        for number in range(70):
            # Some documents are longer than a page, and go on in others.
            parts = run_parts(f"n-{number}", note=f"note {number} " * (1 + 300 * (number % 9 == 0)))
            parts["puts"] = [marked(put.node, number) for put in parts["puts"]]
            write(store, **parts)
            write(store, points=[points(f"run/n-{number}", "loss", *map(float, range(number)))])
        for number in range(0, 70, 7):
            write(store, closes=[f"run/n-{number}"], action="delete")
    return path


def marked(node: Node, number: int) -> Put:
    """Return a put of a node whose document is like no other."""
    text = documents.dump({**node.document, "mark": f"mark {number} of {node.kind}"})
    return Put(node._replace(text=text))


PARTS = ("states", "nodes", "edges", "points")
Everything = dict[str, set[Any]]


def everything(store: Store) -> Everything:
    """Return the nodes that stand in a store, and all nodes, edges and points that it ever recorded."""
    found: Everything = {part: set() for part in PARTS}
    for kind in store.vocabulary(reload=True).nodes:
        found["nodes"] |= {node.id for node in store.search(kind, limit=10_000).items}
    for change in store.changes(entries=True):
        for entry in change.entries:
            match json.loads(entry.text or "null"):
                case ["node", kind, key, *names, document]:
                    found["states"].add((f"{kind}/{key}", *names, documents.dump(document)))
                case ["edge", *ref, document]:
                    found["edges"].add((*ref, documents.dump(document)))
                case ["points", run, name, points]:
                    found["points"] |= {(run, name, *point) for point in points}
    return found


@pytest.fixture(scope="module")
def known(whole: Path) -> Everything:
    with open_store(f"sqlite:///{whole}") as store:
        return everything(store)


def salvaged(damaged: Path, target: Path) -> tuple[Report, Everything]:
    """Salvage a file, check that it is untouched and that the new store verifies; return what is in it."""
    before = damaged.read_bytes()
    try:
        report = salvage(damaged, target)
    except StoreError as error:
        if "nothing of an Arangopipe store was found" not in str(error):
            raise
        return Report(str(damaged), 0, 0, {}, (), (str(error),)), {part: set() for part in PARTS}
    assert damaged.read_bytes() == before
    assert sorted(entry.name for entry in target.parent.glob(f"{target.name}*")) == [target.name]
    with open_store(f"sqlite:///{target}") as store:
        assert str(audit.verify(store)).startswith("ok")
        counts = {kind: store.count(kind)[None] for kind in store.vocabulary().nodes}
        assert {kind: count for kind, count in counts.items() if count} == {
            kind: count for kind, count in report.recovered.items() if kind not in ("edges", "points")
        }
        found = everything(store)
    for part in target.parent.glob(f"{target.name}*"):
        part.unlink()
    return report, found


def made_up(found: Everything, known: Everything) -> set[Any]:
    """Return what stands in a salvaged store and never stood in the damaged one."""
    stubs = {(id, *names, "{}") for id, *names, _ in known["states"]}
    unnamed = {(id, "", "", "", "{}") for id, *_ in known["states"]}
    defined = {
        (id, *names, f'{{"of":"{what}"}}') for id, *names, _ in known["states"] for what in ("node", "edge")
    }
    bare = {(*ref, "{}") for *ref, _ in known["edges"]}
    strange = {
        *(found["states"] - known["states"] - stubs - unnamed - defined),
        *(found["edges"] - known["edges"] - bare),
        *(found["points"] - known["points"]),
    }
    # Where the word for a kind or a metric is lost, all else is as it was.
    contents = {row[-1] for part in ("states", "edges", "points") for row in known[part]}
    renamed = {
        row for row in strange if "lost-" in str(row[:-1]) and (row[-1] in contents or row[0][:6] == "kinds/")
    }
    return strange - renamed


def test_of_a_sound_file_nothing_is_missed(whole: Path, known: Everything, tmp_path: Path) -> None:
    report, found = salvaged(whole, tmp_path / "new.db")
    assert report.whole, str(report)
    assert found == known


@pytest.mark.parametrize("packed", released.paths().values(), ids=released.paths())
def test_a_sound_file_is_taken_over_to_the_last_link(packed: Path, tmp_path: Path) -> None:
    report = salvage(released.unpack(packed, tmp_path / "runs.db"), tmp_path / "new.db")
    assert report.whole, str(report)
    assert report.verbatim == report.changes
    with open_store(f"sqlite:///{tmp_path}/new.db") as store:
        assert released.answers(store) == released.answers_of(packed)


def test_changes_keep_who_made_them_and_why(whole: Path, tmp_path: Path) -> None:
    """From the first change on that is not whole, each is a new one that names its origin."""
    with closing(sqlite3.connect(shutil.copy(whole, tmp_path / "runs.db"))) as connection, connection:
        (damaged,) = connection.execute("SELECT revision FROM node WHERE key = 'n-9'").fetchone()
        connection.execute("UPDATE node SET document = '{}' WHERE key = 'n-9'")
    report = salvage(tmp_path / "runs.db", tmp_path / "new.db")
    assert report.broken == (damaged,)
    assert report.verbatim == damaged - 1
    with open_store(f"sqlite:///{whole}") as store:
        before = list(store.changes())
    with open_store(f"sqlite:///{tmp_path}/new.db") as store:
        after = list(store.changes())
    assert after[: damaged - 1] == before[: damaged - 1]
    for old, new in zip(before[damaged - 1 :], after[damaged - 1 :], strict=True):
        assert (new.actor, new.action, new.reason, new.batch) == (
            old.actor,
            old.action,
            old.reason,
            old.batch,
        )
        assert new.origin == (before[0].chain[:16], old.number, old.time, old.actor, "{}")


# --- damage --------------------------------------------------------------------------------------


def zero_pages(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(data) // PAGE) * PAGE
        data[at : at + PAGE] = bytes(PAGE)


def zero_a_stretch(data: bytearray, rng: random.Random) -> None:
    count = len(data) // PAGE
    first = rng.randrange(count)
    last = min(count, first + rng.randint(1, count // 4))
    data[first * PAGE : last * PAGE] = bytes((last - first) * PAGE)


def cut_off(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(PAGE, len(data)) :]


def lose_the_header(data: bytearray, rng: random.Random) -> None:
    data[:100] = bytes(100)


def fill_pages_with_noise(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(data) // PAGE) * PAGE
        data[at : at + PAGE] = rng.randbytes(PAGE)


def flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 400)):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def noise_in_page_headers(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.randint(1, 40)):
        at = rng.randrange(len(data) // PAGE) * PAGE
        data[at + 1 : at + 12] = rng.randbytes(11)


def damaged(whole: Path, path: Path, damage: Callable[[bytearray, random.Random], None], seed: int) -> bytes:
    data = bytearray(whole.read_bytes())
    damage(data, random.Random(seed))
    path.write_bytes(data)
    return bytes(data)


@pytest.mark.parametrize("damage", [zero_pages, zero_a_stretch, cut_off, lose_the_header])
def test_what_stands_in_sound_pages_is_recovered(
    whole: Path, known: Everything, tmp_path: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    sound = whole.read_bytes()
    once = {text for *_, text in known["states"] if sound.count(text.encode()) == 1}
    assert len(once) > 200
    for seed in range(TIMES):
        data = damaged(whole, tmp_path / "runs.db", damage, seed)
        report, found = salvaged(tmp_path / "runs.db", tmp_path / "new.db")
        assert made_up(found, known) == set(), (seed, str(report))
        # A text that stands in one piece stands in a sound page.
        texts = {state[-1] for state in found["states"]}
        missed = {text for text in once - texts if text.encode() in data}
        assert missed == set(), (seed, str(report))
        assert found == known or not report.whole, (seed, str(report))


@pytest.mark.parametrize("damage", [fill_pages_with_noise, flip_bits, noise_in_page_headers])
def test_no_damage_is_too_much(
    whole: Path, known: Everything, tmp_path: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    for seed in range(TIMES):
        damaged(whole, tmp_path / "runs.db", damage, seed)
        report, found = salvaged(tmp_path / "runs.db", tmp_path / "new.db")
        # Where bits are flipped, a text may be another one; then its change is not whole.
        assert report.broken or report.lost or found == known, seed
        assert not report.broken or not report.whole


def test_each_page_of_a_small_store(tmp_path: Path) -> None:
    """Whichever page is lost, all that is linked stays linked."""
    (packed, *_) = released.paths().values()
    path = released.unpack(packed, tmp_path / "runs.db")
    sound = path.read_bytes()
    _, all_of_it = salvaged(path, tmp_path / "new.db")
    for number in range(len(sound) // PAGE):
        path.write_bytes(sound[: number * PAGE] + bytes(PAGE) + sound[(number + 1) * PAGE :])
        report, found = salvaged(path, tmp_path / "new.db")
        assert "pages that cannot be read: 1 of" in str(report)
        assert found["nodes"] == all_of_it["nodes"]
        assert {edge[:3] for edge in found["edges"]} >= set()
        assert report.recovered["edges"] == 37


# --- what stands beside the file -----------------------------------------------------------------


def test_what_is_still_in_the_log_is_recovered(whole: Path, tmp_path: Path) -> None:
    path, copy = tmp_path / "runs.db", tmp_path / "copy" / "runs.db"
    copy.parent.mkdir()
    shutil.copy(whole, path)
    with open_store(f"sqlite:///{path}") as store:
        write(store, puts=[Put(named("datasets", "in the log"))])
        for part in ("", "-wal"):
            shutil.copy(f"{path}{part}", f"{copy}{part}")
    log = copy.with_name("runs.db-wal").read_bytes()
    assert salvage(copy, tmp_path / "new.db").whole
    with open_store(f"sqlite:///{tmp_path}/new.db") as store:
        assert store.find("datasets", "in the log")
    assert copy.with_name("runs.db-wal").read_bytes() == log


def test_a_log_that_cannot_be_read_is_said(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    path.write_bytes(bytes(100) + whole.read_bytes()[100:])
    path.with_name("runs.db-wal").write_bytes(b"rubbish" * 999)
    report = salvage(path, tmp_path / "new.db")
    assert "runs.db-wal beside it cannot be read" in str(report)
    assert report.recovered["run"] > 50


# --- what is no store ----------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"x", b"hello, world\n" * 9_999, bytes(PAGE * 9)])
def test_a_file_that_holds_nothing_of_a_store(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "runs.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"runs\.db: nothing of an Arangopipe store"):
        salvage(tmp_path / "runs.db", tmp_path / "new.db")
    assert not (tmp_path / "new.db").exists()


def test_files_that_are_not_there_or_are_in_the_way(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"missing\.db: No such file"):
        salvage(tmp_path / "missing.db", tmp_path / "new.db")
    with pytest.raises(StoreError, match="Is a directory"):
        salvage(tmp_path, tmp_path / "new.db")
    with pytest.raises(InvalidInput, match="is there already"):
        salvage(whole, whole)
    with pytest.raises(StoreError, match="No such file"):
        salvage(whole, tmp_path / "missing" / "new.db")
    assert list(tmp_path.iterdir()) == []


def test_a_report_says_what_is_lost_as_json_and_as_words() -> None:
    report = Report("runs.db", 9, 2, {"run": 3, "models": 0, "edges": 1_200}, (3, 5, 6, 7), ("2 pages",))
    assert (
        str(report) == "9 changes, 2 of them as they were\n  recovered: run 3, edges 1,200\n"
        "  changes that are not whole: 3, 5 to 7\n  lost: 2 pages"
    )
    assert documents.normalise(report.to_dict()) == report.to_dict()
    assert not report.whole
