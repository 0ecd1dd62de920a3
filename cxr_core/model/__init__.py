"""Radiograph to reading: the network, its card, its engines. Imports no TensorFlow by itself."""

from .calibration import assumed_prevalence
from .card import Metric, ModelCard, OperatingPoint, read_card, write_card
from .findings import Finding, Reading, log_odds, reassessed
from .folder import ModelFolder, list_models, open_model
from .predictor import Predictor, class_maps, shared_predictor
from .prepared import PreparedFilm, prepare_film

__all__ = [
    "Finding",
    "Metric",
    "ModelCard",
    "ModelFolder",
    "OperatingPoint",
    "Predictor",
    "PreparedFilm",
    "Reading",
    "assumed_prevalence",
    "class_maps",
    "list_models",
    "log_odds",
    "open_model",
    "prepare_film",
    "read_card",
    "reassessed",
    "shared_predictor",
    "write_card",
]
