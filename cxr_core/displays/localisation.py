"""Localisation of heat maps against bounding boxes: pointing game and intersection over union."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.boxes import ALL_BOXES, BoxNumbers
from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import Estimate
from ..model.localisation import AVERAGE, CENTRE, BaselineResult
from .display import RunView, estimate_columns, estimate_dots, hover_text, interval_bounds
from .marks import BLUE, GREY, ORANGE, Axis, Chart, Dots, Line, Panel, Symbol

__all__ = ["IntersectionOverUnionDisplay", "PointingGameDisplay"]

_COLUMN = {CENTRE: "centre", AVERAGE: "average"}
_BASELINES: tuple[tuple[str, str, Symbol], ...] = ((CENTRE, GREY, "diamond"), (AVERAGE, ORANGE, "diamond"))


@dataclass(frozen=True, eq=False)
class PointingGameDisplay:
    """Pointing game per label.

    Attributes:
        boxes: localisation metrics of each label, and of all boxes.
        notes: remarks that must accompany the numbers.
    """

    boxes: dict[str, BoxNumbers]
    notes: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: RunView, _label: str = "") -> PointingGameDisplay | None:
        """Return the figure of a run; None if it has no boxes."""
        return cls(run.summary.boxes, run.notes) if run.summary.boxes else None

    def table(self) -> pd.DataFrame:
        """Return one row per label: counts, hit rate, and each baseline's with the difference and Holm's p-value."""
        return pd.DataFrame(
            [
                {
                    "label": label,
                    "boxed_images": numbers.boxed,
                    "boxed_patients": numbers.localisation.patients,
                    "boxes": numbers.localisation.boxes,
                    "blank_maps": numbers.localisation.blank_maps,
                }
                | estimate_columns(numbers.hit_rate, "hit_rate_")
                | {
                    column: value
                    for name, result in numbers.localisation.hit_rate.baselines.items()
                    for column, value in _baseline_columns(_COLUMN[name], result).items()
                }
                for label, numbers in self.boxes.items()
            ]
        )

    def chart(self) -> Chart:
        """Return a dot plot of the hit rates of the maps, of the image centre and of the average map."""
        labels = sorted(self.boxes, key=lambda label: (label != ALL_BOXES, self.boxes[label].boxed))
        names = tuple(f"{display_name(label)} ({self.boxes[label].boxed})" for label in labels)
        marks: tuple[Dots, ...] = ()
        for baseline, colour, symbol in _BASELINES:
            known = [
                (name, self.boxes[label].baseline_hit_rate(baseline)) for name, label in zip(names, labels, strict=True)
            ]
            rates = [(name, rate) for name, rate in known if rate is not None]
            marks += _hit_rates([n for n, _ in rates], [rate for _, rate in rates], baseline, colour, symbol)
        marks += _hit_rates(names, [self.boxes[label].hit_rate for label in labels], "strongest cell of the map", BLUE)
        text = "; ".join(self._in_words(label) for label in labels)
        return Chart(
            "Pointing game (hit rate)",
            (
                Panel(
                    Axis("hit rate", -0.01, 1.01, percent=True),
                    Axis(names=names),
                    marks,
                    message="" if marks else "No label has enough boxes.",
                ),
            ),
            alt=f"Hit rates of the maps and of the baselines. {text}.",
            height=100 + 34 * max(3, len(names)),
            caption=" ".join([self._counted(), *self._blank(), *self._missing(labels)]),
            notes=self.notes,
        )

    def _in_words(self, label: str) -> str:
        baselines = self.boxes[label].localisation.hit_rate.baselines.items()
        rates = [f"the {name} {format_estimate(result.value, percent=True)}" for name, result in baselines]
        hit_rate = format_estimate(self.boxes[label].hit_rate, percent=True)
        return ", ".join([f"{display_name(label)} {hit_rate}", *rates])

    def _counted(self) -> str:
        pairs = f"; of {ALL_BOXES.lower()} pairs of an image and a label" if ALL_BOXES in self.boxes else ""
        return f"Images with a box in parentheses{pairs}."

    def _blank(self) -> list[str]:
        counts = {label: boxes.localisation.blank_maps for label, boxes in self.boxes.items()}
        blank = [f"{display_name(label)} {count}" for label, count in counts.items() if count]
        return [f"Maps without any activation, counted as misses: {', '.join(blank)}."] if blank else []

    def _missing(self, labels: list[str]) -> list[str]:
        rates = {display_name(label): self.boxes[label].hit_rate for label in labels}
        lines = [f"{name}: {rate.reason}" for name, rate in rates.items() if rate.value is None]
        return [f"Not estimated: {'; '.join(lines)}."] if lines else []


@dataclass(frozen=True, eq=False)
class IntersectionOverUnionDisplay:
    """Intersection over union by threshold, of one label or of all boxes.

    Attributes:
        label: a label with boxes, or :data:`.ALL_BOXES`.
        numbers: localisation metrics of the label.
        notes: remarks that must accompany the numbers.
    """

    label: str
    numbers: BoxNumbers
    notes: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: RunView, label: str = "") -> IntersectionOverUnionDisplay | None:
        """Return the figure of a label, by default of all boxes; None if the run has no boxes."""
        boxes = run.summary.boxes
        if not boxes:
            return None
        label = label or list(boxes)[-1]
        return cls(label, boxes[label], run.notes)

    def table(self) -> pd.DataFrame:
        """Return one row per threshold."""
        n = self.numbers
        averages = n.average_overlap or (None,) * len(n.overlap)
        return pd.DataFrame(
            [
                {"label": self.label, "threshold": threshold}
                | estimate_columns(overlap, "overlap_")
                | estimate_columns(centre, "centre_overlap_")
                | ({} if average is None else estimate_columns(average, "average_overlap_"))
                for threshold, overlap, centre, average in zip(
                    n.thresholds, n.overlap, n.centre_overlap, averages, strict=True
                )
            ]
        )

    def chart(self) -> Chart:
        """Return the curves of the map and of the centred rectangle, with confidence bands."""
        n, name = self.numbers, display_name(self.label)
        axes = (
            Axis("threshold (fraction of full colour)", 0, 1, percent=True),
            Axis("mean intersection over union", 0),
        )
        reason = next((e.reason for e in n.overlap if e.value is None), None)
        title = f"Intersection over union, {name}"
        if reason:
            return Chart(title, (Panel(*axes, message=reason),), alt=f"No curve: {reason}.", notes=self.notes)
        thresholds = np.array(n.thresholds)
        average = (_overlap_curve(thresholds, n.average_overlap, "as many cells of the average map", ORANGE),)
        marks = (
            _overlap_curve(thresholds, n.centre_overlap, "rectangle of the same area at the centre", GREY),
            *(average if any(e.value is not None for e in n.average_overlap) else ()),
            _overlap_curve(thresholds, n.overlap, "map", BLUE),
        )
        best = int(np.argmax([e.value or 0 for e in n.overlap]))
        text = f"highest {format_estimate(n.overlap[best])}, at {n.thresholds[best]:.0%} of full colour"
        return Chart(
            title,
            (Panel(axes[0], Axis(axes[1].title, 0, _top([*n.overlap, *n.centre_overlap, *n.average_overlap])), marks),),
            alt=f"Mean intersection over union of map and boxes of {name}: {text}.",
            notes=self.notes,
        )


def _baseline_columns(name: str, result: BaselineResult) -> dict[str, object]:
    columns: dict[str, object] = {}
    columns |= estimate_columns(result.value, f"{name}_hit_rate_")
    columns |= estimate_columns(result.difference, "gain_" if name == "centre" else f"{name}_gain_")
    return columns | {f"{name}_holm_p_value": result.p_value}


def _hit_rates(
    names: Sequence[str], rates: Sequence[Estimate], legend: str, colour: str, symbol: Symbol = "circle"
) -> tuple[Dots, ...]:
    """Return the dots of the rates that have a value, or nothing."""
    known = [(name, rate) for name, rate in zip(names, rates, strict=True) if rate.value is not None]
    if not known:
        return ()
    hover = [hover_text(f"{name}, {legend}", rate, percent=True) for name, rate in known]
    names, rates = [name for name, _ in known], [rate for _, rate in known]
    return (estimate_dots(rates, names, hover, legend=legend, colour=colour, symbol=symbol),)


def _overlap_curve(thresholds: NDArray[np.float64], overlap: Sequence[Estimate], legend: str, colour: str) -> Line:
    low, high = interval_bounds(overlap)
    values = np.array([estimate.value_or_nan for estimate in overlap])
    hover = tuple(f"{legend}: {format_estimate(estimate)}" for estimate in overlap)
    return Line(thresholds, values, legend, colour, low=low, high=high, hover=hover)


def _top(estimates: list[Estimate]) -> float:
    return min(1.0, 1.1 * max([e.high if e.high is not None else e.value or 0 for e in estimates] + [0.05]))
