import contextlib
import multiprocessing
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.access import LOCAL
from cxr_core.errors import DeletionUnfinished, LeaseLost, PathUnusable, WrongArguments
from cxr_core.store.pacs_files import pacs_folder, result_path
from cxr_core.store.pacs_records import JOB_STATES
from cxr_core.store.pacs_store import PacsStore
from tests.received import built, order, received, uid
from tests.store.test_pacs_instances import store  # noqa: F401 - fixture
from tests.store.test_reads import home  # noqa: F401 - fixture
from tests.store.test_sealing import KEY

pytestmark = pytest.mark.usefixtures("home")

NOON = datetime(2126, 11, 27, 12, tzinfo=UTC)
"""Later than anything that a test stores."""


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def waiting(store, *numbers):  # noqa: F811
    """Jobs of instances, in the order in which they were added."""
    jobs = []
    for number in numbers:
        store.add_instance(received(number), "AE ROOM3")
        jobs += store.plan(uid(number), [order()])
    return jobs


def test_rules_are_applied_once_and_a_job_is_there_once(store):  # noqa: F811
    store.add_instance(received(1), "AE ROOM3")
    assert [instance.sop_instance_uid for instance in store.unplanned()] == [uid(1)]
    jobs = store.plan(uid(1), [order(), order(operating_point="sensitive")])
    assert [(job.sop_instance_uid, job.study_uid, job.source) for job in jobs] == [
        (uid(1), uid(1, "7"), "AE ROOM3")
    ] * 2
    assert [job.order for job in jobs] == [order(), order(operating_point="sensitive")]
    assert jobs[0].order.plan == '{"rule": "all"}'
    assert store.unplanned() == ()
    assert store.plan(uid(1), [order()]) == jobs[:1]
    assert store.enqueue(uid(1), order()) == (jobs[0], False)
    job, is_new = store.enqueue(uid(1), order(content="d" * 64))
    assert is_new
    assert store.counts() == {state: 3 * (state == "received") for state in JOB_STATES}
    assert {each.id for each in store.jobs()} == {*(each.id for each in jobs), job.id}
    with pytest.raises(PathUnusable, match="deleted"):
        store.plan(uid(2), [order()])
    with pytest.raises(PathUnusable, match="deleted"):
        store.enqueue(uid(2), order())


def test_an_instance_that_no_rule_chooses_is_not_asked_for_again(store):  # noqa: F811
    store.add_instance(received(1), "AE ROOM3")
    assert store.plan(uid(1), []) == ()
    assert store.unplanned() == ()
    assert store.lease("one", 60) is None


def test_a_job_goes_from_state_to_state_and_its_results_are_kept_until_verified(store, home):  # noqa: F811
    home(store_key=KEY)
    (waits,) = waiting(store, 1)
    job = store.lease("one", 60, NOON)
    assert (job.id, job.owner, job.attempts) == (waits.id, "one", 1)
    assert store.lease("two", 60, NOON) is None
    job = store.advance(job, "read", now=after(1))
    results = [built("sr"), built("sc-1", data=b"a picture"), built("sr", "viewer")]
    job = store.advance(job, "built", results=results, now=after(2))
    stored = store.results(job.id)
    assert [(each.destination, each.name) for each in stored] == [
        ("archive", "sc-1"), ("archive", "sr"), ("viewer", "sr")
    ]  # fmt: skip
    assert [store.load_result(each) for each in stored] == [b"a picture", b"a report", b"a report"]
    assert b"report" not in result_path(job.id, stored[1].sha256).read_bytes()
    for each in stored:
        sent = store.mark_result(job, each, "sent", after(3))
        assert sent.sent
        assert store.mark_result(job, sent, "sent", after(4)) == sent
    job = store.advance(job, "sent", now=after(5))
    for each in store.results(job.id):
        store.mark_result(job, each, "verified", after(6))
    job = store.advance(job, "verified", now=after(7))
    assert job == store.job(job.id)
    assert (job.state, job.lease_until, job.attempts) == ("verified", None, 0)
    assert [state for state in JOB_STATES if state in job.times] == ["received", "read", "built", "sent", "verified"]
    assert job.times["sent"] == after(5).isoformat(timespec="milliseconds")
    assert all(each.sent and each.verified for each in store.results(job.id))
    assert list((pacs_folder() / "results").iterdir()) == []
    with pytest.raises(PathUnusable, match="missing"):
        store.load_result(stored[0])
    assert store.lease("two", 60, after(1000)) is None
    with pytest.raises(LeaseLost):
        store.renew(job, 60, after(8))


