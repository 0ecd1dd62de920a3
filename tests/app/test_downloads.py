"""Downloads and overrides are recorded in the audit trail; readings do not depend on it."""

import hashlib
import inspect
import time

import pytest
import streamlit

from cxr_core.access import audit
from cxr_core.errors import AuditUnwritable, CxrError
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.model import shared_predictor
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.ui.file_intake import add_files
from tests.app.conftest import last, person
from tests.runs import made_up, record_of

PNG = phantom_png(256, 224)


def drop(app, *files):
    add_files(app.session_state["worklist"], files)
    return app.run()


def events(what):
    return [event for event in audit.read()[0] if event.what == what]


def test_every_download_of_a_reader_is_recorded_once(app_of, offered, printed):
    drop(app_of("reader").run(), ("Secret name.png", PNG))
    makes = last(offered)
    assert events("export") == []
    assert all(len(make()) > 100 for make in makes.values())
    exports = {event.detail: event for event in events("export")}
    assert set(exports) == set(makes) == {
        "findings-csv", "findings-json", "overlay-png", "sheet-png", "report-pdf", "reports-pdf",
    }  # fmt: skip
    for event in exports.values():
        assert (event.who, event.role) == ("subject-1", "reader")
        assert event.images == (hashlib.sha256(PNG).hexdigest(),)
        assert event.model == shared_predictor().card.weights_sha256
    assert "Secret" not in audit.path().read_text()


def test_image_downloads_of_an_unloaded_image_are_refused_and_findings_are_not(app_of, offered, printed):
    app = drop(app_of("reader").run(), ("a.png", PNG))
    (image,) = app.session_state["worklist"].images.values()
    image.unload()
    makes = last(offered)
    assert "Effusion" in makes["findings-csv"]()
    assert "Effusion" in makes["findings-json"]()
    for name in ("overlay-png", "sheet-png", "report-pdf"):
        with pytest.raises(CxrError, match="The image was unloaded"):
            makes[name]()
    assert "Image no longer in memory" in printed(makes["reports-pdf"]())[0]
    app.session_state["worklist"].shared.take_all()
    for name in ("report-pdf", "reports-pdf"):
        with pytest.raises(CxrError, match="removed from the worklist"):
            makes[name]()


def test_reports_are_of_the_image_and_of_all_that_were_read(app_of, offered, printed):
    png, ct = phantom_png(240, 224), phantom_dicom(256, 224, Modality="CT")
    dicom = phantom_dicom(256, 224, PatientName="Doe^Jane", PatientID="7")
    app = drop(app_of("reader").run(), ("a.dcm", dicom), ("b.png", png), ("ct.dcm", ct))
    makes = last(offered)
    assert f"SHA-256 {hashlib.sha256(dicom).hexdigest()}" in printed(makes["report-pdf"]())[0]
    pages = printed(makes["reports-pdf"]())
    assert [f"Image {n} of 2, page {m} of 2" in pages[2 * n + m - 3] for n in (1, 2) for m in (1, 2)] == [True] * 4
    assert "Doe, Jane" in pages[0]
    assert "Doe, Jane" not in pages[2]
    assert not any("no longer in memory" in page for page in pages)
    images = {event.detail: event.images for event in events("export")}
    assert images["reports-pdf"] == (hashlib.sha256(dicom).hexdigest(), hashlib.sha256(png).hexdigest())
    assert app.code[0].value.startswith("Automated second reading (research software): ")
    assert app.code[0].value.endswith("This does not exclude other findings.")
    assert "Doe" not in app.code[0].value
    assert "Doe" not in audit.path().read_text()
    names = [button.proto.label for button in app.get("download_button")]
    assert "Report (PDF)" in names
    assert "Reports of all read images (PDF)" in names


def test_a_study_of_several_images_has_a_report_of_its_own(app_of, offered, printed):
    of_study = {"PatientName": "Doe^Jane", "PatientID": "7", "StudyInstanceUID": "1.2.3"}
    first, second, other = (
        phantom_dicom(256, 224, **fields)
        for fields in (
            of_study | {"SOPInstanceUID": "1.2.3.1"}, of_study | {"SOPInstanceUID": "1.2.3.2", "ViewPosition": "AP"},
            {"PatientName": "Roe^Richard", "PatientID": "8", "StudyInstanceUID": "1.2.4", "SOPInstanceUID": "1.2.4.1"},
        )
    )  # fmt: skip
    app = drop(app_of("reader").run(), ("a.dcm", first))
    assert "study-pdf" not in last(offered)
    app = drop(app, ("b.dcm", second), ("c.dcm", other))
    for chosen, digests in ((first, {first, second}), (other, set())):
        app.session_state["worklist"].choose(hashlib.sha256(chosen).hexdigest())
        app.run()
        makes = last(offered)
        assert ("study-pdf" in makes) == bool(digests)
        if not digests:
            continue
        digests = {hashlib.sha256(data).hexdigest() for data in digests}
        text = " ".join(printed(makes["study-pdf"]()))
        assert {digest for digest in digests if digest in text} == digests
        assert "Image 2 of 2" in text
        assert "Roe" not in text
        (event,) = [event for event in events("export") if event.detail == "study-pdf"]
        assert set(event.images) == digests


