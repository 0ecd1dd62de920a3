import base64
import hashlib
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, text

from cxr_core.errors import InputRefused, PathUnusable, WrongArguments
from cxr_core.imaging import phantom_dicom
from cxr_core.store import pacs_instances
from cxr_core.store.pacs_files import instance_path, pacs_folder
from cxr_core.store.pacs_store import PacsStore
from tests.received import CR, SECONDARY_CAPTURE, received, result_of_ours, uid
from tests.store.test_pacs_header import rewritten
from tests.store.test_reads import home  # noqa: F401 - fixture
from tests.store.test_sealing import KEY

PATIENT = "Quendelzahn^Xaver"


@pytest.fixture
def store(url, home, tmp_path):  # noqa: F811
    store = PacsStore(url, tmp_path / "runs")
    yield store
    store.close()


def network_rows(url) -> str:
    """All rows of the DICOM network, as text."""
    engine = create_engine(url)
    tables = ("pacs_instances", "pacs_alarms", "pacs_jobs", "pacs_results")
    with engine.begin() as connection:
        rows = [str(tuple(row)) for table in tables for row in connection.execute(text(f"SELECT * FROM {table}"))]
    engine.dispose()
    return "\n".join(rows)


def test_an_instance_is_on_the_disk_for_its_owner_alone(store):
    data = received(1)
    receipt = store.add_instance(data, "AE ROOM3")
    instance = receipt.instance
    assert receipt.outcome == "stored"
    assert (instance.sop_instance_uid, instance.source, instance.bytes) == (uid(1), "AE ROOM3", len(data))
    assert instance.sha256 == hashlib.sha256(data).hexdigest()
    assert store.instance(uid(1)) == instance
    assert store.load_instance(uid(1)) == data
    path = instance_path(instance.sha256)
    assert path.read_bytes() == data
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert store.instance(uid(2)) is None


def test_the_same_bytes_are_confirmed_again_whoever_sends_them(store):
    first = store.add_instance(received(1), "AE ROOM3").instance
    other_sender = rewritten(received(1), ImplementationVersionName="ANOTHER SENDER")
    for data, source in ((received(1), "AE ROOM3"), (other_sender, "stow")):
        receipt = store.add_instance(data, source)
        assert (receipt.outcome, receipt.instance) == ("confirmed", first)
    assert store.instances() == (first,)
    assert store.alarms() == ()
    assert len(list(instance_path(first.sha256).parent.iterdir())) == 1


def test_other_bytes_under_a_uid_are_kept_out_with_an_alarm(store, url):
    first = store.add_instance(received(1, PatientName=PATIENT), "AE ROOM3").instance
    other = received(1, seed=1, PatientName=PATIENT)
    for _ in range(3):
        receipt = store.add_instance(other, "AE ROOM4")
        assert (receipt.outcome, receipt.instance) == ("conflict", first)
    store.add_instance(received(1, seed=2), "stow")
    assert store.load_instance(uid(1)) == received(1, PatientName=PATIENT)
    assert len(list(instance_path(first.sha256).parent.iterdir())) == 1
    last, alarm = store.alarms()
    assert (alarm.sop_instance_uid, alarm.study_uid, alarm.source, alarm.count) == (uid(1), uid(1, "7"), "AE ROOM4", 3)
    assert alarm.bytes == len(other)
    assert last.source == "stow"
    store.acknowledge(alarm.id)
    assert store.alarms() == (last,)
    assert [each.id for each in store.alarms(acknowledged=True)] == [last.id, alarm.id]
    with pytest.raises(WrongArguments, match="No such alarm"):
        store.acknowledge("none")
    assert "Quendelzahn" not in network_rows(url)


