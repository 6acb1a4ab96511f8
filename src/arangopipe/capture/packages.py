"""The versions of what is imported."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import cache
from importlib import metadata
from typing import NamedTuple


class _Known(NamedTuple):
    modules: int
    seen: frozenset[str]
    versions: dict[str, str]


_known = _Known(0, sys.stdlib_module_names, {})


def versions() -> dict[str, str]:
    """Return {distribution: version} of what is imported.

    Until something new is imported, that costs the comparison of two lengths.
    """
    global _known
    modules = len(sys.modules)
    if modules != _known.modules:
        fresh = {name.partition(".")[0] for name in list(sys.modules)} - _known.seen
        found = _known.versions
        if fresh:
            found = dict(sorted({**found, **_find(fresh)}.items()))
        _known = _Known(modules, _known.seen | fresh, found)
    return _known.versions


def _find(modules: Iterable[str]) -> dict[str, str]:
    owners = _owners()
    found: dict[str, str] = {}
    for module in modules:
        for distribution in owners.get(module) or metadata.distributions(name=module):
            facts = distribution.metadata
            if "Name" in facts and "Version" in facts:
                found.setdefault(facts["Name"], facts["Version"])
    return found


@cache
def _owners() -> dict[str, list[metadata.Distribution]]:
    """Return {top-level module: its distributions}.

    As `metadata.packages_distributions`, which on Python 3.10 misses wheels without top_level.txt,
    and elsewhere takes ten times as long.
    """
    owners: dict[str, list[metadata.Distribution]] = {}
    for distribution in metadata.distributions():
        declared = (distribution.read_text("top_level.txt") or "").split()
        record = distribution.read_text("RECORD") or ""
        for module in declared or set(re.findall(r"^(\w+)(?:/|\.py,|\.\S+,)", record, re.M)):
            owners.setdefault(module, []).append(distribution)
    return owners
