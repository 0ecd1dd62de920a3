"""Opening a run of 112,120 images and fourteen labels: the first time, and again. Run by ``make bench``.

The images are drawn, as many as ChestX-ray14 has, of as many patients, with as many positives of each label.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.special import expit, logit

from cxr_core.evaluation import outcomes, summary_of
from cxr_core.evaluation.kept_results import source_version
from cxr_core.labels import LABELS
from cxr_core.metrics import age_bands, risk_coverage, subgroups
from cxr_core.metrics.bootstrap import _cached_draws
from cxr_core.settings import settings
from cxr_core.store import Predictions, RunStore, StoredRun
from cxr_core.store import runs as store_runs
from tests.runs import record_of

PATIENTS, IMAGES = 30805, 112120
POSITIVES = (11559, 2776, 13317, 19894, 5782, 6331, 1431, 5302, 4667, 2303, 2516, 1686, 3385, 227)
MAX_SECONDS_AGAIN = 2.0
THRESHOLD = 0.1


def main() -> int:
    """Print the figures; status 1 where opening again takes too long."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SECOND_READ_RUNS"] = folder
        settings.cache_clear()
        predictions = draw_run()
        record = record_of(predictions, operating_point="default", thresholds=dict.fromkeys(LABELS, THRESHOLD))
        store = RunStore(embedded=Path(folder) / "none")
        run = store.add(record, predictions)
        store.close()
        print(
            f"{len(LABELS)} labels, {IMAGES:,} images, {PATIENTS:,} patients; seconds of the clock (of the processor)"
        )
        clock("opens first time: predictions and all numbers", lambda: opened(run))
        again = clock("opens again", lambda: opened(run))
        clock("numbers alone, in a program that has it open", lambda: summary_of(run))
    labels, truth, scores, patients = outcomes(predictions)
    c = labels.index("Atelectasis")
    positive, score = truth[:, c] == 1, scores[:, c]
    groups = {"sex": predictions.sexes, "age": age_bands(predictions.ages), "view": predictions.views}
    _cached_draws.cache_clear()
    clock("subgroups of a label, crossed in twos", lambda: subgroups(positive, score, THRESHOLD, patients, groups))
    sureness = np.abs(logit(score) - logit(THRESHOLD))
    _cached_draws.cache_clear()
    clock("risk by coverage of a label", lambda: risk_coverage(positive, score, THRESHOLD, sureness, patients))
    return int(again > MAX_SECONDS_AGAIN)


def clock(what: str, call) -> float:
    """Print the time a call takes; return seconds of the processor, to which others on the machine add nothing."""
    start, processor = time.perf_counter(), time.process_time()
    call()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    print(f"{what}: {seconds:.1f} s ({processor:.1f})", flush=True)
    return processor


def opened(run: StoredRun) -> Predictions:
    """Open a run as a program does that was just started."""
    for cache in (store_runs._sha256_of, store_runs._read, source_version, _cached_draws):
        cache.cache_clear()
    summary_of(run)
    return run.predictions()


def draw_run() -> Predictions:
    """Return predictions of images of which some patients have many."""
    random = np.random.default_rng(0)
    share = random.gamma(0.5, size=PATIENTS)
    extra = random.choice(PATIENTS, IMAGES - PATIENTS, p=share / share.sum())
    patients = np.concatenate([np.arange(PATIENTS), extra])
    truth = np.zeros((IMAGES, len(POSITIVES)), dtype=np.int8)
    for c, positives in enumerate(POSITIVES):
        truth[random.choice(IMAGES, positives, replace=False), c] = 1
    common = random.normal(size=PATIENTS)[patients][:, None]
    logits = truth - 3 + 0.7 * common + 0.7 * random.normal(size=truth.shape)
    names = np.char.add(np.char.zfill(np.arange(IMAGES).astype(str), 8), ".png")
    return Predictions(
        images=names,
        sha256=np.array([random.bytes(32).hex() for _ in range(IMAGES)]),
        patients=patients.astype(str),
        labels=np.array(LABELS),
        scores=expit(logits),
        probabilities=expit(1.2 * logits + 0.2),
        references={"mined": truth},
        ages=random.uniform(1, 95, IMAGES),
        sexes=np.where(patients % 2, "M", "F"),
        views=random.choice(["PA", "AP"], IMAGES, p=[0.6, 0.4]),
        sources=np.full(IMAGES, "drawn"),
        quality=np.full(IMAGES, "ok"),
    )


if __name__ == "__main__":
    sys.exit(main())
