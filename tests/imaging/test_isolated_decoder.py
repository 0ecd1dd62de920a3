import io
import os
import signal
import subprocess

import numpy as np
import pytest
from PIL import Image

from cxr_core.errors import InputRefused
from cxr_core.imaging import phantom_png, read_radiograph
from cxr_core.imaging.dataset import inflate
from cxr_core.imaging.frame_decoding import container_pixels
from cxr_core.imaging.isolated_decoder import IsolatedDecoder
from cxr_core.imaging.raster import read_raster
from cxr_core.imaging.zip_archive import ArchiveReader
from tests.mutations import mutated, opened, seeds


class Within:
    """Decodes in the process of the tests."""

    def frame(self, ds, data):
        return container_pixels(ds)

    def raster(self, data, kind):
        return read_raster(data, kind)

    def inflated(self, data, at):
        return inflate(data, at, 200_000_000)

    def check_archive(self, data):
        ArchiveReader(io.BytesIO(data))


WITHIN = Within()


@pytest.fixture(scope="module")
def apart():
    decoder = IsolatedDecoder(seconds=20, megabytes=400, processes=1)
    yield decoder
    decoder.close()


def child(decoder: IsolatedDecoder) -> subprocess.Popen:
    """Return its one process."""
    (worker,) = decoder._files._workers
    return worker._child


def test_the_answer_is_that_of_this_process(apart):
    for name, data in seeds().items():
        if name.startswith("zip"):
            continue
        here, there = read_radiograph(data, decoder=WITHIN), read_radiograph(data, decoder=apart)
        np.testing.assert_array_equal(here.display, there.display, err_msg=name)
        assert (here.transforms, here.warnings) == (there.transforms, there.warnings), name


def test_refusals_are_the_same(apart):
    # the words of a limit aside, which are the process' own
    for what, data in mutated(150, seed=11):
        answers = []
        for decoder in (WITHIN, apart):
            try:
                answers.append([read_radiograph(content, decoder=decoder).rows for content in opened(data)])
            except InputRefused as refusal:
                answers.append(str(refusal))
        assert answers[0] == answers[1], what


def test_a_decoder_that_dies_costs_one_file_and_the_next_is_read(apart):
    data = phantom_png(64, 64)
    read_radiograph(data, decoder=apart)
    dying = child(apart)
    dying.kill()
    dying.wait()
    assert read_radiograph(data, decoder=apart).rows == 64


def test_a_decoder_that_hangs_is_ended_in_time():
    decoder = IsolatedDecoder(seconds=0.5, megabytes=400, processes=1)
    data = phantom_png(64, 64)
    read_radiograph(data, decoder=decoder)
    hanging = child(decoder)
    hanging.send_signal(signal.SIGSTOP)
    with pytest.raises(InputRefused, match=r"decoder failed, or took more memory or time .*0.5 s"):
        read_radiograph(data, decoder=decoder)
    assert hanging.poll() == -signal.SIGKILL
    assert read_radiograph(data, decoder=decoder).rows == 64
    decoder.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is bounded on Linux only")
def test_an_image_beyond_the_memory_bound_is_refused_and_the_next_is_read(monkeypatch):
    # with which Rust waited for ever for the memory that it takes to print the backtrace of a panic
    monkeypatch.setenv("RUST_BACKTRACE", "1")
    decoder = IsolatedDecoder(seconds=20, megabytes=60, processes=1)
    file = io.BytesIO()
    # 36 million pixels of 16 bits within the limit of pixels, 72 MB decoded, a few kB as a file
    Image.fromarray(np.zeros((6000, 6000), dtype=np.uint16)).save(file, "PNG")
    with pytest.raises(InputRefused, match=r"needs more memory to decode|far too many pixels"):
        read_radiograph(file.getvalue(), decoder=decoder)
    answered = child(decoder)
    assert read_radiograph(file.getvalue(), decoder=WITHIN).rows == 6000
    assert read_radiograph(phantom_png(64, 64), decoder=decoder).rows == 64
    assert child(decoder) is answered
    decoder.close()
