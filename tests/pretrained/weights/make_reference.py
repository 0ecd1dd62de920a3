"""Asks torchxrayvision itself, and keeps what it answers. Run by hand, in an environment of its own::

    python3.11 -m venv txv
    txv/bin/pip install torch==2.14.1 torchvision==0.29.1 torchxrayvision==1.5.7
    PYTHONPATH=. txv/bin/python tests/pretrained/weights/make_reference.py

It builds ``torchxrayvision.models.DenseNet`` with the weights of ``reference.py`` (no download), takes the
statistics of its batch normalisations from a pass over made-up images, and scales the head so that every
logit has an SD of 1.5 over the test images. It writes, beside itself:

- ``reference.npz``: statistics (rounded to bfloat16, and used so), head, logits, and outputs with sigmoid,
  with the operating points of ``densenet121-res224-all`` and of ``-nih``, whose last four are NaN; and of the
  two files that ``torch.save(model)`` wrote all that is not weights, so that ``reference.rebuilt`` gives the
  same files back, byte for byte;
- ``tiny_zip.pt``, ``tiny_legacy.pt``: ``torch.save(model)`` of a small network of the same class;
- ``tiny_state_zip.pt``, ``tiny_state_legacy.pt``: of its state dict.

The legacy format lays the source text of every class beside its name; it is replaced by one line here.
"""

from __future__ import annotations

import hashlib
import io
import json

import numpy as np
import skimage
import torch
import torchvision
import torchxrayvision
from torchxrayvision.models import DenseNet, model_urls, op_norm

from tests.pretrained.weights import reference as ours

LOGIT_SD = 1.5


def fill(model: torch.nn.Module, arrays: dict[str, np.ndarray]) -> None:
    theirs = model.state_dict()
    assert list(theirs) == list(arrays), "the layout is not torch's"
    assert all(theirs[name].shape == arrays[name].shape for name in theirs)
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in arrays.items()})


def as_bfloat16(values: torch.Tensor) -> np.ndarray:
    return values.to(torch.bfloat16).view(torch.uint16).numpy()


def measured_norms(model: DenseNet) -> tuple[np.ndarray, np.ndarray]:
    layers = [module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for layer in layers:
        layer.momentum = None  # a plain mean over the pass
        layer.reset_running_stats()
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(ours.images(16, 1)))
    model.eval()
    for layer in layers:
        layer.momentum = 0.1
    norms = {name: module for name, module in model.named_modules() if isinstance(module, torch.nn.BatchNorm2d)}
    means = torch.cat([norms[name].running_mean for name, _ in ours.norms()])
    variances = torch.cat([norms[name].running_var for name, _ in ours.norms()])
    return as_bfloat16(means), as_bfloat16(variances)


def saved(model: object, zipped: bool) -> bytes:
    stream = io.BytesIO()
    torch.save(model, stream, _use_new_zipfile_serialization=zipped)
    return stream.getvalue()


def main() -> None:
    torch.serialization.get_source_lines_and_file = lambda *_: (["# the source is left out\n"], 1, "models.py")
    model = DenseNet()
    ones, zeros = np.ones(ours.CLASSES, np.float32), np.zeros(ours.CLASSES, np.float32)
    blank = sum(channels for _, channels in ours.norms())
    fill(model, ours.arrays_with(np.zeros(blank, np.float32), np.ones(blank, np.float32), ones, zeros))
    means, variances = measured_norms(model)

    images = torch.from_numpy(ours.test_images())
    all_points = torch.tensor(model_urls["all"]["op_threshs"])
    fill(model, ours.arrays_with(ours.widened(means), ours.widened(variances), ones, zeros))
    with torch.no_grad():
        raw = model(images)
    scale = (LOGIT_SD / raw.std(dim=0)).numpy()
    # the threshold in the middle of the images' scores
    bias = (torch.logit(all_points) - raw.mean(dim=0) * torch.from_numpy(scale)).numpy()
    arrays = ours.arrays_with(ours.widened(means), ours.widened(variances), scale, bias)
    fill(model, arrays)

    stored: dict[str, np.ndarray] = {
        "means": means,
        "variances": variances,
        "head_scale": scale,
        "head_bias": bias,
        "arrays_sha256": np.array(ours.digest(arrays)),
        "films_sha256": np.array(ours.digest({"films": ours.test_images()})),
        "points_all": all_points.numpy(),
        "points_nih": torch.tensor(model_urls["nih"]["op_threshs"]).numpy(),
        "versions": np.array(
            json.dumps(
                {module.__name__: module.__version__ for module in (torch, torchvision, torchxrayvision, skimage)}
            )
        ),
    }
    with torch.no_grad():
        stored["logits"] = model(images).numpy()
        model.apply_sigmoid = True
        stored["sigmoid"] = model(images).numpy()
        model.op_threshs = all_points
        stored["scaled_all"] = model(images).numpy()
        stored["scaled_nih"] = op_norm(torch.from_numpy(stored["sigmoid"]), torch.tensor(stored["points_nih"])).numpy()
        model.op_threshs, model.apply_sigmoid = None, False
        exact = model.double()(images.double()).numpy()
        model.float()
    for kind, zipped in (("zip", True), ("legacy", False)):
        data = saved(model, zipped)
        stored |= {f"{kind}_{name}": value for name, value in ours.skeleton(data, arrays).items()}
    np.savez_compressed(ours.REFERENCE, **stored)
    for kind in ("zip", "legacy"):
        assert hashlib.sha256(ours.rebuilt(kind)).hexdigest() == str(stored[f"{kind}_sha256"])

    tiny = DenseNet(**ours.TINY).eval()
    fill(tiny, {name: ours.drawn(name, shape) for name, shape in ours.layout(4, 2, 8, (2, 1, 1, 1))})
    for kind, zipped in (("zip", True), ("legacy", False)):
        (ours.HERE / f"tiny_{kind}.pt").write_bytes(saved(tiny, zipped))
        (ours.HERE / f"tiny_state_{kind}.pt").write_bytes(saved(tiny.state_dict(), zipped))

    variance = ours.widened(variances)
    print(f"SD of the logits: {stored['logits'].std(axis=0, ddof=1).round(3)}")
    print(f"channels with variance under 1e-6: {(variance < 1e-6).mean():.3f} of {len(variance):,}")
    print(f"float32 against float64: {np.abs(stored['logits'] - exact).max():.2g} at most")
    above = stored["sigmoid"] >= stored["points_all"]
    print(f"scores at or over their point: {above.mean():.2f}")


if __name__ == "__main__":
    main()
