"""Every setting, in one typed place, and the folders that follow from them.

A setting comes from the environment (``SECOND_READ_`` and its name in capitals) or from a ``second-read.toml`` in the
working directory; the environment wins.

The program writes to one folder, ``SECOND_READ_HOME``: ``models/`` holds imported models, ``studies/`` the images of
stored studies, ``runs/`` evaluation runs, the database, the audit trail, checkpoints of trainings and compiled graphs.
What version 0.1.0 stored elsewhere is still found: runs in ``runs/`` of the checkout, models directly in
``SECOND_READ_HOME`` and in ``model_weights/``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from platformdirs import user_data_path
from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .errors import WrongArguments
from .pacs_settings import PacsSettings
from .setting_types import Folders, Names, Networks, StoreKey

__all__ = ["Settings", "folder_notes", "model_roots", "program_path", "settings"]

_PACKAGE = Path(__file__).resolve().parent
_EARLIER_RUNS = _PACKAGE.parent / "runs"
_REPRODUCIBLE = {"ablations", "cache", "compiled", "growth", "summaries"}
"""Contents of a folder of runs that are computed again when they are missing."""


def _default_runs(values: dict[str, Any]) -> Path:
    runs: Path = values["home"] / "runs"
    return _EARLIER_RUNS if _holds_runs(_EARLIER_RUNS) and not _holds_runs(runs) else runs


def _holds_runs(folder: Path) -> bool:
    """Return whether a folder of runs holds anything that cannot be computed again."""
    try:
        return any(path.name not in _REPRODUCIBLE for path in folder.iterdir())
    except OSError:
        return False


class Settings(PacsSettings):
    """Settings of the program. Units are in the names."""

    model_config = SettingsConfigDict(
        env_prefix="SECOND_READ_", toml_file="second-read.toml", extra="ignore", frozen=True
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("second-read", appauthor=False),
        description="Folder that the program writes to: imported models, runs, audit trail, compiled graphs. By "
        "default the user's data directory.",
    )
    models: Folders = Field(
        default=(),
        description="Further folders of models, separated as in PATH. Models in SECOND_READ_HOME and those that "
        "are included in the program are always found.",
    )
    model: str = Field(default="second-read-mini", description="Id of the model that serves by default.")
    engine: Literal["openvino", "tensorflow"] = Field(default="openvino", description="Engine that serves by default.")
    runs: Path = Field(
        default_factory=_default_runs,
        description="Folder of evaluation runs and the audit trail. By default `runs` in SECOND_READ_HOME.",
    )
    images: Path | None = Field(
        default=None,
        description="Folder of the images of runs, for the page Failures, since a run stores no image. An image is "
        "shown where its SHA-256 is that of the run.",
    )
    identity: Literal["screen", "store", "off"] = Field(
        default="screen",
        description="Whether the page shows who the patient of a DICOM file is: `screen`, to the person who opened it "
        "and in the PDF reports that this person makes, and nowhere else; `store`, in the database of stored reads as "
        "well; or `off`, for teaching.",
    )
    read_first: Literal["choose", "on", "off"] = Field(
        default="choose",
        description="Whether the model's findings stay hidden on the reading page until the reader shows them: "
        "`choose`, by a switch that each reader has; `on`, always; or `off`, never.",
    )
    keep: Literal["session", "store"] = Field(
        default="session",
        description="Where images, readings and opinions of the reading page are kept: `session`, in memory, or "
        "`store`, on disk under SECOND_READ_HOME and in the database.",
    )
    session_minutes: float = Field(
        default=30,
        ge=0,
        description="Minutes for which the worklist of a person without a connected tab stays in memory.",
    )
    idle_mb: int = Field(
        default=2000,
        ge=0,
        description="Files that the worklists of all persons without a connected tab may hold in memory, in megabytes; "
        "the one that was left longest ago is released first.",
    )
    keep_days: int = Field(
        default=30, ge=1, description="Days after which a stored study is deleted with its images, reads and opinions."
    )
    keep_gb: float = Field(
        default=20, gt=0, description="Images that may be stored, in gigabytes (10^9 bytes); further ones are not."
    )
    store_key: StoreKey = Field(
        default=None,
        repr=False,
        description="Key of 32 random bytes in base64, with which images, reads, identity and comments are stored "
        "encrypted (AES-256-GCM). What is stored with a key cannot be read without it.",
    )
    store_key_previous: StoreKey = Field(
        default=None,
        repr=False,
        description="The key before SECOND_READ_STORE_KEY, while `reads rekey` replaces it: what it has encrypted is "
        "read too.",
    )
    reader_names: Literal["off", "lead"] = Field(
        default="off",
        description="Whether the statistics of concordance and the page History name the readers: `off`, Reader 1 and "
        "so on, or `lead`, by name, to reviewers and administrators.",
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="URL of the database of runs, in SQLAlchemy's form. By default SQLite in the folder of runs.",
    )
    max_file_mb: int = Field(
        default=200, ge=1, description="Largest input file that is opened, in megabytes (10^6 bytes)."
    )
    max_megapixels: int = Field(default=64, ge=1, description="Largest decoded image, in 10^6 pixels.")
    decode_seconds: float = Field(
        default=20, gt=0, description="Seconds after which decoding a file, or unpacking an archive, is stopped."
    )
    decode_memory_mb: int = Field(
        default=1500, ge=200, description="Memory that decoding one file may take, in megabytes beyond the libraries."
    )
    max_table_mb: int = Field(
        default=2000, ge=1, description="Largest table or list that a command reads, unpacked, in megabytes."
    )
    max_zip_ratio: int = Field(
        default=200,
        ge=1,
        description="Largest ratio of a zip's unpacked to its packed size.",
    )
    max_files: int = Field(default=500, ge=1, description="Most files in one upload, one zip or one DICOMDIR.")
    queue_images: int = Field(
        default=100, ge=1, description="Images of all readers that may wait in the app's reading queue."
    )
    session_mb: int = Field(
        default=500, ge=1, description="Files that one person's worklist may hold in memory, in megabytes."
    )
    uploads_mb: int = Field(
        default=2000,
        ge=1,
        description="Uploads of all tabs that the app may hold until their pages take them over, in megabytes.",
    )
    upload_seconds: float = Field(default=300, gt=0, description="Seconds that the body of one upload may take.")
    max_sessions: int = Field(default=120, ge=1, description="Browser tabs that may be connected at the same time.")
    max_sessions_per_address: int = Field(
        default=60,
        ge=1,
        description="Tabs of one address at the same time; of all users of a proxy that does not name its clients.",
    )
    max_connections: int = Field(
        default=600, ge=2, description="Connections of all kinds at the same time; one address may have half of them."
    )
    role_claim: str | None = Field(
        default=None,
        description="Claim of the ID token with the role reader, reviewer or admin. Dots lead into nested claims.",
    )
    readers: Names = Field(
        default=(), description="Verified e-mail addresses and subjects of readers, separated by commas."
    )
    reviewers: Names = Field(
        default=(), description="Verified e-mail addresses and subjects of reviewers, separated by commas."
    )
    admins: Names = Field(
        default=(), description="Verified e-mail addresses and subjects of administrators, separated by commas."
    )
    metrics_networks: Networks = Field(
        default=(),
        description="IP addresses and networks, besides this machine, that may fetch `/metrics` without signing in, "
        "separated by commas, such as 10.1.2.3,10.1.4.0/24. Others need the role admin.",
    )
    log_format: Literal["text", "json"] = Field(
        default="text",
        description="Log format of the app, `pacs receive` and `pacs work`: `text`, or `json`, one object per line.",
    )
    stop_seconds: float = Field(
        default=25,
        ge=1,
        description="Seconds after SIGTERM in which the app finishes what is being read, before it ends.",
    )
    audit: Path | None = Field(
        default=None, description="File of the audit trail. By default `audit.jsonl` in the folder of runs."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of the sources: arguments, environment, settings file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


@lru_cache(maxsize=1)
def settings() -> Settings:
    """Return the settings of this process, read once; raises WrongArguments for one that cannot be used."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else "settings"
        raise WrongArguments(f"Setting SECOND_READ_{name.upper()}: {first['msg']}.") from error


