"""ROC curves: one label with its confidence band, or small multiples of all labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation import RunSummary
from ..evaluation.outcomes import Outcome
from ..formatting import format_counts, format_estimate
from ..labels import display_name
from ..metrics import Estimate, ReaderPoint, RocBand, RocCurve, roc_band, roc_curve
from .display import RunView, interval_bounds
from .marks import ORANGE, Axis, Chart, Dots, Line, Mark, Panel, Rule

__all__ = ["RocDisplay"]

_BAND_CAPTION = "Band: pointwise 95 % CI (patient bootstrap)."
_MAX_POINTS = 400
"""Points drawn of a longer curve; the table has all of them."""


@dataclass(frozen=True, eq=False)
class RocDisplay:
    """ROC curves of one or more labels.

    Attributes:
        labels: the labels.
        curves: one per label.
        bands: pointwise confidence band of each label, or None.
        auc: of each label, with its interval.
        thresholds: operating points on the scale of the score, by label.
        readers: (name, point) of individual readers, for a single label; or empty.
        notes: remarks that must accompany the numbers.
    """

    labels: tuple[str, ...]
    curves: tuple[RocCurve, ...]
    bands: tuple[RocBand | None, ...]
    auc: tuple[Estimate, ...]
    thresholds: dict[str, float]
    readers: tuple[tuple[str, ReaderPoint], ...] = ()
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        outcomes: list[Outcome],
        summary: RunSummary,
        *,
        bands: bool = True,
        thresholds: dict[str, float] | None = None,
        readers: tuple[tuple[str, ReaderPoint], ...] = (),
    ) -> RocDisplay:
        """Compute the curves.

        Args:
            outcomes: one per label.
            summary: of the same run and reference standard; source of the AUC.
            bands: whether to compute confidence bands.
            thresholds, readers: as the attributes.
        """
        return cls(
            tuple(o.label for o in outcomes),
            tuple(roc_curve(o.truth, o.scores) for o in outcomes),
            tuple(roc_band(o.truth, o.scores, o.patients) if bands else None for o in outcomes),
            tuple(summary.auc[o.label] for o in outcomes),
            {o.label: thresholds[o.label] for o in outcomes if thresholds and o.label in thresholds},
            readers,
            summary.figure_notes,
        )

    @classmethod
    def of_run(cls, run: RunView, _label: str = "") -> RocDisplay:
        """Return the curves of all labels of a run."""
        return cls.of([*run.outcomes.values()], run.summary, bands=False, thresholds=run.thresholds)

    def table(self) -> pd.DataFrame:
        """Return every point of every curve: label, threshold, false positive rate, sensitivity, and its band."""
        frames = []
        for label, curve, band in zip(self.labels, self.curves, self.bands, strict=True):
            if curve.false_positive_rate is None or curve.sensitivity is None:
                continue
            frame = pd.DataFrame(
                {
                    "label": label,
                    "threshold": curve.thresholds,
                    "false_positive_rate": curve.false_positive_rate,
                    "sensitivity": curve.sensitivity,
                    "positives": curve.positives,
                    "negatives": curve.negatives,
                }
            )
            if band is not None and band.low is not None and band.high is not None:
                frame["sensitivity_low"] = np.interp(curve.false_positive_rate, band.false_positive_rate, band.low)
                frame["sensitivity_high"] = np.interp(curve.false_positive_rate, band.false_positive_rate, band.high)
            frames.append(frame)
        columns = ["label", "threshold", "false_positive_rate", "sensitivity", "positives", "negatives"]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)

    def chart(self) -> Chart:
        """Return one panel per label."""
        several = len(self.labels) > 1
        panels = tuple(self._panel(k, several=several) for k in range(len(self.labels)))
        text = "; ".join(
            f"{display_name(label)} {format_estimate(auc)}" for label, auc in zip(self.labels, self.auc, strict=True)
        )
        return Chart(
            "ROC curves" if several else f"ROC curve, {display_name(self.labels[0])}",
            panels,
            alt=f"ROC curve, sensitivity against 1 - specificity. AUC: {text}.",
            columns=4 if several else 1,
            height=190 if several else 450,
            caption="" if several else self._caption(),
            small=several,
            notes=self.notes,
        )

    def _caption(self) -> str:
        (auc,), (band,) = self.auc, self.bands
        band_caption = "" if band is None or band.low is None else f". {_BAND_CAPTION}"
        return f"AUC {format_estimate(auc)}; {format_counts(auc)}{band_caption}"

    def _panel(self, k: int, *, several: bool) -> Panel:
        label, curve, band, auc = self.labels[k], self.curves[k], self.bands[k], self.auc[k]
        x = Axis("" if several else "1 - specificity", -0.01, 1.01, percent=True)
        y = Axis("" if several else "sensitivity", -0.01, 1.01, percent=True)
        title = f"{display_name(label)} · {_short_auc(auc)}" if several else ""
        if curve.reason or auc.value is None:
            # a curve of a few images would look more certain than it is
            message = f"{curve.reason}: no curve" if curve.reason else str(auc.reason)
            return Panel(x, y, (), title, message)
        rate, sensitivity, thresholds = thin_curve(curve)
        hover = tuple(
            f"score at or above {t:.3f}<br>sensitivity {s:.1%}, specificity {1 - r:.1%}"
            for t, s, r in zip(thresholds, sensitivity, rate, strict=True)
        )
        marks: list[Mark] = [Rule("diagonal")]
        if band is not None and band.low is not None and band.high is not None:
            low, high = (np.interp(rate, band.false_positive_rate, limit) for limit in (band.low, band.high))
            marks.append(Line(rate, sensitivity, low=low, high=high, hover=hover))
        else:
            marks.append(Line(rate, sensitivity, hover=hover))
        if label in self.thresholds:
            marks.append(_operating_point(curve, self.thresholds[label], named=not several))
        for name, point in self.readers:
            marks.append(_reader(name, point))
        return Panel(x, y, tuple(marks), title)


def _coordinates(curve: RocCurve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the false positive rate and the sensitivity of a curve that has both."""
    if curve.false_positive_rate is None or curve.sensitivity is None:
        raise ValueError(f"The ROC curve cannot be drawn: {curve.reason}.")
    return curve.false_positive_rate, curve.sensitivity


