"""Reading to heat maps: exact, on the network's grid, placed on the film, in words."""

from .gradcam import HeatMap, heat_map, heat_maps, strongest_place
from .overlay import CONTOUR_COLOUR, MAP_ALPHA, MAP_COLOUR, overlay, overlay_png, png
from .place import CONTOUR_SHARE, contour, on_original

__all__ = [
    "CONTOUR_COLOUR",
    "CONTOUR_SHARE",
    "MAP_ALPHA",
    "MAP_COLOUR",
    "HeatMap",
    "contour",
    "heat_map",
    "heat_maps",
    "on_original",
    "overlay",
    "overlay_png",
    "png",
    "strongest_place",
]
