"""Anything may be passed to any public method: it is taken, or refused with an error of ours; never half.

The methods and their parameters come from the classes, so a new one cannot be forgotten.
"""

from __future__ import annotations

import contextlib
import decimal
import inspect
import itertools
import uuid
import warnings
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import arangopipe
from arangopipe import ArangoPipe, ArangoPipeAdmin, ArangopipeError, audit
from arangopipe.run import ActiveRun

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("garbage")]

KEPT = {"close"}
WITHIN = {
    *("batch", "put", "send", "send_fresh", "retried", "record", "deliver"),
    *("references", "entity", "entities"),
}
"""What the methods are made of: it takes values of the model, which are checked where they are made."""


def methods(kind: type) -> dict[str, Callable[..., Any]]:
    """Return the public methods of a class by name."""
    return {
        name: method
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_") and name not in {*KEPT, *WITHIN}
    }


# --- what is passed ------------------------------------------------------------------------------

TEXTS = st.sampled_from(
    [
        "", " ", "diabetes", "ridge", "base", "prod", "run", "dataset", "related", "dataset:diabetes",
        "model:ridge@1",
        "run/r-1", "run/none", "deployment/d-1", "datasets/", "/", ":", "@", "a/b/c", "dataset:",
        "dataset:x@", "1",
        "'; DROP TABLE node; --", '"', "\\", "%", "\0", "a\0b", "\ud800", "\U0001f600", "‮abc", "é" * 2_000,
        "x" * 100_000, "_id", "metrics.rmse < 1", "params.a = ", "((((", "name = 'x' order by name", "nan",
        "2026-01-01",
        "2026-01-01T00:00:00Z", "9999-12-31T23:59:59.999999+00:00", "finished", "active", "from", "to",
        "\n", "\ufeff",
    ]
)  # fmt: skip


WORDS = st.sampled_from(["a", "rows", "größe", "name", "version", "data"])


class Odd:
    """An object that nothing is known of."""


class OddText(str):
    """A text that is not quite one."""


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)

ATOMS = (
    TEXTS
    | st.text(max_size=20)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1, 2**64, 10**400, 0, -1])
    | st.floats()
    | st.complex_numbers(max_magnitude=10)
    | st.binary(max_size=5)
    | st.datetimes()
    | st.datetimes(timezones=st.just(timezone.utc))
    | st.sampled_from(
        [
            Odd, Odd(), OddText("diabetes"), len, ENDLESS, {"a": ENDLESS}, date(2026, 1, 1), datetime.max,
            datetime.min,
            datetime.min.replace(tzinfo=timezone.utc),
            datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
            timedelta.max, decimal.Decimal("NaN"), decimal.Decimal("1e999"), Fraction(1, 3), uuid.UUID(int=7),
            Path("a/b"), ValueError("x"), KeyError, range(3), range(10**9), iter("ab"), bytearray(b"x"),
            memoryview(b"x"),
            np.float32(1.5), np.array([[1, 2], [3, 4]]), np.array(["a", None]), np.datetime64("NaT"),
            pd.NaT, pd.NA,
            pd.DataFrame({"a": [1, 2]}), pd.DataFrame(), pd.Series([1.0, None]), ..., NotImplemented, 1j,
            frozenset(),
        ]
    )
)  # fmt: skip
KEYS = TEXTS | st.text(max_size=5) | st.integers() | st.none() | st.tuples(st.integers(), st.text(max_size=2))
GARBAGE = ATOMS | st.recursive(
    ATOMS,
    lambda more: (
        st.lists(more, max_size=3)
        | st.tuples(more, more)
        | st.dictionaries(KEYS, more, max_size=3)
        | st.sets(st.integers() | st.text(max_size=3), max_size=3)
    ),
    max_leaves=4,
)


def plausible(name: str) -> st.SearchStrategy[Any]:
    """Return values that a parameter of this name might well be given."""
    known: dict[str, list[Any]] = {
        "as_of": [None, 1, 5, 10**6, "2026-01-01", datetime.now(timezone.utc)],
        "depth": [0, 1, 3],
        "limit": [1, 5],
        "kind": ["run", "dataset", "datasets", "related", "shard"],
        "project": [None, "p", "diabetes"],
        "where": [None, "metrics.rmse < 1", "name = 'x'"],
        "reason": ["", "because"],
        "force": [True, False],
        "exist_ok": [True, False],
        "period": [("2026-01-01", "2026-01-02")],
        "datasets": [{"training": "diabetes"}, {"test": ["diabetes"]}],
        "columns": [{"a": "float64"}],
        "tag": ["prod", "t"],
        "runs": [[{"params": {"a": 1}}]],
    }
    entities = ["diabetes", "dataset:diabetes", "model:ridge", "run/r-1", "base", "prod", "p"]
    return st.sampled_from(known.get(name, [*entities, 1, {"a": 1}]))


