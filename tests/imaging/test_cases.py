"""Kinds of files that people report: words of other languages, poses, shapes, tables by their data, refusals."""

import io
import zipfile
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom, phantom_dicom, read_radiograph, render8, shared_decoder
from cxr_core.imaging.code_strings import view_position
from tests.imaging.reference_cases import (
    DEEP,
    EIGHT,
    FULL,
    JPEG,
    M1,
    NONE,
    RAMP,
    SOFT,
    cut,
    dicom,
    edited,
    encapsulated,
    jpeg_of,
    lut,
    raw,
    short_palette,
    tiff,
)

IMAGE = phantom(256, 224, text=False)


def image(**elements):
    return read_radiograph(phantom_dicom(values=IMAGE, **elements))


def named(part: str, charset: str, declared: str | None = None):
    """An image whose body part stands in bytes of a character set."""
    texts = {"BodyPartExamined": part.encode(charset)}
    make = edited(raw("CS", **texts), IMAGE, **({"SpecificCharacterSet": declared} if declared else {}))
    return read_radiograph(make())


@pytest.mark.parametrize(
    "part",
    [
        "TORAX", "TÓRAX", "POITRINE", "THORAX PA", "CHST", "PULMON", "LUNG", "BRUST", "TORACE", "胸部", "pulmão",
        "Poumons", "Brustkorb", "KLATKA PIERSIOWA", "Hrudník", "ГРУДНАЯ КЛЕТКА", "흉부", "PORT_CHEST", "Toraks", "CXR",
    ],
)  # fmt: skip
def test_a_chest_is_a_chest_in_every_language(part):
    result = named(part, "utf-8")
    assert result.header["BodyPartExamined"] == "CHEST"
    assert (result.quality.status, result.quality.notes) == ("ok", ())


@pytest.mark.parametrize(
    ("part", "charset", "declared"),
    [
        ("TÓRAX", "latin-1", None),
        ("TÓRAX", "latin-1", "ISO_IR 100"),
        ("ГРУДЬ", "iso8859_5", "ISO_IR 144"),
        ("胸部", "gb18030", "GB18030"),
        ("胸部", "shift_jis", None),
        ("흉부", "euc_kr", None),
        ("PŁUCA", "iso8859_2", "ISO_IR 101"),
    ],
)
def test_a_chest_is_a_chest_in_other_character_sets(part, charset, declared):
    assert named(part, charset, declared).header["BodyPartExamined"] == "CHEST"


@pytest.mark.parametrize(
    ("part", "known"),
    [
        ("SKULL", "SKULL"), ("KNEE", "KNEE"), ("CRÁNEO", "SKULL"), ("SCHÄDEL", "SKULL"), ("RODILLA", "KNEE"),
        ("GENOU", "KNEE"), ("Knie", "KNEE"), ("LT KNEE", "KNEE"), ("膝", "KNEE"), ("COLUMNA TORÁCICA", "SPINE"),
        ("THORACIC SPINE", "SPINE"), ("TSPINE", "TSPINE"), ("BWS", "TSPINE"), ("BREAST", "BREAST"),
        ("ABDOMEN", "ABDOMEN"), ("BRUSTWIRBELSÄULE", "SPINE"), ("HALSWIRBELSÄULE", "SPINE"),
        ("LENDENWIRBELSÄULE", "SPINE"), ("THORACOLUMBAR", "SPINE"), ("THORAKOLUMBAL", "SPINE"), ("胸骨", "STERNUM"),
        ("ГРУДИНА", "STERNUM"),
    ],
)  # fmt: skip
def test_another_body_part_is_refused_in_every_language(part, known):
    result = named(part, "utf-8")
    assert result.quality.status == "refused"
    assert f"not read: body part {known}; chest radiographs are accepted" in result.quality.reasons


