import numpy as np
import pytest

from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.gate.decision import block_means
from cxr_core.imaging.gate.exposure import assess_exposure

IMAGE = phantom(512, 448, text=False).astype(np.float32) / 4095


def verdict(display):
    return assess_exposure(block_means(np.asarray(display, dtype=np.float32))).verdict


def test_an_image_is_ok_at_any_size():
    for side in (64, 256):
        assert verdict(phantom(side, side, text=False) / 4095) == "ok"
    assert verdict(np.kron(IMAGE, np.ones((4, 4)))) == "ok"


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        (lambda image: np.clip(image**2 - 0.1, 0, 1), "warning", "too dark: "),
        (lambda image: image / 3, "warning", "dark: little"),
        (lambda image: image ** (1 / 4), "note", "light: little"),
        (lambda image: np.clip(image / 0.78, 0, 1), "warning", "too light: "),
        (lambda image: 0.45 + 0.1 * image, "warning", "flat: "),
        (lambda image: 0.45 + 0.03 * image, "refused", "its middle spans"),
        (lambda image: np.where(image > 0.34, 1, image - 0.2), "refused", "all black or all white"),
        (lambda image: np.where(image > 0.9, image, 0), "refused", "nearly black all over"),
    ],
)
def test_badly_exposed_images(change, expected, words):
    result = assess_exposure(block_means(change(IMAGE).astype(np.float32)))
    assert result.verdict == expected
    assert words in result.text
    assert "check its exposure and its window" in result.text


def test_the_span_by_hand():
    # half of the middle 100, half 110: the percentiles are these two
    grey = np.full((128, 128), 100, dtype=np.uint8)
    grey[:, ::2] = 110
    assert assess_exposure(grey).text.startswith("its middle spans 10 of 255 grey levels")


def test_black_around_the_field_is_no_underexposure():
    bordered = np.pad(IMAGE, ((150, 150), (120, 120)))
    assert verdict(bordered) == "ok"


def test_tiny_and_narrow_images_do_not_fail():
    for shape in ((16, 16), (16, 3000), (3000, 16)):
        assert verdict(np.random.default_rng(0).random(shape)) in ("ok", "warning", "refused")


@pytest.mark.needs_shared
def test_few_real_images_have_a_warning(shared):
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:150]
    verdicts = [verdict(read_radiograph(path.read_bytes()).display) for path in paths]
    assert verdicts.count("refused") == 0
    assert verdicts.count("warning") <= 2
