"""Real radiographs of many manufacturers, with every kind of result, to a real Orthanc by DICOMweb and DIMSE."""

import threading
from contextlib import closing

import pytest

from cxr_core.errors import InputRefused
from cxr_core.pacs.rules import load_rules
from cxr_core.pacs.worker import Worker
from cxr_core.settings import settings
from cxr_core.store.pacs_store import PacsStore

REFUSED = {
    "child_of_six_ap",
    "dx_thorax_small_monochrome1",
    "ge_dx_lateral_ct_window_j2k",
    "nih_mislabelled_ct",
    "other_cr_head",
    "other_cr_hip_j2k",
    "other_cr_tibia_monochrome1_lossless",
}
"""By the gate: no frontal chest radiographs of adults."""

NOT_STORED = {"other_cr_teeth_modality_lut"}
"""Without a valid SOP Instance UID."""


@pytest.mark.slow
@pytest.mark.needs_shared
def test_results_of_real_images_are_in_their_studies(orthanc, own_folders, tmp_path, shared):
    (tmp_path / "secret").write_text(":".join(orthanc.auth))
    kinds = '["sr", "sc", "pdf", "gsps", "seg"]'
    (tmp_path / "rules.toml").write_text(
        f"""
        [destinations.web]
        address = "{orthanc.dicom_web}"
        credentials_file = "{tmp_path}/secret"
        [destinations.dimse]
        address = "{orthanc.aet}@{orthanc.host}:{orthanc.port}"
        [[rules]]
        modality = []
        results = [{{to = "web", kinds = {kinds}}}, {{to = "dimse", kinds = {kinds}}}]
        """
    )
    orthanc.know("SECONDREAD", 11112)
    own_folders.setenv("SECOND_READ_PACS_RULES", str(tmp_path / "rules.toml"))
    settings.cache_clear()
    names, not_stored = {}, set()
    with closing(PacsStore()) as store:
        for path in sorted((shared / "dicom").glob("*.dcm")):
            try:
                receipt = store.add_instance(path.read_bytes(), "stow")
            except InputRefused:
                not_stored.add(path.stem)
                continue
            if receipt.outcome == "stored":
                orthanc.store(path.read_bytes())
                names[receipt.instance.sop_instance_uid] = path.stem
        before = orthanc.counts()
        Worker(store, load_rules(), "worker").work_until_idle(threading.Event())
        jobs = store.jobs()
        assert {job.state for job in jobs} == {"verified"}, [job.reason for job in jobs]
        assert {names[job.sop_instance_uid] for job in jobs if job.reason.startswith("not read")} == REFUSED
        read = [job for job in jobs if not job.reason]
        results = {result.sop_instance_uid for job in read for result in store.results(job.id)}
    assert not_stored == NOT_STORED
    assert len(read) == len(jobs) - len(REFUSED)
    # of no other patient, in no other study, and each once, though it was sent in two ways
    after = orthanc.counts()
    assert (after["patients"], after["studies"]) == (before["patients"], before["studies"])
    assert after["instances"] == before["instances"] + len(results)
    assert results < orthanc.uids()
