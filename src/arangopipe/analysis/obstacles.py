"""Who may be matched with whom; and where nobody can be, what stands in the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from arangopipe.analysis.answers import cell, listed, several
from arangopipe.analysis.codes import Ints
from arangopipe.analysis.factors import Contrast, Factor
from arangopipe.analysis.matching import candidates, pair_up
from arangopipe.analysis.material import rows_where

_PARAMS_TRIED = 50
_NAMED = 3


def narrowed(contrast: Contrast) -> Contrast:
    """Return a contrast of the runs alone that are equal to some other one in all but params."""
    rows = rows_where(candidates(contrast.arm, contrast.circumstances))
    return dataclasses.replace(
        contrast,
        material=contrast.material.taken(rows),
        arm=contrast.arm[rows],
        circumstances={name: codes[rows] for name, codes in contrast.circumstances.items()},
        families=[contrast.families[row] for row in rows.tolist()],
        units=contrast.units[rows],
    )


def with_params(contrast: Contrast) -> dict[str, Ints]:
    """Return all circumstances of a contrast: also the seeds, and the params that are compared."""
    seeds, params = contrast.material.seeds_and_params(contrast.compared)
    found = {**contrast.circumstances, "seed": seeds, "params": params}
    return {name: codes for name, codes in found.items() if name not in contrast.material.ignore}


def obstacles(factor: Factor, contrasts: Sequence[Contrast]) -> str:
    """Return why no run has a partner: what else the nearest ones differ in."""
    having = sum(int(contrast.arm.sum()) for contrast in contrasts)
    lacking = sum(int((~contrast.arm).sum()) for contrast in contrasts)
    if not having:
        return f"no run that could be compared has {factor.label}"
    if not lacking:
        return f"every run that could be compared has {factor.label}"
    found: dict[str, int] = {}
    for contrast in contrasts:
        for name, pairs in _near_misses(contrast):
            found[name] = found.get(name, 0) + pairs
    if not found:
        return f"no two runs differ by {factor.label} alone, all differ in several other things too"
    best = sorted(found, key=lambda name: -found[name])[:_NAMED]
    said = [f"{name} ({several(found[name], 'pair')} but for that)" for name in best]
    return f"no two runs differ by {factor.label} alone; they also differ in {listed(said)}"


def _near_misses(contrast: Contrast) -> Iterator[tuple[str, int]]:
    """Yield what would have to be ignored for there to be pairs, and how many there would be."""
    narrow = narrowed(contrast)
    if not len(narrow.arm):
        for name in contrast.circumstances:
            rest = {other: codes for other, codes in contrast.circumstances.items() if other != name}
            near = narrowed(dataclasses.replace(contrast, circumstances=rest))
            if not len(near.arm):
                continue
            pairs = _count(near, with_params(near))
            yield (name, pairs) if pairs else (f"{name} and params", _count(near, near.circumstances))
        return
    everything = with_params(narrow)
    yield from ((name, pairs) for name, pairs in _without_one(narrow, everything) if name != "params")
    names: dict[str, None] = {}
    for params in narrow.material.params():
        names.update(dict.fromkeys(params))
    for name in list(names)[:_PARAMS_TRIED]:
        ignored = narrow.material.ignore | {name}
        material = dataclasses.replace(narrow.material, ignore=ignored, keys=None)
        tried = dataclasses.replace(narrow, material=material)
        if pairs := _count(tried, with_params(tried)):
            yield f"param {cell(name)}", pairs


def _without_one(contrast: Contrast, circumstances: Mapping[str, Ints]) -> Iterator[tuple[str, int]]:
    for name in circumstances:
        rest = {other: codes for other, codes in circumstances.items() if other != name}
        if pairs := _count(contrast, rest):
            yield name, pairs


def _count(contrast: Contrast, circumstances: Mapping[str, Ints]) -> int:
    return len(pair_up(contrast.arm, np.zeros(len(contrast.arm)), circumstances))
