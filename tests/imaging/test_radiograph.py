import hashlib
import io

import numpy as np
from PIL import Image

from cxr_core.imaging import phantom_dicom, phantom_png, read_radiograph
from cxr_core.imaging.radiograph import Digest


def test_small_and_large_files_have_their_sha256():
    for data in (b"", b"image", bytes(3 << 20)):
        digest = Digest(data)
        assert digest.sha256 == digest.sha256 == hashlib.sha256(data).hexdigest()


def test_a_known_digest_is_not_computed_again():
    assert Digest(b"image", "0" * 64).sha256 == "0" * 64


def test_values_that_the_file_does_not_hold_are_named():
    colour = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 56, 3), dtype=np.uint8))
    file = io.BytesIO()
    colour.save(file, "PNG")
    assert read_radiograph(file.getvalue()).value_note == "luma"
    assert read_radiograph(phantom_dicom(64, 56, ImagerPixelSpacing=[0.4, 0.2])).value_note == "resampled"
    assert read_radiograph(phantom_dicom(64, 56)).value_note == read_radiograph(phantom_png(64, 56)).value_note == ""