def program_path(name: str) -> Path:
    """Return the path of ``app.py``, ``pages``, ``model_weights`` or a file of ``.streamlit``.

    They lie beside ``cxr_core`` in a checkout; a wheel has them in ``cxr_core/bundled`` (pyproject.toml).
    """
    bundled = _PACKAGE / "bundled"
    return (bundled if bundled.is_dir() else _PACKAGE.parent) / name


def model_roots() -> list[Path]:
    """Return the folders that are searched for model folders, in this order; new models go to the first."""
    home = settings().home
    return [home / "models", *settings().models, home, program_path("model_weights")]


def folder_notes() -> list[str]:
    """Return one sentence for each folder in the settings that cannot be used, or in which version 0.1.0 left files."""
    given, runs, home = settings(), settings().runs, settings().home
    sentences = []
    if home.exists() and not home.is_dir():
        sentences.append(f"SECOND_READ_HOME: {home} is a file. Name a folder.")
    for folder in given.models:
        if (folder / "card.json").is_file():
            sentences.append(f"SECOND_READ_MODELS: {folder} is a model. Name the folder that holds it.")
        elif not folder.is_dir():
            sentences.append(f"SECOND_READ_MODELS: {folder} is not a folder, and is not searched.")
    if "runs" not in given.model_fields_set and _holds_runs(_EARLIER_RUNS):
        sentences.append(
            f"Runs and audit trail of version 0.1.0 are used where they are, in {runs}. To have everything in one "
            f"folder, stop the program and move that folder to {home / 'runs'}."
            if runs == _EARLIER_RUNS
            else f"Runs of version 0.1.0 in {_EARLIER_RUNS} are not used, since {runs} holds others. "
            f"SECOND_READ_RUNS={_EARLIER_RUNS} shows them."
        )
    if any(home.glob("*/card.json")):
        sentences.append(
            f"Models of version 0.1.0 are used where they are, in {home}. Models are now stored in {home / 'models'}."
        )
    return sentences
