"""Published weights to a model folder: catalogue, download, safe readers, conversion, self-check."""
