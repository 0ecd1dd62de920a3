"""The data from which the numbers of a run are computed: predictions, outcomes, groups and boxes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..metrics import UNKNOWN, BootstrapOptions, Estimate, LabelNoise, age_bands, auc_of_subsets
from ..store import Predictions, RunRecord
from .boxes import BoxNumbers
from .in_sample import CrossValidation
from .outcomes import ANY_FINDING, Outcome, outcomes_of
from .reader_numbers import ReaderNumbers, label_noise_of, reader_numbers

__all__ = ["AUC_WORK", "READERS_WORK", "RunData"]

AUC_WORK, READERS_WORK = 15, 28
"""Of one AUC, and of the readers of one label: hundredths of a processor's second with 112,120 images and five readers,
as is all work of a run."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class RunData:
    """The argument of the functions of the catalogue.

    Attributes:
        record, predictions: of the run.
        reference: name of the reference standard.
        boxes: localisation metrics of each label with boxes; empty without boxes.
        options: of the bootstrap intervals.
        cross_validation: figures of the card that are cross-validated on the images of the run; None where it has none.
        map: as the built-in one; that of an executor computes several labels at once.
        advance: called with the work that is done of what takes long: AUCs, readers, and calibration of groups.
    """

    record: RunRecord
    predictions: Predictions
    reference: str
    boxes: dict[str, BoxNumbers]
    options: BootstrapOptions
    cross_validation: CrossValidation | None = None
    map: Callable[[Callable[..., Any], Iterable[Any]], Iterator[Any]] = map
    advance: Callable[[int], None] = lambda work: None

    def each(self, function: Callable[[T], R], items: Iterable[T], work: int) -> Iterator[R]:
        """Yield the results in the order of the items, as :attr:`map`; each is so much work."""
        for result in self.map(function, items):
            self.advance(work)
            yield result

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """Truth and scores of each label of the reference standard, :data:`ANY_FINDING` last."""
        return outcomes_of(self.predictions, self.reference)

    @cached_property
    def patients(self) -> NDArray[np.intp]:
        """(n,) intp, number of the patient of each image."""
        return np.unique(self.predictions.patients, return_inverse=True)[1]

    @cached_property
    def above(self) -> NDArray[np.bool_]:
        """(n, labels with a threshold) bool, whether the score is at or above the threshold."""
        column = {label: c for c, label in enumerate(self.predictions.labels.tolist())}
        thresholds = self.record.thresholds.items()
        flags = [self.predictions.scores[:, column[label]] >= threshold for label, threshold in thresholds]
        return np.stack(flags, axis=1) if flags else np.zeros((len(self.predictions), 0), dtype=bool)

    @cached_property
    def groups(self) -> dict[str, NDArray[np.intp]]:
        """Rows of each group, such as ``view: PA``, among the images for which any finding is known."""
        if ANY_FINDING not in self.outcomes:
            return {}
        p, rows = self.predictions, self.outcomes[ANY_FINDING].rows
        groups = {}
        for characteristic, values in (("view", p.views), ("sex", p.sexes), ("age", age_bands(p.ages))):
            values = np.where(values == "", UNKNOWN, values)[rows]
            names = set(values.tolist())
            order = {"under 18": "0", UNKNOWN: "~"}
            for name in sorted(names if names != {UNKNOWN} else (), key=lambda name: order.get(name, name)):
                groups[f"{characteristic}: {name}"] = rows[values == name]
        return groups

    @cached_property
    def auc_subsets(self) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.intp]]]:
        """Truth, scores and rows of each label, and of any finding in each group."""
        subsets = {label: (o.truth, o.scores, o.rows) for label, o in self.outcomes.items()}
        for group, rows in self.groups.items():
            overall = self.outcomes[ANY_FINDING]
            inside = np.isin(overall.rows, rows)
            subsets[group] = overall.truth[inside], overall.scores[inside], rows
        return subsets

    @cached_property
    def aucs(self) -> dict[str, Estimate]:
        """AUC of each of :attr:`auc_subsets`, all from the same resamples."""

        def area_of(name: str) -> Estimate:
            subset = self.auc_subsets[name]
            # the entry of precision and recall comes next, and draws all patients if it has all images
            follows = name in self.outcomes and len(subset[0]) == len(self.predictions)
            return auc_of_subsets([subset], self.patients, self.options, precision_follows=follows)[0]

        return dict(zip(self.auc_subsets, self.each(area_of, self.auc_subsets, AUC_WORK), strict=True))

    @cached_property
    def readers(self) -> dict[str, ReaderNumbers]:
        """Readers beside the model, per label; empty where fewer than three readers answered."""
        decisions = {}
        for label, outcome in self.outcomes.items():
            threshold = self.record.thresholds.get(label)
            if threshold is not None:
                decisions[label] = outcome.scores >= threshold
            elif label == ANY_FINDING and self.above.size:
                decisions[label] = np.asarray(self.above[outcome.rows].any(axis=1))
        by_label = partial(self.each, work=READERS_WORK)
        return reader_numbers(self.predictions, self.outcomes, decisions, self.options, by_label)

    @cached_property
    def label_noise(self) -> dict[tuple[str, str], LabelNoise]:
        """Every other reference standard of the run held against this one, by its name and label."""
        return label_noise_of(self.predictions, self.outcomes, self.reference, self.options)
