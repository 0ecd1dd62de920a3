"""Small files that grow, or that keep a decoder busy: what becomes of the memory and the time of who opens them."""

import io
import json
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_dicom, read_radiograph
from cxr_core.imaging.isolated_decoder import IsolatedDecoder, Unpacked
from tests.bombs import BOMBS, GROWING, GROWN, SLOW, STUDY, central_directory_of, deflated_zeros, zip_of

PROJECT = Path(__file__).resolve().parents[2]
SECONDS, DECODER_MB, FILE_MB, SESSION_MB = 3, 300, 50, 70
LIBRARIES_MB = 150
"""What a decoder process takes before it opens anything, and some."""
GROWTH_MB = 2 * FILE_MB
"""docs/security.md: beside the file itself, who reads holds an inflated data set and its pixels."""

linux_only = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is bounded on Linux only")


def opened(folder, way, *names, **environment):
    """Return what came of each file, opened one after the other in a process of its own."""
    # made here: what it takes to make a file is none of that process' memory
    for name in names:
        (folder / name).write_bytes(BOMBS[name]())
    limits = {
        "DECODE_SECONDS": SECONDS,
        "DECODE_MEMORY_MB": DECODER_MB,
        "MAX_FILE_MB": FILE_MB,
        "SESSION_MB": SESSION_MB,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.swelling", way, *(str(folder / name) for name in names)],
        cwd=PROJECT,
        env=os.environ | {f"SECOND_READ_{name}": str(value) for name, value in (limits | environment).items()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
@linux_only
def test_files_that_grow_cost_the_reader_no_memory_and_the_decoder_no_more_than_it_may(tmp_path):
    files = opened(tmp_path, "read", *GROWING)
    for file in files:
        assert file["grew"] < GROWTH_MB < GROWN / 2, file
        assert file["decoder"] < DECODER_MB + LIBRARIES_MB, file
        assert "\n" not in file["outcome"]
    # a picture that has more data than it needs is read: what is beyond is never decoded
    assert {file["name"] for file in files if file["outcome"] == "read"} == {
        "PNG with too much data",
        "TIFF with a strip that grows",
    }


@pytest.mark.slow
@linux_only
def test_the_command_reads_the_file_beside_one_that_grows_or_that_never_ends(tmp_path):
    names = "deflated DICOM without group length", "DICOM of RLE runs", "zip that grows", "TIFF of 400,000 directories"
    files = opened(tmp_path, "predict", *names)
    for file in files:
        assert file["outcome"] == "status 3, 1 read", file
        assert file["grew"] < GROWTH_MB, file
        # a process that was ended starts again for the next file; the machine may be busy
        assert file["seconds"] < SECONDS + 20, file


@pytest.mark.slow
@linux_only
def test_files_that_never_end_are_refused_in_time(tmp_path):
    files = opened(tmp_path, "read", *SLOW)
    for file in files:
        assert file["outcome"] != "read", file
        assert file["seconds"] < SECONDS + 20, file
    assert "time than is allowed (300 MB, 3 s)" in files[0]["outcome"]


@pytest.mark.slow
@linux_only
def test_an_archive_is_unpacked_into_what_the_list_has_room_for_and_no_further(tmp_path):
    (file,) = opened(tmp_path, "drop", STUDY, MAX_ZIP_RATIO=2000)
    assert file["outcome"] == f"3 added, 17 skipped: the worklist holds at most {SESSION_MB} MB of files"
    # 400 MB are packed; what is taken is held, and one member on its way
    assert 50 <= file["grew"] < SESSION_MB + 2 * 20
    # one member at a time
    assert file["decoder"] < LIBRARIES_MB + 4 * 20


@pytest.fixture(scope="module")
def apart():
    decoder = IsolatedDecoder(seconds=20, megabytes=300, processes=1)
    yield decoder
    decoder.close()


def test_a_deflated_data_set_is_read_with_and_without_the_length_of_its_meta_information():
    whole = phantom_dicom(64, 48)
    ds = pydicom.dcmread(io.BytesIO(whole))
    ds.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    out = io.BytesIO()
    ds.save_as(out)
    data = out.getvalue()
    for deflated in (data, data[:132] + data[144:]):
        np.testing.assert_array_equal(read_radiograph(deflated).display, read_radiograph(whole).display)
        with pytest.raises(InputRefused, match=r"broken or truncated|pixel data are truncated"):
            read_radiograph(deflated[: len(deflated) // 2])


def test_a_deflated_data_set_within_a_deflated_one_is_refused():
    inner = deflated_zeros(megabytes=1)
    meta = inner[: 144 + int.from_bytes(inner[140:144], "little")]
    packer = zlib.compressobj(wbits=-15)
    with pytest.raises(InputRefused, match="broken or truncated"):
        read_radiograph(meta + packer.compress(inner) + packer.flush())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data, start: data[: start + 8] + b"\x01\x00" + data[start + 10 :], "encrypted"),
        (lambda data, start: data[: start + 10] + b"\x09\x00" + data[start + 12 :], "compressed by deflate64"),
        (lambda data, start: data[: start + 10] + b"\x62\x00" + data[start + 12 :], "compressed by PPMd"),
        (lambda data, start: data[: start + 10] + b"\x63\x00" + data[start + 12 :], "compressed by method 99"),
        (lambda data, start: data[: start + 24] + b"\xff\xff\xff\x7f" + data[start + 28 :], "a file beyond"),
        (lambda data, start: data[: start + 42] + b"\xff\xff\xff\x0f" + data[start + 46 :], "broken"),
        (lambda data, start: data[:-22], "broken"),
        (lambda data, start: data[:-10] + b"\xff\xff\xff\xfe" + data[-6:], "more than 10000 entries"),
        (lambda data, start: data[:-10] + b"\x00\x00\x00\x00" + data[-6:], "without images"),
    ],
)
def test_an_archive_says_what_is_wrong_with_it(apart, change, words):
    data = zip_of(("a", b"abc" * 100))
    with pytest.raises(InputRefused, match=words):
        read_radiograph(change(data, central_directory_of(data)[0]), decoder=apart)


def test_a_refusal_in_the_middle_of_an_archive_leaves_the_process_usable(apart):
    files = zip_of(("a", b"1"), ("b", b"whole"), method=zipfile.ZIP_STORED)
    with pytest.raises(InputRefused, match="broken"):
        apart.unpacked(files.replace(b"whole", b"wrong"), 10**6)
    assert apart.unpacked(files, 10).files == [("a", b"1"), ("b", b"whole")]
    assert apart.unpacked(files, 5) == Unpacked([("a", b"1")], left_out=1)
