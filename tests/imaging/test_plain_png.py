import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom, raster
from cxr_core.imaging.plain_png import decode_plain_png
from cxr_core.imaging.raster import read_raster

FILTERS = range(5)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def filtered(values, kinds):
    """Return rows of big-endian samples, each behind a filter's number and under that filter (PNG 9.2)."""
    size = values.dtype.itemsize
    rows = values.astype(values.dtype.newbyteorder(">")).view(np.uint8).reshape(len(values), -1).astype(int)
    left, up = (np.pad(rows, ((0, 0), (size, 0)))[:, :-size], np.pad(rows, ((1, 0), (0, 0)))[:-1])
    corner = np.pad(up, ((0, 0), (size, 0)))[:, :-size]
    estimate = left + up - corner
    distances = np.stack([abs(estimate - one) for one in (left, up, corner)])
    paeth = np.choose(distances.argmin(axis=0), [left, up, corner])
    predicted = np.stack([np.zeros_like(rows), left, up, (left + up) // 2, paeth])
    content = ((rows - predicted[kinds, np.arange(len(rows))]) % 256).astype(np.uint8)
    return np.column_stack([np.asarray(kinds, dtype=np.uint8), content]).tobytes()


def png(values, kinds=None, *, before=b"", behind=b"", step=1000, content=None):
    rows, columns = values.shape
    bits = 8 * values.dtype.itemsize
    packed = zlib.compress(filtered(values, np.arange(rows) % 5 if kinds is None else kinds))
    packed = packed if content is None else content
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, bits, 0, 0, 0, 0))
    data = b"".join(chunk(b"IDAT", packed[at : at + step]) for at in range(0, len(packed), step))
    return b"\x89PNG\r\n\x1a\n" + head + before + data + behind + chunk(b"IEND", b"")


def grey(bits, shape=(61, 47)):
    values = np.random.default_rng(bits).integers(0, 1 << bits, shape)
    return values.astype(np.uint8 if bits == 8 else np.uint16)


def by_pillow(data, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(raster, "decode_plain_png", lambda data: None)
        return outcome(data)


def outcome(data):
    try:
        read = read_raster(data, "png")
    except InputRefused as refusal:
        return str(refusal)
    return read.values.tobytes(), read.values.shape, read.values.dtype, read.bits, read.transforms, read.warnings


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", [*FILTERS, None])
def test_every_filter_is_undone(bits, kind):
    values = grey(bits)
    decoded = decode_plain_png(png(values, None if kind is None else np.full(len(values), kind)))
    assert decoded.dtype == values.dtype
    np.testing.assert_array_equal(decoded, values)


@pytest.mark.parametrize("shape", [(1, 1), (1, 70), (70, 1), (300, 257)])
@pytest.mark.parametrize("bits", [8, 16])
def test_the_values_are_those_of_pillow(shape, bits, monkeypatch):
    data = png(grey(bits, shape))
    assert decode_plain_png(data) is not None
    assert outcome(data) == by_pillow(data, monkeypatch)


@pytest.mark.parametrize("text", [b"Software\0matplotlib", b"date:create\x002026-11-27"])
def test_chunks_without_an_effect_are_passed_over(text):
    values = grey(8)
    data = png(
        values, before=chunk(b"gAMA", struct.pack(">I", 45455)) + chunk(b"tEXt", text), behind=chunk(b"tEXt", text)
    )
    np.testing.assert_array_equal(decode_plain_png(data), values)


def with_exif():
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(grey(8)).save(file, "PNG", exif=exif)
    return file.getvalue()


def in_mode(mode):
    file = io.BytesIO()
    Image.fromarray(grey(8)).convert(mode).save(file, "PNG")
    return file.getvalue()


def with_profile():
    text = PngImagePlugin.PngInfo()
    text.add_text("Raw profile type exif", "\nexif\n       4\n45786966\n")
    file = io.BytesIO()
    Image.fromarray(grey(8)).save(file, "PNG", pnginfo=text)
    return file.getvalue()


HUGE_HEAD = chunk(b"IHDR", struct.pack(">IIBBBBB", (1 << 31) - 1, 61, 8, 0, 0, 0, 0))

UNUSUAL = {
    "orientation": with_exif(),
    "orientation behind": png(grey(8), behind=chunk(b"eXIf", b"MM\0*\0\0\0\x08\0\0")),
    "profile": with_profile(),
    "several images": png(grey(8), before=chunk(b"acTL", struct.pack(">II", 2, 0))),
    "transparent grey": png(grey(8), before=chunk(b"tRNS", b"\0\0")),
    **{mode: in_mode(mode) for mode in ("1", "LA", "RGB", "RGBA", "P")},
    "wrong checksum": png(grey(8)).replace(zlib.crc32(b"IEND").to_bytes(4, "big"), b"abcd"),
    "no end": png(grey(8))[:-12],
    "something behind": png(grey(8))[:-12] + b"IEND",
    "too few rows": png(grey(8), content=zlib.compress(filtered(grey(8)[:30], np.zeros(30, int)))),
    "unknown filter": png(grey(8), content=zlib.compress(b"\x09" + filtered(grey(8), np.zeros(61, int))[1:])),
    "not deflated": png(grey(8), content=b"\0" * 3000),
    # room for the first, of 122 GiB, cannot be made, which ends the process; the size of the second is checked
    "two heads": png(grey(8)).replace(b"\0\0\0\rIHDR", HUGE_HEAD + b"\0\0\0\rIHDR"),
    "short gamma behind": png(grey(8), behind=chunk(b"gAMA", b"")),
    "short size of a pixel behind": png(grey(8), behind=chunk(b"pHYs", b"\0")),
    "text in place of a profile": png(grey(8), before=chunk(b"tEXt", b"exif\0abc")),
    "text in place of an orientation": png(grey(8), behind=chunk(b"tEXt", b'xmp\0tiff:Orientation="6')),
    "text in place of interlacing": png(grey(8), before=chunk(b"tEXt", b"interlace\x001")),
    "no image": png(grey(8), content=b""),
    "no head": b"\x89PNG\r\n\x1a\n" + chunk(b"IEND", b""),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_whatever_is_unusual_or_broken_is_left_to_pillow(name, monkeypatch):
    assert decode_plain_png(UNUSUAL[name]) is None
    assert outcome(UNUSUAL[name]) == by_pillow(UNUSUAL[name], monkeypatch)


def test_what_is_read_and_refused_of_broken_files_does_not_change(monkeypatch):
    values = (phantom(96, 80) >> 4).astype(np.uint8)
    whole, rng = png(values, step=700), np.random.default_rng(5)
    kinds = set()
    for number in range(600):
        data = bytearray(whole)
        if number % 3 == 0:
            del data[int(rng.integers(8, len(data))) :]
        else:
            at = int(rng.integers(8, len(data)))
            data[at : at + 1 + number % 4] = rng.bytes(1 + number % 4)
        ours = outcome(bytes(data))
        assert ours == by_pillow(bytes(data), monkeypatch)
        kinds.add(type(ours))
    assert kinds == {str, tuple}


def test_a_wrong_checksum_of_the_pixels_is_not_seen():
    """The one thing in which a file is read that Pillow refuses; the checksums of the chunks are right."""
    values = grey(8)
    packed = zlib.compress(filtered(values, np.arange(61) % 5))
    data = png(values, content=packed[:-4] + b"\0\0\0\0")
    np.testing.assert_array_equal(decode_plain_png(data), values)
