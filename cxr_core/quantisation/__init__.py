"""A float32 graph to one that computes with 8-bit integers, and how far the two are apart."""