def _operating_point(curve: RocCurve, threshold: float, *, named: bool) -> Dots:
    rate, sensitivity = _coordinates(curve)
    index = max(0, int(np.searchsorted(-curve.thresholds, -threshold, side="right")) - 1)
    x, y = float(rate[index]), float(sensitivity[index])
    hover = (f"operating point {threshold:.3f}<br>sensitivity {y:.1%}, specificity {1 - x:.1%}",)
    return Dots((x,), (y,), "operating point" if named else "", ORANGE, "diamond", hover=hover)


def thin_curve(
    curve: RocCurve, max_points: int = _MAX_POINTS
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return rate, sensitivity and threshold of at most ``max_points`` corners of a curve, evenly along its length."""
    rate, sensitivity = _coordinates(curve)
    # points on the line between their neighbours are omitted
    is_corner = np.ones(len(rate), dtype=np.bool_)
    turn = np.diff(rate[:-1]) * np.diff(sensitivity[1:]) - np.diff(rate[1:]) * np.diff(sensitivity[:-1])
    is_corner[1:-1] = turn != 0
    corners = np.flatnonzero(is_corner)
    if len(corners) > max_points:
        length = (rate + sensitivity)[corners]
        corners = corners[np.unique(np.searchsorted(length, np.linspace(0, length[-1], max_points)))]
        corners = np.unique(np.concatenate([[0], corners, [len(rate) - 1]]))
    return rate[corners], sensitivity[corners], curve.thresholds[corners]


def _reader(name: str, point: ReaderPoint) -> Dots:
    sensitivity, specificity = point.sensitivity, point.specificity
    if sensitivity.value is None or specificity.value is None:
        return Dots((), (), colour=ORANGE)
    low, high = interval_bounds([sensitivity])
    text = (
        f"{name}<br>sensitivity {format_estimate(sensitivity, percent=True)}"
        f"<br>specificity {format_estimate(specificity, percent=True)}<br>{format_counts(sensitivity)}"
    )
    return Dots(
        (1 - specificity.value,), (sensitivity.value,), "radiologist, against the majority of the others", ORANGE,
        low=low, high=high, hover=(text,),
    )  # fmt: skip


def _short_auc(auc: Estimate) -> str:
    return "no AUC" if auc.value is None else f"{auc.value:.2f}"
