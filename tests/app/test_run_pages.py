"""The pages of a run in Streamlit's test driver: without a run, with unusual runs, and with the command's numbers."""

import dataclasses
import threading
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.displays import OperatingDisplay, outcomes_of
from cxr_core.evaluation import summarise, summary_of
from cxr_core.formatting import format_estimate
from cxr_core.labels import NOTICE
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.ui import computing, open_runs
from tests.runs import made_up, record_of

PROJECT = Path(__file__).resolve().parents[2]
PAGES = ("admin", "evaluation", "readers", "compare", "subgroups", "failures")


def without_positives(predictions, column):
    references = {name: truth.copy() for name, truth in predictions.references.items()}
    for truth in references.values():
        truth[:, column] = 0
    return dataclasses.replace(predictions, references=references)


UNUSUAL = {
    "one patient": made_up(6, per_patient=6),
    "one label": made_up(80, labels=("Effusion",)),
    "a label without positives": without_positives(made_up(80), 2),
    "no positives": dataclasses.replace(
        made_up(80), references={"mined": np.zeros_like(made_up(80).references["mined"])}
    ),
}


@pytest.fixture
def app(monkeypatch, tmp_path):
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path))
    # without the embedded runs
    monkeypatch.setattr("cxr_core.store.runs.EMBEDDED", tmp_path / "none")
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, tmp_path / "none"))
    settings.cache_clear()
    streamlit.cache_resource.clear()
    streamlit.config.set_option("client.showErrorDetails", "full")
    yield AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
    settings.cache_clear()
    streamlit.cache_resource.clear()


def add_run(name, predictions, **changed):
    store = RunStore()
    run = store.add(record_of(predictions, name, **changed), predictions)
    store.close()
    return run


def page_html(app) -> str:
    return "\n".join(element.proto.body for element in app.main.get("html"))


@pytest.mark.parametrize("page", PAGES)
def test_without_a_run_a_page_states_how_to_make_one(app, page):
    app.switch_page(f"../../pages/{page}.py").run()
    assert not app.exception
    assert "No evaluation run yet" in page_html(app)
    assert "python -m cxr_core evaluate" in app.code[0].value
    assert NOTICE in page_html(app)


@pytest.mark.parametrize("name", UNUSUAL)
def test_unusual_runs_are_shown_on_every_page(app, name):
    add_run("unusual", UNUSUAL[name])
    for page in PAGES:
        app.switch_page(f"../../pages/{page}.py").run()
        assert not app.exception, (page, app.exception)
    app.switch_page("../../pages/evaluation.py").run()
    if name == "no positives":
        assert "no positive" in page_html(app)


def test_page_command_and_export_show_the_same_numbers(app, tmp_path, capsys):
    from cxr_core.cli.runs import show
    from cxr_core.evaluation.export import export_run

    predictions = made_up(300, readers=5)
    predictions = dataclasses.replace(predictions, probabilities=predictions.scores)
    run = add_run("a-run", predictions, model_sha256="")
    show("a-run")
    printed = capsys.readouterr().out
    summary = summarise(run.record, predictions)
    export_run(run, [summary], tmp_path / "out")
    exported = (tmp_path / "out" / "metrics.csv").read_text()
    app.switch_page("../../pages/evaluation.py").run()
    assert not app.exception
    drawn = "".join(chart.proto.spec for chart in app.main.get("plotly_chart"))
    for label, auc in summary.auc.items():
        assert format_estimate(auc, counts=auc) in printed
        if auc.value is None:
            assert f"a-run,mined,auc,{label},,,,," in exported
            assert f"{label}: {auc.reason}" in page_html(app)
            continue
        assert f"a-run,mined,auc,{label},,,{auc.value!r},{auc.low!r},{auc.high!r}," in exported
        assert f"{auc.value:.3f} ({auc.low:.3f} to {auc.high:.3f})" in drawn
    sensitivity = OperatingDisplay.at(outcomes_of(predictions)["Infiltration"], app.select_slider[0].value)
    assert sensitivity.numbers()["sensitivity"] in page_html(app)
    label = app.selectbox(key="label-a-run-mined").value
    for heading, metric, percent in (
        ("prevalence (average precision by chance)", "prevalence", True),
        ("Brier score", "brier", False),
        ("expected calibration error", "calibration_error", False),
    ):
        text = format_estimate(summary.by_label(metric)[label], percent=percent)
        assert f"<td>{heading}</td><td>{text}</td>" in page_html(app)


