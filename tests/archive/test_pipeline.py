"""Films through processes and engine: the answers are those of single reads, to the last bit."""

from functools import partial

import numpy as np
import pytest

from cxr_core.archive import FilmPipeline, InputFile, Refusal
from cxr_core.archive.pipeline import prepared
from cxr_core.errors import InputRefused
from cxr_core.model import shared_predictor
from cxr_core.reading import read_film, read_prepared
from tests.films import mixed_films


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Thirty-two files, six of them refused."""
    folder = tmp_path_factory.mktemp("archive")
    mixed_films(folder, 32)
    return [(number, InputFile(path, path)) for number, path in enumerate(sorted(folder.rglob("*.*")))]


@pytest.fixture(scope="module")
def alone(archive, predictor):
    """What each file gives by itself."""
    answers = {}
    for number, file in archive:
        try:
            answers[number] = read_film(file.path.read_bytes(), predictor)[1]
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


@pytest.mark.parametrize("workers", [0, 2])
def test_the_answers_are_those_of_single_reads(archive, alone, workers):
    predictor = shared_predictor("second-read-mini", "openvino", throughput=True)
    with FilmPipeline(predictor, workers=workers) as pipeline:
        answers = list(pipeline.run(archive, partial(read_prepared, operating_point="default")))
    assert sum(isinstance(answer, Refusal) for _, answer in answers) == 4
    assert sum(isinstance(answer, Refusal) or not answer.findings for _, answer in answers) == 6
    assert_same(answers, alone)


def test_a_process_that_is_killed_costs_nothing(archive, alone, predictor):
    with FilmPipeline(predictor, workers=2) as pipeline:
        answers = []
        for answer in pipeline.run(archive, read_prepared):
            if len(answers) in (3, 9):
                pipeline._workers._workers[0].kill()
            answers.append(answer)
    assert_same(answers, alone)


def test_an_error_of_the_model_ends_the_run_and_its_processes(archive, predictor):
    def failing(film, predictor):
        processes.extend(worker._process for worker in pipeline._workers._workers)
        raise ArithmeticError

    processes = []
    pipeline = FilmPipeline(predictor, workers=1)
    with pytest.raises(ArithmeticError), pipeline:
        list(pipeline.run(archive, failing))
    assert processes
    assert not any(process.is_alive() for process in processes)


@pytest.mark.parametrize("refusal", ["", "named by a DICOMDIR, and missing"])
def test_what_was_never_opened_has_no_digest(tmp_path, refusal):
    file = InputFile(tmp_path / "none.dcm", "none.dcm", refusal=refusal)
    answer = prepared(file, preparation=shared_predictor().card.input.preparation())
    assert isinstance(answer, Refusal)
    assert answer.sha256 is None
