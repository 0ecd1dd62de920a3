"""Reading to heat maps: exact, on the network's grid and on the image."""

from .gradcam import HeatMap, describe_strongest, heat_map, heat_maps
from .overlay import (
    CONTOUR_COLOUR,
    CONTOUR_LEVEL,
    MAP_ALPHA,
    MAP_COLOUR,
    contour,
    overlay,
    overlay_png,
    png,
    resample_to_image,
)

__all__ = [
    "CONTOUR_COLOUR",
    "CONTOUR_LEVEL",
    "MAP_ALPHA",
    "MAP_COLOUR",
    "HeatMap",
    "contour",
    "describe_strongest",
    "heat_map",
    "heat_maps",
    "overlay",
    "overlay_png",
    "png",
    "resample_to_image",
]
