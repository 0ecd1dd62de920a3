"""Files that mean harm. Each would plant a file where Python's own unpickler read it; here nothing may run."""

import builtins
import io
import os
import pickle
import random
import subprocess
import zipfile

import pytest

from cxr_core.errors import WeightsRefused
from cxr_core.pretrained.weights import read_weights
from tests.pretrained.weights import reference as ref

LEGACY_HEAD = b"".join(
    pickle.dumps(value, 2)
    for value in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True})
)
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
"""The persistent id of four float32."""


class Calls:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Where a side effect would be seen; it is, when Python reads the same pickle."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "planted"


def as_zip(pkl: bytes, **members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pkl)
        archive.writestr("archive/data/0", bytes(16))
        for name, data in members.items():
            archive.writestr(f"archive/{name}", data)
    return stream.getvalue()


def as_legacy(pkl: bytes) -> bytes:
    return LEGACY_HEAD + pkl + pickle.dumps(["0"], 2) + (4).to_bytes(8, "little") + bytes(16)


def refused(folder, data: bytes, words: str | None = None) -> str:
    path = folder / "hostile.pt"
    path.write_bytes(data)
    with pytest.raises(WeightsRefused, match=words) as refusal:
        read_weights(path)
    message = str(refusal.value)
    assert message.startswith("Weights hostile.pt: ")
    assert "\n" not in message
    assert len(message) < 400
    return message