def test_a_job_never_goes_back(store):  # noqa: F811
    waiting(store, 1)
    job = store.advance(store.lease("one", 60), "built", results=[built()])
    for state in ("received", "read", "built", "parked"):
        with pytest.raises(ValueError, match="does not become"):
            store.advance(job, state)
    with pytest.raises(ValueError, match="once they are built"):
        store.advance(job, "sent", results=[built()])
    assert store.job(job.id) == job


def test_a_lease_that_ends_is_taken_over_and_the_first_worker_can_do_nothing(store):  # noqa: F811
    waiting(store, 1)
    first = store.lease("one", 60, NOON)
    longer = store.renew(first, 60, after(59))
    assert store.lease("two", 60, after(61)) is None
    second = store.lease("two", 60, after(120))
    assert (second.id, second.attempts) == (first.id, 2)
    second = store.advance(second, "built", results=[built()], now=after(121))
    for lost in (first, longer):
        for act in (
            lambda lost: store.advance(lost, "built", results=[built(data=b"another")], now=after(122)),
            lambda lost: store.renew(lost, 60, after(122)),
            lambda lost: store.fail(lost, "late", None, after(122)),
            lambda lost: store.mark_result(lost, store.results(lost.id)[0], "sent", after(122)),
        ):
            with pytest.raises(LeaseLost):
                act(lost)
        store.release(lost, after(122))
    assert store.job(first.id) == second
    assert [store.load_result(each) for each in store.results(second.id)] == [b"a report"]


def test_a_lease_that_has_ended_is_lost_also_where_nobody_has_taken_it(store):  # noqa: F811
    waiting(store, 1)
    job = store.lease("one", 60, NOON)
    with pytest.raises(LeaseLost):
        store.advance(job, "read", now=after(61))
    assert store.lease("one", 60, after(62)).attempts == 2


def test_a_lease_that_is_given_back_was_no_attempt(store):  # noqa: F811
    waiting(store, 1)
    store.release(store.lease("one", 60, NOON), after(1))
    assert store.lease("two", 60, after(2)).attempts == 1


def test_after_a_failure_it_waits_and_is_parked_at_last(store):  # noqa: F811
    waiting(store, 1)
    job = store.fail(store.lease("one", 60, NOON), "The archive\n does not answer.", 29, after(1))
    assert (job.state, job.reason, job.lease_until) == ("received", "The archive does not answer.", None)
    assert store.lease("one", 60, after(29)) is None
    job = store.advance(store.lease("one", 60, after(30)), "built", results=[built()], now=after(31))
    assert (job.reason, job.attempts) == ("", 0)
    job = store.fail(job, "x" * 1000, None, after(32))
    assert (job.state, len(job.reason)) == ("parked", 400)
    assert store.jobs(["parked"]) == (job,)
    assert store.counts()["parked"] == 1
    assert store.lease("one", 60, after(10**6)) is None
    again = store.retry(job.id, after(40))
    assert (again.state, again.attempts, again.reason) == ("built", 0, "")
    assert "parked" not in again.times
    assert store.lease("one", 60, after(41)).state == "built"
    assert store.load_result(store.results(job.id)[0]) == b"a report"
    with pytest.raises(WrongArguments, match="No such parked job"):
        store.retry(job.id)


def test_a_reading_that_was_parked_is_made_again(store):  # noqa: F811
    waiting(store, 1)
    job = store.advance(store.lease("one", 60, NOON), "read", now=after(1))
    store.fail(job, "no", None, after(2))
    assert store.retry(job.id).state == "received"


def test_a_job_that_has_failed_goes_behind_those_that_are_due(store):  # noqa: F811
    first, second = waiting(store, 1, 2)
    failed = store.lease("one", 60, NOON)
    assert failed.id == min((first, second), key=lambda job: (job.times["received"], job.id)).id
    store.fail(failed, "The archive does not answer.", 5, after(1))
    (other,) = {first.id, second.id} - {failed.id}
    assert store.lease("one", 60, after(100)).id == other
    assert store.lease("one", 60, after(100)).id == failed.id


def test_jobs_are_leased_in_the_order_in_which_they_came(store):  # noqa: F811
    jobs = waiting(store, *range(5))
    assert [store.lease("one", 60).id for _ in jobs] == [
        job.id for job in sorted(jobs, key=lambda job: (job.times["received"], job.id))
    ]
    assert [job.id for job in store.jobs(study_uid=uid(3, "7"))] == [jobs[3].id]
    assert [job.id for job in store.jobs(sop_instance_uid=uid(2))] == [jobs[2].id]
    assert len(store.jobs(limit=2)) == 2


