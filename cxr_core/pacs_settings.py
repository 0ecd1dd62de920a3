"""The settings of the DICOM network, which is off where none is set."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

__all__ = ["AE_TITLE", "PacsSettings"]

AE_TITLE = r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?"
"""Pattern of an AE title: up to 16 characters of the basic set, no backslash, no space at either end (PS3.5 6.2)."""


class PacsSettings(BaseSettings):
    """Settings that concern a PACS; :class:`.settings.Settings` has them too."""

    pacs: str | None = Field(
        default=None,
        description="PACS that results are sent to: the address of a DICOMweb service, such as "
        "https://pacs.example.org/dicom-web, or AE title, host and port, such as ARCHIVE@pacs.example.org:104 "
        "(with TLS: dicom-tls://ARCHIVE@pacs.example.org:2762).",
    )
    pacs_credentials: str | None = Field(
        default=None,
        repr=False,
        description="For a DICOMweb service in SECOND_READ_PACS: `user:password`, or `Bearer` and a token.",
    )
    pacs_ae_title: str = Field(
        default="SECONDREAD",
        pattern=f"^{AE_TITLE}$",
        description="AE title of this program, for what it sends and receives.",
    )
    pacs_tls_certificate: Path | None = Field(
        default=None,
        description="File (PEM) of the certificate that this program shows where a connection uses TLS.",
    )
    pacs_tls_key: Path | None = Field(
        default=None, description="File (PEM) of the private key of SECOND_READ_PACS_TLS_CERTIFICATE."
    )
    pacs_tls_ca: Path | None = Field(
        default=None,
        description="File (PEM) of the authorities that certificates of others are checked against. By default those "
        "of the system.",
    )
    pacs_keep_days: int = Field(
        default=14,
        ge=1,
        description="Days after which an image received over the DICOM network is deleted, with its jobs and results.",
    )
    pacs_keep_gb: float = Field(
        default=50,
        gt=0,
        description="Images received over the DICOM network that may be stored, in gigabytes (10^9 bytes); further "
        "ones are refused.",
    )
