"""Computations in the background of the pages."""

import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from cxr_core.ui.computing import _Jobs

LIMIT = 60


def test_one_computation_runs_at_a_time_and_its_error_is_raised():
    jobs, running, most = _Jobs(), [], []

    def compute(report):
        running.append(1)
        most.append(len(running))
        report(1, 2)
        running.pop()
        return "result"

    def fail(report):
        raise ZeroDivisionError

    made = [jobs.job(name, compute) for name in "abc"]
    failed = jobs.job("d", fail)
    assert [job.result.result(LIMIT) for job in made] == ["result"] * 3
    assert most == [1, 1, 1]
    assert made[0].fraction() == 0.5
    with pytest.raises(ZeroDivisionError):
        failed.result.result(LIMIT)


def test_two_who_ask_for_the_same_wait_for_one_computation():
    jobs, go = _Jobs(), threading.Event()
    first, second = (jobs.job("key", lambda report: go.wait(LIMIT)) for _ in range(2))
    assert first is second
    assert not first.is_done(0)
    go.set()
    assert first.is_done(LIMIT)


def test_a_program_that_ends_does_not_wait_for_a_computation():
    code = (
        "import threading\n"
        "from cxr_core.ui.computing import _Jobs\n"
        "begun = threading.Event()\n"
        "_Jobs().job('key', lambda report: (begun.set(), threading.Event().wait()))\n"
        f"assert begun.wait({LIMIT})"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=2 * LIMIT).returncode == 0


def test_the_time_left_is_that_of_the_steps_alone(monkeypatch):
    """Starting the process that computes, here 100 s, is no step."""
    clock = SimpleNamespace(monotonic=iter([0.0, 100.0, 101.0]).__next__)
    for module in ("computing", "chrome"):
        monkeypatch.setattr(f"cxr_core.ui.{module}.time", clock)
    seen = []

    def compute(report):
        report(0, 10)
        report(1, 10)
        seen.append(jobs.job("key", compute).remaining_text())

    jobs = _Jobs()
    jobs.job("key", compute).result.result(LIMIT)
    assert seen == [", 0:09 left"]
