"""What is taken along, and an override, stand in the audit trail; a reader's work does not depend on it."""

import hashlib
import time

import pytest
import streamlit
from streamlit.runtime.media_file_manager import MediaFileManager

from cxr_core.access import audit
from cxr_core.errors import AuditUnwritable, CxrError
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.model import shared_predictor
from cxr_core.settings import settings
from cxr_core.store import RunStore
from tests.app.conftest import person
from tests.runs import made_up, record_of

PNG = phantom_png(256, 224)


@pytest.fixture
def offered(monkeypatch):
    """What makes each download that the page offers."""
    makes = []
    add = MediaFileManager.add_deferred

    def spy(self, make, *more, **named):
        makes.append(make)
        return add(self, make, *more, **named)

    monkeypatch.setattr(MediaFileManager, "add_deferred", spy)
    return makes


def drop(app, *files):
    app.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files])
    return app.run()


def events(what):
    return [event for event in audit.read()[0] if event.what == what]


def test_every_download_of_a_reader_is_one_event(app_of, offered):
    drop(app_of("reader").run(), ("Secret name.png", PNG))
    del offered[:-4]  # of earlier runs of the page
    assert events("export") == []
    assert all(len(make()) > 100 for make in offered)
    found = {event.detail: event for event in events("export")}
    assert set(found) == {"findings-csv", "findings-json", "overlay-png", "sheet-png"}
    for event in found.values():
        assert (event.who, event.role) == ("subject-1", "reader")
        assert event.films == (hashlib.sha256(PNG).hexdigest(),)
        assert event.model == shared_predictor().card.weights_sha256
    assert "Secret" not in audit.path().read_text()


def test_a_download_is_not_made_after_the_sign_in_has_ended(app_of, offered, monkeypatch):
    end = time.time() + 1000
    drop(app_of(person("reader", exp=end)).run(), ("a.png", PNG))
    monkeypatch.setattr("cxr_core.access.visitor.time.time", lambda: end + 1)
    for make in offered:
        with pytest.raises(CxrError, match="sign-in has ended"):
            make()
    assert events("export") == []


def test_a_readers_work_goes_on_without_a_trail(app_of, offered, trail):
    trail.parent.write_text("a file where the folder should be")
    app = drop(app_of("local").run(), ("a.png", PNG))
    assert not app.exception
    assert all(len(make()) > 100 for make in offered)


def test_an_override_says_who_which_film_and_which_model_but_not_why(app_of):
    data = phantom_dicom(256, 224, Modality="CT")
    app = drop(app_of("reader").run(), ("ct.dcm", data))
    next(button for button in app.button if button.label == "Read anyway").click().run()
    assert "A reason is needed." in [warning.value for warning in app.warning]
    app.text_input[0].set_value("the tag of Mr Smith is wrong")
    next(button for button in app.button if button.label == "Read anyway").click().run()
    assert not app.exception
    (event,) = events("override")
    assert (event.who, event.films) == ("subject-1", (hashlib.sha256(data).hexdigest(),))
    assert event.model == shared_predictor().card.weights_sha256
    assert "Smith" not in audit.path().read_text()


def test_a_figure_of_a_run_is_an_event_with_the_run_and_refused_without_a_trail(
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
    assert {make.__qualname__ for make in offered} == {"audited.<locals>.made"}
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
