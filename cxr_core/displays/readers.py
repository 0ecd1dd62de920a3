"""Radiologists beside the model: how they agree, and what each finds against the majority of the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..labels import display_name
from ..metrics import Agreement, Estimate, ReaderPoint, reader_agreement, reader_points
from .display import estimate_columns, estimate_words
from .marks import Axis, Cells, Chart, Dots, Panel
from .outcome import Outcome

__all__ = ["MODEL", "AgreementDisplay", "ReadersDisplay"]

MODEL = "model"


@dataclass(frozen=True, eq=False)
class ReadersDisplay:
    """Sensitivity and specificity of each reader, and of the model at its operating point.

    Attributes:
        label: of the class.
        points: (name, point) of each reader, against the majority of the others.
        model: sensitivity and specificity of the model against the run's reference, or None without an operating
            point. Not the same reference as the readers': theirs leaves out the one who is judged.
        notes: what must stand beside the numbers.
    """

    label: str
    points: tuple[tuple[str, ReaderPoint], ...]
    model: tuple[Estimate, Estimate] | None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        label: str,
        readers: NDArray[np.str_],
        answers: NDArray[np.bool_],
        patients: NDArray[np.str_],
        model: tuple[Estimate, Estimate] | None = None,
        notes: tuple[str, ...] = (),
        resamples: int = 1000,
    ) -> ReadersDisplay:
        """Compute the points.

        Args:
            label: of the class.
            readers: (r,) names.
            answers: (n, r) whether each reader says the class is there.
            patients: (n,) str.
            model: sensitivity and specificity at the operating point, or None.
            notes: what must stand beside the numbers.
            resamples: of patients.
        """
        points = reader_points(answers, patients, resamples)
        return cls(label, tuple(zip(readers.tolist(), points, strict=True)), model, notes)

    def rows(self) -> list[tuple[str, Estimate, Estimate]]:
        """Return name, sensitivity and specificity of each, the model last."""
        rows = [(name, point.sensitivity, point.specificity) for name, point in self.points]
        return rows if self.model is None else [*rows, (MODEL, *self.model)]

    def table(self) -> pd.DataFrame:
        """Return a row for each reader."""
        return pd.DataFrame(
            [
                {"label": self.label, "reader": name}
                | estimate_columns(sensitivity, "sensitivity_")
                | estimate_columns(specificity, "specificity_")
                for name, sensitivity, specificity in self.rows()
            ]
        )

    def chart(self) -> Chart:
        """Return two dot plots over the same readers: sensitivity, specificity."""
        rows = self.rows()[::-1]
        names = tuple(name for name, _, _ in rows)
        panels = []
        for column, title in ((1, "sensitivity"), (2, "specificity")):
            known = [row for row in rows if row[column].value is not None]
            dots = Dots(
                tuple(row[column].value for row in known),
                tuple(row[0] for row in known),
                across="x",
                low=_ends(known, column, "low"),
                high=_ends(known, column, "high"),
                hover=tuple(f"{row[0]}: {estimate_words(row[column], percent=True)}" for row in known),
            )
            words = "" if known else next((row[column].reason or "" for row in rows), "no reader")
            axis = Axis(title, -0.01, 1.01, percent=True)
            panels.append(Panel(axis, Axis(names=names), (dots,) if known else (), words=words))
        told = "; ".join(
            f"{name}: sensitivity {estimate_words(se, percent=True)}, specificity {estimate_words(sp, percent=True)}"
            for name, se, sp in self.rows()
        )
        return Chart(
            f"Radiologists and the model, {display_name(self.label)}",
            tuple(panels),
            alt=f"Each reader against the majority of the others. {told}.",
            columns=2,
            same_rows=True,
            height=90 + 30 * max(3, len(names)),
            caption=_without_number(self.rows()),
            notes=self.notes,
        )


@dataclass(frozen=True, eq=False)
class AgreementDisplay:
    """Cohen's kappa of each pair, the model as one more reader.

    Attributes:
        label: of the class.
        names: of the readers, the model last where it has an operating point.
        agreement: all kappas with their intervals.
        notes: what must stand beside the numbers.
    """

    label: str
    names: tuple[str, ...]
    agreement: Agreement
    notes: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        outcome: Outcome,
        readers: NDArray[np.str_],
        answers: NDArray[np.bool_],
        threshold: float | None,
        notes: tuple[str, ...] = (),
        resamples: int = 1000,
    ) -> AgreementDisplay:
        """Compute all kappas; ``answers`` are (n, r) of the films of ``outcome``, ``threshold`` is of the score."""
        model = None if threshold is None else outcome.scores >= threshold
        names = (*readers.tolist(), *(() if model is None else (MODEL,)))
        return cls(outcome.label, names, reader_agreement(answers, outcome.patients, model, resamples), notes)

    def table(self) -> pd.DataFrame:
        """Return a row a pair, then each one's mean with the readers, then all together."""
        a = self.agreement
        rows = [
            {"what": f"{self.names[i]} and {self.names[j]}"} | estimate_columns(kappa)
            for (i, j), kappa in a.pairs.items()
        ]
        rows += [
            {"what": f"{name}, mean with the other readers"} | estimate_columns(kappa)
            for name, kappa in zip(self.names, a.with_others, strict=True)
        ]
        rows += [
            {"what": what} | estimate_columns(kappa)
            for what, kappa in (
                ("all readers (Fleiss)", a.fleiss),
                ("all readers and the model (Fleiss)", a.fleiss_with_model),
                ("model less readers, mean kappa", a.gain),
            )
            if kappa is not None
        ]
        frame = pd.DataFrame(rows)
        frame.insert(0, "label", self.label)
        return frame

    def chart(self) -> Chart:
        """Return a table of kappas, one cell a pair."""
        size = len(self.names)
        values = np.full((size, size), np.nan)
        words = [["" for _ in range(size)] for _ in range(size)]
        for (i, j), kappa in self.agreement.pairs.items():
            if kappa.value is not None:
                values[j, i] = kappa.value
                words[j][i] = f"{kappa.value:.2f}"
                if kappa.low is not None:
                    words[j][i] += f"<br>{kappa.low:.2f} to {kappa.high:.2f}"
        cells = Cells(self.names[:-1], self.names[1:], values[1:, :-1], tuple(tuple(r[:-1]) for r in words[1:]))
        told = estimate_words(self.agreement.fleiss)
        gain = self.agreement.gain
        gain_words = "" if gain is None else estimate_words(gain, signed=True)
        more = f" Mean kappa of the model with the readers, less theirs with one another: {gain_words}." if gain else ""
        missing = self.agreement.fleiss.value is None
        return Chart(
            f"Agreement, {display_name(self.label)} (kappa)",
            (
                Panel(
                    Axis(names=cells.columns),
                    Axis(names=cells.rows),
                    () if missing else (cells,),
                    words=told if missing else "",
                ),
            ),
            alt=f"Cohen's kappa of each pair of readers; Fleiss' kappa of all readers {told}.{more}",
            height=90 + 46 * max(3, size),
            listed=() if missing else self._listed(),
            caption=f"All readers together (Fleiss): {told}.{more}",
            notes=self.notes,
        )

    def _listed(self) -> tuple[tuple[str, ...], ...]:
        pairs = self.agreement.pairs.items()
        rows = [(f"{self.names[i]} and {self.names[j]}", estimate_words(kappa)) for (i, j), kappa in pairs]
        return (("pair", "kappa (95 %)"), *rows)


def _without_number(rows: list[tuple[str, Estimate, Estimate]]) -> str:
    """Say whose sensitivity or specificity is not drawn, and why."""
    lines = [
        f"{what} of {name}: {estimate.reason}"
        for name, *both in rows
        for what, estimate in zip(("sensitivity", "specificity"), both, strict=True)
        if estimate.value is None
    ]
    return f"Without a number: {'; '.join(lines)}." if lines else ""


def _ends(rows: list, column: int, end: str) -> NDArray[np.float64]:
    return np.array([np.nan if getattr(r[column], end) is None else getattr(r[column], end) for r in rows], np.float64)
