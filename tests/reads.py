"""Made-up readings of made-up images, for tests of what is stored of them."""

import numpy as np
from sqlalchemy import text

from cxr_core.estimate import Counts, Estimate
from cxr_core.imaging import SMALL_CHANGES, Placement, Quality
from cxr_core.labels import LABELS
from cxr_core.model import Finding, Reading
from cxr_core.model.card import read_card
from cxr_core.model.findings import ChangedFindings, FlagRate, ImageFacts
from cxr_core.model.folder import CARD, find_model
from cxr_core.store.database import transaction
from cxr_core.store.read_record import ReadOptions
from cxr_core.store.reads import ReadStore

OPTIONS = ReadOptions(None, 1, True, "data")


def made_up_reading(seed: int = 0, *, checked: bool = False, **changes) -> Reading:
    """Return a reading with findings above, below and not evaluated, and every optional part."""
    rng = np.random.default_rng(seed)
    estimate = Estimate(0.25, 0.2, 0.31, counts=Counts(10, 30, 9, 29))
    fields = {
        "sha256": f"{seed:064x}",
        "image": ImageFacts("dicom", 256, 224, ("modality LUT: identity",), (0.143, 0.143), "PA"),
        "quality": Quality("warning", ("The image looks mirrored.",), None, 0, ("Age unknown.",), looks_mirrored=True),
        "model_id": "second-read-mini",
        "model_sha256": "ab" * 32,
        "engine": "openvino",
        "operating_point": "default",
        "findings": _findings(rng),
        "class_maps": rng.normal(size=(len(LABELS), 3, 4)).astype(np.float32),
        "placement": Placement(256, 224, 320, (0, 16, 224, 240), (0, 0, 320, 320)),
        "prevalence": {"Mass": 0.03},
        "flagged": FlagRate(estimate, "PA", None, True),
        "under_changes": tuple(ChangedFindings(c.name, _findings(rng)) for c in SMALL_CHANGES) if checked else (),
    }
    return Reading(**fields | changes)


def reveal(store: ReadStore, read: str) -> None:
    """Show the findings of a read, as the page does: what is shown is stored again, as revealed."""
    stored = store.read(read)
    summary = stored.summary
    image = next(image for image in store.images(summary.reader) if image.digest == summary.image)
    shown = store.save_read(image, stored.reading, stored.options, stored.model_version, revealed=True)
    assert shown == read


def store_reads(store: ReadStore, n: int, *, labels=("Mass", "Effusion"), opinions=True) -> str:
    """Store reads of the embedded model by two readers over two months; return the model's weights.

    Of every 24 reads one is refused. Every third first opinion is another one than the model's state; none is changed.
    """
    weights = read_card(find_model("second-read-mini") / CARD).weights_sha256
    for row in range(n):
        above, refused = row % 2 == 1, row % 24 == 23
        score, state = (0.9, "above") if above else (0.1, "below")
        findings = () if refused else tuple(Finding(one, 0.0, score, None, None, 0.5, state) for one in labels)
        quality = Quality("refused", ("not read: modality CT; radiographs are accepted",)) if refused else Quality()
        reading = made_up_reading(row, model_sha256=weights, findings=findings, quality=quality, distance=1.0)
        image = store.add_image(f"https://id|reader-{row % 2}", f"image {row}".encode())
        read = store.save_read(image, reading, OPTIONS, "1", revealed=False, answer_seconds=2.0 + row % 3)
        for finding in findings if opinions else ():
            says = above ^ (row % 3 == 0)
            store.add_opinion(read, image.reader, finding.label, "present" if says else "absent")
        store.add_seconds(read, 30.0)
        reveal(store, read)
        with transaction(store._engine, writing=True) as connection:
            created = f"2026-{10 + row % 2}-{1 + row % 27:02}T08:00:00.000+00:00"
            connection.execute(text("UPDATE reads SET created = :t WHERE id = :id"), {"t": created, "id": read})
    return weights


def _findings(rng) -> tuple[Finding, ...]:
    findings = []
    for number, label in enumerate(LABELS):
        score = float(rng.random())
        if number % 3 == 2:
            findings.append(Finding(label, 0.1, score, None, None, None, "not_evaluated", "too few patients"))
        else:
            state = "above" if score >= 0.4 else "below"
            findings.append(Finding(label, -1.5 + score, score, score / 2, (score / 3, score), 0.2, state))
    return tuple(findings)
