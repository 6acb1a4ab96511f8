"""Documents, filters, orders and parts of batches for hypothesis, out of a small world.

Names and values come from short lists that documents and filters share, so that they meet.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from arangopipe.model import documents
from arangopipe.model.filters import And, Compare, Expression, In, IsNull, Like, Not, Or, OrderKey, Path
from arangopipe.model.graph import Point, Points

NAMES = ["x", "y", "a b", "r.squared", "é", "in", "loss", "name", "model", "params", "tags", "cfg", "min"]
KINDS = ["run", "datasets", "featuresets", "models", "project", "modelparams", "devperf"]
KINDS += ["deployment", "servingperf", "reports"]
METRICS = ["loss", "x", "a.min"]
RUNS = ["r1", "r2", "r3", "r4"]

SCALARS: list[Any] = [
    None, True, False, 0, 1, -1, 2, 1.0, 0.5, -0.0, 1e300, 2**53, 2**53 + 1, -(2**63), 10**30,
    "", "1", "true", "a", "A", "ab", "a%", "a_", "[a]", "*", "é", "É", "e\u0301", "ß", "ss",
    "NaN", "Infinity", "a\x00b", "\U0001f600", "\uffff", "9007199254740993", "l" * 1_001, "l" * 1_000,
]  # fmt: skip

HOPS = ["model", "dataset", "featureset", "run", "deployment", "modelparams", "devperf", "project", "reports"]
OWN_WORDS = ["key", "name", "version", "project"]


def texts() -> st.SearchStrategy[str]:
    """Texts without halves of surrogate pairs, as documents hold them."""
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


def scalars() -> st.SearchStrategy[Any]:
    """Values without parts."""
    floats = st.floats(allow_nan=False, allow_infinity=False)
    return st.sampled_from(SCALARS) | st.integers(-3, 3) | floats | texts()


def values() -> st.SearchStrategy[Any]:
    """JSON values, a few levels deep."""

    def deeper(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)

    return st.recursive(scalars(), deeper, max_leaves=5)


def canonical_documents() -> st.SearchStrategy[str]:
    """Canonical texts of documents."""
    return st.dictionaries(st.sampled_from(NAMES), values(), max_size=4).map(documents.dump)


@st.composite
def paths(draw: st.DrawFn) -> Path:
    """Paths to a node's own values, a run's params and metrics, and neighbours."""
    name = st.sampled_from(NAMES)
    segments = draw(
        st.one_of(
            st.tuples(name),
            st.tuples(st.sampled_from(OWN_WORDS)),
            st.tuples(name, name),
            st.tuples(st.just("params"), name),
            st.tuples(st.just("params"), name, name),
            st.tuples(st.just("metrics"), st.sampled_from([*NAMES, *METRICS])),
            st.tuples(
                st.just("metrics"), st.sampled_from(METRICS), st.sampled_from(["min", "max", "last", "x"])
            ),
            st.tuples(st.just("tags"), name),
            st.tuples(st.sampled_from(HOPS), st.sampled_from([*NAMES, *OWN_WORDS])),
            st.tuples(st.sampled_from(HOPS), name, name),
        )
    )
    return Path(segments, own=draw(st.integers(0, 9)) == 0)


def patterns() -> st.SearchStrategy[str]:
    """Patterns for ``like``, which never end in a single backslash."""
    pieces = st.sampled_from(
        ["%", "_", "a", "A", "é", "É", "ß", "\\%", "\\_", "\\\\", "[", "*", "l", "1", "\x00"]
    )
    return st.lists(pieces, max_size=4).map("".join)


def filters() -> st.SearchStrategy[Expression]:
    """Expressions of the search language."""
    literals = scalars().filter(lambda value: value is not None)
    operators = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
    leaves: st.SearchStrategy[Expression] = st.one_of(
        st.builds(Compare, paths(), operators, literals),
        st.builds(Compare, paths(), operators, literals),
        st.builds(In, paths(), st.lists(literals, min_size=1, max_size=3).map(tuple)),
        st.builds(Like, paths(), patterns(), st.booleans()),
        st.builds(IsNull, paths()),
    )

    def deeper(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
        several = st.lists(inner, min_size=2, max_size=3).map(tuple)
        return st.builds(Not, inner) | st.builds(And, several) | st.builds(Or, several)

    return st.recursive(leaves, deeper, max_leaves=4)


def orders() -> st.SearchStrategy[tuple[OrderKey, ...]]:
    """Orders of up to two keys."""
    return st.lists(st.builds(OrderKey, paths(), st.booleans()), max_size=2).map(tuple)


def series() -> st.SearchStrategy[Points]:
    """Points of one metric of one run."""
    small = st.integers(-1, 2)
    numbers = st.sampled_from([0, 1, 0.5, -2.5, 1e300, 2**60, "NaN", "Infinity", "-Infinity"])
    points = st.lists(st.builds(Point, small, small, numbers), min_size=1, max_size=3).map(tuple)
    run = st.sampled_from(RUNS).map(lambda key: f"run/{key}")
    return st.builds(Points, run, st.sampled_from(METRICS), points)