def test_moving_the_operating_point_updates_its_numbers(app):
    add_run("a-run", made_up(300))
    app.switch_page("../../pages/evaluation.py").run()
    predictions = made_up(300)
    slider = app.select_slider[0]
    outcome = outcomes_of(predictions)[app.selectbox(key="label-a-run-mined").value]
    first = OperatingDisplay.at(outcome, slider.value).numbers()["sensitivity"]
    assert f"<td>{first}</td>" in page_html(app)
    lowest = float(slider.options[0])
    slider.set_value(lowest)
    app.number_input(key="prevalence").set_value(2.0)
    app.run()
    assert not app.exception
    second = OperatingDisplay.at(outcome, lowest, 0.02).numbers()
    assert second["sensitivity"] != first
    for name, number in second.items():
        assert f"<td>{name}</td><td>{number}</td>" in page_html(app)


def test_two_runs_are_compared_unless_they_have_no_common_images(app):
    predictions = made_up(300)
    add_run("a-run", predictions)
    app.switch_page("../../pages/compare.py").run()
    assert "There is only one run" in page_html(app)
    worse = dataclasses.replace(predictions, scores=np.random.default_rng(0).random(predictions.scores.shape))
    add_run("b-run", worse)
    add_run("c-run", made_up(100, seed=9))
    streamlit.cache_resource.clear()
    app.switch_page("../../pages/compare.py").run()
    app.selectbox(key="run").set_value("a-run").run()
    app.selectbox(key="other-run-a-run").set_value("b-run").run()
    assert not app.exception
    assert "Paired comparison on 300 images" in page_html(app)
    app.selectbox(key="other-run-a-run").set_value("c-run").run()
    assert "they have no image in common" in page_html(app)


def test_until_a_run_is_chosen_a_page_shows_one_that_suits_it(app):
    predictions = made_up(100, readers=5)
    add_run("with-readers", predictions, created="2026-01-01T00:00:00+00:00")
    add_run("newest", made_up(80, seed=2), created="2026-01-02T00:00:00+00:00")
    add_run("other-model", predictions, created="2026-01-03T00:00:00+00:00", model_sha256="ab" * 32, model_version="7")
    app.switch_page("../../pages/subgroups.py").run()
    assert app.selectbox(key="run").value == "other-model"
    assert "version 7, weights abababababab" in page_html(app)
    app.switch_page("../../pages/compare.py").run()
    # another model on the same images is offered first
    assert app.selectbox(key="other-run-other-model").value == "with-readers"
    app.selectbox(key="run").set_value("newest").run()
    assert app.selectbox(key="run").value == "newest"


def test_a_chosen_label_is_kept_for_other_runs_and_pages(app):
    few, many = made_up(60), made_up(300)
    add_run("few", few)
    add_run("many", many)
    app.switch_page("../../pages/subgroups.py").run()
    app.selectbox(key="run").set_value("few").run()
    app.selectbox(key="label-few-mined").set_value("Hernia").run()
    app.selectbox(key="run").set_value("many").run()
    chosen, hernia = app.selectbox(key="label-many-mined"), many.labels.tolist().index("Hernia")
    assert chosen.value == "Hernia"
    assert f"Hernia ({many.references['mined'][:, hernia].sum()})" in chosen.options
    # the driver opens another page with the newest run
    app.switch_page("../../pages/failures.py").run()
    assert app.selectbox(key="label-few-mined").value == "Hernia"
    assert f"Hernia ({few.references['mined'][:, hernia].sum()})" in app.selectbox(key="label-few-mined").options


def test_the_address_leads_to_run_reference_and_label_and_follows_their_choice(app):
    add_run("few", made_up(60))
    add_run("many", made_up(300))
    app.query_params |= {"run": "few", "label": "Hernia"}
    app.switch_page("../../pages/subgroups.py").run()
    assert not app.exception
    assert app.selectbox(key="run").value == "few"
    assert app.selectbox(key="label-few-mined").value == "Hernia"
    app.selectbox(key="run").set_value("many").run()
    app.selectbox(key="label-many-mined").set_value("Effusion").run()
    address = {name: app.query_params[name] for name in ("run", "reference", "label")}
    assert address == {"run": "many", "reference": "mined", "label": "Effusion"}


