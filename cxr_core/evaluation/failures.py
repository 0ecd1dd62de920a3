"""The films that a model got most wrong: positives with the lowest score, negatives with the highest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Failures", "worst_failures"]


@dataclass(frozen=True, eq=False)
class Failures:
    """Rows of the worst films of one class, the worst first.

    Attributes:
        misses: (k,) intp, of positive films, by rising score.
        false_alarms: (k,) intp, of negative films, by falling score.
    """

    misses: NDArray[np.intp]
    false_alarms: NDArray[np.intp]


def worst_failures(truth: NDArray[np.bool_], scores: NDArray[np.float64], most: int) -> Failures:
    """Return the worst films of each kind, whatever the operating point: films of one score in their order.

    Args:
        truth: (n,) bool, who is positive.
        scores: (n,) float64.
        most: so many of each kind, or as many as there are.
    """
    order = np.argsort(scores, kind="stable")
    falling = np.argsort(-scores, kind="stable")
    return Failures(order[truth[order]][:most], falling[~truth[falling]][:most])
