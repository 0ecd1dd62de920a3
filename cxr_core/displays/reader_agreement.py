"""Agreement of the readers with and without each one."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..formatting import format_estimate
from ..labels import display_name
from ..metrics import Estimate
from .display import RunView, estimate_columns, estimate_panel, numbers_by_row
from .marks import Chart

__all__ = ["LeaveOneOutDisplay"]


@dataclass(frozen=True, eq=False)
class LeaveOneOutDisplay:
    """Fleiss' kappa of all readers, without each one, and with the model, for one label.

    Attributes:
        label: that is read.
        together: kappa of all readers, and of readers and model where it has an operating point.
        without: name of each reader, kappa of the others, and kappa of all minus that of the others.
        notes: what must accompany the numbers.
    """

    label: str
    together: tuple[tuple[str, Estimate], ...]
    without: tuple[tuple[str, Estimate, Estimate], ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of_run(cls, run: RunView, label: str) -> LeaveOneOutDisplay | None:
        """Return the figure of a label; None where fewer than three readers answered."""
        overall = numbers_by_row(run, "reader_agreement", label)
        if not overall:
            return None
        (kappas,) = overall.values()
        names = {"fleiss": "all readers", "fleiss_with_model": "readers and model"}
        each = numbers_by_row(run, "reader_agreement_each", label)
        return cls(
            label,
            tuple((names[metric], kappa) for metric, kappa in kappas.items() if metric in names),
            tuple((name, numbers["fleiss_without"], numbers["fleiss_change"]) for (_, name), numbers in each.items()),
            run.notes,
        )

    def table(self) -> pd.DataFrame:
        """Return one row per group of readers; ``change`` is of all readers minus those without one."""
        rows: list[dict[str, object]] = [{"readers": name} | estimate_columns(kappa) for name, kappa in self.together]
        rows += [
            {"readers": f"without {name}"} | estimate_columns(kappa) | estimate_columns(change, "change_")
            for name, kappa, change in self.without
        ]
        frame = pd.DataFrame(rows)
        frame.insert(0, "label", self.label)
        return frame

    def chart(self) -> Chart:
        """Return dot plots of kappa and of its change with each reader."""
        names = [*(name for name, _ in self.together), *(f"without {name}" for name, _, _ in self.without)]
        kappas = [*(kappa for _, kappa in self.together), *(kappa for _, kappa, _ in self.without)]
        none = Estimate.missing("no reader is excluded")
        changes = [*(none for _ in self.together), *(change for _, _, change in self.without)]
        missing = next((kappa.reason or "" for kappa in kappas if kappa.value is None), "")
        rows = [
            (name, format_estimate(kappa), "" if change is none else format_estimate(change, signed=True))
            for name, kappa, change in zip(names, kappas, changes, strict=True)
        ]
        below = min([0.0, *(kappa.low or 0.0 for kappa in kappas)])
        panel = estimate_panel("kappa", names, kappas, missing=missing)
        if below < 0:
            panel = estimate_panel("kappa", names, kappas, signed=True, missing=missing)
        return Chart(
            f"Agreement with and without each reader (Fleiss' kappa), {display_name(self.label)}",
            (panel, estimate_panel("change with the reader", names, changes, signed=True, missing=missing)),
            alt="Fleiss' kappa. " + "; ".join(f"{name} {kappa}" for name, kappa, _ in rows) + ".",
            columns=2,
            same_rows=True,
            height=90 + 30 * max(3, len(names)),
            caption=(
                "Change: all readers minus the others without this one, on the same resamples of patients. Below 0 "
                "the others agree better among themselves. Agreement is not correctness."
            ),
            notes=self.notes,
            table_rows=(("readers", "kappa (95 % CI)", "change (95 % CI)"), *rows),
        )