@pytest.mark.parametrize("part", ["JOHN DOE", "XYZ", "12", "ÉÉÉ"])
def test_an_unknown_body_part_is_a_note_and_is_not_kept(part):
    result = named(part, "utf-8")
    assert result.quality.reasons == ()
    assert result.quality.notes == ("body part not recognised: taken as a chest",)
    assert part not in str(result.header)


@pytest.mark.parametrize("modality", ["DR", "XR", "RG", "RX", "X-RAY", "dx", "Dr ", "PX", "DIGITAL"])
@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"])
def test_the_sop_class_decides_where_the_modality_is_unknown(modality, sop_class):
    assert image(Modality=modality, SOPClassUID=sop_class).quality.status == "ok"


@pytest.mark.parametrize(
    ("modality", "sop_class"), [("CT", ""), ("PX", ""), ("PX", "1.2.840.10008.5.1.4.1.1.7"), ("MG", "")]
)
def test_another_modality_is_refused_without_a_radiographs_sop_class(modality, sop_class):
    elements = {"SOPClassUID": sop_class or "1.2.840.113619.4.2", "Modality": modality}
    result = image(**elements).quality
    assert result.status == "refused"
    assert not any("the SOP class decides" in note for note in result.notes)


@pytest.mark.parametrize(
    ("words", "view"),
    [
        ("PA", "PA"), ("P-A", "PA"), ("CHEST PA", "PA"), ("POSTERO-ANTERIOR", "PA"), ("POSTEROANTERIOR", "PA"),
        ("AP SUPINE", "AP"), ("ANTEROPOSTERIOR", "AP"), ("A.P.", "AP"), ("FRONTAL", "FRONTAL"), ("DE FACE", "FRONTAL"),
        ("正位", "FRONTAL"), ("LAT", "LL"), ("LLAT", "LL"), ("R LAT", "LL"), ("LEFT LATERAL", "LL"), ("LATERALE", "LL"),
        ("PROFIL", "LL"), ("PERFIL", "LL"), ("SEITLICH", "LL"), ("側面", "LL"), ("侧位", "LL"), ("BOCZNE", "LL"),
        ("LAT DECUB", "LLD"), ("RAO OBLIQUE", "LLO"), ("FLAT PLATE", None),
        ("AP DECUBITO SUPINO", "AP"), ("AP DECUBITO SUPI", "AP"), ("PA DECUBITO PRONO", "PA"),
        ("DECUBITUS DORSAL", None), ("DECUBITO DORSAL", None), ("DECUBITO VENTRAL", None), ("DECUBITO SUPINO", None),
        ("LEFT DECUBITUS DORSO-VENTRAL", "LLD"), ("DECUBITO LATERAL", "LLD"), ("LATERAL, DECUBITO SUPINO", "LL"),
        ("BED SIDE", None), ("AP BED SIDE", "AP"), ("LINKE SEITE AP", "AP"), ("BILATERAL", None),
        ("BI-LATERAL", None), ("UNILATERAL", None), ("COLLATERAL", None), ("LATERALITY L", None),
        ("LATERALIDAD I", None), ("RTLAT", "LL"), ("LTLAT", "LL"), ("RT LAT", "LL"), ("LATL", "LL"), ("LATR", "LL"),
        ("PROFILO", "LL"), ("HIGH PROFILE", None), ("UPRIGHT", None), ("", ""),
    ],
)  # fmt: skip
def test_views_in_several_languages(words, view):
    assert view_position([words]) == view


def code(value: str, scheme: str = "SRT") -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "SECRETNAME"
    return item


def private(meaning: str) -> Dataset:
    item = code("V1", "99VENDOR")
    item.CodeMeaning = meaning
    return item


@pytest.mark.parametrize("value", ["R-10236", "R-10232", "399173006", "399198007", "399067008"])
def test_a_lateral_by_its_view_code_is_refused(value):
    result = image(ViewPosition=None, ViewCodeSequence=[code(value)])
    assert result.quality.reasons[0].startswith("not read: lateral view")
    assert "SECRETNAME" not in str(result.header)
    contradicting = image(ViewCodeSequence=[code(value)]).quality
    assert (contradicting.status, contradicting.reasons[0][:14]) == ("warning", "may be lateral")


