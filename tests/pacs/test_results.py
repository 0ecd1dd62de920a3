"""Which results of an image go where."""

import io
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_dicom, phantom_png
from cxr_core.pacs.results import build_results, read_received
from cxr_core.pacs.rules import Delivery, Rule
from tests.dicom_results import PATIENT, parsed

WHEN = datetime(2026, 11, 27, 6, tzinfo=UTC)
DATA = phantom_dicom(256, 224, **PATIENT)


@pytest.fixture(scope="module")
def image():
    return read_received(DATA, Rule().order())


def with_state(image, state):
    findings = tuple(replace(finding, state=state) for finding in image.reading.findings)
    return replace(image, reading=replace(image.reading, findings=findings))


def test_each_destination_has_its_kinds_each_once(image):
    deliveries = [
        Delivery(to="archive", kinds=("sr", "sc")),
        Delivery(to="viewer", kinds=("sc",)),
        Delivery(to="archive", kinds=("sr",)),
    ]
    results = build_results(with_state(image, "below"), deliveries, WHEN)
    assert [(one.destination, one.name) for one in results] == [
        ("archive", "sr"),
        ("archive", "sc-1"),
        ("viewer", "sc-1"),
    ]
    for one in results:
        file = parsed(one.data)
        uids = (file.SOPClassUID, file.SeriesInstanceUID, file.SOPInstanceUID)
        assert (one.sop_class, one.series_uid, one.sop_instance_uid) == uids
    assert results[1].data == results[2].data
    assert build_results(with_state(image, "below"), deliveries, WHEN) == results


def test_flagged_is_a_finding_above_its_operating_point(image):
    deliveries = [Delivery(to="archive", kinds=("sr",), only="flagged"), Delivery(to="all", kinds=("sr",))]
    assert [one.destination for one in build_results(with_state(image, "below"), deliveries, WHEN)] == ["all"]
    flagged = build_results(with_state(image, "above"), deliveries, WHEN)
    assert [one.destination for one in flagged] == ["archive", "all"]
    unevaluated = build_results(with_state(image, "not_evaluated"), deliveries, WHEN)
    assert [one.destination for one in unevaluated] == ["all"]


def test_an_image_in_colour_has_no_contours_and_the_rest():
    file = parsed(DATA)
    grey = (file.pixel_array // 2**4).astype(np.uint8)
    file.SamplesPerPixel, file.PhotometricInterpretation, file.PlanarConfiguration = 3, "RGB", 0
    file.BitsAllocated, file.BitsStored, file.HighBit = 8, 8, 7
    file.PixelData = grey.repeat(3).tobytes()
    stream = io.BytesIO()
    file.save_as(stream)
    image = with_state(read_received(stream.getvalue(), Rule().order()), "above")
    both = build_results(image, [Delivery(to="archive", kinds=("gsps", "sr"))], WHEN)
    assert [one.name for one in both] == ["sr"]
    with pytest.raises(InputRefused, match="grayscale"):
        build_results(image, [Delivery(to="archive", kinds=("gsps",))], WHEN)


def test_a_file_that_is_no_dicom_has_no_results():
    with pytest.raises(InputRefused):
        build_results(read_received(phantom_png(256, 224), Rule().order()), [Delivery(to="archive")], WHEN)
