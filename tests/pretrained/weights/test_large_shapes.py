"""A shape that no memory holds is refused before anything of its size is asked for."""

import json

import pytest

from cxr_core.pretrained.weights.files import read_safetensors
from cxr_core.pretrained.weights.pickles import HostilePickle


@pytest.mark.parametrize("shape", [[2**63], [2**63, 0], [2**64 - 1, 2], [0, 2**40], [2**31, 2**32], [10**30]])
@pytest.mark.parametrize("end", [0, 8])
def test_safetensors(shape, end):
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()
    with pytest.raises(HostilePickle, match=r"impossible shape|does not fit its shape"):
        read_safetensors(len(header).to_bytes(8, "little") + header + b"\0" * 8)
