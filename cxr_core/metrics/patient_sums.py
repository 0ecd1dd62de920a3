"""Sums over the images of each patient, and over all images in every resample of patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from .bootstrap import BootstrapOptions, cached_draws, exact_in_single, multiplicities

__all__ = ["patient_sums", "sum_replicates"]

_SPARSE = 0.1
"""Share of values other than 0 below which the product is sparse: counts of one label in one group, for example."""

_BLOCK_CELLS = 2**17
"""Draws of so many patients at once stay in the processor's cache, and each is read once for all rows."""

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
    draws = cached_draws(number, options)
    if draws is None or not whole or np.count_nonzero(sums) < _SPARSE * sums.size:
        # in the order of the patients, with the same bits on every processor; by column, so that the draws of a patient
        # are read once for all rows
        dtype = np.float32 if whole else np.float64
        matrix = sparse.csc_array(sums.astype(dtype, copy=False))
        chunks = multiplicities(number, options, len(sums), dtype)
        return np.concatenate([matrix @ chunk for chunk in chunks], axis=1).astype(np.float64, copy=False)
    # exact in any order
    values, replicates = sums.astype(np.float32), np.zeros((len(sums), options.resamples), np.float32)
    block = max(1, _BLOCK_CELLS // options.resamples)
    for start in range(0, number, block):
        some = slice(start, start + block)
        replicates += values[:, some] @ draws[some].astype(np.float32)
    return replicates.astype(np.float64)
