"""ROC curves: one class large with its band, or all of them small."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation import RunSummary
from ..labels import display_name
from ..metrics import Estimate, ReaderPoint, RocBand, RocCurve, roc_band, roc_curve
from .display import counts_words, estimate_words
from .marks import ORANGE, Axis, Chart, Dots, Line, Panel, Rule
from .outcome import Outcome

__all__ = ["RocDisplay"]

_BAND_WORDS = "The band is of each point by itself, 95 %, by patients."
_DRAWN = 400
"""Points that are drawn of a curve of more: no eye tells more apart, and the table has them all."""


@dataclass(frozen=True, eq=False)
class RocDisplay:
    """ROC curves of some classes.

    Attributes:
        labels: of the classes.
        curves: of each class.
        bands: of each class, pointwise; None where none was asked for.
        auc: of each class, with its interval.
        thresholds: the operating point of a class, on the scale of the score, where there is one.
        readers: single readers as points, of a single class, or empty.
        notes: what must stand beside the numbers.
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
            outcomes: a class each.
            summary: of the same run and reference; the area and its interval are taken from it.
            bands: whether they are computed.
            thresholds: of classes that have an operating point, on the scale of the score.
            readers: (name, point) of single readers on the one class that is asked for.
        """
        return cls(
            tuple(o.label for o in outcomes),
            tuple(roc_curve(o.truth, o.scores) for o in outcomes),
            tuple(roc_band(o.truth, o.scores, o.patients) if bands else None for o in outcomes),
            tuple(summary.auc[o.label] for o in outcomes),
            {o.label: thresholds[o.label] for o in outcomes if thresholds and o.label in thresholds},
            readers,
            summary.notes,
        )

    def table(self) -> pd.DataFrame:
        """Return every point of every curve: label, threshold, false positive rate, sensitivity, and the band there."""
        parts = []
        for label, curve, band in zip(self.labels, self.curves, self.bands, strict=True):
            if curve.reason:
                continue
            part = pd.DataFrame(
                {
                    "label": label,
                    "threshold": curve.thresholds,
                    "false_positive_rate": curve.false_positive_rate,
                    "sensitivity": curve.sensitivity,
                    "positives": curve.positives,
                    "negatives": curve.negatives,
                }
            )
            if band is not None and band.low is not None:
                part["sensitivity_low"] = np.interp(curve.false_positive_rate, band.false_positive_rate, band.low)
                part["sensitivity_high"] = np.interp(curve.false_positive_rate, band.false_positive_rate, band.high)
            parts.append(part)
        columns = ["label", "threshold", "false_positive_rate", "sensitivity", "positives", "negatives"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    def chart(self) -> Chart:
        """Return one panel a class."""
        several = len(self.labels) > 1
        panels = tuple(self._panel(k, several=several) for k in range(len(self.labels)))
        told = "; ".join(
            f"{display_name(label)} {estimate_words(auc)}" for label, auc in zip(self.labels, self.auc, strict=True)
        )
        return Chart(
            "ROC curves" if several else f"ROC curve, {display_name(self.labels[0])}",
            panels,
            alt=f"ROC curve of sensitivity against false positive rate. Area under the curve: {told}.",
            columns=4 if several else 1,
            height=190 if several else 450,
            caption="" if several else self._caption(),
            small=several,
            notes=self.notes,
        )

    def _caption(self) -> str:
        (auc,), (band,) = self.auc, self.bands
        words = "" if band is None or band.low is None else f". {_BAND_WORDS}"
        return f"AUC {estimate_words(auc)}; {counts_words(auc)}{words}"

    def _panel(self, k: int, *, several: bool) -> Panel:
        label, curve, band, auc = self.labels[k], self.curves[k], self.bands[k], self.auc[k]
        share = {"low": -0.01, "high": 1.01, "percent": True}
        x = Axis("" if several else "1 - specificity", **share)
        y = Axis("" if several else "sensitivity", **share)
        title = f"{display_name(label)} · {_short(auc)}" if several else ""
        if curve.reason or auc.value is None:
            # a staircase of two films would look like a curve
            words = f"{curve.reason}: no curve" if curve.reason else str(auc.reason)
            return Panel(x, y, (), title, words)
        rate, sensitivity, thresholds = thinned(curve)
        hover = tuple(
            f"score at or over {t:.3f}<br>sensitivity {s:.1%}, specificity {1 - r:.1%}"
            for t, s, r in zip(thresholds, sensitivity, rate, strict=True)
        )
        marks: list = [Rule("diagonal")]
        if band is not None and band.low is not None:
            low, high = (np.interp(rate, band.false_positive_rate, end) for end in (band.low, band.high))
            marks.append(Line(rate, sensitivity, low=low, high=high, hover=hover))
        else:
            marks.append(Line(rate, sensitivity, hover=hover))
        if label in self.thresholds:
            marks.append(self._operating_point(curve, self.thresholds[label], named=not several))
        for name, point in self.readers:
            marks.append(_reader(name, point))
        return Panel(x, y, tuple(marks), title)

    def _operating_point(self, curve: RocCurve, threshold: float, *, named: bool) -> Dots:
        at = max(0, int(np.searchsorted(-curve.thresholds, -threshold, side="right")) - 1)
        x, y = float(curve.false_positive_rate[at]), float(curve.sensitivity[at])
        hover = (f"operating point {threshold:.3f}<br>sensitivity {y:.1%}, specificity {1 - x:.1%}",)
        return Dots((x,), (y,), "operating point" if named else "", ORANGE, "diamond", hover=hover)


def thinned(curve: RocCurve, most: int = _DRAWN) -> tuple[NDArray, NDArray, NDArray]:
    """Return rates, sensitivities and thresholds of at most ``most`` corners of a curve, evenly along its length."""
    rate, sensitivity = curve.false_positive_rate, curve.sensitivity
    # a point on a straight run between its neighbours draws nothing
    corner = np.ones(len(rate), dtype=bool)
    turn = np.diff(rate[:-1]) * np.diff(sensitivity[1:]) - np.diff(rate[1:]) * np.diff(sensitivity[:-1])
    corner[1:-1] = turn != 0
    kept = np.flatnonzero(corner)
    if len(kept) > most:
        length = (rate + sensitivity)[kept]
        kept = kept[np.unique(np.searchsorted(length, np.linspace(0, length[-1], most)))]
        kept = np.unique(np.concatenate([[0], kept, [len(rate) - 1]]))
    return rate[kept], sensitivity[kept], curve.thresholds[kept]


def _reader(name: str, point: ReaderPoint) -> Dots:
    sensitivity, specificity = point.sensitivity, point.specificity
    if sensitivity.value is None or specificity.value is None:
        return Dots((), (), colour=ORANGE)
    low, high = (np.array([np.nan if end is None else end]) for end in (sensitivity.low, sensitivity.high))
    told = (
        f"{name}<br>sensitivity {estimate_words(sensitivity, percent=True)}"
        f"<br>specificity {estimate_words(specificity, percent=True)}<br>{counts_words(sensitivity)}"
    )
    return Dots(
        (1 - specificity.value,), (sensitivity.value,), "radiologist against the majority of the others", ORANGE,
        low=low, high=high, hover=(told,),
    )  # fmt: skip


def _short(auc: Estimate) -> str:
    return "no AUC" if auc.value is None else f"{auc.value:.2f}"
