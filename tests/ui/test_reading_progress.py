"""Progress of reading on the page, in Streamlit's test driver, with a busy queue."""

import threading
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_png
from cxr_core.model import shared_predictor
from cxr_core.reading_queue import FairQueue
from cxr_core.ui import reading_jobs, reading_progress, worklists
from cxr_core.ui.file_intake import add_files
from cxr_core.ui.reading_jobs import format_wait
from cxr_core.ui.reading_messages import image_content

PROJECT = Path(__file__).resolve().parents[2]


class BusyQueue:
    """A queue with one worker that is busy until a script has waited a number of times; ``texts`` are of the waits."""

    def __init__(self, monkeypatch, capacity, waiting):
        self.gate, self.texts, self.messages, self.stops = threading.Event(), [], 1, 0
        queue = FairQueue(capacity, at_once=1)
        started = threading.Event()
        queue.ask("other", lambda: started.set() or self.gate.wait(60))
        assert started.wait(60)
        self.others = [queue.ask(f"other {n}", lambda: None) for n in range(waiting)]
        monkeypatch.setattr(reading_jobs, "shared_queue", lambda: queue)
        monkeypatch.setattr(reading_progress, "QUIET_SECONDS", 0.01)
        monkeypatch.setattr(reading_progress, "POLL_SECONDS", 0.01)
        stop_here, wait = reading_progress._stop_here, reading_jobs.WorklistReader.wait

        def waited(reader, image, seconds):
            self.texts.append(reader.status_text(image))
            return wait(reader, image, seconds)

        def stopped(place):
            stop_here(place)
            self.stops += 1
            if self.stops == self.messages:
                self.gate.set()

        monkeypatch.setattr(reading_jobs.WorklistReader, "wait", waited)
        monkeypatch.setattr(reading_progress, "_stop_here", stopped)


@pytest.fixture
def app(monkeypatch):
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")
    app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300).run()
    add_files(app.session_state["worklist"], [("image.png", phantom_png(256, 224))])
    return app


def only_image(app):
    (image,) = app.session_state["worklist"].images.values()
    return image


def test_a_waiting_image_shows_its_position_and_is_then_read(app, monkeypatch):
    busy = BusyQueue(monkeypatch, capacity=10, waiting=3)
    app.run()
    assert not app.exception
    assert busy.texts[0].startswith("In the queue: 3 images ahead, about ")
    assert only_image(app).status == "read"


def test_a_full_queue_is_reported_in_one_line_and_retried(app, monkeypatch):
    busy = BusyQueue(monkeypatch, capacity=3, waiting=3)
    busy.messages = 3
    app.run()
    assert not app.exception
    assert busy.texts[0].startswith("Server busy: 3 images in the queue. Retrying automatically, about ")
    assert only_image(app).status == "read"


def test_an_interrupted_script_leaves_its_image_in_the_queue_and_a_closed_tab_does_not(app, monkeypatch):
    busy = BusyQueue(monkeypatch, capacity=10, waiting=1)
    requested, closed = [], []
    enqueue = reading_jobs._enqueue
    monkeypatch.setattr(reading_jobs, "_enqueue", lambda *args: requested.append(enqueue(*args)) or requested[-1])
    monkeypatch.setattr(worklists, "on_session_end", lambda release, on_disconnect: closed.append(on_disconnect))
    # as Streamlit stops a script that is followed by another one
    monkeypatch.setattr(reading_progress, "_stop_here", lambda _: streamlit.stop())
    app.run()
    assert only_image(app).status == "waiting"
    assert len(requested) == 1
    assert not requested[0].wait(0)
    closed[-1]()
    assert requested[0].wait(0)
    assert requested[0].is_cancelled()
    busy.gate.set()
    busy.others[0].result()
    assert only_image(app).status == "waiting"


def test_an_error_of_a_read_concerns_this_image_alone(app, monkeypatch):
    queue = FairQueue(10)
    monkeypatch.setattr(reading_jobs, "shared_queue", lambda: queue)

    def broken(*_, **__):
        raise ZeroDivisionError("text that may name a patient")

    monkeypatch.setattr(reading_jobs, "read_prepared", broken)
    app.run()
    assert not app.exception
    assert only_image(app).status == "unreadable"
    assert only_image(app).reason == "This file could not be read (ZeroDivisionError). Please report it."


@pytest.mark.parametrize(
    ("position", "text"),
    [
        (None, "Reading, about 1 s"),
        (0, "Next in the queue, about 1 s"),
        (1, "In the queue: 1 image ahead, about 1 s"),
        (12, "In the queue: 12 images ahead, about 1 s"),
    ],
)
def test_format_wait(position, text):
    assert format_wait(position, 0.2) == text


def test_an_unloaded_image_is_decoded_again_and_not_read_again(app, monkeypatch):
    app.run()
    image = only_image(app)
    reading, image.radiograph = image.reading, None
    monkeypatch.setattr(reading_jobs, "read_prepared", None)
    app.run()
    assert not app.exception
    assert image.radiograph is not None
    assert image.reading.findings == reading.findings


def test_findings_are_kept_if_an_unloaded_image_cannot_be_decoded_again(app, monkeypatch):
    app.run()
    image = only_image(app)
    reading, image.radiograph = image.reading, None

    def overloaded(*_, **__):
        raise InputRefused("DICOM whose decoder took too long.")

    monkeypatch.setattr(reading_jobs, "open_image", overloaded)
    app.run()
    assert not app.exception
    assert image.reading.findings == reading.findings
    assert image.status == "read"
    # the viewer says so in place of the image
    content = image_content(image, app.session_state["worklist"], shared_predictor().card)
    assert content["unloaded"].startswith("Image unloaded; findings kept.")
    assert content["findings"]


def test_an_image_that_is_being_read_is_not_queued_twice(app, monkeypatch):
    queue, gate, started, requested, second = FairQueue(10), threading.Event(), threading.Event(), [], []
    monkeypatch.setattr(reading_jobs, "shared_queue", lambda: queue)
    read, enqueue = reading_jobs.read_prepared, reading_jobs._enqueue

    def slow(*args, **options):
        started.set()
        assert gate.wait(60)
        return read(*args, **options)

    monkeypatch.setattr(reading_jobs, "read_prepared", slow)
    monkeypatch.setattr(reading_jobs, "_enqueue", lambda *args: requested.append(enqueue(*args)) or requested[-1])
    monkeypatch.setattr(reading_progress, "QUIET_SECONDS", 0.01)
    monkeypatch.setattr(reading_progress, "POLL_SECONDS", 0.01)
    stop_here = reading_progress._stop_here

    def stopped(place):
        # while the image is being read, another script run requests it
        stop_here(place)
        if started.is_set() and not gate.is_set():
            images = streamlit.session_state["worklist"]
            second.append(streamlit.session_state["worklist_reader"].request(images.image()))
            gate.set()

    monkeypatch.setattr(reading_progress, "_stop_here", stopped)
    app.run()
    assert not app.exception
    assert second == requested
    assert len(requested) == 1
    assert only_image(app).status == "read"
