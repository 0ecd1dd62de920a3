"""The settings of the DICOM network, which is off where none is set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from .setting_types import Names

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
    pacs_source: str | None = Field(
        default=None,
        description="PACS that studies are fetched from, in the form of SECOND_READ_PACS, which is the default.",
    )
    pacs_source_credentials: str | None = Field(
        default=None,
        repr=False,
        description="For a DICOMweb service in SECOND_READ_PACS_SOURCE, in the form of SECOND_READ_PACS_CREDENTIALS.",
    )
    pacs_retrieve: Literal["get", "move"] = Field(
        default="get",
        description="How images are retrieved by DIMSE: `get`, by C-GET, or `move`, by C-MOVE to the receiver, which "
        "the PACS must know as SECOND_READ_PACS_AE_TITLE. The receiver needs the same setting and the same database.",
    )
    pacs_changes: str | None = Field(
        default=None,
        description="Address of the REST API of an Orthanc, such as https://orthanc.example.org:8042, whose change "
        "feed `pacs fetch --follow` reads. By default it finds new studies by Study Date.",
    )
    pacs_changes_credentials: str | None = Field(
        default=None,
        repr=False,
        description="For SECOND_READ_PACS_CHANGES, in the form of SECOND_READ_PACS_CREDENTIALS.",
    )
    pacs_poll_seconds: float = Field(
        default=30, ge=1, description="Seconds between two looks for new studies by `pacs fetch --follow`."
    )
    pacs_priors: int = Field(
        default=1, ge=0, le=20, description="Priors that `pacs fetch` fetches for each study; 0 for none."
    )
    pacs_patient_id_in_url: bool = Field(
        default=False,
        description="Whether a DICOMweb service is searched for priors. The address of such a search has the Patient "
        "ID of the study, and a proxy or web server may log it. By C-FIND they are searched without an address.",
    )
    pacs_rules: Path | None = Field(
        default=None,
        description="File (TOML) of destinations, and of rules which images are read, how, and where their results go. "
        "By default CR and DX are read with SECOND_READ_MODEL, and SR and SC go to SECOND_READ_PACS.",
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
    pacs_listen: str | None = Field(
        default=None,
        description="IP address of this machine and port on which `pacs receive` listens, such as 10.1.2.9:11112.",
    )
    pacs_senders: Names = Field(
        default=(),
        description="Who may send to `pacs receive`: AE titles with IP address or network, separated by commas, such "
        "as CT1@10.1.2.3,ARCHIVE@10.1.4.0/24.",
    )
    pacs_receive_tls: bool = Field(
        default=False,
        description="Whether `pacs receive` speaks TLS, with SECOND_READ_PACS_TLS_CERTIFICATE. Where "
        "SECOND_READ_PACS_TLS_CA is set, a sender must show a certificate of it.",
    )
    pacs_associations: int = Field(default=10, ge=1, description="Associations that `pacs receive` has at once.")
    pacs_receive_metrics: str | None = Field(
        default=None,
        description="IP address of this machine and port on which `pacs receive` serves its metrics, at `/metrics`, "
        "such as 127.0.0.1:9112: for this machine and SECOND_READ_METRICS_NETWORKS. Without one it serves none.",
    )
    pacs_work_metrics: str | None = Field(
        default=None,
        description="IP address of this machine and port on which `pacs work` serves its metrics, at `/metrics`, such "
        "as 127.0.0.1:9113, as SECOND_READ_PACS_RECEIVE_METRICS. Each of several workers on a machine needs a port of "
        "its own.",
    )
    pacs_stow_token: str | None = Field(
        default=None,
        min_length=32,
        repr=False,
        description="Token of 32 characters or more with which a sender may store DICOM files in the app by STOW-RS "
        "(`Authorization: Bearer TOKEN`). Without one, the app has no such address.",
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
