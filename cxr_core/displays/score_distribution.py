"""Distribution of scores or probabilities by outcome, and the worst false negatives and false positives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.outcomes import Outcome
from ..labels import display_name
from ..metrics import OutcomeHistogram, outcome_histogram
from ..store import Predictions
from .display import RunView
from .marks import BLUE, ORANGE, RED, Axis, Bars, Chart, Dots, Panel, Rule

__all__ = [
    "Failures",
    "FailuresDisplay",
    "ScoreDistributionDisplay",
    "worst_failures",
]

_BINS = 40

_KINDS = {"false negative": "false_negatives", "false positive": "false_positives"}
"""Kind of error to field of :class:`Failures`."""


@dataclass(frozen=True, eq=False)
class Failures:
    """Rows of the worst images of one label, the worst first.

    Attributes:
        false_negatives: (k,) intp, positive images by ascending score.
        false_positives: (k,) intp, negative images by descending score.
    """

    false_negatives: NDArray[np.intp]
    false_positives: NDArray[np.intp]


def worst_failures(truth: NDArray[np.bool_], scores: NDArray[np.float64], max_images: int) -> Failures:
    """Return the worst images of each kind, regardless of the operating point; ties keep their order.

    Args:
        truth: (n,) bool.
        scores: (n,) float64.
        max_images: maximum number of each kind.
    """
    ascending = np.argsort(scores, kind="stable")
    descending = np.argsort(-scores, kind="stable")
    return Failures(ascending[truth[ascending]][:max_images], descending[~truth[descending]][:max_images])


@dataclass(frozen=True, eq=False)
class ScoreDistributionDisplay:
    """Histograms of positive and of negative images over the same bins.

    Attributes:
        label: the label.
        scale: ``probability``, or ``score`` if the card allows no probability.
        histogram: counts of images.
        threshold: of the operating point on that scale, or None.
        notes: remarks that must accompany the numbers.
    """

    label: str
    scale: str
    histogram: OutcomeHistogram
    threshold: float | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, outcome: Outcome, threshold: float | None = None, notes: tuple[str, ...] = ()
    ) -> ScoreDistributionDisplay:
        """Count images; ``threshold`` is on the scale of the score, and not drawn on that of the probability."""
        if outcome.probabilities is None:
            return cls(
                outcome.label, "score", outcome_histogram(outcome.truth, outcome.scores, _BINS), threshold, notes
            )
        histogram = outcome_histogram(outcome.truth, outcome.probabilities, _BINS)
        return cls(outcome.label, "probability", histogram, None, notes)

    @classmethod
    def of_run(cls, run: RunView, label: str) -> ScoreDistributionDisplay:
        """Return the histograms of a label of a run."""
        return cls.of(run.outcomes[label], run.thresholds.get(label), run.notes)

    def table(self) -> pd.DataFrame:
        """Return one row per bin."""
        edges = self.histogram.edges
        return pd.DataFrame(
            {
                "label": self.label,
                "scale": self.scale,
                "from": edges[:-1],
                "to": edges[1:],
                "positives": self.histogram.positives,
                "negatives": self.histogram.negatives,
            }
        )

    def chart(self) -> Chart:
        """Return the proportions of negatives and of positives per bin; as counts the positives would be too small."""
        name, edges = display_name(self.label), self.histogram.edges
        middle = (edges[1:] + edges[:-1]) / 2
        width = float(edges[1] - edges[0])
        kinds = (("negative", self.histogram.negatives, BLUE), ("positive", self.histogram.positives, ORANGE))
        panels = []
        last = max([edges[k + 1] for k in range(len(middle)) if any(c[k] for _, c, _ in kinds)], default=1.0)
        for kind, counts, colour in kinds:
            total = int(counts.sum())
            x = Axis(self.scale if kind == "positive" else "", 0, float(last))
            y = Axis("proportion", percent=True)
            message = "" if total else f"no {kind} images"
            bars = Bars(
                middle, counts / max(total, 1), f"{kind} ({total:,} images)", colour, _hover(edges, counts), width
            )
            rule = (Rule("x", self.threshold),) if self.threshold is not None else ()
            panels.append(Panel(x, y, (bars, *rule) if total else rule, message=message))
        return Chart(
            f"{self.scale.capitalize()} distribution by outcome, {name}",
            tuple(panels),
            alt=f"Histograms of the {self.scale} of {name}: {int(self.histogram.positives.sum()):,} positive images, "
            f"{int(self.histogram.negatives.sum()):,} negative images.",
            height=185,
            caption="" if self.threshold is None else f"Dotted line: operating point, {self.threshold:.3f}.",
            notes=self.notes,
        )


def _hover(edges: NDArray[np.float64], counts: NDArray[np.int_]) -> tuple[str, ...]:
    return tuple(
        f"{low:.3f} to {high:.3f}: {count:,} images" for low, high, count in zip(edges, edges[1:], counts, strict=False)
    )


@dataclass(frozen=True, eq=False)
class FailuresDisplay:
    """The images with the largest errors of a label; never contains patients, and file names only on request.

    Attributes:
        outcome: of the label, without probabilities.
        failures: rows of the outcome.
        images: of the run.
        threshold: of the operating point, on the scale of the score, or None.
        names: whether to add a column of file names, which may identify a patient.
        notes: remarks that must accompany the numbers.
        names_stored: whether the run stores file names rather than their digests.
    """

    outcome: Outcome
    failures: Failures
    images: Predictions
    threshold: float | None = None
    names: bool = False
    notes: tuple[str, ...] = ()
    names_stored: bool = True

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        images: Predictions,
        *,
        max_images: int,
        threshold: float | None = None,
        names: bool = False,
        notes: tuple[str, ...] = (),
        names_stored: bool = True,
    ) -> FailuresDisplay:
        """Find the worst images, at most ``max_images`` of each kind."""
        worst = worst_failures(outcome.truth, outcome.scores, max_images)
        outcome = replace(outcome, probabilities=None)
        return cls(outcome, worst, images, threshold, names and names_stored, notes, names_stored)

    def table(self) -> pd.DataFrame:
        """Return one row per image; an age of 90 means 90 and over."""
        rows = []
        for kind, field in _KINDS.items():
            for rank, row in enumerate(getattr(self.failures, field), 1):
                rows.append({"kind": kind, "rank": rank} | self._image(int(row)))
        columns = ["kind", "rank", "image", "age", "sex", "view", "score", "operating_point", "state", "other_labels"]
        return pd.DataFrame(rows, columns=[*columns, "file"] if self.names else columns)

    def scores(self) -> dict[str, list[float]]:
        """Return the scores of each kind, the worst first."""
        return {kind: self.outcome.scores[getattr(self.failures, field)].tolist() for kind, field in _KINDS.items()}

    def rows(self) -> NDArray[np.intp]:
        """Return (k,) intp, rows of the run's images, in the order of :meth:`table` and :meth:`scores`."""
        worst: NDArray[np.intp] = np.concatenate([getattr(self.failures, field) for field in _KINDS.values()])
        return self.outcome.rows[worst]

    def chart(self) -> Chart:
        """Return the score distribution, with the worst images marked below it."""
        chart = ScoreDistributionDisplay.of(self.outcome, self.threshold, self.notes).chart()
        panels, sentences = [], []
        # the panel of the negative images is the first
        for panel, kind in zip(chart.panels, reversed(_KINDS), strict=True):
            scores = self.outcome.scores[getattr(self.failures, _KINDS[kind])]
            hover = tuple(f"{kind} {rank}: score {score:.3f}" for rank, score in enumerate(scores, 1))
            # below the bars, whose colour is similar
            below = np.full(
                len(scores), -0.06 * max([bars.y.max() for bars in panel.marks if isinstance(bars, Bars)] + [0])
            )
            dots = Dots(scores, below, "listed images" if len(scores) else "", RED, "cross", hover=hover)
            panels.append(replace(panel, marks=(*panel.marks, dots)))
            if len(scores):
                sentences.append(
                    f"The {len(scores)} worst {kind}s have scores of {scores.min():.3f} to {scores.max():.3f}."
                )
        return replace(chart, panels=tuple(panels), alt=" ".join([chart.alt, *sentences]))

    def _image(self, row: int) -> dict[str, object]:
        images, index = self.images, int(self.outcome.rows[row])
        positive = images.references[self.outcome.reference][index] == 1
        score = float(self.outcome.scores[row])
        columns = {
            # imported runs may lack the digest of the file; the digest of the name is used instead if it is stored
            "image": images.sha256[index][:12] or ("" if self.names_stored else images.images[index][:12]),
            # 90 and over are not distinguished, as on the reading page
            "age": None if np.isnan(images.ages[index]) else min(float(images.ages[index]), 90.0),
            "sex": images.sexes[index],
            "view": images.views[index],
            "score": score,
            "operating_point": self.threshold,
            "state": "" if self.threshold is None else ("above" if score >= self.threshold else "below"),
            "other_labels": ", ".join(
                display_name(label) for label in images.labels[positive] if label != self.outcome.label
            ),
        }
        return columns | ({"file": images.images[index]} if self.names else {})
