"""Images through processes and engine: the answers are those of single reads, to the last bit; processes may die."""

from functools import partial

import numpy as np
import pytest

from cxr_core.archive import ImagePipeline, InputFile, Refusal
from cxr_core.archive.pipeline import Lost, Workers, WorkersUnusable, prepared
from cxr_core.errors import InputRefused
from cxr_core.model import shared_predictor
from cxr_core.reading import read_image, read_prepared
from tests.images import mixed_images
from tests.jobs import Unloadable, doubled


@pytest.fixture
def workers():
    """Two processes that double."""
    workers = Workers(doubled, 2, seconds=4)
    yield workers
    workers.close()


@pytest.mark.slow
def test_whatever_dies_each_item_is_answered_once(workers, tmp_path, capfd):
    odd = {7: {"dies": True}, 11: {"dies once": str(tmp_path / "died")}, 13: {"hangs": True}, 17: {"fails": True}}
    items = [(f"key {n}", {"number": n} | odd.get(n, {})) for n in range(40)]
    results = list(workers.map(items))
    assert sorted(key for key, _ in results) == sorted(key for key, _ in items)
    answers = dict(results)
    assert (tmp_path / "died").exists()
    for number in range(40):
        answer = answers[f"key {number}"]
        assert isinstance(answer, Lost) if number in (7, 13, 17) else answer == 2 * number
    assert capfd.readouterr() == ("", "")


def test_items_are_taken_as_they_are_needed(workers):
    taken = []

    def items():
        for number in range(1000):
            taken.append(number)
            yield number, {"number": number}

    results = workers.map(items())
    for done in range(1, 4):
        next(results)
        # what each of two processes holds, and no more
        assert len(taken) <= done + 2 * 2
    results.close()


@pytest.mark.slow
def test_processes_that_cannot_start_are_one_line():
    workers = Workers(Unloadable(), 2, seconds=60)
    with pytest.raises(WorkersUnusable, match="die before they are ready"):
        list(workers.map([(1, 1)]))
    workers.close()


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Thirty-two files, six of them refused."""
    folder = tmp_path_factory.mktemp("archive")
    mixed_images(folder, 32)
    return [(number, InputFile(path, path)) for number, path in enumerate(sorted(folder.rglob("*.*")))]


@pytest.fixture(scope="module")
def alone(archive, predictor):
    """What each file gives by itself."""
    answers = {}
    for number, file in archive:
        try:
            answers[number] = read_image(file.path.read_bytes(), predictor)[1]
        except InputRefused as refusal:
            answers[number] = str(refusal)
    return answers


def assert_same(answers, alone):
    assert sorted(number for number, _ in answers) == sorted(alone)
    for number, answer in answers:
        theirs = alone[number]
        if isinstance(answer, Refusal):
            assert answer.reason == theirs
            continue
        np.testing.assert_array_equal(answer.class_maps, theirs.class_maps)
        for name in ("sha256", "image", "quality", "findings", "placement", "operating_point", "engine"):
            assert getattr(answer, name) == getattr(theirs, name), name


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_the_answers_are_those_of_single_reads(archive, alone, workers):
    predictor = shared_predictor("second-read-mini", "openvino", throughput=True)
    with ImagePipeline(predictor, workers=workers) as pipeline:
        answers = list(pipeline.run(archive, partial(read_prepared, operating_point="default")))
    assert sum(isinstance(answer, Refusal) for _, answer in answers) == 4
    assert sum(isinstance(answer, Refusal) or not answer.findings for _, answer in answers) == 6
    assert_same(answers, alone)


@pytest.mark.slow
def test_a_process_that_is_killed_costs_nothing(archive, alone, predictor):
    with ImagePipeline(predictor, workers=2) as pipeline:
        answers = []
        for answer in pipeline.run(archive, read_prepared):
            if not answers:
                # each of the first two, so that no image meets both ends
                first, *others = list(pipeline._workers._pool._workers)
            if len(answers) == 3:
                first.kill()
            if len(answers) == 9:
                (others or [first])[0].kill()
            answers.append(answer)
    assert_same(answers, alone)


def test_an_error_of_the_model_ends_the_run_and_its_processes(archive, predictor):
    def failing(image, predictor):
        processes.extend(worker._child for worker in pipeline._workers._pool._workers)
        raise ArithmeticError

    processes = []
    pipeline = ImagePipeline(predictor, workers=1)
    with pytest.raises(ArithmeticError), pipeline:
        list(pipeline.run(archive, failing))
    assert processes
    assert all(process.poll() is not None for process in processes)


@pytest.mark.parametrize("refusal", ["", "named by a DICOMDIR, and missing"])
def test_what_was_never_opened_has_no_digest(tmp_path, refusal):
    file = InputFile(tmp_path / "none.dcm", "none.dcm", refusal=refusal)
    answer = prepared(file, preparation=shared_predictor().card.input.preparation())
    assert isinstance(answer, Refusal)
    assert answer.sha256 is None
