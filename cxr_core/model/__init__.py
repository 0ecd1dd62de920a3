"""Radiograph to reading: the network, its card, its engines. Imports no TensorFlow by itself."""

from .calibration import assumed_prevalence
from .card import ModelCard, OperatingPoint, read_card, write_card
from .engines import class_maps
from .findings import Finding, Reading, log_odds, reassess
from .folder import ModelFolder, list_models, open_model
from .model_input import ModelInput, prepare_input
from .predictor import Predictor, open_engine, shared_predictor

__all__ = [
    "Finding",
    "ModelCard",
    "ModelFolder",
    "ModelInput",
    "OperatingPoint",
    "Predictor",
    "Reading",
    "assumed_prevalence",
    "class_maps",
    "list_models",
    "log_odds",
    "open_engine",
    "open_model",
    "prepare_input",
    "read_card",
    "reassess",
    "shared_predictor",
    "write_card",
]
