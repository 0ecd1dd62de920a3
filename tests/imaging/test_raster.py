import io
import zlib

import numpy as np
import pytest
from PIL import Image

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_png, read_radiograph, render8

GREY = np.add.outer(np.arange(40), np.arange(60)).astype(np.uint8) * 2


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_eight_bits_are_unchanged_in_every_mode(kind, mode):
    if (kind, mode) == ("TIFF", "LA"):
        image = Image.fromarray(GREY).convert("LA")
    else:
        image = Image.fromarray(GREY).convert(mode)
    radiograph = read_radiograph(encoded(image, kind))
    np.testing.assert_array_equal(render8(radiograph), GREY)
    assert radiograph.kind == kind.lower()


def test_colour_becomes_luma_with_a_warning():
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:] = (200, 100, 50)
    image = read_radiograph(encoded(Image.fromarray(rgb), "PNG"))
    # 0.299 * 200 + 0.587 * 100 + 0.114 * 50 = 124.2
    assert image.values[0, 0] == 124
    assert any("in colour" in reason for reason in image.quality.reasons)


def test_jpeg_grey_and_cmyk():
    grey = Image.fromarray(GREY)
    image = read_radiograph(encoded(grey, "JPEG", quality=100))
    assert np.abs(render8(image).astype(int) - GREY).max() <= 3
    cmyk = read_radiograph(encoded(grey.convert("CMYK"), "JPEG", quality=100))
    assert np.abs(render8(cmyk).astype(int) - GREY).max() <= 4


def test_transparent_parts_are_black():
    rgba = np.full((32, 32, 4), 255, np.uint8)
    rgba[:16, :, 3] = 0
    image = read_radiograph(encoded(Image.fromarray(rgba), "PNG"))
    assert (image.values[:16] == 0).all()
    assert (image.values[16:] == 255).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_their_depth_and_get_a_percentile_window(kind):
    values = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint16) * 32 + 7
    image = read_radiograph(encoded(Image.fromarray(values), kind))
    np.testing.assert_array_equal(image.values, values)
    assert "no VOI: percentile window" in image.voi.explanation
    low, high = np.percentile(values, (0.5, 99.5))
    middle = image.values[30, 33]
    assert image.display[30, 33] == pytest.approx((middle - low) / (high - low), abs=1e-6)


def test_white_is_zero_tiff_is_inverted_once():
    values = (np.arange(32 * 32).reshape(32, 32) % 200).astype(np.uint16)
    deep = read_radiograph(encoded(Image.fromarray(values), "TIFF", tiffinfo={262: 0}))
    np.testing.assert_array_equal(deep.values, 65535 - values.astype(int))
    # Pillow turns 8 bits over when it writes such a file, so that the picture stays what it was
    data = encoded(Image.fromarray(values.astype(np.uint8)), "TIFF", tiffinfo={262: 0})
    assert (255 - values.astype(np.uint8)).tobytes() in data
    np.testing.assert_array_equal(read_radiograph(data).values, values)


def test_exif_orientation_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: rotate by 90 degrees clockwise
    image = read_radiograph(encoded(Image.fromarray(GREY), "PNG", exif=exif))
    np.testing.assert_array_equal(render8(image), np.rot90(GREY, -1))


@pytest.mark.parametrize(
    ("image", "kind", "options", "words"),
    [
        (Image.fromarray(np.zeros((32, 32), np.float32)), "TIFF", {}, "8 or 16 bits"),
        (Image.new("L", (8, 8)), "PNG", {}, "at least 16 per side"),
    ],
)
def test_what_is_not_an_image_is_refused_with_the_reason(image, kind, options, words):
    with pytest.raises(InputRefused, match=words):
        read_radiograph(encoded(image, kind, **options))


def test_several_pages_are_refused():
    page = Image.fromarray(GREY)
    with pytest.raises(InputRefused, match="2 pages"):
        read_radiograph(encoded(page, "TIFF", save_all=True, append_images=[page]))


def test_too_many_pixels_are_refused_before_decoding():
    header = bytearray(phantom_png(64, 64))
    header[16:24] = (9000).to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    with pytest.raises(InputRefused, match="9000 x 9000 pixels: 64 million"):
        read_radiograph(bytes(header))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused_in_one_line(share):
    for data in (phantom_png(64, 64), encoded(Image.fromarray(GREY), "TIFF"), encoded(Image.fromarray(GREY), "JPEG")):
        with pytest.raises(InputRefused) as refusal:
            read_radiograph(data[: max(9, int(share * len(data)))])
        assert "\n" not in str(refusal.value)
