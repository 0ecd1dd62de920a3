"""Heat maps as files: one npz for programs, one overlay a finding for eyes."""

from __future__ import annotations

import io

import numpy as np

from ..explain import heat_maps, overlay_png
from ..imaging import Radiograph, render8
from ..labels import NOTICE
from ..model import ModelCard, Reading

__all__ = ["heatmaps_npz", "overlay_pngs"]


def heatmaps_npz(reading: Reading, card: ModelCard) -> bytes:
    """Return an npz file of all maps of a film that was read.

    Its arrays: ``maps`` (labels, rows, columns) float32, rectified, logit units, the network's own
    grid; ``labels``; ``to_original`` (2, 3) from a cell's centre (column, row, 1) to (x, y) of the
    original, integers at pixel centres; ``notice``.
    """
    maps = heat_maps(reading, card)
    stream = io.BytesIO()
    np.savez_compressed(
        stream,
        maps=np.stack([heat.grid for heat in maps]),
        labels=np.array([heat.label for heat in maps]),
        to_original=maps[0].to_original,
        notice=np.array(NOTICE),
    )
    return stream.getvalue()


def overlay_pngs(radiograph: Radiograph, reading: Reading, card: ModelCard) -> dict[str, bytes]:
    """Return one PNG for each label: the film as displayed, with that label's map over it."""
    grey = render8(radiograph)
    return {heat.label: overlay_png(grey, heat) for heat in heat_maps(reading, card)}
