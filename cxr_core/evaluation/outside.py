"""Predictions that were made elsewhere, by any model of any framework, as a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import PathUnusable
from ..gunzip import open_unpacked
from ..store import Predictions, RunRecord
from ..training.table import check_commas
from .identity import new_record
from .image_names import digest_key, patient_digests, without_names
from .outcomes import ANY_FINDING

__all__ = ["read_outside"]

SCORE, TRUTH = "score: ", "truth: "
REFERENCE = "truth of the table"


def read_outside(
    file: Path, *, name: str, model: str, part: str, folder: Path, keep_image_names: bool = False
) -> tuple[Predictions, RunRecord]:
    """Read a table of scores and labels.

    Args:
        file: CSV or Parquet, one row a film: ``image``, ``patient``, for each label ``score: LABEL`` in [0, 1]
            and ``truth: LABEL`` of 0, 1 or nothing; where known ``age``, ``sex``, ``view``, and
            ``truth: Any finding``, whether the film is abnormal at all.
        name, model: what run and model are called.
        part: of a split.
        folder: of runs; keeps the key of the digests of patients and of image names.
        keep_image_names: keep the names of images as they are.

    Raises:
        PathUnusable: another layout, a score outside [0, 1], an image twice, a film without a patient.
    """
    if file.suffix != ".parquet":
        check_commas(file)
    try:
        frame = pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(open_unpacked(file))
    except (OSError, ValueError) as error:
        raise PathUnusable(f"Table {file}: cannot be read as CSV or Parquet.") from error
    labels = [column.removeprefix(SCORE) for column in frame.columns if str(column).startswith(SCORE)]
    missing = [c for c in ("image", "patient", *(TRUTH + label for label in labels)) if c not in frame.columns]
    if missing or not labels or frame.empty:
        what = f"the columns {', '.join(missing)} are missing" if missing else "no film or no column 'score: LABEL'"
        raise PathUnusable(f"Table {file}: {what}. Needed: image, patient, and for each label 'score: ' and 'truth: '.")
    if frame["image"].duplicated().any():
        raise PathUnusable(f"Table {file}: an image stands in it twice. Give one row a film.")
    if frame["patient"].isna().any():
        raise PathUnusable(f"Table {file}: a film has no patient. Intervals are by patients, so each needs one.")
    scores = _numbers(frame, [SCORE + label for label in labels], file)
    # of films as a whole last
    own = [ANY_FINDING] if TRUTH + ANY_FINDING in frame.columns else []
    truth = _numbers(frame, [TRUTH + label for label in [*labels, *own]], file)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise PathUnusable(f"Table {file}: a score is missing or not in 0 to 1.")
    if not (np.isnan(truth) | (truth == 0) | (truth == 1)).all():
        raise PathUnusable(f"Table {file}: a truth is neither 0, 1 nor empty.")
    count, said = len(frame), np.where(np.isnan(truth), -1, truth).astype(np.int8)

    def words(column: str) -> np.ndarray:
        if column not in frame.columns:
            return np.full(count, "")
        return frame[column].fillna("").astype(str).to_numpy(dtype=str)

    ages = _numbers(frame, ["age"], file)[:, 0] if "age" in frame.columns else np.full(count, np.nan)
    key = digest_key(folder)
    predictions = Predictions(
        images=words("image"),
        sha256=words("sha256"),
        patients=patient_digests(words("patient"), key),
        labels=np.array(labels),
        scores=scores,
        probabilities=np.full(scores.shape, np.nan),
        references={REFERENCE: said[:, : len(labels)]},
        ages=ages,
        sexes=words("sex"),
        views=words("view"),
        sources=np.full(count, "brought in"),
        quality=np.full(count, ""),
        any_finding={REFERENCE: said[:, -1]} if own else {},
    )
    made = new_record(predictions, name=name, model_id=model, part=part, image_names_kept=keep_image_names)
    return predictions if keep_image_names else without_names(predictions, None, key)[0], made


def _numbers(frame: pd.DataFrame, columns: list[str], file: Path) -> np.ndarray:
    try:
        return frame[columns].to_numpy(dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PathUnusable(f"Table {file}: a number is expected in {', '.join(columns)}.") from error
