"""``bench``: what a read costs, as ratios measured in one run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ..model import open_model
from ..model.openvino_engine import threads
from ..settings import settings
from .in_turn import markdown, run_in_turn
from .one_read import Bench, cold_start, one_read
from .progress import Steps

__all__ = ["ROUNDS", "bench", "measured"]

ROUNDS = 15


def bench(
    model: Annotated[str | None, typer.Option(metavar="ID", help="Model to measure.")] = None,
    runs: Annotated[int, typer.Option(min=3, help="Rounds in which every part is run once.")] = ROUNDS,
    tensorflow: Annotated[bool, typer.Option(help="Start the command with the reference engine too.")] = True,
) -> None:
    """Print what a reading costs, each part in times of another that ran in turn with it."""
    folder = open_model(model or settings().model)
    with tempfile.TemporaryDirectory() as name:
        benches = [one_read(folder, Path(name), runs)]
        if tensorflow:
            benches.append(cold_start(folder, Path(name)))
        print(measured(folder.card.id, benches))


def measured(model: str, benches: Sequence[Bench]) -> str:
    """Run the parts of each bench in turn, and return the table of all lines below what it was measured with."""
    load, seconds = os.getloadavg()[0], {}
    with Steps("Rounds", sum(bench.rounds + bench.warm_up for bench in benches)) as steps:
        done = 0
        for bench in benches:
            tell = partial(_tell, steps, done)
            seconds |= run_in_turn(bench.parts, bench.rounds, warm_up=bench.warm_up, tell=tell)
            done += bench.rounds + bench.warm_up
    said = "; ".join(words for bench in benches for words in bench.settings)
    table = markdown([line for bench in benches for line in bench.lines], seconds)
    return (
        f"Medians of {benches[0].rounds} rounds in which all parts ran in turn, of ratios with their quartiles. "
        f"Model {model}, float32, {threads()} threads for every library, load before {load:.1f}; {said}.\n\n{table}"
    )


def _tell(steps: Steps, before: int, done: int) -> None:
    steps.done(before + done)
