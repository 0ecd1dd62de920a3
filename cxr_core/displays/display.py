"""What every display is: numbers from a run, as a table and as a chart of the same numbers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.words import counts_words, estimate_words
from ..metrics import Estimate
from .marks import Chart

__all__ = ["Display", "counts_words", "estimate_columns", "estimate_words", "limits", "words_of"]


class Display(Protocol):
    """Computed once from a run or a card; drawn by :mod:`.screen` and :mod:`.paper`."""

    def table(self) -> pd.DataFrame:
        """Return every number of the figure, with counts, intervals and reasons: what a CSV of it holds."""

    def chart(self) -> Chart:
        """Return what is drawn."""


def estimate_columns(estimate: Estimate, prefix: str = "") -> dict[str, object]:
    """Return an Estimate as columns of a table: value, low, high, counts, reason, method."""
    return {
        f"{prefix}value": estimate.value,
        f"{prefix}low": estimate.low,
        f"{prefix}high": estimate.high,
        f"{prefix}positives": estimate.positives,
        f"{prefix}negatives": estimate.negatives,
        f"{prefix}positive_patients": estimate.positive_patients,
        f"{prefix}negative_patients": estimate.negative_patients,
        f"{prefix}reason": estimate.reason,
        f"{prefix}method": estimate.method,
    }


def limits(estimates: list[Estimate]) -> dict[str, NDArray[np.float64]]:
    """Return low and high of estimates for a mark, (k,) each; NaN where there is no interval."""

    def end(estimate: Estimate, name: str) -> float:
        number = getattr(estimate, name)
        return number if number is not None else np.nan

    return {name: np.array([end(e, name) for e in estimates], dtype=np.float64) for name in ("low", "high")}


def words_of(name: str, estimate: Estimate, *, percent: bool = False) -> str:
    """Return what a pointer is told of a number."""
    counts = "" if estimate.positive_patients is None else f"<br>{counts_words(estimate)}"
    return f"{name}: {estimate_words(estimate, percent=percent)}{counts}"