def test_a_frontal_by_its_view_code_needs_no_view_position():
    result = image(ViewPosition=None, ViewCodeSequence=[code("399348003", "SCT")]).quality
    assert (result.status, result.notes) == ("ok", ())
    assert (
        image(ViewPosition=None, ViewCodeSequence=[code("R-10220")]).quality.reasons[0].startswith("not read: oblique")
    )


@pytest.mark.parametrize("orientation", [["A", "F"], ["P", "F"], ["AR", "F"], ["P", "H"]])
def test_a_lateral_by_its_orientation_is_refused(orientation):
    assert image(ViewPosition=None, PatientOrientation=orientation).quality.reasons[0].startswith("not read: lateral")
    assert image(ViewPosition=None, PatientOrientation=orientation).quality.notes == ()
    assert image(ViewPosition="UPRIGHT", PatientOrientation=orientation).quality.notes == ()
    assert image(PatientOrientation=orientation).quality.reasons[-1].startswith("may be lateral")


@pytest.mark.parametrize(
    "elements",
    [
        {"AcquisitionDeviceProcessingDescription": "CHEST LATERAL"},
        {"SeriesDescription": "Thorax seitlich"},
        {"ProtocolName": "CHEST LAT"},
        {"ViewCodeSequence": [private("Lateral chest")]},
    ],
)
def test_a_lateral_by_a_description_is_a_warning(elements):
    result = image(ViewPosition="", **elements)
    assert result.quality.reasons == ("may be lateral: a description in the header says so",)
    assert not any(str(text) in str(result.header) for text in elements.values())
    assert "Lateral chest" not in str(result.header)
    # what View Position says is believed
    assert image(**elements).quality.status == "ok"


@pytest.mark.parametrize(
    "description",
    [
        "CHEST PA AND LATERAL",
        "CHEST 2 VIEWS PA/LAT",
        "THORAX",
        "FLAT PANEL",
        "CHEST AT BED SIDE",
        "BILATERAL LUNGS",
        "LATERALITY L",
        "High profile",
        "Chest unilateral",
    ],
)
def test_a_description_of_several_views_is_no_lateral(description):
    assert image(ViewPosition="", SeriesDescription=description).quality.status == "ok"


@pytest.mark.parametrize(
    ("orientation", "stored"),
    [
        (["R", "F"], lambda a: a[:, ::-1]),
        (["L", "H"], lambda a: a[::-1]),
        (["R", "H"], lambda a: a[::-1, ::-1]),
        (["F", "R"], lambda a: np.rot90(a, 1)),
        (["H", "L"], lambda a: np.rot90(a, -1)),
        (["F", "L"], lambda a: a.T),
        (["RA", "FL"], lambda a: a[:, ::-1]),
    ],
)
def test_a_mirrored_or_turned_orientation_is_a_warning_and_corrected_on_request_only(orientation, stored):
    from cxr_core.reading import open_image

    values = np.ascontiguousarray(stored(IMAGE))
    data = phantom_dicom(values=values, PatientOrientation=orientation, ImagerPixelSpacing=[0.2, 0.1995])
    as_filed = read_radiograph(data)
    np.testing.assert_array_equal(as_filed.values, values)
    assert any(reason.startswith("Patient Orientation says") for reason in as_filed.quality.reasons)
    mirrored = orientation not in (["R", "H"], ["F", "R"], ["H", "L"])
    assert as_filed.quality.pose.mirrored == mirrored
    right = open_image(data, follow_orientation=True)
    np.testing.assert_array_equal(right.values, IMAGE)
    assert (right.quality.status, right.quality.reasons) == ("ok", ())
    assert any("option follow-orientation" in words and ("mirrored" in words) == mirrored for words in right.transforms)
    turned = values.shape != IMAGE.shape
    assert right.spacing_mm == ((0.1995, 0.2) if turned else (0.2, 0.1995))


