"""What acting on the model gains, by what a miss costs against a false alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..metrics import DecisionCurve, decision_curve
from .calibration import NO_PROBABILITY
from .display import estimate_columns, estimate_words, limits
from .marks import BLUE, GREY, Axis, Chart, Line, Panel, Rule
from .outcome import Outcome

__all__ = ["NetBenefitDisplay"]


@dataclass(frozen=True, eq=False)
class NetBenefitDisplay:
    """Net benefit of acting on films above a probability, on every film, and on none.

    Attributes:
        label: of the class.
        curve: by threshold; None where the card allows no probability.
        reason: why there is no curve, or empty.
        notes: what must stand beside the numbers.
    """

    label: str
    curve: DecisionCurve | None
    reason: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, outcome: Outcome, notes: tuple[str, ...] = (), resamples: int = 500) -> NetBenefitDisplay:
        """Compute net benefit at 40 thresholds up to four times the prevalence, where it can be over 0."""
        if outcome.probabilities is None:
            return cls(outcome.label, None, NO_PROBABILITY, notes)
        top = float(np.clip(4 * outcome.truth.mean(), 0.02, 0.95)) if len(outcome.truth) else 0.5
        thresholds = np.linspace(top / 40, top, 40)
        curve = decision_curve(outcome.truth, outcome.probabilities, outcome.patients, thresholds, resamples=resamples)
        return cls(outcome.label, curve, (curve.model[0].reason or "") if curve.model[0].value is None else "", notes)

    def table(self) -> pd.DataFrame:
        """Return a row a threshold."""
        if self.curve is None:
            return pd.DataFrame(columns=["label", "threshold"])
        rows = [
            {"label": self.label, "threshold": threshold}
            | estimate_columns(model, "model_")
            | estimate_columns(everyone, "everyone_")
            for threshold, model, everyone in zip(
                self.curve.thresholds, self.curve.model, self.curve.everyone, strict=True
            )
        ]
        return pd.DataFrame(rows)

    def chart(self) -> Chart:
        """Return the two curves and the line of doing nothing."""
        name = display_name(self.label)
        x, y = Axis("probability from which one acts", percent=True), Axis("true positives a film, net")
        title = f"Net benefit, {name}"
        if self.curve is None or self.reason:
            return Chart(title, (Panel(x, y, words=self.reason),), alt=f"No curve: {self.reason}", notes=self.notes)
        thresholds = self.curve.thresholds
        model, everyone = (
            np.array([np.nan if e.value is None else e.value for e in curve])
            for curve in (self.curve.model, self.curve.everyone)
        )
        hover = tuple(
            f"acting from {t:.1%} (a miss costs {(1 - t) / t:.0f} false alarms)<br>{estimate_words(e)}"
            for t, e in zip(thresholds, self.curve.model, strict=True)
        )
        ends = limits([*self.curve.model])
        lowest = float(np.nanmin(model))
        highest = float(np.nanmax(np.concatenate([model, everyone])))
        y = Axis("true positives a film, net", min(-0.1 * highest, lowest), 1.15 * highest)
        return Chart(
            title,
            (
                Panel(
                    x,
                    y,
                    (
                        Rule("y", 0.0),
                        Line(thresholds, everyone, "acting on every film", GREY, "dash"),
                        Line(thresholds, model, "acting on the model", BLUE, hover=hover, **ends),
                    ),
                ),
            ),
            alt=f"Decision curve of {name}: net benefit of acting on the model, on every film, and on none.",
            caption="Dotted: acting on no film.",
            notes=self.notes,
        )
