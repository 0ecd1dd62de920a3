import io
import tracemalloc

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_dicom, read_radiograph
from cxr_core.imaging.codestream import codestream_size
from tests.imaging.reference_pixels import CASES

SHAPE = (48, 80)
GREY = np.zeros(SHAPE, np.uint8)


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(GREY).save(file, "JPEG", comment=b"words before the frame")
    return file.getvalue()


@pytest.mark.parametrize(
    "frame",
    [jpeg(), imagecodecs.jpegls_encode(GREY), imagecodecs.jpeg2k_encode(GREY, codecformat="j2k")],
    ids=["JPEG", "JPEG-LS", "JPEG 2000"],
)
def test_the_size_of_a_frame_is_read(frame):
    assert codestream_size(frame) == SHAPE
    for length in range(0, min(len(frame), 60)):
        codestream_size(frame[:length])  # a cut frame raises nothing


def test_other_bytes_have_no_size():
    assert codestream_size(b"") is None
    assert codestream_size(b"\x01\x00\x00\x00RLE") is None


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.name.startswith(("JPEG-LS", "JPEG 2000", "HTJ2K"))], ids=lambda case: case.name
)
def test_the_size_of_every_frame_of_the_truth_table_is_read(case):
    ds = pydicom.dcmread(io.BytesIO(case.data()))
    assert codestream_size(get_frame(ds.PixelData, 0, number_of_frames=1)) == (64, 64)


def test_a_bomb_in_a_small_frame_is_refused_before_it_is_decoded():
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(64, 64)))
    ds.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.80")
    ds.PixelData = encapsulate([imagecodecs.jpegls_encode(np.zeros((6000, 6000), np.uint8))])
    ds["PixelData"].VR = "OB"
    file = io.BytesIO()
    ds.save_as(file)
    tracemalloc.start()
    with pytest.raises(InputRefused, match="64 x 64 pixels and whose compressed data say 6000 x 6000"):
        read_radiograph(file.getvalue())
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
