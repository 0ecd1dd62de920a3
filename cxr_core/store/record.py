"""What is known of an evaluation run, beside its predictions."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["RunRecord"]


@dataclass(frozen=True)
class RunRecord:
    """One evaluation of one model on one set of films.

    Attributes:
        id: names the run and its folder: letters, digits, hyphens.
        name: what a person calls it.
        created: UTC, ISO 8601 to the second.
        model_id: of the card, or what an import calls the model.
        model_sha256: of ``model.keras``; empty for predictions that were made elsewhere.
        engine: that ran the model; ``imported`` for predictions that were made elsewhere.
        data: names of the data sets, such as ``nih_128``.
        data_sha256: fingerprint of the films and their labels; see :func:`.predictions.fingerprint`.
        split: name of the split, or what stands in for it.
        split_sha256: of the split file, or empty.
        part: ``train``, ``validation`` or ``test``.
        films, patients: how many.
        labels: the model's, in the order of its outputs.
        references: who says what the films show, the first being the one that figures use by default.
        evaluated_before: how often films of the same fingerprint were evaluated before, by any model.
        seen_in_training: True where the card lists the data set as training data and the films are not of
            the part that was held out.
        predictions_sha256: of the Parquet file.
        operating_point: name of the card's operating point whose thresholds are kept; empty where none is.
        thresholds: of the score, for each label that the card calls above or below; the model need not be there
            to ask what they do.
        localisation_sha256: of the Parquet file of where the maps point; empty where no box was given.
        versions: of the programs that made it.
        image_names_kept: whether the predictions hold the images' names, and not keyed digests of them.
    """

    id: str
    name: str
    created: str
    model_id: str
    model_sha256: str
    engine: str
    data: tuple[str, ...]
    data_sha256: str
    split: str
    split_sha256: str
    part: str
    films: int
    patients: int
    labels: tuple[str, ...]
    references: tuple[str, ...]
    evaluated_before: int = 0
    seen_in_training: bool = False
    predictions_sha256: str = ""
    operating_point: str = ""
    thresholds: dict[str, float] = field(default_factory=dict)
    localisation_sha256: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    image_names_kept: bool = True
