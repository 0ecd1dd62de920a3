"""The benchmark from C-STORE to verified results: its arithmetic, and a run of two small studies."""

import os

import pytest

from benchmarks import pacs
from benchmarks.pacs import Measured, Queue, markdown
from benchmarks.pacs_site import machine_seconds, processor_seconds


def test_the_tables_are_medians_slowest_and_rates():
    steps = [[0.5, 0.1, 0.2, 0.3, 0.4], [0.7, 0.3, 0.2, 0.3, 0.4], [0.6, 0.2, 0.2, 0.3, 1.4]]
    # of two cores, others have half a one
    queues = {1: Queue(6.0, 1.5, 0.6, 3.0, 2), 2: Queue(3.0, 1.8, 0.6, 1.5, 2)}
    text = markdown(Measured(steps, [0.05, 0.07, 0.06], queues, (9, 9)))
    assert "| read | 0.20 | 0.30 |" in text
    # sums of 1.5, 1.9 and 2.7 s
    assert "| all: C-STORE to verified | 1.90 | 2.70 |" in text
    assert "| of that the network | 0.060 | 0.070 |" in text
    # 1.5 cores for 0.7 s a study, and for 0.8 s
    assert "| 1 | 30.0 | 129 | 0.50 | 0.20 | 0.50 |" in text
    assert "| 2 | 60.0 | 112 | 0.60 | 0.20 | 0.50 |" in text


def test_the_time_of_the_processor_is_that_of_the_kernel():
    machine, before = machine_seconds(), (processor_seconds(os.getpid()), sum(os.times()[:2]))
    while sum(os.times()[:2]) < before[1] + 0.3:
        assert sum(range(10**5))
    after = processor_seconds(os.getpid()), sum(os.times()[:2])
    assert before[0] == pytest.approx(before[1], abs=0.05)
    assert after[0] == pytest.approx(after[1], abs=0.05)
    # this process is a part of the machine
    assert machine_seconds() - machine > 0.2


@pytest.mark.slow
def test_every_study_is_verified_once(orthanc):
    measured = pacs.run(2, 256, 224, workers=(1,))
    assert len(measured.steps) == len(measured.engine) == 2
    assert all(len(steps) == len(pacs.STEPS) and min(steps) >= 0 for steps in measured.steps)
    queue = measured.queues[1]
    assert 0 < queue.workers < queue.elapsed * queue.cores
    assert queue.orthanc > 0
    instances, jobs = measured.results
    # two alone, two queued, one and four that warm up
    assert jobs == 9
    assert instances >= 2 * jobs
