"""Weights files as others publish them, read into NumPy arrays without running anything in them."""

from .files import MAX_FILE_BYTES, Weights, read_weights

__all__ = ["MAX_FILE_BYTES", "Weights", "read_weights"]
