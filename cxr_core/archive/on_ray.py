"""The pipeline on a Ray cluster. Ray Data distributes the images, restarts failed tasks, and bounds the queues.

Every machine of a cluster has the project, the archive and the model folder at the same paths: one container image, one
shared folder. Only paths are sent out, and answers returned.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ..errors import CxrError, WrongArguments
from ..model import Predictor, shared_predictor
from .listing import InputFile
from .pipeline import Answer, ImagePipeline, Refusal

__all__ = ["ClusterUnusable", "run_on_ray"]

K = TypeVar("K")
T = TypeVar("T")

PROJECT = Path(__file__).resolve().parents[2]
BLOCK = 64
"""Images that a reader is given at a time, and that are read again if it dies."""
WAVE = 20_000
"""Images of one dataset: their paths are in memory, and readers are started once for each."""
READER_CPUS = 2
"""Cores of a reader: with more cores, a second reader is faster than a larger one."""


class ClusterUnusable(CxrError):
    """Ray cannot be reached, or has ended the run."""


def run_on_ray(
    images: Iterable[tuple[K, InputFile]],
    predictor: Predictor,
    answer: Answer[T],
    *,
    address: str | None = None,
    workers: int | None = None,
    **options: Any,
) -> Iterator[tuple[K, T | Refusal]]:
    """Yield (key, answer) of each (key, file) in no order, as :meth:`.pipeline.ImagePipeline.run` does on one machine.

    Args:
        images: files on a disk that all machines share.
        predictor: names the model; each reader opens its own.
        answer: applied to each image and the model; picklable, as its results are.
        address: of a running cluster, as ``ray.init`` takes it; None starts one on this machine.
        workers: number of readers, each with an engine and a process that prepares images; by default as many as the
            cores allow.
        options: of :func:`.pipeline.prepared`.

    Raises:
        WrongArguments: Ray is not installed.
        ClusterUnusable: the cluster cannot be reached, or gives up.
    """
    try:
        import ray
    except ImportError as error:
        raise WrongArguments("--on ray needs Ray: pip install -r requirements-ray.txt") from error
    source = iter(images)
    try:
        _connect(address)
        cores = int(ray.cluster_resources().get("CPU", 1))
        readers = workers or max(1, cores // READER_CPUS)
        model = str(predictor.folder.path.resolve()), predictor.engine.name
        while wave := list(itertools.islice(source, WAVE)):
            keys = dict(enumerate(key for key, _ in wave))
            answers = ray.data.from_arrow(_blocks(wave)).map_batches(
                _Reader,
                fn_constructor_args=(*model, answer, options),
                compute=ray.data.ActorPoolStrategy(size=min(readers, -(-len(wave) // BLOCK))),
                batch_format="pyarrow",
                num_cpus=min(READER_CPUS, max(1, cores // readers)),
            )
            tables: Iterable[pa.Table] = answers.iter_batches(
                batch_size=None, batch_format="pyarrow", prefetch_batches=0
            )
            for table in tables:
                for number, pickled in zip(*table.to_pydict().values(), strict=True):
                    yield keys.pop(number), pickle.loads(pickled)  # noqa: S301 - of a reader of ours
    except ray.exceptions.RayError as error:
        raise ClusterUnusable(
            f"Ray{' at ' + address if address else ''}: {type(error).__name__}. Are all machines up, with the project, "
            "the archive and the model at the same paths? Finished readings are stored: continue with --resume."
        ) from error
    finally:
        ray.shutdown()


def _connect(address: str | None) -> None:
    import ray

    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    paths = [str(PROJECT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    settings = {
        name: value
        for name, value in os.environ.items()
        # a database's address may hold a password, and readers have no use for it
        if name.startswith("SECOND_READ_") and name != "SECOND_READ_DATABASE_URL"
    }
    environment = {"env_vars": settings | {"PYTHONPATH": os.pathsep.join(paths)}}
    if not address:
        # else Ray keeps a token in a file under the home directory
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        with contextlib.nullcontext() if address else _without_network():
            ray.init(
                address=address or "local",
                runtime_env=environment,
                log_to_driver=False,
                logging_level=logging.ERROR,
                include_dashboard=None if address else False,
            )
    except Exception as error:  # Ray raises no family of its own where a node is late, which is after 30 s
        raise ClusterUnusable(
            f"Ray{' at ' + address if address else ''} cannot be reached, or did not start in time. Check the address, "
            "and that the machine is not too busy; then continue with --resume."
        ) from error


_NOWHERE = "http://127.0.0.1:9"
"""Nobody listens there (RFC 863: discard)."""


@contextlib.contextmanager
def _without_network() -> Iterator[None]:
    """Keep the processes that Ray starts meanwhile from connecting to other machines.

    Even with usage statistics off, Ray's dashboard process queries the metadata services of three cloud providers.
    There is no setting for that, but it uses the proxy that the environment names.
    """
    names = [name for kind in ("http_proxy", "https_proxy", "all_proxy") for name in (kind, kind.upper())]
    wanted = dict.fromkeys(names, _NOWHERE) | dict.fromkeys(("no_proxy", "NO_PROXY"), "localhost,127.0.0.1,::1")
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _blocks(wave: list[tuple[Any, InputFile]]) -> list[pa.Table]:
    """Return the files of a wave, numbered, :data:`BLOCK` a table."""
    paths = [os.fsencode(file.path.absolute()) for _, file in wave]
    rows = pa.table({"number": pa.array(range(len(wave)), pa.int64()), "path": pa.array(paths, pa.binary())})
    return [rows.slice(start, BLOCK) for start in range(0, len(wave), BLOCK)]


class _Reader:
    """An engine with its pipeline, in one worker of the cluster."""

    def __init__(self, model: str, engine: str, answer: Answer[Any], options: dict[str, Any]) -> None:
        self._answer = answer
        self._pipeline = ImagePipeline(shared_predictor(model, engine, throughput=True), workers=1, **options)

    def __call__(self, block: pa.Table) -> pa.Table:
        """Return (number, pickled answer) of each (number, path)."""
        files = ((row["number"], Path(os.fsdecode(row["path"]))) for row in block.to_pylist())
        images = ((number, InputFile(path, Path(path.name))) for number, path in files)
        # in the order of the images: a block that is read again gives the same result
        answers = dict(sorted(self._pipeline.run(images, self._answer)))
        pickled = [pickle.dumps(answer) for answer in answers.values()]
        return pa.table({"number": pa.array(list(answers), pa.int64()), "answer": pa.array(pickled, pa.binary())})
