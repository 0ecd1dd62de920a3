"""How a training went: loss and validation AUC of every epoch, stage by stage."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..model.card import TrainingRecord
from .marks import GREEN, ORANGE, PALETTE, Axis, Chart, Dots, Line, Panel, Rule

__all__ = ["LogDisplay"]

_COLOURS = tuple(colour for colour in PALETTE if colour not in (GREEN, ORANGE))


@dataclass(frozen=True)
class LogDisplay:
    """The log of one training.

    Attributes:
        rows: stage (from 0), size (pixels), step of the stage, step of all, loss and validation AUC (NaN where it
            was not measured), and whether the weights of this step were kept.
        stages: name of each stage.
    """

    rows: pd.DataFrame
    stages: tuple[str, ...]

    @classmethod
    def of(cls, training: TrainingRecord) -> LogDisplay:
        """Take the log from the card."""
        columns = ["stage", "size", "step", "loss", "validation_auc"]
        rows = pd.DataFrame(list(training.history), columns=columns).astype(np.float64)
        rows = rows.astype({"stage": int, "size": int, "step": int})
        ends = rows.groupby("stage")["step"].max()
        # a stage counts its steps anew
        before = ends.cumsum() - ends
        rows.insert(3, "step_of_all", rows["step"] + rows["stage"].map(before).fillna(0).astype(int))
        kept = {(end.stage, end.kept_step) for end in training.stage_ends}
        rows["kept"] = [(stage, step) in kept for stage, step in zip(rows["stage"], rows["step"], strict=True)]
        planned = (training.stages or "").split(",")
        names = []
        for stage, of in rows.groupby("stage"):
            head = stage < len(planned) and planned[stage].startswith("head")
            names.append(f"stage {stage + 1}: {of['size'].iloc[0]} px{', last layer alone' if head else ''}")
        return cls(rows, tuple(names))

    def table(self) -> pd.DataFrame:
        """Return one row an epoch."""
        return self.rows

    def chart(self) -> Chart:
        """Return a panel of the loss and one of the AUC over the steps of all stages."""
        last = [of.iloc[-1] for _, of in self.rows.groupby("stage")]
        told = "; ".join(
            f"{name} ends with loss {_words(row['loss'])} and AUC {_words(row['validation_auc'])}"
            for name, row in zip(self.stages, last, strict=True)
        )
        return Chart(
            "Loss and validation AUC over the training",
            (self._panel("loss", "loss of the epoch"), self._panel("validation_auc", "mean validation AUC")),
            alt=f"Curves of the training. {told}." if told else "The card has no log of the training.",
            height=245,
            notes=(
                "loss of augmented training films",
                "AUC on a sample of validation films, for choices during the training only",
            ),
        )

    def _panel(self, column: str, title: str) -> Panel:
        marks: list = []
        every = self.rows[self.rows[column].notna()]
        for number, (stage, rows) in enumerate(every.groupby("stage")):
            name, colour = self.stages[list(self.rows["stage"].unique()).index(stage)], _COLOURS[number % len(_COLOURS)]
            x, y = rows["step_of_all"].to_numpy(np.float64), rows[column].to_numpy(np.float64)
            hover = tuple(f"{name}, step {step:,}: {value:.4f}" for step, value in zip(rows["step"], y, strict=True))
            # a stage of one epoch is a point, and a line alone would not show it
            marks += [Line(x, y, name, colour, hover=hover), Dots(x, y, colour=colour, hover=hover)]
        kept = every[every["kept"]]
        if len(kept) and column == "validation_auc":
            x, y = kept["step_of_all"].to_numpy(np.float64), kept[column].to_numpy(np.float64)
            marks.append(Dots(x, y, "weights kept", ORANGE, "diamond"))
        marks += [Rule("x", float(end)) for end in self.rows.groupby("stage")["step_of_all"].max().iloc[:-1]]
        words = "" if len(every) else "The card has no log of the training."
        return Panel(
            Axis("steps" if column != "loss" else ""), Axis(title), tuple(marks) if len(every) else (), words=words
        )


def _words(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{value:.3f}"
