"""Age, sex and view of the images of each split, and patient overlap between splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from ..datasets.splits import SUBSETS, Split
from ..labels import MAX_AGE
from ..model.training_record import AGE_EDGES, DataSummary, PartSummary
from .labels import split_colours
from .marks import Axis, Bars, Cells, Chart, Line, Panel

__all__ = [
    "AgeDisplay",
    "PatientOverlapDisplay",
    "SexAndViewDisplay",
]


UNKNOWN = "not known"

_FIELDS = {"sex": "sexes", "view": "views"}
"""Characteristic to field of a split's summary."""

_BINS = (*(f"{low} to {low + 4} years" for low in AGE_EDGES[:-2]), f"{AGE_EDGES[-2]} years and over")


@dataclass(frozen=True)
class AgeDisplay:
    """Images by age.

    Attributes:
        splits: summary of each split, by name.
        comparison: name of the split that is another data set, for comparison; or empty.
    """

    splits: Mapping[str, PartSummary]
    comparison: str = ""

    def table(self) -> pd.DataFrame:
        """Return one row per split and age bin, then the images with an implausible and with an unknown age."""
        rows = []
        for name, split in self.splits.items():
            for k, images in enumerate(split.ages.images):
                proportion = images / (sum(split.ages.images) or np.nan)
                rows.append((name, *AGE_EDGES[k : k + 2], images, proportion, ""))
            rows.append((name, MAX_AGE, None, split.ages.beyond, None, "implausible"))
            rows.append((name, None, None, split.ages.unknown, None, UNKNOWN))
        return pd.DataFrame(rows, columns=["split", "from_years", "to_under_years", "images", "proportion", "note"])

    def chart(self) -> Chart:
        """Return a histogram line per split: the proportion of its images in each five-year bin."""
        # the last bin, 90 and over, is drawn as wide as the others
        start = np.array([*AGE_EDGES[:-1], 2 * AGE_EDGES[-2] - AGE_EDGES[-3]], dtype=np.float64)
        lines, texts = [], []
        for (name, split), colour in zip(self.splits.items(), split_colours(self.splits, self.comparison), strict=True):
            images = np.array([*split.ages.images, 0])
            if not images.any():
                continue
            proportions = images / images.sum()
            hover = tuple(
                f"{name}, {ages}: {count:,} images, {proportion:.1%}"
                for ages, count, proportion in zip((*_BINS, ""), images, proportions, strict=True)
            )
            line = Line(start, proportions, name, colour, hover=hover, steps=True)
            lines.append(replace(line, dash="dash") if name == self.comparison else line)
            median = _BINS[np.searchsorted(np.cumsum(images), images.sum() / 2)]
            texts.append(f"{name}: {images.sum():,} images, median {median}")
        return Chart(
            "Age",
            (
                Panel(
                    Axis("years; the last step is 90 and over", 0, float(start[-1])),
                    Axis("proportion of images", percent=True),
                    tuple(lines),
                    message="" if lines else "No age is known.",
                ),
            ),
            alt=f"Histogram of ages. {'; '.join(texts)}." if texts else "No age is known.",
            height=300,
            notes=self.excluded(),
        )

    def excluded(self) -> tuple[str, ...]:
        """Return notes on the images that are not drawn, because their age is unknown or implausible."""
        notes = []
        for name, split in self.splits.items():
            if split.ages.unknown:
                notes.append(f"age {UNKNOWN}: {name}, {split.ages.unknown:,} images")
            if split.ages.beyond:
                notes.append(f"age above {MAX_AGE}, which is implausible: {name}, {split.ages.beyond:,} images")
        return tuple(notes)


