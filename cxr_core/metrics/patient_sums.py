"""Sums over the images of each patient, and over all images in every resample of patients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .bootstrap import BootstrapOptions, exact_in_single, multiplicities

__all__ = ["patient_sums", "sum_replicates"]

_DENSE, _FEW_ROWS = 0.25, 8
_MOST_KINDS = 0.25
"""Of the patients: with more kinds, drawing them by kind saves little."""


def patient_sums(values: ArrayLike, which: NDArray[np.intp], patients: int) -> NDArray[np.float64]:
    """Sum values over the images of each patient.

    Args:
        values: (m, n) or (n,).
        which: (n,) the patient of each image, in [0, patients).
        patients: number of patients.

    Returns:
        (m, patients) float64.

    Examples:
        >>> patient_sums([[1, 2, 3]], np.array([0, 1, 1]), patients=2)
        array([[1., 5.]])
    """
    values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    return np.stack([np.bincount(which, weights=row, minlength=patients) for row in values])


def sum_replicates(sums: NDArray[np.float64], options: BootstrapOptions) -> NDArray[np.float64]:
    """Return the sums over all images in every resample.

    With ``options.pooled`` patients with equal sums are one kind of patient: how often each kind is drawn is
    multinomial, with the number of such patients as its weight. That is the distribution of the sums when patients are
    drawn one by one, and takes a draw for each kind instead of one for each patient.

    Args:
        sums: (m, patients) of each patient.
        options: resamples and seed.

    Returns:
        (m, resamples) float64.

    Examples:
        >>> sums = np.array([[1.0, 0.0] * 50, [1.0, 1.0] * 50])
        >>> for pooled in (False, True):
        ...     events, images = sum_replicates(sums, BootstrapOptions(pooled=pooled))
        ...     print(round(events.mean()), round(events.std()), set(images.tolist()))
        50 5 {100.0}
        50 5 {100.0}
    """
    if options.pooled:
        kinds, patients = np.unique(sums, axis=1, return_counts=True)
        if len(patients) <= _MOST_KINDS * sums.shape[1]:
            total = sums.shape[1]
            drawn = np.random.default_rng(options.seed).multinomial(total, patients / total, options.resamples)
            return np.asarray(kinds @ drawn.T.astype(np.float64))
    number = sums.shape[1]
    whole = exact_in_single(np.abs(sums).max(initial=0), number) and np.array_equal(sums, np.rint(sums))
    dtype = np.float32 if whole else np.float64
    chunks = multiplicities(number, options, len(sums), dtype)
    matrix: NDArray[Any] | sparse.csr_array = sums.astype(dtype, copy=False)
    if len(sums) <= _FEW_ROWS or np.count_nonzero(sums) < _DENSE * sums.size:
        # Counts of one label in one group are 0 for most patients; and the threads of a dense product wait for one
        # another longer than a few rows take.
        matrix = sparse.csr_array(matrix)
    return np.concatenate([matrix @ drawn for drawn in chunks], axis=1).astype(np.float64, copy=False)
