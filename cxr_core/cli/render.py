"""``render``: what the viewer shows by default, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from ..archive import InputFile, as_text, collect
from ..errors import InputRefused, WrongArguments
from ..explain import png
from ..imaging import read_radiograph, render8, sniff
from .inputs import write

__all__ = ["render"]

NAMED = 10
"""Images of an archive that are named in the message."""


def render(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="DICOM, PNG, JPEG, TIFF or WEBP.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="The picture to write, 8-bit grey.")],
) -> None:
    """Write what the viewer shows by default, for comparison with a DICOM workstation."""
    if file.is_dir():
        raise typer.BadParameter("FILE is a folder; render takes one file.")
    found = collect([file])
    if len(found) > 1:
        # what lies beside the images, such as a note or a viewer's settings, is none
        found = [each for each in found if _is_image(each)] or found[:1]
    if len(found) > 1:
        names = ", ".join(as_text(each.place) for each in found[:NAMED]) + (", ..." if len(found) > NAMED else "")
        raise WrongArguments(f"{as_text(file)} holds {len(found)} images ({names}): give one file of them.")
    grey = render8(read_radiograph(found[0].read()))
    write(out, png(Image.fromarray(grey), "Chest radiograph as displayed"))


def _is_image(file: InputFile) -> bool:
    try:
        sniff(file.read())
    except InputRefused:
        return False
    return True
