"""The segmentation, read back by highdicom: the maps, and what their values are."""

import numpy as np
import pytest
from highdicom.seg import Segmentation

from cxr_core.explain import heat_map, resample_to_image
from cxr_core.imaging import phantom_dicom
from cxr_core.labels import display_name
from cxr_core.report.dicom.codes import finding_code
from tests.dicom_results import objects, parsed, report_image


@pytest.mark.parametrize(("rows", "columns"), [(256, 224), (169, 211)])
def test_the_maps_are_read_back_as_fractions_of_full_colour(predictor, rows, columns):
    data = phantom_dicom(rows, columns)
    image = report_image(data, predictor, above=("Mass", "Edema"))
    above = [finding for finding in image.reading.ranked() if finding.state == "above"]
    content = objects(image, predictor.card, data, ["seg"])["seg"]
    result = Segmentation.from_dataset(parsed(content))
    assert result.number_of_segments == len(above) < len(image.reading.findings)
    for number, finding in enumerate(above, 1):
        heat = heat_map(image.reading, finding.label, predictor.card)
        fractions = np.clip(np.nan_to_num(resample_to_image(heat)) / heat.anchor, 0, 1)
        read = result.get_pixels_by_source_instance(
            [parsed(data).SOPInstanceUID], segment_numbers=[number], assert_missing_frames_are_empty=True
        )
        np.testing.assert_allclose(read[0, :, :, 0], fractions, atol=0.5 / 255 + 1e-6)
        segment = result.get_segment_description(number)
        assert segment.segment_label == display_name(finding.label)
        assert segment.segmented_property_type == finding_code(finding.label)
        assert "not a probability" in segment.SegmentDescription
        assert f"divided by {heat.anchor:.6g}" in segment.SegmentDescription
    assert (result.SegmentationType, result.MaximumFractionalValue) == ("FRACTIONAL", 255)
