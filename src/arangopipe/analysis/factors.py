"""The things whose effect can be asked: an attribute, a transformation, a technique, a param.

Each says which runs have it, which have not, and what else of them must be equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from arangopipe.analysis.answers import cell, listed
from arangopipe.analysis.codes import Bools, Ints, coded
from arangopipe.analysis.features import Content
from arangopipe.analysis.matching import candidates
from arangopipe.analysis.material import Material, rows_where
from arangopipe.errors import FilterSyntaxError, InvalidInput, NotFound
from arangopipe.model.expressions import path_text
from arangopipe.model.filters import parse_path
from arangopipe.model.vocabulary import near

_SOME = 500


@dataclass(frozen=True)
class Contrast:
    """Runs of which some have a thing (`arm`), and the codes of what must be equal beside params.

    `compared` takes from a run's params those that are compared. Pairs of one `family` are
    reported together; those of one unit of `clusters` (and one dataset) are not independent.
    """

    material: Material
    arm: Bools
    circumstances: Mapping[str, Ints]
    families: list[str]
    units: Ints
    compared: Callable[[dict[str, Any]], Any] | None = None
    without: tuple[str, ...] = ()


class Factor(Protocol):
    """A thing whose effect can be asked."""

    @property
    def kind(self) -> str:
        """What kind of thing it is."""
        ...

    @property
    def label(self) -> str:
        """What a person calls it."""
        ...

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths it needs of each run."""
        ...

    def contrasts(self, material: Material) -> Iterator[Contrast]:
        """Yield what is to be matched; raises `NotFound` where nothing is called so."""
        ...


def _contrast(
    material: Material, rows: Ints, arm: Bools, changed: Mapping[str, Ints | None], **more: Any
) -> Contrast:
    """Return a contrast within one technique, in which all but what has `changed` must be equal."""
    taken = material.taken(rows)
    same = {**taken.circumstances(), **{name: codes for name, codes in changed.items() if codes is not None}}
    for name in (*(name for name, codes in changed.items() if codes is None), *material.ignore):
        same.pop(name, None)
    codes, names = taken.measured.runs.techniques
    return Contrast(taken, arm, same, [names[code] for code in codes.tolist()], codes, **more)


@dataclass(frozen=True)
class Attribute:
    """A column of featuresets, against the same columns without it."""

    name: str
    kind: str = "attribute"
    paths: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def contrasts(self, material: Material) -> Iterator[Contrast]:
        """Compare featuresets that differ by exactly this column."""
        known = {name for content in material.used for name in content.names}
        if self.name not in known:
            raise NotFound(
                f"no featureset that these runs used has a column {self.name!r}{near(self.name, known)} "
                f"(known: {listed(sorted(known), 12)})"
            )
        rests, _ = coded(self._rest(content) for content in material.contents)
        having = np.array([self.name in content.names for content in material.contents])
        usable = candidates(having, {"columns": rests}) & [bool(c.columns) for c in material.contents]
        rows = rows_where(usable[material.sets]) if usable.any() else rows_where(material.sets > 0)
        sets = material.sets[rows]
        yield _contrast(material, rows, having[sets], {"columns": rests[sets]})

    def _rest(self, content: Content) -> frozenset[tuple[str, str]]:
        return frozenset(column for column in content.columns if column[0] != self.name)


@dataclass(frozen=True)
class Transformation:
    """A transformation of featuresets, against none in its place or another one (`versus`)."""

    name: str
    versus: str | None = None
    kind: str = "transformation"
    paths: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its text."""
        return cell(self.name)

    def contrasts(self, material: Material) -> Iterator[Contrast]:
        """Compare featuresets with the same columns of the same data."""
        known = {name for content in material.used for name in content.transformations}
        for name in (self.name, self.versus):
            if name is not None and name not in known:
                raise NotFound(
                    f"no featureset that these runs used has the transformation {name!r}{near(name, known)} "
                    f"(known: {listed(sorted(map(cell, known)))})"
                )
        having = np.array([self.name in content.transformations for content in material.contents])
        rests = {
            content.transformations - {self.name}
            for content in material.contents
            if self.name in content.transformations
        }
        rest = [self._rest(content, rests) for content in material.contents]
        usable = np.array([found is not None for found in rest])
        rows = rows_where(usable[material.sets])
        codes, _ = coded(rest)
        sets = material.sets[rows]
        without = {
            name for content, found in zip(material.contents, rest, strict=True) if found is not None
            for name in content.transformations - found - {self.name}
        }  # fmt: skip
        yield _contrast(
            material,
            rows,
            having[sets],
            {"transformation": codes[sets]},
            without=tuple(sorted(map(cell, without))),
        )

    def _rest(self, content: Content, rests: set[frozenset[str]]) -> frozenset[str] | None:
        """Return what stands beside this transformation, or beside nothing or another one in its place."""
        there = content.transformations
        if self.name in there:
            return there - {self.name}
        replaced = [there - {other} for other in sorted(there) if self.versus in (None, other)]
        choices = replaced if self.versus is not None else [there, *replaced]
        return next((choice for choice in choices if choice in rests), None)


@dataclass(frozen=True)
class Technique:
    """A technique, against each of the others (or one, `versus`) on the same features, data and seed."""

    name: str
    versus: str | None = None
    kind: str = "technique"
    paths: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Its name."""
        return self.name

    def contrasts(self, material: Material) -> Iterator[Contrast]:
        """Compare with one other technique at a time; of params, those that both have."""
        codes, names = material.measured.runs.techniques
        present = [names[code] for code in np.unique(codes)]
        for name in (self.name, self.versus):
            if name is not None and name not in present:
                raise NotFound(
                    f"no run is of technique {name!r}{near(name, present)} (known: {listed(sorted(present))})"
                )
        own = codes == names.index(self.name)
        for other in present:
            if other == self.name or self.versus not in (None, other):
                continue
            rows = rows_where(own | (codes == names.index(other)))
            taken = material.taken(rows)
            arm: Bools = own[rows]
            same = taken.circumstances()
            for name in ("technique", *material.ignore):
                same.pop(name, None)
            units = material.by_content(lambda content: content)[rows]
            shared = _shared_names(taken, arm)
            yield Contrast(taken, arm, same, [other] * len(rows), units, partial(_only, shared), (other,))


