"""What a store has to ask about: names for completion, and questions that its own records suggest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from arangopipe.model.entities import Deployment, Entity, Featureset, Model
from arangopipe.server.pages.asking import Ask
from arangopipe.words import short_key

SAMPLED = 50
"""Names are those of so many things: the newest, or the first by name."""

OFFERED = 100

CIRCUMSTANCES = ("technique", "seed", "transformation")
"""What, beside params, runs of a matched pair may differ in if one says so."""


class Offers:
    """What may be named, read from a sample of the store at most once."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._samples: dict[str, Sequence[Entity]] = {}
        self._columns: dict[str, Counter[str]] = {}

    def named(self, what: str) -> list[dict[str, str]]:
        """Return the names of a sort, each with a label that may be empty."""
        return [{"value": value, "label": label} for value, label in islice(_SORTS[what](self), OFFERED)]

    def metric(self) -> str | None:
        """Return the metric that most of the newest runs have."""
        return next(iter(self.metrics()), None)

    def metrics(self) -> list[str]:
        """Return the metrics of the newest runs, the commonest first."""
        return _commonest(self._names("metrics."))

    def params(self) -> list[str]:
        """Return the params of the newest runs, the commonest first."""
        return _commonest(self._names("params."))

    def features(self) -> list[str]:
        """Return the columns of featuresets; those that only some have come first."""
        held = [item.columns for item in self.sample("featuresets") if isinstance(item, Featureset)]
        counts = Counter(name for columns in held for name in columns)
        return sorted(counts, key=lambda name: (counts[name] == len(held), name))

    def transformations(self) -> list[str]:
        """Return the transformations of featuresets."""
        found: dict[str, None] = {}
        for item in self.sample("featuresets"):
            made = item.transformation if isinstance(item, Featureset) else None
            for step in made if isinstance(made, list) else [made]:
                if isinstance(step, str) and step:
                    found[step] = None
        return list(found)

    def of_models(self, path: str) -> list[str]:
        """Return what models have at a path: their tasks, or their techniques."""
        counts = self._ask.store.count("models", by=path, as_of=self._ask.moment)
        return sorted(value for value in counts if isinstance(value, str) and value)

    def sample(self, kind: str) -> Sequence[Entity]:
        """Return some things of a kind."""
        if kind not in self._samples:
            self._samples[kind] = tuple(self._ask.pipe.search(kind, limit=SAMPLED, as_of=self._ask.as_of))
        return self._samples[kind]

    def _names(self, prefix: str) -> Counter[str]:
        if not self._columns:
            rows = self._ask.pipe.search("run", limit=SAMPLED, as_of=self._ask.as_of).rows()
            for part in ("metrics.", "params."):
                names = (name for row in rows for name in row if name.startswith(part))
                self._columns[part] = Counter(name.removeprefix(part) for name in names)
        return self._columns[prefix]


def _commonest(counts: Counter[str]) -> list[str]:
    return [name for name, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _plain(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    return ((name, "") for name in names)


def _runs(offers: Offers) -> Iterator[tuple[str, str]]:
    return ((item.id, _label(item)) for item in offers.sample("run"))


def _references(offers: Offers) -> Iterator[tuple[str, str]]:
    for kind in ("deployment", "models", "run"):
        yield from ((item.id, _label(item)) for item in offers.sample(kind)[: OFFERED // 3])


def _label(item: Entity) -> str:
    if isinstance(item, Deployment):
        return f"{item.tag}, {item.status}"
    return item.node.label or short_key(item.key)


_SORTS: Mapping[str, Callable[[Offers], Iterable[tuple[str, str]]]] = {
    "metrics": lambda offers: _plain(offers.metrics()),
    "params": lambda offers: _plain(offers.params()),
    "ignorable": lambda offers: _plain([*CIRCUMSTANCES, *offers.params()]),
    "features": lambda offers: _plain(offers.features()),
    "transformations": lambda offers: _plain(offers.transformations()),
    "techniques": lambda offers: _plain(offers.of_models("technique")),
    "tasks": lambda offers: _plain(offers.of_models("task")),
    "projects": lambda offers: _plain(item.name for item in offers.sample("project")),
    "datasets": lambda offers: _plain(item.node.label for item in offers.sample("datasets")),
    "runs": _runs,
    "references": _references,
}


def examples(ask: Ask, offers: Offers, name: str) -> list[dict[str, str]]:
    """Return instances of a question that the records suggest, as words and the addresses that ask them."""
    found = [
        {"words": words, "address": ask.to(f"/questions/{name}", **query)}
        for words, query in _suggested(offers, name)
    ]
    return found[:3]


def _suggested(offers: Offers, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    metric = offers.metric()
    if name == "effect" and metric:
        several = len(offers.sample("featuresets")) > 1
        for feature in offers.features()[:2] if several else ():
            yield f"Did adding {feature} help {metric}?", {"attribute": feature, "metric": metric}
        techniques = {item.technique for item in offers.sample("models") if isinstance(item, Model)}
        for technique in sorted(name for name in techniques if name)[:1] if len(techniques) > 1 else ():
            words = f"Is {technique} better than the others by {metric}?"
            yield words, {"technique": technique, "metric": metric}
    elif name in ("useful-features", "leaderboard", "importance", "test-set-wear"):
        for each in offers.metrics()[:3]:
            yield f"by {each}", {"metric": each}
    elif name in ("techniques", "feature-techniques", "datasets-used"):
        yield "of all runs", {}
    elif name == "compare":
        runs = [item.id for item in offers.sample("run")[:5]]
        if len(runs) > 1:
            yield f"the last {len(runs)} runs", {"run": runs}
    elif name == "explain-difference":
        yield from _pairs(offers)


def _pairs(offers: Offers) -> Iterator[tuple[str, dict[str, Any]]]:
    last: dict[str, Entity] = {}
    for item in offers.sample("deployment"):
        if not isinstance(item, Deployment) or item.status == "scheduled":
            continue
        if item.tag in last:
            newer = last.pop(item.tag)
            yield f"the last two that served {item.tag}", {"a": item.id, "b": newer.id}
        else:
            last[item.tag] = item
    runs = [item.id for item in offers.sample("run")[:2]]
    if len(runs) == 2:
        yield "the last two runs", {"a": runs[1], "b": runs[0]}
