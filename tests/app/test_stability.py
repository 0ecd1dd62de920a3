"""Small changes of the image on the page: after the answer, for the image on the screen alone, never for the others."""

import threading
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.imaging import SMALL_CHANGES, phantom_dicom, phantom_png
from cxr_core.model import Predictor
from cxr_core.model import predictor as module
from cxr_core.reading import read_image
from cxr_core.reading_queue import FairQueue
from cxr_core.settings import settings
from cxr_core.ui import stability
from cxr_core.ui.file_intake import add_files
from cxr_core.ui.findings import findings_message
from cxr_core.ui.worklist import Worklist, WorklistImage

PROJECT = Path(__file__).resolve().parents[2]
EDGE, OTHER = phantom_dicom(256, 224), phantom_png(64, 64)


@pytest.fixture
def app(monkeypatch, edge_model):
    """The app, serving the model on whose threshold the phantom lies."""

    def clear():
        settings.cache_clear()
        module._load.cache_clear()
        streamlit.cache_resource.clear()

    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_HOME", str(edge_model.parent))
    monkeypatch.setenv("SECOND_READ_MODEL", edge_model.name)
    clear()
    streamlit.config.set_option("client.showErrorDetails", "full")
    yield AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
    clear()


def drop(app, *files):
    app.run()
    add_files(app.session_state["worklist"], files)
    return app.run()


def images(app):
    return {image.name: image for image in app.session_state["worklist"].images.values()}


def test_the_mark_appears_after_the_answer_and_says_under_which_change(app, monkeypatch):
    waiting = []
    read_changed = Predictor.read_changed

    def watched(self, reading, changed):
        waiting.append(threading.current_thread().name.startswith("reading-"))
        waiting.append(all(image.status == "read" for image in images(app).values()))
        return read_changed(self, reading, changed)

    monkeypatch.setattr(Predictor, "read_changed", watched)
    drop(app, ("edge.dcm", EDGE), ("other.png", OTHER))
    assert not app.exception
    # six jobs of the queue, each after all images of the worklist were read
    assert waiting == [True] * 12
    edge, other = images(app)["edge.dcm"], images(app)["other.png"]
    assert edge.reading.changes_checked
    assert other.reading.under_changes == ()
    (note,) = (e for e in app.expander if e.label.startswith("Small changes of the image"))
    assert note.label == "Small changes of the image: the state of 1 of 14 evaluated findings changes"
    body = "".join(element.proto.body for element in note.get("html"))
    assert "crop of 4 % at each edge" in body
    assert "was not measured for this model" in body
    card = module.shared_predictor().card
    marks = {row["label"]: row["unstable"] for row in findings_message(edge.reading, card, None)["rows"]}
    assert marks.pop("Effusion") == "changes under small changes of the image"
    assert set(marks.values()) == {""}


def test_another_image_is_checked_once_it_is_on_the_screen_and_none_twice(app):
    drop(app, ("edge.dcm", EDGE), ("other.png", OTHER))
    before = images(app)["edge.dcm"].reading
    app.session_state["worklist"].choose(images(app)["other.png"].digest)
    app.run()
    assert images(app)["other.png"].reading.changes_checked
    app.session_state["worklist"].choose(images(app)["edge.dcm"].digest)
    app.run()
    assert not app.exception
    assert images(app)["edge.dcm"].reading is before


def test_an_error_is_said_without_its_message_and_leaves_the_findings(app, monkeypatch):
    def broken(*_):
        raise RuntimeError("Secret^Name")

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, "read_changed", broken)
        drop(app, ("edge.dcm", EDGE))
    assert not app.exception
    body = "".join(element.proto.body for element in app.main.get("html"))
    assert "Small changes of the image could not be read (RuntimeError)" in body
    assert "Secret" not in body
    image = images(app)["edge.dcm"]
    assert len(image.reading.findings) == 14
    image.requeue()
    app.run()
    assert image.reading.changes_checked


def test_a_check_of_a_reading_that_is_gone_is_dropped(app):
    drop(app, ("edge.dcm", EDGE))
    image, card = images(app)["edge.dcm"], module.shared_predictor().card
    stale = image.reading
    image.requeue()
    app.run()
    fresh = image.reading
    assert fresh is not stale
    app.session_state["worklist"].set_changes(image, stale, card)
    assert image.reading is fresh


def test_a_reader_who_goes_on_leaves_nothing_in_the_queue(monkeypatch, predictor):
    class Interrupted(BaseException):
        """What Streamlit raises in a script that is interrupted."""

    queue, begun, gate = FairQueue(10, at_once=1), threading.Event(), threading.Event()
    monkeypatch.setattr(stability, "shared_queue", lambda: queue)
    monkeypatch.setattr(stability.st, "session_state", {})
    queue.ask("other", lambda: (begun.set(), gate.wait(60)))
    assert begun.wait(60)
    radiograph, reading = read_image(EDGE, predictor)
    image = WorklistImage("digest", "edge.dcm", EDGE, status="read", reading=reading, radiograph=radiograph)

    def interrupted():
        assert queue.position(job_of("edge")) == 1
        raise Interrupted

    def job_of(reader):
        return queue.ask(reader, int, background=True)

    with pytest.raises(Interrupted):
        stability._read_changed(image, Worklist(), predictor, SMALL_CHANGES[0], interrupted)
    last = job_of("last")
    # only the one that looked is before it
    assert last.position() == 1
    gate.set()
    assert last.result() == 0
    assert image.reading.under_changes == ()


def test_the_model_page_states_the_rates_with_their_counts(monkeypatch):
    monkeypatch.chdir(PROJECT)
    app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
    app.switch_page("../../pages/model.py").run()
    assert not app.exception
    assert ">Stability under small changes of the image</h2>" in "".join(e.proto.body for e in app.main.get("html"))
    card = module.shared_predictor("second-read-mini").card
    counts = card.stability.per_change["crop-4"].any_label.counts
    body = "".join(element.proto.body for element in app.main.get("html"))
    assert f"{counts.positive_images} of {counts.images}" in body
    assert f"at least one of {len(card.stability.thresholds)} evaluated labels changes its state" in body
