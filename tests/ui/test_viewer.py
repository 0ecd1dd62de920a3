"""The message to the image viewer: codes, grey levels, presets."""

import json

import numpy as np
import pytest

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph, render8
from cxr_core.reading import read_image
from cxr_core.ui.viewer import (
    MAGIC,
    encode_image,
    image_chunks,
    image_codes,
    percentile_windows,
    pixels_version,
    preset_tables,
)

IMAGES = {
    "12 bits": lambda: phantom_dicom(300, 200),
    "8 bits": lambda: phantom_png(300, 200),
    "monochrome1": lambda: phantom_dicom(300, 200, PhotometricInterpretation="MONOCHROME1"),
    "rescale": lambda: phantom_dicom(300, 200, RescaleSlope=0.37, RescaleIntercept=-5.2),
    "sigmoid": lambda: phantom_dicom(300, 200, VOILUTFunction="SIGMOID", WindowWidth=900),
    "no window": lambda: phantom_dicom(300, 200, WindowCenter=None, WindowWidth=None),
    "padding": lambda: phantom_dicom(300, 200, PixelPaddingValue=4095),
}


def unpacked(data):
    """Return (header, codes, grey plane or None, tables) of a message, as the browser unpacks it."""
    length = int.from_bytes(data[4:8], "little")
    head = json.loads(data[8 : 8 + length])
    at = 8 + length
    tables = []
    for _ in range(1 + len(head["presets"])):
        tables.append(np.frombuffer(data, np.uint8, head["levels"], at))
        at += head["levels"]
    assert at % 4 == 0
    shape, kind = (head["shownRows"], head["shownColumns"]), np.dtype(f"<u{head['bytesPerCode']}")
    codes = np.frombuffer(data, kind, shape[0] * shape[1], at).reshape(shape)
    at += codes.nbytes
    grey = np.frombuffer(data, np.uint8, codes.size, at).reshape(shape) if head["greyPlane"] else None
    assert len(data) == at + (0 if grey is None else grey.size)
    return head, codes, grey, tables


@pytest.mark.parametrize("name", IMAGES)
def test_the_first_view_equals_render8(name):
    image = read_radiograph(IMAGES[name]())
    head, codes, grey, tables = unpacked(encode_image(image, alt=""))
    shown = tables[0][codes] if grey is None else grey
    np.testing.assert_array_equal(shown, render8(image))
    np.testing.assert_allclose(codes * head["scale"] + head["offset"], image.values, atol=head["scale"] * 0.51)


