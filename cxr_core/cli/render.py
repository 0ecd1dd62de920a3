"""``render``: what the viewer shows by default, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

from ..archive import collect
from ..explain import png
from ..imaging import read_radiograph, render8
from .inputs import write

__all__ = ["render"]


def render(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="DICOM, PNG, JPEG, TIFF or WEBP.")],
    out: Annotated[Path, typer.Argument(metavar="OUT.png", help="The picture to write, 8-bit grey.")],
) -> None:
    """Write what the viewer shows by default, for comparison with a DICOM workstation."""
    (found,) = collect([file]) if not file.is_dir() else (None,)
    if found is None:
        raise typer.BadParameter("FILE is a folder; render takes one file.")
    grey = render8(read_radiograph(found.read()))
    write(out, png(Image.fromarray(grey), "Chest radiograph as displayed"))
