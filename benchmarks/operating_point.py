"""An operating point that is moved with the mouse, on a run as large as NIH's test set. Run by ``make bench``.

What the server does between a move and the new figures: the numbers at the threshold with their intervals, the table
of four counts, and the curve with its point, as what goes to the browser.
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from benchmarks.statistics import draw_images
from cxr_core.displays import OperatingDisplay, RocDisplay, outcomes_of, plotly_figure
from cxr_core.evaluation import summarise
from cxr_core.labels import LABELS
from cxr_core.store import Predictions
from tests.runs import record_of

MOVES = 20
MAX_MILLISECONDS = 200


def main() -> int:
    """Print the figures; status 1 where a move takes too long."""
    predictions = run_of_images()
    start = time.perf_counter()
    summary = summarise(record_of(predictions), predictions)
    outcome = outcomes_of(predictions)["Effusion"]
    roc = RocDisplay.of([outcome], summary)
    everything = time.perf_counter() - start
    thresholds = np.quantile(outcome.scores, np.linspace(0.05, 0.95, MOVES))
    # the page was opened before anything on it is moved
    move(outcome, roc, float(np.median(outcome.scores)))
    times = [_timed(lambda t=t: move(outcome, roc, float(t))) for t in thresholds]
    median = statistics.median(times)
    print(f"{len(predictions):,} images of {summary.record.patients:,} patients, one class, {MOVES} moves of the point")
    print(
        f"numbers with intervals, counts and curve: median {1000 * median:.0f} ms, slowest {1000 * max(times):.0f} ms "
        f"(at most {MAX_MILLISECONDS})"
    )
    print(f"share of computing the run's numbers and the curve anew ({everything:.1f} s): {median / everything:.1%}")
    return int(1000 * median > MAX_MILLISECONDS)


def move(outcome, roc: RocDisplay, threshold: float) -> str:
    """Do what a move of the slider does, and return what goes to the browser."""
    display = OperatingDisplay.at(outcome, threshold, 0.02)
    curve = replace(roc, thresholds={outcome.label: threshold})
    return "".join(plotly_figure(chart).to_json() for chart in (display.chart(), curve.chart()))


def run_of_images() -> Predictions:
    """Return the drawn images as predictions of a run."""
    labels, scores, patients = draw_images()
    images = len(labels)
    nothing = np.full(images, "", dtype="U1")
    return Predictions(
        images=np.array([f"{i}.png" for i in range(images)]),
        sha256=nothing,
        patients=patients.astype(str),
        labels=np.array(LABELS),
        scores=scores,
        probabilities=np.full(scores.shape, np.nan),
        references={"drawn": labels.astype(np.int8)},
        ages=np.full(images, np.nan),
        sexes=nothing,
        views=nothing,
        sources=nothing,
        quality=nothing,
    )


def _timed(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    sys.exit(main())
