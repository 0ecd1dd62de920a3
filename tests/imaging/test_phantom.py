import numpy as np

from cxr_core.imaging import phantom, phantom_dicom, phantom_png, read_radiograph, render8


def test_it_is_the_same_every_time_and_uses_its_range():
    np.testing.assert_array_equal(phantom(128, 96), phantom(128, 96))
    film = phantom()
    assert film.shape == (1024, 896)
    assert film.max() == 4095
    # air outside is dark, lungs darker than the heart
    assert film[500, 20] < film[400, 250] < film[640, 520]


def test_png_and_dicom_show_the_same_film():
    png, dicom = read_radiograph(phantom_png(256, 224)), read_radiograph(phantom_dicom(256, 224))
    assert np.abs(render8(png).astype(int) - render8(dicom)).max() <= 1