def test_instances_are_found_by_study_patient_and_time(store, home):  # noqa: F811
    home(store_key=KEY)
    for number in range(4):
        study = {"StudyInstanceUID": uid(number // 2, "7")}
        store.add_instance(received(number, PatientID=f"QZ-{number % 2}", **study), "stow")
    everything = store.instances()
    assert [instance.sop_instance_uid for instance in everything] == [uid(number) for number in (3, 2, 1, 0)]
    assert store.instances(study_uid=uid(1, "7")) == everything[:2]
    assert store.instances(patient_key=everything[0].patient_key) == (everything[0], everything[2])
    assert store.instances(since=everything[0].received, limit=1) == everything[:1]
    assert store.instances(since="2999") == ()


def test_instances_are_found_by_what_they_are_however_many_others_came_later(store):
    radiograph = store.add_instance(received(1), "AE ROOM3").instance
    result = store.add_instance(result_of_ours(2), "AE ARCHIVE").instance
    ct = store.add_instance(received(3, SOPClassUID="1.2.840.10008.5.1.4.1.1.2", Modality="CT"), "AE CT1").instance
    assert store.instances(sop_classes=[CR], limit=1) == (radiograph,)
    assert store.instances(sop_classes={CR, SECONDARY_CAPTURE}) == (result, radiograph)
    assert store.instances(results=False) == (ct, radiograph)
    assert store.instances(sop_classes=[CR, SECONDARY_CAPTURE], results=False, limit=1) == (radiograph,)


def test_stored_encrypted_it_is_read_with_the_key_alone(store, home):  # noqa: F811
    home(store_key=KEY)
    store.add_instance(received(1), "stow")
    path = instance_path(store.instance(uid(1)).sha256)
    assert b"CHEST" not in path.read_bytes()
    assert store.load_instance(uid(1)) == received(1)
    assert store.add_instance(received(1), "stow").outcome == "confirmed"
    home(store_key=base64.b64encode(bytes(32)).decode())
    with pytest.raises(PathUnusable, match="SECOND_READ_STORE_KEY"):
        store.load_instance(uid(1))


@pytest.mark.parametrize("sender", ["the same", "another"])
@pytest.mark.parametrize("store_key", [None, KEY])
@pytest.mark.parametrize("damage", ["lost", "cut off", "changed", "of another image"])
def test_a_lost_or_damaged_file_is_replaced_by_what_is_sent_again(store, home, sender, store_key, damage):  # noqa: F811
    home(**{"store_key": store_key} if store_key else {})
    path = instance_path(store.add_instance(received(1), "AE ROOM3").instance.sha256)
    whole = path.read_bytes()
    contents = {
        "lost": None, "cut off": whole[:-100], "changed": whole[:-100] + bytes(100), "of another image": received(2),
    }  # fmt: skip
    if contents[damage] is None:
        path.unlink()
    else:
        path.write_bytes(contents[damage])
    with pytest.raises(PathUnusable):
        store.load_instance(uid(1))
    assert not store.confirm(uid(1), "fetch ARCHIVE")
    assert store.add_instance(received(1, seed=1), "AE ROOM3").outcome == "conflict"
    data = received(1) if sender == "the same" else rewritten(received(1), ImplementationVersionName="ANOTHER")
    receipt = store.add_instance(data, "AE ROOM3")
    assert (receipt.outcome, receipt.instance) == ("confirmed", store.instance(uid(1)))
    assert store.load_instance(uid(1)) == data
    assert store.confirm(uid(1), "fetch ARCHIVE")
    assert len(store.instances()) == 1
    # what is left of the damaged one, under another digest, goes with the next deletion
    store.delete_due()
    assert [left.name for left in path.parent.iterdir()] == [receipt.instance.sha256]


def test_a_changed_file_is_refused(store):
    path = instance_path(store.add_instance(received(1), "stow").instance.sha256)
    path.write_bytes(received(2))
    with pytest.raises(PathUnusable, match="changed since it was stored"):
        store.load_instance(uid(1))


def test_a_full_store_takes_no_more_and_still_confirms(store, home):  # noqa: F811
    home(pacs_keep_gb=f"{1.5 * len(received(1)) / 1e9}")
    store.add_instance(received(1), "stow")
    with pytest.raises(PathUnusable, match="SECOND_READ_PACS_KEEP_GB"):
        store.add_instance(received(2), "stow")
    assert store.add_instance(received(1), "stow").outcome == "confirmed"
    assert len(store.instances()) == 1
    assert [path.name for path in (pacs_folder() / "instances").iterdir()] == [store.instance(uid(1)).sha256]


def test_a_file_beyond_the_limit_or_none_at_all_is_refused(store, home):  # noqa: F811
    with pytest.raises(InputRefused, match=r"PS3\.10"):
        store.add_instance(b"no DICOM", "stow")
    home(max_file_mb="1")
    with pytest.raises(InputRefused, match="SECOND_READ_MAX_FILE_MB"):
        store.add_instance(phantom_dicom(800, 700), "stow")
    assert store.instances() == ()


def test_what_cannot_be_named_has_no_row(store, monkeypatch):
    def full(part, path):
        raise OSError(28, "no space")

    monkeypatch.setattr(pacs_instances, "name_file", full)
    with pytest.raises(PathUnusable, match="no space is left"):
        store.add_instance(received(1), "stow")
    assert store.instances() == ()
    monkeypatch.undo()


def test_an_instance_that_many_send_at_once_has_one_row(store, url, tmp_path):
    stores = [PacsStore(url, tmp_path / "runs") for _ in range(4)]
    together, outcomes = threading.Barrier(len(stores)), []

    def send(own):
        together.wait()
        outcomes.append(own.add_instance(received(1), "stow").outcome)

    threads = [threading.Thread(target=send, args=(own,)) for own in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["confirmed"] * 3 + ["stored"]
    assert len(store.instances()) == 1
    for own in stores:
        own.close()


@pytest.mark.parametrize("sent", ["as it was", "by another sender", "confirmed", "damaged"])
def test_a_prior_that_comes_for_itself_is_a_prior_no_more(store, sent):
    prior = store.add_instance(received(1), "fetch ARCHIVE", is_prior=True).instance
    assert (prior.is_prior, store.unplanned()) == (True, ())
    # as a prior once more
    assert store.add_instance(received(1), "fetch OTHER", is_prior=True).instance == prior
    assert store.confirm(uid(1), "fetch OTHER", is_prior=True)
    assert store.instances() == (prior,)
    if sent == "confirmed":
        assert store.confirm(uid(1), "AE ROOM3")
    else:
        if sent == "damaged":
            instance_path(prior.sha256).write_bytes(b"")
        data = rewritten(received(1), ImplementationVersionName="X") if sent == "by another sender" else received(1)
        receipt = store.add_instance(data, "AE ROOM3")
        assert (receipt.outcome, receipt.instance) == ("confirmed", store.instance(uid(1)))
    (current,) = store.instances()
    assert current == replace(prior, is_prior=False, source="AE ROOM3", received=current.received)
    assert current.received >= prior.received
    assert store.unplanned() == (current,)
    # and no prior again
    assert store.confirm(uid(1), "fetch ARCHIVE", is_prior=True)
    assert store.add_instance(received(1), "fetch ARCHIVE", is_prior=True).instance == current
    assert store.unplanned() == (current,)


def test_other_bytes_do_not_make_a_prior_a_current_image(store):
    prior = store.add_instance(received(1), "fetch ARCHIVE", is_prior=True).instance
    assert store.add_instance(received(1, seed=1), "AE ROOM3").outcome == "conflict"
    assert store.instances() == (prior,)


def test_what_comes_as_a_prior_and_for_itself_at_once_is_no_prior(store, url, tmp_path):
    stores = [PacsStore(url, tmp_path / "runs") for _ in range(4)]
    together, failures = threading.Barrier(len(stores), timeout=60), []

    def send(place, own):
        for number in range(5):
            together.wait()
            try:
                own.add_instance(received(number), "fetch ARCHIVE", is_prior=place != number % len(stores))
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=send, args=each) for each in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [instance.is_prior for instance in store.instances()] == [False] * 5
    assert len(store.unplanned()) == 5
    for own in stores:
        own.close()


def test_results_of_ours_are_stored_and_wait_for_no_rules(store):
    store.add_instance(result_of_ours(1), "AE ARCHIVE")
    store.add_instance(received(2), "AE ROOM3")
    assert store.instance(uid(1)).is_result
    assert [instance.sop_instance_uid for instance in store.unplanned()] == [uid(2)]


def test_awaited_priors_of_the_previous_version_keep_the_state_of_their_retrieval(url, store, tmp_path):
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in (
            "DELETE FROM migrations WHERE name = 'states_of_retrievals'",
            "DROP TABLE pacs_awaited_priors",
            # as it was before the step
            "CREATE TABLE pacs_awaited_priors (sop_instance_uid VARCHAR(64) PRIMARY KEY, asked VARCHAR(32) NOT NULL, "
            "interrupted INTEGER NOT NULL DEFAULT 0)",
            *(f"INSERT INTO pacs_awaited_priors VALUES ('{uid(n)}', '{now}', {n})" for n in (0, 1, 2)),
        ):
            connection.execute(text(statement))
    PacsStore(url, tmp_path / "runs").close()
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT sop_instance_uid, asked, retrieval FROM pacs_awaited_priors")).all()
    engine.dispose()
    states = {0: "running", 1: "interrupted", 2: "repeated"}
    assert {tuple(row) for row in rows} == {(uid(n), now, state) for n, state in states.items()}
    # by what the PACS does not say to send for us, and by what it does
    assert [store.is_awaited_prior(uid(n)) for n in states] == [True, False, True]
    assert all(store.is_awaited_prior(uid(n), sent_for_us=True) for n in states)
