"""Patients of each part, and of each two parts those that both hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..model.data_summary import DataSummary
from ..training.splits import PARTS, Split
from .marks import Axis, Cells, Chart, Panel

__all__ = ["PatientsDisplay"]


@dataclass(frozen=True)
class PatientsDisplay:
    """Counted patients, in parts and in two parts at once.

    Attributes:
        patients: of each part.
        shared: of each two parts, in the order of the parts.
        source: from what they were counted, in words.
    """

    patients: dict[str, int]
    shared: dict[tuple[str, str], int]
    source: str

    @classmethod
    def of_summary(cls, summary: DataSummary) -> PatientsDisplay:
        """Take what was counted from the tables when the model was made."""
        return cls(
            {name: part.patients for name, part in summary.parts.items()},
            {(pair.one, pair.other): pair.patients for pair in summary.shared},
            "counted in the tables of the training",
        )

    @classmethod
    def of_split(cls, split: Split) -> PatientsDisplay:
        """Count the patients that a split file lists."""
        named = {part: {patient for patient, of in split.parts.items() if of == part} for part in PARTS}
        named = {part: patients for part, patients in named.items() if patients}
        pairs = [(one, other) for k, one in enumerate(named) for other in list(named)[k + 1 :]]
        return cls(
            {part: len(patients) for part, patients in named.items()},
            {(one, other): len(named[one] & named[other]) for one, other in pairs},
            f"counted in the split file {split.name}, SHA-256 {split.sha256[:12]}",
        )

    def crossing(self) -> dict[tuple[str, str], int]:
        """Return the pairs of a part that learns or chooses and another, which must share no patient, and do."""
        # two sets of test films may be of the same patients: neither has taught anything
        return {pair: n for pair, n in self.shared.items() if n and {"train", "validation"} & set(pair)}

    def table(self) -> pd.DataFrame:
        """Return one row a part with itself, and one for each two parts."""
        rows = [(part, part, number) for part, number in self.patients.items()]
        rows += [(*pair, number) for pair, number in self.shared.items()]
        return pd.DataFrame(rows, columns=["part", "and", "patients"])

    def chart(self) -> Chart:
        """Return a square of cells: on the diagonal the patients of a part, beside it those of two."""
        parts = tuple(self.patients)
        values = np.full((len(parts), len(parts)), np.nan)
        for k, part in enumerate(parts):
            values[k, k] = self.patients[part]
        for (one, other), number in self.shared.items():
            values[parts.index(one), parts.index(other)] = values[parts.index(other), parts.index(one)] = number
        told = "; ".join(f"{one} and {other} share {number:,}" for (one, other), number in self.shared.items())
        own = "; ".join(f"{part} {number:,}" for part, number in self.patients.items())
        words = tuple(tuple("" if v != v else f"{v:,.0f}" for v in row) for row in values)
        cells = Cells(parts, parts, values, words, high=float(max(self.patients.values(), default=1)))
        return Chart(
            "Patients of each part and of two",
            (Panel(Axis(names=parts), Axis(), (cells,) if parts else (), words="" if parts else "No part is known."),),
            alt=f"Table of patients. {own}. {told}.",
            height=90 + 46 * max(2, len(parts)),
            notes=(self.source,),
        )
