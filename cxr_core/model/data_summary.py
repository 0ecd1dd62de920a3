"""What films a model was made from, in numbers: no film and no patient can be told from them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from ..errors import PathUnusable
from .measure import STRICT, Counts

__all__ = [
    "AGE_EDGES",
    "NIH_TABLE",
    "OLDEST",
    "WHOLE",
    "AgeCounts",
    "DataSummary",
    "PartSummary",
    "SharedPatients",
    "read_summary",
    "summary_json",
]

NIH_TABLE = Path(__file__).with_name("nih_table.json")
"""The whole of ChestX-ray14 in numbers: made by ``python -m cxr_core describe --table
Data_Entry_2017_v2020.csv --split none --out cxr_core/model/nih_table.json`` from NIH's table, which lies at
https://nihcc.app.box.com/v/ChestXray-NIHCC (Wang et al., CVPR 2017, doi 10.1109/CVPR.2017.369)."""

WHOLE = "all"
"""Name of the one part of tables that are not split."""

OLDEST = 120
"""An age beyond this is an error of the table."""

AGE_EDGES = (*range(0, 91, 5), OLDEST)
"""Edges of the bins of ages, in years: 90 and over are one, since few are so old that one might be told from it."""


@dataclass(frozen=True, config=STRICT)
class AgeCounts:
    """Films by the patient's age on the day of the film.

    ``films[k]`` have ages from ``AGE_EDGES[k]`` to under the next, the last bin 120 itself too; ``beyond`` are older
    than 120 years, which is an error of the table; ``unknown`` have no age that could be read.
    """

    films: tuple[int, ...]
    beyond: int
    unknown: int


@dataclass(frozen=True, config=STRICT)
class PartSummary:
    """One part of the data.

    ``together[a][b]`` is how many films have the labels a and b both, in the order of ``per_label``; on the diagonal
    how many have the label. ``alone`` have that label and no other. Sexes and views are films by what the table
    says; an empty word is where it says nothing.
    """

    films: int
    patients: int
    without_findings: int
    per_label: dict[str, Counts]
    alone: tuple[int, ...]
    together: tuple[tuple[int, ...], ...]
    ages: AgeCounts
    sexes: dict[str, int]
    views: dict[str, int]


@dataclass(frozen=True, config=STRICT)
class SharedPatients:
    """How many patients have films in both of two parts."""

    one: str
    other: str
    patients: int


@dataclass(frozen=True, config=STRICT)
class DataSummary:
    """The parts of a data set, and for each two of them the patients that both hold: counted, not assumed.

    ``tables`` is the SHA-256 of each table that was counted, unpacked, by its file's name, where that is known.
    """

    parts: dict[str, PartSummary]
    shared: tuple[SharedPatients, ...]
    tables: dict[str, str] = Field(default_factory=dict)


_ADAPTER = TypeAdapter(DataSummary)


def read_summary(path: Path = NIH_TABLE) -> DataSummary:
    """Read what ``describe --out`` wrote; raises PathUnusable."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise PathUnusable(f"Summary {path.name}: cannot be read. It is made by the command describe.") from error


def summary_json(summary: DataSummary) -> bytes:
    """Return a summary as JSON, a line of it for each part's field."""
    return _ADAPTER.dump_json(summary, indent=1) + b"\n"
