"""Asks torchxrayvision's own pipeline, and keeps what it answers in ``pipeline_reference.npz``. Run by hand::

    python3.11 -m venv /tmp/txv
    /tmp/txv/bin/pip install torch==2.14.1 torchvision==0.29.1 torchxrayvision==1.5.7 pydicom==3.0.2
    python -m tests.pretrained.pipeline_images DIR          # in the project's environment
    PYTHONPATH=. /tmp/txv/bin/python tests/pretrained/make_pipeline_reference.py DIR

From a file's bytes to the logits as its documentation has it: ``load_image`` or ``read_xray_dcm`` (which call
``normalize``), ``XRayCenterCrop``, ``XRayResizer(224)``, and the model with the weights of ``reference.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
import torchxrayvision as xrv

from tests.pretrained.weights import reference as ref

HERE = Path(__file__).parent


def main() -> None:
    model = xrv.models.DenseNet()
    model.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in ref.full_arrays().items()})
    model.eval()
    transform = torchvision.transforms.Compose([xrv.datasets.XRayCenterCrop(), xrv.datasets.XRayResizer(224)])
    files = sorted(Path(sys.argv[1]).iterdir())
    inputs, logits, without = [], [], []
    for path in files:
        image = (
            xrv.utils.load_image(str(path)) if path.suffix == ".png" else xrv.utils.read_xray_dcm(str(path))[None, ...]
        )
        inputs.append(transform(image))
        crop = xrv.datasets.XRayCenterCrop()(image)
        with torch.no_grad():
            logits.append(model(torch.from_numpy(inputs[-1])[None])[0].numpy())
            # what the model does by itself when it is handed the large image
            large = torch.from_numpy(crop.astype(np.float32))[None]
            without.append(model(xrv.utils.fix_resolution(large, 224, model))[0].numpy())
    np.savez_compressed(
        HERE / "pipeline_reference.npz",
        names=np.array([path.name for path in files]),
        logits=np.stack(logits),
        # a few places of each input: where a difference begins
        places=np.stack([array[0, 3::31, 5::29] for array in inputs]),
    )
    print(f"{len(files)} images; SD of the logits {np.std(logits):.2f}, largest {np.abs(logits).max():.1f}")
    moved = np.array(without) - logits
    points = torch.logit(torch.tensor(xrv.models.model_urls["all"]["op_threshs"])).numpy()
    crossed = ((np.array(without) >= points) != (np.array(logits) >= points)).sum()
    print(
        f"the model's own resizing moves a logit by {np.abs(moved).mean():.3f} on average, up to "
        f"{np.abs(moved).max():.2f}, and {crossed} of {moved.size} across their point"
    )


if __name__ == "__main__":
    main()
