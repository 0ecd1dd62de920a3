"""Kill a training of DenseNet121 itself at three steps, resume it, and compare the weights. Run by ``make soak``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from tests.images import made_up_dataset
from tests.killing import fresh_processes, killed_and_resumed

SEED = 20261124


def densenet(seed: int):
    """Return the network that is trained."""
    import keras

    from cxr_core.labels import LABELS
    from cxr_core.model.network import build_network

    keras.utils.set_random_seed(seed)
    return build_network(len(LABELS))


def main() -> int:
    """Print how far apart the weights are; status 1 where they are not the same bits."""
    from cxr_core.training.plan import Plan, parse_stages

    plan = Plan(parse_stages("32x3"), batch_size=4, seed=SEED)
    kills = np.random.default_rng(SEED).integers(4, 9, 3).tolist()
    with tempfile.TemporaryDirectory() as name:
        made_up_dataset(Path(name) / "data", patients=34, images=1, side=40)
        whole, killed = killed_and_resumed(fresh_processes(), densenet, Path(name) / "data", Path(name), plan, kills)
    largest = max(float(np.abs(a - b).max()) for a, b in zip(whole[2], killed[2], strict=True))
    lost = len(killed[0]) - len(whole[0])
    print(f"DenseNet121, {len(whole[0])} steps, killed after {kills} steps and resumed, {lost} steps done again:")
    print(f"largest difference of a weight {largest:g}; logs {'equal' if whole[1] == killed[1] else 'differ'}")
    return int(largest > 0 or whole[1] != killed[1])


if __name__ == "__main__":
    sys.exit(main())
