"""The truth table of pixels: hand-computed values, and DCMTK as a second witness."""

import contextlib
import io

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom, phantom_dicom, read_radiograph, render8

RAMP = (np.arange(64 * 64).reshape(64, 64) % 4096).astype(np.uint16)
WINDOW = {"WindowCenter": 2048, "WindowWidth": 4096}


def lut(entries, first=0, bits=12, vr="US", packed=False) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 65536, first, bits]
    item["LUTDescriptor"].VR = "US"
    if packed:
        item.add_new("LUTData", "OW", np.asarray(entries, np.uint8).tobytes())
    else:
        item.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    return item


def curve(entries: int, top: int) -> np.ndarray:
    return np.rint(top * (np.arange(entries) / (entries - 1)) ** 2).astype(int)


CASES = {
    "linear": WINDOW,
    "linear, narrow": {"WindowCenter": 1000, "WindowWidth": 500},
    "sigmoid": {"WindowCenter": 2000, "WindowWidth": 1500, "VOILUTFunction": "SIGMOID"},
    "rescale 0.5": {"RescaleSlope": 0.5, "RescaleIntercept": 0, "WindowCenter": 1000, "WindowWidth": 1500},
    "rescale 2 and -1000": {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 3000, "WindowWidth": 5000},
    "rescale -1": {"RescaleSlope": -1, "RescaleIntercept": 4095, **WINDOW},
    "monochrome1": {"PhotometricInterpretation": "MONOCHROME1", **WINDOW},
    "monochrome1, inverse": {
        "PhotometricInterpretation": "MONOCHROME1",
        "PresentationLUTShape": "INVERSE",
        **WINDOW,
    },
    "monochrome1, identity": {
        "PhotometricInterpretation": "MONOCHROME1",
        "PresentationLUTShape": "IDENTITY",
        **WINDOW,
    },
    "monochrome2, inverse": {"PresentationLUTShape": "INVERSE", **WINDOW},
}


@pytest.mark.parametrize("case", CASES)
def test_dcmtk_agrees_within_one_grey_level(case, dcm2pnm):
    data = phantom_dicom(values=RAMP, **CASES[case])
    ours = render8(read_radiograph(data)).astype(int)
    assert np.abs(ours - dcm2pnm(data, "+Wi", "1")).max() <= 1


@pytest.mark.parametrize(("bits", "packed"), [(16, False), (12, False), (8, False), (8, True)])
def test_dcmtk_agrees_on_voi_tables(bits, packed, dcm2pnm):
    table = lut(curve(4096, (1 << bits) - 1), bits=bits, packed=packed)
    data = phantom_dicom(values=RAMP, VOILUTSequence=[table], WindowCenter=None, WindowWidth=None)
    ours = render8(read_radiograph(data)).astype(int)
    assert np.abs(ours - dcm2pnm(data, "+Wl", "1")).max() <= 1


def test_dcmtk_agrees_on_a_modality_table(dcm2pnm):
    table = lut(curve(4096, 65535), bits=16)
    table.ModalityLUTType = "US"
    data = phantom_dicom(
        values=RAMP,
        ModalityLUTSequence=[table],
        RescaleSlope=None,
        RescaleIntercept=None,
        RescaleType=None,
        WindowCenter=30000,
        WindowWidth=50000,
    )
    assert np.abs(render8(read_radiograph(data)).astype(int) - dcm2pnm(data, "+Wi", "1")).max() <= 1


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_dcmtk_agrees_on_signed_values(bits, dcm2pnm):
    half = 1 << (bits - 1)
    values = (np.linspace(-half, half - 1, 64 * 64).reshape(64, 64)).astype(np.int16)
    stored = values.view(np.uint16) & ((1 << bits) - 1)
    data = phantom_dicom(
        values=stored,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=1,
        WindowCenter=0,
        WindowWidth=half,
    )
    image = read_radiograph(data)
    np.testing.assert_array_equal(image.values, values)
    assert np.abs(render8(image).astype(int) - dcm2pnm(data, "+Wi", "1")).max() <= 1