@pytest.mark.parametrize(
    "elements",
    [
        {"RescaleSlope": 0.37, "RescaleIntercept": -5.2},
        {"RescaleSlope": -0.001, "RescaleIntercept": 10},
        {"RescaleSlope": 1000.5},
        # beyond 65,536 whole numbers
        {"RescaleSlope": 100},
        {"RescaleSlope": 0.25, "PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15},
        # one value alone
        {"RescaleSlope": 1e-30, "RescaleIntercept": 0.1},
    ],
)
def test_each_value_after_a_rescale_is_that_of_its_pixel(elements):
    stored = np.random.default_rng(1).integers(0, 4096, (64, 56), dtype=np.uint16)
    image = read_radiograph(phantom_dicom(values=stored, **elements))
    head, codes, *_ = unpacked(encode_image(image, alt=""))
    slope, intercept = float(elements["RescaleSlope"]), float(elements.get("RescaleIntercept", 0))
    # as exact as the 32 bits of the values themselves
    np.testing.assert_allclose(codes * head["scale"] + head["offset"], stored * slope + intercept, rtol=4e-7, atol=2e-4)


def test_the_message_says_what_values_are_of():
    head = unpacked(encode_image(read_radiograph(phantom_dicom(60, 50, RescaleType="OD")), alt=""))[0]
    assert (head["unit"], head["valueNote"]) == ("× 10⁻³ OD", "")
    head = unpacked(encode_image(read_radiograph(phantom_png(60, 50)), alt=""))[0]
    assert (head["unit"], head["valueNote"]) == ("", "")


def test_the_message_contains_header_table_and_codes():
    image = read_radiograph(phantom_dicom(60, 50))
    data = encode_image(image, alt="alternative")
    assert data.startswith(MAGIC)
    length = int.from_bytes(data[4:8], "little")
    head = json.loads(data[8 : 8 + length])
    assert (head["rows"], head["columns"], head["sha"], head["alt"]) == (60, 50, image.sha256, "alternative")
    assert len(data) == 8 + length + head["levels"] + 60 * 50 * head["bytesPerCode"]


def test_further_windows_keep_the_polarity():
    data = phantom_dicom(
        64,
        64,
        PhotometricInterpretation="MONOCHROME1",
        WindowCenter=[2048, 1000],
        WindowWidth=[4096, 500],
        WindowCenterWidthExplanation=["NORMAL", "HARDER"],
    )
    image = read_radiograph(data)
    assert [voi.explanation for voi in image.alternatives] == ["normal", "harder"]
    codes = image_codes(image)
    ((name, table),) = preset_tables(image, codes)
    codes_of_pixels = codes.code_of[image.pixels.containers]
    expected = phantom_dicom(64, 64, PhotometricInterpretation="MONOCHROME1", WindowCenter=1000, WindowWidth=500)
    assert name == "harder"
    np.testing.assert_array_equal(table[codes_of_pixels], render8(read_radiograph(expected)))


def test_a_window_explanation_that_may_be_a_name_is_replaced():
    image = read_radiograph(phantom_dicom(64, 64, WindowCenterWidthExplanation="DOE JOHN"))
    assert [voi.explanation for voi in image.alternatives] == ["window 1"]


def test_an_image_of_3000_by_3000_pixels_of_16_bits_arrives_complete():
    values = np.random.default_rng(1).integers(0, 65536, (3001, 2999), dtype=np.uint16)
    image = read_radiograph(phantom_dicom(values=values, BitsStored=16, HighBit=15))
    head, codes, _, _ = unpacked(b"".join(image_chunks(image, alt="")))
    assert (head["rows"], head["columns"]) == (head["shownRows"], head["shownColumns"]) == (3001, 2999)
    np.testing.assert_array_equal(codes * head["scale"] + head["offset"], image.values)
    # the server never holds the whole message
    assert max(map(len, image_chunks(image, alt=""))) < 3 * 10**6


def test_a_reduced_image_holds_means_and_says_its_size():
    values = np.random.default_rng(1).integers(0, 4096, (250, 130), dtype=np.uint16)
    image = read_radiograph(phantom_dicom(values=values))
    head, codes, grey, _ = unpacked(encode_image(image, alt="", max_side=100))
    assert (head["rows"], head["columns"]) == (250, 130)
    assert (head["shownRows"], head["shownColumns"]) == codes.shape == (84, 44)
    assert grey is None
    means = image.values[:249, :129].reshape(83, 3, 43, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(codes[:83, :43] * head["scale"] + head["offset"], means, atol=0.51)


@pytest.mark.parametrize(
    ("elements", "orientation"),
    [
        ({"PatientOrientation": ["L", "F"]}, "L\\F"),
        ({"PatientOrientation": ["R", "F"]}, "R\\F"),
        ({}, ""),
    ],
)
def test_the_message_states_how_the_image_lies_only_where_the_file_does(elements, orientation):
    image = read_radiograph(phantom_dicom(60, 50, **elements))
    data = encode_image(image, alt="")
    assert json.loads(data[8 : 8 + int.from_bytes(data[4:8], "little")])["orientation"] == orientation


def test_percentile_windows_are_those_of_numpy_without_the_padding():
    values = np.arange(10_000, dtype=np.uint16).reshape(100, 100) % 4000
    values[:10] = 4095
    elements = {"PixelPaddingValue": 4095, "RescaleSlope": 2, "RescaleIntercept": -7}
    image = read_radiograph(phantom_dicom(values=values, **elements))
    inside = 2 * values[10:].astype(float) - 7
    windows = {name: (center - width / 2, center + width / 2) for name, center, width in percentile_windows(image)}
    assert windows["Full range"] == (inside.min(), inside.max())
    for name, percentiles in (("Lungs: darker part", (2, 65)), ("Bones: brighter part", (50, 99.8))):
        assert windows[name] == pytest.approx(np.percentile(inside, percentiles), abs=5)


def test_percentile_windows_of_an_inverted_image_are_of_what_is_dark_on_the_screen():
    windows = [
        percentile_windows(read_radiograph(phantom_dicom(200, 160, values=values, **elements)))
        for values, elements in (
            (phantom(200, 160), {}),
            (4095 - phantom(200, 160), {"PhotometricInterpretation": "MONOCHROME1"}),
        )
    ]
    for (name, center, width), (other, mirrored, same) in zip(*windows, strict=True):
        assert name == other
        assert (4095 - mirrored, same) == pytest.approx((center, width), abs=4)


def test_the_spacing_says_what_it_is_measured_by():
    for elements, spacing, text in (
        ({"ImagerPixelSpacing": [0.2, 0.2]}, [0.2, 0.2], "at the detector"),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.3, 0.3]}, [0.3, 0.3], "calibrated"),
        ({"ImagerPixelSpacing": None}, None, ""),
    ):
        data = encode_image(read_radiograph(phantom_dicom(60, 50, **elements)), alt="")
        head = json.loads(data[8 : 8 + int.from_bytes(data[4:8], "little")])
        assert head["spacing"] == spacing
        assert head["spacingText"] == text


@pytest.mark.parametrize("options", [{}, {"quarter_turns": 1}, {"mirrored": True}])
def test_the_pixels_of_a_reading_have_the_version_of_those_that_were_decoded(predictor, options):
    data = phantom_dicom(256, 224)
    radiograph, reading = read_image(data, predictor, **options)
    assert reading.image.transforms != radiograph.transforms
    assert pixels_version(reading.image) == pixels_version(radiograph) == "|".join(radiograph.transforms)
