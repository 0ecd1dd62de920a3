"""A compiled graph, kept beside the runs: a second start need not compile it again.

OpenVINO's own cache would do it too, but it does not notice a changed byte in the weights that it keeps, and
what answers must be what was checked. Here each file begins with the SHA-256 of the rest, and is named after
everything that it was made of; whatever does not fit is compiled anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path

import openvino

from ..private_files import private_folder, write_private
from ..settings import settings
from .folder import GRAPH, GRAPH_WEIGHTS, ModelFolder

__all__ = ["compile_once"]

_DIGEST = hashlib.sha256().digest_size


def compile_once(
    core: openvino.Core, graph: openvino.Model, folder: ModelFolder, options: dict[str, object]
) -> openvino.CompiledModel:
    """Return the graph of a checked model folder, compiled for this processor; RuntimeError where it cannot be.

    A folder of runs that cannot be written to costs the time to compile, and nothing else.
    """
    path = _path(core, folder, options)
    kept = _read(path)
    if kept is not None:
        # made by another build that calls itself by the same version
        with contextlib.suppress(RuntimeError):
            return core.import_model(kept, "CPU", options)
    compiled = core.compile_model(graph, "CPU", options)
    # what cannot be kept serves all the same; a ValueError is what comes of too little memory
    with contextlib.suppress(RuntimeError, OSError, ValueError, MemoryError):
        _write(path, compiled.export_model().getvalue())
    return compiled


def _path(core: openvino.Core, folder: ModelFolder, options: dict[str, object]) -> Path:
    made_of = {
        "graph": [folder.card.files[name] for name in (GRAPH, GRAPH_WEIGHTS)],
        "openvino": openvino.get_version(),
        "processor": [
            str(core.get_property("CPU", name)) for name in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")
        ],
        "cores": os.cpu_count(),
        "options": options,
    }
    name = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
    return settings().runs / "compiled" / f"{name}.blob"


def _read(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, compiled = data[:_DIGEST], data[_DIGEST:]
    return compiled if hashlib.sha256(compiled).digest() == digest else None


def _write(path: Path, compiled: bytes) -> None:
    private_folder(path.parent)
    write_private(path, hashlib.sha256(compiled).digest() + compiled)
