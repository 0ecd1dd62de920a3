"""Every page of a run of 112,120 images, opened for the first time and again. Run by ``make bench``.

Through Streamlit's own test driver: the pages as they are, without a browser, which adds the drawing. A first view of
the first page that shows a run computes the run's numbers; those of the others find them computed. The run is that of
:mod:`benchmarks.opening`, with five readers and boxes besides.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import streamlit
from streamlit.testing.v1 import AppTest

from benchmarks.opening import IMAGES, THRESHOLD, draw_run
from cxr_core.labels import LABELS
from cxr_core.settings import settings
from cxr_core.store import Predictions, ReaderAnswers, RunStore
from tests.runs import made_up_boxes, record_of

PROJECT = Path(__file__).resolve().parents[1]
PAGES = ("admin", "evaluation", "readers", "compare", "subgroups", "failures", "localisation", "training_data")
MAX_SECONDS_AGAIN = 5.0


def main() -> int:
    """Print the figures; status 1 where a page raises or takes too long again."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pages", description=__doc__)
    parser.add_argument("--first", choices=PAGES, default=PAGES[0], help="the page that is opened before the others")
    first_page = parser.parse_args().first
    bad = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"SECOND_READ_RUNS": folder, "SECOND_READ_AUDIT": str(Path(folder) / "audit.jsonl")}
        os.environ.pop("SECOND_READ_DATABASE_URL", None)
        os.chdir(PROJECT)
        settings.cache_clear()
        keep_runs()
        streamlit.config.set_option("client.showErrorDetails", "full")
        print(
            f"{len(LABELS)} labels, {IMAGES:,} images; first view and second, seconds of the clock (of the processor)"
        )
        app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=600)
        app.run()
        for page in sorted(PAGES, key=lambda page: page != first_page):
            first, again = (clock(lambda page=page: app.switch_page(f"../../pages/{page}.py").run()) for _ in range(2))
            figures = len(app.main.get("plotly_chart"))
            raised = f", RAISED {app.exception[0].message}" if app.exception else ""
            timings = ", ".join(f"{seconds:.1f} s ({processor:.1f})" for seconds, processor in (first, again))
            print(f"{page}: {timings}; {figures} figures{raised}", flush=True)
            if app.exception or again[1] > MAX_SECONDS_AGAIN or not figures:
                bad.append(page)
    print(f"failed: {', '.join(bad)}" if bad else "no page raised an exception")
    return int(bool(bad))


def keep_runs() -> None:
    """Keep the run, and another of the same images by a model that scores a little otherwise."""
    predictions = with_readers(draw_run())
    thresholds = dict.fromkeys(LABELS, THRESHOLD)
    random = np.random.default_rng(1)
    other = replace(
        predictions, scores=np.clip(predictions.scores + random.normal(0, 0.02, predictions.scores.shape), 0, 1)
    )
    store = RunStore()
    for run, images, boxes in (("other", other, None), ("drawn", predictions, made_up_boxes(predictions, boxed=150))):
        store.add(record_of(images, run, operating_point="default", thresholds=thresholds), images, boxes)
    store.close()


def with_readers(predictions: Predictions, readers: int = 5) -> Predictions:
    """Let readers see what is there in three images of four, and what is not in one of fifty."""
    truth = predictions.references["mined"] == 1
    chance = np.random.default_rng(2).random((len(truth), readers, truth.shape[1]))
    answers = np.where(truth[:, None, :], chance < 0.75, chance < 0.02)
    names = np.array([f"reader {r + 1}" for r in range(readers)])
    return replace(predictions, readers=ReaderAnswers(names, answers, answers.any(axis=2)))


def clock(call) -> tuple[float, float]:
    """Return the seconds of the clock that a call takes, and those of the processor, to which others add nothing.

    The latter are of all cores, and of the processes that the call has started and that have ended.
    """
    start, processor = time.perf_counter(), sum(os.times()[:4])
    call()
    return time.perf_counter() - start, sum(os.times()[:4]) - processor


if __name__ == "__main__":
    sys.exit(main())