@pytest.mark.parametrize("orientation", [["L", "F"], ["L", "FP"], ["L"], [], ["X", "Y"], ["L", "L"]])
def test_the_conventional_orientation_or_none_changes_nothing(orientation):
    from cxr_core.reading import open_image

    result = open_image(phantom_dicom(values=IMAGE, PatientOrientation=orientation), follow_orientation=True)
    assert (result.quality.status, result.pose.mirrored, result.pose.quarter_turns) == ("ok", False, 0)


def test_burned_in_annotation_is_one_warning():
    assert image(BurnedInAnnotation="YES").quality.reasons == (
        "the file says that text is burned into the image: look for a name before you share it",
    )
    assert image(BurnedInAnnotation="NO").quality.status == "ok"
    result = read_radiograph(phantom_dicom(256, 224, BurnedInAnnotation="yes")).quality.reasons
    assert sum("look for a name" in reason for reason in result) == 1


@pytest.mark.parametrize(
    ("elements", "size", "spacing"),
    [
        ({"PixelSpacing": [0.1, 0.2]}, (64, 128), (0.1, 0.1)),
        ({"ImagerPixelSpacing": [0.3, 0.2]}, (96, 64), (0.2, 0.2)),
        ({"ImagerPixelSpacing": [0.2, 0.2], "PixelAspectRatio": [1, 1]}, (64, 64), (0.2, 0.2)),
        ({"PixelAspectRatio": [1, 2]}, (64, 128), None),
        ({"PixelSpacing": [0.143, 0.144]}, (64, 64), (0.143, 0.144)),
        ({"PixelAspectRatio": [1, 50]}, (64, 64), None),
        ({"PixelAspectRatio": [0, 0]}, (64, 64), None),
    ],
)
def test_an_image_gets_square_pixels_with_their_spacing(elements, size, spacing):
    result = read_radiograph(phantom_dicom(values=RAMP, **({"ImagerPixelSpacing": None} | elements)))
    assert (result.rows, result.columns) == size
    assert result.spacing_mm == (None if spacing is None else pytest.approx(spacing))
    if "PixelAspectRatio" not in elements or result.rows == result.columns:
        return
    turned = read_radiograph(phantom_dicom(values=RAMP, ImagerPixelSpacing=None, **elements), quarter_turns=1)
    np.testing.assert_array_equal(turned.display, np.rot90(result.display, -1))


def test_the_network_and_the_maps_see_square_pixels(predictor):
    from cxr_core.explain import heat_maps
    from cxr_core.reading import read_image

    whole, half = IMAGE, np.ascontiguousarray(IMAGE[:, ::2])
    spacing = {"ImagerPixelSpacing": [0.5, 0.5]}
    _, one = read_image(phantom_dicom(values=whole, **spacing), predictor)
    radiograph, other = read_image(phantom_dicom(values=half, ImagerPixelSpacing=[0.5, 1.0]), predictor)
    assert (radiograph.rows, radiograph.columns) == whole.shape
    assert other.placement == one.placement
    first, second = (heat_maps(reading, predictor.card)[0] for reading in (one, other))
    np.testing.assert_allclose(first.to_original, second.to_original)
    assert first.cell_mm == pytest.approx(second.cell_mm)
    # half of the columns are gone; stretched to half the width the picture would be another
    logits = [np.array([finding.logit for finding in reading.findings]) for reading in (one, other)]
    _, squeezed = read_image(phantom_dicom(values=half, **spacing), predictor)
    far = np.abs(np.array([finding.logit for finding in squeezed.findings]) - logits[0]).mean()
    assert np.abs(logits[1] - logits[0]).mean() < 0.5 * far


LOW_TABLE = lut(np.arange(4096), bits=16)