def test_linear_exact_and_small_slopes_by_hand():
    # DCMTK is no oracle for these two
    image = read_radiograph(phantom_dicom(values=RAMP, VOILUTFunction="LINEAR_EXACT", **WINDOW))
    np.testing.assert_allclose(image.display, RAMP / 4096, atol=1e-7)
    small = read_radiograph(
        phantom_dicom(values=RAMP, RescaleSlope=0.001, WindowCenter=2.5, WindowWidth=4, RescaleIntercept=0)
    )
    # LINEAR with c = 2.5, w = 4: (x - 2) / 3 + 0.5, so 0 up to x = 0.5 and 1 from x = 3.5
    np.testing.assert_allclose(small.display, np.clip((RAMP * 0.001 - 2) / 3 + 0.5, 0, 1), atol=1e-6)


def test_monochrome1_is_the_negative_of_monochrome2():
    plain = read_radiograph(phantom_dicom(values=RAMP, **WINDOW))
    turned = read_radiograph(phantom_dicom(values=RAMP, PhotometricInterpretation="MONOCHROME1", **WINDOW))
    np.testing.assert_allclose(plain.display + turned.display, 1, atol=1e-6)
    assert turned.inverted
    assert turned.transforms[-1] == "polarity: MONOCHROME1 inverted"


def test_a_contradiction_follows_the_shape_and_is_a_warning():
    image = read_radiograph(phantom_dicom(values=RAMP, **CASES["monochrome1, identity"]))
    assert not image.inverted
    assert any("contradict" in reason for reason in image.quality.reasons)


def test_dx_rescale_is_not_applied_and_is_a_warning():
    data = phantom_dicom(
        values=RAMP, SOPClassUID=pydicom.uid.UID("1.2.840.10008.5.1.4.1.1.1.1"), Modality="DX", RescaleSlope=2
    )
    image = read_radiograph(data)
    np.testing.assert_array_equal(image.values, RAMP)
    assert any("does not allow" in reason for reason in image.quality.reasons)


def test_sixteen_stored_bits_with_twelve_used_are_not_black():
    data = phantom_dicom(values=RAMP, BitsStored=16, HighBit=15, WindowCenter=None, WindowWidth=None)
    image = read_radiograph(data)
    assert 0.4 < image.display.mean() < 0.6
    assert image.voi.explanation.startswith("no VOI: percentile window")


def test_padding_is_recognised_under_its_mask_and_painted_black():
    body = RAMP  # it holds 4095, what a padding of 65535 would be masked to: that is no padding
    values = body.copy()
    values[:, :20] = 65535
    data = phantom_dicom(
        values=values,
        PixelPaddingValue=65535,
        PhotometricInterpretation="MONOCHROME1",
        WindowCenter=None,
        WindowWidth=None,
    )
    image = read_radiograph(data)
    assert (image.display[:, :20] == 0).all()
    without = read_radiograph(
        phantom_dicom(
            values=np.ascontiguousarray(body[:, 20:]),
            PhotometricInterpretation="MONOCHROME1",
            WindowCenter=None,
            WindowWidth=None,
        )
    )
    np.testing.assert_allclose(image.display[:, 20:], without.display, atol=1e-6)


def test_the_first_of_several_windows_is_used():
    image = read_radiograph(phantom_dicom(values=RAMP, WindowCenter=[1000, 2000], WindowWidth=[500, 600]))
    assert (image.voi.center, image.voi.width) == (1000, 500)


@pytest.mark.parametrize("width", [0, -5, "nan"])
def test_an_unusable_window_is_left_out_with_a_warning(width):
    image = read_radiograph(phantom_dicom(values=RAMP, WindowCenter=5, WindowWidth=width))
    assert "percentile" in image.voi.explanation
    assert any("not usable" in reason for reason in image.quality.reasons)


