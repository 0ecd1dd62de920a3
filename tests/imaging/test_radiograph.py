import hashlib

from cxr_core.imaging.radiograph import Digest


def test_small_and_large_files_have_their_sha256():
    for data in (b"", b"image", bytes(3 << 20)):
        digest = Digest(data)
        assert digest.sha256 == digest.sha256 == hashlib.sha256(data).hexdigest()


def test_a_known_digest_is_not_computed_again():
    assert Digest(b"image", "0" * 64).sha256 == "0" * 64
