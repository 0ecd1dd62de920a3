"""Opinions of readers beside the states of a model: the table of them, and which of them stand behind which number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["CONCORDANCE_BASES", "Opinions", "Uncertain", "opinions_behind", "shown_states", "values_of"]

Uncertain = Literal["excluded", "present", "absent"]
"""How an uncertain opinion counts in agreement, kappa, disagreements and accuracy."""

_OPINIONS = {"absent": 0.0, "uncertain": 0.5, "present": 1.0, "": np.nan}
_STATES = {"below": 0.0, "above": 1.0, "": np.nan}


CONCORDANCE_BASES = {
    "uncertain": "stated",
    "agreement": "decided",
    "kappa": "decided",
    "reader_only": "decided",
    "model_only": "decided",
    "changed": "both",
    "toward": "both",
    "away": "both",
    "sensitivity": "positive",
    "specificity": "negative",
}
"""Which opinions of :func:`opinions_behind` stand behind each number of a :class:`.Concordance`."""


@dataclass(frozen=True, eq=False)
class Opinions:
    """Opinions of readers, one row for each label of each read.

    Attributes:
        patient, reader, label, month: (n,) strings; a month such as ``"2026-11"``.
        above: (n,) bool, whether the model's finding is at or above its threshold. Labels that are not evaluated have
            no state and no row.
        first: (n,) ``"present"``, ``"absent"``, ``"uncertain"``, or ``""`` where the model was revealed before there
            was an opinion.
        final: (n,) the same after reveal; ``""`` where the read was not finished.
        reference: (n,) ``"present"``, ``"absent"``, or ``""`` where there is no reference standard.
        shown: (n,) ``"above"``, ``"below"`` or ``""`` for no state: what the model stated when the final opinion was
            given, such as at another operating point; by default as ``above``.

    Raises:
        ValueError: for other shapes or values.
    """

    patient: NDArray[np.str_]
    reader: NDArray[np.str_]
    label: NDArray[np.str_]
    month: NDArray[np.str_]
    above: NDArray[np.bool_]
    first: NDArray[np.str_]
    final: NDArray[np.str_]
    reference: NDArray[np.str_]
    shown: NDArray[np.str_] = field(default_factory=lambda: np.array([], dtype=np.str_))

    def __post_init__(self) -> None:
        """Check shapes and values."""
        if not np.size(self.shown):
            object.__setattr__(self, "shown", np.where(np.asarray(self.above, dtype=bool), "above", "below"))
        for column in fields(self):
            values = np.asarray(getattr(self, column.name), dtype=bool if column.name == "above" else np.str_)
            if values.shape != np.shape(self.patient) or values.ndim != 1:
                raise ValueError(f"{column.name} of shape {values.shape}: one value for each opinion is accepted.")
            object.__setattr__(self, column.name, values)
        for name, accepted in (
            ("first", _OPINIONS), ("final", _OPINIONS), ("reference", ("absent", "present", "")), ("shown", _STATES),
        ):  # fmt: skip
            if not np.isin(getattr(self, name), list(accepted)).all():
                raise ValueError(f"{name} has other values than {', '.join(map(repr, accepted))}.")

    def __len__(self) -> int:
        """Return the number of opinions."""
        return len(self.patient)

    def rows(self, chosen: ArrayLike) -> Opinions:
        """Return some of the opinions, by a (n,) bool or by numbers."""
        return Opinions(*(getattr(self, column.name)[np.asarray(chosen)] for column in fields(self)))


def opinions_behind(opinions: Opinions, uncertain: Uncertain = "excluded") -> dict[str, NDArray[np.bool_]]:
    """Return which opinions stand behind the numbers of :func:`.concordance`, as :data:`CONCORDANCE_BASES` names them.

    Args:
        opinions, uncertain: as there.

    Returns:
        Each (n,) bool: ``stated``, with a first opinion; ``decided``, with one that counts as present or absent;
        ``both``, with a first and a final one; ``positive`` and ``negative``, decided both times, with a reference.

    Examples:
        >>> first, final = ["uncertain", "present", ""], ["present", "", "absent"]
        >>> table = Opinions(["1", "2", "3"], *[["A"] * 3] * 3, [True] * 3, first, final, [""] * 3)
        >>> {name: rows.tolist() for name, rows in opinions_behind(table).items() if rows.any()}
        {'stated': [True, True, False], 'decided': [False, True, False], 'both': [True, False, False]}
    """
    first, final, before, after = values_of(opinions, uncertain)
    decided = ~np.isnan(before)
    twice = decided & ~np.isnan(after)
    return {
        "stated": ~np.isnan(first),
        "decided": decided,
        "both": ~np.isnan(first) & ~np.isnan(final),
        "positive": twice & (opinions.reference == "present"),
        "negative": twice & (opinions.reference == "absent"),
    }


def values_of(opinions: Opinions, uncertain: Uncertain) -> tuple[NDArray[np.float64], ...]:
    """Return (n,) first and final opinions as numbers, and both as they count in agreement; NaN for none."""
    first, final = (_numbers(words, _OPINIONS) for words in (opinions.first, opinions.final))
    return first, final, _decided(first, uncertain), _decided(final, uncertain)


def shown_states(opinions: Opinions) -> NDArray[np.float64]:
    """Return (n,) 1 where the finding was shown as above, 0 where as below, NaN where it had no state."""
    return _numbers(opinions.shown, _STATES)


def _numbers(words: NDArray[np.str_], values: Mapping[str, float]) -> NDArray[np.float64]:
    numbers = np.full(len(words), np.nan)
    for word, number in values.items():
        numbers[words == word] = number
    return numbers


def _decided(opinions: NDArray[np.float64], uncertain: Uncertain) -> NDArray[np.float64]:
    """Return (n,) 1 for present, 0 for absent, NaN for none or where it is excluded."""
    counted = {"excluded": np.nan, "present": 1.0, "absent": 0.0}[uncertain]
    return np.where(opinions == 0.5, counted, opinions)
