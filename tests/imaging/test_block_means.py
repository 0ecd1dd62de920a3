import numpy as np
import pytest

from cxr_core.imaging.block_means import block_means


def test_a_small_picture_keeps_its_size():
    display = np.linspace(0, 1, 300 * 200, dtype=np.float32).reshape(300, 200)
    np.testing.assert_array_equal(block_means(display), np.rint(display * 255))


@pytest.mark.parametrize("block", [2, 3])
def test_means_of_blocks_by_hand(block):
    rng = np.random.default_rng(block)
    display = rng.random((512 * block, 300 * block + 1), dtype=np.float32)
    cut = display[:, : 300 * block].astype(float)
    expected = cut.reshape(512, block, 300, block).mean(axis=(1, 3)) * 255
    np.testing.assert_allclose(block_means(display), expected, atol=0.51)


def test_of_large_blocks_every_second_row_is_taken():
    display = np.zeros((2560, 2048), dtype=np.float32)
    display[::2] = 1
    # blocks of 5 x 5: rows 0, 2 and 4 of one block are white, of the next they are black
    small = block_means(display)
    assert small.shape == (512, 409)
    np.testing.assert_array_equal(small[:4, 0], [255, 0, 255, 0])


@pytest.mark.parametrize("shape", [(16, 16), (16, 5000), (4000, 20)])
def test_a_narrow_picture_is_not_reduced_to_nothing(shape):
    small = block_means(np.ones(shape, dtype=np.float32))
    assert min(small.shape) >= 16
    assert (small == 255).all()
