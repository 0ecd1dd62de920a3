"""The paper's figures 3.4.1.a and b: what positives and negatives weigh in the loss, before and after weighting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..labels import display_name
from ..model import ModelCard
from ..model.schooling import LossBalance
from ..training.balance import class_weights_of, contributions
from ..training.record import LOSS_WORDS
from .marks import BLUE, ORANGE, Axis, Bars, Chart, Panel

__all__ = ["BalanceDisplay"]

_NOTHING = "The card says neither the balance of its loss nor what it follows from."


@dataclass(frozen=True)
class BalanceDisplay:
    """Contributions to the loss of each class.

    Attributes:
        balance: of each label, means over the training films where every film loses 1; empty where not known.
        weighted: whether the loss was weighted by class; None where that is not known.
    """

    balance: dict[str, LossBalance]
    weighted: bool | None

    @classmethod
    def of(cls, card: ModelCard) -> BalanceDisplay:
        """Take the card's balance; an older card's follows from its counts of training films and its loss."""
        training = card.training
        named = {words: name for name, words in LOSS_WORDS.items()}
        loss = named.get(training.loss or "")
        balance = dict(training.balance)
        if not balance and loss and "train" in card.counts:
            counts = card.counts["train"].values()
            positive = np.array([count.positive_films for count in counts], dtype=np.float64)
            films = positive + [count.negative_films for count in counts]
            frequency = positive / films
            shares = contributions(frequency, class_weights_of(frequency, loss))
            balance = {
                label: LossBalance(*row) for label, row in zip(card.counts["train"], shares.tolist(), strict=True)
            }
        return cls(balance, None if loss is None else loss == "weighted")

    def table(self) -> pd.DataFrame:
        """Return one row a label: contributions, and the share of the positives among both."""
        columns = ("positive_before", "negative_before", "positive_after", "negative_after")
        rows = [
            {"label": label}
            | {name: getattr(of, name) for name in columns}
            | {f"positive_share_{when}": _share(of, when) for when in ("before", "after")}
            for label, of in self.balance.items()
        ]
        return pd.DataFrame(rows, columns=["label", *columns, "positive_share_before", "positive_share_after"])

    def chart(self) -> Chart:
        """Return two panels of contributions, before and after; the label with most positives first."""
        order = sorted(self.balance, key=lambda label: -self.balance[label].positive_before)
        after = "b: after weighting" if self.weighted is not False else "b: not weighted"
        panels = (self._panel(order, "before", "a: before weighting"), self._panel(order, "after", after))
        told = "; ".join(
            f"{display_name(label)} {_percent(self.balance[label], 'before')} before, "
            f"{_percent(self.balance[label], 'after')} after"
            for label in order
        )
        return Chart(
            "What positives and negatives weigh in the loss",
            panels,
            alt=f"Bars of the contributions to the loss. Share of the positives: {told}."
            if order
            else "The balance of the loss is not known.",
            height=250,
            notes=("where every film loses the same, as in a network that knows nothing",),
        )

    def _panel(self, order: list[str], when: str, title: str) -> Panel:
        x = Axis(names=tuple(display_name(label) for label in order), bare=when == "before")
        if not order:
            return Panel(x, Axis(title), words=_NOTHING)
        bars = []
        for kind, colour in (("positive", ORANGE), ("negative", BLUE)):
            values = np.array([getattr(self.balance[label], f"{kind}_{when}") for label in order])
            hover = tuple(
                f"{name}, {kind}: {value:.4f}, {_percent(self.balance[label], when, kind)} of both"
                for name, label, value in zip(x.names, order, values, strict=True)
            )
            bars.append(Bars(x.names, values, f"{kind} films", colour, hover))
        return Panel(x, Axis(title), tuple(bars))


def _share(of: LossBalance, when: str, kind: str = "positive") -> float:
    both = getattr(of, f"positive_{when}") + getattr(of, f"negative_{when}")
    # a label without positives has no loss left after weighting
    return getattr(of, f"{kind}_{when}") / both if both else float("nan")


def _percent(of: LossBalance, when: str, kind: str = "positive") -> str:
    share = _share(of, when, kind)
    return "nothing" if share != share else f"{share:.1%}"