MALICIOUS = {
    "os.system": Calls(os.system, "touch planted"),
    "eval": Calls(builtins.eval, "__import__('pathlib').Path('planted').touch()"),
    "exec": Calls(builtins.exec, "__import__('pathlib').Path('planted').touch()"),
    "open": Calls(builtins.open, "planted", "w"),
    "subprocess": Calls(subprocess.run, ["touch", "planted"]),
    "getattr": Calls(builtins.getattr, os, "system"),
    "within a dict": {"state_dict": {"x": [Calls(os.system, "touch planted")]}},
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("pack", [as_zip, as_legacy])
@pytest.mark.parametrize("name", MALICIOUS)
def test_nothing_of_a_malicious_pickle_runs(planted, tmp_path, name, pack, protocol):
    if name == "getattr":
        pkl = b"c__builtin__\ngetattr\ncos\nsystem\n\x85R."
    else:
        pkl = pickle.dumps(MALICIOUS[name], protocol)
    message = refused(tmp_path, pack(pkl))
    assert "which no network needs" in message or "no torch file needs" in message
    assert not planted.exists()


def test_the_same_pickles_do_run_where_python_reads_them(planted):
    # else the test above could not fail
    for name in ("os.system", "eval", "exec", "open", "subprocess", "within a dict"):
        made = pickle.loads(pickle.dumps(MALICIOUS[name], 2))
        if name == "open":
            made.close()
        assert planted.exists(), name
        planted.unlink()


def test_the_name_asked_for_is_told(tmp_path):
    system = "nt system" if os.name == "nt" else "posix system"
    message = refused(tmp_path, as_zip(f"c{system.replace(' ', chr(10))}\n.".encode()))
    assert system.replace(" ", ".") in message


TRICKS = {
    # names that only look allowed
    b"ccollections\nOrderedDict \n)R.": "which no network needs",
    b"ctorch._utils\n_rebuild_tensor_v2.__globals__\n.": "which no network needs",
    b"ccollections.OrderedDict\n__init__\n.": "which no network needs",
    b"ctorch\nload\n(X\x01\x00\x00\x00atR.": "torch.load, which no network needs",
    b"ctorch.serialization\nload\n.": "which no network needs",
    b"cnumpy.core.multiarray\n_reconstruct\n.": "which no network needs",
    b"c" + b"a" * 9000 + b"\nb\n.": "which no network needs",
    # a name put together on the stack
    b"\x80\x04\x8c\x02os\x8c\x06system\x93.": "os.system, which no network needs",
    b"\x80\x04K\x01\x8c\x06system\x93.": "int where str belongs",
    # allowed names, called with what torch would not write
    b"ccollections\nOrderedDict\n(K\x01K\x02tR.": "with arguments that torch does not write",
    b"c__builtin__\nset\n(X\x01\x00\x00\x00atR.": "with arguments that torch does not write",
    b"ctorch._utils\n_rebuild_parameter\n(ctorch.nn.modules.linear\nLinear\n\x88}tR.": "with arguments that torch",
    b"ctorch.nn.modules.linear\nLinear\n(K\x01tR.": "with arguments that torch does not write",
    b"ctorch.nn.modules.linear\nLinear\n(K\x01t\x81.": "no module of a network",
    b"ctorch._utils\n_rebuild_tensor_v2\n)\x81.": "no module of a network",
    b"cnumpy\ndtype\n(K\x01tR.": "with arguments that torch does not write",
    b"cnumpy.core.multiarray\nscalar\n(K\x01K\x02tR.": "with arguments that torch does not write",
    b"ctorch.nn.parameter\nParameter\n(K\x01tR.": "with arguments that torch does not write",
    b"c_codecs\nencode\n(cos\nsystem\nX\x01\x00\x00\x00atR.": "which no network needs",
    b"ctorch\ndevice\n(X\x03\x00\x00\x00cpu}tR}b.": "sets attributes of something that is no module",
    b"X\x01\x00\x00\x00a)R.": "calls something that is no name",
    b"})R.": "calls something that is no name",
    # attributes of what is no module: of a class, of a number, twice
    b"ctorch.nn.modules.linear\nLinear\n}X\x01\x00\x00\x00aK\x01sb.": "attributes of something that is no module",
    b"K\x01}b.": "attributes of something that is no module",
    b"ctorch.nn.modules.linear\nLinear\n)\x81}X\x01\x00\x00\x00aK\x01sb}b.": "attributes of something that is no",
    b"ctorch.nn.modules.linear\nLinear\n)\x81K\x01b.": "attributes of something that is no module",
    # persistent ids: nested, of another kind, of another type
    b"X\x04\x00\x00\x00abcdQ.": "a persistent id that torch does not write",
    b"(X\x07\x00\x00\x00storage(X\x07\x00\x00\x00storagetQtQ.": "a persistent id that torch does not write",
    b"(X\x07\x00\x00\x00storageccollections\nOrderedDict\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ.": "it stores",
    b"(X\x06\x00\x00\x00modulecos\nsystem\nNNtQ.": "which no network needs",
    b"Pabc\n.": "the step PERSID",
    # steps that call by themselves
    b"(cos\nsystem\nX\x01\x00\x00\x00ao.": "which no network needs",
    b"(X\x01\x00\x00\x00aicollections\nOrderedDict\n.": "the step INST",
    b"(ccollections\nOrderedDict\no.": "the step OBJ",
    b"\x82\x01.": "the step EXT1",
    b"ctorch.nn.modules.linear\nLinear\n)}\x92.": "the step NEWOBJ_EX",
    # what takes for ever: a key that is a tuple of tuples, 60 deep
    b"}N" + b"2\x86" * 60 + b"Ns.": "the step DUP",
    b"})" + b"q\x00h\x00\x86" * 60 + b"Ns.": "keys are neither text nor integers",
    b"\x80\x02N0.": "the step POP",
    b"h\x05.": "broken or truncated",
    b"N": "broken or truncated",
    b"NN.": "broken or truncated",
    b"L" + b"9" * 9000 + b"L\n.": "broken or truncated",
    b"N.": "neither a module nor a state dict",
    b"}.": "holds no arrays",
}


@pytest.mark.parametrize("pack", [as_zip, as_legacy])
@pytest.mark.parametrize("number", range(len(TRICKS)))
def test_tricks_are_refused(tmp_path, number, pack):
    pkl, words = list(TRICKS.items())[number]
    refused(tmp_path, pack(pkl), words if pack is as_zip else None)


def state(shape: bytes, strides: bytes, offset: bytes = b"K\x00", storage: bytes = STORAGE) -> bytes:
    """A state dict of one tensor; the arguments are pickled tuples and a number."""
    rebuild = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + shape + strides
    return b"}X\x01\x00\x00\x00x" + rebuild + b"\x89ccollections\nOrderedDict\n)RtRs."


def test_the_tensor_that_the_next_test_bends_is_read(tmp_path):
    for pack in (as_zip, as_legacy):
        (tmp_path / "good.pt").write_bytes(pack(state(b"K\x02K\x02\x86", b"K\x02K\x01\x86")))
        assert read_weights(tmp_path / "good.pt").arrays["x"].shape == (2, 2)


def word(text: str) -> bytes:
    return b"X" + len(text).to_bytes(4, "little") + text.encode()


def test_a_module_as_torch_wrote_it_before_1_2_is_read(tmp_path):
    """With the source of its class beside the name, and the backend that every module had; both are left alone."""
    kind = (
        b"(" + word("module") + b"ctorch.nn.modules.linear\nLinear\n" + word("/a/linear.py") + word("source\n") + b"tQ"
    )
    backend = word("_backend") + b"ctorch.nn.backends.thnn\n_get_thnn_function_backend\n)R"
    empty = b"ccollections\nOrderedDict\n)R"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n(" + STORAGE + b"K\x00K\x04\x85K\x01\x85\x89" + empty + b"tR"
    parameter = b"ctorch._utils\n_rebuild_parameter\n(" + tensor + b"\x88" + empty + b"tR"
    parameters = word("_parameters") + empty + word("weight") + parameter + b"s"
    pkl = kind + b")\x81}(" + backend + parameters + b"ub."
    (tmp_path / "old.pt").write_bytes(as_legacy(pkl))
    weights = read_weights(tmp_path / "old.pt")
    assert list(weights.arrays) == ["weight"]
    assert weights.form == "whole module, torch's legacy format"


@pytest.mark.parametrize("pack", [as_zip, as_legacy])
@pytest.mark.parametrize(
    ("pkl", "words"),
    [
        (state(b"K\x05\x85", b"K\x01\x85"), "beyond its storage"),
        (state(b"K\x04\x85", b"K\x01\x85", offset=b"K\x01"), "beyond its storage"),
        (state(b"K\x02\x85", b"K\x04\x85"), "beyond its storage"),
        (state(b"K\x05\x85", b"K\x00\x85"), "beyond its storage"),
        (state(b"K\x02\x85", b"J\xff\xff\xff\xff\x85", offset=b"K\x03"), "impossible shape"),
        (state(b"K\x02\x85", b"K\x01\x85", offset=b"J\xff\xff\xff\xff"), "impossible shape"),
        (state(b"J\xff\xff\xff\xff\x85", b"K\x01\x85"), "impossible shape"),
        (state(b"K\x02\x85", b"K\x01K\x01\x86"), "impossible shape"),
        (state(b"\x88\x85", b"K\x01\x85"), "bool where int belongs"),
        (state(b"(" + b"K\x01" * 9 + b"t", b"(" + b"K\x01" * 9 + b"t"), "impossible shape"),
        (state(b"(" + b"\x8a\x08" + b"\xff" * 7 + b"\x7ft", b"K\x00\x85"), "take more than 1 GB"),
        (state(b"K\x04\x85", b"K\x01\x85", storage=STORAGE.replace(b"K\x04", b"K\x05")), "another length"),
        (state(b"K\x04\x85", b"K\x01\x85", storage=STORAGE.replace(b"K\x04", b"J\xff\xff\xff\xff")), "length"),
    ],
)
def test_a_view_beyond_its_storage_is_refused(tmp_path, pkl, words, pack):
    refused(tmp_path, pack(pkl), words)


def test_a_storage_that_is_not_in_the_file(tmp_path):
    pkl = state(b"K\x04\x85", b"K\x01\x85", storage=STORAGE.replace(b"\x000", b"\x007"))
    refused(tmp_path, as_zip(pkl), "missing or broken")
    refused(tmp_path, as_legacy(pkl), "not listed as they are used")


def test_modules_that_hold_themselves_end(tmp_path):
    # m = Linear(); m._modules = {"a": m, "b": m}
    pkl = (
        b"ctorch.nn.modules.linear\nLinear\n)\x81q\x00}X\x08\x00\x00\x00_modules}"
        b"(X\x01\x00\x00\x00ah\x00X\x01\x00\x00\x00bh\x00usb."
    )
    refused(tmp_path, as_zip(pkl), "hold each other without end")


def test_a_pickle_without_end_is_left(tmp_path, monkeypatch):
    from cxr_core.pretrained.weights import pickles

    monkeypatch.setattr(pickles, "MAX_STEPS", 1000)
    refused(tmp_path, as_zip(b"N" + b"2" * 10 + b"."), "step DUP")
    refused(tmp_path, as_zip(b"N" * 1002 + b"."), "more than 1,000 steps")


def zipped(change) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(ref.HERE / "tiny_zip.pt") as good, zipfile.ZipFile(stream, "w") as archive:
        for member in good.infolist():
            change(archive, member.filename, good.read(member))
    return stream.getvalue()


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda z, name, data: z.writestr(name, data, zipfile.ZIP_DEFLATED), "compressed members"),
        (lambda z, name, data: [z.writestr(name, data) for _ in range(2)], "two members of one name"),
        (lambda z, name, data: z.writestr(name.replace("data.pkl", "data.pk"), data), "data.pkl is missing"),
        (lambda z, name, data: z.writestr(name, b"big" if name.endswith("byteorder") else data), "little-endian"),
        (lambda z, name, data: z.writestr(name, data[:-1] if "/data/" in name else data), "another length"),
        (
            lambda z, name, data: z.writestr(name.replace("byteorder", "constants.pkl"), data),
            "a TorchScript program",
        ),
    ],
)
def test_hostile_zips(tmp_path, change, words):
    refused(tmp_path, zipped(change), words)


