"""How often a 95 % interval holds the truth, on simulated patients with several images. Run by ``make soak``.

Patients have 1 to 8 images (2.5 on average) and a bent of their own, which makes up half of the variance of a
score. Of a positive patient the first image is positive and each other with chance one half; for every positive
patient there are three negative ones, and no fewer than 60. Scores are normal, so the truth is known.

Three intervals side by side: percentiles of resampled images, percentiles of resampled patients, and what
``cxr_core.metrics`` gives, which for average precision are percentiles of resampled patients always.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from scipy.stats import norm

from cxr_core.metrics import (
    at_threshold,
    auc_difference,
    auc_with_interval,
    predictive_values_at_prevalence,
)
from cxr_core.metrics.bootstrap import BOOTSTRAP_MIN_PATIENTS, BootstrapOptions
from cxr_core.metrics.patient_sums import patient_sums, sum_replicates
from cxr_core.metrics.ranking_replicates import auc_replicates, average_precision_replicates

SIMULATIONS, RESAMPLES = 2000, 500
POSITIVE_PATIENTS = (10, 20, 50, 200)
AREAS = (0.75, 0.9, 0.95)
SENSITIVITIES = (0.6, 0.9)
PREVALENCE = 0.05
NOISE = 0.8
"""Standard deviation of what the second model adds to the scores of the first."""
ENOUGH = 0.93
WAYS = ("images resampled", "patients resampled", "this code")
IMAGES = np.arange(1, 9)
CHANCE_OF_IMAGES = np.append(0.4 * 0.6 ** (IMAGES[:-1] - 1), 0.6**7)


def main(simulations: int = SIMULATIONS) -> int:
    """Print the table; status 1 where an interval of this code holds the truth in less than 93 %."""
    start, held, given, width = time.process_time(), defaultdict(int), defaultdict(int), defaultdict(float)
    for positives in POSITIVE_PATIENTS:
        for number in range(simulations):
            for what, truth, way, interval in intervals(positives, np.random.default_rng([positives, number])):
                if interval is not None and interval[0] is not None:
                    given[what, way, positives] += 1
                    held[what, way, positives] += interval[0] <= truth <= interval[1]
                    width[what, way, positives] += interval[1] - interval[0]
    print(f"{simulations:,} simulations of each, {RESAMPLES} resamples; share of 95 % intervals that hold the truth")
    print("| what, truth | interval | " + " | ".join(f"{p} positive patients" for p in POSITIVE_PATIENTS) + " |")
    print("|---|---|" + "---|" * len(POSITIVE_PATIENTS))
    for what in dict.fromkeys(key[0] for key in given):
        for way in (way for way in WAYS if (what, way, POSITIVE_PATIENTS[0]) in given):
            shares = [held[what, way, p] / given[what, way, p] for p in POSITIVE_PATIENTS]
            print(f"| {what} | {way} | " + " | ".join(f"{100 * share:.1f} %" for share in shares) + " |")
    missing = {key: simulations - count for key, count in given.items() if count < simulations and key[1] == WAYS[2]}
    for (what, _, positives), count in missing.items():
        print(f"no interval from this code: {what}, {positives} positive patients: {count} of {simulations:,}")
    wider = [width["AUC 0.90", way, 10] / given["AUC 0.90", way, 10] for way in WAYS]
    print("mean width of AUC 0.90 with 10 positive patients: " + ", ".join(f"{w:.3f}" for w in wider))
    print(f"processor time {time.process_time() - start:.0f} s")
    low = [key for key in given if key[1] == WAYS[2] and held[key] / given[key] < ENOUGH]
    for what, _, positives in low:
        print(f"under {100 * ENOUGH:.0f} %: {what}, {positives} positive patients")
    return int(bool(low))


def intervals(positives: int, random: np.random.Generator) -> Iterator[tuple[str, float, str, tuple | None]]:
    """Yield (what, truth, way, interval or None) of one simulation."""
    labels, common, patients = draw_patients(positives, random)
    models = {area: common + np.sqrt(2) * norm.ppf(area) * labels for area in AREAS}
    other = models[0.9] + NOISE * random.normal(size=len(labels))
    images, seed = np.arange(len(labels)), int(random.integers(2**31))
    columns = [(labels, scores) for scores in (*models.values(), other)]
    options = BootstrapOptions(RESAMPLES, seed)
    by_patient = auc_replicates(columns, patients, options)
    by_image = auc_replicates(columns, images, options)
    few = positives < BOOTSTRAP_MIN_PATIENTS  # from there on this code resamples patients, as is done here anyway
    for k, (area, scores) in enumerate(models.items()):
        resampled = percentiles(by_patient[k])
        interval = auc_with_interval(labels, scores, patients) if few else None
        yield from side_by_side(f"AUC {area:.2f}", area, percentiles(by_image[k]), resampled, interval)
    by_image_gap, by_patient_gap = (percentiles(rows[AREAS.index(0.9)] - rows[-1]) for rows in (by_image, by_patient))
    interval = auc_difference(labels, models[0.9], other, patients) if few else None
    gap = 0.9 - norm.cdf(norm.ppf(0.9) / np.sqrt(1 + NOISE**2))
    yield from side_by_side(f"difference of two AUC, {gap:.2f}", gap, by_image_gap, by_patient_gap, interval)
    for sensitivity in SENSITIVITIES:
        yield from of_threshold(labels, models[0.9], sensitivity, patients, options)
    replicates = average_precision_replicates([(labels, models[0.9])], patients, options)[0]
    truth = average_precision_of(positives)
    yield "average precision, AUC 0.90", truth, WAYS[2], percentiles(replicates)


def of_threshold(labels, scores, sensitivity, patients, options) -> Iterator[tuple[str, float, str, tuple | None]]:
    """Yield sensitivity, and the predictive value of "above" at a set prevalence, at one threshold."""
    threshold = np.sqrt(2) * norm.ppf(0.9) - norm.ppf(sensitivity)
    false_alarms = norm.sf(threshold)
    point = at_threshold(labels, scores, threshold, patients, options)
    value = predictive_values_at_prevalence(point, PREVALENCE).positive_predictive_value
    above = scores >= threshold
    kinds = np.stack([labels & above, labels & ~above, ~labels & above, ~labels & ~above])
    # images drawn with replacement fall into the four kinds as in a multinomial draw
    by_image = np.random.default_rng(options.seed).multinomial(len(labels), kinds.mean(axis=1), RESAMPLES).T
    by_patient = sum_replicates(patient_sums(kinds, patients, patients.max() + 1), options)
    shares, values = [], []
    for detected, missed, alarms, quiet in (by_image, by_patient):
        with np.errstate(invalid="ignore"):
            hit, false = detected / (detected + missed), alarms / (alarms + quiet)
            shares.append(percentiles(hit))
            values.append(percentiles(PREVALENCE * hit / (PREVALENCE * hit + (1 - PREVALENCE) * false)))
    yield from side_by_side(f"sensitivity {sensitivity:.2f}", sensitivity, *shares, point.sensitivity)
    truth = PREVALENCE * sensitivity / (PREVALENCE * sensitivity + (1 - PREVALENCE) * false_alarms)
    yield from side_by_side(f"PPV at a prevalence of {PREVALENCE}, {truth:.2f}", truth, *values, value)


def side_by_side(
    what: str, truth: float, by_image, by_patient, found
) -> Iterator[tuple[str, float, str, tuple | None]]:
    """Yield the three intervals; without an Estimate, this code resamples patients."""
    ours = by_patient if found is None else (found.low, found.high)
    yield from ((what, truth, way, limits) for way, limits in zip(WAYS, (by_image, by_patient, ours), strict=True))


def draw_patients(positives: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, scores without the part of the label, and patients, of each image."""
    number = positives + max(3 * positives, 60)
    patients = np.repeat(np.arange(number), random.choice(IMAGES, number, p=CHANCE_OF_IMAGES))
    first = np.diff(patients, prepend=-1) > 0
    labels = (patients < positives) & (first | (random.random(len(patients)) < 0.5))
    scores = np.sqrt(0.5) * (random.normal(size=number)[patients] + random.normal(size=len(patients)))
    return labels, scores, patients


def average_precision_of(positives: int) -> float:
    """Return the average precision of endless images at an AUC of 0.9, at the prevalence of the simulation."""
    images = IMAGES @ CHANCE_OF_IMAGES
    share = positives * (1 + images) / 2 / ((positives + max(3 * positives, 60)) * images)
    threshold = np.linspace(12, -8, 40001)
    hit, false = norm.sf(threshold - np.sqrt(2) * norm.ppf(0.9)), norm.sf(threshold)
    return float(np.trapezoid(share * hit / (share * hit + (1 - share) * false), hit))


def percentiles(replicates: np.ndarray) -> tuple[float, float] | None:
    """Return the 95 % percentiles, or None where no resample differs."""
    finite = replicates[np.isfinite(replicates)]
    return None if np.ptp(finite) == 0 else tuple(np.quantile(finite, [0.025, 0.975]))


if __name__ == "__main__":
    sys.exit(main(*(int(argument) for argument in sys.argv[1:])))
