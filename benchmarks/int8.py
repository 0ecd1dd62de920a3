"""Rows of one read at INT8 for the table of ``python -m benchmarks.peers``, beside float32 and the other libraries.

    python -m cxr_core models quantise second-read-mini --images DIR --table CSV    # once: the graph that is measured

Without the graph, or on a processor that gains nothing from INT8, the rows say so.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from benchmarks.interleaved import Line, timed
from benchmarks.made_up_images import images
from benchmarks.single_read import PAPER_SIZE, Bench, network, predictor_at
from cxr_core.errors import ModelUnusable
from cxr_core.imaging import read_radiograph
from cxr_core.model import ModelFolder, prepare_input
from cxr_core.model.precision import at_int8, int8_instructions
from cxr_core.reading import read_image

__all__ = ["int8_lines", "int8_rows"]

READ = "PNG of 1024 x 1024, bytes to findings and maps"
AT_MOST = 0.5
"""Of float32's time for the network: less could not halve the time of an archive."""


def int8_rows(folder: ModelFolder, scratch: Path) -> Bench:
    """Return the parts of a read at INT8, at the paper's size of input and at the model's own.

    The lines compare with parts of :func:`.single_read.one_read`, which are to be timed in the same rounds.

    Args:
        folder: the model, at float32.
        scratch: a folder for the graphs of other sizes.
    """
    bench = Bench(0)
    sizes = tuple(dict.fromkeys((PAPER_SIZE, folder.card.input.size)))
    bench.lines = int8_lines(sizes)
    try:
        quantised = at_int8(folder)
    except ModelUnusable as refused:
        bench.lines = [Line(line.what, missing=str(refused), at_most=line.at_most) for line in bench.lines]
        return bench
    data = images()["PNG"]
    for size in sizes:
        predictor = predictor_at(quantised, size, scratch / "int8")
        pixels = prepare_input(read_radiograph(data), predictor.card.input.preparation()).pixels[None]
        bench.parts[f"{network(size)} at INT8"] = timed(partial(predictor.engine.infer, pixels))
        bench.parts[f"{READ}, {size}, at INT8"] = timed(partial(read_image, data, predictor))
    bench.settings.append(f"INT8 by {', '.join(int8_instructions() or ())}")
    return bench


def int8_lines(sizes: tuple[int, ...]) -> list[Line]:
    """Return the lines for some sizes of input: INT8 over float32."""
    lines = []
    for size in sizes:
        base, read = network(size), f"{READ}, {size}"
        lines.append(Line(f"{base} at INT8", f"{base} at INT8", (base,), at_most=AT_MOST))
        lines.append(Line(f"{READ}, at INT8", f"{read}, at INT8", (read,)))
    return lines
