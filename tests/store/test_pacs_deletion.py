"""A deleted instance has left nothing: no row, no file, no job, no result, no alarm."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from cxr_core.access import LOCAL, SERVER, audit
from cxr_core.errors import AuditUnwritable, DeletionUnfinished, LeaseLost, PathUnusable
from cxr_core.files import write_whole
from cxr_core.store import pacs_deletion
from cxr_core.store.database import transaction
from cxr_core.store.database_copy import copy_database
from cxr_core.store.pacs_files import instance_path, pacs_folder
from cxr_core.store.pacs_header import patient_key
from cxr_core.store.reads import ReadStore
from tests.received import built, order, received, uid
from tests.store.test_deletion import holding
from tests.store.test_pacs_instances import network_rows, store  # noqa: F401 - fixture
from tests.store.test_reads import home  # noqa: F401 - fixture
from tests.store.test_rekeying import NEW, OTHER
from tests.store.test_sealing import KEY


def filled(store, count=6):  # noqa: F811
    """Instances with a job, a result and an alarm each."""
    for number in range(count):
        store.add_instance(received(number, PatientID=f"QZ-{number}"), "AE ROOM3")
        store.add_instance(received(number, seed=1), "AE ROOM4")
        store.plan(uid(number), [order()])
        job = store.lease("one", 600)
        store.advance(job, "built", results=[built(data=b"report of QZ-%d" % number)])


def test_nothing_of_a_deleted_instance_is_anywhere(store, url, tmp_path):  # noqa: F811
    filled(store)
    digests = [instance.sha256 for instance in store.instances()]
    gone = [uid(number) for number in range(1, 6)]
    words = ("QZ-1", "QZ-5", *gone, *(d for d in digests if d != store.instance(uid(0)).sha256))
    disk = [tmp_path / "home", *([tmp_path / "runs"] if url.startswith("sqlite") else [])]
    assert all(holding(folder, *words) for folder in disk)
    assert store.delete_instances(LOCAL, [*gone, "1.2.3"]) == 5
    assert store.delete_instances(LOCAL, gone) == 0
    for folder in disk:
        assert [path for path in holding(folder, *words) if path.name != "audit.jsonl"] == []
    rows = network_rows(url)
    assert not [word for word in words if word in rows]
    assert uid(0) in rows
    assert [job.sop_instance_uid for job in store.jobs()] == [alarm.sop_instance_uid for alarm in store.alarms()]
    assert store.load_instance(uid(0)) == received(0, PatientID="QZ-0")
    (event,) = audit.read()[0]
    assert (event.what, event.detail, sorted(event.images)) == (
        "deletion", "received images", sorted(d for d in digests if d != store.instance(uid(0)).sha256)
    )  # fmt: skip


def test_instances_are_deleted_when_their_days_have_passed(store, home):  # noqa: F811
    home(pacs_keep_days="3")
    filled(store, 2)
    assert store.delete_due() == 0
    assert store.delete_due(datetime.now(UTC) + timedelta(days=2.9)) == 0
    assert store.delete_due(datetime.now(UTC) + timedelta(days=3.1)) == 2
    assert store.instances() == store.jobs() == store.alarms() == ()
    assert audit.read()[0][0].who == SERVER.subject
    # sent again, it is received again
    assert store.add_instance(received(0), "AE ROOM3").outcome == "stored"
    assert [instance.sop_instance_uid for instance in store.unplanned()] == [uid(0)]


def test_the_app_deletes_them_too_when_it_opens_the_store(store, home, url, tmp_path, monkeypatch):  # noqa: F811
    home(pacs_keep_days="3")
    filled(store, 2)
    with transaction(store._engine, writing=True) as connection:
        long_ago = (datetime.now(UTC) - timedelta(days=3.1)).isoformat(timespec="milliseconds")
        one = {"long_ago": long_ago, "uid": uid(0)}
        connection.execute(text("UPDATE pacs_instances SET received = :long_ago WHERE sop_instance_uid = :uid"), one)
    with closing(ReadStore(url, tmp_path / "runs")) as reads:
        assert reads.unfinished == ""
    assert [instance.sop_instance_uid for instance in store.instances()] == [uid(1)]
    assert not holding(pacs_folder(), "QZ-0")


def test_without_its_line_in_the_audit_trail_nothing_is_deleted(store, home, tmp_path):  # noqa: F811
    filled(store, 1)
    home(audit=str(tmp_path))
    with pytest.raises(AuditUnwritable):
        store.delete_instances(LOCAL, [uid(0)])
    assert store.load_instance(uid(0))
    assert len(store.jobs()) == 1


def test_what_cannot_be_deleted_is_not_shown_and_deleted_later(store, url, monkeypatch):  # noqa: F811
    filled(store, 2)

    def refuse(sha256):
        raise PathUnusable("It cannot be deleted.")

    monkeypatch.setattr(pacs_deletion, "remove_instance_file", refuse)
    with pytest.raises(DeletionUnfinished, match="deleted later"):
        store.delete_instances(LOCAL, [uid(0)])
    monkeypatch.undo()
    assert [instance.sop_instance_uid for instance in store.instances()] == [uid(1)]
    assert len(store.jobs()) == len(store.alarms()) == store.counts()["built"] == 1
    assert store.instance(uid(0)) is None
    assert uid(0) in network_rows(url)
    assert store.delete_due() == 0
    assert uid(0) not in network_rows(url)
    assert len(list((pacs_folder() / "instances").iterdir())) == 1


def test_an_instance_that_is_marked_and_sent_again_is_new(store):  # noqa: F811
    filled(store, 1)
    with transaction(store._engine, writing=True) as connection:
        connection.execute(text("UPDATE pacs_instances SET deleted = 1"))
    assert store.add_instance(received(0, PatientID="QZ-0"), "AE ROOM3").outcome == "stored"
    assert store.jobs() == store.alarms() == ()
    assert store.delete_due() == 0
    assert store.load_instance(uid(0)) == received(0, PatientID="QZ-0")


def test_a_worker_whose_image_was_deleted_has_lost_the_job(store):  # noqa: F811
    store.add_instance(received(0), "AE ROOM3")
    store.plan(uid(0), [order()])
    job = store.lease("one", 600)
    store.delete_instances(LOCAL, [uid(0)])
    with pytest.raises(LeaseLost):
        store.advance(job, "built", results=[built()])
    store.release(job)


def test_files_without_a_row_are_removed_and_those_that_are_written_stay(store):  # noqa: F811
    first = store.add_instance(received(0), "AE ROOM3").instance
    folder = instance_path(first.sha256).parent
    write_whole(folder / ("ab" * 32), b"left by a killed program")
    write_whole(folder / ".0123.part", b"being written")
    store.delete_due()
    assert {path.name for path in folder.iterdir()} == {first.sha256, ".0123.part"}


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_received_images_are_in_no_backup(store, tmp_path):  # noqa: F811
    filled(store, 2)
    copy = tmp_path / "copy.sqlite"
    assert copy_database(copy, datetime.now(UTC), datetime.now(UTC))
    assert not [word for word in (uid(0), uid(1), "AE ROOM3") if word.encode() in copy.read_bytes()]
    assert len(store.jobs()) == 2


def test_another_key_encrypts_what_was_received_anew(store, home, url, tmp_path):  # noqa: F811
    filled(store, 1)
    home(store_key=KEY)
    store.add_instance(received(1, PatientID="QZ-1"), "AE ROOM3")
    with_old_key = store.instance(uid(1)).patient_key
    home(store_key=NEW, store_key_previous=KEY)
    with closing(ReadStore(url, tmp_path / "runs")) as reads:
        assert reads.rekey()["received"] == 3
        home(store_key_previous=OTHER)
        assert reads.rekey()["received"] == 0
    assert [store.load_instance(uid(number)) for number in (0, 1)] == [
        received(number, PatientID=f"QZ-{number}") for number in (0, 1)
    ]
    assert store.load_result(store.results(store.jobs()[0].id)[0]) == b"report of QZ-0"
    assert not holding(pacs_folder(), "CHEST", "report of")
    keys = [store.instance(uid(number)).patient_key for number in (0, 1)]
    assert keys == [patient_key("QZ-0"), patient_key("QZ-1")]
    assert with_old_key not in keys
