"""Results computed in another process: the same numbers, the same errors, and a line where it was killed."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from cxr_core.errors import CxrError, WrongArguments
from cxr_core.evaluation import compare_runs, computing_process, summarise
from cxr_core.evaluation.computing_process import comparison_apart, summary_apart
from cxr_core.evaluation.summary import _kept as kept
from cxr_core.evaluation.summary import kept_summary
from cxr_core.files import lock, private_folder
from cxr_core.killable_worker import WorkerPool, WorkerUnstartable
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.runs import made_up, made_up_boxes, record_of

LIMIT = 60


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(computing_process, "APART_FROM", 0)
    settings.cache_clear()
    store = RunStore(embedded=tmp_path / "none")
    yield store
    store.close()
    settings.cache_clear()


def add(store, name, seed=0):
    predictions = made_up(60, seed)
    return store.add(record_of(predictions, name), predictions, made_up_boxes(predictions))


def test_the_numbers_are_those_of_this_process_and_are_kept(store):
    run, reports = add(store, "one"), []
    summary = summary_apart(run, "experts", lambda done, steps: reports.append((done, steps)))
    assert summary == summarise(run.record, run.predictions(), "experts", localisation=run.localisation())
    assert reports[0][0] == 0
    assert reports[-1][0] == reports[-1][1] > 0
    assert kept_summary(run, "experts") == summary
    other = add(store, "two")
    assert comparison_apart(run, other, "mined", "PA") == compare_runs(run, other, "mined", "PA")


def test_the_process_starts_without_the_libraries_that_numbers_do_not_need():
    """They took two thirds of the time to start it."""
    code = (
        "import sys\nimport cxr_core.evaluation.computing_process\n"
        "print([name for name in ('pandas', 'scipy.stats', 'matplotlib', 'openvino') if name in sys.modules])"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=2 * LIMIT, check=True
    )
    assert printed.stdout == "[]\n"


def test_an_error_is_that_of_this_process(store):
    one, two = add(store, "one"), add(store, "two", seed=1)
    with pytest.raises(WrongArguments) as here:
        compare_runs(one, two)
    with pytest.raises(WrongArguments) as apart:
        comparison_apart(one, two, "mined")
    assert str(apart.value) == str(here.value)


def test_small_runs_and_machines_without_processes_compute_here(store, monkeypatch):
    run = add(store, "one")

    def refuse(*arguments, **options):
        raise WorkerUnstartable

    monkeypatch.setattr(WorkerPool, "ask", refuse)
    assert summary_apart(run, "mined").reference == "mined"
    assert comparison_apart(run, add(store, "two"), "mined").reference == "mined"
    monkeypatch.setattr(computing_process, "APART_FROM", 61)
    monkeypatch.setattr(computing_process, "WorkerPool", None)
    assert summary_apart(run, "experts").reference == "experts"


def test_a_process_that_is_killed_leaves_one_line_and_the_next_one_computes(store, monkeypatch):
    run, pools = add(store, "one"), []

    class Watched(WorkerPool):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            pools.append(self)

    monkeypatch.setattr(computing_process, "WorkerPool", Watched)
    held = kept(run, "mined", None)._lock
    private_folder(held.parent)
    # whoever holds the lock computes: the process waits, and is killed meanwhile
    with lock(held), ThreadPoolExecutor(1) as thread:
        asked = thread.submit(summary_apart, run, "mined")
        os.kill(asking(pools), signal.SIGKILL)
        with pytest.raises(CxrError, match="the process that computes them ended"):
            asked.result(LIMIT)
    assert kept_summary(run, "mined") is None
    assert summary_apart(run, "mined").reference == "mined"


def asking(pools):
    """Wait until a process has been asked; return its id."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        for worker in [worker for pool in pools for worker in list(pool._workers)]:
            if worker._ready:
                return worker._child.pid
        time.sleep(0.01)
    raise AssertionError("no process was asked")
