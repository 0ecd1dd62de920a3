"""``bench``: the time of one reading, as ratios measured in one run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from ..errors import PathUnusable
from ..model import open_model
from ..model.openvino_engine import threads
from ..settings import settings
from .progress import ProgressBar

if TYPE_CHECKING:
    from benchmarks.single_read import Bench

__all__ = ["ROUNDS", "bench", "measured"]

ROUNDS = 15


def bench(
    model: Annotated[str | None, typer.Option(metavar="ID", help="Model to measure.")] = None,
    runs: Annotated[int, typer.Option(min=3, help="Rounds; every step is timed once in each.")] = ROUNDS,
    tensorflow: Annotated[bool, typer.Option(help="Time the command's start with TensorFlow too.")] = True,
) -> None:
    """Print the time of each step of a reading, as a ratio to another step timed in the same rounds.

    Needs the folder benchmarks/ of a checkout; an installed package does not have it.
    """
    try:
        from benchmarks.single_read import cold_start, one_read
    except ModuleNotFoundError as error:
        raise PathUnusable("bench needs the folder benchmarks/: run it in a checkout of the project.") from error
    folder = open_model(model or settings().model)
    with tempfile.TemporaryDirectory() as name:
        benches = [one_read(folder, Path(name), runs)]
        if tensorflow:
            benches.append(cold_start(folder, Path(name)))
        print(measured(folder.card.id, benches))


def measured(model: str, benches: Sequence[Bench]) -> str:
    """Run the parts of all benches, and return their table below the conditions of measurement."""
    from benchmarks.interleaved import markdown, run_interleaved

    load = os.getloadavg()[0]
    seconds: dict[str, np.ndarray] = {}
    with ProgressBar("Rounds", sum(bench.rounds + bench.warm_up for bench in benches)) as progress:
        done = 0
        for bench in benches:
            report = partial(_report, progress, done)
            seconds |= run_interleaved(bench.parts, bench.rounds, warm_up=bench.warm_up, report=report)
            done += bench.rounds + bench.warm_up
    conditions = "; ".join(setting for bench in benches for setting in bench.settings)
    table = markdown([line for bench in benches for line in bench.lines], seconds)
    return (
        f"Medians and quartiles of the ratios within {benches[0].rounds} interleaved rounds. "
        f"Model {model}, float32, {threads()} threads for every library, load before {load:.1f}; {conditions}."
        f"\n\n{table}"
    )


def _report(progress: ProgressBar, before: int, done: int) -> None:
    progress.update(before + done)
