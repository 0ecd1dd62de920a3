"""Confusion matrix at a threshold, and the decision curve over all thresholds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..evaluation.outcomes import Outcome
from ..formatting import format_counts, format_estimate
from ..labels import display_name
from ..metrics import (
    AtThreshold,
    BootstrapOptions,
    DecisionCurve,
    Estimate,
    PredictiveValues,
    at_threshold,
    decision_curve,
    predictive_values_at_prevalence,
)
from .calibration import NO_PROBABILITY
from .display import FIGURE_OPTIONS, RunView, estimate_columns, interval_bounds
from .marks import BLUE, GREY, Axis, Cells, Chart, Line, Panel, Rule

__all__ = [
    "NetBenefitDisplay",
    "OperatingDisplay",
]


@dataclass(frozen=True, eq=False)
class OperatingDisplay:
    """Confusion matrix of one label at a threshold of the score.

    Attributes:
        label: whose matrix it is.
        point: counts, sensitivity, specificity, predictive values, likelihood ratios.
        elsewhere: predictive values at an assumed prevalence; None where none was given.
        notes: what must accompany the numbers.
    """

    label: str
    point: AtThreshold
    elsewhere: PredictiveValues | None
    notes: tuple[str, ...] = ()

    @classmethod
    def at(
        cls,
        outcome: Outcome,
        threshold: float,
        prevalence: float | None = None,
        notes: tuple[str, ...] = (),
        options: BootstrapOptions = FIGURE_OPTIONS,
    ) -> OperatingDisplay:
        """Compute the matrix.

        Args:
            outcome: of the label.
            threshold: on the scale of the score.
            prevalence: assumed, in (0, 1); or None.
            notes: what must accompany the numbers.
            options: of the intervals; few resamples, since this is computed each time the slider moves.
        """
        point = at_threshold(outcome.truth, outcome.scores, threshold, outcome.patients, options)
        elsewhere = None if prevalence is None else predictive_values_at_prevalence(point, prevalence)
        return cls(outcome.label, point, elsewhere, notes)

    def estimates(self) -> dict[str, Estimate]:
        """Return every number that has an interval, by name."""
        p = self.point
        estimates = {
            "sensitivity": p.sensitivity,
            "specificity": p.specificity,
            "PPV": p.positive_predictive_value,
            "NPV": p.negative_predictive_value,
            "positive likelihood ratio": p.positive_likelihood_ratio,
            "negative likelihood ratio": p.negative_likelihood_ratio,
        }
        if self.elsewhere is not None:
            estimates[f"PPV at an assumed prevalence of {self.elsewhere.prevalence:.1%}"] = (
                self.elsewhere.positive_predictive_value
            )
            estimates[f"NPV at an assumed prevalence of {self.elsewhere.prevalence:.1%}"] = (
                self.elsewhere.negative_predictive_value
            )
        return estimates

    def numbers(self) -> dict[str, str]:
        """Return the same as text."""
        return {
            name: format_estimate(estimate, percent="ratio" not in name) for name, estimate in self.estimates().items()
        }

    def table(self) -> pd.DataFrame:
        """Return one row per number, the four counts first."""
        p = self.point
        counts = {
            "true positives": p.true_positives,
            "false negatives": p.false_negatives,
            "false positives": p.false_positives,
            "true negatives": p.true_negatives,
        }
        rows = [{"number": name, "value": count} for name, count in counts.items()]
        rows += [{"number": name} | estimate_columns(estimate) for name, estimate in self.estimates().items()]
        frame = pd.DataFrame(rows)
        frame.insert(0, "threshold", p.threshold)
        frame.insert(0, "label", self.label)
        return frame

    def chart(self) -> Chart:
        """Return the four counts; colour is the proportion of the row (reference standard)."""
        p, name = self.point, display_name(self.label)
        counts = np.array([[p.true_positives, p.false_negatives], [p.false_positives, p.true_negatives]])
        rates = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        words = tuple(
            tuple(f"{n:,}<br>{s:.1%}" for n, s in zip(*row, strict=True)) for row in zip(counts, rates, strict=True)
        )
        cells = Cells(("above", "below"), ("positive", "negative"), rates, words)
        text = "; ".join(f"{what} {number}" for what, number in self.numbers().items())
        return Chart(
            f"Confusion matrix, {name}, threshold {p.threshold:.3f}",
            (Panel(Axis("model", names=cells.columns), Axis("reference standard", names=cells.rows), (cells,)),),
            alt=f"Confusion matrix of {name} at {p.threshold:.3f}: {p.true_positives:,} true and "
            f"{p.false_positives:,} false positives, {p.false_negatives:,} false and "
            f"{p.true_negatives:,} true negatives. {text}. {format_counts(p.sensitivity)}.",
            height=230,
            notes=self.notes,
        )


# What acting on the model gains, by what a miss costs against a false alarm.


@dataclass(frozen=True, eq=False)
class NetBenefitDisplay:
    """Decision curve: net benefit of treating by the model, treating all and treating none.

    Attributes:
        label: whose curve it is.
        curve: by threshold probability; None where the card allows no probability.
        reason: why there is no curve, or empty.
        notes: what must accompany the numbers.
    """

    label: str
    curve: DecisionCurve | None
    reason: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, outcome: Outcome, notes: tuple[str, ...] = (), options: BootstrapOptions = FIGURE_OPTIONS
    ) -> NetBenefitDisplay:
        """Compute net benefit at 40 thresholds up to four times the prevalence."""
        if outcome.probabilities is None:
            return cls(outcome.label, None, NO_PROBABILITY, notes)
        top = float(np.clip(4 * outcome.truth.mean(), 0.02, 0.95)) if len(outcome.truth) else 0.5
        thresholds = np.linspace(top / 40, top, 40)
        curve = decision_curve(outcome.truth, outcome.probabilities, outcome.patients, thresholds, options)
        return cls(outcome.label, curve, (curve.model[0].reason or "") if curve.model[0].value is None else "", notes)

    @classmethod
    def of_run(cls, run: RunView, label: str) -> NetBenefitDisplay:
        """Return the curve of a label of a run."""
        return cls.of(run.outcomes[label], run.notes, run.options)

    def table(self) -> pd.DataFrame:
        """Return one row per threshold."""
        if self.curve is None:
            return pd.DataFrame(columns=["label", "threshold"])
        rows = [
            {"label": self.label, "threshold": threshold}
            | estimate_columns(model, "model_")
            | estimate_columns(everyone, "everyone_")
            for threshold, model, everyone in zip(
                self.curve.thresholds, self.curve.model, self.curve.treat_all, strict=True
            )
        ]
        return pd.DataFrame(rows)

    def chart(self) -> Chart:
        """Return the curves of model and treat-all, and the line of treat-none."""
        name = display_name(self.label)
        x, y = Axis("threshold probability", percent=True), Axis("net benefit")
        title = f"Net benefit, {name}"
        if self.curve is None or self.reason:
            return Chart(title, (Panel(x, y, message=self.reason),), alt=f"No curve: {self.reason}", notes=self.notes)
        thresholds = self.curve.thresholds
        model, everyone = (
            np.array([estimate.value_or_nan for estimate in curve])
            for curve in (self.curve.model, self.curve.treat_all)
        )
        hover = tuple(
            f"threshold probability {t:.1%} (one miss counts as {(1 - t) / t:.0f} false alarms)<br>{format_estimate(e)}"
            for t, e in zip(thresholds, self.curve.model, strict=True)
        )
        low, high = interval_bounds(self.curve.model)
        lowest = float(np.nanmin(model))
        highest = float(np.nanmax(np.concatenate([model, everyone])))
        y = Axis("net benefit", min(-0.1 * highest, lowest), 1.15 * highest)
        return Chart(
            title,
            (
                Panel(
                    x,
                    y,
                    (
                        Rule("y", 0.0),
                        Line(thresholds, everyone, "treat all", GREY, "dash"),
                        Line(thresholds, model, "model", BLUE, low=low, high=high, hover=hover),
                    ),
                ),
            ),
            alt=f"Decision curve of {name}: net benefit of the model, of treating all and of treating none.",
            caption="Dashed line: treat all. Dotted line: treat none.",
            notes=self.notes,
        )
