"""A model at INT8: where its INT8 graph lies, and whether it may be used on this machine.

The graph is in a folder of its own, with a card and a SHA256SUMS: ``openvino-int8`` in the model folder, or for a model
that comes with the program, whose files never change, a folder under SECOND_READ_HOME that is named by the weights.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from pydantic import TypeAdapter

from ..errors import ModelUnusable, WrongArguments
from ..settings import program_path, settings
from .calibration import Calibration
from .card import Familiarity, ModelCard, OperatingPoint, read_card
from .folder import CARD, INT8_GRAPH, INT8_WEIGHTS, ModelFolder, check_files, checked_sums

__all__ = [
    "INT8_ENGINE",
    "PRECISIONS",
    "at_int8",
    "check_processor",
    "checked_int8_card",
    "engine_at",
    "fit_sha256",
    "int8_card",
    "int8_folder",
    "int8_home",
    "int8_instructions",
    "is_outdated",
    "place_for_int8",
]

INT8_ENGINE = "openvino-int8"
"""Name of the serving engine at INT8, as every output states it."""

PRECISIONS = ("float32", "int8")

INT8_FILES = (CARD, INT8_GRAPH, INT8_WEIGHTS)

_CPUINFO = Path("/proc/cpuinfo")
_INSTRUCTIONS = {"avx512_vnni": "AVX-512 VNNI", "avx_vnni": "AVX-VNNI", "amx_int8": "AMX-INT8"}
"""Flags of a processor, as Linux names them, that multiply and add 8-bit integers in one instruction.

