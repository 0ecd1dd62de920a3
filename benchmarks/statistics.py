"""Intervals of fourteen areas on a test set as large as NIH's, against a loop over scikit-learn. Run by ``make bench``.

The images are drawn, with the counts of the official test split: 25,596 images of 2,797 patients, and as many
positives of each class. Scores have four decimals, so there are ties.
"""

from __future__ import annotations

import sys
import time
import tracemalloc

import numpy as np
from sklearn.metrics import roc_auc_score

from cxr_core.metrics import BootstrapOptions, auc_per_class, mean_auc, mean_average_precision
from cxr_core.metrics.ranking_replicates import auc_replicates

PATIENTS, IMAGES, RESAMPLES = 2797, 25596, 1000
POSITIVES = (3279, 1069, 4658, 6112, 1748, 1623, 555, 2665, 1815, 925, 1093, 435, 1143, 86)
LOOPED = 10
"""Resamples that the loop is timed on; its time for all of them is that times 100, since each costs the same."""
OPTIONS = BootstrapOptions(RESAMPLES, bootstrap_min_patients=0)
MIN_TIMES_FASTER = 20
MAX_MEGABYTES = 150


def main() -> int:
    """Print the figures; status 1 where they are not reached or the two do not agree."""
    labels, scores, patients = draw_images()
    columns = list(zip(labels.T, scores.T, strict=True))
    start = time.perf_counter()
    replicates = auc_replicates(columns, patients, OPTIONS)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    looped = loop(labels, scores, patients)
    theirs = (time.perf_counter() - start) * RESAMPLES / LOOPED
    apart = float(np.abs(replicates[:, :LOOPED] - looped).max())
    megabytes = peak_megabytes(lambda: auc_per_class(labels, scores, patients, OPTIONS))
    print(f"{len(columns)} classes, {IMAGES:,} images, {PATIENTS:,} patients, {RESAMPLES:,} resamples of patients")
    print(f"areas under the ROC curve: {ours:.1f} s")
    print(f"loop over sklearn.metrics.roc_auc_score: {theirs:.0f} s ({LOOPED} resamples, times {RESAMPLES // LOOPED})")
    print(f"faster: {theirs / ours:.0f} times (at least {MIN_TIMES_FASTER}); furthest apart: {apart:.1e}")
    print(f"memory on top of the images: {megabytes:.0f} MB (at most {MAX_MEGABYTES})")
    for name, means in (("areas", mean_auc), ("average precision", mean_average_precision)):
        start = time.perf_counter()
        means(labels, scores, patients, OPTIONS)
        print(f"micro, macro and weighted mean of {name}, with intervals: {time.perf_counter() - start:.1f} s")
    return int(theirs / ours < MIN_TIMES_FASTER or megabytes > MAX_MEGABYTES or apart > 1e-12)


def draw_images() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and scores (IMAGES, 14) and patients, some with many images as there."""
    random = np.random.default_rng(0)
    share = random.gamma(0.5, size=PATIENTS)
    patients = np.concatenate([np.arange(PATIENTS), random.choice(PATIENTS, IMAGES - PATIENTS, p=share / share.sum())])
    labels = np.zeros((IMAGES, len(POSITIVES)), dtype=bool)
    for c, positives in enumerate(POSITIVES):
        labels[random.choice(IMAGES, positives, replace=False), c] = True
    common = random.normal(size=PATIENTS)[patients][:, None]
    scores = 1 / (1 + np.exp(3 - labels - 0.7 * common - 0.7 * random.normal(size=labels.shape)))
    return labels, np.round(scores, 4), patients


def loop(labels: np.ndarray, scores: np.ndarray, patients: np.ndarray) -> np.ndarray:
    """Return (classes, LOOPED) areas of the same draws, image by image, as one would write it."""
    images = [np.flatnonzero(patients == patient) for patient in range(PATIENTS)]
    drawn = np.random.default_rng(0).integers(0, PATIENTS, size=(LOOPED, PATIENTS))
    areas = []
    for row in drawn:
        rows = np.concatenate([images[patient] for patient in row])
        areas.append([roc_auc_score(labels[rows, c], scores[rows, c]) for c in range(labels.shape[1])])
    return np.array(areas).T


def peak_megabytes(call) -> float:
    """Return the most memory that was held at once during a call, beyond what was held before."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


if __name__ == "__main__":
    sys.exit(main())
