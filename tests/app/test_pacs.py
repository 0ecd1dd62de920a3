"""The page PACS: what waits, what was parked and why, alarms and whether each PACS answers; nothing about a patient."""

import re
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cxr_core.access import LOCAL, audit
from cxr_core.errors import PacsUnavailable
from cxr_core.pacs import reachability
from cxr_core.pacs.destinations import Destination
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore
from cxr_core.ui import pacs, received_studies
from cxr_core.ui.pacs_store import pacs_store
from tests.app.conftest import person
from tests.app.test_pages import component_data, content
from tests.application_entities import application_entity
from tests.received import built, order, received, uid

PATIENT = {"PatientName": "Quendelzahn^Xaver", "PatientID": "QZ-4711", "AccessionNumber": "QZACC9"}
REASON = "archive did not store result sr: status A700."


@pytest.fixture
def opened(app_of, own_folders, monkeypatch):
    """Opens the page for a person; the DICOM network is set up, and its PACS answers."""
    own_folders.setenv("SECOND_READ_PACS", "ARCHIVE@127.0.0.1:104")
    settings.cache_clear()
    pacs_store.cache_clear()
    monkeypatch.setattr(reachability, "echo", lambda destination: None)
    yield lambda who="admin": app_of(who, page="pacs").run()
    pacs_store.cache_clear()


@pytest.fixture
def store(opened):
    with closing(PacsStore()) as opened_store:
        yield opened_store


def add(store, number, *, to=None, reason=REASON, source="AE CT1"):
    """Receive an image and bring its job to a state; return the job."""
    instance = store.add_instance(received(number, **PATIENT), source).instance
    (job,) = store.plan(instance.sop_instance_uid, [order()])
    if to in (None, "received"):
        return job
    job = store.lease("worker-1", 60)
    if to == "leased":
        return job
    for state in ("read", "built", "sent", "verified"):
        if to == "parked" and state == "sent":
            return store.fail(job, reason, None)
        job = store.advance(job, state, results=[built(), built("sc-1")] if state == "built" else ())
        if state == "built":
            for result in store.results(job.id):
                store.mark_result(job, result, "sent")
        if state == "sent":
            for result in store.results(job.id):
                store.mark_result(job, result, "verified")
        if state == to:
            return job
    raise ValueError(to)


