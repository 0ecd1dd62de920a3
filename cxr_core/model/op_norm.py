"""torchxrayvision's scaling of scores: each label's operating point is brought to 0.5.

Source: Cohen et al., *TorchXRayVision*, MIDL 2022, section 2.5 (arXiv 2111.00595), and ``op_norm`` in its
``models.py``. What comes out is no probability: it is the score, stretched on either side of the point.
"""

from __future__ import annotations

import numpy as np

__all__ = ["op_norm"]


def op_norm(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Map each score piecewise linearly so that its threshold lies at 0.5; order within a label is kept.

    Args:
        scores: (n, labels) sigmoids in [0, 1].
        thresholds: (labels,) in (0, 1); NaN where a label has none.

    Returns:
        (n, labels) in the type of ``scores``: s / (2 t) below t, 1 - (1 - s) / (2 (1 - t)) from t on, and
        0.5 for every film where t is NaN.
    """
    thresholds = np.asarray(thresholds, dtype=scores.dtype)
    below = scores / (2 * thresholds)
    above = 1 - (1 - scores) / (2 * (1 - thresholds))
    scaled = np.where(scores < thresholds, below, above)
    return np.where(np.isnan(thresholds), scores.dtype.type(0.5), scaled)
