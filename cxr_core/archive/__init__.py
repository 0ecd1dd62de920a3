"""An archive of films through one model: listed, prepared ahead of the engine, kept in parts."""

from .listing import InputFile, as_text, collect, walk
from .parts import FILMS_PER_PART, Parts
from .pipeline import Answer, FilmPipeline, Refusal, default_workers

__all__ = [
    "FILMS_PER_PART",
    "Answer",
    "FilmPipeline",
    "InputFile",
    "Parts",
    "Refusal",
    "as_text",
    "collect",
    "default_workers",
    "walk",
]
