"""Files of weights as others publish them, into NumPy arrays. Nothing of a file is ever run."""

from .read import MAX_FILE_BYTES, Weights, read_weights

__all__ = ["MAX_FILE_BYTES", "Weights", "read_weights"]
