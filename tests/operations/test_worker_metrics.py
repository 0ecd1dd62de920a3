"""Steps of jobs in the metrics of `pacs work`: done, retried, parked, or taken by another worker."""

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.errors import PathUnusable
from cxr_core.imaging import phantom_dicom
from cxr_core.operations.worker_metrics import WorkerMetrics
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.worker import OUTCOMES, STEPS, Worker
from cxr_core.store.pacs_store import PacsStore
from tests.cli.test_pacs import unreachable  # noqa: F401 - fixture
from tests.dicom_results import PATIENT

pytestmark = pytest.mark.usefixtures("unreachable")


@pytest.fixture
def store(own_folders):
    store = PacsStore()
    yield store
    store.close()


@pytest.fixture
def metrics():
    return WorkerMetrics()


def values(metrics):
    """Return the value of each sample, by the end of its name and its labels; buckets are left out."""
    samples = [sample for family in metrics.collect() for sample in family.samples]
    return {
        (one.name.removeprefix("second_read_pacs_"), *one.labels.values()): one.value
        for one in samples
        if not one.name.endswith(("_bucket", "_created"))
    }


def steps(metrics):
    """Return the steps that were counted, by step and outcome."""
    return {key[1:]: value for key, value in values(metrics).items() if key[0] == "steps_total" and value}


def worker(store, metrics, report=lambda line: None):
    return Worker(store, load_rules(), "worker", report, metrics)


def test_before_anything_was_done_every_step_and_outcome_is_0(metrics):
    counted = values(metrics)
    assert {key for key in counted if key[0] == "steps_total"} == {
        ("steps_total", step, outcome) for step in STEPS.values() for outcome in OUTCOMES
    }
    assert not any(counted.values())


def test_steps_are_counted_and_timed_and_one_that_fails_is_tried_again(store, metrics):
    store.add_instance(phantom_dicom(256, 224, **PATIENT), "AE ROOM1")
    busy = []
    worker(store, metrics, lambda line: busy.append(values(metrics)["worker_busy",])).work_until_idle(threading.Event())
    assert steps(metrics) == {("read", "done"): 1, ("build", "done"): 1, ("send", "retried"): 1}
    counted = values(metrics)
    assert [counted["step_seconds_count", step] for step in STEPS.values()] == [1, 1, 0, 0]
    assert counted["step_seconds_sum", "read"] > 0
    assert (set(busy), counted["worker_busy",]) == ({1}, 0)
    text = str(list(metrics.collect()))
    assert not [value for value in PATIENT.values() if len(value) > 1 and value in text]


def test_a_step_that_an_administrator_has_to_look_at_is_parked(store, metrics):
    uid = store.add_instance(phantom_dicom(256, 224, **PATIENT), "AE ROOM1").instance.sop_instance_uid
    (rule,) = load_rules().rules
    store.enqueue(uid, replace(rule.order(), weights_sha256="0" * 64))
    store.plan(uid, [])
    worker(store, metrics).work_until_idle(threading.Event())
    assert steps(metrics) == {("read", "parked"): 1}


def test_a_job_that_another_worker_has_taken_is_no_failure_of_the_step(store, metrics):
    store.add_instance(phantom_dicom(256, 224, **PATIENT), "AE ROOM1")
    worker(store, metrics).plan()
    job = store.lease("worker", 60)
    assert store.lease("another", 60, datetime.now(UTC) + timedelta(minutes=2)) is not None
    worker(store, metrics).work(job, threading.Event())
    assert steps(metrics) == {("read", "lease_lost"): 1}
    assert values(metrics)["worker_busy",] == 0


def test_a_store_that_cannot_be_used_is_counted(store, metrics, monkeypatch):
    stop = threading.Event()

    def unplanned():
        stop.set()
        raise PathUnusable("It is down.")

    monkeypatch.setattr(store, "unplanned", unplanned)
    worker(store, metrics).run(stop)
    assert values(metrics)["worker_store_failures_total",] == 1
    assert steps(metrics) == {}
