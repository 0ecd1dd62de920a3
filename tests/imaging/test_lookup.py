import numpy as np
import pytest

from cxr_core.imaging import look_up


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_it_is_numpys_take(depth, kind):
    rng = np.random.default_rng(1)
    most = np.iinfo(depth).max
    codes = rng.integers(0, most, (37, 41), dtype=depth, endpoint=True)
    table = rng.integers(0, 256, most + 1).astype(kind)
    found = look_up(table, codes[::2, ::3])
    assert found.dtype == kind
    np.testing.assert_array_equal(found, table[codes[::2, ::3]])


def test_a_table_that_does_not_hold_every_code_is_refused():
    with pytest.raises(ValueError, match="255 entries"):
        look_up(np.zeros(255, np.float32), np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match="int16"):
        look_up(np.zeros(65536, np.float32), np.zeros((2, 2), np.int16))
