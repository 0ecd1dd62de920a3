"""What the command ``doctor`` reports: what is set, installed, reachable, writable or verified, one result each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ..errors import CxrError

__all__ = ["SCHEMA", "Area", "CheckResult", "State", "diagnose", "report", "worst"]

SCHEMA = 1

State = Literal["ok", "warning", "failed"]
"""``warning``: it works now, but something should be done; ``failed``: something does not work."""

_STATES: tuple[State, ...] = ("ok", "warning", "failed")

Area = Callable[[], Iterable["CheckResult"]]
"""Makes the checks of one area; CxrError counts as a failed one."""


@dataclass(frozen=True)
class CheckResult:
    """Result of one check.

    Attributes:
        name: what was checked.
        state: the verdict.
        text: what was found, one line.
        action: what to do, one line; empty where nothing is to be done.
    """

    name: str
    state: State
    text: str
    action: str = ""


def diagnose(areas: Mapping[str, Area]) -> Iterator[tuple[str, CheckResult]]:
    """Make the checks of all areas, each as it is asked for, and yield (area, result)."""
    for area, checks in areas.items():
        try:
            for result in checks():
                yield area, result
        except CxrError as error:
            text, _, action = str(error).partition(". ")
            yield area, CheckResult(area, "failed", text, action)
        except Exception as error:
            # its message may quote anything
            yield (
                area,
                CheckResult(area, "failed", f"the check itself failed ({type(error).__name__})", "Please report it."),
            )


def worst(results: Iterable[CheckResult]) -> State:
    """Return the worst state of some results; ``ok`` of none."""
    return max((result.state for result in results), key=_STATES.index, default="ok")


def report(results: Iterable[tuple[str, CheckResult]]) -> dict[str, Any]:
    """Return the results as an object for JSON."""
    rows = list(results)
    return {
        "schema": SCHEMA,
        "state": worst(result for _, result in rows),
        "checks": [{"area": area, **asdict(result)} for area, result in rows],
    }
