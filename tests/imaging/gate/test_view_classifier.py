import numpy as np
import pytest

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph
from cxr_core.imaging.gate.view_classifier import CLASSES, SIDE, class_scores, classifier_input, classify

IMAGE = read_radiograph(phantom_png(256, 224)).display


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_a_turned_image_is_recognised_and_refused_with_its_turn(quarter):
    look = classify(np.rot90(IMAGE, quarter))
    assert (look.name, look.verdict) == (f"turned {90 * quarter}", "refused")
    image = phantom(256, 224, text=False)
    values = np.rot90(image, quarter)
    data = phantom_dicom(values=np.ascontiguousarray(values), ImagerPixelSpacing=[0.2, 0.1995])
    quality = read_radiograph(data).quality
    assert quality.status == "refused"
    assert quality.turned == 90 * quarter
    assert f"turned by {90 * quarter} degrees" in quality.reasons[0]
    upright = read_radiograph(data, quarter_turns=quality.turned // 90)
    assert upright.quality.status == "ok"
    np.testing.assert_array_equal(upright.values, image)
    assert upright.transforms[-1] == f"turned by the reader: {90 * quarter} degrees clockwise"
    assert upright.spacing_mm == ((0.1995, 0.2) if quarter % 2 else (0.2, 0.1995))


def test_inverted_blank_noise_and_half_are_not_read():
    rng = np.random.default_rng(0)
    assert classify(1 - IMAGE).name == "inverted"
    assert classify(IMAGE[:, :110]).verdict != "ok"
    assert classify(rng.random((256, 256)).astype(np.float32)).verdict == "refused"


def test_an_upright_image_is_ok_and_no_image_is_mirrored():
    assert classify(IMAGE).verdict == "ok"
    mirrored = phantom(256, 224)[:, ::-1]
    np.testing.assert_array_equal(read_radiograph(phantom_dicom(values=mirrored.copy())).values, mirrored)


def test_the_input_is_centred_and_the_scores_sum_to_one():
    small = classifier_input(IMAGE)
    assert small.shape == (SIDE, SIDE)
    assert abs(small.mean()) < 0.1
    rng = np.random.default_rng(1)
    weights = [
        rng.normal(size=(SIDE * SIDE, 5)),
        rng.normal(size=5),
        rng.normal(size=(5, len(CLASSES))),
        np.zeros(len(CLASSES)),
    ]
    belief = class_scores(np.stack([small, small[::-1]]), weights)
    np.testing.assert_allclose(belief.sum(axis=1), 1)
    assert belief.shape == (2, len(CLASSES))


@pytest.mark.needs_shared
def test_real_frontal_images_pass_and_turned_ones_are_recognised(shared):
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:150]
    displays = [read_radiograph(path.read_bytes()).display for path in paths]
    looks = [classify(display) for display in displays]
    assert sum(look.verdict == "refused" for look in looks) <= 1
    assert sum(look.verdict != "ok" for look in looks) <= 7
    turned = [classify(np.rot90(d, q)).name == f"turned {90 * q}" for d in displays for q in (1, 2, 3)]
    assert np.mean(turned) >= 0.98
