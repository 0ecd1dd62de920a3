"""``models import`` up to the network: sources, hashes, downloads, refusals. The rest is in tests/training."""

import dataclasses
import hashlib
import json
import pickle
import threading
import zipfile
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cxr_core.cli import import_model as module
from cxr_core.cli.main import main
from cxr_core.model.card import read_card
from cxr_core.model.folder import find_model
from cxr_core.pretrained.catalogue import PUBLISHED
from tests.pretrained.weights import reference as ref

SOURCE = "torchxrayvision:nih"
TINY = ref.HERE / "tiny_zip.pt"
CARD = read_card(find_model("second-read-mini") / "card.json")
DIGEST = hashlib.sha256(TINY.read_bytes()).hexdigest()


class Converter:
    """Stands where TensorFlow would be imported, and keeps what it was given."""

    def __init__(self):
        self.given = []
        self.exposures = []

    def import_published(self, published, weights, imported, folder, *, exposure, report):
        self.exposures.append(exposure)
        report("Building the network")
        self.given.append((published, weights, imported, folder))
        return CARD

    def import_keras(self, file, labels, size, imported, folder, *, normalisation, exposure, report):
        self.exposures.append(exposure)
        self.given.append((file, labels, size, imported, folder, normalisation.name))
        return CARD

    def import_torch(self, weights, labels, size, normalisation, imported, folder, *, preset, exposure, report):
        self.exposures.append(exposure)
        self.given.append((weights, labels, size, normalisation.name, imported, folder, preset))
        return CARD


@pytest.fixture
def converter(monkeypatch):
    made = Converter()
    monkeypatch.setattr(module, "_importing", lambda: made)
    return made


@pytest.fixture
def one_line(capsys):
    def refused(arguments, status, words):
        assert main(["models", "import", *arguments]) == status
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1
        assert words in lines[0], lines[0]

    return refused


def test_a_local_file_whose_hash_nobody_knows(converter, tmp_path, capsys):
    out = tmp_path / "models" / "nih"
    assert main(["models", "import", SOURCE, "--file", str(TINY), "--out", str(out)]) == 0
    ((published, weights, imported, folder),) = converter.given
    assert published.name == "densenet121-res224-nih"
    assert imported.sha256 == weights.sha256 == DIGEST
    assert imported.checked == "nothing: no public material was found that gives it"
    assert imported.file == "tiny_zip.pt (whole module, torch's zip format)"
    assert folder == out
    assert "models show" in capsys.readouterr().out
    assert converter.exposures == ["none"]


def test_the_exposure_of_the_input_is_the_authors_unless_another_is_asked_for(converter, one_line, tmp_path):
    source = [SOURCE, "--file", str(TINY), "--out", str(tmp_path / "m")]
    assert main(["models", "import", *source, "--exposure", "stretched"]) == 0
    assert converter.exposures == ["stretched"]
    one_line([*source, "--exposure", "bright"], 2, "none and stretched are accepted")


def test_a_hash_that_is_known_must_fit(converter, one_line, monkeypatch, tmp_path):
    out = ["--out", str(tmp_path / "m")]
    one_line(["torchxrayvision:all", "--file", str(TINY), *out], 4, f"give --sha256 {DIGEST}")
    one_line([SOURCE, "--file", str(TINY), "--sha256", "0" * 64, *out], 4, "not the one given")
    one_line([SOURCE, "--file", str(TINY), "--sha256", "abc", *out], 2, "64 hexadecimal digits")
    assert not converter.given
    assert main(["models", "import", "torchxrayvision:all", "--file", str(TINY), "--sha256", DIGEST.upper(), *out]) == 0
    assert "not known to be the published file's" in converter.given[0][2].checked
    known = dataclasses.replace(PUBLISHED["densenet121-res224-all"], sha256=DIGEST)
    monkeypatch.setitem(PUBLISHED, known.name, known)
    assert main(["models", "import", "torchxrayvision:all", "--file", str(TINY), *out]) == 0
    assert converter.given[1][2].checked.startswith("the published file's, written down by more than five")


