"""What a card says of a training: its data, its plan, the balance of its loss, how its stages ended."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..labels import LABELS
from ..model.card import TrainingRecord
from ..model.schooling import LossBalance, StageEnd
from .augment import POLICIES
from .balance import class_weights, loss_shares
from .plan import Plan, stages_text
from .splits import Split
from .table import FilmTable

__all__ = ["training_record"]

LOSS_WORDS = {
    "weighted": "cross-entropy from logits, w_pos = share of negatives, w_neg = share of positives, per class",
    "plain": "cross-entropy from logits, unweighted",
}


def training_record(
    plan: Plan, split: Split, of: Mapping[str, FilmTable], history: list[dict[str, float]], near_duplicates: str
) -> TrainingRecord:
    """Return what the card says of a training.

    Args:
        plan, split: of the training.
        of: films by part.
        history: its log.
        near_duplicates: what was found of them, in words.
    """
    train, validation = of["train"], of["validation"]
    every = FilmTable.join([table for table in of.values() if len(table)])
    shares = loss_shares(train.labels, class_weights(train.labels, plan.loss))
    return TrainingRecord(
        datasets=tuple(sorted(set(every.sources.tolist()))),
        films=len(train),
        patients=len(np.unique(train.patients)),
        validation_films=len(validation),
        validation_patients=len(np.unique(validation.patients)),
        split=split.name,
        split_sha256=split.sha256,
        stages=stages_text(plan.stages),
        augmentation=plan.policy,
        horizontal_flip=POLICIES[plan.policy].flip,
        loss=LOSS_WORDS[plan.loss],
        seed=plan.seed,
        history=tuple(history),
        balance={label: LossBalance(*row) for label, row in zip(LABELS, shares.tolist(), strict=True)},
        patience=plan.patience,
        stage_ends=_stage_ends(plan, history, len(train)) if plan.patience else (),
        average=plan.average,
        precision=plan.precision,
        near_duplicates=near_duplicates,
    )


def _stage_ends(plan: Plan, history: list[dict[str, float]], films: int) -> tuple[StageEnd, ...]:
    ends = []
    for number, stage in enumerate(plan.stages):
        rows = [row for row in history if row["stage"] == number and not np.isnan(row["validation_auc"])]
        if rows:
            # the first of equals, as in the training
            best = max(rows, key=lambda row: row["validation_auc"])
            steps = plan.steps(stage, films)
            ends.append(StageEnd(number, int(rows[-1]["step"]), steps, int(best["step"]), best["validation_auc"]))
    return tuple(ends)
