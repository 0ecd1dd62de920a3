"""``render``: write an image as the viewer shows it by default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from ..archive import InputFile, as_text, collect
from ..errors import InputRefused, WrongArguments
from ..explain import png
from ..imaging import ACCEPTED_FORMATS, read_radiograph, render8, sniff
from .output import write

__all__ = ["render"]

MAX_NAMED = 10
"""Largest number of images that the message names."""


def render(
    file: Annotated[Path, typer.Argument(metavar="FILE", help=f"{ACCEPTED_FORMATS}.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="PNG to write, 8-bit grayscale.")],
) -> None:
    """Write an image as the viewer shows it by default, for comparison with a DICOM workstation."""
    if file.is_dir():
        raise typer.BadParameter("FILE is a folder; render takes one file.")
    files = collect([file])
    if len(files) > 1:
        # a zip may hold other files beside the images, such as a note
        files = [each for each in files if _is_image(each)] or files[:1]
    if len(files) > 1:
        names = ", ".join(as_text(each.place) for each in files[:MAX_NAMED]) + (
            ", ..." if len(files) > MAX_NAMED else ""
        )
        raise WrongArguments(f"{as_text(file)} holds {len(files)} images ({names}): give one of them as a file.")
    grey = render8(read_radiograph(files[0].read()))
    write(out, png(Image.fromarray(grey), "Chest radiograph as displayed"))


def _is_image(file: InputFile) -> bool:
    try:
        sniff(file.read())
    except InputRefused:
        return False
    return True
