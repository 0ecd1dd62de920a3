"""Tables of what the program writes, for :mod:`make_reference`: JSON, CSV, and the model card.

Fields and types are those of the code. What a record of the card or of a run says of a field is taken from its
docstring; of JSON and CSV it stands here, and a field without a description, or a description without its field, ends
the script.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic.fields import FieldInfo

from cxr_core.estimate import Counts, Estimate
from cxr_core.evaluation.catalogue import entries
from cxr_core.evaluation.export import METRIC_COLUMNS
from cxr_core.imaging import Quality
from cxr_core.model import ModelCard
from cxr_core.model.findings import FlagRate
from cxr_core.report.record import CSV_COLUMNS, reading_record, reading_rows, refusal_json
from cxr_core.report.stored_read import OPINION_COLUMNS
from cxr_core.store import RunRecord
from tests.reads import made_up_reading

DESCRIPTIONS: Mapping[str, Mapping[str, str]] = json.loads((Path(__file__).parent / "output_fields.json").read_text())
"""What each field of an output is: of JSON by its path, of CSV by its column."""

_RATE = Estimate(0.25, 0.2, 0.31, Counts(10, 30, 9, 29))

TEXT_KEYS = {"assumed_prevalence": "LABEL", "findings[].stability.scores": "CHANGE"}
"""Objects of the JSON whose keys are data."""


def reading_table() -> str:
    """Return a table of the fields of ``predict --json``, with the types that they have in different readings."""
    refused = made_up_reading(findings=(), quality=Quality("refused", ("not a radiograph",)), prevalence=None)
    records = [
        reading_record("image.dcm", made_up_reading(checked=True, flagged=FlagRate(_RATE, "PA", _RATE, False))),
        reading_record("image.dcm", made_up_reading(prevalence=None, flagged=None)),
        reading_record("image.dcm", made_up_reading(quality=Quality("warning", ("read",), "a reason", 0))),
        reading_record("image.dcm", refused),
        json.loads(refusal_json("x", None, "-", model_id="m", model_sha256="-", engine="-", operating_point="-")),
    ]
    found: dict[str, set[str]] = {}
    for record in records:
        for path, kind in _shape(record):
            found.setdefault(path, set()).add(kind)
    described = _described("predict --json", found)
    rows = [f"| `{path}` | {_kinds(found[path])} | {words} |" for path, words in described]
    return "\n".join(["| field | type | what it is |", "|---|---|---|", *rows])


def reading_columns() -> str:
    """Return a table of the columns of ``predict --csv`` and of the Parquet files of an archive."""
    surplus = {name for row in reading_rows("image.dcm", made_up_reading(checked=True)) for name in row}
    return _columns("predict --csv", CSV_COLUMNS, surplus - set(CSV_COLUMNS))


def opinion_columns() -> str:
    """Return a table of the columns of the opinions that ``reads export`` writes."""
    return _columns("opinions", OPINION_COLUMNS)


def metric_columns() -> str:
    """Return a table of the columns of ``metrics.csv`` of an exported run."""
    return _columns("metrics.csv", METRIC_COLUMNS)


def metric_table() -> str:
    """Return a table of the metrics of an exported run, in the order of the catalogue."""
    rows = []
    for entry in entries("export"):
        of = "each label" if entry.per_label is not None else "the run: labels, groups or thresholds"
        rows += [f"| `{name}` | {column.heading} | {entry.title} | {of} |" for name, column in entry.columns.items()]
    return "\n".join(["| metric | as it is headed | section | of |", "|---|---|---|---|", *rows])


def run_table() -> str:
    """Return a table of the fields of ``run.json``."""
    return record_table(RunRecord)


def estimate_table() -> str:
    """Return the tables of an estimate and its counts."""
    return "\n\n".join(section(cls) for cls in (Estimate, Counts))


def card_table() -> str:
    """Return a section for each record of ``card.json``, the card first, but for estimates and counts."""
    return "\n\n".join(section(cls) for cls in _records(ModelCard) if cls not in (Estimate, Counts))


OUTPUT_TABLES: Mapping[str, Callable[[], str]] = {
    "reading": reading_table,
    "reading columns": reading_columns,
    "opinion columns": opinion_columns,
    "run": run_table,
    "metric columns": metric_columns,
    "metrics": metric_table,
}
CARD_TABLES: Mapping[str, Callable[[], str]] = {"card": card_table, "estimates": estimate_table}


def section(record: type) -> str:
    """Return a heading, the text of a record's docstring, and the table of its fields."""
    text, _ = _docstring(record)
    return f"### {record.__name__}\n\n{text}\n\n{record_table(record)}"


