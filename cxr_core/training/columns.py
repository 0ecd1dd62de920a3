"""What the columns of a table are: which names the image, which the patient, which the labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import PathUnusable, WrongArguments
from ..labels import LABELS, NO_FINDING

__all__ = ["NEVER", "ColumnMap", "one_hot", "parse_columns"]

NEVER = "-"
"""In place of a column: no film of the table shows this label. In place of a label: it is left out."""

FIELDS = ("image", "patient", "labels", "age", "sex", "view")
SEPARATOR = "|"
YES_NO = {"1": True, "1.0": True, "YES": True, "TRUE": True, "0": False, "0.0": False, "NO": False, "FALSE": False}


@dataclass(frozen=True)
class ColumnMap:
    """Names of columns.

    Attributes:
        image: file name of the image, or its path below the folder of images.
        patient: who is on it; the same words are the same patient.
        labels: labels in words, with ``|`` between them; None where ``each`` is given.
        age, sex, view: years, M or F, PA or AP; None where the table has none.
        each: for each of the 14 labels a column of 0 and 1, or :data:`NEVER`.
        rename: labels of the table to labels of ours, to ``No Finding``, or to :data:`NEVER`.
    """

    image: str
    patient: str
    labels: str | None = None
    age: str | None = None
    sex: str | None = None
    view: str | None = None
    each: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)

    def needed(self) -> list[str]:
        """Return the columns that the table must have."""
        named = (self.image, self.patient, self.labels, self.age, self.sex, self.view)
        return [*filter(None, named), *(column for column in self.each.values() if column != NEVER)]

    def labels_of(self, frame: pd.DataFrame, csv: Path) -> np.ndarray:
        """Return (n, 14) bool; raises PathUnusable for a label that is neither ours nor renamed."""
        if self.labels is not None:
            return one_hot(frame[self.labels], csv, self.rename)
        return np.stack([self._yes_no(frame, label, csv) for label in LABELS], axis=1)

    def _yes_no(self, frame: pd.DataFrame, label: str, csv: Path) -> np.ndarray:
        column = self.each[label]
        if column == NEVER:
            return np.zeros(len(frame), dtype=bool)
        answers = frame[column].astype(str).str.strip().str.upper()
        other = ~answers.isin(YES_NO)
        if other.any():
            # an answer that is not known is not a no
            raise PathUnusable(
                f"Table {csv}: column {column!r} has {int(other.sum())} answers that are neither 0 nor 1 (or NO, YES). "
                "Decide on them in the table, or leave those rows out."
            )
        return answers.map(YES_NO).to_numpy(dtype=bool)


def parse_columns(text: str, rename: Iterable[str] = ()) -> ColumnMap:
    """Read ``image=File,patient=Who,labels=Findings,age=Years``, or a column for each of the 14 labels.

    Args:
        text: pairs of field and column, with commas between. Fields are image, patient, labels, age, sex
            and view, and the labels themselves; ``Hernia=-`` says that no film shows it.
        rename: pairs such as ``Pleural Thickening=Pleural_Thickening`` or ``Fracture=-``.

    Raises:
        WrongArguments: naming the first thing that is wrong.
    """
    pairs = [_pair(part, "Columns") for part in text.split(",")]
    named = dict(pairs)
    unknown = sorted(named.keys() - {*FIELDS, *LABELS})
    if unknown:
        raise WrongArguments(
            f"Columns: {unknown[0]!r} is no field. Accepted: {', '.join(FIELDS)}, and the 14 labels of ChestX-ray14."
        )
    if len(named) < len(pairs):
        raise WrongArguments("Columns: a field stands twice.")
    for name in ("image", "patient"):
        if name not in named:
            raise WrongArguments(f"Columns: {name}= is missing; image and patient are needed.")
    each = {label: named[label] for label in LABELS if label in named}
    if ("labels" in named) == bool(each):
        raise WrongArguments("Columns: give labels=COLUMN, or a column for each label, and not both.")
    missing = [label for label in LABELS if label not in each]
    if each and missing:
        raise WrongArguments(
            f"Columns: no column for {', '.join(missing)}. A label that is not stated is not a no: "
            f"where no film shows it, write {missing[0]}={NEVER}"
        )
    renamed = dict(_pair(part, "Label map") for part in rename)
    for label in renamed.values():
        if label not in {*LABELS, NO_FINDING, NEVER}:
            raise WrongArguments(f"Label map: {label!r} is not one of the 14 labels of ChestX-ray14.")
    others = {name: named.get(name) for name in ("labels", "age", "sex", "view")}
    return ColumnMap(named["image"], named["patient"], **others, each=each, rename=renamed)


def one_hot(findings: pd.Series, csv: Path, rename: Mapping[str, str] | None = None) -> np.ndarray:
    """Return (n, 14) bool for labels in words; raises PathUnusable for one that is not known."""
    rename = rename or {}
    if findings.isna().any() or (findings.str.strip() == "").any():
        raise PathUnusable(f"Table {csv}: a film has no label at all. Write {NO_FINDING!r} where there is none.")
    # 112,120 rows have 836 different combinations: each is read once
    number, combinations = pd.factorize(findings)
    hot = np.zeros((len(combinations), len(LABELS)), dtype=bool)
    index = {label: c for c, label in enumerate(LABELS)}
    for row, combination in enumerate(combinations):
        for word in str(combination).split(SEPARATOR):
            label = rename.get(word.strip(), word.strip())
            if label in index:
                hot[row, index[label]] = True
            elif label not in (NO_FINDING, NEVER, ""):
                raise PathUnusable(
                    f"Table {csv}: the label {label!r} is not one of the 14 of ChestX-ray14. "
                    "Say with --map-label what it is."
                )
    return hot[number]


def _pair(text: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise WrongArguments(f"{what} {text!r}: write NAME=VALUE.")
    return name.strip(), value.strip()
