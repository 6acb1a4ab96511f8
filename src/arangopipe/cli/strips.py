"""Differences by group as a picture in text: a dot for each pair, and the mean with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

_MARKS = {False: list("│·•●─├┤◆"), True: list("|.oO-[]#")}
_LEAST = 20


def strips(
    groups: Mapping[str, Sequence[float]],
    mean: float,
    interval: tuple[float, float] | None,
    better: str,
    width: int,
    plain: bool = False,
) -> list[Text]:
    """Return a line for each group, one for the mean, and a scale; `plain` keeps to ASCII."""
    every = [0.0, mean, *(interval or ()), *(value for values in groups.values() for value in values)]
    names = max([len("mean"), *map(len, groups)])
    room = max(_LEAST, width - names - 2)
    scale = _Scale(min(every), max(every), room)
    zero, *dots, line, left, right, middle = _MARKS[plain]
    lines = []
    for name, values in groups.items():
        counts: dict[int, int] = {}
        for value in values:
            counts[scale.place(value)] = counts.get(scale.place(value), 0) + 1
        marks = {place: dots[min(count, len(dots)) - 1] for place, count in counts.items()}
        lines.append(_line(name, names, {scale.place(0.0): zero, **marks}, room, "cyan"))
    marks = {scale.place(0.0): zero}
    if interval is not None:
        low, high = map(scale.place, interval)
        marks.update(dict.fromkeys(range(low, high + 1), line))
        marks.update({low: left, high: right})
    lines.append(_line("mean", names, {**marks, scale.place(mean): middle}, room, "green"))
    lines.append(_axis(scale, names, better, plain))
    return lines


class _Scale:
    """Where values stand on a line of so many characters."""

    def __init__(self, low: float, high: float, room: int) -> None:
        self.low, self.high, self.room = low, high, room

    def place(self, value: float) -> int:
        """Return the column of a value."""
        span = self.high - self.low
        return round((value - self.low) / span * (self.room - 1)) if span else 0


def _line(name: str, names: int, marks: Mapping[int, str], room: int, style: str) -> Text:
    text = "".join(marks.get(place, " ") for place in range(room)).rstrip()
    return Text.assemble((name.ljust(names), "bold" if name == "mean" else ""), "  ", (text, style))


def _axis(scale: _Scale, names: int, better: str, plain: bool) -> Text:
    """Return the ends of the scale, and which way is better."""
    low, high = (f"{value:.3g}".replace("-", "-" if plain else "−") for value in (scale.low, scale.high))
    arrow = (
        ("<- better" if plain else "← better")
        if better == "lower"
        else ("better ->" if plain else "better →")
    )
    zero = scale.place(0.0)
    cells = [" "] * scale.room
    for text, start in ((low, 0), (high, scale.room - len(high)), ("0", zero)):
        start = min(max(0, start), scale.room - len(text))
        if all(
            cells[place] == " " for place in range(max(0, start - 1), min(scale.room, start + len(text) + 1))
        ):
            cells[start : start + len(text)] = text
    joined = "".join(cells)
    middle = joined.find(" " * (len(arrow) + 4))
    if middle >= 0:
        joined = joined[: middle + 2] + arrow + joined[middle + 2 + len(arrow) :]
    return Text(" " * (names + 2) + joined.rstrip(), style="dim")