def test_a_window_that_leaves_nothing_gives_way_to_the_percentile_window():
    image = phantom(256, 224, text=False)
    # values of 0 to 4095 under a CT's window, which ends at 200
    result = read_radiograph(phantom_dicom(values=image, WindowCenter=-600, WindowWidth=1600))
    low, high = np.percentile(image, (0.5, 99.5))
    np.testing.assert_allclose(result.display, np.clip((image - low) / (high - low), 0, 1), atol=1e-3)
    assert "VOI: window -600/1600 of the file left out, percentile window of 0.5 to 99.5 % in its place" in (
        result.transforms
    )
    assert result.quality.status == "warning"
    assert any("window of the file (-600/1600) makes 100 % of the middle" in why for why in result.quality.reasons)
    assert [voi.explanation for voi in result.alternatives] == ["percentile window of 0.5 to 99.5 %"]


def test_another_window_of_the_file_stays_when_the_first_leaves_nothing():
    both = {"WindowCenter": [-600, 2048], "WindowWidth": [1600, 4096]}
    result = read_radiograph(phantom_dicom(values=phantom(256, 224, text=False), **both))
    assert [voi.explanation for voi in result.alternatives] == ["percentile window of 0.5 to 99.5 %", "window 2"]


@pytest.mark.parametrize("proportion", [0.94, 0.96])
def test_a_window_gives_way_at_95_percent_of_the_middle(proportion):
    # grey from 1000 to 3000 at the bottom of the middle, which is 70 % of the rows, and white beyond the window above
    values = np.full((1000, 300), 4000, dtype=np.uint16)
    grey = round(700 * (1 - proportion))
    values[850 - grey : 850] = np.linspace(1000, 3000, 300).astype(np.uint16)
    values[:500:2] = 3500
    result = read_radiograph(phantom_dicom(values=values, WindowCenter=800, WindowWidth=4800))
    assert any("left out" in step for step in result.transforms) == (proportion > 0.95)


@pytest.mark.parametrize(("center", "gives_way"), [(2000, False), (5000, True)])
def test_a_narrow_window_within_the_values_stays(center, gives_way):
    result = read_radiograph(phantom_dicom(values=RAMP, WindowCenter=center, WindowWidth=2))
    assert any("left out" in step for step in result.transforms) == gives_way


def test_an_image_of_which_no_window_leaves_anything_keeps_its_own():
    result = read_radiograph(phantom_dicom(values=np.full((256, 224), 4000, dtype=np.uint16), WindowCenter=100))
    assert not any("left out" in step for step in result.transforms)


REAL_WINDOWS = (
    "ge_dx_lateral_ct_window_j2k.dcm",
    "fuji_cr_pa_monochrome1_10bit.dcm",
    "konica_cr_monochrome1_jpeg.dcm",
    "other_cr_tibia_monochrome1_lossless.dcm",
)


@pytest.mark.needs_shared
def test_of_the_real_files_one_window_gives_way(shared):
    replaced = {
        path.name
        for path in (shared / "dicom" / name for name in REAL_WINDOWS)
        if any("of the file left out" in step for step in read_radiograph(path.read_bytes()).transforms)
    }
    assert replaced == {"ge_dx_lateral_ct_window_j2k.dcm"}


def test_jpeg_baseline(dcm2pnm):
    grey = (RAMP >> 4).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=95)
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=RAMP)))
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8, 8, 7
    ds.WindowCenter, ds.WindowWidth = 128, 256
    ds.PixelData = encapsulate([file.getvalue()])
    ds["PixelData"].VR = "OB"
    ds.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    out = io.BytesIO()
    ds.save_as(out)
    image = read_radiograph(out.getvalue())
    np.testing.assert_array_equal(image.values, np.asarray(Image.open(io.BytesIO(file.getvalue()))))
    with pytest.raises(InputRefused):
        read_radiograph(out.getvalue()[:-600])


