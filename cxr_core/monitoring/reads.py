"""The table of reads that everything here is computed from: one row per image that was read or refused.

| column | what |
|---|---|
| ``time`` | when the image was read, UTC; NaT in a run |
| ``patient`` | string, one for each patient, such as a keyed digest; empty where unknown |
| ``quality`` | verdict of the gate: ``ok``, ``warning`` or ``refused`` |
| ``view``, ``sex`` | as DICOM has them; empty where unknown |
| ``age`` | years; NaN where unknown |
| ``distance`` | from the training images (familiarity); NaN where not measured |
| ``seconds`` | from upload to the answer; NaN where unknown |
| ``flagged`` | 1.0 where any evaluated label is at or above its threshold, else 0.0; NaN where the image was refused |
| ``score: LABEL`` | score of each evaluated label, in [0, 1]; NaN where the image was refused |
| ``unfamiliar`` | 1.0 where the distance is beyond the card's limit, else 0.0; NaN where not measured |
| ``reasons`` | kinds of reasons for the refusal, and of warnings; a tuple of strings |
| ``device`` | manufacturer and model of the device; empty where unknown |

The last three are of stored reads alone, and may be missing. The table holds no name, number or date of a patient.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..store import Predictions

__all__ = ["SCORE", "check_reads", "reads_of_run"]

SCORE = "score: "
"""Before the label, in the name of a column of scores."""

_COLUMNS = ("time", "patient", "quality", "view", "sex", "age", "distance", "seconds", "flagged")


def check_reads(reads: pd.DataFrame) -> pd.DataFrame:
    """Return the table in the order of time; raises ValueError where a column is missing."""
    absent = [name for name in _COLUMNS if name not in reads]
    if absent:
        raise ValueError(f"A table of reads without {', '.join(absent)}: {', '.join(_COLUMNS)} are needed.")
    return reads.sort_values("time", kind="stable", ignore_index=True)


def reads_of_run(predictions: Predictions, thresholds: Mapping[str, float]) -> pd.DataFrame:
    """Return the images of an evaluation run as a table of reads.

    Args:
        predictions: of the run.
        thresholds: of the evaluated labels, on the scale of the scores; those of the model's card.

    Returns:
        One row per image, without times, durations and distances. Refused images have no score here, though a run
        has one: on the reading page there is none.
    """
    column = {label: position for position, label in enumerate(predictions.labels.tolist())}
    labels = [label for label in thresholds if label in column]
    scores = predictions.scores[:, [column[label] for label in labels]].copy()
    refused = predictions.quality == "refused"
    scores[refused] = np.nan
    above = (scores >= np.array([thresholds[label] for label in labels])).any(axis=1)
    return pd.DataFrame(
        {
            "time": pd.Series(pd.NaT, index=range(len(predictions)), dtype="datetime64[ns, UTC]"),
            "patient": predictions.patients,
            "quality": predictions.quality,
            "view": predictions.views,
            "sex": predictions.sexes,
            "age": predictions.ages,
            "distance": np.nan,
            "seconds": np.nan,
            "flagged": np.where(refused, np.nan, above.astype(np.float64)),
        }
        | {SCORE + label: values for label, values in zip(labels, scores.T, strict=True)}
    )
