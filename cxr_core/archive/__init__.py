"""Reading an archive of images: listing, preparation ahead of the engine, output in chunks."""

from .listing import InputFile, as_text, collect, walk
from .output_chunks import IMAGES_PER_CHUNK, OutputChunks
from .pipeline import Answer, ImagePipeline, Refusal, default_workers

__all__ = [
    "IMAGES_PER_CHUNK",
    "Answer",
    "ImagePipeline",
    "InputFile",
    "OutputChunks",
    "Refusal",
    "as_text",
    "collect",
    "default_workers",
    "walk",
]