@dataclass(frozen=True)
class SexAndViewDisplay:
    """Images by sex and by view; attributes as of :class:`AgeDisplay`."""

    splits: Mapping[str, PartSummary]
    comparison: str = ""

    def table(self) -> pd.DataFrame:
        """Return one row per split and value."""
        rows = [
            (name, characteristic, value or UNKNOWN, images, images / split.images)
            for characteristic, field in _FIELDS.items()
            for name, split in self.splits.items()
            for value, images in getattr(split, field).items()
        ]
        return pd.DataFrame(rows, columns=["split", "characteristic", "value", "images", "proportion"])

    def excluded(self) -> tuple[str, ...]:
        """Return notes on the splits that are not drawn, because their sexes or views are unknown."""
        return tuple(
            f"{characteristic} {UNKNOWN}: {name}, {split.images:,} images"
            for characteristic, field in _FIELDS.items()
            for name, split in self.splits.items()
            if set(getattr(split, field)) == {""}
        )

    def chart(self) -> Chart:
        """Return a panel of sex and one of view: the proportion of the images of each split."""
        text = "; ".join(f"{row.split}: {row.value} {row.images:,} images" for row in self.table().itertuples())
        return Chart(
            "Sex and view",
            tuple(map(self._panel, _FIELDS)),
            alt=f"Bars of images by sex and view. {text}.",
            columns=2,
            same_rows=True,
            height=300,
            notes=self.excluded(),
        )

    def _panel(self, characteristic: str) -> Panel:
        counts = {name: getattr(split, _FIELDS[characteristic]) for name, split in self.splits.items()}
        known = {name: images for name, images in counts.items() if set(images) - {""}}
        # unknown values last
        values = sorted({value for images in known.values() for value in images}, key=lambda value: (not value, value))
        names = tuple(value or UNKNOWN for value in values)
        bars = []
        for name, colour in zip(self.splits, split_colours(self.splits, self.comparison), strict=True):
            if name not in known:
                continue
            images = [known[name].get(value, 0) for value in values]
            proportions = np.array(images) / self.splits[name].images
            hover = tuple(
                f"{name}, {value}: {count:,} images, {proportion:.1%}"
                for value, count, proportion in zip(names, images, proportions, strict=True)
            )
            bars.append(Bars(names, proportions, name, colour, hover))
        y = Axis("proportion of images" if characteristic == "sex" else "", 0, 1, percent=True)
        message = "" if bars else f"No {characteristic} is known."
        return Panel(Axis(characteristic, names=names), y, tuple(bars), message=message)


@dataclass(frozen=True)
class PatientOverlapDisplay:
    """Patients per split, and patient overlap between splits.

    Attributes:
        patients: number of each split.
        shared: number by pair of splits, in their order.
        source: where the counts are from.
    """

    patients: dict[str, int]
    shared: dict[tuple[str, str], int]
    source: str

    @classmethod
    def of_summary(cls, summary: DataSummary) -> PatientOverlapDisplay:
        """Take the counts of the training tables from a model card."""
        return cls(
            {name: split.patients for name, split in summary.parts.items()},
            {(pair.one, pair.other): pair.patients for pair in summary.shared},
            "counted in the training tables",
        )

    @classmethod
    def of_split(cls, split: Split) -> PatientOverlapDisplay:
        """Count the patients that a split file lists."""
        subsets = {name: {patient for patient, subset in split.subsets.items() if subset == name} for name in SUBSETS}
        subsets = {name: patients for name, patients in subsets.items() if patients}
        return cls(
            {name: len(patients) for name, patients in subsets.items()},
            {(one, other): len(subsets[one] & subsets[other]) for one, other in combinations(subsets, 2)},
            f"counted in the split file {split.name}, SHA-256 {split.sha256[:12]}",
        )

    def leakage(self) -> dict[tuple[str, str], int]:
        """Return the overlaps of the training or validation split with another split."""
        # two test sets may share patients, because no choice was made on either
        return {pair: n for pair, n in self.shared.items() if n and {"train", "validation"} & set(pair)}

    def table(self) -> pd.DataFrame:
        """Return one row per split and one per pair of splits."""
        rows = [(split, split, number) for split, number in self.patients.items()]
        rows += [(*pair, number) for pair, number in self.shared.items()]
        return pd.DataFrame(rows, columns=["split", "other_split", "patients"])

    def chart(self) -> Chart:
        """Return a matrix: patients of each split on the diagonal, overlaps off the diagonal."""
        names = tuple(self.patients)
        values = np.full((len(names), len(names)), np.nan)
        np.fill_diagonal(values, list(self.patients.values()))
        for (one, other), number in self.shared.items():
            values[names.index(one), names.index(other)] = values[names.index(other), names.index(one)] = number
        totals = "; ".join(f"{name} {number:,}" for name, number in self.patients.items())
        overlaps = "; ".join(f"{one} and {other} share {number:,}" for (one, other), number in self.shared.items())
        text = tuple(tuple("" if np.isnan(value) else f"{value:,.0f}" for value in row) for row in values)
        cells = Cells(names, names, values, text, high=float(max(self.patients.values(), default=1)))
        marks, message = ((cells,), "") if names else ((), "No split is known.")
        return Chart(
            "Patient overlap between splits",
            (Panel(Axis(names=names), Axis(), marks, message=message),),
            alt=f"Table of patients. {totals}. {overlaps}.",
            height=90 + 46 * max(2, len(names)),
            notes=(self.source,),
        )
