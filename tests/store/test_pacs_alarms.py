"""Alarms: another image under a UID, another patient under it, and two patients in one study."""

import hashlib
import io
import itertools
import threading

import pydicom
import pytest
from pydicom.uid import ImplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless
from sqlalchemy import create_engine, text

from cxr_core.access import LOCAL
from cxr_core.errors import WrongArguments
from cxr_core.store.pacs_files import instance_path
from cxr_core.store.pacs_header import MANUFACTURER, RESULT_SERIES
from cxr_core.store.pacs_records import SentResults, StudyPatient
from cxr_core.store.pacs_store import PacsStore
from cxr_core.store.rekeying import rekey
from tests.received import SECONDARY_CAPTURE, SENT_SERIES, built, order, received, uid
from tests.store.test_pacs_comparison import in_syntax
from tests.store.test_pacs_instances import network_rows, store  # noqa: F401 - fixture
from tests.store.test_reads import home  # noqa: F401 - fixture
from tests.store.test_sealing import KEY

STUDY = uid(1, "7")


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def keyed(request, store, home):  # noqa: F811
    """The store, with a key and without."""
    if request.param:
        home(store_key=request.param)
    return store


def of_patient(number, patient, **elements):
    """An image of one study."""
    return received(number, StudyInstanceUID=STUDY, PatientID=patient, **elements)


def kinds(store):  # noqa: F811
    return [alarm.kind for alarm in store.alarms()]


def test_two_patients_in_a_study_are_an_alarm_until_those_of_one_are_deleted(keyed, url):
    for number, patient in ((1, "QZ-4711"), (2, "QZ-4711 "), (3, "QZ-4712"), (4, "QZ-4712")):
        assert keyed.add_instance(of_patient(number, patient), f"AE ROOM{number}").outcome == "stored"
    keyed.add_instance(received(5, PatientID="QZ-4712"), "AE ROOM5")
    (alarm,) = keyed.alarms()
    assert (alarm.kind, alarm.study_uid, alarm.sop_instance_uid) == ("study", STUDY, uid(4))
    assert (alarm.source, alarm.count, alarm.holds_study) == ("AE ROOM4", 2, True)
    assert alarm.created == keyed.instance(uid(3)).received
    assert alarm.last == keyed.instance(uid(4)).received
    assert keyed.alarms(study_uid=STUDY) == (alarm,)
    assert keyed.alarms(study_uid=uid(5, "7")) == ()
    # nothing that was stored is lost, and the study stays so
    assert len(keyed.instances(study_uid=STUDY)) == 4
    with pytest.raises(WrongArguments, match="No such alarm"):
        keyed.acknowledge(alarm.id)
    keyed.delete_instances(LOCAL, [uid(3)])
    assert kinds(keyed) == ["study"]
    keyed.delete_instances(LOCAL, [uid(4)])
    assert keyed.alarms() == ()
    assert "QZ-47" not in network_rows(url)


def test_the_images_of_each_patient_are_listed_with_what_was_sent_of_them(keyed):
    for number, patient in ((1, "QZ-1"), (2, "QZ-2"), (3, "QZ-1"), (4, "")):
        keyed.add_instance(of_patient(number, patient), f"AE ROOM{number % 2}")
    keyed.add_instance(received(5, PatientID="QZ-1"), "AE ROOM5")
    orders = [order(), order("d" * 64)]
    # two jobs that differ in their destinations have a result in common
    for own, destinations in zip(orders, (["archive"], ["archive", "viewer"]), strict=True):
        keyed.plan(uid(1), [own])
        job = keyed.advance(keyed.lease("worker", 60), "read")
        job = keyed.advance(job, "built", results=[built("sr", destination) for destination in destinations])
        for result in keyed.results(job.id):
            if result.destination == "viewer":
                keyed.mark_result(job, result, "sent")
            elif own is orders[0]:
                keyed.mark_result(job, keyed.mark_result(job, result, "sent"), "verified")
    sent = (SentResults("archive", 1, 1, (SENT_SERIES,)), SentResults("viewer", 1, 0, (SENT_SERIES,)))
    first, second, unknown = keyed.study_patients(STUDY)
    assert first == StudyPatient(1, (uid(1), uid(3)), ("AE ROOM1",), keyed.instance(uid(1)).received, sent)
    assert (second.number, second.sop_instance_uids, second.results) == (2, (uid(2),), ())
    assert (unknown.number, unknown.sop_instance_uids) == (0, (uid(4),))
    assert keyed.sent_results(STUDY) == keyed.sent_results(STUDY, uid(1)) == sent
    assert keyed.sent_results(STUDY, uid(2)) == keyed.sent_results(uid(5, "7")) == ()