def test_the_published_file_of_another_source_is_refused_whatever_it_is_said_to_be(
    converter, one_line, monkeypatch, tmp_path
):
    known = dataclasses.replace(PUBLISHED["densenet121-res224-pc"], sha256=DIGEST)
    monkeypatch.setitem(PUBLISHED, known.name, known)
    words = "is that of torchxrayvision:densenet121-res224-pc"
    out = ["--out", str(tmp_path / "m")]
    for name in PUBLISHED:
        if name != known.name:
            one_line([f"torchxrayvision:{name}", "--file", str(TINY), *out], 4, words)
            # also where somebody vouches for it
            one_line([f"torchxrayvision:{name}", "--file", str(TINY), "--sha256", DIGEST, *out], 4, words)
    one_line([f"torch:{TINY}", "--preset", "jrzech", *out], 4, words)
    one_line([f"keras:{TINY}", *out], 4, words)
    assert not converter.given
    assert main(["models", "import", "torchxrayvision:pc", "--file", str(TINY), *out]) == 0


def test_torch_files_take_a_preset_or_what_is_stated(converter, one_line, tmp_path, monkeypatch):
    from cxr_core.labels import LABELS
    from tests.pretrained.weights import layouts

    file = tmp_path / "m.pth.tar"
    file.write_bytes(layouts.rebuilt("thtang.pkl"))
    out = ["--out", str(tmp_path / "m")]
    assert main(["models", "import", f"torch:{file}", "--preset", "thtang", *out]) == 0
    _, labels, size, normalisation, imported, _, preset = converter.given[0]
    assert (labels, size, normalisation, preset.name) == (LABELS[:8], 224, "imagenet", "thtang")
    assert imported.source == "torch:m.pth.tar"
    assert "state dict, torch's legacy format" in imported.file
    assert "last layer classifier.0" in imported.file
    stated = ["--labels", ",".join(f"L{n}" for n in range(8)), "--normalisation", "0.5,0.25", "--size", "320"]
    assert main(["models", "import", f"torch:{file}", *stated, *out]) == 0
    assert converter.given[1][1:4] == (tuple(f"L{n}" for n in range(8)), 320, "0.5,0.25")
    # what is stated goes before the preset
    assert main(["models", "import", f"torch:{file}", "--preset", "thtang", "--normalisation", "unit", *out]) == 0
    assert converter.given[2][3] == "unit"
    one_line([f"torch:{file}", "--preset", "arnoweng", *out], 4, "8 outputs, but 14 labels")
    assert len(converter.given) == 3


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder on a server of this machine; the published weights of NIH are said to be there."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        name = "densenet121-res224-nih"
        url = f"http://127.0.0.1:{server.server_port}/nih.pt"
        monkeypatch.setitem(PUBLISHED, name, dataclasses.replace(PUBLISHED[name], url=url, sha256=DIGEST))
        yield folder
        server.shutdown()
        thread.join()


