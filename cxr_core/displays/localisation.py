"""Where maps point beside boxes that readers drew: hits, and overlap by threshold, next to the centre of the film."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..evaluation.boxes import ALL_BOXES, BoxNumbers
from ..labels import display_name
from ..metrics import Estimate
from .display import estimate_columns, estimate_words, limits, words_of
from .marks import BLUE, GREY, ORANGE, Axis, Chart, Dots, Line, Panel

__all__ = ["HitsDisplay", "OverlapDisplay"]


@dataclass(frozen=True, eq=False)
class HitsDisplay:
    """Pointing game of each boxed label.

    Attributes:
        boxes: numbers of each label, and of all boxes.
        notes: what must stand beside the numbers.
    """

    boxes: dict[str, BoxNumbers]
    notes: tuple[str, ...] = ()

    def table(self) -> pd.DataFrame:
        """Return a row a label: films with a box, hit rate, that of the centre, and the gain."""
        return pd.DataFrame(
            [
                {"label": label, "boxed_films": found.boxed, "blank_maps": found.blank}
                | estimate_columns(found.hit_rate, "hit_rate_")
                | estimate_columns(found.centre_hit_rate, "centre_hit_rate_")
                | estimate_columns(found.gain, "gain_")
                for label, found in self.boxes.items()
            ]
        )

    def chart(self) -> Chart:
        """Return the hit rates of the maps and of the centre, one above the other on each label's line."""
        labels = sorted(self.boxes, key=lambda label: (label != ALL_BOXES, self.boxes[label].boxed))
        names = tuple(f"{display_name(label)} ({self.boxes[label].boxed})" for label in labels)
        marks = []
        for words, colour, symbol, of in (
            ("always the centre", GREY, "diamond", "centre_hit_rate"),
            ("strongest cell of the map", BLUE, "circle", "hit_rate"),
        ):
            rates = [getattr(self.boxes[label], of) for label in labels]
            known = [(name, rate) for name, rate in zip(names, rates, strict=True) if rate.value is not None]
            if known:
                marks.append(
                    Dots(
                        tuple(rate.value for _, rate in known),
                        tuple(name for name, _ in known),
                        words,
                        colour,
                        symbol,
                        across="x",
                        hover=tuple(words_of(f"{name}, {words}", rate, percent=True) for name, rate in known),
                        **limits([rate for _, rate in known]),
                    )
                )
        told = "; ".join(
            f"{display_name(label)} {estimate_words(self.boxes[label].hit_rate, percent=True)}, the centre "
            f"{estimate_words(self.boxes[label].centre_hit_rate, percent=True)}"
            for label in labels
        )
        return Chart(
            "Does the strongest cell lie in a box?",
            (
                Panel(
                    Axis("share of boxed films", -0.01, 1.01, percent=True),
                    Axis(names=names),
                    tuple(marks),
                    words="" if marks else "No label has enough boxes.",
                ),
            ),
            alt=f"Hit rates of the maps beside always pointing at the centre. {told}.",
            height=100 + 34 * max(3, len(names)),
            caption=" ".join(["In brackets: films with a box of it.", *self._missing(labels)]),
            notes=self.notes,
        )

    def _missing(self, labels: list[str]) -> list[str]:
        rates = {display_name(label): self.boxes[label].hit_rate for label in labels}
        lines = [f"{name}: {rate.reason}" for name, rate in rates.items() if rate.value is None]
        return [f"Without a rate: {'; '.join(lines)}."] if lines else []


@dataclass(frozen=True, eq=False)
class OverlapDisplay:
    """Intersection over union by threshold, of one label or of all boxes.

    Attributes:
        label: of the class, or all boxed labels.
        numbers: of it.
        notes: what must stand beside the numbers.
    """

    label: str
    numbers: BoxNumbers
    notes: tuple[str, ...] = ()

    def table(self) -> pd.DataFrame:
        """Return a row a threshold."""
        n = self.numbers
        return pd.DataFrame(
            [
                {"label": self.label, "threshold": threshold}
                | estimate_columns(overlap, "overlap_")
                | estimate_columns(centre, "centre_overlap_")
                for threshold, overlap, centre in zip(n.thresholds, n.overlap, n.centre_overlap, strict=True)
            ]
        )

    def chart(self) -> Chart:
        """Return the two curves with their bands."""
        n, name = self.numbers, display_name(self.label)
        axes = (
            Axis("threshold, share of full colour", 0, 1, percent=True),
            Axis("mean intersection over union", 0),
        )
        reason = next((e.reason for e in n.overlap if e.value is None), None)
        title = f"Overlap with the boxes, {name}"
        if reason:
            return Chart(title, (Panel(*axes, words=reason),), alt=f"No curve: {reason}.", notes=self.notes)
        thresholds = np.array(n.thresholds)
        curves = ((n.centre_overlap, "a rectangle in the centre", ORANGE), (n.overlap, "map", BLUE))
        marks = tuple(
            Line(
                thresholds,
                np.array([e.value for e in of], dtype=np.float64),
                words,
                colour,
                hover=tuple(f"{words}: {estimate_words(e)}" for e in of),
                **limits([*of]),
            )
            for of, words, colour in curves
        )
        best = int(np.argmax([e.value or 0 for e in n.overlap]))
        told = f"at {n.thresholds[best]:.0%} of full colour {estimate_words(n.overlap[best])}, its highest"
        return Chart(
            title,
            (Panel(axes[0], Axis(axes[1].title, 0, _top([*n.overlap, *n.centre_overlap])), marks),),
            alt=f"Mean intersection over union of map and boxes of {name}: {told}.",
            notes=self.notes,
        )


def _top(estimates: list[Estimate]) -> float:
    return min(1.0, 1.1 * max([e.high if e.high is not None else e.value or 0 for e in estimates] + [0.05]))
