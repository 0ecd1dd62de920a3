import numpy as np
import pytest

from cxr_core.imaging import phantom, read_radiograph
from cxr_core.imaging.block_means import block_means
from cxr_core.imaging.exposure import exposure_of

FILM = phantom(512, 448, words=False).astype(np.float32) / 4095


def verdict(display):
    return exposure_of(block_means(np.asarray(display, dtype=np.float32))).verdict


def test_a_film_is_ok_at_any_size():
    for side in (64, 256):
        assert verdict(phantom(side, side, words=False) / 4095) == "ok"
    assert verdict(np.kron(FILM, np.ones((4, 4)))) == "ok"


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        (lambda film: np.clip(film**2 - 0.1, 0, 1), "warning", "too dark: "),
        (lambda film: film / 3, "warning", "dark: little"),
        (lambda film: film ** (1 / 4), "warning", "light: little"),
        (lambda film: np.clip(film / 0.78, 0, 1), "warning", "too light: "),
        (lambda film: 0.45 + 0.1 * film, "warning", "flat: "),
        (lambda film: 0.45 + 0.03 * film, "refused", "its middle spans"),
        (lambda film: np.where(film > 0.34, 1, film - 0.2), "refused", "all black or all white"),
        (lambda film: np.where(film > 0.9, film, 0), "refused", "nearly black all over"),
    ],
)
def test_badly_exposed_films(change, expected, words):
    found = exposure_of(block_means(change(FILM).astype(np.float32)))
    assert found.verdict == expected
    assert words in found.words
    assert "check its exposure and its window" in found.words


def test_the_span_by_hand():
    # half of the middle 100, half 110: the percentiles are these two
    grey = np.full((128, 128), 100, dtype=np.uint8)
    grey[:, ::2] = 110
    assert exposure_of(grey).words.startswith("its middle spans 10 of 255 grey levels")


def test_black_around_the_field_is_no_underexposure():
    bordered = np.pad(FILM, ((150, 150), (120, 120)))
    assert verdict(bordered) == "ok"


def test_tiny_and_narrow_pictures_get_an_answer():
    for shape in ((16, 16), (16, 3000), (3000, 16)):
        assert verdict(np.random.default_rng(0).random(shape)) in ("ok", "warning", "refused")


@pytest.mark.needs_shared
def test_few_real_films_are_warned_of(shared):
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:150]
    verdicts = [verdict(read_radiograph(path.read_bytes()).display) for path in paths]
    assert verdicts.count("refused") == 0
    assert verdicts.count("warning") <= 2
