"""What a reporting checklist is filled from: a model card, and the numbers of that model's runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import WrongArguments
from ..estimate import Estimate
from ..evaluation import ANY_FINDING, RunSummary, summary_of
from ..model import ModelCard
from ..model.card import MetricTable, OperatingPoint
from ..store import RunStore, StoredRun

__all__ = ["Evidence", "Measured", "runs_of_model"]

_COMMON_WORDS = {
    "all", "and", "any", "chest", "data", "for", "from", "hash", "images", "labels", "not", "part", "published", "ray",
    "set", "test", "the", "training", "validation", "verified", "weights", "with", "xray",
}  # fmt: skip
"""Words in names of data sets that do not name a source."""


@dataclass(frozen=True)
class Measured:
    """AUCs of one model on one set of images against one reference standard, from the card or from a run.

    Attributes:
        data: names of the data sets, or what the card calls the images.
        number: of images; None where it is not known.
        images: which and how many, and what a run must state of them, such as ``images possibly seen in training``.
        reference: reference standard.
        source: where the numbers are stored, such as ``card: metrics`` or ``run ID``.
        interval: how the intervals were made, as text.
        auc: by label.
        group: of the images, such as ``PA images``; empty for all.
        sensitivity, specificity: by label at the run's operating point; empty where the source has none, and where the
            thresholds were set on the same part of the data.
        groups: AUC of any finding by group, such as ``sex: F``.
    """

    data: str
    number: int | None
    images: str
    reference: str
    source: str
    interval: str
    auc: dict[str, Estimate]
    group: str = ""
    sensitivity: dict[str, Estimate] = field(default_factory=dict)
    specificity: dict[str, Estimate] = field(default_factory=dict)
    groups: dict[str, Estimate] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Data set, group of images and reference standard."""
        return f"{self.data}{self.group and f', {self.group}'} ({self.reference})"

    @property
    def labels(self) -> dict[str, Estimate]:
        """AUC of each label, without that of any finding."""
        return {label: auc for label, auc in self.auc.items() if label != ANY_FINDING}


@dataclass(frozen=True, eq=False)
class Evidence:
    """A model card and runs of its weights; see :func:`runs_of_model`."""

    card: ModelCard
    runs: tuple[RunSummary, ...] = ()

    @classmethod
    def of_runs(
        cls, card: ModelCard, runs: Iterable[StoredRun], summary: Callable[[StoredRun, str], RunSummary] = summary_of
    ) -> Evidence:
        """Return the card with the numbers of runs, against each of their reference standards."""
        return cls(card, tuple(summary(run, reference) for run in runs for reference in run.record.references))

    @cached_property
    def measured(self) -> tuple[Measured, ...]:
        """Tables of AUCs of the card, then those of the runs; on the same images only the run's, which say more."""
        runs = tuple(_of_run(run) for run in self.runs if not run.record.selection)
        in_runs = {(run.data, run.group, run.reference, run.number) for run in runs}
        tables = (_of_table(table) for table in self.card.metrics if table.metric == "AUC")
        return (*(t for t in tables if (t.data, t.group, t.reference, t.number) not in in_runs), *runs)

    @property
    def whole(self) -> tuple[Measured, ...]:
        """Those of all images of a data set, not of a group."""
        return tuple(measured for measured in self.measured if not measured.group)

    @property
    def point(self) -> OperatingPoint | None:
        """The default operating point, or the card's first; None where it has none."""
        points = self.card.operating_points
        return points.get("default") or next(iter(points.values()), None)

    def statements(self, pattern: str) -> tuple[str, ...]:
        """Return the limits and caveats of the card in which a regular expression is found, case ignored."""
        texts = (*self.card.limits, *(f"{label}: {text}" for label, text in self.card.caveats.items()))
        return tuple(text for text in texts if re.search(pattern, text, re.IGNORECASE))

    def shares_source(self, data: str) -> bool:
        """Return whether the name of a data set has a word in common with one that the card was trained on.

        Such as ``nih`` in ``nih_expert`` and ``nih_128``: names are all that is known of where images come from.
        """
        return bool(_words([data]) & _words(self.card.training.datasets))


def runs_of_model(store: RunStore, card: ModelCard, names: Sequence[str] = ()) -> tuple[StoredRun, ...]:
    """Return the runs of a model's weights: all of them, or those named.

    Args:
        store: of the runs.
        card: of the model.
        names: ids of runs, or the beginnings of them.

    Raises:
        WrongArguments: a name is not that of a run, or names a run of other weights.
    """
    if not names:
        # a run whose files are gone is in the list of runs, and has no numbers
        return tuple(r for r in store.list() if r.record.model_sha256 == card.weights_sha256 and r.is_there())
    runs = tuple(store.get(name) for name in names)
    for run in runs:
        if run.record.model_sha256 != card.weights_sha256:
            raise WrongArguments(f"Run {run.record.id}: made with other weights than those of {card.id}.")
    return runs


def _of_table(table: MetricTable) -> Measured:
    data, _, last = table.name.rpartition(", ")
    data, group = (data, last) if data and last.endswith(" images") else (table.name, "")
    images = table.images
    if table.number_of_images is not None and table.number_of_patients is not None:
        images = f"{table.number_of_images:,} {images} ({table.number_of_patients:,} patients)"
    return Measured(
        data, table.number_of_images, images, table.reference, "card: metrics", table.interval, table.per_label, group
    )


def _of_run(summary: RunSummary) -> Measured:
    record = summary.record
    held_out = record.part not in ("train", "validation", "held-out")
    return Measured(
        data=", ".join(record.data),
        number=record.images,
        images=f"{record.images:,} images of {record.patients:,} patients ({'; '.join((record.part, *summary.notes))})",
        reference=summary.reference,
        source=f"run {record.id}",
        interval="95 % CI (patient bootstrap, or clustered by patient where cases are few)",
        auc=summary.auc,
        sensitivity=summary.by_label("sensitivity") if held_out else {},
        specificity=summary.by_label("specificity") if held_out else {},
        groups={n.group: n.estimate for n in summary.numbers if n.entry == "groups"},
    )


def _words(names: Iterable[str]) -> set[str]:
    words = {word for name in names for word in re.findall(r"[a-z]{3,}", name.lower())}
    return words - _COMMON_WORDS
