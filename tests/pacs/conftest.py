import subprocess

import pytest


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder with an authority (``ca.pem``) and a certificate of it for loopback, with its key."""
    folder = tmp_path_factory.mktemp("certificates")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    made = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
    openssl(
        "req", "-x509", *made, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Authority of the tests",
        "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    openssl("req", *made, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=127.0.0.1")
    (folder / "extensions").write_text("subjectAltName=IP:127.0.0.1\nkeyUsage=critical,digitalSignature\n")
    openssl(
        "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
        "-out", "certificate.pem", "-extfile", "extensions",
    )  # fmt: skip
    return folder
