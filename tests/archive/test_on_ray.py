"""The archive on a Ray cluster of this machine: the rows are those of the local pipeline, whatever is killed."""

import os
import pickle
import secrets
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from cxr_core.archive import ImagePipeline, InputFile, Refusal
from cxr_core.archive.on_ray import _blocks, _Reader, _without_network
from cxr_core.cli.main import main
from cxr_core.reading import read_prepared
from tests.archives import LIMIT, parts, reading, table, wait_for_parts
from tests.images import mixed_images

READER = b"_Reader"


def below(pid: int) -> dict[int, bytes]:
    """Return the processes that a process has started, and those that they have, with their titles."""
    parents, titles = {}, {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            titles[int(path.name)] = (path / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
    descendants, new = set(), {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - descendants
        descendants |= new
    return {child: titles[child] for child in descendants}


def one_reader(processes) -> int:
    """Return the process of a reader among those that a call gives, once there is one."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if readers := [pid for pid, title in processes().items() if READER in title]:
            return readers[0]
        time.sleep(0.05)
    raise AssertionError("no reader has started")


@pytest.mark.slow
def test_a_reader_answers_a_block_as_the_local_pipeline_does(predictor, tmp_path):
    mixed_images(tmp_path, 16)
    images = [(number, InputFile(path, path)) for number, path in enumerate(sorted(tmp_path.rglob("*.*")))]
    with ImagePipeline(predictor, workers=0, upright=True) as pipeline:
        local = dict(pipeline.run(images, read_prepared))
    blocks = _blocks(images)
    assert [block.num_rows for block in blocks] == [16]
    reader = _Reader(str(predictor.folder.path), "openvino", read_prepared, {"upright": True})
    for _ in range(2):
        # a block that is given again comes out the same, in the same order
        answers = reader(blocks[0]).to_pydict()
        assert answers["number"] == list(range(16))
        for number, pickled in zip(*answers.values(), strict=True):
            answer = pickle.loads(pickled)
            assert repr(answer) == repr(local[number])
            if not isinstance(answer, Refusal):
                np.testing.assert_array_equal(answer.class_maps, local[number].class_maps)
    reader._pipeline.__exit__()


@pytest.fixture(scope="module")
def read_locally(tmp_path_factory):
    """A hundred files, and the archive that the local pipeline makes of them."""
    images, local = tmp_path_factory.mktemp("images"), tmp_path_factory.mktemp("local") / "archive"
    mixed_images(images, 100)
    assert main(["predict", str(images), "--archive", str(local), "--workers", "2"]) == 3
    return images, local


@pytest.mark.slow
def test_two_readers_one_of_them_killed_give_the_rows_of_the_local_pipeline(ray, read_locally, tmp_path):
    (images, local), out = read_locally, tmp_path / "ray"
    with reading(images, out, "--on", "ray", "--workers", "2", part=5) as process:
        wait_for_parts(process, out, 1)
        os.kill(one_reader(lambda: below(process.pid)), signal.SIGKILL)
        at_kill = parts(out)
        output, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 3, err
    assert "Traceback" not in err
    assert at_kill < parts(out)
    assert "images read" in output
    for name in ("findings", "refused"):
        assert table(out, name).equals(table(local, name))
    assert table(out).num_rows > 60 * 14


def raylet_of(node) -> int:
    """Return the process of a node of a cluster that starts the readers on it."""
    (raylet,) = node.all_processes["raylet"]
    return raylet.process.pid


@pytest.fixture
def two_nodes(ray, monkeypatch):
    """A cluster of two nodes on this machine, apart from its head, which reads nothing."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    with _without_network():
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
        try:
            nodes = [cluster.add_node(num_cpus=2) for _ in range(2)]
            cluster.wait_for_nodes()
            yield cluster, nodes
        finally:
            cluster.shutdown()


@pytest.mark.slow
def test_two_nodes_one_of_them_killed_give_the_rows_of_the_local_pipeline(two_nodes, read_locally, tmp_path):
    cluster, nodes = two_nodes
    (images, local), out = read_locally, tmp_path / "ray"
    with reading(images, out, "--on", f"ray:{cluster.address}", "--workers", "2", part=5) as process:
        wait_for_parts(process, out, 1)
        # each node has a reader
        for node in nodes:
            one_reader(lambda node=node: below(raylet_of(node)))
        at_kill = parts(out)
        cluster.remove_node(nodes[1], allow_graceful=False)
        err = process.communicate(timeout=LIMIT)[1]
    assert process.returncode == 3, err
    assert "Traceback" not in err
    assert at_kill < parts(out)
    for name in ("findings", "refused"):
        assert table(out, name).equals(table(local, name))
    assert table(out).num_rows > 60 * 14


def test_where_ray_is_not_installed_one_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    import sys

    mixed_images(tmp_path / "images", 1)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["predict", str(tmp_path / "images"), "--archive", str(tmp_path / "out"), "--on", "ray"]) == 2
    assert "pip install -r requirements-ray.txt" in capsys.readouterr().err
