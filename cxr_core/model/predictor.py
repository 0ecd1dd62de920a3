"""ModelInput to Reading, with a model that is loaded once per process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..errors import WrongArguments
from ..imaging import Quality
from ..labels import display_name
from ..process_resources import products_on_one_thread
from ..settings import settings
from .calibration import assumed_prevalence
from .engines import Engine, Inference, class_maps
from .familiarity import FAMILIARITY, load_reference
from .findings import ChangedFindings, Finding, Reading, flag_rate, make_findings
from .folder import ModelFolder, open_model
from .formatting import STATE_NAMES
from .model_input import ChangedInput, ModelInput
from .precision import INT8_ENGINE, at_int8

__all__ = ["Predictor", "names_findings", "open_engine", "shared_predictor"]

FAMILIARITY_UNKNOWN = "familiarity not measured: whether the model was trained on images like this one is not known"
NO_MAPS = np.zeros((0, 0, 0), dtype=np.float32)


def open_engine(folder: ModelFolder, name: str, *, throughput: bool = False) -> Engine:
    """Return an engine for a checked model folder; its library is imported only here.

    ``openvino-int8`` takes a folder at INT8 (:func:`.precision.at_int8`), ``openvino`` one at float32.

    With ``throughput`` each core works on an image of its own instead of all on one: each image takes longer and many
    take less, most of all where other programs use part of a core. The output has the same bits.
    """
    products_on_one_thread()
    if name == ("openvino" if folder.int8 is None else INT8_ENGINE):
        from .openvino_engine import OpenVinoEngine

        return OpenVinoEngine(folder, throughput=throughput)
    if name == "tensorflow":
        from .tensorflow_engine import TensorFlowEngine

        return TensorFlowEngine(folder)
    raise WrongArguments(f"Engine {name!r}: unknown. Accepted: openvino, tensorflow.")


class Predictor:
    """A checked model folder with its engine. Safe to share between threads."""

    def __init__(self, folder: ModelFolder, engine: Engine) -> None:
        self.folder = folder
        self.card = folder.card
        self.engine = engine
        self._reference = None
        if folder.card.familiarity is not None:
            self._reference = load_reference(folder.path / FAMILIARITY, folder.card.weights_sha256)

    def infer(self, image: ModelInput) -> Inference:
        """Run the network on one image; raises ValueError where the image is not to be read."""
        if image.pixels is None:
            raise ValueError("an image that the gate refuses has no input")
        return self.engine.infer(image.pixels[None])

    def read(
        self,
        image: ModelInput,
        operating_point: str = "default",
        prevalence: Mapping[str, float] | float | None = None,
    ) -> Reading:
        """Return the reading of one image, with its class maps.

        An image whose quality is ``refused`` and not overridden gets a reading without findings.

        Args:
            image: prepared for this model.
            operating_point: name of one of the card's.
            prevalence: assumed by the user, as in :func:`.calibration.assumed_prevalence`.

        Raises:
            WrongArguments: for an operating point or a prevalence that the card does not allow.
        """
        point = self.card.operating_point(operating_point)
        assumed = assumed_prevalence(self.card.calibration, prevalence)
        findings: tuple[Finding, ...] = ()
        quality, maps, distance = image.quality, NO_MAPS, None
        if image.pixels is not None:
            inference = self.infer(image)
            findings = make_findings(self.card, inference.logits[0], point, assumed)
            maps = class_maps(inference.features[0], self.engine.head)
            distance = self._distance(inference)
            quality = self._with_familiarity(quality, distance)
        return Reading(
            sha256=image.sha256,
            image=image.image,
            quality=quality,
            model_id=self.card.id,
            model_sha256=self.card.weights_sha256,
            engine=self.engine.name,
            operating_point=operating_point,
            findings=findings,
            class_maps=maps,
            placement=image.placement,
            prevalence=assumed,
            flagged=flag_rate(point, image.image.view),
            distance=distance,
        )

    def read_changed(self, reading: Reading, changed: ChangedInput) -> Reading:
        """Return the reading with the findings of the same image after one more small change of it.

        The image is run forward by itself, as every image is: in a batch it would take as long.
        """
        logits = self.engine.infer(changed.pixels[None]).logits[0]
        point = self.card.operating_point(reading.operating_point)
        findings = make_findings(self.card, logits, point, reading.prevalence)
        return replace(reading, under_changes=(*reading.under_changes, ChangedFindings(changed.change, findings)))

    def check_other_windows(self, reading: Reading, image: ModelInput) -> Reading:
        """Return the reading with a warning for each other window of the file that would change a state.

        The model reads the first window that the file names. The alternatives are as valid (PS3.3 C.11.2.1.1), so a
        state that changes under another one is uncertain. A reading without findings, or of a file with one window,
        is returned as it is.
        """
        warnings = tuple(self._changed_states(reading, image)) if reading.findings else ()
        return replace(reading, quality=_with_warnings(reading.quality, *warnings)) if warnings else reading

    def _changed_states(self, reading: Reading, image: ModelInput) -> Iterator[str]:
        point = self.card.operating_point(reading.operating_point)
        for window in image.other_windows:
            logits = self.engine.infer(window.pixels[None]).logits[0]
            alternatives = make_findings(self.card, logits, point, reading.prevalence)
            changed = [
                f"{display_name(shown.label)} ({STATE_NAMES[shown.state]} to {STATE_NAMES[alternative.state]})"
                for shown, alternative in zip(reading.findings, alternatives, strict=True)
                if shown.state != alternative.state
            ]
            if changed:
                yield f"{_OTHER_WINDOW}{window.explanation}) would change {', '.join(changed)}"

    def _distance(self, inference: Inference) -> float | None:
        if self._reference is None:
            return None
        return float(self._reference.distance(inference.features.mean(axis=(1, 2)))[0])

    def _with_familiarity(self, quality: Quality, distance: float | None) -> Quality:
        """Add a warning for an image unlike those of the training, and for a model that cannot measure it."""
        familiarity = self.card.familiarity
        if distance is None or familiarity is None:
            return _with_warnings(quality, FAMILIARITY_UNKNOWN)
        if distance <= familiarity.threshold:
            return quality
        shown, threshold = f"{distance:.2f}", f"{familiarity.threshold:.2f}"
        beyond = "just beyond" if shown == threshold else "beyond"
        return _with_warnings(
            quality,
            f"unlike the training images of the model: distance {shown}, {beyond} {threshold}, the {familiarity.rule}",
        )


_OTHER_WINDOW = "the file's other window ("


def names_findings(warning: str) -> bool:
    """Return whether a warning says something of findings, and so is none for a reader who has not seen them yet."""
    return warning.startswith(_OTHER_WINDOW)


def _with_warnings(quality: Quality, *warnings: str) -> Quality:
    status = "warning" if quality.status == "ok" else quality.status
    return replace(quality, status=status, reasons=(*quality.reasons, *warnings))


_loading = threading.Lock()


def shared_predictor(model: str | None = None, engine: str | None = None, *, throughput: bool = False) -> Predictor:
    """Return the process' one predictor for a model and an engine (by default, those of the settings).

    The first call checks the folder and compiles the graph; threads that ask meanwhile wait for it. ``throughput`` is
    for many images: see :func:`open_engine`.
    """
    with _loading:
        return _load(model or settings().model, engine or settings().engine, throughput)


@lru_cache(maxsize=2)
def _load(model: str, engine: str, throughput: bool) -> Predictor:
    folder = open_model(model)
    if engine == INT8_ENGINE:
        folder = at_int8(folder)
    return Predictor(folder, open_engine(folder, engine, throughput=throughput))
