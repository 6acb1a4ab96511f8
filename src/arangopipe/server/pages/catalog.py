"""The aggregate questions as forms: what each asks, what it is told, and how its answer is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from arangopipe.errors import InvalidInput, NotFound
from arangopipe.model.vocabulary import near

MOST = 10_000
RUNS = 200


@dataclass(frozen=True)
class Field:
    """One thing a question is told: `names` completes it, `choices` is all it may be; `rare` ones fold."""

    name: str
    label: str
    names: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    several: bool = False
    hint: str = ""
    rare: bool = False


@dataclass(frozen=True)
class Question:
    """One question: `name` is that of its command and of its address; of `one_of` it takes just one."""

    name: str
    title: str
    about: str
    reading: str
    fields: tuple[Field, ...]
    one_of: tuple[str, ...] = ()
    scoped: bool = True

    @property
    def every(self) -> tuple[Field, ...]:
        """Its own fields, and those that say of which runs."""
        return (*self.fields, *SCOPE) if self.scoped else self.fields


METRIC = Field("metric", "Metric", "metrics", required=True)
ANY_METRIC = Field("metric", "Metric", "metrics", hint="the commonest")
TASK = Field("task", "Task", "tasks", hint="if there are several", rare=True)
BETTER = Field("better", "Better is", choices=("lower", "higher"), rare=True)
IGNORE = Field("ignore", "May differ all the same", "ignorable", several=True, rare=True)
SCOPE = (
    Field("project", "Project", "projects", hint="all", rare=True),
    Field("where", "Runs that match", hint="a condition of Search", rare=True),
    Field("since", "Started from", hint="2026-10-01", rare=True),
    Field("until", "Started before", hint="2026-11-01", rare=True),
)

QUESTIONS: Sequence[Question] = (
    Question(
        "techniques",
        "Which techniques were tried, and how did they do?",
        "Every modelling technique of a task, from its best run to its worst.",
        "The line goes from the best run to the worst, the mark is the median. The best of many runs is "
        "partly luck: the median is the fairer figure.",
        (TASK, ANY_METRIC, BETTER),
    ),
    Question(
        "feature-techniques",
        "Which feature engineering was tried?",
        "The transformations that made featuresets, and on what data.",
        "Transformations are those recorded on featuresets and on their links to datasets.",
        (TASK,),
    ),
    Question(
        "effect",
        "Did adding it help?",
        "Whether an attribute, a transformation, a technique or a param gave consistent gains, from "
        "matched pairs of runs.",
        "Each dot is a pair of runs that are equal in task, data, technique, seed, params and features but "
        "for this one thing. Repeats of a technique on a dataset count once. A gain is consistent only where "
        "techniques agree by more than chance, also without the one that gains most.",
        (
            Field("attribute", "Attribute", "features"),
            Field("transformation", "Transformation", "transformations"),
            Field("technique", "Technique", "techniques"),
            Field("param", "Param", "params", hint="name or name=value"),
            METRIC,
            Field("versus", "Compared with", hint="all others", rare=True),
            TASK,
            BETTER,
            IGNORE,
        ),
        one_of=("attribute", "transformation", "technique", "param"),
    ),
    Question(
        "useful-features",
        "Which features helped?",
        "The effect of every attribute and transformation, ranked, and corrected for being many.",
        "The mark is the mean difference with the feature, the line its 95 % interval. Who asks of many "
        "features finds some gains by chance: p-values are corrected for that.",
        (METRIC, TASK, BETTER, IGNORE),
    ),
    Question(
        "leaderboard",
        "Which runs are best?",
        "The best finished runs by a metric, and what they were made of.",
        "The best of many runs flatters. What is left of it without the luck of being chosen says the "
        "question about worn test sets.",
        (METRIC, TASK, BETTER, Field("limit", "How many", hint="10")),
    ),
    Question(
        "importance",
        "Which params mattered?",
        "What a forest that predicts the metric loses on unseen runs when a param is shuffled.",
        "It speaks of the settings that were tried, as often as they were, and shows association, not "
        "cause: of two params that always changed together either may take the credit.",
        (METRIC, TASK, IGNORE),
    ),
    Question(
        "test-set-wear",
        "How worn is a test set?",
        "How many choices were made on each evaluation set, and what its best run is worth without the luck "
        "of being chosen.",
        "The more often a test set decides, the more its best score owes to luck. The honest estimate, with "
        "its 95 % interval, takes that off.",
        (METRIC, Field("dataset", "Evaluation set", "datasets", hint="all"), TASK, BETTER),
    ),
    Question(
        "datasets-used",
        "Which datasets were used, and when?",
        "The datasets of each period, in the roles of training, validation and test.",
        "Each version of a dataset counts as one. Periods are those in which runs started, in UTC.",
        (
            TASK,
            Field("per", "Period", choices=("month", "day", "week", "quarter", "year"), required=True),
        ),
    ),
    Question(
        "compare",
        "What differs between runs?",
        "Params, metrics, data, features, code and environment of two runs or more; "
        "what is equal is only counted.",
        "Bars count what is recorded of the runs: what differs, and what is the same in all.",
        (Field("run", "Runs", "runs", required=True, several=True),),
        scoped=False,
    ),
    Question(
        "explain-difference",
        "Why is one different from the other?",
        "All that differs between two runs, models or deployments over their whole ancestry, the likeliest "
        "cause first.",
        "A cause ranks by how often such a change, alone, moved the metric among otherwise equal runs here. "
        "What was never changed alone has no figure.",
        (
            Field("a", "This one", "references", required=True),
            Field("b", "That one", "references", required=True),
            ANY_METRIC,
        ),
    ),
)  # fmt: skip


def known(name: str) -> Question:
    """Return the question of a name."""
    for question in QUESTIONS:
        if question.name == name:
            return question
    names = [question.name for question in QUESTIONS]
    raise NotFound(f"there is no question {name!r}{near(name, names)}; there are {', '.join(names)}")


def given(question: Question, query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return what a form says, without what it leaves empty."""
    found: dict[str, Any] = {}
    for field in question.every:
        values = [text for text in (each.strip() for each in query.get(field.name, ())) if text]
        if values:
            found[field.name] = values if field.several else values[0]
    return found


def check(question: Question, values: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` for what can be seen to be wrong without asking."""
    said = [name for name in question.one_of if name in values]
    if question.one_of and len(said) != 1:
        names = ", ".join(question.one_of[:-1])
        raise InvalidInput(f"say one of {names} and {question.one_of[-1]}: {len(said) or 'none'} was said")
    lacking = [field.label.lower() for field in question.fields if field.name in missing(question, values)]
    if lacking:
        raise InvalidInput(f"say also: {', '.join(lacking)}")
    for field in question.every:
        value = values.get(field.name)
        if field.choices and value is not None and value not in field.choices:
            raise InvalidInput(f"{field.name} is one of {', '.join(field.choices)}, not {value!r}")
    if len(values.get("run", ())) > RUNS:
        raise InvalidInput(f"at most {RUNS} runs can be compared, not {len(values['run'])}")
    limit(values)


def limit(values: Mapping[str, Any]) -> int | None:
    """Return how many are wanted, None where nothing is said."""
    if "limit" not in values:
        return None
    text = values["limit"]
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST or len(text) > 9:
        raise InvalidInput(f"how many is {text!r:.40}: it is a whole number from 1 to {MOST:,}")
    return int(text)


def missing(question: Question, values: Mapping[str, Any]) -> list[str]:
    """Return the names of what must be said and is not; what has choices has a first one."""
    return [
        field.name
        for field in question.fields
        if field.required and not field.choices and field.name not in values
    ]