def test_an_unchanged_copy_is_read(tmp_path):
    (tmp_path / "copy.pt").write_bytes(zipped(lambda z, name, data: z.writestr(name, data)))
    assert read_weights(tmp_path / "copy.pt").arrays


@pytest.mark.parametrize("kind", ["zip", "legacy", "state_zip", "state_legacy"])
def test_a_file_cut_anywhere_is_refused(tmp_path, kind):
    data = (ref.HERE / f"tiny_{kind}.pt").read_bytes()
    cuts = random.Random(1)
    for _ in range(40):
        refused(tmp_path, data[: cuts.randrange(len(data))])
    refused(tmp_path, data[:-1])


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_broken_bytes_are_read_or_refused_and_nothing_else(planted, tmp_path, kind):
    good = (ref.HERE / f"tiny_{kind}.pt").read_bytes()
    head = 24000 if kind == "zip" else 20000  # where the pickle is
    draw = random.Random(2)
    messages = []
    for _ in range(150):
        data = bytearray(good)
        for _ in range(draw.choice((1, 1, 3, 20))):
            data[draw.randrange(head)] = draw.randrange(256)
        (tmp_path / "broken.pt").write_bytes(data)
        try:
            read_weights(tmp_path / "broken.pt")
        except WeightsRefused as refusal:
            messages.append(str(refusal))
    assert len(messages) > 50
    assert not any("\n" in message for message in messages)
    assert not planted.exists()
