"""Writes checkpoints as others do, with torch, and keeps them and what torch answers. Run by hand, see
``make_reference.py`` for the environment, with ``timm==1.0.31`` added::

    PYTHONPATH=. txv/bin/python tests/pretrained/weights/make_layouts.py

The classes and dicts are those of the repositories: github.com/arnoweng/CheXNet and zoogzog/chexnet (state dicts of a
``DenseNet121`` around torchvision's with a Sigmoid, on several devices), thtang/CheXNet-with-localization (the same,
bare), jrzech/reproduce-chexnet (torchvision's whole module in a checkpoint).
"""

from __future__ import annotations

import hashlib
import io
import re

import numpy as np
import timm
import torch
import torchvision
from torch import nn

from tests.pretrained.weights import layouts as ours
from tests.pretrained.weights import reference as ref


class DenseNet121(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.densenet121 = body


def densenet(outputs: int, *, sigmoid: bool = False) -> nn.Module:
    model = torchvision.models.densenet121(num_classes=outputs)
    fill(model, outputs)
    if sigmoid:
        model.classifier = nn.Sequential(model.classifier, nn.Sigmoid())
    return model.eval()


def fill(model: nn.Module, outputs: int) -> None:
    model.load_state_dict({name: torch.from_numpy(np.array(a)) for name, a in ours.arrays(outputs).items()})


def old_names(state: dict) -> dict:
    """Return a state dict under the names of torch before 1.0."""
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", name): value for name, value in state.items()}


def chexnet(outputs: int) -> dict:
    return old_names(nn.DataParallel(DenseNet121(densenet(outputs, sigmoid=True))).state_dict())


def optimizer_state(outputs: int) -> dict:
    """Return Adam's state after one step on something small: what it holds of a whole network is only larger."""
    bias = nn.Parameter(torch.zeros(outputs))
    adam = torch.optim.Adam([bias], lr=1e-4)
    bias.sum().backward()
    adam.step()
    return adam.state_dict()


def objects() -> dict[str, tuple[object, bool]]:
    """Return for each name what is saved, and whether in the zip format."""
    lightning = {f"model.{name}": value for name, value in densenet(14).state_dict().items()}
    timm_model = timm.create_model("densenet121", num_classes=18)
    fill(timm_model, 18)
    return {
        "arnoweng.pth.tar": (
            {"epoch": 20, "arch": "densenet121", "state_dict": chexnet(14), "best_loss": np.float64(0.17)},
            False,
        ),
        "zoogzog.pth.tar": (
            {"epoch": 9, "state_dict": chexnet(14), "best_loss": 0.17, "optimizer": optimizer_state(14)},
            False,
        ),
        "thtang.pkl": (chexnet(8), False),
        "jrzech": (
            {
                "model": densenet(14, sigmoid=True),
                "best_loss": 0.16,
                "epoch": 4,
                "rng_state": torch.get_rng_state(),
                "LR": 0.01,
            },
            False,
        ),
        "parallel.pt": (nn.DataParallel(densenet(14, sigmoid=True)), True),
        "torchvision.pth": (densenet(15).state_dict(), True),
        "timm.pth": (timm_model.state_dict(), True),
        "lightning.ckpt": (
            {
                "epoch": 3,
                "global_step": 400,
                "pytorch-lightning_version": "2.4.0",
                "state_dict": lightning,
                "optimizer_states": [optimizer_state(14)],
                "lr_schedulers": [],
                "callbacks": {},
            },
            True,
        ),
    }


def main() -> None:
    torch.manual_seed(0)
    torch.serialization.get_source_lines_and_file = lambda *_: (["# the source is left out\n"], 1, "models.py")
    array = torch.from_numpy(ours.normalised())
    with torch.no_grad():
        # a Sigmoid on the last layer would round the logits away
        stored = {
            f"logits_{outputs}": densenet(outputs)(array).numpy() for outputs in sorted(set(ours.OUTPUTS.values()))
        }
        timm_model = timm.create_model("densenet121", num_classes=18)
        fill(timm_model, 18)
        assert np.allclose(timm_model.eval()(array).numpy(), stored["logits_18"], atol=1e-4)
        whole = densenet(14, sigmoid=True)(array)
        assert np.allclose(torch.special.expit(torch.from_numpy(stored["logits_14"])).numpy(), whole.numpy(), atol=1e-5)
    for name, (content, zipped) in objects().items():
        stream = io.BytesIO()
        torch.save(content, stream, _use_new_zipfile_serialization=zipped)
        data = stream.getvalue()
        stored |= {f"{name}_{key}": value for key, value in ref.skeleton(data, ours.arrays(ours.OUTPUTS[name])).items()}
    np.savez_compressed(ours.LAYOUTS_FILE, **stored)
    for name in ours.OUTPUTS:
        assert hashlib.sha256(ours.rebuilt(name)).hexdigest() == str(stored[f"{name}_sha256"]), name
    print({name: float(np.std(value)) for name, value in stored.items() if name.startswith("logits")})


if __name__ == "__main__":
    main()
