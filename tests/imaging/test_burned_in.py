import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.block_means import block_means
from cxr_core.imaging.burned_in import BurnedIn, burned_in
from cxr_core.imaging.marker_words import WORDS, marker_word
from tests.planted import FONTS, STYLES, made_up_line, planted

FILM, STAMPED = (phantom(512, 448, words=words).astype(np.float32) / 4095 for words in (False, True))
RIM = STYLES[2]


def lines(display):
    return burned_in(block_means(np.ascontiguousarray(display, dtype=np.float32))).lines


@pytest.mark.parametrize("times", [0.5, 1, 2, 4])
def test_what_the_phantom_says_of_itself_is_found_and_nothing_else(times):
    assert lines(resized(STAMPED, times)) == 1
    assert lines(resized(FILM, times)) == 0


def resized(film, times):
    size = (round(film.shape[1] * times), round(film.shape[0] * times))
    return np.clip(np.asarray(Image.fromarray(film).resize(size, Image.Resampling.BICUBIC)), 0, 1)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("font", FONTS)
def test_names_and_dates_are_found(style, font):
    rng = np.random.default_rng(7)
    for share in (0.02, 0.03, 0.04):
        assert lines(planted(FILM, rng, made_up_line(rng), share, font, style)) >= 1


def test_the_share_is_about_what_the_line_covers():
    blank = np.zeros((400, 400), dtype=np.uint8)
    image = Image.fromarray(blank)
    ImageDraw.Draw(image).text((20, 20), "SMITH, ANNA", fill=255, font=ImageFont.load_default(16))
    drawn = np.argwhere(np.asarray(image) > 128)
    height, width = drawn.max(axis=0) - drawn.min(axis=0) + 1
    found = burned_in(np.asarray(image))
    assert found.lines == 1
    assert found.share == pytest.approx(height * width / 400**2, rel=0.3)
    assert burned_in(blank) == BurnedIn(0, 0.0)


def test_text_up_the_film_is_found():
    rng = np.random.default_rng(3)
    film = planted(FILM, rng, "ANDERSSON, MARIA", 0.03, FONTS[0], RIM)
    for quarter in (1, 3):
        assert lines(np.rot90(film, quarter)) >= 1


@pytest.mark.parametrize("text", ["L", "R", "AP", "DG"])
def test_side_markers_and_initials_are_no_line(text):
    rng = np.random.default_rng(5)
    for share in (0.02, 0.03, 0.04):
        assert lines(planted(FILM, rng, text, share, "DejaVuSans-Bold", RIM)) == 0


@pytest.mark.parametrize("text", ["PORTABLE", "SUPINE"])
def test_a_marker_word_is_no_name_but_a_name_beside_it_is(text):
    rng = np.random.default_rng(5)
    for share in (0.02, 0.03, 0.04):
        assert lines(planted(FILM, rng, text, share, "DejaVuSans-Bold", RIM)) == 0
        assert lines(planted(FILM, rng, f"{text}  ROSSI", share, "DejaVuSans-Bold", RIM)) >= 1


@pytest.mark.parametrize("word", WORDS)
def test_likeness_tells_marker_words_from_names(word):
    assert read_as(word) == word
    for name in ("MILLER", "PORTER", "WRIGHT", "SCHMIDT", "PETERSEN", "O'BRIEN"):
        assert read_as(name) is None


def read_as(text):
    image = Image.new("F", (200, 40))
    font = ImageFont.load_default(14)
    ImageDraw.Draw(image).text((20, 12), text, fill=255, font=font)
    drawn = np.argwhere(np.asarray(image) > 100)
    (top, left), (bottom, right) = drawn.min(axis=0), drawn.max(axis=0) + 1
    return marker_word(np.asarray(image), (int(left), int(top), int(right), int(bottom)))


def test_noise_and_odd_shapes_get_an_answer():
    rng = np.random.default_rng(0)
    for shape in ((16, 16), (16, 3000), (3000, 16), (512, 512)):
        found = burned_in(rng.integers(0, 256, shape, dtype=np.uint8))
        assert found.lines >= 0
        assert found.share >= 0


@pytest.mark.needs_shared
def test_few_real_films_are_warned_of_and_planted_text_is_found(shared):
    rng = np.random.default_rng(1)
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:100]
    films = [read_radiograph(path.read_bytes()).display for path in paths]
    assert sum(lines(film) > 0 for film in films) <= 2
    with_text = [planted(film, rng, made_up_line(rng), 0.025, FONTS[i % 5], STYLES[1]) for i, film in enumerate(films)]
    assert np.mean([lines(film) > 0 for film in with_text]) >= 0.95
