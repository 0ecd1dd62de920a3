"""A training that is really killed, three times, and resumed: it ends as one that was never killed."""

import multiprocessing
import signal

import numpy as np
import pytest

from tests.films import made_up_dataset

SEED = 20261124


@pytest.fixture(scope="module")
def forkserver():
    """Processes that come with TensorFlow imported, and have run none of it: seconds saved on each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cxr_core.training.fit", "tests.networks"])
    return context


def _train(connection, data, folder, plan, resume):
    """Train in a process of its own, telling each step and waiting for leave to go on."""
    from cxr_core.training.fit import fit
    from cxr_core.training.splits import make_split
    from cxr_core.training.table import read_table
    from tests.networks import small_network

    def tell(progress):
        connection.send((progress.stage, progress.step))
        connection.recv()

    films = read_table(data / "table.csv", data / "images")
    parts = make_split(films.patients, films.labels, np.array([])).part_of(films.patients)
    network = small_network(seed=4)
    train, validation = films.select(parts == "train"), films.select(parts == "validation")
    # a checkpoint every fourth step: most kills fall between two
    history = fit(network, train, validation, plan, folder, resume=resume, checkpoint_steps=4, report=tell)
    np.savez(folder / "end.npz", *network.get_weights())
    connection.send(history)


def _run(context, data, folder, plan, resume, kill_after=None):
    """Return the steps that were told, and the log, or None where the process was killed."""
    ours, theirs = context.Pipe()
    process = context.Process(target=_train, args=(theirs, data, folder, plan, resume))
    process.start()
    theirs.close()
    steps, history = [], None
    while True:
        try:
            told = ours.recv()
        except (EOFError, ConnectionResetError):
            break
        if isinstance(told, list):
            history = told
            break
        steps.append(told)
        ours.send("go on")
        if len(steps) == kill_after:
            process.kill()
    process.join()
    assert process.exitcode == (0 if kill_after is None else -signal.SIGKILL)
    return steps, history


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    made_up_dataset(folder, patients=34, films=1, side=40)
    return folder


@pytest.mark.parametrize("options", [{}, {"average": 0.9, "patience": 2}], ids=["plain", "averaged, stopped early"])
def test_killed_three_times_it_ends_with_the_same_bits(forkserver, data, tmp_path, options):
    from cxr_core.training.fit import Plan, parse_stages

    plan = Plan(parse_stages("head:32x1,32x3,40x2"), batch_size=4, seed=SEED, validation_films=20, **options)
    whole, log = _run(forkserver, data, tmp_path / "whole", plan, False)
    rng = np.random.default_rng(SEED)
    steps, resume = [], False
    for _ in range(3):
        # a resumed process begins anew at its checkpoint, at most 4 steps and the rest of an epoch back
        done, _ = _run(forkserver, data, tmp_path / "killed", plan, resume, kill_after=int(rng.integers(4, 11)))
        steps += done
        resume = (tmp_path / "killed" / "checkpoint.npz").is_file()
    assert resume
    rest, resumed_log = _run(forkserver, data, tmp_path / "killed", plan, True)
    steps += rest
    assert len(steps) > len(whole), "the kills lost no step: they did not fall between checkpoints"
    assert list(dict.fromkeys(steps)) == whole
    assert resumed_log == log
    with np.load(tmp_path / "whole" / "end.npz") as one, np.load(tmp_path / "killed" / "end.npz") as other:
        assert len(one.files) == 12
        for name in one.files:
            np.testing.assert_array_equal(one[name], other[name])
    assert (tmp_path / "whole" / "log.csv").read_text() == (tmp_path / "killed" / "log.csv").read_text()
