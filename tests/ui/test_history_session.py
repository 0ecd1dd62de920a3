"""What the browser may fetch of a stored read: the image as it was read then, its maps, and nothing that is hidden."""

import time
from contextlib import closing
from dataclasses import asdict, replace
from weakref import WeakKeyDictionary

import numpy as np
import pytest

from cxr_core.access import LOCAL
from cxr_core.explain import heat_map
from cxr_core.imaging import phantom_dicom
from cxr_core.labels import LABELS
from cxr_core.model.predictor import _OTHER_WINDOW
from cxr_core.reading import open_image
from cxr_core.settings import settings
from cxr_core.store.reads import ReadStore
from cxr_core.ui import history_session
from cxr_core.ui.history_session import RELEASE_SECONDS, release_deleted, stored_reader
from cxr_core.ui.read_store import _opened
from cxr_core.ui.reading_messages import image_content, worklist_body
from cxr_core.ui.server import page_sessions
from cxr_core.ui.server.page_sessions import HISTORY, READING, PageSession
from tests.reads import OPTIONS, made_up_reading

DATA = phantom_dicom(256, 224)


@pytest.fixture
def read_of(tmp_path, monkeypatch, predictor):
    """Return a stored read of a model that is not installed, and its card."""
    for name in ("home", "runs"):
        monkeypatch.setenv(f"SECOND_READ_{name.upper()}", str(tmp_path / name))
    settings.cache_clear()
    _opened.cache_clear()
    card = replace(predictor.card, id="gone", weights_sha256="ab" * 32)

    def stored(seed=0):
        with closing(ReadStore()) as store:
            image = store.add_image("anna", DATA)
            reading = made_up_reading(seed, sha256=image.digest, model_id="gone")
            return store.read(store.save_read(image, reading, OPTIONS, "3", revealed=False, card=card)), card

    yield stored
    _opened.cache_clear()
    settings.cache_clear()


def test_the_image_is_decoded_as_it_was_read_and_not_read_again(read_of):
    stored, card = read_of()
    reader = stored_reader(stored, card, None, "image", hidden=False)
    (image,) = reader.images.images.values()
    reader.request(image)
    end = time.monotonic() + 60
    while image.radiograph is None and time.monotonic() < end:
        time.sleep(0.02)
    expected = open_image(DATA, sha256=image.digest, **asdict(OPTIONS))
    assert (image.radiograph.pixels.containers == expected.pixels.containers).all()
    assert image.radiograph.transforms == expected.transforms
    assert image.reading is not None
    assert image.reading.findings == stored.reading.findings


def test_maps_and_findings_are_those_that_are_stored_on_the_scale_of_the_card_of_then(read_of):
    stored, card = read_of()
    card = replace(card, map_anchors=dict.fromkeys(card.labels, 7.5))
    reader = stored_reader(stored, card, None, "image", hidden=False)
    (image,) = reader.images.images.values()
    content = image_content(image, reader.images, reader.predictor.card)
    for label in LABELS:
        sent = np.array(content["findings"]["maps"][label]["intensity"])
        assert np.allclose(sent, heat_map(stored.reading, label, card).intensity().ravel(), atol=1e-5)
        assert content["findings"]["maps"][label]["fullColour"] == "7.5"


def test_nothing_of_hidden_findings_is_sent(read_of):
    """Two readings that differ in every number and state give the browser the same."""
    for known in (True, False):  # without its card it is shown without findings in any case
        contents = []
        for seed in (1, 2):
            stored, card = read_of(seed=seed)
            unstable = f"{_OTHER_WINDOW} of the file changes {LABELS[seed]} to above"
            quality = replace(stored.reading.quality, reasons=("The image looks mirrored.", unstable))
            stored = replace(stored, reading=replace(stored.reading, quality=quality))
            reader = stored_reader(stored, card if known else None, None, "image", hidden=True)
            (image,) = reader.images.images.values()
            contents.append((image_content(image, reader.images, card), worklist_body(reader.images)[0]))
        (content, strip), other = contents
        assert content["findings"] is None
        assert (content, strip) == other
        assert not any(label in str(content["warnings"]) for label in LABELS)
        assert content["hidden"] == known


def test_a_read_that_is_deleted_leaves_the_memory_of_the_tab(read_of, monkeypatch):
    now = 1000.0
    monkeypatch.setattr(history_session.time, "monotonic", lambda: now)
    monkeypatch.setattr(history_session, "_CHECKED", [0.0])
    monkeypatch.setattr(history_session, "_OPENED", WeakKeyDictionary())
    stored, card = read_of()
    reader = stored_reader(stored, card, None, "image", hidden=False)
    assert release_deleted() == 0
    assert reader.images.images
    with closing(ReadStore()) as store:
        store.delete_study(LOCAL, stored.summary.study)
    # within the time that is stated
    now += RELEASE_SECONDS - 1
    assert release_deleted() == 0
    now += 1
    assert release_deleted() == 1
    assert reader.images.images == {}
    assert release_deleted() == 0


def test_a_read_that_was_opened_leaves_memory_with_its_tab_and_the_worklist_does_not(read_of, monkeypatch):
    existing = {"a", "b"}
    monkeypatch.setattr(page_sessions, "_PAGE_SESSIONS", {})
    monkeypatch.setattr(page_sessions, "session_exists", existing.__contains__)
    stored, card = read_of()
    sessions = [
        PageSession(name, stored_reader(stored, card, None, "image", hidden=False), key)
        for name in "ab"
        for key in (READING, HISTORY)
    ]
    page_sessions._PAGE_SESSIONS |= {session._name: session for session in sessions}
    assert page_sessions.forget_ended() == 0
    existing.remove("a")
    assert page_sessions.forget_ended() == 2
    assert list(page_sessions._PAGE_SESSIONS.values()) == sessions[2:]
    # the worklist is of the person
    assert [bool(session.images.images) for session in sessions] == [True, False, True, True]
