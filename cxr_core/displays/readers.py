"""Radiologists and the model: sensitivity and specificity of each, and their agreement."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..evaluation.outcomes import ANY_FINDING, Outcome, reader_outcomes
from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import Agreement, BootstrapOptions, Estimate, ReaderPoint, at_threshold, reader_agreement, reader_points
from .display import RunView, estimate_columns, estimate_dots
from .marks import Axis, Cells, Chart, Panel

__all__ = ["MODEL", "AgreementDisplay", "ReadersDisplay"]

_OPTIONS = BootstrapOptions(resamples=1000)

MODEL = "model"


@dataclass(frozen=True, eq=False)
class ReadersDisplay:
    """Sensitivity and specificity of each reader, and of the model at its operating point.

    Attributes:
        label: that is read.
        points: (name, point) of each reader, against the majority of the others.
        model: sensitivity and specificity of the model against the run's reference, or None without an operating
            point. The readers' reference standard differs: it leaves out the reader who is compared.
        notes: what must accompany the numbers.
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
        patients: NDArray[np.intp],
        model: tuple[Estimate, Estimate] | None = None,
        notes: tuple[str, ...] = (),
        options: BootstrapOptions = _OPTIONS,
    ) -> ReadersDisplay:
        """Compute the points.

        Args:
            label: that is read.
            readers: (r,) names.
            answers: (n, r) whether each reader calls the label present.
            patients: (n,) numbers of the patients.
            model: sensitivity and specificity at the operating point, or None.
            notes: what must accompany the numbers.
            options: of the intervals.
        """
        points = reader_points(answers, patients, options)
        return cls(label, tuple(zip(readers.tolist(), points, strict=True)), model, notes)

    @classmethod
    def of_run(cls, run: RunView, label: str) -> ReadersDisplay | None:
        """Return the readers of a label of a run, with the model at the run's threshold; None without readers."""
        answers, outcome = reader_outcomes(run.predictions), run.outcomes[label]
        if answers is None or run.predictions.readers is None:
            return None
        column = [*run.predictions.labels.tolist(), ANY_FINDING].index(label)
        model, threshold = None, run.thresholds.get(label)
        if threshold is not None:
            point = at_threshold(outcome.truth, outcome.scores, threshold, outcome.patients, run.options)
            model = point.sensitivity, point.specificity
        names, of_label = run.predictions.readers.readers, answers[outcome.rows][:, :, column]
        return cls.of(label, names, of_label, outcome.patients, model, run.notes, run.options)

    def rows(self) -> list[tuple[str, Estimate, Estimate]]:
        """Return name, sensitivity and specificity of each reader, the model last."""
        rows = [(name, point.sensitivity, point.specificity) for name, point in self.points]
        return rows if self.model is None else [*rows, (MODEL, *self.model)]

    def table(self) -> pd.DataFrame:
        """Return one row per reader."""
        return pd.DataFrame(
            [
                {"label": self.label, "reader": name}
                | estimate_columns(sensitivity, "sensitivity_")
                | estimate_columns(specificity, "specificity_")
                for name, sensitivity, specificity in self.rows()
            ]
        )

    def chart(self) -> Chart:
        """Return dot plots of sensitivity and specificity over the same readers."""
        rows = self.rows()[::-1]
        names = tuple(name for name, _, _ in rows)
        panels = []
        for title, estimates in (
            ("sensitivity", [sensitivity for _, sensitivity, _ in rows]),
            ("specificity", [specificity for _, _, specificity in rows]),
        ):
            known = [pair for pair in zip(names, estimates, strict=True) if pair[1].value is not None]
            dots = estimate_dots(
                [estimate for _, estimate in known],
                [name for name, _ in known],
                [f"{name}: {format_estimate(estimate, percent=True)}" for name, estimate in known],
            )
            message = "" if known else next((estimate.reason or "" for estimate in estimates), "no readers")
            axis = Axis(title, -0.01, 1.01, percent=True)
            panels.append(Panel(axis, Axis(names=names), (dots,) if known else (), message=message))
        text = "; ".join(
            f"{name}: sensitivity {format_estimate(se, percent=True)}, specificity {format_estimate(sp, percent=True)}"
            for name, se, sp in self.rows()
        )
        return Chart(
            f"Readers and model, {display_name(self.label)}",
            tuple(panels),
            alt=f"Each reader against the majority of the others. {text}.",
            columns=2,
            same_rows=True,
            height=90 + 30 * max(3, len(names)),
            caption=_without_number(self.rows()),
            notes=self.notes,
            table_rows=(
                ("reader", "sensitivity (95 % CI)", "specificity (95 % CI)"),
                *(
                    (name, format_estimate(se, percent=True), format_estimate(sp, percent=True))
                    for name, se, sp in self.rows()
                ),
            ),
        )


@dataclass(frozen=True, eq=False)
class AgreementDisplay:
    """Cohen's kappa of each pair of readers, the model included.

    Attributes:
        label: that is read.
        names: of the readers, the model last where it has an operating point.
        agreement: all kappas with their intervals.
        notes: what must accompany the numbers.
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
        options: BootstrapOptions = _OPTIONS,
    ) -> AgreementDisplay:
        """Compute all kappas; ``answers`` are (n, r) of the images of ``outcome``, ``threshold`` is of the score."""
        model = None if threshold is None else outcome.scores >= threshold
        names = (*readers.tolist(), *(() if model is None else (MODEL,)))
        agreement = reader_agreement(answers, outcome.patients, model, options)
        return cls(outcome.label, names, agreement, notes)

    def table(self) -> pd.DataFrame:
        """Return one row per pair, then each reader's mean with the others, then all readers."""
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
                ("mean kappa, model minus readers", a.gain),
            )
            if kappa is not None
        ]
        frame = pd.DataFrame(rows)
        frame.insert(0, "label", self.label)
        return frame

    def chart(self) -> Chart:
        """Return a matrix of kappas, one cell per pair."""
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
        fleiss = format_estimate(self.agreement.fleiss)
        gain = self.agreement.gain
        gain_text = "" if gain is None else format_estimate(gain, signed=True)
        more = f" Mean kappa of model and readers minus that among readers: {gain_text}." if gain else ""
        missing = self.agreement.fleiss.value is None
        return Chart(
            f"Agreement (Cohen's kappa), {display_name(self.label)}",
            (
                Panel(
                    Axis(names=cells.columns),
                    Axis(names=cells.rows),
                    () if missing else (cells,),
                    message=fleiss if missing else "",
                ),
            ),
            alt=f"Cohen's kappa of each pair of readers; Fleiss' kappa of all readers {fleiss}.{more}",
            height=90 + 46 * max(3, size),
            table_rows=() if missing else self._listed(),
            caption=f"Fleiss' kappa of all readers: {fleiss}.{more}",
            notes=self.notes,
        )

    def _listed(self) -> tuple[tuple[str, ...], ...]:
        pairs = self.agreement.pairs.items()
        rows = [(f"{self.names[i]} and {self.names[j]}", format_estimate(kappa)) for (i, j), kappa in pairs]
        return (("pair", "kappa (95 % CI)"), *rows)


def _without_number(rows: list[tuple[str, Estimate, Estimate]]) -> str:
    """Return a sentence on whose sensitivity or specificity is not drawn, and why."""
    lines = [
        f"{what} of {name}: {estimate.reason}"
        for name, sensitivity, specificity in rows
        for what, estimate in (("sensitivity", sensitivity), ("specificity", specificity))
        if estimate.value is None
    ]
    return f"Not estimated: {'; '.join(lines)}." if lines else ""
