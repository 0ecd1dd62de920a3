import numpy as np
import pytest

from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.gate.alterations import describe_alterations
from cxr_core.imaging.gate.decision import assess, block_means
from cxr_core.imaging.gate.exposure import Exposure
from cxr_core.imaging.gate.geometry import Geometry
from cxr_core.imaging.gate.tone import PERCENTILES, assess_tone, tone_features
from cxr_core.imaging.gate.view_classifier import ViewClass

IMAGE = phantom(512, 448, text=False).astype(np.float32) / 4095
CHANGES = {
    "flat": lambda image: 0.3 + 0.4 * image,
    "window": lambda image: np.clip((image - np.percentile(image, 12)) / np.ptp(np.percentile(image, (12, 88))), 0, 1),
    "bright": lambda image: image**0.4,
    "dark": lambda image: image**2.5,
}


def tone(display):
    return assess_tone(block_means(np.asarray(display, dtype=np.float32)))


def test_the_features_by_hand():
    # a quarter of the image is black, the rest 51 of 255; the middle is 51 throughout
    grey = np.full((128, 128), 51, dtype=np.uint8)
    grey[:16], grey[-16:] = 0, 0
    features = tone_features(grey)
    expected = np.where(PERCENTILES <= 25, 0, 0.2)
    np.testing.assert_allclose(features, [*expected, 0.25, 0, *[0.2] * len(PERCENTILES), 0, 0], atol=1e-6)


def test_white_is_counted():
    grey = np.full((100, 100), 250, dtype=np.uint8)
    grey[:, ::2] = 249
    assert tone_features(grey)[len(PERCENTILES) + 1] == pytest.approx(0.5)


def test_the_phantom_is_ordinary_at_any_size_and_tiny_images_do_not_fail():
    assert tone(IMAGE) == "ordinary"
    assert tone(np.kron(IMAGE, np.ones((3, 3)))) == "ordinary"
    for shape in ((16, 16), (16, 5000), (4000, 20)):
        assess_tone(block_means(np.random.default_rng(0).random(shape, dtype=np.float32)))


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", CHANGES)
def test_changed_radiographs_are_noticed_and_others_are_not(name, shared):
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:60]
    images = [read_radiograph(path.read_bytes()).display for path in paths]
    assert sum(tone(image) != "ordinary" for image in images) <= 3
    assert sum(tone(CHANGES[name](image)) == name for image in images) >= 45


@pytest.mark.needs_shared
def test_flattened_contrast_is_a_warning_and_brightness_a_note(shared):
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:60]
    images = [read_radiograph(path.read_bytes()).display for path in paths]
    flat = assess(0.2 + 0.6 * next(image for image in images if tone(0.2 + 0.6 * image) == "flat"), {}, 40)
    assert any("contrast looks flattened" in reason for reason in flat.reasons)
    bright = assess(next(image**0.6 for image in images if tone(image**0.6) == "bright").astype(np.float32), {}, 40)
    assert not any("bright" in reason for reason in bright.reasons)
    assert any("unusually bright" in note for note in bright.notes)


@pytest.mark.parametrize(
    ("verdict", "kinds"),
    [("ok", ["flat", "window", "bright", "dark"]), ("note", ["flat", "window", "dark"]), ("warning", [])],
)
def test_a_note_on_the_exposure_silences_no_warning_on_the_grey(verdict, kinds):
    upright, exposure = ViewClass("upright", 1.0, "ok"), Exposure(verdict)
    reported = [kind for kind in CHANGES if describe_alterations(Geometry(), kind, upright, exposure, None, True)]
    assert reported == kinds