@pytest.mark.parametrize("top", [4095, 1023, 16000])
@pytest.mark.parametrize("photometric", [{}, M1])
def test_a_table_is_scaled_by_the_standard_and_by_its_maximum_on_request(top, photometric):
    entries = np.arange(4096) * top // 4095
    data = phantom_dicom(values=RAMP, VOILUTSequence=[lut(entries, bits=16)], **(NONE | photometric))
    letter, by_data = read_radiograph(data), read_radiograph(data, voi_scale="data")
    for result, white in ((letter, 65535), (by_data, top)):
        expected = entries[RAMP] / white
        np.testing.assert_allclose(result.display, 1 - expected if photometric else expected, atol=1e-6)
        assert any(f"declares 65535 as its largest entry and reaches {top}" in r for r in result.quality.reasons)
    assert letter.quality.scalable
    assert not by_data.quality.scalable
    # the viewer offers the other one
    assert [voi.top for voi in letter.alternatives] == [65535, top]
    np.testing.assert_allclose(
        letter.display_under(letter.alternatives[1])[:4096], by_data.pixels.display[:4096], atol=1e-6
    )
    assert any(f"scaled by its own maximum {top}" in words for words in by_data.transforms)


def test_a_table_that_uses_its_range_has_one_scale():
    data = phantom_dicom(values=RAMP, VOILUTSequence=[lut(np.arange(4096), bits=12)], **NONE)
    assert len(read_radiograph(data).alternatives) == 1
    np.testing.assert_array_equal(render8(read_radiograph(data)), render8(read_radiograph(data, voi_scale="data")))


