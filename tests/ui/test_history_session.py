"""What the browser may fetch of a stored read: the image as it was read then, its maps, and nothing that is hidden."""

import time
from contextlib import closing
from dataclasses import asdict, replace

import numpy as np
import pytest

from cxr_core.explain import heat_map
from cxr_core.imaging import phantom_dicom
from cxr_core.labels import LABELS
from cxr_core.reading import open_image
from cxr_core.settings import settings
from cxr_core.store.reads import ReadStore
from cxr_core.ui.history_session import stored_reader
from cxr_core.ui.read_store import read_store
from cxr_core.ui.reading_messages import image_content
from tests.reads import OPTIONS, made_up_reading

DATA = phantom_dicom(256, 224)


@pytest.fixture
def read_of(tmp_path, monkeypatch, predictor):
    """Return a stored read of a model that is not installed, and its card."""
    for name in ("home", "runs"):
        monkeypatch.setenv(f"SECOND_READ_{name.upper()}", str(tmp_path / name))
    settings.cache_clear()
    read_store.cache_clear()
    card = replace(predictor.card, id="gone", weights_sha256="ab" * 32)

    def stored(seed=0):
        with closing(ReadStore()) as store:
            image = store.add_image("anna", DATA)
            reading = made_up_reading(seed, sha256=image.digest, model_id="gone")
            return store.read(store.save_read(image, reading, OPTIONS, "3", revealed=False, card=card)), card

    yield stored
    read_store.cache_clear()
    settings.cache_clear()


def test_the_image_is_decoded_as_it_was_read_and_not_read_again(read_of):
    stored, card = read_of()
    reader = stored_reader(stored, card, None, "image", hidden=False)
    (image,) = reader.images.images.values()
    reader.request(image)
    end = time.monotonic() + 30
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
    contents = []
    for seed in (1, 2):
        stored, card = read_of(seed=seed)
        reader = stored_reader(stored, card, None, "image", hidden=True)
        (image,) = reader.images.images.values()
        contents.append(image_content(image, reader.images, reader.predictor.card))
    assert contents[0]["findings"] is None
    assert contents[0]["hidden"]
    assert contents[0] == contents[1]
