"""The pages of a run in Streamlit's own test driver: no run, odd ones, and the numbers that the command prints."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.cli.runs import estimate_words
from cxr_core.displays import OperatingDisplay, outcomes_of
from cxr_core.evaluation import summarise, summary_of
from cxr_core.labels import NOTICE
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.ui import summaries
from tests.runs import made_up, record_of

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ("admin", "evaluation", "readers", "compare", "subgroups", "failures")


def without_positives(predictions, column):
    said = {name: answers.copy() for name, answers in predictions.references.items()}
    for answers in said.values():
        answers[:, column] = 0
    return dataclasses.replace(predictions, references=said)


ODD = {
    "one patient": made_up(6, per_patient=6),
    "one class": made_up(80, labels=("Effusion",)),
    "a class without positives": without_positives(made_up(80), 2),
    "nothing positive": dataclasses.replace(
        made_up(80), references={"mined": np.zeros_like(made_up(80).references["mined"])}
    ),
}


@pytest.fixture
def app(monkeypatch, tmp_path):
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path))
    # of the project's own runs nothing is seen here
    monkeypatch.setattr("cxr_core.store.runs.EMBEDDED", tmp_path / "none")
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, tmp_path / "none"))
    settings.cache_clear()
    streamlit.cache_resource.clear()
    streamlit.config.set_option("client.showErrorDetails", "full")
    yield AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=120)
    settings.cache_clear()
    streamlit.cache_resource.clear()


def keep(name, predictions, **changed):
    store = RunStore()
    run = store.add(record_of(predictions, name, **changed), predictions)
    store.close()
    return run


def words(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


@pytest.mark.parametrize("page", PAGES)
def test_without_a_run_a_page_says_how_to_make_one(app, page):
    app.switch_page(f"../../pages/{page}.py").run()
    assert not app.exception
    assert "No evaluation run yet" in words(app)
    assert "python -m cxr_core evaluate" in app.code[0].value
    assert NOTICE in words(app)


@pytest.mark.parametrize("odd", ODD)
def test_odd_runs_stand_on_every_page(app, odd):
    keep("odd", ODD[odd])
    for page in PAGES:
        app.switch_page(f"../../pages/{page}.py").run()
        assert not app.exception, (page, app.exception)
    app.switch_page("../../pages/evaluation.py").run()
    if odd == "nothing positive":
        assert "no positive" in words(app)


def test_page_command_and_export_show_the_same_numbers(app, tmp_path, capsys):
    from cxr_core.cli.runs import show
    from cxr_core.evaluation.export import export_run

    predictions = made_up(300, readers=5)
    run = keep("a-run", predictions, model_sha256="")
    show("a-run")
    printed = capsys.readouterr().out
    export_run(run, [summarise(run.record, predictions)], tmp_path / "out")
    exported = (tmp_path / "out" / "metrics.csv").read_text()
    app.switch_page("../../pages/evaluation.py").run()
    assert not app.exception
    summary = summarise(run.record, predictions)
    drawn = "".join(chart.proto.spec for chart in app.main.get("plotly_chart"))
    for label, auc in summary.auc.items():
        assert estimate_words(auc) in printed
        if auc.value is None:
            assert f"a-run,mined,auc,{label},,,,," in exported
            assert f"{label}: {auc.reason}" in words(app)
            continue
        assert f"a-run,mined,auc,{label},,,{auc.value!r},{auc.low!r},{auc.high!r}," in exported
        assert f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})" in drawn
    sensitivity = OperatingDisplay.at(outcomes_of(predictions)["Infiltration"], app.select_slider[0].value)
    assert sensitivity.numbers()["sensitivity"] in words(app)


def test_moving_the_operating_point_changes_the_numbers_beside_it(app):
    keep("a-run", made_up(300))
    app.switch_page("../../pages/evaluation.py").run()
    predictions = made_up(300)
    slider = app.select_slider[0]
    outcome = outcomes_of(predictions)[app.selectbox(key="label-a-run-mined").value]
    first = OperatingDisplay.at(outcome, slider.value).numbers()["sensitivity"]
    assert f"<td>{first}</td>" in words(app)
    lowest = float(slider.options[0])
    slider.set_value(lowest)
    app.number_input(key="prevalence").set_value(2.0)
    app.run()
    assert not app.exception
    second = OperatingDisplay.at(outcome, lowest, 0.02).numbers()
    assert second["sensitivity"] != first
    for name, number in second.items():
        assert f"<td>{name}</td><td>{number}</td>" in words(app)


def test_two_runs_are_compared_and_two_of_other_films_are_refused(app):
    predictions = made_up(300)
    keep("a-run", predictions)
    app.switch_page("../../pages/compare.py").run()
    assert "There is one run only" in words(app)
    worse = dataclasses.replace(predictions, scores=np.random.default_rng(0).random(predictions.scores.shape))
    keep("b-run", worse)
    keep("c-run", made_up(100, seed=9))
    streamlit.cache_resource.clear()
    app.switch_page("../../pages/compare.py").run()
    app.selectbox(key="run").set_value("a-run").run()
    app.selectbox(key="other-run").set_value("b-run").run()
    assert not app.exception
    assert "Paired on 300 films" in words(app)
    app.selectbox(key="other-run").set_value("c-run").run()
    assert "they have no film in common" in words(app)


def test_a_chosen_label_goes_along_to_another_run_with_the_films_of_that_run(app):
    few, many = made_up(60), made_up(300)
    keep("few", few)
    keep("many", many)
    app.switch_page("../../pages/subgroups.py").run()
    app.selectbox(key="run").set_value("few").run()
    app.selectbox(key="label-few-mined").set_value("Hernia").run()
    app.selectbox(key="run").set_value("many").run()
    chosen, hernia = app.selectbox(key="label-many-mined"), many.labels.tolist().index("Hernia")
    assert chosen.value == "Hernia"
    assert f"Hernia ({many.references['mined'][:, hernia].sum()})" in chosen.options
    # to another page too, where the driver begins with the newest run
    app.switch_page("../../pages/failures.py").run()
    assert app.selectbox(key="label-few-mined").value == "Hernia"
    assert f"Hernia ({few.references['mined'][:, hernia].sum()})" in app.selectbox(key="label-few-mined").options


def test_numbers_that_take_time_say_how_far_they_are_and_are_found_once(app, monkeypatch):
    told, seen, found = [], threading.Event(), []
    progress = streamlit.delta_generator.DeltaGenerator.progress

    def shown(place, value, text):
        told.append((value, text))
        if value == 0.25:
            seen.set()
        return progress(place, value, text)

    def in_four_steps(stored, reference, report):
        found.append(reference)
        report(1, 4)
        assert seen.wait(60)
        return summary_of(stored, reference, report)

    monkeypatch.setattr(streamlit.delta_generator.DeltaGenerator, "progress", shown)
    monkeypatch.setattr(summaries, "summary_of", in_four_steps)
    monkeypatch.setattr(summaries, "_LOOK", 0.01)
    keep("a-run", made_up(300))
    app.switch_page("../../pages/subgroups.py").run()
    assert not app.exception
    assert all("the numbers of 300 films" in text for _, text in told)
    assert all(text.endswith(" left") for value, text in told if value == 0.25)
    assert len(found) == 1
    app.switch_page("../../pages/evaluation.py").run()
    assert len(found) == 1


def test_readers_are_shown_where_there_are_any(app):
    keep("a-run", made_up(200, readers=5))
    app.switch_page("../../pages/readers.py").run()
    assert not app.exception
    assert "judged by the majority of the others" in words(app)
    keep("b-run", made_up(100, seed=2))
    streamlit.cache_resource.clear()
    app.switch_page("../../pages/readers.py").run()
    app.selectbox(key="run").set_value("b-run").run()
    assert "No single readers in this run" in words(app)


def test_what_was_possibly_seen_in_training_says_so(app):
    keep("a-run", made_up(100), seen_in_training=True)
    app.switch_page("../../pages/admin.py").run()
    assert "Images possibly seen in training." in words(app)
    # in the banner, and below each of the figures
    assert words(app).count("Images possibly seen in training.") == 3