def record_table(record: type) -> str:
    """Return a table of the fields of a dataclass: name, type, whether it may be missing, description."""
    hints, (_, described) = get_type_hints(record), _docstring(record)
    rows = []
    for field in fields(record):
        words = described.pop(field.name, "")
        rows.append(f"| `{field.name}` | {_type(hints[field.name])} | {_default(field)} | {words} |")
    if described:
        raise SystemExit(f"{record.__name__}: its docstring describes fields that it has not: {', '.join(described)}")
    return "\n".join(["| field | type | where missing | what it is |", "|---|---|---|---|", *rows])


def _shape(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, type) of a value of JSON and of everything in it."""
    if isinstance(value, dict):
        if path:
            yield path, "object"
        for key, inner in value.items():
            name = TEXT_KEYS.get(path, key)
            yield from _shape(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        yield path, "list"
        for inner in value:
            yield from _shape(inner, f"{path}[]")
    else:
        names = {bool: "true or false", int: "number", float: "number", str: "text", types.NoneType: "null"}
        yield path, names[type(value)]


def _kinds(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds, key=lambda kind: (kind == "null", kind)))


def _columns(what: str, columns: Iterable[str], surplus: Iterable[str] = ()) -> str:
    rows = [f"| `{name}` | {words} |" for name, words in _described(what, [*columns, *surplus])]
    return "\n".join(["| column | what it is |", "|---|---|", *rows])


def _described(what: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (name, description), in the order of the names; SystemExit where the two differ."""
    names, words = list(names), DESCRIPTIONS[what]
    if missing := [name for name in names if name not in words]:
        raise SystemExit(f"docs/output_fields.json, {what}: describe {', '.join(missing)}")
    if surplus := [name for name in words if name not in names]:
        raise SystemExit(f"docs/output_fields.json, {what}: there is no {', '.join(surplus)}")
    return [(name, words[name]) for name in names]


def _records(root: type) -> list[type]:
    """Return a dataclass and those in its fields, each once, in the order of the fields."""
    found, waiting = [], [root]
    while waiting:
        record = waiting.pop(0)
        if record in found:
            continue
        found.append(record)
        for hint in get_type_hints(record).values():
            waiting += [inner for inner in _inner(hint) if is_dataclass(inner)]
    return found


def _inner(hint: Any) -> Iterator[Any]:
    yield hint
    for argument in get_args(hint):
        yield from _inner(argument)


def _type(hint: Any) -> str:
    """Return a type in words: JSON has neither tuples nor classes."""
    names = {float: "number", int: "whole number", str: "text", bool: "true or false", types.NoneType: "null"}
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in names:
        return names[hint]
    if is_dataclass(hint):
        return f"[{hint.__name__}](card.md#{hint.__name__.lower()})"
    if origin in (Union, types.UnionType):
        return " or ".join(map(_type, arguments))
    if origin is Literal:
        return " or ".join(f"`{json.dumps(each)}`" for each in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"object of {_type(arguments[1])}"
    raise SystemExit(f"{hint}: say in docs/reference_tables.py what that is in JSON")


def _default(field: Any) -> str:
    made, value = field.default_factory, field.default
    if isinstance(value, FieldInfo):
        made, value = value.default_factory, value.default
    if made not in (None, MISSING):
        return f"`{json.dumps(made())}`"
    return "required" if value is MISSING or repr(value) == "PydanticUndefined" else f"`{json.dumps(value)}`"


def _docstring(record: type) -> tuple[str, dict[str, str]]:
    """Return the text of a docstring as Markdown, and its attributes' descriptions."""
    text, _, rest = inspect.cleandoc(record.__doc__ or "").partition("\nAttributes:\n")
    rest = re.split(r"\n(?=\S)", rest)[0]
    found: dict[str, str] = {}
    for names, words in re.findall(r"^    (\w+(?:, \w+)*): (.*?)(?=^    \w|\Z)", rest, re.DOTALL | re.MULTILINE):
        found |= dict.fromkeys(names.split(", "), _markdown(" ".join(words.split())))
    text = re.split(r"\n(?:Raises|Examples):\n", text)[0]
    return _markdown(text.strip()), found


def _markdown(text: str) -> str:
    """Return reStructuredText of a docstring as Markdown, for a table."""
    text = re.sub(r":\w+:`[.~]*([^`]+)`", r"`\1`", text)
    return re.sub(r"``([^`]+)``", r"`\1`", text).replace("|", r"\|")