NIFTI = b"\x5c\x01\0\0" + b"\0" * 340 + b"n+1\0" + b"\0" * 64
HEIF = b"\0\0\0\x1cftyp"
REFUSED = {
    "a HEIC image": [
        HEIF + brand + b"\0\0\0\0" for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm")
    ],
    "a HEIF image": [HEIF + b"mif1\0\0\0\0"],
    "an AVIF image": [HEIF + b"avif\0\0\0\0", HEIF + b"avis\0\0\0\0"],
    "an ISO media file (video or image)": [HEIF + b"isom\0\0\0\0"],
    "a NIfTI volume;": [NIFTI, b"\x1c\x02\0\0n+2\0\r\n\x1a\n" + b"\0" * 540],
    "an NRRD volume": [b"NRRD0004\ntype: short\n", b"NRRD0005\n"],
    "a 7z archive": [b"7z\xbc\xaf\x27\x1c\0\4"],
    "a RAR archive": [b"Rar!\x1a\x07\0\xcf", b"Rar!\x1a\x07\1\0"],
    "a gzip archive": [b"\x1f\x8b\x08\0" + b"\0" * 20],
    "a bzip2 archive": [b"BZh91AY&SY"],
    "an xz archive": [b"\xfd7zXZ\0\0\4"],
    "a JPEG XL image": [b"\xff\x0a\xfa\x1f", b"\0\0\0\x0cJXL \r\n\x87\n"],
    "a bare JPEG 2000": [b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51\0\x2f"],
    "a MetaImage header": [b"ObjectType = Image\nNDims = 3\n"],
    "an HDF5 file": [b"\x89HDF\r\n\x1a\n\0\0"],
    "a NumPy array": [b"\x93NUMPY\x01\0"],
    "a GIF image": [b"GIF89a\0\0", b"GIF87a\0\0"],
    "it is text": ["Image;Score\na;0,5\n".encode("utf-16"), b"Image;Score\n"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "data"), [(name, data) for name, every in REFUSED.items() for data in every])
def test_refused_formats_are_named_with_what_to_do(name, data):
    with pytest.raises(InputRefused) as refusal:
        read_radiograph(data)
    assert name in str(refusal.value)
    assert "Accepted: DICOM" in str(refusal.value)


def test_a_nifti_in_gzip_is_named():
    import gzip

    with pytest.raises(InputRefused, match="a NIfTI volume in gzip"):
        read_radiograph(gzip.compress(REFUSED["a NIfTI volume;"][0]))
    with pytest.raises(InputRefused, match="a gzip archive"):
        read_radiograph(gzip.compress(phantom_dicom(64, 64)))


@pytest.mark.parametrize(("method", "name"), [(9, "deflate64"), (98, "PPMd"), (97, "method 97")])
def test_a_zip_of_another_method_is_named(method, name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IM1", phantom_dicom(64, 64))
    data = file.getvalue()
    at = data.index(b"PK\1\2")
    data = data[:8] + method.to_bytes(2, "little") + data[10 : at + 10] + method.to_bytes(2, "little") + data[at + 12 :]
    with pytest.raises(InputRefused, match=f"compressed by {name}"):
        shared_decoder().unpacked(data, 10**6)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (cut(dicom(**FULL), 43), "fewer than its rows and columns"),
        (cut(jpeg_of(SOFT), 40), "broken or truncated"),
        (lambda: encapsulated(JPEG, cut(jpeg_of(SOFT), 40), **EIGHT)(), "do not decode"),
        (lambda: encapsulated("1.2.840.10008.1.2.4.80", cut(lambda: imagecodecs.jpegls_encode(RAMP), 40), **FULL)(),
         "do not decode"),
        (tiff(DEEP, bigtiff=True, byteorder=">"), "BigTIFF in big endian"),
        (edited(raw("US", Rows=b""), **FULL), "without rows"),
        (short_palette(0), "palette has no entries"),
        *((cut(encapsulated(syntax, frame, **FULL), 200), "truncated")
          for syntax, frame in (
              ("1.2.840.10008.1.2.4.90", lambda: imagecodecs.jpeg2k_encode(RAMP, level=0, codecformat="j2k")),
              ("1.2.840.10008.1.2.5", lambda: RAMP.tobytes()),
          )),
        *((tiff(DEEP, planarconfig="separate", **options), "16-bit colour in planes")
          for options in ({}, {"compression": "zlib"}, {"compression": "lzw", "predictor": True},
                          {"byteorder": ">"}, {"tile": (32, 32), "compression": "zlib"})),
        (tiff(np.dstack([DEEP, np.full((64, 64, 1), 30000, np.uint16)]), planarconfig="separate", compression="zlib"),
         "16-bit colour in planes"),
        *((tiff(np.dstack([RAMP, RAMP]), compression="zlib", predictor=True, tile=(32, 32), **options),
           "in tiles of differences")
          for options in ({}, {"byteorder": ">"}, {"bigtiff": True})),
    ],
)  # fmt: skip
def test_incomplete_files_are_refused(make, words):
    with pytest.raises(InputRefused, match=words):
        read_radiograph(make())


def test_several_pages_and_animations_are_refused():
    page = Image.fromarray((RAMP >> 4).astype(np.uint8))
    for kind in ("TIFF", "WEBP"):
        file = io.BytesIO()
        page.save(file, kind, save_all=True, append_images=[page.rotate(90)])
        with pytest.raises(InputRefused, match="2 pages"):
            read_radiograph(file.getvalue())


