import numpy as np
import pytest

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph
from cxr_core.imaging.look import KINDS, SIDE, look_at, perceive, reduced

FILM = read_radiograph(phantom_png(256, 224)).display


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_turned_film_is_recognised_refused_and_told_how_to_undo(quarter):
    look = look_at(np.rot90(FILM, quarter))
    assert (look.kind, look.verdict) == (f"turned {90 * quarter}", "refused")
    film = phantom(256, 224, words=False)
    values = np.rot90(film, quarter)
    data = phantom_dicom(values=np.ascontiguousarray(values), ImagerPixelSpacing=[0.2, 0.1995])
    quality = read_radiograph(data).quality
    assert quality.status == "refused"
    assert quality.turned == 90 * quarter
    assert f"turned by {90 * quarter} degrees" in quality.reasons[0]
    upright = read_radiograph(data, quarter_turns=quality.turned // 90)
    assert upright.quality.status == "ok"
    np.testing.assert_array_equal(upright.values, film)
    assert upright.transforms[-1] == f"turned by the reader: {90 * quarter} degrees clockwise"
    assert upright.spacing_mm == ((0.1995, 0.2) if quarter % 2 else (0.2, 0.1995))


def test_inverted_blank_noise_and_half_are_not_read():
    rng = np.random.default_rng(0)
    assert look_at(1 - FILM).kind == "inverted"
    assert look_at(FILM[:, :110]).verdict != "ok"
    assert look_at(rng.random((256, 256)).astype(np.float32)).verdict == "refused"


def test_an_upright_film_is_ok_and_its_mirror_image_is_not_made():
    assert look_at(FILM).verdict == "ok"
    mirrored = phantom(256, 224)[:, ::-1]
    np.testing.assert_array_equal(read_radiograph(phantom_dicom(values=mirrored.copy())).values, mirrored)


def test_reduced_is_centred_and_belief_adds_up_to_one():
    small = reduced(FILM)
    assert small.shape == (SIDE, SIDE)
    assert abs(small.mean()) < 0.1
    rng = np.random.default_rng(1)
    weights = [
        rng.normal(size=(SIDE * SIDE, 5)),
        rng.normal(size=5),
        rng.normal(size=(5, len(KINDS))),
        np.zeros(len(KINDS)),
    ]
    belief = perceive(np.stack([small, small[::-1]]), weights)
    np.testing.assert_allclose(belief.sum(axis=1), 1)
    assert belief.shape == (2, len(KINDS))


@pytest.mark.needs_shared
def test_real_frontal_films_pass_and_turned_ones_are_recognised(shared):
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:150]
    displays = [read_radiograph(path.read_bytes()).display for path in paths]
    looks = [look_at(display) for display in displays]
    assert sum(look.verdict == "refused" for look in looks) <= 1
    assert sum(look.verdict != "ok" for look in looks) <= 7
    turned = [look_at(np.rot90(d, q)).kind == f"turned {90 * q}" for d in displays for q in (1, 2, 3)]
    assert np.mean(turned) >= 0.98