@pytest.mark.parametrize("page", PAGES)
def test_an_address_of_a_run_that_is_not_there_says_so_and_leads_back(app, page):
    add_run("one", made_up(60))
    app.query_params |= {"run": "<gone>"}
    app.switch_page(f"../../pages/{page}.py").run()
    assert not app.exception
    assert "No such evaluation run" in page_html(app)
    assert "gone" not in page_html(app)
    assert not app.main.get("plotly_chart")
    app.button[0].click().run()
    assert not app.exception
    assert app.selectbox(key="run").value == "one"
    assert app.query_params["run"] == "one"


@pytest.mark.parametrize(
    ("address", "kind"), [({"reference": "nobody's"}, "reference standard"), ({"label": "Sprain"}, "label")], ids=str
)
def test_an_address_of_a_label_or_reference_that_the_run_lacks_says_what_is_shown_instead(app, address, kind):
    add_run("one", made_up(60))
    app.query_params |= address
    app.switch_page("../../pages/subgroups.py").run()
    assert not app.exception
    assert app.selectbox(key="reference-one").value == "mined"
    shown = "mined" if "reference" in address else app.selectbox(key="label-one-mined").value
    assert f"The address names a {kind} that this run does not have. Shown: {shown}." in page_html(app)
    app.run()
    assert "The address names" not in page_html(app)


def test_an_address_that_changes_is_followed_and_a_choice_is_not_undone_by_the_address_before(app):
    add_run("few", made_up(60))
    add_run("many", made_up(300))
    app.query_params |= {"run": "few", "label": "Hernia", "reference": "experts"}
    app.switch_page("../../pages/subgroups.py").run()
    assert app.selectbox(key="label-few-experts").value == "Hernia"
    app.selectbox(key="label-few-experts").set_value("Mass").run()
    assert app.query_params["label"] == "Mass"
    # the browser's Back, and a link within the session
    for address in ({"run": "few", "label": "Hernia"}, {"run": "many", "label": "Edema"}):
        app.query_params |= address
        app.run()
        assert not app.exception
        assert {name: app.query_params[name] for name in ("run", "label")} == address
        assert app.selectbox(key=f"label-{address['run']}-{app.query_params['reference']}").value == address["label"]


def test_each_figure_has_an_address_that_leads_to_it_with_run_reference_and_label(app):
    add_run("one", made_up(60))
    app.query_params |= {"run": "one", "label": "Hernia", "reference": "experts"}
    app.switch_page("../../pages/subgroups.py").run()
    assert "second_read_figure" not in components(app)
    addresses = [dict(parse_qsl(code.value.partition("?")[2])) for code in app.code]
    figures = [address.pop("figure") for address in addresses]
    assert "subgroups-Hernia" in figures
    assert len(set(figures)) == len(figures)
    for address in addresses:
        assert address == {"run": "one", "label": "Hernia", "reference": "experts"}
    app.query_params["figure"] = "subgroups-Hernia"
    app.run()
    assert not app.exception
    assert components(app).count("second_read_figure") == 1


def components(app) -> list[str]:
    """Return the names of the components on the page."""
    return [element.proto.component_name for element in app.main.get("bidi_component")]


def test_compare_opens_on_two_runs_of_the_same_images_or_says_how_to_make_one(app):
    predictions = made_up(100)
    add_run("first", predictions, created="2026-01-01T00:00:00+00:00")
    add_run("second", predictions, created="2026-01-02T00:00:00+00:00", model_sha256="ab" * 32)
    add_run("newest", made_up(80, seed=2), created="2026-01-03T00:00:00+00:00")
    app.switch_page("../../pages/compare.py").run()
    assert not app.exception
    assert app.selectbox(key="run").value == "second"
    assert (app.query_params["run"], app.query_params["other"]) == ("second", "first")
    assert not any("python -m" in code.value for code in app.code)
    app.selectbox(key="run").set_value("newest").run()
    assert not app.exception
    assert "python -m cxr_core evaluate --model OTHER" in app.code[0].value


def test_predictive_values_are_those_of_the_run_until_a_prevalence_is_given(app):
    add_run("a-run", made_up(300))
    app.switch_page("../../pages/evaluation.py").run()
    assert app.number_input(key="prevalence").value is None
    assert "in this run" in app.number_input(key="prevalence").placeholder
    assert "at an assumed prevalence" not in page_html(app)


