"""Contours on the original: DCMTK shows the image as it was read, and each line lies where the map is half."""

import io
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from cxr_core.errors import InputRefused
from cxr_core.explain import contour, heat_map
from cxr_core.imaging import phantom, phantom_dicom, render8
from cxr_core.labels import NOTICE, display_name
from tests.conftest import missing
from tests.dicom_results import DX, objects, parsed, report_image

ABOVE = ("Mass", "Edema")


@pytest.fixture
def dcmp2pgm(tmp_path):
    """The original as DCMTK shows it under a presentation state: (rows, columns) uint8."""
    program = shutil.which("dcmp2pgm")
    if program is None:
        missing("dcmtk", "DCMTK's dcmp2pgm is not installed")

    def render(original: bytes, state: bytes) -> np.ndarray:
        (tmp_path / "image.dcm").write_bytes(original)
        (tmp_path / "state.dcm").write_bytes(state)
        command = [program, "-p", str(tmp_path / "state.dcm"), str(tmp_path / "image.dcm"), str(tmp_path / "out.pgm")]
        subprocess.run(command, check=True, capture_output=True, text=True)
        with Image.open(tmp_path / "out.pgm") as image:
            return np.asarray(image).copy()

    return render


def table(bits=10, first=0, **elements):
    """A look-up table that is no line."""
    item = Dataset()
    for keyword, value in elements.items():
        setattr(item, keyword, value)
    entries = np.rint((1 - np.linspace(1, 0, 4096) ** 2) * ((1 << bits) - 1)).astype("<u2")
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [4096, first, bits])
    item.LUTData = entries.tobytes()
    item["LUTData"].VR = "OW"
    return [item]