def test_without_identity_a_report_names_nobody(app_of, offered, printed, monkeypatch):
    monkeypatch.setenv("SECOND_READ_IDENTITY", "off")
    settings.cache_clear()
    data = phantom_dicom(256, 224, PatientName="Doe^Jane", PatientID="7654321")
    drop(app_of("reader").run(), ("Doe.dcm", data))
    makes = last(offered)
    for name in ("report-pdf", "reports-pdf"):
        text = " ".join(printed(makes[name]()))
        assert hashlib.sha256(data).hexdigest() in text
        assert "Doe" not in text
        assert "7654321" not in text


def test_what_read_first_hides_is_in_no_download(app_of, offered, printed):
    other = phantom_png(240, 224)
    app = drop(app_of("reader").run(), ("a.png", PNG), ("b.png", other))
    del offered[:]
    app.toggle(key="read_first").set_value(True).run()
    assert offered == []
    assert not app.code
    next(button for button in app.button if button.label == "Show findings (S)").click().run()
    makes = last(offered)
    hidden = hashlib.sha256(other).hexdigest()
    assert hidden not in makes["findings-csv"]()
    assert hidden not in makes["findings-json"]()
    assert hashlib.sha256(PNG).hexdigest() in makes["findings-json"]()
    assert hidden not in " ".join(printed(makes["reports-pdf"]()))
    assert not [event for event in events("export") if hidden in event.images]


def test_a_download_is_refused_after_the_sign_in_has_expired(app_of, offered, monkeypatch):
    end = time.time() + 1000
    drop(app_of(person("reader", exp=end)).run(), ("a.png", PNG))
    monkeypatch.setattr("cxr_core.access.visitor.time.time", lambda: end + 1)
    for make in offered:
        with pytest.raises(CxrError, match="sign-in has expired"):
            make()
    assert events("export") == []


def test_downloads_of_a_reader_work_without_an_audit_trail(app_of, offered, printed, trail):
    trail.parent.write_text("a file where the folder should be")
    app = drop(app_of("local").run(), ("a.png", PNG))
    assert not app.exception
    assert all(len(make()) > 100 for make in offered)


def test_an_override_is_recorded_without_its_reason(app_of):
    data = phantom_dicom(256, 224, Modality="CT")
    app = drop(app_of("reader").run(), ("ct.dcm", data))
    next(button for button in app.button if button.label == "Read anyway").click().run()
    assert "Enter a reason." in [warning.value for warning in app.warning]
    app.text_input[0].set_value("the tag of Mr Smith is wrong")
    next(button for button in app.button if button.label == "Read anyway").click().run()
    assert not app.exception
    (event,) = events("override")
    assert (event.who, event.images) == ("subject-1", (hashlib.sha256(data).hexdigest(),))
    assert event.model == shared_predictor().card.weights_sha256
    assert "Smith" not in audit.path().read_text()


def test_a_figure_of_a_run_is_recorded_and_refused_without_an_audit_trail(
    app_of, offered, trail, monkeypatch, tmp_path
):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    streamlit.cache_resource.clear()
    try:
        predictions = made_up(80)
        RunStore().add(record_of(predictions, "a-run"), predictions)
        app = app_of("reviewer").switch_page("../../pages/admin.py").run()
    finally:
        streamlit.cache_resource.clear()
    assert not app.exception
    assert {make.__qualname__ for make in offered} == {"audited.<locals>.make_audited"}
    figure = offered[-3]  # the numbers of the last figure
    assert len(figure()) > 100
    (event,) = events("export")
    assert (event.role, event.run) == ("reviewer", "a-run")
    assert event.detail.startswith("figure-")
    trail.unlink()
    trail.mkdir()
    for make in offered:
        with pytest.raises(AuditUnwritable):
            make()


def test_the_reporting_checklist_has_the_runs_for_those_who_may_see_them(app_of, offered, monkeypatch, tmp_path):
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(RunStore, "list", lambda store: store_runs)
    settings.cache_clear()
    try:
        predictions = made_up(20)
        record = record_of(predictions, "a-run", model_sha256=shared_predictor().card.weights_sha256)
        store_runs = (RunStore().add(record, predictions),)
        for role, mentioned in (("reader", False), ("reviewer", True)):
            del offered[:]
            app = app_of(role).switch_page("../../pages/model.py").run()
            assert not app.exception
            detail = [inspect.getclosurevars(make).nonlocals["detail"] for make in offered]
            sheet = offered[detail.index("reporting-sheet")]()
            assert "## CLAIM 2024" in sheet
            assert ("run a-run" in sheet) == mentioned
            assert (events("export")[-1].detail, events("export")[-1].role) == ("reporting-sheet", role)
    finally:
        settings.cache_clear()