def test_a_long_computation_shows_its_progress_and_runs_once(app, monkeypatch):
    updates, seen, computed = [], threading.Event(), []
    progress = streamlit.delta_generator.DeltaGenerator.progress

    def shown(place, value, text):
        updates.append((value, text))
        if value == 0.25:
            seen.set()
        return progress(place, value, text)

    def in_four_steps(stored, reference, report):
        computed.append(reference)
        report(1, 4)
        assert seen.wait(60)
        return summary_of(stored, reference, report)

    monkeypatch.setattr(streamlit.delta_generator.DeltaGenerator, "progress", shown)
    monkeypatch.setattr(open_runs, "summary_apart", in_four_steps)
    monkeypatch.setattr(computing, "_POLL_SECONDS", 0.01)
    add_run("a-run", made_up(300))
    app.switch_page("../../pages/admin.py").run()
    assert not app.exception
    assert all("the results of 300 images" in text for _, text in updates)
    assert all(text.endswith(" left") for value, text in updates if value == 0.25)
    assert len(computed) == 1
    app.switch_page("../../pages/evaluation.py").run()
    assert len(computed) == 1


def test_pages_that_show_no_number_of_the_summary_do_not_compute_it(app, monkeypatch):
    """Until their report is downloaded, which holds all numbers; then it is computed once."""
    run, computed = add_run("a-run", made_up(300)), []
    add_run("b-run", made_up(300), model_sha256="ab" * 32)

    def summary(stored, *arguments):
        computed.append(stored.record.id)
        return summary_of(stored, *arguments)

    monkeypatch.setattr(open_runs, "summary_apart", summary)
    app.query_params["run"] = "a-run"
    for page in ("compare", "subgroups", "failures"):
        app.switch_page(f"../../pages/{page}.py").run()
        assert not app.exception
        assert app.main.get("plotly_chart"), page
    assert computed == []
    on_page = open_runs.run_on_page(run, "mined", numbers=False)
    assert [on_page.summary, on_page.summary] == [summarise(run.record, made_up(300))] * 2
    assert computed == ["a-run"]
    app.switch_page("../../pages/evaluation.py").run()
    assert not app.exception


def test_readers_are_shown_if_the_run_has_any(app):
    add_run("a-run", made_up(200, readers=5))
    app.switch_page("../../pages/readers.py").run()
    assert not app.exception
    assert "compared with the majority of the other readers" in page_html(app)
    for title in ("Reader minus model at the reader", "Agreement with and without each reader", "Label noise"):
        assert title in page_html(app)
    add_run("b-run", made_up(100, seed=2))
    streamlit.cache_resource.clear()
    app.switch_page("../../pages/readers.py").run()
    app.selectbox(key="run").set_value("b-run").run()
    assert "No individual readers in this run" in page_html(app)
    # a second reference standard needs no readers
    assert "Label noise" in page_html(app)


def test_images_possibly_seen_in_training_are_marked(app):
    add_run("a-run", made_up(100), seen_in_training=True)
    app.switch_page("../../pages/admin.py").run()
    assert "Images possibly seen in training." in page_html(app)
    # in the banner, and below each of the figures
    assert page_html(app).count("Images possibly seen in training.") == 3


def test_a_run_on_the_calibration_images_is_marked_as_in_sample(app):
    predictions = made_up(300, labels=("Effusion", "Mass"))
    predictions = dataclasses.replace(predictions, probabilities=predictions.scores)
    add_run("a-run", predictions, in_sample=True, operating_point="default", thresholds={"Effusion": 0.3})
    app.switch_page("../../pages/evaluation.py").run()
    assert not app.exception
    html = page_html(app)
    assert "In-sample." in html
    assert "Images without findings flagged (any label at or above its threshold)" in html
    assert "<th>flagged, in-sample</th>" in html
    normal = ~(predictions.references["mined"] == 1).any(axis=1)
    above = predictions.scores[:, list(predictions.labels).index("Effusion")] >= 0.3
    for group, inside in {"all images": normal, "view: PA": normal & (predictions.views == "PA")}.items():
        rate = f"{above[inside].mean():.1%} ("
        assert f"<td>{group}</td><td>{rate}" in html
        assert f"{above[inside].sum()} of {inside.sum()} images" in html
    app.selectbox(key="label-a-run-mined").set_value("Effusion").run()
    assert "<td>sensitivity, in-sample</td>" in page_html(app)
    for page in ("subgroups", "readers", "failures", "compare"):
        app.switch_page(f"../../pages/{page}.py").run()
        assert "In-sample." in page_html(app), page
