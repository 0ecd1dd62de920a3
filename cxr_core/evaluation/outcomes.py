"""What a run's films show and how they were scored: the arrays that every number starts from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import WrongArguments
from ..store import Predictions

__all__ = ["ANY_FINDING", "any_finding_score", "outcomes", "reader_outcomes"]

ANY_FINDING = "Any finding"
"""A row of its own beside the labels: a film that shows anything, against one that does not.

By the reference's own word where it has one (the experts' "abnormal"), else by whether any label is positive.
"""


def outcomes(
    predictions: Predictions, reference: str | None = None
) -> tuple[tuple[str, ...], NDArray[np.int8], NDArray[np.float64], NDArray[np.str_]]:
    """Return labels with :data:`ANY_FINDING` last, (n, c) truth, (n, c) scores and (n,) patients.

    Truth is 1, 0, or -1 where the reference says nothing.
    """
    names = tuple(predictions.references)
    if reference is None:
        reference = names[0]
    if reference not in names:
        raise WrongArguments(f"Reference {reference!r}: the run has {', '.join(names)}.")
    truth = predictions.references[reference]
    anything = np.where((truth >= 0).any(axis=1), (truth == 1).any(axis=1), -1).astype(np.int8)
    own = predictions.any_finding.get(reference, anything)
    anything = np.where(own >= 0, own, anything)
    labels = (*predictions.labels.tolist(), ANY_FINDING)
    scores = np.column_stack([predictions.scores, any_finding_score(predictions.scores)])
    return labels, np.column_stack([truth, anything]), scores, predictions.patients


def reader_outcomes(predictions: Predictions) -> NDArray[np.bool_] | None:
    """Return (n, readers, c) single readers' answers to the labels of :func:`outcomes`; None without readers.

    Of :data:`ANY_FINDING` it is their own answer where they were asked, else whether they gave any label.
    """
    readers = predictions.readers
    if readers is None:
        return None
    anything = readers.answers.any(axis=2) if readers.any_finding is None else readers.any_finding
    return np.concatenate([readers.answers, anything[..., None]], axis=2)


def any_finding_score(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (n,) how much speaks for any finding: the mean log-odds of (n, c) scores, brought back to (0, 1).

    For ranking only. It takes no label's threshold and no label's prevalence into account.
    """
    clipped = np.clip(scores, 1e-12, 1 - 1e-12)
    return 1 / (1 + np.exp(-np.mean(np.log(clipped) - np.log1p(-clipped), axis=1)))