@pytest.mark.parametrize("orientation", range(2, 9))
def test_sixteen_bit_colour_is_oriented_as_by_pillow(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    small = np.add.outer(np.arange(40) * 700, np.arange(64) * 400).astype(np.uint16)
    file = io.BytesIO()
    Image.fromarray(small).save(file, "PNG", exif=exif)
    grey = read_radiograph(file.getvalue())
    data = imagecodecs.png_encode(np.dstack([small] * 3))
    chunk = file.getvalue()
    at = chunk.index(b"eXIf") - 4
    length = int.from_bytes(chunk[at : at + 4], "big") + 12
    end = data.index(b"IDAT") - 4
    deep = read_radiograph(data[:end] + chunk[at : at + length] + data[end:])
    np.testing.assert_array_equal(deep.values, grey.values)


CASES = Path("cases")
SAID = {
    "A1_voi_lut_16_declared_12_used.dcm": "voi-scale",
    "A2_voi_lut_4000_of_4096_words.dcm": "use its last entry",
    "A8b_voi_lut_item_without_data.dcm": "left out",
    "A8e_modality_lut_item_empty.dcm": "left out",
    "B1_colour_capture_with_ct_rescale.dcm": "not applied",
    "B3_window_with_a_comma.dcm": "decimal comma",
    "B7_slope_zero.dcm": "left out",
    "B9_slope_text.dcm": "left out",
    "C11_colour_jpeg_named_mono.dcm": "luma",
    "C14d_explicit_named_implicit.dcm": "another transfer syntax",
    "C9b_no_sequence_delimiter.dcm": "no end",
    "D11_no_BitsStored.dcm": "Bits Stored is missing",
    "D11_no_PixelRepresentation.dcm": "Pixel Representation is missing",
    "D12b_photometric_lower_case.dcm": "",
    "D14_padding_two_values.dcm": "padding value",
    "D16b_32_bits_allocated_12_stored.dcm": "",
    "D19_aspect_1_to_2.dcm": "made square: 448 x 512 pixels",
    "D2b_two_bytes_short.dcm": "1 of 229376 pixels",
    "D9d_big_endian_no_meta.dcm": "",
    "E1_modality_DR.dcm": "",
    "E2_body_TORAX.dcm": "",
    "E3_lateral_by_view_code.dcm": "not read: lateral view",
    "E4_mirrored_by_patient_orientation.dcm": "mirrored",
    "E5_lateral_in_processing_description.dcm": "may be lateral",
    "E7_burned_in_yes.dcm": "look for a name",
    "F1_grey_alpha_16_12bit_data.png": "percentile window",
    "F6_phone_mpo.jpg": "the first of 2 images",
    "F7_picture.webp": "luma",
    "F7b_picture.heic": "HEIC image; export it as JPEG or PNG",
    "F8j_tiff_16_with_alpha.tif": "alpha: left out",
    "F8k_tiff_with_thumbnail_page.tif": "page 1 of 2",
    "F8l_tiff_deflate_bigtiff.tif": "16 bits",
    "H1_colour_leftover_12bit_window.dcm": "not applied",
    "H2_palette_leftover_window.dcm": "not applied",
    "I4_jpeg_no_eoi.dcm": "no end marker",
}
LOSSY = {"C11_colour_jpeg_named_mono.dcm", "I4_jpeg_no_eoi.dcm"}


@pytest.mark.needs_shared
@pytest.mark.parametrize("name", SAID)
def test_the_reported_files_are_read_right(name, shared):
    file = shared.parent / CASES / name
    if name.endswith(".heic"):
        with pytest.raises(InputRefused, match=SAID[name]):
            read_radiograph(file.read_bytes())
        return
    result = read_radiograph(file.read_bytes())
    quality = result.quality
    assert SAID[name] in "; ".join((*result.transforms, *quality.reasons, *quality.notes))
    expected = file.with_suffix(".expected.png")
    if expected.is_file():
        ours, right = render8(result).astype(int), np.asarray(Image.open(expected)).astype(int)
        far = np.abs(ours - right)
        if name.startswith("D2b"):
            # the pixel that is missing is painted as padding, as DCMTK paints it
            assert ours[-1, -1] == 0
            far[-1, -1] = 0
        assert far.max() <= (2 if name in LOSSY else 1)


@pytest.mark.needs_shared
def test_every_reported_file_is_listed(shared):
    folder = shared.parent / CASES
    files = {p.name for p in folder.iterdir() if p.is_file() and p.suffix != ".md" and ".expected" not in p.name}
    assert files == set(SAID)


@pytest.mark.needs_shared
def test_the_reported_medium_is_read(shared, capsys):
    from cxr_core.cli.main import main

    assert main(["predict", str(shared.parent / CASES / "media_lower" / "DICOMDIR"), "--json"]) == 0
    out, _ = capsys.readouterr()
    assert len(out.splitlines()) == 1
