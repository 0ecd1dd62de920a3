"""The report in a DICOM object is the report."""

from dataclasses import replace

import pytest

from cxr_core.imaging import phantom_dicom
from cxr_core.report.pdf import report_pdf
from tests.dicom_results import PATIENT, WHEN, objects, opinions, parsed, report_image


@pytest.mark.parametrize("identity", [True, False])
def test_the_document_is_the_report_of_the_image(predictor, printed, identity):
    data = phantom_dicom(256, 224, **PATIENT)
    image = report_image(data, predictor, above=("Mass",), given=opinions("Mass", "present"))
    result = parsed(objects(image, predictor.card, data, ["pdf"], identity=identity)["pdf"])
    pdf = result.EncapsulatedDocument[: result.EncapsulatedDocumentLength]
    assert pdf == report_pdf([replace(image, name="")], predictor.card, WHEN, identity=identity)
    assert len(result.EncapsulatedDocument) % 2 == 0
    text = " ".join(printed(pdf))
    assert "Reader: present" in text
    assert ("QZ-ID-77" in text) == identity
    assert "QZFILE" not in text
    assert result.BurnedInAnnotation == ("YES" if identity else "NO")
    assert result.SourceInstanceSequence[0].ReferencedSOPInstanceUID == parsed(data).SOPInstanceUID
    assert (result.ContentDate, result.ContentTime) == ("20261126", "164207")