def _only(names: frozenset[str], params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name in names}


def _shared_names(material: Material, arm: Bools) -> frozenset[str]:
    names: tuple[set[str], set[str]] = (set(), set())
    for having, params in zip(arm.tolist(), material.params(), strict=True):
        names[having].update(params)
    return frozenset(names[0] & names[1])


@dataclass(frozen=True)
class Param:
    """A value of a param, against its other values (or one, `versus`), none included."""

    name: str
    value: Any = None
    versus: Any = None
    kind: str = "param"

    @classmethod
    def of(cls, given: str | Mapping[str, Any], versus: Any = None) -> Param:
        """Return the param of a name, of ``name=value`` or of a mapping with one item."""
        if isinstance(given, Mapping):
            if len(given) != 1:
                raise InvalidInput(f"param= takes one param and its value, not {len(given)}")
            ((name, value),) = given.items()
            return cls(str(name), value, versus)
        name, equals, text = given.partition("=")
        return cls(name.strip(), parsed(text.strip()) if equals else None, versus)

    @property
    def label(self) -> str:
        """The param and its value."""
        return self.name if self.value is None else f"{self.name} = {cell(self.value)}"

    @property
    def path(self) -> str:
        """Where it stands in a run."""
        try:
            return parse_path(f"params.{self.name}").text
        except FilterSyntaxError:
            return path_text(("params", self.name))

    @property
    def paths(self) -> tuple[str, ...]:
        """The path of the param."""
        return (self.path,)

    def contrasts(self, material: Material) -> Iterator[Contrast]:
        """Compare runs whose other params are equal."""
        cells = material.measured.runs.values[self.path].tolist()
        known = {value for value in cells if value is not None}
        if not known:
            some = material.taken(np.arange(min(_SOME, len(material))))
            names = {name for params in some.params() for name in params}
            raise NotFound(
                f"no run has a param {self.name!r} with one value{near(self.name, names)} "
                f"(known: {listed(sorted(names), 12)})"
            )
        value = self._chosen(known, None in cells)
        for wanted in (value, self.versus):
            if wanted is not None and wanted not in known:
                said = listed(sorted(map(cell, known)))
                raise NotFound(f"{self.name} is {cell(wanted)} in no run (known: {said})")
        eligible = [self.versus is None or found in (value, self.versus) for found in cells]
        rows = rows_where(eligible)
        arm = np.array([found == value for found in cells])[rows]
        without = {cells[row] for row, having in zip(rows.tolist(), arm.tolist(), strict=True) if not having}
        yield _contrast(
            material,
            rows,
            arm,
            {},
            compared=self._others,
            without=tuple(sorted("none" if v is None else cell(v) for v in without)),
        )

    def _others(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return all params but this one, which may be nested."""
        *above, last = parse_path(self.path).segments[1:]
        inner: Any = params
        for name in above:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            inner.pop(last, None)
        return params

    def _chosen(self, known: set[Any], absent: bool) -> Any:
        """Return the value that counts as having it; of a switch that is the one that is on."""
        if self.value is not None:
            return self.value
        if len(known) == 1 and absent:
            return next(iter(known))
        if len(known) == 2 and not absent and all(isinstance(value, (int, float)) for value in known):
            return max(known)
        values = listed(sorted(map(cell, known)))
        raise InvalidInput(
            f"{self.name} has {len(known)} values ({values}): say which, such as "
            f"param='{self.name}={cell(next(iter(sorted(known, key=str))))}'"
        )


def parsed(text: str) -> Any:
    """Return the value that a text on a command line means: JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def factor_of(
    attribute: str | None,
    transformation: Any,
    technique: str | None,
    param: str | Mapping[str, Any] | None,
    versus: Any,
) -> Factor:
    """Return the one thing that was asked for, or raise `InvalidInput`."""
    given = {
        "attribute": attribute,
        "transformation": transformation,
        "technique": technique,
        "param": param,
    }
    asked = [name for name, value in given.items() if value is not None]
    if len(asked) != 1:
        said = "none" if not asked else listed(asked)
        raise InvalidInput(
            f"effect of what? Pass one of attribute=, transformation=, technique=, param= ({said} given)"
        )
    if versus is not None and attribute is not None:
        raise InvalidInput("an attribute is compared with its absence: leave versus= out")
    if attribute is not None:
        return Attribute(attribute)
    if transformation is not None:
        return Transformation(str(transformation), versus)
    if technique is not None:
        return Technique(technique, versus)
    return Param.of(param or "", versus)
