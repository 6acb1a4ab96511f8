"""What all stores have in common: the signatures of the contract, and one table of what each can do."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from abc import ABC
from typing import Any

import pytest

import arangopipe.server
import arangopipe.store
from arangopipe.store import base

ABILITIES: tuple[type[ABC], ...] = tuple(
    value for value in vars(base).values() if inspect.isclass(value) and ABC in value.__bases__
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
    assert {"MemoryStore", "SQLStore", "OfflineStore"} <= {store.__name__ for store in stores()}
