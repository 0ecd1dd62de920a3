"""Trainings in processes of their own that are killed with SIGKILL, and resumed."""

from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path

import numpy as np


def fresh_processes():
    """Return a way to start processes that come with TensorFlow imported, and have run none of it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cxr_core.training.fit", "tests.networks"])
    return context


def _train(connection, network_of, data, folder, plan, resume):
    """Train in a process of its own, telling each step and waiting for leave to go on."""
    from cxr_core.datasets.splits import make_split
    from cxr_core.datasets.table import read_table
    from cxr_core.training.fit import fit

    def tell(progress):
        connection.send((progress.stage, progress.step))
        connection.recv()

    images = read_table(data / "table.csv", data / "images")
    parts = make_split(images.patients, images.positive, np.array([])).subset_of(images.patients)
    network = network_of(4)
    train, validation = images.select(parts == "train"), images.select(parts == "validation")
    # a checkpoint every fourth step: most kills fall between two
    history = fit(network, train, validation, plan, folder, resume=resume, checkpoint_steps=4, report=tell)
    np.savez(folder / "end.npz", *network.get_weights())
    connection.send(history)


def run(context, network_of, data, folder, plan, resume, kill_after=None):
    """Train in a process, and kill it after so many steps.

    Returns the steps that were told, and the log, or None where the process was killed. The weights of the end
    are in ``end.npz`` of the folder.
    """
    ours, theirs = context.Pipe()
    process = context.Process(target=_train, args=(theirs, network_of, data, folder, plan, resume))
    process.start()
    theirs.close()
    steps, history = [], None
    while True:
        try:
            message = ours.recv()
        except (EOFError, ConnectionResetError):
            break
        if isinstance(message, list):
            history = message
            break
        steps.append(message)
        ours.send("go on")
        if len(steps) == kill_after:
            process.kill()
    process.join()
    assert process.exitcode == (0 if kill_after is None else -signal.SIGKILL)
    return steps, history


def killed_and_resumed(context, network_of, data: Path, folder: Path, plan, kills: list[int]):
    """Train once without and once with kills; return the steps and logs of both, and their weights.

    A resumed process begins anew at its checkpoint, a few steps back; each number of ``kills`` is counted from there.
    """
    whole, log = run(context, network_of, data, folder / "whole", plan, False)
    steps, resume = [], False
    for kill_after in kills:
        done, _ = run(context, network_of, data, folder / "killed", plan, resume, kill_after)
        steps += done
        resume = (folder / "killed" / "checkpoint.npz").is_file()
    assert resume, "killed before the first checkpoint each time"
    rest, resumed_log = run(context, network_of, data, folder / "killed", plan, True)
    ends = []
    for name in ("whole", "killed"):
        with np.load(folder / name / "end.npz") as arrays:
            ends.append([arrays[key] for key in arrays.files])
    return (whole, log, ends[0]), (steps + rest, resumed_log, ends[1])
