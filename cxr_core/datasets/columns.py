"""Column maps: which columns of a table hold the image, the patient and the labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import PathUnusable, WrongArguments
from ..labels import LABELS, NO_FINDING, check_label_names

__all__ = ["NONE", "ColumnMap", "expert_answers", "expert_columns", "labels_named", "parse_columns", "yes_or_no"]

NONE = "-"
"""In place of a column: no image of the table shows this label. In place of a label: it is ignored."""

FIELDS = ("image", "patient", "labels", "age", "sex", "view")
SEPARATOR = "|"
YES_NO = {"1": True, "1.0": True, "YES": True, "TRUE": True, "0": False, "0.0": False, "NO": False, "FALSE": False}

NOT_LABELS = ("Image ID", "Patient ID", "Reader ID", "Abnormal", "Other")
"""Columns of the experts' tables that are not labels; ``Other`` is any abnormality that has no column."""


@dataclass(frozen=True)
class ColumnMap:
    """The columns of a table, and the labels that it states.

    Attributes:
        image: column of the image's file name, or its path below the folder of images.
        patient: column of the patient's identifier.
        labels: names of the labels that the table states for every image, in order.
        findings: column of an image's labels separated by ``|``; None where ``label_columns`` is given.
        age, sex, view: columns of years, M or F, PA or AP; None where the table has none.
        label_columns: for each label its column of 0 and 1, or :data:`NONE`.
        rename: values of the column ``findings`` to one of ``labels``, to ``No Finding``, or to :data:`NONE`.
    """

    image: str
    patient: str
    labels: tuple[str, ...]
    findings: str | None = None
    age: str | None = None
    sex: str | None = None
    view: str | None = None
    label_columns: Mapping[str, str] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)

    def required(self) -> list[str]:
        """Return the columns that the table must have."""
        named = (self.image, self.patient, self.findings, self.age, self.sex, self.view)
        return [*filter(None, named), *(column for column in self.label_columns.values() if column != NONE)]

    def of_labels(self) -> list[str]:
        """Return the columns of the image and its labels."""
        others = {self.patient, self.age, self.sex, self.view}
        return [column for column in self.required() if column == self.image or column not in others]

    def positive(self, frame: pd.DataFrame, csv: Path) -> NDArray[np.bool_]:
        """Return (n, labels) bool; raises PathUnusable for a value that is not a label, or an unclear answer."""
        if self.findings is not None:
            return self._from_findings(frame[self.findings], csv)
        return np.stack([self._from_answers(frame, self.label_columns[label], csv) for label in self.labels], axis=1)

    def _from_findings(self, findings: pd.Series, csv: Path) -> NDArray[np.bool_]:
        if findings.isna().any() or (findings.str.strip() == "").any():
            raise PathUnusable(f"Table {csv}: an image has no label at all. Write {NO_FINDING!r} where there is none.")
        # 112,120 rows have 836 different combinations: each is read once
        number, combinations = pd.factorize(findings)
        positive = np.zeros((len(combinations), len(self.labels)), dtype=bool)
        index = {label: c for c, label in enumerate(self.labels)}
        for row, combination in enumerate(combinations):
            for name in str(combination).split(SEPARATOR):
                label = self.rename.get(name.strip(), name.strip())
                if label in index:
                    positive[row, index[label]] = True
                elif label not in (NO_FINDING, NONE, ""):
                    raise PathUnusable(
                        f"Table {csv}: {label!r} is not one of the labels {', '.join(self.labels)}. "
                        "Name all labels of the table with --labels, or map it with --map-label."
                    )
        return np.asarray(positive[number], dtype=np.bool_)

    @staticmethod
    def _from_answers(frame: pd.DataFrame, column: str, csv: Path) -> NDArray[np.bool_]:
        if column == NONE:
            return np.zeros(len(frame), dtype=bool)
        answers = frame[column].astype(str).str.strip().str.upper()
        unclear = ~answers.isin(YES_NO)
        if unclear.any():
            # unknown does not mean negative
            raise PathUnusable(
                f"Table {csv}: column {column!r} has {int(unclear.sum())} answers other than 0 and 1 (or NO, YES). "
                "Correct them in the table, or leave those rows out."
            )
        return np.asarray(answers.map(YES_NO), dtype=np.bool_)


