"""What is installed is what the locks name, every byte of it by its hash."""

import importlib.util
import itertools
import json
import re
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).resolve().parent.parent
NAMED = tomllib.loads((PROJECT / "pyproject.toml").read_text())
APP = NAMED["project"]["dependencies"]
RAY, POSTGRES, PACS, INT8 = (
    NAMED["project"]["optional-dependencies"][extra] for extra in ("ray", "postgres", "pacs", "int8")
)
DEV, BENCH, TOOLS, DOCS = (NAMED["dependency-groups"][group] for group in ("dev", "bench", "supply", "docs"))
LOCKS = {
    "requirements.txt": APP,
    "requirements-ray.txt": APP + RAY,
    "requirements-postgres.txt": APP + POSTGRES,
    "requirements-pacs.txt": APP + PACS,
    "requirements-int8.txt": APP + INT8,
    "requirements-dev.txt": APP + RAY + POSTGRES + PACS + INT8 + DEV,
    "requirements-bench.txt": APP + BENCH,
    "requirements-supply.txt": TOOLS,
    "requirements-docs.txt": DOCS,
}
SYSTEMS = {
    "Linux, x86-64": {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"},
    "Linux, arm64": {"sys_platform": "linux", "platform_machine": "aarch64", "platform_system": "Linux"},
    "macOS": {"sys_platform": "darwin", "platform_machine": "arm64", "platform_system": "Darwin"},
    "Windows": {"sys_platform": "win32", "platform_machine": "AMD64", "platform_system": "Windows"},
}
MACHINES = [
    pytest.param(
        system | {"os_name": "nt" if name == "Windows" else "posix"}
        | {"python_version": version, "python_full_version": f"{version}.5", "implementation_name": "cpython"}
        | {"platform_python_implementation": "CPython", "extra": ""},
        id=f"{name}, {version}",
    )
    for (name, system), version in itertools.product(SYSTEMS.items(), ("3.11", "3.12", "3.13"))
]  # fmt: skip


def entries(file):
    """Return (requirement, hashes) of each package of a lock, and the lines that are none and no comment."""
    text = re.sub(r"\s*\\\n\s*", " ", (PROJECT / file).read_text())
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    packages = [(Requirement(line.split(" --hash=")[0]), re.findall(r"--hash=(\S+)", line)) for line in lines]
    return packages


def wanted(requirements, machine):
    return [r for r in map(Requirement, requirements) if r.marker is None or r.marker.evaluate(machine)]


@pytest.mark.parametrize("file", LOCKS)
def test_every_package_of_a_lock_is_one_release_with_its_hashes(file):
    packages = entries(file)
    assert len(packages) > (30 if file == "requirements-docs.txt" else 40)
    for requirement, hashes in packages:
        assert re.fullmatch(r"==[\w.+]+", str(requirement.specifier)), requirement
        assert requirement.url is None
        assert hashes, requirement
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), requirement


@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_names_no_place_to_fetch_from_and_the_command_that_wrote_it(file):
    text = (PROJECT / file).read_text()
    assert not re.search(r"://|--(extra-)?index|--find-links|--trusted|^-[a-z]|/(home|root|tmp|work|opt)\b", text, re.M)
    assert text.splitlines()[1] == "#    make lock"


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("file", LOCKS)
def test_a_lock_holds_what_pyproject_names_once_on_every_machine(file, machine):
    versions = {}
    for requirement, _ in entries(file):
        if requirement.marker is None or requirement.marker.evaluate(machine):
            assert requirement.name not in versions, "twice on one machine"
            (versions[requirement.name],) = (each.version for each in requirement.specifier)
    for requirement in wanted(LOCKS[file], machine):
        assert versions[canonicalize_name(requirement.name)] in requirement.specifier, requirement


def test_the_locks_agree_on_every_package_of_the_app():
    app = {str(requirement) for requirement, _ in entries("requirements.txt")}
    for file in LOCKS:
        if LOCKS[file][: len(APP)] == APP:
            assert app <= {str(requirement) for requirement, _ in entries(file)}, file


def test_the_lock_names_all_that_the_named_packages_bring_with_them_here():
    locked = {requirement.name for requirement, _ in entries("requirements.txt")}
    waiting = [(canonicalize_name(r.name), frozenset(r.extras)) for r in wanted(APP, {"extra": ""})]
    seen = set()
    while waiting:
        name, extras = package = waiting.pop()
        if package in seen:
            continue
        seen.add(package)
        assert name in locked
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed")
        for text in installed.requires or []:
            needed = Requirement(text)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in {"", *extras}):
                waiting.append((canonicalize_name(needed.name), frozenset(needed.extras)))
    assert len(seen) > 60


def test_make_installs_by_hash_alone():
    lines = (PROJECT / "Makefile").read_text().splitlines()
    installing = [line for line in lines if re.search(r"\bpip\b.*\binstall\b", line)]
    assert len(installing) == 1
    assert installing[0].startswith("INSTALL = ")
    assert "--require-hashes" in installing[0]
    for line in lines:
        if "$(INSTALL)" in line:
            (file,) = re.findall(r"-r (\S+\.txt)", line)
            assert file in LOCKS
            # a source package is built with packages that no lock names
            assert "$(WHEELS)" in line or file == "requirements-bench.txt"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", PROJECT / ".ci" / "audit.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PACKAGES = {("one", "1.0"), ("two", "2.0")}


def report(*answers):
    return json.dumps({"dependencies": [{"name": n, "version": v, **rest} for n, v, rest in answers]})


def test_an_audit_that_checked_everything_and_found_nothing_says_so(audit):
    text = report(("one", "1.0", {"vulns": []}), ("two", "2.0", {"vulns": []}))
    assert audit.verdict(text, PACKAGES) == (["No vulnerability is known of any of the 2 packages."], 0)


@pytest.mark.parametrize(
    "said",
    ["", "no JSON", "{}", report(("one", "1.0", {"skip_reason": "not found"}), ("two", "2.0", {"skip_reason": "no"}))],
)
def test_an_audit_that_reached_no_database_is_none(audit, said):
    (line,), status = audit.verdict(said, PACKAGES)
    assert status == 2
    assert line.startswith("Not checked: 2 of 2 packages")


def test_an_audit_names_what_it_found_also_where_it_could_not_check_all(audit):
    hole = {"id": "PYSEC-1", "fix_versions": ["1.1"]}
    lines, status = audit.verdict(report(("one", "1.0", {"vulns": [hole]})), PACKAGES)
    assert status == 1
    assert lines[0] == "one 1.0: PYSEC-1; mended in 1.1."
    assert lines[1].startswith("Not checked: 1 of 2 packages")
    lines, status = audit.verdict(report(("one", "1.0", {"vulns": [hole]}), ("two", "2.0", {"vulns": []})), PACKAGES)
    assert (lines[1], status) == ("Known vulnerabilities: 1, in 2 packages.", 1)


def test_the_audit_asks_for_packages_of_every_system(audit):
    names = {name for name, _ in audit.locked([(PROJECT / "requirements.txt").read_text()])}
    assert {"tensorflow", "tensorflow-cpu", "colorama"} <= names
