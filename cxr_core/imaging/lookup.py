"""Tables looked up for millions of pixels.

NumPy's ``take`` turns every index into 64 bits first, which costs several times the look-up; Arrow's takes
8 and 16 bits as they are, and its answer is used where it lies.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["look_up"]


def look_up(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the table's entry for each code, in the shape of the codes, not to be written to.

    Args:
        table: (256,) for uint8 codes or (65536,) for uint16 codes, of any number type.
        codes: any shape, uint8 or uint16. Every code lies inside its table, so nothing is checked.
    """
    if len(table) != 1 << (8 * codes.dtype.itemsize) or codes.dtype.kind != "u":
        raise ValueError(f"A table of {len(table)} entries for codes of {codes.dtype}: 2 to the bits is accepted.")
    flat = np.ascontiguousarray(codes).reshape(-1)
    found = pc.take(pa.array(table), pa.array(flat), boundscheck=False)
    return found.to_numpy(zero_copy_only=True).reshape(codes.shape)
