import numpy as np

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph, render8


def test_the_phantom_is_reproducible_and_uses_its_range():
    np.testing.assert_array_equal(phantom(128, 96), phantom(128, 96))
    image = phantom()
    assert image.shape == (1024, 896)
    assert image.max() == 4095
    # air outside is dark, lungs darker than the heart
    assert image[500, 20] < image[400, 250] < image[640, 520]


def test_png_and_dicom_show_the_same_image():
    png, dicom = read_radiograph(phantom_png(256, 224)), read_radiograph(phantom_dicom(256, 224))
    assert np.abs(render8(png).astype(int) - render8(dicom)).max() <= 1
