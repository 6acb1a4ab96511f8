"""The aggregate questions, as methods: `pipe.analysis`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from arangopipe.analysis.comparison import Comparison, compare
from arangopipe.analysis.data import DatasetsUsed, datasets_used
from arangopipe.analysis.effect import Effect, effect
from arangopipe.analysis.explanation import Explanation, explain
from arangopipe.analysis.extraction import FeatureTechniques, feature_techniques
from arangopipe.analysis.factors import factor_of
from arangopipe.analysis.facts import facts_of
from arangopipe.analysis.importance import Importance, importance
from arangopipe.analysis.leaderboard import Leaderboard, leaderboard
from arangopipe.analysis.material import USED, Material
from arangopipe.analysis.runs import (
    NO_TASK,
    Runs,
    chosen,
    measured,
    metric_names,
    newest,
    of_task,
    unmeasured,
)
from arangopipe.analysis.scope import Scope
from arangopipe.analysis.techniques import Techniques, techniques
from arangopipe.analysis.useful import UsefulFeatures, useful_features
from arangopipe.analysis.wear import TestSetWear, wear
from arangopipe.errors import InvalidInput, NotFound
from arangopipe.model.directions import HIGHER, LOWER, direction, known_direction
from arangopipe.model.entities import Run
from arangopipe.model.graph import kind_of
from arangopipe.reader import Reader, Where
from arangopipe.record import Time
from arangopipe.references import Ref, References, When, moment_of
from arangopipe.store.base import Store


class Analysis:
    """Questions over many runs at once; each answer is a frozen value.

    All take `project` (by default the pipe's), `since` and `until` (runs that started from then on, and
    before), `where` (runs that a search text selects) and `as_of` (as recorded then). `task` may be left
    out where there is one only. `better`, "lower" or "higher", is needed for metrics that the table of
    metric names does not have. Runs that are not finished, or have no finite number for the metric, are
    left out, and `notes` say how many. Unknown names raise `NotFound` with near ones; what cannot be
    answered raises `InvalidInput` with the reason.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._store = reader.store

    def techniques(
        self,
        task: str | None = None,
        *,
        metric: str | None = None,
        better: str | None = None,
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> Techniques:
        """Return the techniques used for a task: runs, best, median and spread of a metric, first and last
        use.

        Without `metric` it is the one that most runs have, of those in the table of metric names, if any.
        """
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        metric = metric or _usual_metric(self._store, scope)
        runs, task = of_task(self._store, scope, task, ["start"], metric=metric)
        if metric is None:
            return techniques(runs, unmeasured(runs, task), "lower")
        return techniques(runs, measured(runs, metric, task), direction(metric, better))

    def feature_techniques(
        self,
        task: str | None = None,
        *,
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> FeatureTechniques:
        """Return the transformations of the featuresets that a task used, and what each was applied to."""
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        runs, task = of_task(self._store, scope, task, ["start"], ["run_featuresets"])
        return feature_techniques(runs, task)

    def useful_features(
        self,
        task: str | None = None,
        *,
        metric: str,
        better: str | None = None,
        ignore: str | Iterable[str] = (),
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> UsefulFeatures:
        """Return the effect of every attribute and transformation that some runs have and others have not.

        Ranked, with intervals, and with p-values corrected for many comparisons (`inference.adjusted`).
        """
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        material = Material.read(self._store, scope, metric, task, _names(ignore))
        return useful_features(material, direction(metric, better))

    def effect(
        self,
        *,
        metric: str,
        attribute: str | None = None,
        transformation: str | None = None,
        technique: str | None = None,
        param: str | Mapping[str, Any] | None = None,
        versus: Any = None,
        better: str | None = None,
        task: str | None = None,
        ignore: str | Iterable[str] = (),
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> Effect:
        """Return what adding one thing did to a metric, from matched pairs of runs, with a verdict.

        Give one of `attribute` (a column of featuresets), `transformation`, `technique` and `param` (a
        name, "name=value" or {name: value}); `versus` names what the last three are compared with. A pair
        is equal in task, training, validation and test data, technique, seed, params and featureset, but
        for that one thing; `ignore` holds what may differ all the same (a param's name, "seed",
        "transformation" …). The definition of the verdict is `verdicts`'. Without any pair it is *not
        comparable*, with the reason.
        """
        factor = factor_of(attribute, transformation, technique, param, versus)
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        material = Material.read(self._store, scope, metric, task, _names(ignore), factor.paths)
        return effect(factor, material, direction(metric, better))

    def datasets_used(
        self,
        task: str | None = None,
        since: Time | None = None,
        until: Time | None = None,
        *,
        per: str = "month",
        project: Ref | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> DatasetsUsed:
        """Return how many datasets were used and which, per day, week, month, quarter or year (UTC).

        Without `task` it is those of all tasks.
        """
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        links = ["run_datasets", *(["run_models"] if task is not None else [])]
        runs = Runs.read(self._store, scope, ["start"], links)
        if task is not None and len(runs):
            runs, task = chosen(runs, task)
        return datasets_used(runs, task or "", per)

    def leaderboard(
        self,
        task: str | None = None,
        *,
        metric: str,
        better: str | None = None,
        limit: int = 10,
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> Leaderboard:
        """Return the best finished runs of a task by a metric."""
        if not isinstance(limit, int) or limit < 1:
            raise InvalidInput(f"limit is {limit!r}: it must be a whole number from 1")
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        return leaderboard(self._store, scope, task, metric, direction(metric, better), limit)

    def compare(self, runs: Sequence[Ref], *, as_of: When = None) -> Comparison:
        """Return what differs between runs: params, metrics, data, features, code, environment."""
        if isinstance(runs, str) or not isinstance(runs, (list, tuple)):
            raise InvalidInput("compare takes a list of runs")
        found = [self._reader.lookup_run(ref, as_of=as_of) for ref in runs]
        return compare(facts_of(self._reader, found, moment_of(as_of)))

    def explain_difference(
        self,
        a: Ref,
        b: Ref,
        *,
        metric: str | None = None,
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> Explanation:
        """Return what differs between two runs, models or deployments over their whole ancestry, ranked.

        The rank of a difference is how often such a change, alone, moved the metric among the runs of the
        task. A deployment stands for its run, a model for its latest finished run.
        """
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        notes: list[str] = []
        runs = [self._run_of(ref, scope.project, as_of, notes) for ref in (a, b)]
        first, second = facts_of(self._reader, runs, moment_of(as_of), ancestry=True)
        if first.task != second.task:
            raise InvalidInput(
                f"{first.run.node.label} is of task {first.task or NO_TASK!r}, {second.run.node.label} of "
                f"{second.task or NO_TASK!r}: their metrics mean different things"
            )
        metric = metric or _shared_metric(first.run, second.run)
        material = Material.read(self._store, scope, metric, first.task or NO_TASK, paths=["start"])
        return explain(first, second, material, notes)

    def importance(
        self,
        metric: str,
        task: str | None = None,
        *,
        ignore: str | Iterable[str] = (),
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> Importance:
        """Return which hyper-parameters mattered: permutation importance of a random forest on unseen runs.

        See `importance.importance` for the method, its sources and its limits.
        """
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        return importance(Material.read(self._store, scope, metric, task, _names(ignore)))

    def test_set_wear(
        self,
        dataset: Ref | None = None,
        *,
        metric: str,
        better: str | None = None,
        task: str | None = None,
        project: Ref | None = None,
        since: Time | None = None,
        until: Time | None = None,
        where: Where = None,
        as_of: When = None,
    ) -> TestSetWear:
        """Return how many choices were made against each evaluation set, or one, and what its best run is
        worth.

        Every run that was tested on a set (its edge has the role *test*) is a choice. See `winners` for the
        honest estimate, its sources and its assumptions.
        """
        scope = Scope.of(self._reader, project, since, until, where, as_of)
        wanted = None if dataset is None else self._reader.references(as_of).node("datasets", dataset).id
        runs, task = of_task(self._store, scope, task, ["seed", "start"], USED, metric)
        material = Material.of(runs, metric, task)
        return wear(runs, material, direction(metric, better), wanted)

    def _run_of(self, ref: Ref, project: str, as_of: When, notes: list[str]) -> Run:
        """Return the run that a reference to a run, a deployment or a model stands for."""
        references = References(self._store, project, as_of)
        thing = references.node("run", ref) if _is_run(references, ref) else references.any_node(ref)
        kind = thing.kind
        if kind == "deployment":
            walked = self._store.traverse([thing.id], "upstream", as_of=moment_of(as_of))
            found = [node for node in walked if node.kind == "run"]
        elif kind == "models":
            edges = self._store.edges([thing.id], ["run_models"], 1_000_000, moment_of(as_of))
            nodes = self._store.get([edge.target for edge in edges], moment_of(as_of))
            every = [Run(node) for node in nodes if node is not None]
            done = [run for run in every if run.status in (None, "finished")]
            found = [max(done, key=lambda run: (str(run.start), run.key)).node] if done else []
            notes += [f"{thing.label} stands for {n.label}, its latest finished run." for n in found]
        else:
            found = [thing] if kind == "run" else []
        if not found:
            raise NotFound(f"{thing.label}: no finished run stands behind this {kind}")
        run = self._reader.entity(found[0], as_of)
        if not isinstance(run, Run):
            raise NotFound(f"{thing.label} is no run")
        return run


def _is_run(references: Any, ref: Ref) -> bool:
    try:
        return kind_of(references.any_id(ref)) == "run"
    except InvalidInput:
        return True  # a bare name or key: that of a run


def _names(ignore: str | Iterable[str]) -> set[str]:
    return {ignore} if isinstance(ignore, str) else set(ignore)


def _usual_metric(store: Store, scope: Scope) -> str | None:
    """Return the metric that most of the newest runs have; of equally common ones the first in the table."""
    found = metric_names(newest(store, scope))
    known = {name: count for name, count in found.items() if known_direction(name)}
    if not known:
        return None
    order = {name: place for place, name in enumerate((*LOWER, *HIGHER))}
    return min(known, key=lambda name: (-known[name], order.get(name, len(order)), name))


def _shared_metric(a: Run, b: Run) -> str:
    shared = [name for name in a.metrics if name in b.metrics and known_direction(name)]
    if not shared:
        raise InvalidInput("which metric? The two share none that is in the table of metrics: pass metric=")
    order = {name: place for place, name in enumerate((*LOWER, *HIGHER))}
    return min(shared, key=lambda name: (order.get(name, len(order)), name))
