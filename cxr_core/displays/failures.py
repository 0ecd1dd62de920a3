"""The worst misses and false alarms of a class, and where they lie among all scores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..evaluation.failures import Failures, worst_failures
from ..labels import display_name
from ..store import Predictions
from .marks import RED, Bars, Chart, Dots
from .outcome import Outcome
from .outcome_distribution import OutcomeDisplay

__all__ = ["FailuresDisplay"]

_KINDS = (("false alarm", "false_alarms"), ("miss", "misses"))
"""In the order of the panels of :class:`.OutcomeDisplay`: negatives, positives."""

_PLURAL = {"false alarm": "false alarms", "miss": "misses"}


@dataclass(frozen=True, eq=False)
class FailuresDisplay:
    """The films that a model got most wrong. No patient is in it; names of files are where they are asked for.

    Attributes:
        outcome: the class, with scores alone.
        failures: rows of the outcome.
        films: of the run.
        threshold: of the operating point, on the scale of the score, or None.
        names: whether names of files, which may tell a patient, are among the columns.
        notes: what must stand beside the numbers.
        names_kept: whether the run holds names of files, and not digests of them.
    """

    outcome: Outcome
    failures: Failures
    films: Predictions
    threshold: float | None = None
    names: bool = False
    notes: tuple[str, ...] = ()
    names_kept: bool = True

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        films: Predictions,
        *,
        most: int,
        threshold: float | None = None,
        names: bool = False,
        notes: tuple[str, ...] = (),
        names_kept: bool = True,
    ) -> FailuresDisplay:
        """Find the ``most`` worst films of each kind."""
        scores = replace(outcome, probabilities=None)
        worst = worst_failures(outcome.truth, outcome.scores, most)
        return cls(scores, worst, films, threshold, names and names_kept, notes, names_kept)

    def table(self) -> pd.DataFrame:
        """Return one row a film: kind, rank, film, age (90: and over), sex, view, score, operating point, what else."""
        rows = []
        for kind, field in reversed(_KINDS):
            for rank, row in enumerate(getattr(self.failures, field), 1):
                rows.append({"kind": kind, "rank": rank} | self._film(int(row)))
        columns = ["kind", "rank", "film", "age", "sex", "view", "score", "operating_point", "called", "also"]
        return pd.DataFrame(rows, columns=[*columns, "image"] if self.names else columns)

    def scores(self) -> dict[str, list[float]]:
        """Return the scores of each kind, the worst first; misses come before false alarms."""
        return {kind: self.outcome.scores[getattr(self.failures, field)].tolist() for kind, field in reversed(_KINDS)}

    def rows(self) -> np.ndarray:
        """Return (k,) intp: the rows of the run's films, in the order of :meth:`table` and :meth:`scores`."""
        return self.outcome.rows[np.concatenate([getattr(self.failures, field) for _, field in reversed(_KINDS)])]

    def chart(self) -> Chart:
        """Return the scores by outcome, with the worst films marked at the foot."""
        chart = OutcomeDisplay.of(self.outcome, self.threshold, self.notes).chart()
        panels, told = [], []
        for panel, (kind, field) in zip(chart.panels, _KINDS, strict=True):
            scores = self.outcome.scores[getattr(self.failures, field)]
            hover = tuple(f"{kind} {rank}: score {score:.3f}" for rank, score in enumerate(scores, 1))
            # below the bars, whose colour is near theirs
            foot = np.full(
                len(scores), -0.06 * max([bars.y.max() for bars in panel.marks if isinstance(bars, Bars)] + [0])
            )
            dots = Dots(scores, foot, "films listed" if len(scores) else "", RED, "cross", hover=hover)
            panels.append(replace(panel, marks=(*panel.marks, dots)))
            if len(scores):
                told.append(
                    f"The {len(scores)} worst {_PLURAL[kind]} have scores of {scores.min():.3f} to {scores.max():.3f}."
                )
        return replace(chart, panels=tuple(panels), alt=" ".join([chart.alt, *told]))

    def _film(self, row: int) -> dict[str, object]:
        films, at = self.films, int(self.outcome.rows[row])
        said = films.references[self.outcome.reference][at] == 1
        score = float(self.outcome.scores[row])
        film = {
            # of a run of others the file may not be known: then by what the run calls the image, where that is no name
            "film": films.sha256[at][:12] or ("" if self.names_kept else films.images[at][:12]),
            # 90 and over are one, as of a film on the front page
            "age": None if np.isnan(films.ages[at]) else min(float(films.ages[at]), 90.0),
            "sex": films.sexes[at],
            "view": films.views[at],
            "score": score,
            "operating_point": self.threshold,
            "called": "" if self.threshold is None else ("above" if score >= self.threshold else "below"),
            "also": ", ".join(display_name(label) for label in films.labels[said] if label != self.outcome.label),
        }
        return film | ({"image": films.images[at]} if self.names else {})
