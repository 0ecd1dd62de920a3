"""The rules of the house that no other tool keeps."""

import importlib.util
import re
import subprocess
import tomllib
from graphlib import TopologicalSorter
from itertools import chain
from pathlib import Path

import grimp
import pytest

PROJECT = Path(__file__).resolve().parent.parent
DOCUMENTS = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").glob("*.md"))]
MODULES = sorted((PROJECT / "cxr_core").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_a_module_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 320
    assert not re.search(r"(utils?|helpers?|manager|misc|common)\.py$", path.name)


@pytest.mark.parametrize("path", sorted((PROJECT / "cxr_core/ui/assets").glob("*.js")), ids=lambda path: path.name)
def test_a_script_of_the_page_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= 320


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph("cxr_core")
    packages = {
        path.parent.relative_to(PROJECT).as_posix().replace("/", ".") for path in MODULES if path.stem == "__init__"
    }
    modules = graph.modules - packages
    imports = {module: graph.find_modules_directly_imported_by(module) & modules for module in modules}
    # raises CycleError, which names the modules
    assert len(tuple(TopologicalSorter(imports).static_order())) == len(modules)


def test_the_readme_names_both_commands_and_the_notice():
    from cxr_core.labels import NOTICE

    text = (PROJECT / "README.md").read_text()
    for words in ("make app", "make test", NOTICE, "docs/second-opinion.webp"):
        assert words in text


def script(name):
    """Return a script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, PROJECT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def reference():
    """The script that writes the tables of commands and settings from the program."""
    return script("make_reference")


def test_the_picture_of_the_rooms_shows_the_imports_as_they_are():
    """After a change of imports between rooms: python docs/make_rooms.py."""
    rooms = script("make_rooms")
    folders = {path.parent.name for path in (PROJECT / "cxr_core").glob("*/__init__.py")}
    assert folders <= set(rooms.SUBJECTS)
    assert rooms.PICTURE.read_text() == rooms.svg(rooms.imports())
    assert "(rooms.svg)" in (PROJECT / "docs" / "how-it-is-built.md").read_text()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_document_names_is_there(path):
    text = path.read_text()
    names = re.findall(r"`((?:cxr_core|tests|benchmarks|docs|pages|model_weights)/[\w./-]*)`", text)
    links = [link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) if "://" not in link]
    for place in [*(PROJECT / name for name in names), *(path.parent / link for link in links)]:
        assert place.exists() or any(place.parent.glob(f"{place.name}.*")), place


def menus():
    """Return the entries of the menus of the site of docs, in docs/index.md."""
    blocks = re.findall(r"^```\{toctree\}\n(.*?)^```", (PROJECT / "docs" / "index.md").read_text(), re.S | re.M)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    return [re.sub(r".*<(.+)>$", r"\1", line) for line in lines]


def test_every_page_of_the_docs_is_in_one_menu_of_the_site():
    """A new page gets its line in docs/index.md."""
    pages, entries = {path.stem for path in (PROJECT / "docs").glob("*.md")} - {"index"}, menus()
    assert sorted(entries) == sorted(pages)
    assert len(pages) > 20


def test_the_documented_commands_and_settings_are_those_of_the_program(reference):
    """After a change: python docs/make_reference.py."""
    pages = {name: (PROJECT / "docs" / name).read_text() for name in reference.PAGES}
    for name, text in pages.items():
        assert reference.reference(name) == text, name
    assert "| `SECOND_READ_QUEUE_IMAGES` | `100` |" in pages["settings.md"]
    assert "| `models import` |" in pages["command-line.md"]
    assert "| `findings[].threshold` | number or null |" in pages["output.md"]
    assert "| `weights_sha256` | text | required |" in pages["card.md"]


def test_every_command_has_its_section_and_every_option_is_named_there(reference):
    text = (PROJECT / "docs" / "command-line.md").read_text()
    for name, command in reference.commands():
        first, _, rest = name.partition(" ")
        assert re.search(rf"^## `python -m cxr_core {first}\b.*{rest}", text, re.MULTILINE), name
        for parameter in command.params:
            for option in parameter.opts:
                assert not option.startswith("--") or option in text or option == "--help", (name, option)


def test_no_document_names_a_setting_that_is_none():
    from cxr_core.settings import Settings

    known = {f"SECOND_READ_{name.upper()}" for name in Settings.model_fields}
    of_tests = {"SECOND_READ_SHARED", "SECOND_READ_REQUIRE", "SECOND_READ_TEST_DATABASE_URL"}
    for path in DOCUMENTS:
        assert set(re.findall(r"SECOND_READ_[A-Z_]+[A-Z]", path.read_text())) <= known | of_tests, path.name


def test_every_dependency_has_its_reason():
    reasons = (PROJECT / "CONTRIBUTING.md").read_text()
    named = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    extras, groups = named["project"]["optional-dependencies"], named["dependency-groups"]
    for line in chain(named["project"]["dependencies"], *extras.values(), *groups.values()):
        assert re.match(r"[a-z0-9-]+(\[[a-z]+\])?==[\w.]+(; |$)", line), line
        name = line.split("==")[0].removesuffix("[data]")
        assert f"`{name}`" in reasons, line


def test_no_file_is_larger_than_a_host_takes():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        assert (PROJECT / name).stat().st_size < 50e6, name
