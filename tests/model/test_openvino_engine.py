import numpy as np
import pytest

from cxr_core.model.folder import open_model
from cxr_core.model.openvino_engine import OpenVinoEngine
from cxr_core.settings import settings
from tests.small_models import SIDE, small_model


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The folder of compiled graphs, empty."""
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    settings.cache_clear()
    yield tmp_path / "runs" / "compiled"
    settings.cache_clear()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A model whose graph is compiled in a moment."""
    return open_model(str(small_model(tmp_path_factory.mktemp("models") / "small")))


def logits(model, side=SIDE):
    image = np.random.default_rng(0).random((1, side, side, 1), dtype=np.float32)
    return OpenVinoEngine(model).infer(image).logits


def test_a_second_start_uses_what_the_first_compiled_and_answers_in_the_same_bits(kept, monkeypatch):
    import openvino

    model = open_model("second-read-mini")
    first = logits(model, 224)
    assert len(list(kept.iterdir())) == 1

    def compile_model(*_):
        raise AssertionError("compiled again")

    monkeypatch.setattr(openvino.Core, "compile_model", compile_model)
    assert np.array_equal(logits(model, 224), first)


@pytest.mark.parametrize("how", ["a changed byte", "truncated", "empty", "of another build"])
def test_what_was_kept_and_does_not_fit_is_compiled_anew(kept, small, how):
    import hashlib

    first = logits(small)
    [file] = kept.iterdir()
    data = bytearray(file.read_bytes())
    if how == "a changed byte":
        data[len(data) // 2] ^= 0xFF
    elif how == "of another build":
        data = hashlib.sha256(b"not for us").digest() + b"not for us"
    file.write_bytes(data[: len(data) // 2] if how == "truncated" else b"" if how == "empty" else data)
    broken = file.read_bytes()
    assert np.array_equal(logits(small), first)
    assert file.read_bytes() != broken


def test_other_options_are_another_graph(kept, small):
    logits(small)
    OpenVinoEngine(small, throughput=True)
    assert len(list(kept.iterdir())) == 2


def test_a_folder_that_cannot_be_written_to_does_no_harm(kept, small):
    kept.parent.write_text("no folder")
    assert np.isfinite(logits(small)).all()
