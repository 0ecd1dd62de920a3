"""The made-up store that the pages of stored reads are measured over is one that they can read."""

from contextlib import closing

from benchmarks.stored_pages import make_store
from cxr_core.monitoring import concordance_report
from cxr_core.settings import settings
from cxr_core.store.read_tables import read_rows
from cxr_core.store.reads import ReadStore


def test_the_store_has_reads_of_several_readers_with_opinions_and_findings(own_folders):
    # its reads are of a year that stays the same
    own_folders.setenv("SECOND_READ_KEEP_DAYS", "9999")
    settings.cache_clear()
    make_store(120)
    with closing(ReadStore()) as store:
        reads = list(read_rows(store))
        found = concordance_report(store, "label")
        stored = store.read(f"{120:020x}")
    assert len(reads) == 120
    # one image in ten is read by two
    assert len({read.image for read in reads}) == found.groups["all"].patients == 108
    assert found.readers == 8
    assert found.groups["all"].opinions == 120 * len(found.groups) - 120
    assert 0 < found.groups["all"].toward.value < 0.1
    assert 0.7 < found.groups["all"].agreement.value < 0.9
    assert [finding.label for finding in stored.reading.findings] == list(reads[0].findings)