def test_a_download_is_checked_told_and_kept_only_where_asked(converter, served, tmp_path, capsys, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(module.tempfile, "tempdir", str(temporary))
    (served / "nih.pt").write_bytes(TINY.read_bytes())
    arguments = ["models", "import", SOURCE, "--out", str(tmp_path / "m"), "--json-progress"]
    assert main(arguments) == 0
    progress = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [step["step"] for step in progress] == [
        "Downloading, 0.1 MB of 0.1 MB",
        "Reading the weights",
        "Building the network",
    ]
    assert progress[0]["fraction"] == 1.0
    assert progress[0]["remaining"] == "0:00 left"
    assert not list(temporary.iterdir())
    assert main([*arguments[:-1], "--keep", str(tmp_path / "kept.pt")]) == 0
    assert (tmp_path / "kept.pt").read_bytes() == TINY.read_bytes()
    assert not list(temporary.iterdir())
    assert converter.given[0][2].url.endswith("/nih.pt")


def test_another_file_at_the_address_is_refused_before_it_is_read(converter, served, one_line, tmp_path):
    class Planted:
        def __reduce__(self):
            return (open, (str(tmp_path / "planted"), "w"))

    with zipfile.ZipFile(served / "nih.pt", "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Planted(), 2))
    out = tmp_path / "m"
    one_line([SOURCE, "--out", str(out)], 4, "not the published file's")
    # and where somebody vouches for it, its pickle is refused
    digest = hashlib.sha256((served / "nih.pt").read_bytes()).hexdigest()
    one_line([SOURCE, "--out", str(out), "--sha256", digest], 4, "which no network needs")
    assert not (tmp_path / "planted").exists()
    assert not out.exists()
    assert not converter.given


def test_no_answer_is_one_line(converter, served, one_line, tmp_path):
    one_line([SOURCE, "--out", str(tmp_path / "m")], 4, "answers 404")


def test_without_a_network_the_way_out_is_told(converter, one_line, tmp_path, monkeypatch):
    nih = PUBLISHED["densenet121-res224-nih"]
    monkeypatch.setitem(PUBLISHED, nih.name, dataclasses.replace(nih, url="http://127.0.0.1:9/nih.pt"))
    one_line([SOURCE, "--out", str(tmp_path / "m")], 4, "--file FILE")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["huggingface:x"], 2, "Accepted: torchxrayvision:NAME"),
        (["torchxrayvision:resnet50-res512-all"], 2, "Accepted: densenet121-res224-all"),
        (["keras:"], 2, "Accepted: torchxrayvision:NAME"),
        ([SOURCE, "--file", "nothing.pt"], 4, "no such file"),
        ([SOURCE, "--labels", "A,B"], 2, "are for torch:FILE and keras:FILE"),
        ([SOURCE, "--size", "320"], 2, "are for torch:FILE and keras:FILE"),
        (["keras:nothing.h5"], 4, "no such file"),
        (["keras:x.h5", "--file", "y"], 2, "leave out --file"),
        (["keras:x.h5", "--size", "225"], 2, "a multiple of 32"),
        (["keras:x.h5", "--labels", "A,A"], 2, "accepted once"),
        (["keras:x.h5", "--labels", "A,<b>"], 2, "60 letters, digits"),
        (["keras:x.h5", "--out", "bad name"], 2, "the model's id"),
        (["keras:x.h5", "--preset", "arnoweng"], 2, "--preset is for torch:FILE"),
        (["keras:x.h5", "--normalisation", "resnet"], 2, "Accepted: imagenet, torchxrayvision, unit"),
        (["keras:x.h5", "--normalisation", "0.5"], 2, "MEAN,SD"),
        (["keras:x.h5", "--normalisation", "0.5,0"], 2, "MEAN,SD"),
        (["keras:x.h5", "--normalisation", "120,60"], 2, "divide values on a scale of 0 to 255 by 255"),
        (["keras:x.h5", "--normalisation", "nan,1"], 2, "MEAN,SD"),
        (["torch:x.pt"], 2, "Give --labels and --normalisation, or --preset arnoweng"),
        (["torch:x.pt", "--labels", "A,B"], 2, "Give --labels and --normalisation"),
        (["torch:x.pt", "--preset", "x"], 2, "Accepted: arnoweng, zoogzog, thtang, jrzech"),
        (["torch:x.pt", "--preset", "jrzech"], 4, "no such file"),
        (["torch:"], 2, "torch:FILE and keras:FILE"),
        ([SOURCE, "--preset", "jrzech"], 2, "are for torch:FILE and keras:FILE"),
        ([SOURCE, "--normalisation", "unit"], 2, "are for torch:FILE and keras:FILE"),
    ],
)
def test_wrong_arguments(converter, one_line, tmp_path, monkeypatch, arguments, status, words):
    monkeypatch.chdir(tmp_path)
    one_line([*arguments, *([] if "--out" in arguments else ["--out", "m"])], status, words)
    assert not converter.given


def test_a_folder_that_is_there_is_named_before_anything_is_downloaded(converter, one_line, tmp_path):
    (tmp_path / "m").mkdir()
    one_line([SOURCE, "--out", str(tmp_path / "m")], 4, "exists already")


def test_keras_files_take_labels_and_size(converter, tmp_path, monkeypatch):
    from cxr_core.labels import LABELS
    from cxr_core.settings import settings

    monkeypatch.setenv("SECOND_READ_HOME", str(tmp_path))
    settings.cache_clear()
    file = tmp_path / "CheXNet weights.h5"
    file.write_bytes(b"\x89HDF")
    try:
        assert main(["models", "import", f"keras:{file}"]) == 0
        assert main(["models", "import", f"keras:{file}", "--labels", "Mass, Rib notching", "--size", "320"]) == 0
        digest = hashlib.sha256(b"\x89HDF").hexdigest()
        assert main(["models", "import", f"keras:{file}", "--sha256", digest]) == 0
        assert main(["models", "import", f"keras:{file}", "--sha256", "0" * 64]) == 4
    finally:
        settings.cache_clear()
    first, second, third = converter.given
    assert first[1:3] == (LABELS, 224)
    # a name from the file's, below the folder of models
    assert first[4] == tmp_path / "models" / "CheXNet-weights"
    assert second[1:3] == (("Mass", "Rib notching"), 320)
    assert first[3].checked.startswith("nothing")
    assert third[3].checked == "the SHA-256 given at the import"
