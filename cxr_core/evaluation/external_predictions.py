"""Import of the predictions of another program as a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..datasets.table import check_commas
from ..errors import PathUnusable, WrongArguments
from ..labels import check_label_names
from ..store import Predictions, RunRecord
from ..table_files import open_unpacked
from .images import digest_key, patient_digests, with_digests
from .outcomes import ANY_FINDING
from .run_record import new_record

__all__ = ["read_external_predictions"]

SCORE, TRUTH = "score: ", "truth: "
REFERENCE = "truth of the table"


def read_external_predictions(
    file: Path, *, name: str, model: str, part: str, folder: Path, keep_image_names: bool = False
) -> tuple[Predictions, RunRecord]:
    """Read a table of scores and labels.

    Args:
        file: CSV or Parquet, one row per image: ``image``, ``patient``, for each label ``score: LABEL`` in [0, 1] and
            ``truth: LABEL`` of 0, 1 or empty; optionally ``age``, ``sex``, ``view``, and ``truth: Any finding``,
            whether the image is abnormal.
        name, model: names of the run and of the model.
        part: of a split.
        folder: of runs; contains the key of the digests of patients and image names.
        keep_image_names: store image names rather than their digests.

    Raises:
        PathUnusable: another layout, a score outside [0, 1], a duplicate image, or an image without a patient.
            image without a patient.
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
        what = f"the columns {', '.join(missing)} are missing" if missing else "no image or no column 'score: LABEL'"
        raise PathUnusable(f"Table {file}: {what}. Needed: image, patient, and for each label 'score: ' and 'truth: '.")
    if frame["image"].duplicated().any():
        raise PathUnusable(f"Table {file}: an image is listed twice. Give one row per image.")
    if frame["patient"].isna().any():
        raise PathUnusable(
            f"Table {file}: an image has no patient. Intervals are computed by patient, so each image needs one."
        )
    try:
        check_label_names(labels)
    except WrongArguments as error:
        raise PathUnusable(f"Table {file}: {error}") from error
    scores = _numbers(frame, [SCORE + label for label in labels], file)
    any_finding = [ANY_FINDING] if TRUTH + ANY_FINDING in frame.columns else []
    truth = _numbers(frame, [TRUTH + label for label in [*labels, *any_finding]], file)
    if not ((scores >= 0) & (scores <= 1)).all():
        raise PathUnusable(f"Table {file}: a score is missing or not in 0 to 1.")
    if not (np.isnan(truth) | (truth == 0) | (truth == 1)).all():
        raise PathUnusable(f"Table {file}: a truth is neither 0, 1 nor empty.")
    count, reference = len(frame), np.where(np.isnan(truth), -1, truth).astype(np.int8)

    def text(column: str) -> NDArray[np.str_]:
        if column not in frame.columns:
            return np.full(count, "")
        return np.asarray(frame[column].fillna("").astype(str).to_numpy(dtype=str))

    ages = _numbers(frame, ["age"], file)[:, 0] if "age" in frame.columns else np.full(count, np.nan)
    key = digest_key(folder)
    predictions = Predictions(
        images=text("image"),
        sha256=text("sha256"),
        patients=patient_digests(text("patient"), key),
        labels=np.array(labels),
        scores=scores,
        probabilities=np.full(scores.shape, np.nan),
        references={REFERENCE: reference[:, : len(labels)]},
        ages=ages,
        sexes=text("sex"),
        views=text("view"),
        sources=np.full(count, "imported"),
        quality=np.full(count, ""),
        any_finding={REFERENCE: reference[:, -1]} if any_finding else {},
    )
    record = new_record(predictions, name=name, model_id=model, part=part, image_names_kept=keep_image_names)
    return predictions if keep_image_names else with_digests(predictions, None, key)[0], record


def _numbers(frame: pd.DataFrame, columns: list[str], file: Path) -> NDArray[np.float64]:
    try:
        return np.asarray(frame[columns], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise PathUnusable(f"Table {file}: a number is expected in {', '.join(columns)}.") from error
