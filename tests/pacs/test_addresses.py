import pytest

from cxr_core.errors import WrongArguments
from cxr_core.pacs.addresses import DimseAddress, WebAddress, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("ARCHIVE@pacs.example.org:104", DimseAddress("ARCHIVE", "pacs.example.org", 104)),
        ("dicom-tls://ARCHIVE@10.0.0.5:2762", DimseAddress("ARCHIVE", "10.0.0.5", 2762, tls=True)),
        ("MY PACS@[::1]:11112", DimseAddress("MY PACS", "::1", 11112)),
        ("A@B@host:1", DimseAddress("A@B", "host", 1)),
        ("https://pacs.example.org/dicom-web/", WebAddress("https://pacs.example.org/dicom-web")),
        ("http://127.0.0.1:8042/dicom-web", WebAddress("http://127.0.0.1:8042/dicom-web")),
    ],
)
def test_an_address_is_read_and_written(text, address):
    assert parse_address(text) == address
    assert parse_address(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ARCHIVE",
        "ARCHIVE@host",
        "@host:104",
        " @host:104",
        "SEVENTEEN-LETTERS@host:104",
        "BACK\\SLASH@host:104",
        "ÜBER@host:104",
        "ARCHIVE@host:0",
        "ARCHIVE@host:65536",
        "ARCHIVE@ho st:104",
        "ARCHIVE@host:10 4",
        "ftp://host/dicom-web",
        "https://",
        "https://host:port/",
        "https://host/dicom-web?key=planted",
        "https://host/dicom web",
        "https://planted:planted@host/dicom-web",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text):
    with pytest.raises(WrongArguments) as raised:
        parse_address(text)
    assert "planted" not in str(raised.value)
