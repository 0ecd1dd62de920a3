"""Where the heat maps point, as a model's card records it: hit rate and overlap of each label beside two baselines."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from ..estimate import Estimate
from ..formatting import format_estimate
from ..labels import display_name

__all__ = [
    "ALL_BOXES",
    "AVERAGE",
    "CENTRE",
    "CHEST",
    "HEART",
    "UNIFORM",
    "BaselineResult",
    "LabelLocalisation",
    "LocalisationTable",
    "MapMeasure",
    "describe_map",
    "describe_maps",
    "format_boxed_images",
    "table_of_label",
]

ALL_BOXES = "All boxed labels"
"""Stands for a label: the boxes of all labels together."""

SIGNIFICANT = 0.05
"""Adjusted p-value from which on a map is not shown to beat a baseline."""

CENTRE = "image centre"
AVERAGE = "average map"
UNIFORM = "uniform map"
"""Names of the baselines: the centre of the image, the average of the label's maps of other patients, equal cells."""

HEART, CHEST = "heart masks", "chest masks"
"""Sources that are masks of organs."""

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class BaselineResult:
    """A measure of a baseline, and the measure of the maps minus it, on the same images.

    Attributes:
        value: of the baseline.
        difference: maps minus baseline, with its interval.
        p_value: two-sided, by random signs of the patients' differences, adjusted by Holm's method for the labels of
            the table (not over all boxes together); None where there is no test.
    """

    value: Estimate
    difference: Estimate
    p_value: float | None = None

    @property
    def p_estimate(self) -> Estimate:
        """The p-value with the counts of the difference, or the reason why there is none."""
        if self.p_value is None:
            return Estimate.missing(self.difference.reason or "no test", self.difference.counts)
        return Estimate(self.p_value, counts=self.difference.counts)


@dataclass(frozen=True, config=_STRICT)
class MapMeasure:
    """A measure of the maps of one label, and its baselines by name."""

    value: Estimate
    baselines: dict[str, BaselineResult]

    def beats(self, baseline: str) -> bool | None:
        """Return whether the difference is shown to be above 0; None where there is no difference.

        Both must say so: the interval, and the test with its adjustment for the labels. With few patients the interval
        alone says it too often.
        """
        result = self.baselines.get(baseline)
        if result is None or result.difference.value is None:
            return None
        if result.p_value is not None and result.p_value >= SIGNIFICANT:
            return False
        # without an interval every patient has the same difference
        return (result.difference.value if result.difference.low is None else result.difference.low) > 0


@dataclass(frozen=True, config=_STRICT)
class LabelLocalisation:
    """The maps of one label against boxes or masks of readers.

    Attributes:
        images, patients, boxes: with a box of the label, and the number of boxes; over all labels an image counts once
            for each label that has a box on it.
        blank_maps: images whose map has no activation; they count as misses.
        hit_rate: proportion of images whose strongest cell has its centre in a box (pointing game).
        mean_overlap: mean intersection over union (mIoU) at the threshold that is best on the other patients.
        inside: mean proportion of the map's sum in the boxes, of the images whose map has activation; None where there
            is none, or the run did not keep it.
    """

    images: int
    patients: int
    boxes: int
    blank_maps: int
    hit_rate: MapMeasure
    mean_overlap: MapMeasure
    inside: MapMeasure | None = None

    @property
    def enough(self) -> bool:
        """Whether there are enough patients for a hit rate beside that of the image centre."""
        return self.hit_rate.value.value is not None and self.hit_rate.baselines[CENTRE].difference.value is not None


@dataclass(frozen=True, config=_STRICT)
class LocalisationTable:
    """The labels of one source of boxes, on images that the model was not trained on.

    Attributes:
        weights_sha256: of the ``model.keras`` that was measured.
        source: of the boxes, in short.
        description: what the boxes are and who drew them.
        same_label: whether a box is of the label itself; False for boxes of any lung opacity.
        images: description of the images.
        data: names of the data sets or folders.
        split, split_sha256: of the patients; empty without a split.
        number_of_images, number_of_patients: with a box of any label.
        interval: how intervals and p-values were made.
        per_label: by label; :data:`ALL_BOXES` over all of them.
    """

    weights_sha256: str
    source: str
    description: str
    same_label: bool
    images: str
    data: tuple[str, ...]
    split: str
    split_sha256: str
    number_of_images: int
    number_of_patients: int
    interval: str
    per_label: dict[str, LabelLocalisation]

    @property
    def speaks(self) -> bool:
        """Whether the boxes say where a finding is; masks of the whole chest do not."""
        return self.source != CHEST

    @property
    def boxed_images(self) -> str:
        """The images of the table in a sentence, after their number."""
        return {"RSNA": "images with boxes of lung opacity", HEART: "images with a mask of the heart"}.get(
            self.source, "boxed images"
        )


def table_of_label(
    tables: Sequence[LocalisationTable], label: str
) -> tuple[LocalisationTable, LabelLocalisation] | None:
    """Return the table that speaks of a label's map, and its row; None where none has a box for the label.

    Tables with enough patients come first, then boxes of the label itself before boxes of any opacity or masks of an
    organ; of several tables the one with the most images.
    """
    rows = [(table, table.per_label[label]) for table in tables if label in table.per_label and table.speaks]
    return max(rows, key=lambda row: (row[1].enough, row[0].same_label, row[1].images), default=None)


def format_boxed_images(label: str, images: int) -> str:
    """Return the number of images with a box of a label; over all labels they are pairs of an image and a label.

    >>> format_boxed_images("Mass", 13), format_boxed_images(ALL_BOXES, 953)
    ('13', '953 pairs')
    """
    return f"{images:,}" + (" pairs" if label == ALL_BOXES else "")


def describe_map(tables: Sequence[LocalisationTable], label: str) -> str:
    """Return what must stand under a label's map: that it was no better than the image centre, or is not known.

    Empty where its hit rate was shown to be higher (:meth:`MapMeasure.beats`), and for a model without such
    measurements.
    """
    if not tables:
        return ""
    chosen = table_of_label(tables, label)
    if chosen is None:
        return "There are no boxes of this label: where this map points was not measured."
    table, row = chosen
    images = f"{row.images:,} {table.boxed_images}"
    centre = row.hit_rate.baselines[CENTRE]
    if not row.enough:
        patients = "1 patient" if row.patients == 1 else f"{row.patients:,} patients"
        return f"Too few cases to tell whether this map points to the finding: boxes in images of {patients}."
    if row.hit_rate.beats(CENTRE):
        return ""
    rates = (format_estimate(one, percent=True, decimals=0) for one in (row.hit_rate.value, centre.value))
    gain = centre.difference.value
    shown = "no better" if gain is None or gain <= 0 else "not shown to be better"
    return "On {} this map was {} than the image centre: hit rate {}, centre {}.".format(images, shown, *rates)


def describe_maps(tables: Sequence[LocalisationTable], labels: Sequence[str]) -> str:
    """Return in one sentence which of several labels' maps were no better than the image centre, or are not known."""
    if not tables:
        return ""
    chosen = {label: table_of_label(tables, label) for label in labels}
    images = {label: 0 if row is None else row[1].images for label, row in chosen.items()}
    unproven = [f"{display_name(label)} ({images[label]:,})" for label in labels if describe_map(tables, label)]
    if not unproven:
        return ""
    return f"Maps not shown to be better than the image centre, with boxed images: {', '.join(unproven)}."