def test_without_preamble_and_meta_header():
    data = phantom_dicom(values=RAMP)
    ds = pydicom.dcmread(io.BytesIO(data))
    bare = io.BytesIO()
    plain = Dataset()
    plain.update(ds)
    pydicom.dcmwrite(bare, plain, implicit_vr=True, little_endian=True, enforce_file_format=False)
    np.testing.assert_array_equal(read_radiograph(bare.getvalue()).values, RAMP)


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"NumberOfFrames": 2}, "2 frames"),
        ({"Rows": 50000, "Columns": 50000}, "million pixels"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "up to 16 bits"),
        ({"PhotometricInterpretation": "HSV"}, "photometric"),
    ],
)
def test_other_images_are_refused_with_the_reason(elements, words):
    values = np.concatenate([RAMP, RAMP]) if "NumberOfFrames" in elements else RAMP
    with pytest.raises(InputRefused, match=words):
        read_radiograph(phantom_dicom(values=values, **elements))


def test_a_truncated_file_is_refused_in_one_line_without_the_patient():
    data = phantom_dicom(64, 64, PatientName="Secret^Name")
    for length in [*range(133, 900, 37), 2000, len(data) // 2, len(data) - 60]:
        with pytest.raises(InputRefused) as refusal:
            read_radiograph(data[:length])
        assert "\n" not in str(refusal.value)
        assert "Secret" not in str(refusal.value)


@pytest.mark.parametrize("vr", [b"FD", b"UL", b"ZZ", b"SQ", b"AT", b"OW"])
@pytest.mark.parametrize(
    "keyword",
    ["Modality", "ViewPosition", "BodyPartExamined", "PatientAge", "PatientSex", "ImagerPixelSpacing", "Rows",
     "BitsStored", "WindowCenter", "RescaleSlope", "PhotometricInterpretation"],
)  # fmt: skip
def test_an_element_of_another_type_is_refused_or_left_out(keyword, vr):
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    head = (tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little")
    data = phantom_dicom(64, 64)
    at = data.index(head)
    # any other error fails the test
    with contextlib.suppress(InputRefused):
        read_radiograph(data[: at + 4] + vr + data[at + 6 :])


@pytest.mark.parametrize("element", [{"RescaleSlope": "1e308"}, {"RescaleIntercept": "1e308"}, {"RescaleSlope": "0"}])
def test_an_unbounded_rescale_is_left_out_with_a_warning(element):
    image = read_radiograph(phantom_dicom(values=RAMP, **element))
    np.testing.assert_array_equal(image.values, RAMP)
    assert "modality LUT: identity" in image.transforms
    assert any("a rescale that cannot be applied" in reason for reason in image.quality.reasons)


def test_a_table_with_entries_beyond_its_bits_is_not_white():
    item = lut(np.arange(4096) * 16, bits=12)
    image = read_radiograph(phantom_dicom(values=RAMP, VOILUTSequence=[item], WindowCenter=None, WindowWidth=None))
    np.testing.assert_allclose(image.display, RAMP * 16 / 65535, atol=1e-6)


def test_a_table_in_big_endian():
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(values=RAMP, WindowCenter=None, WindowWidth=None)))
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 12]
    item["LUTDescriptor"].VR = "US"
    item.add_new("LUTData", "OW", np.arange(4096).astype(">u2").tobytes())
    ds.VOILUTSequence = [item]
    ds.PixelData = RAMP.astype(">u2").tobytes()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRBigEndian
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, implicit_vr=False, little_endian=False, enforce_file_format=True)
    np.testing.assert_allclose(read_radiograph(out.getvalue()).display, RAMP / 4095, atol=1e-6)


def test_a_padding_value_that_no_pixel_has_changes_nothing():
    image = read_radiograph(phantom_dicom(values=RAMP, PixelPaddingValue=65535))
    assert image.display[RAMP == 4095] == pytest.approx(1)


