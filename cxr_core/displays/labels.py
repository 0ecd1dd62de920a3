"""Label counts per split, and label co-occurrence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..estimate import Counts
from ..labels import display_name, name_in_sentence
from ..model.training_record import PartSummary
from .marks import GREY, PALETTE, Axis, Bars, Cells, Chart, Panel

__all__ = [
    "LabelCooccurrenceDisplay",
    "LabelCountsDisplay",
    "split_colours",
]


@dataclass(frozen=True)
class LabelCountsDisplay:
    """Positive and negative images and patients per label and split.

    Attributes:
        counts: by split and label.
        comparison: name of the split that is another data set, for comparison; or empty.
    """

    counts: Mapping[str, Mapping[str, Counts]]
    comparison: str = ""

    def table(self) -> pd.DataFrame:
        """Return one row per split and label."""
        columns = ["split", "label", "positive_images", "negative_images", "positive_patients", "negative_patients"]
        rows = [
            (split, label, *(getattr(counts, name) for name in columns[2:]))
            for split, labels in self.counts.items()
            for label, counts in labels.items()
        ]
        return pd.DataFrame(rows, columns=columns)

    def chart(self) -> Chart:
        """Return a panel of images and one of patients, the most frequent label first."""
        first = next(iter(self.counts.values()), {})
        order = sorted(first, key=lambda label: -first[label].positive_images)
        text = "; ".join(
            f"{display_name(label)} "
            + ", ".join(
                f"{counts[label].positive_images:,} {name}" for name, counts in self.counts.items() if label in counts
            )
            for label in order
        )
        return Chart(
            "Positive images and patients per label",
            (self._panel(order, "images"), self._panel(order, "patients")),
            alt=f"Bars of positive images per label and split, on a logarithmic axis. {text}.",
            height=260,
            notes=("a patient is positive if any image is",),
        )

    def _panel(self, order: list[str], unit: str) -> Panel:
        names = tuple(display_name(label) for label in order)
        bars, highest = [], 1
        for (split, counts), colour in zip(
            self.counts.items(), split_colours(self.counts, self.comparison), strict=True
        ):
            positives = [getattr(counts[label], f"positive_{unit}") if label in counts else 0 for label in order]
            highest = max([highest, *positives])
            hover = tuple(f"{name}, {split}: {count:,} {unit}" for name, count in zip(names, positives, strict=True))
            bars.append(Bars(names, np.array(positives, dtype=np.float64), split, colour, hover))
        # starts at 0.5, so that a count of 1 is visible
        axis = Axis(f"positive {unit}", 0.5, 2.0 * highest, log=True)
        marks, message = (tuple(bars), "") if order else ((), "The model card has no label counts.")
        return Panel(Axis(names=names, hide_ticks=unit == "images"), axis, marks, message=message)


def split_colours(splits: Iterable[str], comparison: str = "") -> tuple[str, ...]:
    """Return a colour per split, the same in all figures; a data set for comparison is grey."""
    palette = iter(PALETTE)
    return tuple(GREY if split == comparison else next(palette, GREY) for split in splits)


@dataclass(frozen=True)
class LabelCooccurrenceDisplay:
    """Label co-occurrence in one split."""

    split: str
    summary: PartSummary

    def table(self) -> pd.DataFrame:
        """Return one row per pair of labels, and one per label for its images without any other label."""
        labels, together = list(self.summary.per_label), self.summary.together
        rows = []
        for a, label in enumerate(labels):
            for b, other in enumerate(labels):
                images = self.summary.alone[a] if a == b else together[a][b]
                rows.append((label, "no other label" if a == b else other, images, together[a][a]))
        frame = pd.DataFrame(rows, columns=["label", "other_label", "images", "images_of_label"])
        frame["proportion"] = frame["images"] / frame["images_of_label"].where(frame["images_of_label"] > 0)
        return frame

    def chart(self) -> Chart:
        """Return a cell per pair of labels: the proportion of the row's images that also have the column's label.

        Cells hold percentages; counts are in the row names, in the tooltips and in the table.
        """
        labels = tuple(display_name(label) for label in self.summary.per_label)
        lowered = tuple(map(name_in_sentence, labels))
        images = np.array(self.summary.together, dtype=np.float64)
        totals = images.diagonal().copy()
        np.fill_diagonal(images, self.summary.alone)
        proportions = np.divide(images, totals[:, None], out=np.full_like(images, np.nan), where=totals[:, None] > 0)
        known = proportions[~np.isnan(proportions)]
        cells = Cells(
            labels,
            tuple(f"{label} ({count:,.0f})" for label, count in zip(labels, totals, strict=True)),
            proportions,
            tuple(tuple(map(_percent, *rows)) for rows in zip(images, proportions, strict=True)),
            tuple(
                tuple(
                    f"{label}, {'alone' if a == b else lowered[b]}: {count:,.0f} of {total:,.0f} images"
                    for b, count in enumerate(row)
                )
                for a, (label, row, total) in enumerate(zip(labels, images, totals, strict=True))
            ),
            high=float(known.max()) if known.size and known.max() > 0 else 1.0,
        )
        pairs = sorted(
            ((images[a, b], a, b) for a in range(len(labels)) for b in range(a) if images[a, b]), reverse=True
        )
        table = [
            (
                f"{labels[b]} and {lowered[a]}",
                f"{n:,.0f}",
                f"{n / totals[b]:.0%} and {n / totals[a]:.0%}",
            )
            for n, a, b in pairs[:12]
        ]
        return Chart(
            f"Label co-occurrence: {self.split}",
            (Panel(Axis(names=labels), Axis(), (cells,)),),
            alt=f"Matrix of label co-occurrence, {self.summary.images:,} images of {self.split}. Most frequent pairs: "
            + "; ".join(f"{names} {count} images" for names, count, _ in table[:5])
            + ".",
            height=470,
            caption="Percentage of the images with the row's label (number in parentheses) that also have the column's "
            "label; on the diagonal, that have no other label.",
            table_rows=(("most frequent pairs", "images", "proportion of each label"), *table),
        )


def _percent(images: float, proportion: float) -> str:
    if np.isnan(proportion):
        return ""
    return "<1" if images > 0 and proportion < 0.005 else f"{100 * proportion:.0f}"
