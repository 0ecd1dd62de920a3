"""Files that torch wrote, read without torch; the numbers are compared with what torchxrayvision was given."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from cxr_core.errors import WeightsRefused
from cxr_core.pretrained.weights import read_weights
from tests.pretrained.weights import reference as ref

TINY = {name: ref.drawn(name, shape) for name, shape in ref.layout(4, 2, 8, (2, 1, 1, 1))}


def same(arrays, expected):
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
        assert arrays[name].flags.c_contiguous or array.ndim == 0


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_a_whole_module(kind):
    path = ref.HERE / f"tiny_{kind}.pt"
    weights = read_weights(path)
    same(weights.arrays, TINY)
    assert weights.form == f"whole module, torch's {kind} format"
    assert weights.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert weights.numbers["features.norm0.eps"] == 1e-5
    assert weights.numbers["features.denseblock1.denselayer2.conv2.in_channels"] == 8


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_a_state_dict(kind):
    weights = read_weights(ref.HERE / f"tiny_state_{kind}.pt")
    same(weights.arrays, TINY)
    assert weights.form == f"state dict, torch's {kind} format"
    assert weights.numbers == {}


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_densenet121_as_torch_saved_it(kind, tmp_path):
    data = ref.rebuilt(kind)
    # byte for byte the file that torch.save(model) wrote when the reference was made
    assert hashlib.sha256(data).hexdigest() == str(ref.reference()[f"{kind}_sha256"])
    (tmp_path / "full.pt").write_bytes(data)
    same(read_weights(tmp_path / "full.pt").arrays, ref.full_arrays())


def test_the_arrays_are_those_that_torchxrayvision_was_given():
    assert ref.digest(ref.full_arrays()) == str(ref.reference()["arrays_sha256"])
    assert ref.digest({"films": ref.test_images()}) == str(ref.reference()["films_sha256"])


def test_the_reference_is_as_hard_as_it_is_said_to_be():
    stored = ref.reference()
    assert stored["logits"].std(axis=0, ddof=1).min() >= 1
    assert (ref.widened(stored["variances"]) < 1e-6).mean() > 0.03
    scores = stored["sigmoid"] >= stored["points_all"]
    assert 0.3 < scores.mean() < 0.7


def test_neither_torch_nor_pickle_is_needed():
    code = (
        "import sys; from pathlib import Path; from cxr_core.pretrained.weights import read_weights;"
        "read_weights(Path(sys.argv[1]));"
        "bad = {'torch', 'tensorflow', 'keras', 'torchxrayvision'} & set(sys.modules); sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(ref.HERE / "tiny_zip.pt")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def safetensors(arrays, change=lambda header: header):
    kinds = {"float32": "F32", "int64": "I64", "uint16": "BF16"}
    header, content = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        start = len(content)
        content += array.tobytes()
        header[name] = {
            "dtype": kinds[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [start, len(content)],
        }
    text = json.dumps(change(header)).encode()
    return len(text).to_bytes(8, "little") + text + content


def test_safetensors(tmp_path):
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(safetensors(TINY))
    weights = read_weights(path)
    same(weights.arrays, TINY)
    assert weights.form == "safetensors"


def test_bfloat16_of_safetensors_is_widened(tmp_path):
    # 1.0 is 0x3f800000, -2.5 is 0xc0200000: their upper halves
    (tmp_path / "b").write_bytes(safetensors({"x": np.array([0x3F80, 0xC020], np.uint16)}))
    np.testing.assert_array_equal(read_weights(tmp_path / "b").arrays["x"], np.array([1.0, -2.5], np.float32))


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"data_offsets": [0, 10**9]}, "beyond the end"),
        ({"data_offsets": [-4, 0]}, "impossible shape or place"),
        ({"data_offsets": [4, 0], "shape": []}, "does not fit its shape"),
        ({"shape": [10**12, 10**12]}, "does not fit its shape"),
        ({"shape": [True]}, "impossible shape"),
        ({"shape": [1] * 99}, "impossible shape"),
        ({"dtype": "F8_E4M3"}, "a type that is not read"),
        ({"data_offsets": [0]}, "no type, shape or place"),
        ({"data_offsets": [0, 8], "shape": [2]}, "overlap"),
    ],
)
def test_hostile_safetensors_are_refused_in_one_line(tmp_path, entry, words):
    arrays = {"x": np.zeros(1, np.float32), "y": np.ones(1, np.float32)}
    path = tmp_path / "bad.safetensors"
    path.write_bytes(safetensors(arrays, lambda header: header | {"x": header["x"] | entry}))
    with pytest.raises(WeightsRefused, match=words) as refusal:
        read_weights(path)
    assert "\n" not in str(refusal.value)


def test_other_files_are_told_what_is_accepted(tmp_path):
    for name, data, words in (
        ("a.pt", b"", "no file of weights that is known"),
        ("a.txt", b"some words, and more of them", "no file of weights that is known"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(99), "keras:FILE"),
        ("a.safetensors", (99).to_bytes(8, "little") + b"{}", "truncated"),
        ("b.safetensors", (9).to_bytes(8, "little") + b'{"a": 1, ', "not JSON"),
        ("c.safetensors", (14).to_bytes(8, "little") + b'{"a":1,"a":2} ', "not JSON"),
        ("d.safetensors", (2).to_bytes(8, "little") + b"{}", "no arrays"),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(WeightsRefused, match=words) as refusal:
            read_weights(tmp_path / name)
        assert "Accepted: torch.save" in str(refusal.value)
    with pytest.raises(WeightsRefused, match="no such file"):
        read_weights(tmp_path / "nothing.pt")


def test_a_file_too_large_is_not_opened(tmp_path, monkeypatch):
    from cxr_core.pretrained.weights import files

    monkeypatch.setattr(files, "MAX_FILE_BYTES", 1000)
    with pytest.raises(WeightsRefused, match="at most 0 MB are read"):
        read_weights(ref.HERE / "tiny_zip.pt")


def test_what_lies_beside_the_weights_of_a_checkpoint_is_left_alone(tmp_path):
    """A loss as a number of NumPy's, a device, and a parameter as torch 0.3 wrote it."""
    from tests.pretrained.weights.test_hostile import STORAGE, as_legacy

    tensor = b"ctorch._utils\n_rebuild_tensor\n(" + STORAGE + b"K\x00(K\x04t(K\x01ttR"
    parameter = b"ctorch.nn.parameter\nParameter\n(" + tensor + b"tR(\x88\x89}tb"
    state = b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    dtype = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR" + state
    eight = b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x06\x00\x00\x00latin1tR"
    loss = b"cnumpy.core.multiarray\nscalar\n(" + dtype + eight + b"tR"
    device = b"ctorch\ndevice\n(X\x04\x00\x00\x00cudaK\x00tR"
    pairs = b"".join(
        b"X" + len(key).to_bytes(4, "little") + key + value
        for key, value in (
            (b"best_loss", loss),
            (b"device", device),
            (b"state_dict", b"}X\x01\x00\x00\x00w" + parameter + b"s"),
        )
    )
    (tmp_path / "old.pth").write_bytes(as_legacy(b"}(" + pairs + b"u."))
    weights = read_weights(tmp_path / "old.pth")
    assert list(weights.arrays) == ["w"]
    np.testing.assert_array_equal(weights.arrays["w"], np.zeros(4, np.float32))