def test_workers_at_once_never_have_the_same_job(store, url, tmp_path):  # noqa: F811
    jobs = waiting(store, *range(12))
    stores = [PacsStore(url, tmp_path / "runs") for _ in range(4)]
    together, leased = threading.Barrier(len(stores)), []

    def work(own, name):
        together.wait()
        while len(leased) < len(jobs):
            job = own.lease(name, 600)
            if job is not None:
                leased.append(job.id)

    threads = [threading.Thread(target=work, args=(own, f"worker {n}")) for n, own in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(leased) == sorted(job.id for job in jobs)
    for own in stores:
        own.close()


def test_orders_given_at_once_make_one_job(store, url, tmp_path):  # noqa: F811
    store.add_instance(received(1), "stow")
    stores = [PacsStore(url, tmp_path / "runs") for _ in range(4)]
    together, made = threading.Barrier(len(stores)), []

    def enqueue(own):
        together.wait()
        made.append(own.enqueue(uid(1), order()))

    threads = [threading.Thread(target=enqueue, args=(own,)) for own in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(is_new for _, is_new in made) == [False, False, False, True]
    assert len({job.id for job, _ in made}) == len(store.jobs()) == 1
    for own in stores:
        own.close()


def die_with_a_lease(url, runs, seconds):
    store = PacsStore(url, runs)  # noqa: F811
    store.lease("doomed", seconds)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_the_job_of_a_killed_worker_is_taken_over(store, url, tmp_path):  # noqa: F811
    (waits,) = waiting(store, 1)
    process = multiprocessing.get_context("spawn").Process(target=die_with_a_lease, args=(url, tmp_path / "runs", 600))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert store.lease("two", 60) is None
    (job,) = store.jobs()
    assert (job.id, job.owner) == (waits.id, "doomed")
    taken = store.lease("two", 60, datetime.fromisoformat(job.lease_until))
    assert (taken.owner, taken.attempts) == ("two", 2)


def test_throughput_counts_what_was_done_by_hour(store):  # noqa: F811
    waiting(store, 1, 2, 3)
    (received_hour,) = store.throughput("")
    assert (received_hour.received, received_hour.received_bytes) == (3, 3 * len(received(1)))
    assert (received_hour.verified, received_hour.parked) == (0, 0)
    for hours in (0, 0, 1):
        store.advance(store.lease("one", 60, after(3600 * hours)), "verified", now=after(3600 * hours + 1))
    assert [(each.hour[-2:], each.verified) for each in store.throughput("2126")] == [("12", 2), ("13", 1)]
    assert store.throughput("2126")[0].received == 0
    assert store.throughput("2127") == ()


@pytest.mark.slow
def test_receiving_planning_working_and_deleting_at_once_end_in_one_result_each(store, url, tmp_path):  # noqa: F811
    numbers, senders, done, failures = range(24), 3, threading.Event(), []

    def in_a_thread(act):
        def run():
            own = PacsStore(url, tmp_path / "runs")
            try:
                act(own)
            except Exception as error:
                failures.append(error)
            finally:
                own.close()

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def receive(own):
        for number in numbers:
            assert own.add_instance(received(number), "stow").outcome in ("stored", "confirmed")

    def work(own):
        while not done.is_set():
            for instance in own.unplanned():
                with contextlib.suppress(PathUnusable):
                    own.plan(instance.sop_instance_uid, [order()])
            job = own.lease(threading.current_thread().name, 600)
            if job is None:
                continue
            with contextlib.suppress(LeaseLost):
                job = own.advance(job, "built", results=[built()])
                own.mark_result(job, own.results(job.id)[0], "verified")
                own.advance(job, "verified")

    def delete(own):
        while not done.is_set():
            with contextlib.suppress(DeletionUnfinished):
                own.delete_instances(LOCAL, [uid(number) for number in numbers[::8]])

    receiving = [in_a_thread(receive) for _ in range(senders)]
    others = [in_a_thread(act) for act in (work, work, delete)]
    for thread in receiving:
        thread.join(120)
    kept = {uid(number) for number in numbers if number % 8}
    end = time.monotonic() + 120
    while not failures and not kept <= {job.sop_instance_uid for job in store.jobs(["verified"])}:
        assert time.monotonic() < end
        time.sleep(0.1)
    done.set()
    for thread in others:
        thread.join(120)
    assert failures == []
    jobs = [job for job in store.jobs() if job.sop_instance_uid in kept]
    assert sorted(job.sop_instance_uid for job in jobs) == sorted(kept)
    assert {job.state for job in jobs} == {"verified"}
    assert all(len(store.results(job.id)) == 1 for job in jobs)
