"""Tables in every shape that people hold them in, as named columns."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from importlib import import_module
from typing import Any, NamedTuple

from arangopipe.capture.columns import Column, column
from arangopipe.capture.values import utf8
from arangopipe.errors import InvalidInput


class Table(NamedTuple):
    """A table as it was given: a pandas Series, a numpy array or a list by column name."""

    rows: int
    columns: dict[str, Any]

    def read(self) -> Iterator[tuple[str, Column]]:
        """Yield name and column, one after the other; raises InvalidInput for one that is unreadable."""
        for name, raw in self.columns.items():
            try:
                found = column(raw)
            except (TypeError, ValueError, OverflowError, RecursionError) as error:
                raise InvalidInput(f"column {name!r} cannot be read: {error}") from error
            yield name, found


def table(data: Any) -> Table:
    """Return data as a table, without a copy where it is one; raises InvalidInput where it is none."""
    pandas: Any = sys.modules.get("pandas")
    numpy: Any = sys.modules.get("numpy")
    if pandas and isinstance(data, (pandas.DataFrame, pandas.Series)):
        return _unique(len(data), _frame_columns(data))
    if numpy and isinstance(data, numpy.ndarray) and data.ndim:
        return _unique(len(data), _array_columns(data))
    if isinstance(data, Mapping):
        columns = {name: _sequence(name, cells) for name, cells in data.items()}
        lengths = {len(cells) for cells in columns.values()} or {0}
        if len(lengths) > 1:
            raise InvalidInput(f"columns of different lengths: {sorted(lengths)}")
        return _unique(lengths.pop(), columns.items())
    if isinstance(data, (list, tuple)) and all(isinstance(row, Mapping) for row in data):
        names = dict.fromkeys(name for row in data for name in row)
        return _unique(len(data), ((name, [row.get(name) for row in data]) for name in names))
    return table(_as_pandas(data))


def _unique(rows: int, columns: Iterable[tuple[Any, Any]]) -> Table:
    named: dict[str, Any] = {}
    for name, cells in ((utf8(str(name)), cells) for name, cells in columns):
        if name in named:
            raise InvalidInput(f"two columns are named {name!r}")
        named[name] = cells
    return Table(rows, named)


def _frame_columns(data: Any) -> Iterator[tuple[Any, Any]]:
    index = data.index
    for level, name in enumerate(index.names):
        if name is not None:
            yield name, index.get_level_values(level).to_series()
    yield from (data.to_frame() if data.ndim == 1 else data).items()


def _array_columns(data: Any) -> Iterator[tuple[Any, Any]]:
    if data.dtype.names:
        yield from ((name, data[name]) for name in data.dtype.names)
    elif data.ndim == 1:
        yield 0, data
    elif data.ndim == 2:
        yield from enumerate(data.T)
    else:
        yield f"0[{'x'.join(map(str, data.shape[1:]))}]", data.reshape(-1)


def _sequence(name: Any, cells: Any) -> Any:
    pandas: Any = sys.modules.get("pandas")
    numpy: Any = sys.modules.get("numpy")
    if (numpy and isinstance(cells, numpy.ndarray) and cells.ndim) or (
        pandas and isinstance(cells, pandas.Series)
    ):
        return cells
    if not isinstance(cells, (str, bytes, Mapping, Set, Iterator)):
        with suppress(TypeError):
            return list(cells)
    raise InvalidInput(f"column {str(name)!r} is no sequence but {type(cells).__name__}")


def _as_pandas(data: Any) -> Any:
    reason = ""
    if hasattr(data, "__arrow_c_stream__"):
        try:  # before its own to_pandas, since pyarrow can keep integers beside nulls
            return import_module("pyarrow").table(data).to_pandas(integer_object_nulls=True)
        except (ImportError, TypeError, ValueError) as error:
            reason = f" ({error})"
    if hasattr(data, "to_pandas"):
        try:
            return data.to_pandas()
        except ImportError as error:
            reason = f" ({error})"
    raise InvalidInput(
        f"cannot read data of type {type(data).__name__}{reason}: give a pandas DataFrame or "
        "Series, a numpy array, a dict of columns, a list of dicts, something that converts "
        "with Arrow or to_pandas, or the path of a file"
    )