def text_of(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


def tile(app, name) -> tuple[str, str]:
    """The number of a tile, and what is beside it."""
    number, beside = re.search(
        rf"<dt>{name}</dt><dd><b>([^<]*)</b><span>([^<]*)</span>", text_of(app)
    ).groups()  # fmt: skip
    return number, beside


def test_without_a_setting_there_is_an_empty_state_and_no_store(app_of, own_folders, monkeypatch):
    monkeypatch.setattr(pacs, "pacs_store", lambda: pytest.fail("the store was opened"))
    app = app_of("admin", page="pacs").run()
    assert not app.exception
    assert "No PACS is set up" in text_of(app)
    assert not app.get("plotly_chart")


def test_an_empty_store_says_that_nothing_came(opened):
    app = opened()
    assert not app.exception
    text = text_of(app)
    for sentence in ("No job is parked.", "No image has come yet.", "nothing was received in the last 24 hours"):
        assert sentence in text
    assert "Alarms" not in text


def test_the_queue_is_counted_by_what_is_done_next(opened, store):
    store.add_instance(received(1), "AE CT1")
    for number in (2, 3):
        add(store, number)
    job = add(store, 4, to="leased")
    add(store, 5)
    store.fail(store.lease("worker-2", 60), "archive cannot be reached.", 3600)
    app = opened()
    assert tile(app, "Images without a job yet") == ("1", "a worker applies the rules")
    number, beside = tile(app, "Jobs in the queue")
    assert number == "4"
    assert beside.startswith(f"oldest of {datetime.now(UTC):%Y-%m-%d}")
    assert "1 in work by 1 worker; 1 to be tried again." in text_of(app)
    assert "archive cannot be reached." in text_of(app)
    assert job.id


def test_where_nobody_takes_the_jobs_the_page_says_so(opened, store, monkeypatch):
    add(store, 1)
    assert "No worker takes these jobs." not in text_of(opened())
    monkeypatch.setattr(pacs, "_IDLE", timedelta(0))
    assert "No worker takes these jobs." in text_of(opened())
    store.lease("worker-1", 60)
    assert "No worker takes these jobs." not in text_of(opened())


def test_a_verified_job_names_where_its_results_are(opened, store):
    add(store, 1, to="verified", source="fetch ORTHANC")
    add(store, 2, to="built")
    text = text_of(opened())
    assert "archive: sc-1, sr verified" in text
    assert "archive: sc-1, sr sent" in text
    assert "fetch ORTHANC" in text
    assert "second-read-mini, default" in text


def test_parked_jobs_are_grouped_by_reason_and_tried_again(opened, store):
    jobs = [add(store, number, to="parked") for number in (1, 2, 3)]
    other = add(store, 4, to="parked", reason="<b>another</b> reason")
    app = opened()
    text = text_of(app)
    assert "Parked (4)" in text
    assert f"<b>{REASON}</b>" in text
    assert "&lt;b&gt;another&lt;/b&gt; reason" in text
    assert "parked after built" in text
    titles = [button.label for button in app.button]
    assert [title for title in titles if title.startswith("Retry")] == ["Retry", "Retry one", "Retry all 3"]
    next(button for button in app.button if button.label == "Retry one").click().run()
    assert store.counts()["parked"] == 3
    next(button for button in app.button if button.label == "Retry all 2").click().run()
    assert not app.exception
    # what was built is sent again, and not built again
    assert {store.job(job.id).state for job in jobs} == {"built"}
    assert store.job(other.id).state == "parked"
    events = [event for event in audit.read()[0] if event.what == "pacs-change"]
    assert [(event.who, event.role, event.detail, len(event.images)) for event in events] == [
        ("subject-1", "admin", "retry", 1), ("subject-1", "admin", "retry", 2),
    ]  # fmt: skip
    digests = {store.instance(job.sop_instance_uid).sha256 for job in jobs}
    assert {digest for event in events for digest in event.images} == digests


def test_a_job_that_another_administrator_has_tried_again_is_said(opened, store):
    job = add(store, 1, to="parked")
    app = opened()
    store.retry(job.id)
    next(button for button in app.button if button.label == "Retry").click().run()
    assert not app.exception
    assert "No such parked job." in text_of(app)


def test_nothing_is_changed_without_the_audit_trail(opened, store):
    job = add(store, 1, to="parked")
    app = opened()
    audit.path().unlink()
    audit.path().mkdir()
    next(button for button in app.button if button.label == "Retry").click().run()
    assert store.job(job.id).state == "parked"
    assert "Nothing was changed" in text_of(app)


def test_an_alarm_is_shown_until_it_is_acknowledged(opened, store):
    store.add_instance(received(1), "AE CT1")
    for _ in range(2):
        store.add_instance(received(1, seed=1), "AE CT2")
    app = opened()
    assert "Alarms (1)" in text_of(app)
    assert re.search(r"<b>AE CT2</b>, \S+ \S+, 2 times", text_of(app))
    app.button(key=f"pacs-alarm-{store.alarms()[0].id}").click().run()
    assert store.alarms() == ()
    assert "Alarms" not in text_of(app)
    assert [event.detail for event in audit.read()[0] if event.what == "pacs-change"] == ["acknowledge"]


def test_a_study_of_two_patients_and_another_patient_under_a_uid_say_what_to_do(opened, store):
    same = {"StudyInstanceUID": uid(1, "7")}
    store.add_instance(received(1, **PATIENT), "AE CT1")
    store.add_instance(received(2, **same, PatientID="QZ-OTHER"), "AE <CT2>")
    store.add_instance(received(1, **PATIENT | {"PatientID": "QZ-OTHER"}), "AE CT3")
    store.add_instance(received(1, seed=1, **PATIENT), "AE CT4")
    app = opened()
    assert not app.exception
    text = text_of(app)
    assert "Alarms (3)" in text
    for sentence in ("A study has images of two patients.", "An image of another patient came", "Another image came"):
        assert sentence in text
    assert re.search(r"<b>AE &lt;CT2&gt;</b>, \S+ \S+, 1 image of a further patient", text)
    assert f'title="Study {uid(1, "7")}"' in text
    # that of a study ends when images are deleted, by their UIDs
    assert [code.value for code in app.code if "http" not in code.value] == [uid(1, "7"), uid(1), uid(2)]
    assert re.search(r"Patient 1: 1 image from AE CT1; no results sent\. The first came ", text)
    assert "Patient 2: 1 image from AE &lt;CT2&gt;; no results sent." in text
    assert len([button for button in app.button if button.label == "Acknowledge"]) == 2
    assert "QZ-" not in text


def test_an_alarm_says_which_results_went_where(opened, store):
    job = add(store, 1, to="verified")
    add(store, 2, to="built")
    store.add_instance(received(3, StudyInstanceUID=job.study_uid, PatientID="QZ-OTHER"), "AE CT2")
    store.add_instance(received(2, seed=1, **PATIENT), "AE CT3")
    text = text_of(opened())
    assert "of the study: 2 results sent to archive, verified" in text
    assert "Patient 1: 1 image from AE CT1; 2 results sent to archive, verified." in text
    assert "Patient 2: 1 image from AE CT2; no results sent." in text
    assert "of the image: 2 results sent to archive, not verified" in text


def test_a_callback_of_a_person_who_lost_the_role_changes_nothing(opened, store):
    job = add(store, 1, to="parked")
    app = opened(person("admin"))
    app.user["roles"] = "reviewer"
    next(button for button in app.button if button.label == "Retry").click().run()
    assert store.job(job.id).state == "parked"
    assert "This page needs the role admin; your role is reviewer." in text_of(app)


def test_each_pacs_is_asked_when_the_page_is_opened_and_when_it_is_asked_again(opened, monkeypatch):
    asked = []

    def echo(destination):
        asked.append(str(destination.address))
        if len(asked) == 2:
            raise PacsUnavailable("ARCHIVE@127.0.0.1:104 cannot be reached. <check>")

    monkeypatch.setattr(reachability, "echo", echo)
    app = opened()
    assert re.search(r"answers</span> C-ECHO, \d+ ms", text_of(app))
    app.run()
    assert asked == ["ARCHIVE@127.0.0.1:104"]
    app.button(key="pacs-check").click().run()
    assert len(asked) == 2
    assert "does not answer" in text_of(app)
    assert "cannot be reached. &lt;check&gt;" in text_of(app)


def test_the_source_is_asked_with_its_own_credentials(opened, own_folders, monkeypatch):
    asked = []
    monkeypatch.setattr(reachability, "echo", lambda one: asked.append((str(one.address), one.credentials)))
    own_folders.setenv("SECOND_READ_PACS_SOURCE", "https://source.example.org/dicom-web/")
    own_folders.setenv("SECOND_READ_PACS_SOURCE_CREDENTIALS", "user:hunter2")
    settings.cache_clear()
    app = opened()
    assert sorted(asked) == [
        ("ARCHIVE@127.0.0.1:104", None), ("https://source.example.org/dicom-web", "user:hunter2"),
    ]  # fmt: skip
    assert text_of(app).count(">answers</span>") == 2
    assert "hunter2" not in repr(app.main) + text_of(app)


def test_the_destinations_of_the_rules_are_asked(opened, own_folders, tmp_path):
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[destinations.archive]\naddress = "LTA@127.0.0.1:11112"\n[[rules]]\nresults = [{to = "archive"}]\n'
    )
    own_folders.setenv("SECOND_READ_PACS_RULES", str(rules))
    settings.cache_clear()
    text = text_of(opened())
    assert "LTA@127.0.0.1:11112" in text
    assert text.count(">answers</span>") == 2
    rules.write_text('[[rules]]\nresults = [{to = "nowhere"}]\n')
    assert "The rules name the destination &#x27;nowhere&#x27;" in text_of(opened())


