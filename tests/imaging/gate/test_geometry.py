import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from cxr_core.imaging import phantom, phantom_dicom, read_radiograph
from cxr_core.imaging.gate.geometry import SIDE, STRIDES, assess_geometry, geometry_input, geometry_scores

IMAGE = phantom(512, 448, text=False).astype(np.float32) / 4095


def random_weights(seed):
    rng = np.random.default_rng(seed)
    shapes = ((5, 5, 1, 4), (3, 3, 4, 4), (3, 3, 4, 4), (6 * 6 * 4, 8), (8, 3))
    return [array for shape in shapes for array in (rng.normal(size=shape, scale=0.2), rng.normal(size=shape[-1]))]


@pytest.mark.parametrize(("shape", "box"), [((400, 200), (0, 10, 40, 30)), ((100, 400), (15, 0, 25, 40))])
def test_the_input_keeps_the_shape_of_the_image(shape, box):
    display = np.random.default_rng(0).random(shape, dtype=np.float32)
    small = geometry_input(display)
    assert small.shape == (SIDE, SIDE)
    top, left, bottom, right = box
    inside = np.zeros((SIDE, SIDE), dtype=bool)
    inside[top:bottom, left:right] = True
    assert (small[~inside] == 0).all()
    assert abs(small[inside].mean()) < 1e-5


def test_the_exposure_does_not_change_the_input():
    darker = 0.1 + 0.4 * IMAGE
    np.testing.assert_allclose(geometry_input(darker), geometry_input(IMAGE), atol=1e-4)


def test_neither_side_is_favoured():
    inputs = np.random.default_rng(1).normal(size=(5, SIDE, SIDE)).astype(np.float32)
    weights = random_weights(2)
    scores, mirrored = geometry_scores(inputs, weights), geometry_scores(inputs[:, :, ::-1], weights)
    np.testing.assert_allclose(mirrored, scores * [-1, 1, 1], rtol=1e-6, atol=1e-9)


def test_convolutions_equal_scipys():
    image = np.random.default_rng(3).normal(size=(SIDE, SIDE))
    weights = random_weights(4)

    def forward(picture):
        signal = picture[..., None]
        for layer, stride in enumerate(STRIDES):
            kernel, bias = weights[2 * layer : 2 * layer + 2]
            margin = kernel.shape[0] // 2
            inside = slice(margin, -margin)
            signal = np.stack(
                [
                    sum(
                        ndimage.correlate(signal[..., c], kernel[..., c, k], mode="constant")[inside, inside]
                        for c in range(kernel.shape[2])
                    )[::stride, ::stride]
                    for k in range(kernel.shape[3])
                ],
                axis=-1,
            )
            signal = np.maximum(signal + bias, 0)
        hidden = np.maximum(signal.ravel() @ weights[6] + weights[7], 0)
        return hidden @ weights[8] + weights[9]

    ours, mirror = forward(image), forward(image[:, ::-1])
    expected = [ours[0] - mirror[0], *(ours[1:] + mirror[1:]) / 2]
    np.testing.assert_allclose(geometry_scores(image[None], weights)[0], expected, rtol=1e-9)


def test_an_image_as_it_is_and_narrow_and_tiny_images():
    assert assess_geometry(IMAGE).mirrored is False
    assert assess_geometry(IMAGE).stretched is False
    for shape in ((16, 16), (16, 5000), (4000, 20)):
        assess_geometry(np.random.default_rng(0).random(shape, dtype=np.float32))


def quality_of(values, **elements):
    return read_radiograph(phantom_dicom(values=np.ascontiguousarray(values), **elements)).quality


def png(display):
    file = io.BytesIO()
    Image.fromarray(np.rint(display * 255).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def chests(shared):
    """Return frontal images of the experts' patients, who trained nothing here."""
    paths = sorted((shared / "nih_expert" / "images").iterdir())[:60]
    return [read_radiograph(path.read_bytes()).display for path in paths]


@pytest.mark.needs_shared
def test_mirrored_radiographs_are_noticed_and_others_are_not(chests):
    ordinary = [assess_geometry(image).mirrored for image in chests]
    mirrored = [assess_geometry(image[:, ::-1]).mirrored for image in chests]
    assert sum(ordinary) <= 3
    assert sum(mirrored) >= 45


@pytest.mark.needs_shared
def test_a_cropped_radiograph_has_a_warning(chests):
    def cropped(image):
        rows, columns = (round(0.12 * side) for side in image.shape)
        return np.ascontiguousarray(image[rows:-rows, columns:-columns])

    assert sum(assess_geometry(image).cropped for image in chests) <= 3
    noticed = [image for image in map(cropped, chests) if assess_geometry(image).cropped]
    assert len(noticed) >= 35
    qualities = [read_radiograph(png(image)).quality for image in noticed]
    assert any("margin may be cut off" in reason for quality in qualities for reason in quality.reasons)


@pytest.mark.needs_shared
def test_a_mirrored_radiograph_is_shown_the_right_way_round_on_request_only(chests):
    image = next(image for image in chests if assess_geometry(image[:, ::-1]).mirrored)
    data = png(image[:, ::-1])
    as_filed = read_radiograph(data)
    assert as_filed.quality.looks_mirrored
    assert any("left and right look exchanged" in reason for reason in as_filed.quality.reasons)
    np.testing.assert_allclose(as_filed.display, image[:, ::-1], atol=1 / 255)
    right = read_radiograph(data, mirrored=True)
    assert not right.quality.looks_mirrored
    assert "mirrored by the reader: left and right exchanged" in right.transforms
    assert any(note.startswith("mirrored on request") for note in right.quality.notes)
    np.testing.assert_allclose(right.display, image, atol=1 / 255)


@pytest.mark.needs_shared
@pytest.mark.parametrize(
    ("orientation", "words"),
    [
        ("", "in situs inversus and dextrocardia"),
        (["L", "F"], "Patient Orientation says that they are not"),
        (["R", "F"], "Patient Orientation says that the image is mirrored"),
    ],
)
def test_the_header_takes_precedence(chests, orientation, words):
    image = next(image for image in chests if assess_geometry(image[:, ::-1]).mirrored)
    values = np.rint(image[:, ::-1] * 4095).astype(np.uint16)
    quality = quality_of(values, PatientOrientation=orientation)
    about = [reason for reason in quality.reasons if "exchanged" in reason]
    assert len(about) == 1
    assert words in about[0]
    assert quality.looks_mirrored == (orientation != ["R", "F"])
    assert quality.pose.mirrored == (orientation == ["R", "F"])


@pytest.mark.needs_shared
def test_a_stretched_radiograph_has_a_note_unless_the_file_states_the_shape_of_its_pixels(chests):
    def widened(image):
        return np.asarray(Image.fromarray(image).resize((image.shape[1] * 3 // 2, image.shape[0])))

    image = next(widened(image) for image in chests if assess_geometry(widened(image)).stretched)
    assert any("looks wider than chests are" in note for note in read_radiograph(png(image)).quality.notes)
    values = np.rint(image * 4095).astype(np.uint16)
    assert not any("stretched" in note for note in quality_of(values, ImagerPixelSpacing=[0.2, 0.2]).notes)
