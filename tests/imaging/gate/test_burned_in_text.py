import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.gate.burned_in_text import BurnedInText, detect_text
from cxr_core.imaging.gate.decision import block_means
from cxr_core.imaging.gate.marker_words import WORDS, match_marker_word
from tests.planted import FONTS, STYLES, made_up_line, planted

IMAGE, STAMPED = (phantom(512, 448, text=text).astype(np.float32) / 4095 for text in (False, True))
RIM = STYLES[2]


def lines(display):
    return detect_text(block_means(np.ascontiguousarray(display, dtype=np.float32))).lines


@pytest.mark.parametrize("times", [0.5, 1, 2, 4])
def test_the_text_of_the_phantom_is_detected_and_nothing_else(times):
    assert lines(resized(STAMPED, times)) == 1
    assert lines(resized(IMAGE, times)) == 0


def resized(image, times):
    size = (round(image.shape[1] * times), round(image.shape[0] * times))
    return np.clip(np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)), 0, 1)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("font", FONTS)
def test_names_and_dates_are_detected(style, font):
    rng = np.random.default_rng(7)
    for share in (0.02, 0.03, 0.04):
        assert lines(planted(IMAGE, rng, made_up_line(rng), share, font, style)) >= 1


def test_the_area_fraction_is_about_that_of_the_line():
    blank = np.zeros((400, 400), dtype=np.uint8)
    image = Image.fromarray(blank)
    ImageDraw.Draw(image).text((20, 20), "SMITH, ANNA", fill=255, font=ImageFont.load_default(16))
    drawn = np.argwhere(np.asarray(image) > 128)
    height, width = drawn.max(axis=0) - drawn.min(axis=0) + 1
    result = detect_text(np.asarray(image))
    assert result.lines == 1
    assert result.area_fraction == pytest.approx(height * width / 400**2, rel=0.3)
    assert detect_text(blank) == BurnedInText(0, 0.0)


def test_vertical_text_is_detected():
    rng = np.random.default_rng(3)
    image = planted(IMAGE, rng, "ANDERSSON, MARIA", 0.03, FONTS[0], RIM)
    for quarter in (1, 3):
        assert lines(np.rot90(image, quarter)) >= 1


@pytest.mark.parametrize("text", ["L", "R", "AP", "DG"])
def test_side_markers_and_initials_are_no_line(text):
    rng = np.random.default_rng(5)
    for share in (0.02, 0.03, 0.04):
        assert lines(planted(IMAGE, rng, text, share, "DejaVuSans-Bold", RIM)) == 0


@pytest.mark.parametrize("text", ["PORTABLE", "SUPINE"])
def test_a_marker_word_is_not_reported(text):
    """White on a dark place, as devices write; with a rim it often is, which docs/conformance.md says."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        for share in (0.02, 0.03, 0.04):
            assert lines(planted(IMAGE, rng, text, share, "DejaVuSans-Bold", STYLES[0])) == 0


def test_a_name_beside_a_marker_word_is_reported():
    rng = np.random.default_rng(5)
    for text in ("PORTABLE", "SUPINE"):
        for share in (0.02, 0.03, 0.04):
            assert lines(planted(IMAGE, rng, f"{text}  ROSSI", share, "DejaVuSans-Bold", RIM)) >= 1


@pytest.mark.parametrize("word", WORDS)
def test_correlation_separates_marker_words_from_names(word):
    assert read_as(word) == word
    for name in ("MILLER", "PORTER", "WRIGHT", "SCHMIDT", "PETERSEN", "O'BRIEN"):
        assert read_as(name) is None


def read_as(text):
    image = Image.new("F", (200, 40))
    font = ImageFont.load_default(14)
    ImageDraw.Draw(image).text((20, 12), text, fill=255, font=font)
    drawn = np.argwhere(np.asarray(image) > 100)
    (top, left), (bottom, right) = drawn.min(axis=0), drawn.max(axis=0) + 1
    return match_marker_word(np.asarray(image), (int(left), int(top), int(right), int(bottom)))


def test_noise_and_odd_shapes_do_not_fail():
    rng = np.random.default_rng(0)
    for shape in ((16, 16), (16, 3000), (3000, 16), (512, 512)):
        result = detect_text(rng.integers(0, 256, shape, dtype=np.uint8))
        assert result.lines >= 0
        assert result.area_fraction >= 0


@pytest.mark.needs_shared
def test_few_real_images_have_a_warning_and_added_text_is_detected(shared):
    rng = np.random.default_rng(1)
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:100]
    images = [read_radiograph(path.read_bytes()).display for path in paths]
    assert sum(lines(image) > 0 for image in images) <= 2
    with_text = [
        planted(image, rng, made_up_line(rng), 0.025, FONTS[i % 5], STYLES[1]) for i, image in enumerate(images)
    ]
    assert np.mean([lines(image) > 0 for image in with_text]) >= 0.95