def test_a_setting_that_cannot_be_used_is_said(opened, own_folders):
    own_folders.setenv("SECOND_READ_PACS", "http://user:secret@pacs.example.org")
    settings.cache_clear()
    app = opened()
    assert not app.exception
    assert "The settings cannot be used" in text_of(app)
    assert "secret" not in text_of(app)


def test_the_page_has_nothing_about_a_patient(opened, store):
    for number, state in enumerate(("received", "leased", "built", "verified", "parked")):
        add(store, number, to=state)
    store.add_instance(received(1, seed=1, **PATIENT), "AE CT1")
    app = opened()
    everything = repr(app.main) + text_of(app) + audit.path().read_text()
    assert "AE CT1" in everything
    for secret in ("Quendelzahn", "QZ-4711", "QZACC9"):
        assert secret not in everything


def test_a_pacs_is_asked_over_the_network():
    with application_entity() as address:
        here, gone = Destination("here", address), Destination("gone", replace(address, port=9))
        answers = reachability.ask([here, gone])
    assert answers[here].problem == ""
    assert answers[here].milliseconds > 0
    assert "cannot be reached" in answers[gone].problem


def test_received_studies_are_on_the_reading_page_before_any_image_is_added(opened, store, app_of, monkeypatch):
    keeper = received_studies._Received()
    monkeypatch.setattr(keeper, "ask", lambda: keeper.current)
    monkeypatch.setattr(received_studies, "_RECEIVED", keeper)
    add(store, 1, to="verified")
    keeper.refresh(store)
    app = app_of("reader").run()
    assert not app.exception
    (entry,) = component_data(app, "second_read_worklist")["received"]
    assert entry["name"] == "Quendelzahn, Xaver"
    assert entry["origin"] == "from CT1; results at archive: sc-1, sr verified"
    assert received_studies.open_received(app.session_state["worklist"], entry["id"], LOCAL) == ""
    app.run()
    assert not app.exception
    assert component_data(app, "second_read_worklist")["received"] == []
    assert content(app)["study"]["origin"] == entry["origin"]
