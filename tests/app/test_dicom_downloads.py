"""DICOM results of an image and a study on the reading page: what is in them, and when there are none."""

import hashlib
import io
import zipfile
from dataclasses import replace

import pytest

from cxr_core.access import audit
from cxr_core.errors import CxrError, InputRefused
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.report.dicom.objects import KINDS
from cxr_core.settings import settings
from cxr_core.ui import dicom_downloads
from cxr_core.ui.dicom_downloads import DICOM_TITLES
from tests.app.conftest import last
from tests.app.test_downloads import drop, events
from tests.dicom_results import parsed

PATIENT = {"PatientName": "Quendelzahn^Xaver", "PatientID": "QZ-4711"}


def unzipped(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def of_dicom(offered):
    """The downloads of DICOM results of the last script run, by the kind that the audit trail names."""
    return {kind: make for kind, make in last(offered).items() if kind.startswith("dicom-")}


def written(app):
    return "\n".join(element.proto.body for element in app.main.get("html"))


def test_every_kind_of_result_has_a_title():
    assert list(DICOM_TITLES) == list(KINDS)


def test_results_of_an_image_belong_to_its_patient_and_study(app_of, offered, dciodvfy):
    data = phantom_dicom(256, 224, **PATIENT)
    app = drop(app_of("reader").run(), ("a.dcm", data))
    (image,) = app.session_state["worklist"].images.values()
    above = sum(finding.state == "above" for finding in image.reading.findings)
    assert above
    makes = of_dicom(offered)
    assert set(makes) == {f"dicom-{kind}" for kind in (*KINDS, "all")}
    made = {kind: makes[f"dicom-{kind}"]() for kind in (*KINDS, "all")}
    every = unzipped(made["all"])
    assert set(every) == {"sr.dcm", "pdf.dcm", "gsps.dcm", "seg.dcm", *(f"sc-{n}.dcm" for n in range(1, above + 2))}
    for kind in ("sr", "pdf", "gsps", "seg"):
        # the same UID and the same bytes, however it was asked for
        assert made[kind] == every[f"{kind}.dcm"]
    assert unzipped(made["sc"]) == {name: content for name, content in every.items() if name.startswith("sc-")}
    original = parsed(data)
    for name, content in every.items():
        assert dciodvfy(content) == [], name
        result = parsed(content)
        assert (str(result.PatientName), result.PatientID) == ("Quendelzahn^Xaver", "QZ-4711")
        assert result.StudyInstanceUID == original.StudyInstanceUID
    assert {event.detail for event in events("export")} == set(makes)
    for event in events("export"):
        assert event.images == (hashlib.sha256(data).hexdigest(),)
        assert event.model == image.reading.model_sha256
    for secret in ("Quendelzahn", "QZ-4711"):
        assert secret not in audit.path().read_text()


def test_results_of_a_study_are_in_a_folder_for_each_image(app_of, offered):
    study = PATIENT | {"StudyInstanceUID": "1.2.3"}
    first = phantom_dicom(256, 224, **study, SOPInstanceUID="1.2.3.1")
    second = phantom_dicom(256, 224, **study, SOPInstanceUID="1.2.3.2", ViewPosition="AP")
    drop(app_of("reader").run(), ("a.dcm", first), ("b.dcm", second), ("c.png", phantom_png(240, 224)))
    every = unzipped(of_dicom(offered)["dicom-study"]())
    assert {name.partition("/")[0] for name in every} == {
        hashlib.sha256(data).hexdigest()[:12] for data in (first, second)
    }
    referred = {
        str(parsed(content).CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence[0]
            .ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        for name, content in every.items() if name.endswith("/sr.dcm")
    }  # fmt: skip
    assert referred == {"1.2.3.1", "1.2.3.2"}


@pytest.mark.parametrize(
    ("data", "identity", "installed", "line"),
    [
        (phantom_png(256, 224), "screen", True, "they need a DICOM image"),
        (phantom_dicom(256, 224, **PATIENT), "off", True, "SECOND_READ_IDENTITY=off"),
        (phantom_dicom(256, 224, **PATIENT), "screen", False, "pip install -r requirements-pacs.txt"),
    ],
)
def test_where_there_are_no_results_one_line_says_why(
    app_of, offered, monkeypatch, data, identity, installed, line
):  # fmt: skip
    monkeypatch.setenv("SECOND_READ_IDENTITY", identity)
    settings.cache_clear()
    if not installed:
        monkeypatch.setattr(dicom_downloads, "find_spec", lambda name: None)
    app = drop(app_of("reader").run(), ("a", data))
    assert not app.exception
    assert line in written(app)
    assert of_dicom(offered) == {}


def test_what_there_is_nothing_to_say_of_is_not_offered(app_of, offered):
    app = drop(app_of("reader").run(), ("a.dcm", phantom_dicom(256, 224, **PATIENT)))
    asked_before = of_dicom(offered)
    (image,) = app.session_state["worklist"].images.values()
    worklist = app.session_state["worklist"]
    below = tuple(replace(finding, state="below") for finding in image.reading.findings)
    image.reading = replace(image.reading, findings=below)
    del offered[:]
    worklist.changed()
    app.run()
    assert set(of_dicom(offered)) == {"dicom-sr", "dicom-sc", "dicom-pdf", "dicom-all"}
    assert "there are no contours (GSPS) and no segmentation (SEG)" in written(app)
    with pytest.raises(CxrError, match="No finding is above"):
        asked_before["dicom-seg"]()


def test_results_are_of_the_worklist_as_it_is(app_of, offered):
    app = drop(app_of("reader").run(), ("a.dcm", phantom_dicom(256, 224, **PATIENT)))
    worklist = app.session_state["worklist"]
    (image,) = worklist.images.values()
    make = of_dicom(offered)["dicom-sr"]
    data, image.data = image.data, None
    with pytest.raises(CxrError, match="was unloaded"):
        make()
    image.data = data
    worklist.read_first = True
    with pytest.raises(CxrError, match="not shown at the moment"):
        make()
    worklist.read_first = False
    image.requeue()
    with pytest.raises(CxrError, match="not shown at the moment"):
        make()
    worklist.shared.take_all()
    with pytest.raises(CxrError, match="removed from the worklist"):
        make()


def test_an_image_that_no_result_can_refer_to_is_refused_when_it_is_asked_for(app_of, offered):
    drop(app_of("reader").run(), ("a.dcm", phantom_dicom(256, 224, SeriesInstanceUID=None)))
    with pytest.raises(InputRefused, match="lacks its SeriesInstanceUID"):
        of_dicom(offered)["dicom-sr"]()
