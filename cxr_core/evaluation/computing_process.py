"""Results of runs computed in a process of its own, so that a page that waits leaves the others their time.

The process computes one result, keeps it on disk as any other program does, and ends. It can be killed at any time:
what it had not finished is computed again by whoever asks next.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from pydantic import TypeAdapter

from .. import errors
from ..errors import CxrError
from ..killable_worker import Answer, Head, Message, Reply, WorkerLost, WorkerPool, WorkerUnstartable
from ..process_resources import products_on_one_thread
from ..store import RunRecord, StoredRun
from .comparison import RunComparison, comparison_of, kept_comparison
from .kept_results import Report, not_reported
from .summary import RunSummary, kept_summary, summary_of

__all__ = ["APART_FROM", "comparison_apart", "computing", "summary_apart"]

APART_FROM = 5_000
"""Images of a run from which its results are computed in another process: below, starting one takes longer."""

_MOST_SECONDS = 6 * 3600
_NICENESS = 10
"""Of the process: what a reader waits for goes first."""

T = TypeVar("T")


def summary_apart(run: StoredRun, reference: str, report: Report = not_reported) -> RunSummary:
    """Return :func:`.summary.summary_of`, computed in another process where that takes long; raises as it does.

    Raises CxrError also where that process was killed.
    """
    kept = kept_summary(run, reference)
    if kept is not None:
        return kept
    if run.record.images < APART_FROM:
        return summary_of(run, reference, report)
    try:
        return _asked({"what": "summary", "runs": [_written(run)], "reference": reference}, _SUMMARY, report)
    except WorkerUnstartable:
        return summary_of(run, reference, report)


def comparison_apart(
    one: StoredRun, two: StoredRun, reference: str, view: str = "", report: Report = not_reported
) -> RunComparison:
    """Return :func:`.comparison.comparison_of`, computed as :func:`summary_apart` does; raises as both do."""
    kept = kept_comparison(one, two, reference, view)
    if kept is not None:
        return kept
    if one.record.images < APART_FROM:
        return comparison_of(one, two, reference, view, report)
    head = {"what": "comparison", "runs": [_written(one), _written(two)], "reference": reference, "view": view}
    try:
        return _asked(head, _COMPARISON, report)
    except WorkerUnstartable:
        return comparison_of(one, two, reference, view, report)


_SUMMARY, _COMPARISON, _RECORD = TypeAdapter(RunSummary), TypeAdapter(RunComparison), TypeAdapter(RunRecord)


def _asked(head: Head, adapter: TypeAdapter[T], report: Report) -> T:
    pool = WorkerPool("cxr_core.evaluation.computing_process:computing", processes=1)
    last: Message = {}, b""
    try:
        for last in pool.ask(head, seconds=_MOST_SECONDS):
            if "steps" in last[0]:
                report(*last[0]["steps"])
    except WorkerLost as error:
        raise CxrError(
            "The results of this run could not be computed: the process that computes them ended, perhaps for lack of "
            "memory. Open the page again to try once more."
        ) from error
    finally:
        pool.close()
    answer, content = last
    if "error" in answer:
        kind: type[CxrError] = getattr(errors, answer["error"])
        raise kind(answer["message"])
    return adapter.validate_json(content)


def _written(run: StoredRun) -> list[object]:
    return [_RECORD.dump_python(run.record, mode="json"), str(run.folder)]


# In the process


def computing(setup: bytes) -> Answer:
    """Return what answers the requests."""
    with suppress(OSError, AttributeError):
        os.nice(_NICENESS)
    products_on_one_thread()
    return _computed


def _computed(head: Head, data: bytes) -> Iterator[Reply]:
    """Answer with the steps while they are done, then with the result."""
    runs = [StoredRun(_RECORD.validate_python(record), Path(folder)) for record, folder in head["runs"]]
    replies: SimpleQueue[Reply | None] = SimpleQueue()

    def report(done: int, steps: int) -> None:
        replies.put(({"steps": [done, steps], "more": True}, b""))

    def work() -> bytes:
        try:
            return _results(head, runs)[head["what"]](report)
        finally:
            replies.put(None)

    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(work)
        while (reply := replies.get()) is not None:
            yield reply
        try:
            yield {}, result.result()
        except CxrError as error:
            yield {"error": type(error).__name__, "message": str(error)}, b""


def _results(head: Head, runs: list[StoredRun]) -> dict[str, Callable[[Report], bytes]]:
    reference = head["reference"]
    return {
        "summary": lambda report: _SUMMARY.dump_json(summary_of(runs[0], reference, report)),
        "comparison": lambda report: _COMPARISON.dump_json(
            comparison_of(runs[0], runs[1], reference, head["view"], report)
        ),
    }
