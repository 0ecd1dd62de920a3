"""What an entry of the catalogue is: a figure or group of numbers, with its functions, title and places."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from ..formatting import format_counts, format_estimate, format_images, format_p_value
from ..metrics import Estimate
from .outcomes import Outcome
from .run_data import RunData

__all__ = ["Column", "Entry", "Number", "Place"]

Place = Literal["terminal", "export", "report"]


@dataclass(frozen=True)
class Number:
    """One number of a run: a line of the exported CSV.

    Attributes:
        entry: name of the catalogue's entry.
        metric: such as ``auc`` or ``sensitivity``; one of the entry's columns.
        label: empty for a number over all labels.
        group: such as ``view: PA``; empty for all images.
        threshold: of the score, or of the map as a fraction of full colour; None where the number has none.
        estimate: value, interval, counts.
    """

    entry: str
    metric: str
    label: str
    group: str
    threshold: float | None
    estimate: Estimate


@dataclass(frozen=True)
class Column:
    """How a metric is written.

    Attributes:
        heading: of its column.
        percent: written in percent.
        signed: written with its sign.
        p_value: a p-value, which has no interval.
        decimals: digits after the point; by default those of :func:`.formatting.format_estimate`.
        card: also in the model card.
        images: a proportion of images, with their number in place of positive and negative patients.
    """

    heading: str
    percent: bool = False
    signed: bool = False
    p_value: bool = False
    decimals: int | None = None
    card: bool = False
    images: bool = False

    def format(self, estimate: Estimate, counts: Estimate | None = None) -> str:
        """Return a number as it is written everywhere, with ``counts`` as in :func:`.formatting.format_estimate`."""
        if self.p_value:
            return format_p_value(estimate.value, estimate.reason)
        return format_estimate(
            estimate,
            decimals=self.decimals,
            percent=self.percent,
            signed=self.signed,
            counts=counts and self.format_counts(counts),
        )

    def format_counts(self, estimate: Estimate) -> str:
        """Return the number of patients, or of images, behind a number; empty where it is not known."""
        if estimate.counts is None:
            return ""
        return format_images(estimate.counts) if self.images else format_counts(estimate)


@dataclass(frozen=True)
class Entry:
    """A figure or group of numbers.

    Attributes:
        name: unique in the catalogue.
        title: heading of its section wherever it appears.
        columns: metric to its column; empty for a figure without numbers of its own.
        per_label: computes the numbers of one label, by metric; an empty mapping where the label has none.
        per_run: computes numbers over labels, of groups, or at several thresholds.
        display: module and class in :mod:`cxr_core.displays`, such as ``roc.RocDisplay``; has ``of_run(run, label)``;
            empty for no figure.
        every_label: the figure is of one label: a page draws the chosen label, the report draws all.
        page: that shows the figure.
        places: where else the entry appears.
        at_threshold: the numbers of a label are at its operating point.
        absent: message if the run has none of the numbers.
        missing: message for a label without numbers if others have some; if empty, the label is omitted.
        fitted: the numbers depend on thresholds or calibration curves, so that those of an in-sample run are in-sample.
        cross_validated: the numbers are of thresholds and curves that were set on other patients.
        cost: work of the numbers of one label, or of one of ``parts``; of the unit see :data:`.run_data.AUC_WORK`.
        parts: how many parts of about the same work the numbers of ``per_run`` have, where that is not one.
        threshold_rows: the numbers are at several thresholds of a label, a row each; tables list the last label alone.
    """

    name: str
    title: str
    columns: Mapping[str, Column]
    per_label: Callable[[RunData, Outcome], Mapping[str, Estimate]] | None = None
    per_run: Callable[[RunData], Iterable[Number]] | None = None
    display: str = ""
    every_label: bool = False
    page: Literal["evaluation", "subgroups", "readers", "localisation"] = "evaluation"
    places: frozenset[Place] = frozenset({"terminal", "export", "report"})
    at_threshold: bool = False
    absent: str = ""
    missing: str = ""
    threshold_rows: bool = False
    fitted: bool = False
    cross_validated: bool = False
    cost: int = 1
    parts: Callable[[RunData], int] | None = None

    def compute(self, run: RunData) -> Iterator[tuple[Number, ...]]:
        """Yield the numbers of each label, then those of the run."""
        by_label = run.map(partial(self.per_label, run), run.outcomes.values()) if self.per_label else ()
        for label, estimates in zip(run.outcomes, by_label, strict=False):
            # any finding is above where any label is: it has no threshold of its own
            threshold = run.record.thresholds.get(label) if self.at_threshold else None
            yield tuple(
                Number(self.name, metric, label, "", threshold, estimate) for metric, estimate in estimates.items()
            )
        if self.per_run is not None:
            yield tuple(self.per_run(run))

    def work(self, run: RunData) -> int:
        """Return the work of :meth:`compute`: of each label, then of the run."""
        labels = len(run.outcomes) if self.per_label else 0
        parts = 0 if self.per_run is None else 1 if self.parts is None else self.parts(run)
        return self.cost * (labels + parts)
