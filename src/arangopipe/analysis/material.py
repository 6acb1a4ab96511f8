"""What two runs must share to be compared: every circumstance of a run as a column of codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from arangopipe.analysis.codes import Ints, coded
from arangopipe.analysis.features import Content, contents
from arangopipe.analysis.runs import Measured, Runs, measured, of_task
from arangopipe.analysis.scope import Scope
from arangopipe.errors import NotFound
from arangopipe.model import documents
from arangopipe.model.vocabulary import ROLES, near
from arangopipe.store.base import Store

SEEDS = ("seed", "random_state")
USED = ("run_models", "run_featuresets", "run_datasets")
DATA = {role: f"{role} data" for role in ROLES}
CIRCUMSTANCES = ("technique", *DATA.values(), "source data", "columns", "transformation", "seed", "params")
"""What must be equal, in the words of messages and of `ignore`."""


@dataclass(frozen=True)
class Material:
    """Runs with a metric, and what each of them was made with."""

    measured: Measured
    contents: Sequence[Content]
    """What each set of featuresets contains, by the code of the set."""
    ignore: frozenset[str] = frozenset()
    keys: tuple[Ints, Ints] | None = None
    """The codes of seeds and params, where they are known already."""

    @classmethod
    def read(
        cls,
        store: Store,
        scope: Scope,
        metric: str,
        task: str | None,
        ignore: Iterable[str] = (),
        paths: Sequence[str] = (),
    ) -> Material:
        """Read the runs of a task that have a metric; `ignore` holds circumstances and names of params."""
        runs, task = of_task(store, scope, task, ["seed", *paths], USED, metric)
        return cls.of(runs, metric, task, ignore)

    @classmethod
    def of(cls, runs: Runs, metric: str, task: str, ignore: Iterable[str] = ()) -> Material:
        """Return what has the metric of runs that were read with their seeds and all that they `USED`."""
        found = measured(runs, metric, task)
        made = cls(found, contents(found.runs), frozenset(ignore))
        made._check_ignored()
        return made

    def _check_ignored(self) -> None:
        for name in sorted(map(str, self.ignore.difference(CIRCUMSTANCES))):
            params = {
                param for text in set(self.measured.runs.texts("modelparams")) for param in _params_of(text)
            }
            if name not in params:
                raise NotFound(
                    f"no run has a param {name!r} to ignore{near(name, {*CIRCUMSTANCES, *params})}"
                )

    def __len__(self) -> int:
        return len(self.measured.runs)

    def taken(self, rows: Ints) -> Material:
        """Return some of the runs."""
        keys = None if self.keys is None else (self.keys[0][rows], self.keys[1][rows])
        return replace(self, measured=self.measured.taken(rows), keys=keys)

    @property
    def sets(self) -> Ints:
        """The code of each run's set of featuresets."""
        return self.measured.runs.links["run_featuresets"].codes

    @property
    def used(self) -> list[Content]:
        """The contents that these runs used."""
        return [self.contents[code] for code in np.unique(self.sets).tolist()]

    def by_content(self, read: Callable[[Content], Any]) -> Ints:
        """Return a code for each run of what is read of the contents of its featuresets."""
        codes, _ = coded(read(content) for content in self.contents)
        return codes[self.sets]

    def circumstances(self) -> dict[str, Ints]:
        """Return the code of everything but params, for each run."""
        runs = self.measured.runs
        data = {name: runs.links[role].codes for role, name in DATA.items()}
        # Where a run says nothing of its data, that of its featuresets stands for it.
        sources = self.by_content(lambda content: content.sources)
        return {
            "technique": runs.techniques[0],
            **data,
            "source data": sources,
            "columns": self.by_content(lambda content: content.columns),
            "transformation": self.by_content(lambda content: content.transformations),
        }

    @cached_property
    def datasets(self) -> list[str]:
        """The name of what each run was trained on, all versions of a dataset as one."""
        runs = self.measured.runs
        linked = runs.links["training"]
        named = [self._names(members) for members in linked.members]
        of_features = [self._names(content.sources) for content in self.contents]
        return [
            named[one] or of_features[other]
            for one, other in zip(linked.codes.tolist(), self.sets.tolist(), strict=True)
        ]

    def _names(self, members: Sequence[str]) -> str:
        return " + ".join(sorted({self._dataset_names.get(member, member) for member in members}))

    @cached_property
    def _dataset_names(self) -> Mapping[str, str]:
        runs = self.measured.runs
        known = dict(runs.nodes)
        missing = {source for content in self.contents for source in content.sources} - known.keys()
        nodes = runs.store.get(sorted(missing), runs.scope.as_of) if missing else ()
        known.update({node.id: node for node in nodes if node is not None})
        return {id: node.name or node.label for id, node in known.items()}

    def params(self) -> Iterator[dict[str, Any]]:
        """Yield the hyper-parameters of each run: what was fitted, and how, is none of them."""
        return map(_params_of, self.measured.runs.texts("modelparams"))

    def seeds_and_params(self, compared: Callable[[dict[str, Any]], Any] | None = None) -> tuple[Ints, Ints]:
        """Return a code of each run's seed, and one of its other params.

        The seed is the run's, else a param called seed or random_state; `compared` takes from the params
        what is to be compared.
        """
        if self.keys is not None and compared is None:
            return self.keys
        own, given = coded(self.measured.runs.values["seed"].tolist())
        codes, texts = coded(self.measured.runs.texts("modelparams"))
        seedless = np.array([seed is None for seed in given], bool)[own]
        # Many runs have the same params: each text is read once.
        distinct, places = np.unique(codes * 2 + seedless, return_inverse=True)
        found = [
            self._seed_and_rest(_params_of(texts[code // 2]), bool(code % 2), compared)
            for code in distinct.tolist()
        ]
        seeds, _ = coded([*map(_plain, given), *(seed for seed, _ in found)])
        rests, _ = coded(rest for _, rest in found)
        return np.where(seedless, seeds[len(given) :][places], seeds[: len(given)][own]), rests[places]

    def _seed_and_rest(
        self, params: dict[str, Any], seedless: bool, compared: Callable[[dict[str, Any]], Any] | None
    ) -> tuple[Any, str]:
        name = next((name for name in SEEDS if name in params), None) if seedless else None
        seed = None if name is None else _plain(params.pop(name))
        kept = {name: value for name, value in params.items() if name not in self.ignore}
        hashable = seed if isinstance(seed, (str, int, float, type(None))) else _text(seed)
        return hashable, _text(compared(kept) if compared else kept)


def _params_of(text: str) -> dict[str, Any]:
    document = documents.load(text)
    for name in ("fitted", "optimizer"):
        if isinstance(document.get(name), dict):
            del document[name]
    return document


def _text(value: Any) -> str:
    """Return a value as text that is equal for equal values: 1 and 1.0 are."""
    return documents.dump({"": _plain(value)})


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def rows_where(mask: Any) -> Ints:
    """Return the places at which a mask holds."""
    return np.flatnonzero(mask).astype(np.int64)
