"""What all stores have in common: the signatures of the contract, and one table of what each can do."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from abc import ABC
from pathlib import Path
from typing import Any

import pytest

import arangopipe.server
import arangopipe.store
from arangopipe.store import ENGINES, abilities
from arangopipe.store.base import Store
from arangopipe.testing import StoreContract

ABILITIES: tuple[type[ABC], ...] = tuple(
    value for value in vars(abilities).values() if inspect.isclass(value) and ABC in value.__bases__
)
"""The contract, `Store`, and what not every engine can do."""


def stores() -> list[type[Any]]:
    """Every class of the package that keeps a promise of the contract."""
    for package in (arangopipe.store, arangopipe.server):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" not in module.name:
                importlib.import_module(module.name)
    found: dict[type[Any], None] = {}
    waiting: list[type[Any]] = list(ABILITIES)
    while waiting:
        for made in waiting.pop().__subclasses__():
            if made not in found and made.__module__.startswith("arangopipe."):
                found[made] = None
                waiting.append(made)
    return list(found)


def promises() -> list[Any]:
    return [
        pytest.param(store, ability, name, id=f"{store.__name__}.{name}")
        for store in stores()
        for ability in ABILITIES
        for name, promised in vars(ability).items()
        if issubclass(store, ability) and inspect.isfunction(promised) and not name.startswith("_")
    ]


@pytest.mark.parametrize(("store", "ability", "name"), promises())
def test_a_store_takes_what_the_contract_says(store: type[Any], ability: type[ABC], name: str) -> None:
    promised = inspect.signature(getattr(ability, name)).parameters.values()
    given = inspect.signature(getattr(store, name)).parameters.values()
    assert [(p.name, p.kind, p.default) for p in given] == [(p.name, p.kind, p.default) for p in promised]


def test_the_stores_of_the_package_are_compared() -> None:
    names = {store.__name__ for store in stores()}
    assert {"MemoryStore", "SQLiteStore", "PostgresStore", "RemoteStore", "OfflineStore"} <= names


# --- the table of abilities -----------------------------------------------------------------------

PAGE = Path(__file__).parent.parent / "docs" / "stores.md"
NAMES = {"memory": "memory", "sqlite": "SQLite", "postgresql": "PostgreSQL"}


def table() -> str:
    """The table of `PAGE`: for each ability, which engine has it."""
    engines = {}
    for scheme, name in NAMES.items():
        module, _, word = ENGINES[scheme].partition(":")
        engines[name] = getattr(importlib.import_module(module), word)
    rows = [["ability", *engines]]
    for ability in ABILITIES:
        if ability is not Store:
            said = str(ability.__doc__).partition(": ")[2].rstrip(".")
            # Whoever looks at a store from outside is a class of its own, which the engine names.
            has = [
                issubclass(made, ability) or hasattr(made, ability.__name__.lower())
                for made in engines.values()
            ]
            rows.append([f"{said} (`{ability.__name__}`)", *("yes" if yes else "no" for yes in has)])
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([head, "|---" * len(rows[0]) + "|", *body])


def test_the_table_of_abilities_is_that_of_the_code() -> None:
    assert table() in PAGE.read_text(), f"{PAGE.name} lacks this table:\n{table()}"


def test_every_gap_of_the_contract_is_in_the_table() -> None:
    """What a suite declares that its store does not keep, with the reason; a gap that closed fails there."""
    import test_contract
    import test_guard

    suites = [
        suite
        for module in (test_contract, test_guard)
        for suite in vars(module).values()
        if inspect.isclass(suite) and issubclass(suite, StoreContract)
    ]
    gaps = {(name, why) for suite in suites for name, why in suite.gaps.items()}
    listed = set(re.findall(r"^\| `(test_\w+)` \| (.*) \|$", PAGE.read_text(), re.MULTILINE))
    assert listed == gaps