Without one, a product of 8-bit integers takes three instructions where float32 takes one.
"""


def engine_at(precision: str, engine: str | None) -> str | None:
    """Return the name of the engine at a precision; None for the engine of the settings.

    Args:
        precision: one of :data:`PRECISIONS`.
        engine: ``openvino`` or ``tensorflow`` as asked for; None where none was.

    Raises:
        WrongArguments: for another precision, or INT8 on another engine than OpenVINO.
    """
    if precision not in PRECISIONS:
        raise WrongArguments(f"--precision {precision!r}: accepted are {', '.join(PRECISIONS)}.")
    if engine == INT8_ENGINE:
        raise WrongArguments(f"Engine {engine!r}: unknown. Accepted: openvino, tensorflow.")
    if precision == "float32":
        return engine
    if engine not in (None, "openvino"):
        raise WrongArguments(f"--precision int8: runs on the engine openvino alone, not on {engine}.")
    return INT8_ENGINE


def at_int8(folder: ModelFolder) -> ModelFolder:
    """Return a checked model folder at INT8: with the INT8 graph and its card.

    Raises:
        ModelUnusable: the processor has no instructions for INT8; the model has no INT8 graph; a file of it was changed
            or made for another; or the model was calibrated again since.
    """
    check_processor()
    place = int8_folder(folder)
    if place is None:
        raise ModelUnusable(
            f"Model {folder.card.id}: it has no INT8 graph. Make it with images of validation patients: "
            f"models quantise {folder.card.id} --images DIR --table CSV"
        )
    return ModelFolder(folder.path, checked_int8_card(folder, place), place)


def checked_int8_card(folder: ModelFolder, place: Path) -> ModelCard:
    """Return the card of an INT8 graph whose files were all checked; raises ModelUnusable where one is not as listed.

    Args:
        folder: of the model.
        place: of the graph.
    """
    what = f"INT8 graph of model {folder.card.id}"
    sums = checked_sums(place, INT8_FILES, what)
    card = int8_card(folder.card.id, place)
    check_files(card, sums, what)
    if card.weights_sha256 != folder.card.weights_sha256:
        raise ModelUnusable(
            f"{what}: it was made from other weights (SHA-256 {card.weights_sha256[:12]}, the model has "
            f"{folder.card.weights_sha256[:12]}). It is refused; make it again with models quantise."
        )
    int8, calibration = card.int8, card.calibration
    bound = None if int8 is None else (int8.graph_sha256, int8.weights_sha256)
    curves = sums[INT8_WEIGHTS] if calibration is None else calibration.weights_sha256
    if bound != (sums[INT8_GRAPH], sums[INT8_WEIGHTS]) or curves != sums[INT8_WEIGHTS]:
        raise ModelUnusable(
            f"{what}: calibration and operating points were fitted for another graph (SHA-256 of model.bin found "
            f"{sums[INT8_WEIGHTS][:12]}). They are refused; make them again with models quantise."
        )
    if is_outdated(card, folder.card):
        raise ModelUnusable(
            f"{what}: calibration or operating points of float32 were fitted again after the two were compared. It is "
            "refused; make it again with models quantise."
        )
    return card


def int8_card(model: str, place: Path) -> ModelCard:
    """Return the card of an INT8 graph as it is, unchecked; raises ModelUnusable where another version has written it.

    Args:
        model: id of the model.
        place: of the graph.
    """
    try:
        return read_card(place / CARD)
    except ModelUnusable as error:
        raise ModelUnusable(
            f"INT8 graph of model {model}: its card cannot be used ({error}). It is refused; make it again with models "
            "quantise."
        ) from error


def fit_sha256(card: ModelCard) -> str:
    """Return the SHA-256 of what was fitted for the graph of a card: curves, operating points, limit of familiarity."""
    # without defaults: a field that a later version adds does not change what was fitted
    fit = _FIT.dump_python(
        (card.calibration, card.operating_points, card.familiarity), mode="json", exclude_defaults=True
    )
    return hashlib.sha256(json.dumps(fit, sort_keys=True).encode()).hexdigest()


def is_outdated(quantised: ModelCard, card: ModelCard) -> bool:
    """Return whether the card of an INT8 graph was compared with other thresholds of float32 than those of a card."""
    return quantised.int8 is not None and quantised.int8.float32_fit_sha256 != fit_sha256(card)


_FIT: TypeAdapter[tuple[Calibration | None, dict[str, OperatingPoint], Familiarity | None]] = TypeAdapter(
    tuple[Calibration | None, dict[str, OperatingPoint], Familiarity | None]
)


def int8_folder(folder: ModelFolder) -> Path | None:
    """Return where the INT8 graph of a model is; None where there is none."""
    return next((place for place in _places(folder) if (place / CARD).is_file()), None)


def place_for_int8(folder: ModelFolder) -> Path:
    """Return where the INT8 graph of a model is to be written."""
    inside, at_home = _places(folder)
    included = program_path("model_weights").resolve()
    return at_home if folder.path.resolve().is_relative_to(included) else inside


def int8_home() -> Path:
    """Return the folder of the INT8 graphs of models that come with the program."""
    return settings().home / "int8"


def _places(folder: ModelFolder) -> tuple[Path, Path]:
    return folder.path / INT8_ENGINE, int8_home() / folder.card.weights_sha256


def check_processor() -> None:
    """Raise ModelUnusable where this processor is not known to gain from INT8."""
    instructions = int8_instructions()
    if instructions:
        return
    if instructions is None:
        raise ModelUnusable(
            f"INT8: which instructions the processor has is not known on this system ({sys.platform}). Read at "
            "float32, without --precision int8."
        )
    raise ModelUnusable(
        f"INT8: this processor gains little or nothing from it, since it has none of "
        f"{', '.join(_INSTRUCTIONS.values())}. Read at float32, without --precision int8."
    )


def int8_instructions() -> tuple[str, ...] | None:
    """Return the names of the processor's instructions for INT8; None where the system does not list them."""
    try:
        text = _CPUINFO.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    flags = {flag for line in text.splitlines() if line.startswith("flags") for flag in line.split()}
    return tuple(name for flag, name in _INSTRUCTIONS.items() if flag in flags)