@st.composite
def calls(draw: st.DrawFn, method: Callable[..., Any]) -> tuple[list[Any], dict[str, Any]]:
    """Draw arguments that fit the signature of a method and nothing else."""
    positional: list[Any] = []
    named: dict[str, Any] = {}
    parameters = list(inspect.signature(method).parameters.values())[1:]
    taken = {parameter.name for parameter in parameters}
    # Of most calls all but one or two arguments make sense, so that they get as far as they can.
    odd = draw(st.sets(st.sampled_from(sorted(taken)), max_size=2)) if taken else set()
    for parameter in parameters:
        values = GARBAGE if parameter.name in odd else plausible(parameter.name)
        if parameter.kind is parameter.VAR_POSITIONAL:
            positional += draw(st.lists(values, max_size=2))
        elif parameter.kind is parameter.VAR_KEYWORD:
            keys = (TEXTS if parameter.name in odd else WORDS).filter(lambda key: key not in taken)
            named |= draw(
                st.dictionaries(keys, GARBAGE if parameter.name in odd else plausible(""), max_size=2)
            )
        elif parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY:
            positional.append(draw(values))
        elif parameter.default is parameter.empty or parameter.name in odd or draw(st.integers(0, 3)) == 0:
            named[parameter.name] = draw(values)
    return positional, named


# --- what may come of it -------------------------------------------------------------------------


@contextlib.contextmanager
def filled(url: str) -> Iterator[ArangoPipe]:
    with arangopipe.connect(url, actor="ana", capture=False) as pipe:
        pipe.admin.register_project("p")
        data = pipe.register_dataset("diabetes", rows=442)
        features = pipe.register_featureset("base", dataset=data, columns={"a": "float64"})
        model = pipe.register_model("ridge", project="p")
        used = {"dataset": data, "featureset": features, "model": model, "project": "p"}
        pipe.log_run(**used, key="r-1", params={"a": 1}, metrics={"rmse": 0.5}, tag="t")
        pipe.admin.register_deployment("prod", "run/r-1", key="d-1")
        pipe.admin.register_node_kind("shard")
        yield pipe


def head(pipe: ArangoPipe) -> int:
    found = pipe.store.head()
    assert found is not None
    return found.number


def tried(pipe: ArangoPipe, call: Callable[[], Any]) -> None:
    """Make a call: it does what it says, or raises an error of ours and changes nothing."""
    before = head(pipe)
    refused = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = call()
            if isinstance(result, ActiveRun):
                result.close()
            elif inspect.isgenerator(result):
                list(itertools.islice(result, 3))
        except ArangopipeError as error:
            refused = str(error)
    # Of many runs, those of the batches before stand, as the error says.
    kept = refused is not None and "whose batch was not written" in refused
    assert refused is None or (refused.strip() and (kept or head(pipe) == before)), refused


METHODS = [
    pytest.param(kind, name, id=f"{kind.__name__}.{name}")
    for kind in (ArangoPipe, ArangoPipeAdmin)
    for name in methods(kind)
    if kind is ArangoPipe or name not in methods(ArangoPipe)
]


@pytest.mark.parametrize(
    "url", ["memory://", "sqlite:///garbage.db?durability=relaxed"], ids=["memory", "sqlite"]
)
@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_any_argument_is_taken_or_refused(
    kind: type, name: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    method = methods(kind)[name]
    examples = min(settings().max_examples, 1_000) // (3 if url == "memory://" else 8)
    with filled(url) as pipe:
        owner = pipe if kind is ArangoPipe else pipe.admin

        @settings(
            max_examples=examples,
            deadline=None,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.data_too_large,
                HealthCheck.large_base_example,
            ],
        )
        @given(calls(method))
        def check(arguments: tuple[list[Any], dict[str, Any]]) -> None:
            positional, named = arguments
            tried(pipe, lambda: method(owner, *positional, **named))

        check()
        assert audit.verify(pipe.store).ok
