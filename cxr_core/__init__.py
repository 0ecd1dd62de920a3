"""Second Read: a second opinion on a chest X-ray.

Data flows one way: imaging -> model -> explain -> report or ui. A room imports only rooms above it.
"""

from .libraries import confine

__version__ = "0.1.0"

confine()
