"""Parts of a program timed in turn, and the ratios between them.

A machine's speed drifts from minute to minute, and more so with other programs on it. Parts that are timed in turn
share the drift, so a ratio is taken within each round, and its spread is that of the ratio and not of the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Line", "Part", "Ratio", "markdown", "ratio", "run_interleaved", "timed"]

Part = Callable[[], float]
"""Does its work once and returns the seconds that it took."""

WARM_UP = 2


@dataclass(frozen=True)
class Line:
    """One line of a table: the time of a part in times of another's.

    Attributes:
        what: the ratio in words.
        over, under: names of parts. Of several in ``under`` the fastest by work counts.
        work: by how much the parts' work differs, by name; times are divided by it. 1 where a name is missing.
        at_most, at_least: the aim, or None.
        missing: why there is no figure, such as a library that is not installed; empty otherwise.
    """

    what: str
    over: str = ""
    under: tuple[str, ...] = ()
    work: Mapping[str, float] | None = None
    at_most: float | None = None
    at_least: float | None = None
    missing: str = ""


@dataclass(frozen=True)
class Ratio:
    """The median and quartiles of a line's ratio over rounds, and the medians of both times.

    Attributes:
        low, middle, high: of the ratios within each round.
        over, under: seconds.
        name: the part that was the fastest of those compared with.
    """

    low: float
    middle: float
    high: float
    over: float
    under: float
    name: str


def timed(work: Callable[[], object]) -> Part:
    """Return a part that does the work in this process."""

    def part() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return part


def run_interleaved(
    parts: Mapping[str, Part], rounds: int, *, warm_up: int = WARM_UP, report: Callable[[int], None] = lambda done: None
) -> dict[str, np.ndarray]:
    """Run every part once a round, each round in an order of its own: nobody is always behind the same neighbour.

    Args:
        parts: by name.
        rounds: how many are timed.
        warm_up: rounds before those, which do not count: what is made at the first call is made by then.
        report: called with the number of rounds done, those of the warm-up among them.

    Returns:
        (rounds,) float64 seconds of each part.
    """
    seconds = {name: np.empty(rounds) for name in parts}
    names, rng = list(parts), np.random.default_rng(0)
    for number in range(warm_up + rounds):
        for name in rng.permutation(names).tolist():
            took = parts[name]()
            if number >= warm_up:
                seconds[name][number - warm_up] = took
        report(number + 1)
    return seconds


def ratio(line: Line, seconds: Mapping[str, np.ndarray]) -> Ratio:
    """Return a line's ratio: median and quartiles of what it was in each round."""
    work = line.work or {}

    def by_work(name: str) -> np.ndarray:
        return seconds[name] / work.get(name, 1.0)

    name = min(line.under, key=lambda under: float(np.median(by_work(under))))
    low, middle, high = np.quantile(by_work(line.over) / by_work(name), (0.25, 0.5, 0.75))
    over, under = (float(np.median(seconds[part])) for part in (line.over, name))
    return Ratio(float(low), float(middle), float(high), over, under, name)


def markdown(lines: Sequence[Line], seconds: Mapping[str, np.ndarray]) -> str:
    """Return the table of the lines."""
    rows = ["| what | ms | against | ms | ratio | aim | |", "|---|---|---|---|---|---|---|"]
    for line in lines:
        if line.missing:
            cells = (line.what, "", line.missing, "", "", _aim(line), "")
        else:
            result = ratio(line, seconds)
            spread = f"{_digits(result.middle)} ({_digits(result.low)} to {_digits(result.high)})"
            reached = _reached(line, result)
            cells = (line.what, _ms(result.over), result.name, _ms(result.under), spread, _aim(line), reached)
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _aim(line: Line) -> str:
    if line.at_most is not None:
        return f"at most {line.at_most:g}"
    return "" if line.at_least is None else f"at least {line.at_least:g}"


def _reached(line: Line, result: Ratio) -> str:
    if line.at_most is None and line.at_least is None:
        return ""
    missed = (line.at_most is not None and result.middle > line.at_most) or (
        line.at_least is not None and result.middle < line.at_least
    )
    return "missed" if missed else "reached"


def _digits(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _ms(seconds: float) -> str:
    milliseconds = 1000 * seconds
    return f"{milliseconds:,.0f}" if milliseconds >= 20 else f"{milliseconds:.2g}"
