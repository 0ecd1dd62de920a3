"""One read against its peers, and against the machine's own arithmetic. Run by ``make bench``.

The peers of requirements-bench.txt run the same image on the same threads, each in a process of its own, in turn with
ours at float32 and at INT8. The table goes between the marks of docs/performance.md. Where the folder of real X-rays is
there (``SECOND_READ_SHARED`` or ``shared/`` beside the project) real images are read too.
"""

from __future__ import annotations

import argparse
import io
import os
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pydicom

from benchmarks.ablations import PROJECT, SHARED, fill_table
from benchmarks.int8 import int8_rows
from benchmarks.interleaved import Line, timed
from benchmarks.made_up_images import images, png
from benchmarks.peer_libraries import IMAGE
from benchmarks.peer_process import NotInstalled, PeerProcess
from benchmarks.single_read import (
    PAPER_SIZE,
    Bench,
    before_the_network,
    cold_start,
    network,
    one_read,
    predictor_at,
    with_maps,
)
from cxr_core.cli.bench import ROUNDS, measured
from cxr_core.imaging import read_radiograph
from cxr_core.model import ModelFolder, class_maps, open_model, prepare_input
from cxr_core.model.openvino_engine import threads
from cxr_core.reading import read_image
from cxr_core.settings import settings

START, END = "<!-- one read: made by python -m benchmarks.peers -->", "<!-- end of one read -->"
TOLERANCE = 1e-4
"""By which a peer with our weights may differ from us, in shares of the largest value."""

OURS, FORWARD = with_maps(PAPER_SIZE), network(PAPER_SIZE)
LINES = {
    "tensorflow": (
        Line("fourteen maps by GradientTape, compiled", "GradCAM of each label, TensorFlow", (OURS,), at_least=25),
        Line("Keras model.predict, no maps", "Keras model.predict", (OURS,), at_least=3),
        Line("forward pass, TensorFlow compiled", "forward pass, TensorFlow", (FORWARD,)),
    ),
    "onnxruntime": (
        Line("the same network and maps, ONNX Runtime", "network and all maps, ONNX Runtime", (OURS,), at_least=1.2),
    ),
    "torch": (
        Line("torchxrayvision's DenseNet121, no maps", "forward pass, torchxrayvision", (OURS,)),
        Line("one map by pytorch-grad-cam", "one map, pytorch-grad-cam", (OURS,)),
    ),
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure, print the table and write it into the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--document", type=Path, default=PROJECT / "docs" / "performance.md")
    parser.add_argument("--print", action="store_true", help="leave the document as it is")
    options = parser.parse_args(arguments)
    # what the processes of the peers see when their libraries start
    os.environ["OMP_NUM_THREADS"] = str(threads())
    folder = open_model(settings().model)
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        scratch = Path(name)
        ours = _ours(folder, scratch)
        peers = _peers(folder, scratch, ours, stack)
        products = [part for part in peers.parts if part.startswith("matrix product")]
        read = one_read(folder, scratch, options.rounds, products)
        _real_images(read, folder, scratch)
        for more in (int8_rows(folder, scratch), peers):
            read.parts |= more.parts
            read.lines += more.lines
            read.settings += more.settings
        read.settings += _kernels()
        table = measured(folder.card.id, [read, cold_start(folder, scratch)])
    print(table)
    if not options.print:
        fill_table(options.document, table, START, END)
    return 0


def _ours(folder: ModelFolder, scratch: Path) -> dict[str, np.ndarray]:
    """Leave the image that all peers are given, and return what we make of it."""
    predictor = predictor_at(folder, PAPER_SIZE, scratch / "ours")
    image = prepare_input(read_radiograph(images()["PNG"]), predictor.card.input.preparation())
    np.save(scratch / IMAGE, image.pixels[None])
    answer = predictor.infer(image)
    maps = np.maximum(class_maps(answer.features[0], predictor.engine.head), 0)
    return {"logits": answer.logits[0], "maps": maps}


def _peers(folder: ModelFolder, scratch: Path, ours: dict[str, np.ndarray], stack: ExitStack) -> Bench:
    """Start the peers; one that is not installed stands in the table as such."""
    bench = Bench(0)
    for library, lines in LINES.items():
        arguments = (str(folder.path), PAPER_SIZE, scratch, threads())
        try:
            peer = PeerProcess("benchmarks.peer_libraries", library, *arguments)
        except NotInstalled as missing:
            bench.lines += [Line(line.what, missing=str(missing), at_least=line.at_least) for line in lines]
            continue
        stack.callback(peer.close)
        for name, theirs in peer.answers.items():
            difference = np.abs(theirs - ours[name]).max() / np.abs(ours[name]).max()
            if not difference < TOLERANCE:
                raise SystemExit(f"{library}: its {name} differ from ours by {difference:.1e}; it is another network")
        bench.parts |= peer.parts
        bench.lines += lines
        bench.settings += peer.settings
    return bench


def _real_images(bench: Bench, folder: ModelFolder, scratch: Path) -> None:
    """Add a real image of 1024 x 1024: as the PNG that the data set gives out, and in DICOM with JPEG Baseline."""
    paths = [SHARED / "data" / "dicom" / name for name in ("nih_effusion.dcm", "rsna_cr_pa_jpeg_baseline.dcm")]
    if not all(path.is_file() for path in paths):
        return
    picture = "real PNG of 1024 x 1024"
    real = {
        picture: png(pydicom.dcmread(io.BytesIO(paths[0].read_bytes())).pixel_array),
        "real DICOM of 1024 x 1024, JPEG Baseline": paths[1].read_bytes(),
    }
    aims: dict[int, dict[str, float]] = {
        PAPER_SIZE: {picture: 1.25},
        folder.card.input.size: {picture: 1.4},
    }
    for size, of_size in aims.items():
        predictor = predictor_at(folder, size, scratch / f"real-{size}")
        for what, data in real.items():
            name = f"{what}, bytes to findings and maps"
            part = f"{name}, {size}"
            bench.parts[part] = timed(partial(read_image, data, predictor))
            bench.lines.append(Line(name, part, (network(size),), at_most=of_size.get(what)))
    before_the_network(bench, "real PNG", real[picture], predictor)


def _kernels() -> list[str]:
    """Return what NumPy's library found to be the best for this processor."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return ["kernel of NumPy's BLAS not known: threadpoolctl is not installed"]
    blas = {
        (lib["internal_api"], lib.get("architecture", "")) for lib in threadpool_info() if lib["user_api"] == "blas"
    }
    return [f"kernel of {api}: {architecture}" for api, architecture in sorted(blas)]


if __name__ == "__main__":
    sys.exit(main())
