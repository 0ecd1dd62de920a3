"""Ask whether a vulnerability is known of a package that a lock names: run by ``make audit``.

Exit status: 0 every package was checked and none has a known vulnerability; 1 at least one has; 2 at least one
could not be checked, as where the database cannot be reached. What was found counts before what was not checked.

pip-audit by itself ends with 0 where the database answers that it knows no package at all, and passes over
packages of other systems than this one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

FOUND, UNCHECKED = 1, 2


def main(locks: Sequence[str]) -> int:
    """Ask for every package of the locks, print the answer, and return the exit status."""
    packages = locked(Path(lock).read_text(encoding="utf-8") for lock in locks)
    with TemporaryDirectory() as folder:
        # without their markers; one file may name a package once only
        command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
        rest, number = sorted(packages), 0
        while rest:
            once = {name: (name, version) for name, version in reversed(rest)}
            path = Path(folder) / f"{number}.txt"
            path.write_text("".join(f"{name}=={version}\n" for name, version in once.values()), encoding="utf-8")
            command += ["--requirement", str(path)]
            rest, number = [package for package in rest if package not in once.values()], number + 1
        answer = subprocess.run([*command, "--no-deps", "--disable-pip"], capture_output=True, text=True)
    lines, status = verdict(answer.stdout, packages)
    print("\n".join(lines), file=sys.stderr if status else sys.stdout)
    return status


def locked(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Return name and version of every package that the locks name, for whatever system."""
    lines = [line.split()[0] for text in texts for line in text.splitlines() if line[:1].isalnum()]
    return {(name.split("[")[0], version) for name, version in (line.split("==") for line in lines)}


def verdict(report: str, packages: set[tuple[str, str]]) -> tuple[list[str], int]:
    """Return what to print and the exit status.

    Args:
        report: what pip-audit wrote, JSON; empty or broken where it ended early.
        packages: name and version of each package that was asked for.
    """
    try:
        answers = {(each["name"], each.get("version")): each for each in json.loads(report)["dependencies"]}
    except (ValueError, KeyError, TypeError):
        answers = {}
    vulnerable = [
        f"{name} {version}: {known['id']}; mended in {', '.join(known.get('fix_versions') or ['no release'])}."
        for (name, version), each in sorted(answers.items(), key=lambda item: item[0][0])
        for known in each.get("vulns", [])
    ]
    unchecked = sum("vulns" not in answers.get(package, {}) for package in packages)
    if unchecked:
        vulnerable.append(
            f"Not checked: {unchecked} of {len(packages)} packages, because the vulnerability database does not "
            "answer for them. Run make audit where https://pypi.org/pypi can be reached."
        )
        return vulnerable, FOUND if len(vulnerable) > 1 else UNCHECKED
    if vulnerable:
        return [*vulnerable, f"Known vulnerabilities: {len(vulnerable)}, in {len(packages)} packages."], FOUND
    return [f"No vulnerability is known of any of the {len(packages)} packages."], 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