def test_eight_bits_with_a_rescale_keep_their_range():
    grey = (RAMP >> 4).astype(np.uint16)
    elements = {"BitsStored": 8, "HighBit": 7, "WindowCenter": None, "WindowWidth": None}
    image = read_radiograph(phantom_dicom(values=grey, RescaleSlope=0.1, **elements))
    np.testing.assert_allclose(image.display, grey / 255, atol=1e-6)


def test_a_deflated_bomb_is_refused_at_the_limit():
    import tracemalloc
    import zlib

    data = phantom_dicom(64, 64)
    start = 144 + int.from_bytes(data[140:144], "little")
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = data[:start].replace(syntax, b"1.2.840.10008.1.2.1.99")
    meta = meta.replace(b"\x02\x00\x10\x00UI\x14\x00", b"\x02\x00\x10\x00UI\x16\x00")
    meta = meta[:140] + (start - 144 + 2).to_bytes(4, "little") + meta[144:]
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(data[start:]) + b"".join(packer.compress(bytes(10**7)) for _ in range(60)) + packer.flush()
    tracemalloc.start()
    with pytest.raises(InputRefused, match="inflates beyond"):
        read_radiograph(meta + body)
    assert tracemalloc.get_traced_memory()[1] < 500e6
    tracemalloc.stop()


def test_a_file_without_an_image_is_named():
    ds = pydicom.dcmread(io.BytesIO(phantom_dicom(64, 64)))
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(ds, keyword)
    out = io.BytesIO()
    ds.save_as(out)
    with pytest.raises(InputRefused, match="without an image"):
        read_radiograph(out.getvalue())


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", ["dx_thorax_small_monochrome1", "nih_cardiomegaly", "nih_effusion"])
def test_real_files_agree_with_dcmtk(name, shared, dcm2pnm):
    data = (shared / "dicom" / f"{name}.dcm").read_bytes()
    options = ("+Wi", "1") if name.startswith("dx") else ()
    assert np.abs(render8(read_radiograph(data)).astype(int) - dcm2pnm(data, *options)).max() <= 1


@pytest.mark.needs_shared
def test_the_retagged_copy_is_the_exact_negative(shared):
    one = read_radiograph((shared / "dicom" / "rsna_cr_pa_jpeg_baseline.dcm").read_bytes())
    two = read_radiograph((shared / "dicom" / "rsna_cr_pa_retagged_monochrome1.dcm").read_bytes())
    np.testing.assert_array_equal(render8(one).astype(int) + render8(two), 255)


def modality_lut(unit: str) -> Dataset:
    item = lut(np.arange(4096)[::-1])
    item.ModalityLUTType = unit
    return item


@pytest.mark.parametrize(
    ("elements", "unit"),
    [
        ({}, "US"),
        ({"RescaleSlope": 0.5, "RescaleIntercept": -1024, "RescaleType": "HU"}, "HU"),
        ({"RescaleSlope": 2, "RescaleType": " od "}, "× 10⁻³ OD"),
        ({"RescaleType": None}, ""),
        # free text, which may hold a name
        ({"RescaleType": "DOE JOHN"}, ""),
        ({"RescaleType": ["HU", "US"]}, ""),
        # the type of the table that is applied, not that of a rescale beside it
        ({"ModalityLUTSequence": [modality_lut("HU")]}, "HU"),
        ({"ModalityLUTSequence": [Dataset()]}, ""),
        # a rescale that is not applied
        ({"RescaleSlope": 0, "RescaleType": "HU"}, ""),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1", "RescaleSlope": 2, "RescaleType": "HU"}, ""),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.1"}, "US"),
    ],
)
def test_the_unit_is_that_of_the_values_after_the_modality_lut(elements, unit):
    assert read_radiograph(phantom_dicom(64, 56, **elements)).unit == unit
