"""Radiograph to reading, with a model that is loaded once per process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..imaging import Quality
from ..settings import settings
from .calibration import assumed_prevalence
from .engines import Engine, Head, Inference, open_engine
from .familiarity import FAMILIARITY, load_reference
from .findings import Reading, find
from .folder import ModelFolder, open_model
from .prepared import PreparedFilm

__all__ = ["Predictor", "class_maps", "shared_predictor"]

FAMILIARITY_UNKNOWN = "familiarity not measured: nothing says whether the model has seen films like this one"
NO_MAPS = np.zeros((0, 0, 0), dtype=np.float32)


def class_maps(features: np.ndarray, head: Head) -> np.ndarray:
    """Return each cell's contribution to each logit.

    For global average pooling and one dense layer, logit[c] = sum over cells of
    (A W)[:, :, c] / (h w), plus b[c], where A is the last feature map and W the kernel.

    Args:
        features: (h, w, channels) float32.
        head: the dense layer.

    Returns:
        (labels, h, w) float32, of either sign, logit units.
    """
    h, w, channels = features.shape
    product = features.reshape(h * w, channels) @ head.kernel
    return np.ascontiguousarray((product / (h * w)).T.reshape(-1, h, w))


class Predictor:
    """A checked model folder with its engine. Safe to share between threads."""

    def __init__(self, folder: ModelFolder, engine: Engine) -> None:
        self.folder = folder
        self.card = folder.card
        self.engine = engine
        self._reference = None
        if folder.card.familiarity is not None:
            self._reference = load_reference(folder.path / FAMILIARITY, folder.card.weights_sha256)

    def infer(self, film: PreparedFilm) -> Inference:
        """Run the network on one film that has an input."""
        return self.engine.infer(film.pixels[None])

    def read(
        self,
        film: PreparedFilm,
        operating_point: str = "default",
        prevalence: Mapping[str, float] | float | None = None,
    ) -> Reading:
        """Return the reading of one film, with its class maps.

        A film whose quality is ``refused`` and not overridden gets a reading without findings.

        Args:
            film: prepared for this model.
            operating_point: name of one of the card's.
            prevalence: assumed by the user, as in :func:`.calibration.assumed_prevalence`.

        Raises:
            WrongArguments: for an operating point or a prevalence that the card does not allow.
        """
        point = self.card.operating_point(operating_point)
        assumed = assumed_prevalence(self.card.calibration, prevalence)
        quality, findings, maps = film.quality, (), NO_MAPS
        if film.pixels is not None:
            inference = self.infer(film)
            findings = find(self.card, inference.logits[0], point, assumed)
            maps = class_maps(inference.features[0], self.engine.head)
            quality = self._with_familiarity(quality, inference)
        return Reading(
            sha256=film.sha256,
            image=film.image,
            quality=quality,
            model_id=self.card.id,
            model_sha256=self.card.weights_sha256,
            engine=self.engine.name,
            operating_point=operating_point,
            findings=findings,
            class_maps=maps,
            placement=film.placement,
            prevalence=assumed,
            flagged_without_findings=point.flagged_without_findings,
        )

    def _with_familiarity(self, quality: Quality, inference: Inference) -> Quality:
        """Never a silent ok: a film unlike the known ones is named, and so is a model that cannot tell."""
        if self._reference is None:
            reason = FAMILIARITY_UNKNOWN
        else:
            known = self.card.familiarity
            distance = float(self._reference.distance(inference.features.mean(axis=(1, 2)))[0])
            if distance <= known.threshold:
                return quality
            reason = (
                f"unlike the films that the model knows: distance {distance:.2f}, beyond {known.threshold:.2f}, "
                f"the {known.rule}"
            )
        status = "warning" if quality.status == "ok" else quality.status
        return replace(quality, status=status, reasons=(*quality.reasons, reason))


_loading = threading.Lock()


def shared_predictor(model: str | None = None, engine: str | None = None, *, throughput: bool = False) -> Predictor:
    """Return the process' one predictor for a model and an engine (by default, those of the settings).

    The first call checks the folder and compiles the graph; threads that ask meanwhile wait for it.
    ``throughput`` is for many films: see :func:`.engines.open_engine`.
    """
    with _loading:
        return _load(model or settings().model, engine or settings().engine, throughput)


@lru_cache(maxsize=2)
def _load(model: str, engine: str, throughput: bool) -> Predictor:
    folder = open_model(model)
    return Predictor(folder, open_engine(folder, engine, throughput=throughput))