def test_the_first_patient_may_be_the_wrong_one(store):  # noqa: F811
    for number, patient in ((1, "QZ-1"), (2, "QZ-2"), (3, "QZ-3")):
        store.add_instance(of_patient(number, patient), "stow")
    store.delete_instances(LOCAL, [uid(1)])
    assert kinds(store) == ["study"]
    store.delete_instances(LOCAL, [uid(2)])
    assert store.alarms() == ()
    store.add_instance(of_patient(4, "QZ-3"), "stow")
    assert store.alarms() == ()
    store.add_instance(of_patient(5, "QZ-1"), "stow")
    assert [(alarm.kind, alarm.count) for alarm in store.alarms()] == [("study", 1)]


ISSUERS = {"none": {}, "A": {"IssuerOfPatientID": "A"}, "B": {"IssuerOfPatientID": "B"}}


def smallest_first(files: list[bytes]) -> bool:
    return min(files, key=lambda data: hashlib.sha256(data).digest()) == files[0]


def test_one_id_of_two_issuers_is_an_alarm_in_whatever_order_they_come_and_whichever_digest_is_the_smallest(keyed):
    """An image that states no issuer differs from neither."""
    cases = itertools.product(ISSUERS, itertools.permutations(ISSUERS))
    for number, (smallest, issuers) in enumerate(cases):
        study = {"StudyInstanceUID": uid(number + 1, "7"), "PatientID": "QZ-1"}
        files = {
            issuer: received(10 * number + place, **study, **ISSUERS[issuer]) for place, issuer in enumerate(issuers)
        }
        of_smallest = 10 * number + issuers.index(smallest)
        for attempt in itertools.count():
            files[smallest] = received(of_smallest, **study, **ISSUERS[smallest], StationName=f"ROOM {attempt}")
            if smallest_first([files[smallest], *files.values()]):
                break
        for issuer in issuers:
            keyed.add_instance(files[issuer], "stow")
        assert [alarm.kind for alarm in keyed.alarms(study_uid=uid(number + 1, "7"))] == ["study"], (smallest, issuers)


def test_an_image_without_an_issuer_makes_no_second_patient(keyed):
    for number, issuer in enumerate(("none", "A", "none", "A")):
        keyed.add_instance(of_patient(number, "QZ-1", **ISSUERS[issuer]), "stow")
    assert keyed.alarms() == ()


def test_a_damaged_file_does_not_hide_a_second_patient_where_another_file_of_the_first_is_whole(keyed):
    for damaged in (1, 2):
        study = {"StudyInstanceUID": uid(damaged, "7")}
        digests = [
            keyed.add_instance(received(10 * damaged + number, **study, PatientID="QZ-1"), "stow").instance.sha256
            for number in (1, 2)
        ]
        instance_path(digests[damaged - 1]).write_bytes(b"broken")
        keyed.add_instance(received(10 * damaged + 3, **study, PatientID="QZ-2"), "stow")
        assert [alarm.kind for alarm in keyed.alarms(study_uid=uid(damaged, "7"))] == ["study"]


def test_results_of_ours_are_of_the_patient_of_their_image(store):  # noqa: F811
    """A PACS that has corrected a patient returns them under the corrected one."""
    store.add_instance(of_patient(1, "QZ-1"), "stow")
    ours = {"Manufacturer": MANUFACTURER, "SeriesNumber": RESULT_SERIES[0], "SOPClassUID": SECONDARY_CAPTURE}
    assert store.add_instance(of_patient(2, "QZ-2", **ours), "AE ARCHIVE").instance.is_result
    assert store.alarms() == ()


