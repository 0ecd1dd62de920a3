"""Training log, and loss contribution per label (figures 3.4.1.a and b of the paper)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..model import ModelCard
from ..model.training_record import LossBalance, TrainingRecord
from ..training.class_weights import LOSS_DESCRIPTIONS, class_weights_of_prevalence, loss_contributions
from .marks import BLUE, GREEN, ORANGE, PALETTE, Axis, Bars, Chart, Dots, Line, Mark, Panel, Rule

__all__ = [
    "LossContributionDisplay",
    "TrainingLogDisplay",
]


_NO_CONTRIBUTIONS = "The model card states neither loss contributions nor the label counts to compute them."

_COLOURS = tuple(colour for colour in PALETTE if colour not in (GREEN, ORANGE))


@dataclass(frozen=True)
class TrainingLogDisplay:
    """Training log: loss and validation AUC per epoch and stage.

    Attributes:
        rows: stage (from 0), size (pixels), step within the stage, overall step, loss, validation AUC (NaN if not
            measured), and whether the weights of the step were selected.
        stages: names of the stages.
    """

    rows: pd.DataFrame
    stages: tuple[str, ...]

    @classmethod
    def of(cls, training: TrainingRecord) -> TrainingLogDisplay:
        """Take the log from the model card."""
        columns = ["stage", "size", "step", "loss", "validation_auc"]
        rows = pd.DataFrame(list(training.history), columns=columns).astype(np.float64)
        rows = rows.astype({"stage": int, "size": int, "step": int})
        ends = rows.groupby("stage")["step"].max()
        # steps are counted from 1 in each stage
        offsets = ends.cumsum() - ends
        rows.insert(3, "overall_step", rows["step"] + rows["stage"].map(offsets).fillna(0).astype(int))
        selected = {(end.stage, end.kept_step) for end in training.stage_ends}
        rows["selected"] = [key in selected for key in zip(rows["stage"], rows["step"], strict=True)]
        planned = (training.stages or "").split(",")
        names = []
        for stage, steps in rows.groupby("stage"):
            head = stage < len(planned) and planned[stage].startswith("head")
            names.append(f"stage {stage + 1}: {steps['size'].iloc[0]} px{', last layer only' if head else ''}")
        return cls(rows, tuple(names))

    def table(self) -> pd.DataFrame:
        """Return one row per epoch."""
        return self.rows

    def chart(self) -> Chart:
        """Return a panel of the loss and one of the validation AUC over all steps."""
        last = [steps.iloc[-1] for _, steps in self.rows.groupby("stage")]
        text = "; ".join(
            f"{name} ends with loss {_format_metric(row['loss'])} and AUC {_format_metric(row['validation_auc'])}"
            for name, row in zip(self.stages, last, strict=True)
        )
        return Chart(
            "Training loss and validation AUC",
            (self._panel("loss", "loss of the epoch"), self._panel("validation_auc", "mean validation AUC")),
            alt=f"Training curves. {text}." if text else "The model card has no training log.",
            height=245,
            notes=(
                "loss on augmented training images",
                "AUC on a sample of validation images, used for choices during training only",
            ),
        )

    def _panel(self, column: str, title: str) -> Panel:
        marks: list[Mark] = []
        measured = self.rows[self.rows[column].notna()]
        for number, (stage, rows) in enumerate(measured.groupby("stage")):
            name, colour = self.stages[list(self.rows["stage"].unique()).index(stage)], _COLOURS[number % len(_COLOURS)]
            x, y = rows["overall_step"].to_numpy(np.float64), rows[column].to_numpy(np.float64)
            hover = tuple(f"{name}, step {step:,}: {value:.4f}" for step, value in zip(rows["step"], y, strict=True))
            # the line of a stage with a single epoch would be invisible
            marks += [Line(x, y, name, colour, hover=hover), Dots(x, y, colour=colour, hover=hover)]
        selected = measured[measured["selected"]]
        if len(selected) and column == "validation_auc":
            x, y = selected["overall_step"].to_numpy(np.float64), selected[column].to_numpy(np.float64)
            marks.append(Dots(x, y, "selected weights", ORANGE, "diamond"))
        marks += [Rule("x", float(end)) for end in self.rows.groupby("stage")["overall_step"].max().iloc[:-1]]
        shown, message = ((), "The model card has no training log.") if measured.empty else (tuple(marks), "")
        return Panel(Axis("steps" if column != "loss" else ""), Axis(title), shown, message=message)


def _format_metric(value: float) -> str:
    return "not measured" if math.isnan(value) else f"{value:.3f}"


@dataclass(frozen=True)
class LossContributionDisplay:
    """Loss contribution of positives and negatives per label.

    Attributes:
        balance: by label, means over the training images at a loss of 1 per image; empty if unknown.
        weighted: whether the loss was weighted by class; None if unknown.
    """

    balance: dict[str, LossBalance]
    weighted: bool | None

    @classmethod
    def of(cls, card: ModelCard) -> LossContributionDisplay:
        """Take the contributions from the model card; for older cards compute them from counts and loss."""
        training = card.training
        # "share of" in cards of version 0.1.0
        stated = (training.loss or "").replace("share of", "proportion of")
        loss = next((name for name, text in LOSS_DESCRIPTIONS.items() if text == stated), None)
        balance = dict(training.balance)
        if not balance and loss and "train" in card.counts:
            counts = card.counts["train"].values()
            positive = np.array([count.positive_images for count in counts], dtype=np.float64)
            images = positive + [count.negative_images for count in counts]
            frequency = positive / images
            contributions = loss_contributions(frequency, class_weights_of_prevalence(frequency, loss)).tolist()
            balance = {label: LossBalance(*row) for label, row in zip(card.counts["train"], contributions, strict=True)}
        return cls(balance, None if loss is None else loss == "weighted")

    def table(self) -> pd.DataFrame:
        """Return one row per label: contributions, and the proportion due to positives."""
        columns = ("positive_before", "negative_before", "positive_after", "negative_after")
        rows = [
            {"label": label}
            | {name: getattr(balance, name) for name in columns}
            | {f"positive_proportion_{when}": _proportion(balance, when) for when in ("before", "after")}
            for label, balance in self.balance.items()
        ]
        proportions = ("positive_proportion_before", "positive_proportion_after")
        return pd.DataFrame(rows, columns=["label", *columns, *proportions])

    def chart(self) -> Chart:
        """Return panels before and after weighting; the label with the most positives first."""
        order = sorted(self.balance, key=lambda label: -self.balance[label].positive_before)
        after = "b: after weighting" if self.weighted is not False else "b: not weighted"
        panels = (self._panel(order, "before", "a: before weighting"), self._panel(order, "after", after))
        text = "; ".join(
            f"{display_name(label)} {_percent(self.balance[label], 'before')} before, "
            f"{_percent(self.balance[label], 'after')} after"
            for label in order
        )
        return Chart(
            "Loss contribution per label",
            panels,
            alt=f"Bars of loss contributions. Proportion due to positives: {text}."
            if order
            else "Loss contributions are not known.",
            height=250,
            notes=("at equal loss per image, as in an untrained network",),
        )

    def _panel(self, order: list[str], when: str, title: str) -> Panel:
        x = Axis(names=tuple(display_name(label) for label in order), hide_ticks=when == "before")
        if not order:
            return Panel(x, Axis(title), message=_NO_CONTRIBUTIONS)
        bars = []
        for kind, colour in (("positive", ORANGE), ("negative", BLUE)):
            values = np.array([getattr(self.balance[label], f"{kind}_{when}") for label in order])
            hover = tuple(
                f"{name}, {kind}: {value:.4f}, {_percent(self.balance[label], when, kind)} of the label's loss"
                for name, label, value in zip(x.names, order, values, strict=True)
            )
            bars.append(Bars(x.names, values, f"{kind} images", colour, hover))
        return Panel(x, Axis(title), tuple(bars))


def _proportion(balance: LossBalance, when: str, kind: str = "positive") -> float:
    total = getattr(balance, f"positive_{when}") + getattr(balance, f"negative_{when}")
    # after weighting, a label without positives contributes no loss
    return getattr(balance, f"{kind}_{when}") / total if total else math.nan


def _percent(balance: LossBalance, when: str, kind: str = "positive") -> str:
    proportion = _proportion(balance, when, kind)
    return "no loss" if math.isnan(proportion) else f"{proportion:.1%}"
