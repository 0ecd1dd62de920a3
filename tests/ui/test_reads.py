"""Waiting on the page, in Streamlit's own test driver, at a desk that the test keeps busy."""

import threading
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.desk import Desk
from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_png
from cxr_core.ui import loaders, reads
from cxr_core.ui.reads import wait_words

PROJECT = Path(__file__).resolve().parents[2]


class BusyDesk:
    """A desk of one hand that is kept busy, with a full queue, until words were on the screen so often."""

    def __init__(self, monkeypatch, most, full):
        self.gate, self.words, self.until = threading.Event(), [], 1
        desk = Desk(most, at_once=1)
        begun = threading.Event()
        desk.ask("other", lambda: begun.set() or self.gate.wait(60))
        assert begun.wait(60)
        self.others = [desk.ask(f"other {n}", lambda: None) for n in range(full)]
        monkeypatch.setattr(loaders, "shared_desk", lambda: desk)
        monkeypatch.setattr(reads, "PATIENCE", 0.01)
        monkeypatch.setattr(reads, "LOOK", 0.01)
        html = reads.html

        def shown(template, words):
            html(template, words=words)
            self.words.append(words)
            if len(self.words) == self.until:
                self.gate.set()

        monkeypatch.setattr(reads, "html", shown)


@pytest.fixture
def app(monkeypatch):
    monkeypatch.chdir(PROJECT)
    streamlit.config.set_option("client.showErrorDetails", "full")
    app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=60).run()
    app.file_uploader[0].set_value([("film.png", phantom_png(256, 224), "image/png")])
    return app


def only_film(app):
    (film,) = app.session_state["worklist"].films.values()
    return film


def test_a_film_that_waits_says_how_many_come_before_it_and_is_then_read(app, monkeypatch):
    busy = BusyDesk(monkeypatch, most=10, full=3)
    app.run()
    assert not app.exception
    assert busy.words[0].startswith("Waiting for its turn: 3 films before yours, about ")
    assert only_film(app).status == "read"


def test_a_full_queue_is_said_in_one_line_and_asked_again(app, monkeypatch):
    busy = BusyDesk(monkeypatch, most=3, full=3)
    busy.until = 3
    app.run()
    assert not app.exception
    assert busy.words[0].startswith("Busy, about ")
    assert busy.words[0].endswith(" s: 3 films wait already. Yours is asked for again by itself.")
    assert only_film(app).status == "read"


def test_whoever_does_something_else_gives_up_the_place(app, monkeypatch):
    busy = BusyDesk(monkeypatch, most=10, full=1)
    asked = []
    ask = loaders.ask_for
    monkeypatch.setattr(reads, "ask_for", lambda *given: asked.append(ask(*given)) or asked[-1])
    # as Streamlit ends a script whose tab has closed
    monkeypatch.setattr(reads, "html", lambda *_, **__: streamlit.stop())
    app.run()
    assert only_film(app).status == "waiting"
    assert asked[0].wait(0)
    assert not asked[0].leave()
    busy.gate.set()
    busy.others[0].result()


def test_a_failure_of_the_read_is_this_films_alone(app, monkeypatch):
    desk = Desk(10)
    monkeypatch.setattr(loaders, "shared_desk", lambda: desk)

    def broken(*_, **__):
        raise ZeroDivisionError("words that may name a patient")

    monkeypatch.setattr(loaders, "read_film", broken)
    app.run()
    assert not app.exception
    assert only_film(app).status == "unreadable"
    assert only_film(app).reason == "This file could not be read (ZeroDivisionError). Please report it."


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (None, "Reading, about 1 s"),
        (0, "Yours is next, about 1 s"),
        (1, "Waiting for its turn: 1 film before yours, about 1 s"),
        (12, "Waiting for its turn: 12 films before yours, about 1 s"),
    ],
)
def test_words_of_a_wait(before, words):
    assert wait_words(before, 0.2) == words


def test_a_film_whose_pixels_were_let_go_is_decoded_again_and_not_read_again(app, monkeypatch):
    app.run()
    film = only_film(app)
    reading, film.radiograph = film.reading, None
    monkeypatch.setattr(loaders, "read_film", None)
    app.run()
    assert not app.exception
    assert film.radiograph is not None
    assert film.reading.findings == reading.findings


def test_a_picture_that_cannot_be_had_again_leaves_the_findings(app, monkeypatch):
    app.run()
    film = only_film(app)
    reading, film.radiograph = film.reading, None

    def overloaded(*_, **__):
        raise InputRefused("DICOM whose decoder took too long.")

    monkeypatch.setattr(loaders, "open_film", overloaded)
    app.run()
    assert not app.exception
    assert film.reading.findings == reading.findings
    assert film.status == "read"
    assert "The picture was let go, the findings stay." in str([element.proto for element in app.get("html")])


def test_a_film_that_is_being_read_is_not_asked_for_twice(app, monkeypatch):
    desk, gate, begun, asked, second = Desk(10), threading.Event(), threading.Event(), [], []
    monkeypatch.setattr(loaders, "shared_desk", lambda: desk)
    read, ask = loaders.read_film, loaders.ask_for

    def slow(*given, **options):
        begun.set()
        assert gate.wait(60)
        return read(*given, **options)

    monkeypatch.setattr(loaders, "read_film", slow)
    monkeypatch.setattr(reads, "ask_for", lambda *given: asked.append(ask(*given)) or asked[-1])
    monkeypatch.setattr(reads, "PATIENCE", 0.01)
    monkeypatch.setattr(reads, "LOOK", 0.01)
    html = reads.html

    def shown(template, words):
        # words are on the screen once it is being read: another script finds it so, and asks for it
        html(template, words=words)
        if begun.is_set() and not gate.is_set():
            films = streamlit.session_state["worklist"]
            second.append(reads._Asked(films.film(), films, None)._ticket)
            gate.set()

    monkeypatch.setattr(reads, "html", shown)
    app.run()
    assert not app.exception
    assert second == asked
    assert len(asked) == 1
    assert only_film(app).status == "read"