ORIGINALS = {
    "a window": {"WindowCenter": 1500, "WindowWidth": 1800},
    "no window": {"WindowCenter": None, "WindowWidth": None},
    "a rescale": {"RescaleSlope": "0.5", "RescaleIntercept": "-200", "WindowCenter": 700, "WindowWidth": 1500},
    "a DX image with a rescale": {"SOPClassUID": DX, "Modality": "DX", "RescaleSlope": "0.5", "RescaleIntercept": "9"},
    "MONOCHROME1": {"PhotometricInterpretation": "MONOCHROME1"},
    "a Modality LUT": {
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "RescaleType": None,
        "ModalityLUTSequence": table(ModalityLUTType="US"),
        "WindowCenter": 512,
        "WindowWidth": 1024,
    },
    "a Modality LUT of negative values": {
        "PixelRepresentation": 1,
        "RescaleSlope": None,
        "RescaleIntercept": None,
        "RescaleType": None,
        "ModalityLUTSequence": table(first=-1000, ModalityLUTType="US"),
        "WindowCenter": 512,
        "WindowWidth": 700,
    },
    "a Modality LUT beside a rescale": {
        "ModalityLUTSequence": table(ModalityLUTType="US"),
        "WindowCenter": 512,
        "WindowWidth": 1024,
    },
    "a VOI LUT": {"WindowCenter": None, "WindowWidth": None, "VOILUTSequence": table()},
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_original_is_shown_as_it_was_read(name, predictor, dcmp2pgm):
    data = phantom_dicom(256, 224, **ORIGINALS[name])
    image = report_image(data, predictor, above=ABOVE)
    shown = dcmp2pgm(data, objects(image, predictor.card, data, ["gsps"])["gsps"])
    expected = render8(image.radiograph())
    assert expected.std() > 20
    # a level for rounding
    assert np.abs(shown.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("function", ["SIGMOID", "LINEAR_EXACT"])
def test_a_window_of_another_function_is_stated_as_it_is(function, predictor):
    """DCMTK's presentation states know LINEAR alone."""
    data = phantom_dicom(256, 224, VOILUTFunction=function, WindowCenter=2000, WindowWidth=1500)
    state = parsed(objects(report_image(data, predictor, above=ABOVE), predictor.card, data, ["gsps"])["gsps"])
    (window,) = state.SoftcopyVOILUTSequence
    assert (window.VOILUTFunction, window.WindowCenter, window.WindowWidth) == (function, 2000, 1500)


def test_each_finding_that_is_above_has_its_contour_and_its_text(predictor):
    data = phantom_dicom(256, 224)
    image = report_image(data, predictor, above=ABOVE)
    state = parsed(objects(image, predictor.card, data, ["gsps"])["gsps"])
    above = [finding.label for finding in image.reading.ranked() if finding.state == "above"]
    assert set(above) >= set(ABOVE)
    layers = {layer.GraphicLayer: layer.GraphicLayerDescription for layer in state.GraphicLayerSequence}
    annotations = {layers[one.GraphicLayer]: one for one in state.GraphicAnnotationSequence}
    assert list(annotations) == [display_name(label) for label in above]
    for label in above:
        annotation = annotations[display_name(label)]
        expected = contour(heat_map(image.reading, label, predictor.card))
        lines = annotation.get("GraphicObjectSequence", [])
        assert len(lines) == len(expected)
        for line, points in zip(lines, expected, strict=True):
            assert (line.GraphicType, line.GraphicAnnotationUnits) == ("POLYLINE", "PIXEL")
            np.testing.assert_allclose(np.reshape(line.GraphicData, (-1, 2)), points + 0.5, atol=1e-3)
        assert display_name(label) in annotation.TextObjectSequence[0].UnformattedTextValue
    assert sum(bool(one.get("GraphicObjectSequence")) for one in annotations.values()) >= 1
    texts = [text.UnformattedTextValue for one in annotations.values() for text in one.TextObjectSequence]
    assert NOTICE in texts


@pytest.mark.parametrize("high_pixels", [False, True])
@pytest.mark.parametrize(
    "options", [{}, {"quarter_turns": 1}, {"quarter_turns": 2, "mirrored": True}, {"quarter_turns": 3}], ids=str
)
def test_contours_lie_where_the_segmentation_is_half(predictor, high_pixels, options):
    """Two objects by two ways, on the pixels of the file."""
    data = phantom_dicom(160, 224, ImagerPixelSpacing=[0.3, 0.2]) if high_pixels else phantom_dicom(256, 224)
    image = report_image(data, predictor, above=predictor.card.labels, **options)
    made = {kind: parsed(content) for kind, content in objects(image, predictor.card, data, ["gsps", "seg"]).items()}
    original = parsed(data)
    rows, columns = original.Rows, original.Columns
    frames = made["seg"].pixel_array
    assert frames.shape == (len(predictor.card.labels), rows, columns)
    checked = 0
    for frame, annotation in zip(frames, made["gsps"].GraphicAnnotationSequence, strict=True):
        for line in annotation.get("GraphicObjectSequence", []):
            points = np.reshape(line.GraphicData, (-1, 2))
            assert (points >= 0).all()
            assert (points <= (columns, rows)).all()
            inner = points[((points > 2) & (points < np.array([columns, rows]) - 2)).all(axis=1)]
            column, row = inner.astype(int).T
            checked += len(inner)
            # a pixel is a tenth of a cell
            assert np.abs(frame[row, column] / 255 - 0.5).max(initial=0) < 0.2
    assert checked >= 20, "too few points to say anything"


def test_nothing_above_gives_no_presentation_state_and_no_segmentation(predictor):
    from dataclasses import replace

    data = phantom_dicom(256, 224)
    image = report_image(data, predictor)
    below = tuple(replace(finding, state="below") for finding in image.reading.findings)
    image = replace(image, reading=replace(image.reading, findings=below))
    assert objects(image, predictor.card, data, ["gsps", "seg"]) == {}


def test_an_original_in_colour_has_no_contours(predictor):
    grey = (phantom(256, 224) >> 4).astype(np.uint8)
    ds = parsed(phantom_dicom(256, 224))
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    del ds.WindowCenter, ds.WindowWidth, ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType
    ds.PixelData = np.repeat(grey[:, :, None], 3, axis=2).tobytes()
    ds["PixelData"].VR = "OB"
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    data = stream.getvalue()
    image = report_image(data, predictor, above=ABOVE)
    with pytest.raises(InputRefused, match="in colour"):
        objects(image, predictor.card, data, ["gsps"])
    assert set(objects(image, predictor.card, data, ["sr", "pdf", "seg"])) == {"sr", "pdf", "seg"}
