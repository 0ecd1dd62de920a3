import json

import numpy as np
import pytest

from cxr_core.imaging import phantom_dicom, phantom_png, read_radiograph, render8
from cxr_core.ui.pixels import MAGIC, MAX_SIDE, film_bytes, film_codes, preset_tables

FILMS = {
    "12 bits": lambda: phantom_dicom(300, 200),
    "8 bits": lambda: phantom_png(300, 200),
    "monochrome1": lambda: phantom_dicom(300, 200, PhotometricInterpretation="MONOCHROME1"),
    "rescale": lambda: phantom_dicom(300, 200, RescaleSlope=0.37, RescaleIntercept=-5.2),
    "sigmoid": lambda: phantom_dicom(300, 200, VOILUTFunction="SIGMOID", WindowWidth=900),
    "no window": lambda: phantom_dicom(300, 200, WindowCenter=None, WindowWidth=None),
    "padding": lambda: phantom_dicom(300, 200, PixelPaddingValue=4095),
}


@pytest.mark.parametrize("name", FILMS)
def test_the_first_view_is_exactly_render8(name):
    film = read_radiograph(FILMS[name]())
    codes = film_codes(film)
    shown = codes.grey if codes.grey is not None else codes.table[codes.codes]
    np.testing.assert_array_equal(shown, render8(film))
    np.testing.assert_allclose(codes.codes * codes.scale + codes.offset, film.values, atol=codes.scale * 0.51)


def test_the_message_holds_all_of_it():
    film = read_radiograph(phantom_dicom(60, 50))
    data = film_bytes(film, alt="words")
    assert data.startswith(MAGIC)
    length = int.from_bytes(data[4:8], "little")
    head = json.loads(data[8 : 8 + length])
    assert (head["rows"], head["columns"], head["sha"], head["alt"]) == (60, 50, film.sha256, "words")
    assert len(data) == 8 + length + head["levels"] + 60 * 50 * head["bytesPerCode"]


def test_the_files_other_windows_go_along_with_polarity():
    data = phantom_dicom(
        64,
        64,
        PhotometricInterpretation="MONOCHROME1",
        WindowCenter=[2048, 1000],
        WindowWidth=[4096, 500],
        WindowCenterWidthExplanation=["NORMAL", "HARDER"],
    )
    film = read_radiograph(data)
    assert [voi.explanation for voi in film.alternatives] == ["normal", "harder"]
    codes = film_codes(film)
    ((name, table),) = preset_tables(film, codes)
    alone = phantom_dicom(64, 64, PhotometricInterpretation="MONOCHROME1", WindowCenter=1000, WindowWidth=500)
    assert name == "harder"
    np.testing.assert_array_equal(table[codes.codes], render8(read_radiograph(alone)))


def test_an_explanation_that_may_be_a_name_is_not_kept():
    film = read_radiograph(phantom_dicom(64, 64, WindowCenterWidthExplanation="DOE JOHN"))
    assert [voi.explanation for voi in film.alternatives] == ["window 1"]


def test_a_large_film_is_reduced_and_says_so():
    film = read_radiograph(phantom_dicom(values=np.arange(2400 * 32, dtype=np.uint16).reshape(2400, 32) % 4096))
    head = film_codes(film)
    assert max(head.codes.shape) == MAX_SIDE