def parse_columns(text: str, rename: Iterable[str] = (), labels: Sequence[str] | None = None) -> ColumnMap:
    """Parse ``image=File,patient=Who,labels=Findings,age=Years``, or a column for each label.

    Args:
        text: pairs of field and column, separated by commas. Fields are image, patient, labels, age, sex and view;
            any other name is a label, and ``Hernia=-`` states that no image shows it.
        rename: pairs such as ``Pleural Thickening=Pleural_Thickening`` or ``Fracture=-``.
        labels: all labels of the table. None: those that have columns, or NIH's for a column of findings.

    Raises:
        WrongArguments: with the first problem.
    """
    pairs = [_pair(part, "Columns") for part in text.split(",")]
    named = dict(pairs)
    if len(named) < len(pairs):
        raise WrongArguments("Columns: a field is given twice.")
    for name in ("image", "patient"):
        if name not in named:
            raise WrongArguments(f"Columns: {name}= is missing; image and patient are needed.")
    label_columns = {name: column for name, column in named.items() if name not in FIELDS}
    if ("labels" in named) == bool(label_columns):
        first = f": {next(iter(label_columns))!r} is neither of {', '.join(FIELDS)}" if label_columns else ""
        raise WrongArguments(f"Columns: give labels=COLUMN, or a column for each label, and not both{first}.")
    if labels is None:
        labels = tuple(label_columns) or LABELS
    labels = check_label_names(labels)
    if label_columns and (missing := [label for label in labels if label not in label_columns]):
        raise WrongArguments(
            f"Columns: no column for {', '.join(missing)}. A label that is not stated does not count as negative: "
            f"if no image shows it, write {missing[0]}={NONE}"
        )
    if surplus := [label for label in label_columns if label not in labels]:
        raise WrongArguments(f"Columns: {surplus[0]!r} is neither of {', '.join(FIELDS)} nor one of --labels.")
    renamed = dict(_pair(part, "Label map") for part in rename)
    for label in renamed.values():
        if label not in {*labels, NO_FINDING, NONE}:
            raise WrongArguments(
                f"Label map: {label!r} is not one of {', '.join(labels)}. Name all labels of the table with --labels."
            )
    return ColumnMap(
        named["image"],
        named["patient"],
        labels,
        named.get("labels"),
        named.get("age"),
        named.get("sex"),
        named.get("view"),
        label_columns,
        renamed,
    )


def labels_named(findings: pd.Series) -> set[str]:
    """Return the labels that a column of labels separated by ``|`` names for at least one image."""
    named = {name.strip() for combination in findings.unique() for name in str(combination).split(SEPARATOR)}
    return named - {NO_FINDING, NONE, ""}


def expert_columns(frame: pd.DataFrame, csv: Path, labels: Sequence[str] | None = None) -> dict[str, str]:
    """Return the columns of a table in the experts' layout by label; NIH's names are written with underscores.

    Source of the layout: Majkowska et al., Radiology 2020 (doi 10.1148/radiol.2019191293), and Nabulsi et al.,
    Scientific Reports 2021: one column of YES and NO per label.

    Args:
        frame: the table, as text.
        csv: its file, for messages.
        labels: that must have a column. None: every column with answers.

    Raises:
        PathUnusable: a label has no column, or no column is a label's.
    """
    answered = [str(name) for name in frame.columns if name not in NOT_LABELS and frame[name].isin(["YES", "NO"]).any()]
    columns = {name.replace(" ", "_") if name.replace(" ", "_") in LABELS else name: name for name in answered}
    if labels is None:
        if not columns:
            raise PathUnusable(f"Table {csv}: no column of YES and NO was found; one for each label is needed.")
        return {label: columns[label] for label in check_label_names(columns)}
    by_text = {name.replace("_", " "): name for name in map(str, frame.columns)}
    by_label = {label: columns.get(label) or by_text.get(label.replace("_", " "), "") for label in labels}
    if missing := [label for label, column in by_label.items() if not column]:
        raise PathUnusable(f"Table {csv}: there is no column for {', '.join(missing)}; one for each label is needed.")
    return by_label


def expert_answers(frame: pd.DataFrame, columns: list[str], csv: Path) -> NDArray[np.bool_]:
    """Return (n, columns) bool of columns of YES and NO; raises PathUnusable for another answer."""
    answers = frame[columns]
    if not answers.isin(["YES", "NO"]).all(axis=None):
        raise PathUnusable(f"Table {csv}: a label is neither YES nor NO.")
    return np.asarray(answers == "YES", dtype=np.bool_)


def yes_or_no(answers: pd.Series, csv: Path) -> np.ndarray:
    """Return (n,) bool of answers as text: YES and NO, or 1 and 0 as single readers' tables have them."""
    parsed = answers.map({"YES": True, "1": True, "NO": False, "0": False})
    if parsed.isna().any():
        raise PathUnusable(f"Table {csv}: an answer in the column {answers.name} is neither YES, NO, 1 nor 0.")
    return np.asarray(parsed, dtype=np.bool_)


def _pair(text: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise WrongArguments(f"{what} {text!r}: write NAME=VALUE.")
    return name.strip(), value.strip()
