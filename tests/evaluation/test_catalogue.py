"""A figure that is added to the catalogue as CONTRIBUTING.md shows appears wherever a run is shown."""

import csv
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from cxr_core.cli.main import main
from cxr_core.evaluation import catalogue, summary
from cxr_core.evaluation.catalogue import CATALOGUE
from cxr_core.metrics import proportions
from cxr_core.report import model_card
from cxr_core.settings import settings
from cxr_core.store import RunStore
from cxr_core.ui import evaluation as page
from tests.runs import made_up, record_of

PROJECT = Path(__file__).resolve().parents[2]


def recipe():
    """Return the lines that the diff of CONTRIBUTING.md adds, by file."""
    section = (PROJECT / "CONTRIBUTING.md").read_text().partition("## Adding a figure")[2]
    diff = section.partition("```diff\n")[2].partition("```")[0]
    files = re.split(r"(?m)^--- a/(.*)\n", diff)[1:]
    return {
        name: "".join(f"{line[1:]}\n" for line in text.splitlines() if line.startswith("+"))
        for name, text in zip(files[::2], files[1::2], strict=True)
    }


METRIC, DISPLAY, CATALOGUE_FILE = (
    f"cxr_core/{name}.py" for name in ("metrics/proportions", "displays/flag_rate", "evaluation/catalogue")
)


@pytest.fixture
def run(monkeypatch, tmp_path):
    added = recipe()
    exec(added[METRIC], vars(proportions))
    imported, line = added[CATALOGUE_FILE].split("\n", 1)
    exec(imported, names := dict(vars(catalogue)))
    (entry,) = eval(f"({line.strip()})", names)
    for module in (catalogue, summary, model_card, page):
        assert module.CATALOGUE is CATALOGUE
        monkeypatch.setattr(module, "CATALOGUE", (*CATALOGUE, entry))
    module = ModuleType("cxr_core.displays.flag_rate")
    module.__package__ = "cxr_core.displays"
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(added[DISPLAY], vars(module))
    monkeypatch.chdir(PROJECT)
    monkeypatch.setenv("SECOND_READ_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr("cxr_core.store.runs.EMBEDDED", tmp_path / "none")
    monkeypatch.setattr(RunStore.__init__, "__defaults__", (None, None, tmp_path / "none"))
    settings.cache_clear()
    streamlit.cache_resource.clear()
    predictions = made_up(120, labels=("Effusion", "Mass"))
    store = RunStore()
    yield store.add(record_of(predictions), predictions)
    store.close()
    del proportions.flag_rate
    settings.cache_clear()
    streamlit.cache_resource.clear()


def text_of(html):
    text = []
    parser = HTMLParser()
    parser.handle_data = text.append
    parser.feed(html)
    return " ".join(text)


def test_a_new_figure_is_on_the_page_in_the_terminal_and_in_every_export(run, tmp_path, capsys):
    p = run.predictions()
    rate = (p.scores[:, 0] >= 0.5).mean()
    assert main(["runs", "show", "a-run"]) == 0
    assert f"  Effusion            {rate:.1%} (" in capsys.readouterr().out.partition("Flag rate:")[2]
    assert main(["runs", "export", "a-run", str(tmp_path / "out")]) == 0
    with (tmp_path / "out" / "metrics.csv").open() as file:
        rows = [r for r in csv.DictReader(file) if r["metric"] == "flag_rate" and r["reference"] == "mined"]
    assert [float(row["value"]) for row in rows if row["label"] == "Effusion"] == [pytest.approx(rate)]
    exported = json.loads((tmp_path / "out" / "metrics.json").read_text())[0]["labels"]
    assert exported["Effusion"]["flag_rate"]["value"] == pytest.approx(rate)
    report = (tmp_path / "out" / "report.html").read_text()
    assert f"Effusion {rate:.1%} (" in text_of(report).partition("Flag rate")[2]
    assert "Flag rate of Mass: " in report
    card = (tmp_path / "out" / "model-card.md").read_text().splitlines()
    headings = next(line for line in card if line.startswith("| label |")).split(" | ")
    numbers = next(line for line in card if line.startswith("| Effusion |")).split(" | ")
    assert numbers[headings.index("score of 0.5 or more")].startswith(f"{rate:.1%} (")
    app = AppTest.from_file(str(PROJECT / "cxr_core/ui/main.py"), default_timeout=300)
    app.switch_page("../../pages/evaluation.py").run()
    assert not app.exception
    assert any("Flag rate" in element.proto.body for element in app.main.get("html"))
    drawn = [chart.proto.alt for chart in app.main.get("plotly_chart")]
    assert any(f"{(p.scores[:, c] >= 0.5).mean():.1%} (" in alt for c in range(2) for alt in drawn if "Flag" in alt)


def test_the_recipe_passes_ruff():
    added = recipe()
    catalogue_text = (PROJECT / CATALOGUE_FILE).read_text()
    imported, line = added[CATALOGUE_FILE].split("\n", 1)
    after = "from .calibration_entries import"
    files = {
        METRIC: f"{(PROJECT / METRIC).read_text()}\n\n{added[METRIC]}",
        DISPLAY: added[DISPLAY],
        CATALOGUE_FILE: catalogue_text.replace(after, f"{imported}\n{after}", 1).removesuffix(")\n") + f"{line})\n",
    }
    for name, text in files.items():
        for command in (["check"], ["format", "--check"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command, "--stdin-filename", name, "-"],
                input=text, cwd=PROJECT, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, (name, done.stdout)


def test_every_entry_has_a_title_its_own_name_and_a_display_that_exists():
    names = [entry.name for entry in CATALOGUE]
    assert len(set(names)) == len(names)
    for entry in CATALOGUE:
        assert entry.title
        assert entry.columns or entry.display, entry.name
        if entry.display:
            module, name = entry.display.split(".")
            assert hasattr(getattr(import_module(f"cxr_core.displays.{module}"), name), "of_run")