def test_a_damaged_file_decides_nothing_until_it_is_repaired(store):  # noqa: F811
    path = instance_path(store.add_instance(of_patient(1, "QZ-1"), "stow").instance.sha256)
    whole = path.read_bytes()
    path.write_bytes(b"")
    store.add_instance(of_patient(2, "QZ-2"), "stow")
    assert store.alarms() == ()
    path.write_bytes(b"broken")
    store.add_instance(of_patient(1, "QZ-1"), "stow")
    assert path.read_bytes() == whole
    assert kinds(store) == ["study"]


def test_what_an_earlier_version_received_is_compared_with_what_comes(store, url):  # noqa: F811
    for number in (1, 2):
        store.add_instance(of_patient(number, f"QZ-{number}"), "stow")
    as_before(url, patient_number=None, states_issuer=None)
    assert store.alarms() == ()
    store.add_instance(of_patient(3, "QZ-1"), "stow")
    assert kinds(store) == ["study"]


def as_before(url, **columns):
    """Have the rows of all instances be as an earlier version wrote them."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for column, value in columns.items():
            connection.execute(text(f"UPDATE pacs_instances SET {column} = :value"), {"value": value})
    engine.dispose()


def test_what_an_earlier_version_took_for_one_patient_is_two_once_another_image_comes(keyed, url):
    for number, issuer in enumerate(ISSUERS):
        keyed.add_instance(of_patient(number, "QZ-1", **ISSUERS[issuer]), "stow")
    as_before(url, patient_number=1, states_issuer=None, patient_key="")
    assert keyed.alarms() == ()
    keyed.add_instance(of_patient(9, "QZ-1"), "stow")
    assert kinds(keyed) == ["study"]


def test_an_alarm_of_an_earlier_version_stays_where_a_file_can_no_longer_be_read(store, url):  # noqa: F811
    for number in (1, 2):
        path = instance_path(store.add_instance(of_patient(number, f"QZ-{number}"), "stow").instance.sha256)
    as_before(url, states_issuer=None)
    path.write_bytes(b"broken")
    store.add_instance(of_patient(3, "QZ-1"), "stow")
    assert kinds(store) == ["study"]


def test_a_key_that_is_set_later_changes_no_patient(store, home):  # noqa: F811
    store.add_instance(of_patient(1, "QZ-1"), "stow")
    home(store_key=KEY)
    store.add_instance(of_patient(2, "QZ-1"), "stow")
    rekey(store._engine)
    store.add_instance(of_patient(3, "QZ-1"), "stow")
    assert store.alarms() == ()
    store.add_instance(of_patient(4, "QZ-2"), "stow")
    assert kinds(store) == ["study"]


def test_two_patients_that_come_at_once_are_seen(store, url, tmp_path):  # noqa: F811
    stores = [PacsStore(url, tmp_path / "runs") for _ in range(4)]
    together, failures = threading.Barrier(len(stores), timeout=60), []

    def send(place, own):
        try:
            together.wait()
            own.add_instance(of_patient(place, f"QZ-{place % 2}"), "stow")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=send, args=each) for each in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [(alarm.kind, alarm.count) for alarm in store.alarms()] == [("study", 2)]
    for own in stores:
        own.close()


def test_another_patient_under_a_uid_is_kept_out_and_holds_the_study_until_it_is_acknowledged(keyed):
    keyed.add_instance(of_patient(1, "QZ-1"), "AE ROOM1")
    assert keyed.add_instance(of_patient(1, "QZ-2"), "AE ARCHIVE").outcome == "conflict"
    keyed.add_instance(of_patient(1, "QZ-1", seed=1), "AE ROOM2")
    assert [(alarm.kind, alarm.holds_study) for alarm in keyed.alarms()] == [("image", False), ("patient", True)]
    keyed.acknowledge(keyed.alarms()[1].id)
    assert kinds(keyed) == ["image"]
    assert [alarm.holds_study for alarm in keyed.alarms(acknowledged=True)] == [False, False]


@pytest.mark.parametrize("here", ["states no issuer", "cannot be read"])
def test_another_patient_under_a_uid_is_one_by_what_another_image_of_the_patient_states(keyed, here):
    stated = ISSUERS["none" if here == "states no issuer" else "A"]
    first = keyed.add_instance(of_patient(1, "QZ-1", **stated), "AE ROOM1").instance
    keyed.add_instance(of_patient(2, "QZ-1", **ISSUERS["A"]), "AE ROOM1")
    if here == "cannot be read":
        instance_path(first.sha256).write_bytes(b"broken")
    assert keyed.add_instance(of_patient(1, "QZ-1", seed=1, **ISSUERS["A"]), "AE ARCHIVE").outcome == "conflict"
    assert kinds(keyed) == ["image"]
    assert keyed.add_instance(of_patient(1, "QZ-1", **ISSUERS["B"]), "AE ARCHIVE").outcome == "conflict"
    assert sorted(kinds(keyed)) == ["image", "patient"]


def test_another_patient_under_a_uid_stays_one_where_the_image_here_can_no_longer_be_read(keyed):
    first = keyed.add_instance(of_patient(1, "QZ-1"), "AE ROOM1").instance
    keyed.add_instance(of_patient(1, "QZ-2"), "AE ARCHIVE")
    instance_path(first.sha256).write_bytes(b"broken")
    keyed.add_instance(of_patient(1, "QZ-2"), "AE ARCHIVE")
    assert [(alarm.kind, alarm.count) for alarm in keyed.alarms()] == [("patient", 2)]


def test_an_image_in_another_transfer_syntax_is_confirmed(keyed):
    ds = pydicom.dcmread(io.BytesIO(of_patient(1, "QZ-1")))
    first = keyed.add_instance(in_syntax(ds, JPEGLSLossless), "AE ROOM1").instance
    for syntax in (ImplicitVRLittleEndian, JPEG2000Lossless):
        receipt = keyed.add_instance(in_syntax(ds, syntax), "AE ARCHIVE")
        assert (receipt.outcome, receipt.instance) == ("confirmed", first)
    assert keyed.instances() == (first,)
    assert keyed.alarms() == ()
    ds.PatientID = "QZ-2"
    assert keyed.add_instance(in_syntax(ds, ImplicitVRLittleEndian), "AE ARCHIVE").outcome == "conflict"
    assert kinds(keyed) == ["patient"]


def test_a_prior_in_another_transfer_syntax_that_comes_for_itself_is_a_prior_no_more(store):  # noqa: F811
    prior = store.add_instance(received(1), "fetch ARCHIVE", is_prior=True).instance
    other = in_syntax(pydicom.dcmread(io.BytesIO(received(1))), ImplicitVRLittleEndian)
    assert store.add_instance(other, "AE ROOM1").instance.is_prior is False
    assert [one.sha256 for one in store.unplanned()] == [prior.sha256]


def test_an_image_is_replaced_with_all_that_was_known_of_it(store):  # noqa: F811
    old = store.add_instance(of_patient(1, "QZ-1"), "AE ROOM1").instance
    store.plan(uid(1), [order()])
    store.add_instance(of_patient(1, "QZ-2"), "AE ARCHIVE")
    receipt = store.replace_instance(of_patient(1, "QZ-2"), "fetch ARCHIVE", LOCAL)
    assert (receipt.outcome, receipt.instance.source) == ("stored", "fetch ARCHIVE")
    assert store.load_instance(uid(1)) == of_patient(1, "QZ-2")
    assert not instance_path(old.sha256).exists()
    assert (store.jobs(), store.alarms()) == ((), ())
    assert [one.sop_instance_uid for one in store.unplanned()] == [uid(1)]


def test_an_image_that_is_the_one_here_stays_with_its_jobs_and_settles_its_alarms(store):  # noqa: F811
    store.add_instance(of_patient(1, "QZ-1"), "AE ROOM1")
    (job,) = store.plan(uid(1), [order()])
    store.add_instance(of_patient(1, "QZ-2"), "AE ARCHIVE")
    assert store.replace_instance(of_patient(1, "QZ-1"), "fetch ARCHIVE", LOCAL).outcome == "confirmed"
    assert store.jobs() == (job,)
    assert store.alarms() == ()
