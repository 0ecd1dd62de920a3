"""Whose image is on the screen: patient, study, prior, and contradictions, in Streamlit's test driver."""

import pytest

from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.settings import settings
from cxr_core.studies.study import TWO_PATIENTS
from tests.app.test_pages import app, component_data, content, drop, images, text  # noqa: F401

JANE = {"PatientName": "DOE^Jane", "PatientID": "QZ-7", "PatientBirthDate": "19700203", "PatientSex": "F"}


def radiograph(number: int, uid: str, **elements) -> bytes:
    return phantom_dicom(96 + number, 84, **{**JANE, "StudyInstanceUID": uid, "SOPInstanceUID": f"{uid}.1", **elements})


CURRENT = radiograph(
    0, "1.2.1", StudyDate="20261120", StudyTime="1032", AccessionNumber="A-55", StudyDescription="Chest PA"
)
PRIOR = radiograph(1, "1.2.2", StudyDate="20250301")
OTHER = radiograph(2, "1.2.3", PatientName="ROE^John", PatientID="QZ-8", PatientBirthDate="", PatientSex="M")


def choose(app, data: bytes):  # noqa: F811
    import hashlib

    app.session_state["worklist"].choose(hashlib.sha256(data).hexdigest())
    return app.run()


def test_patient_study_and_prior_of_the_chosen_image_are_shown(app):  # noqa: F811
    app.run()
    drop(app, ("a.dcm", CURRENT), ("b.dcm", PRIOR), ("c.dcm", OTHER))
    assert not app.exception
    study = content(app)["study"]
    assert study["name"] == "DOE, Jane"
    assert study["patient"] == "ID QZ-7 · born 1970-02-03, 56 years · female"
    assert study["visit"] == "Study of 2026-11-20 10:32 · Chest PA · accession A-55"
    assert "ROE" not in text(app)
    (prior,) = study["priors"]
    assert prior["date"] == "2025-03-01"
    app.session_state["worklist"].choose(prior["id"])
    app.run()
    assert images(app)[app.session_state["worklist"].chosen].name == "b.dcm"
    study = content(app)["study"]
    assert (study["visit"], study["priors"]) == ("Study of 2025-03-01", [])
    choose(app, OTHER)
    assert "ROE, John" in text(app)
    assert "DOE" not in text(app)


def test_an_image_without_patient_data_says_so(app):  # noqa: F811
    app.run()
    drop(app, ("a.png", phantom_png(96, 84)))
    assert "No patient data in this file" in text(app)


def test_a_study_uid_of_two_patients_is_an_alarm_on_both(app):  # noqa: F811
    app.run()
    mixed = radiograph(3, "1.2.1", PatientName="ROE^John", PatientID="QZ-8")
    drop(app, ("a.dcm", CURRENT), ("b.dcm", mixed))
    assert TWO_PATIENTS in text(app)
    choose(app, mixed)
    assert TWO_PATIENTS in text(app)
    assert "ROE, John" in text(app)


def test_the_same_sop_uid_with_other_pixels_is_an_alarm_once_both_are_read(app):  # noqa: F811
    app.run()
    drop(app, ("a.dcm", CURRENT), ("b.dcm", radiograph(4, "1.2.1", SOPInstanceUID="1.2.1.1")))
    assert {image.status for image in images(app).values()} == {"read"}
    app.run()
    assert "same SOP Instance UID and different pixels" in text(app)


@pytest.fixture
def identity_off(monkeypatch):
    monkeypatch.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("identity_off")
def test_without_identity_studies_are_told_apart_and_nobody_is_named(app):  # noqa: F811
    app.run()
    drop(app, ("a.dcm", CURRENT), ("b.dcm", PRIOR))
    assert not app.exception
    assert len(app.session_state["worklist"].studies()) == 2
    for part in ("DOE", "QZ-7", "1970", "A-55", "2026-11-20"):
        assert part not in text(app) + repr(app.main) + repr(component_data(app, "second_read_worklist"))
