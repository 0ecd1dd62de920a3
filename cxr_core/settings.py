"""Every setting, in one typed place.

A setting comes from the environment (``SECOND_READ_`` and its name in capitals) or from a
``second-read.toml`` in the working directory; the environment wins.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .errors import WrongArguments

__all__ = ["Settings", "settings"]

PROJECT = Path(__file__).resolve().parent.parent


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Names with commas between, or a list in the settings file."""


class Settings(BaseSettings):
    """What may be set from outside. Units stand in the names."""

    model_config = SettingsConfigDict(
        env_prefix="SECOND_READ_", toml_file="second-read.toml", extra="ignore", frozen=True
    )

    home: Path = Field(
        default=PROJECT / "model_weights",
        description="Folder that holds one folder per model.",
    )
    model: str = Field(default="second-read-mini", description="Id of the model that serves by default.")
    engine: Literal["openvino", "tensorflow"] = Field(default="openvino", description="Engine that serves by default.")
    runs: Path = Field(default=PROJECT / "runs", description="Folder that keeps evaluation runs.")
    images: Path | None = Field(
        default=None, description="Folder of the images of runs, for the page Failures; a run keeps no image."
    )
    database_url: str | None = Field(
        default=None,
        repr=False,
        description="Database of the store of runs, as SQLAlchemy writes it; by default SQLite in the folder of runs.",
    )
    max_file_mb: int = Field(
        default=200, ge=1, description="Largest input file that is opened, in megabytes (10^6 bytes)."
    )
    max_megapixels: int = Field(default=64, ge=1, description="Largest decoded image, in 10^6 pixels.")
    decode_seconds: float = Field(
        default=20, gt=0, description="Seconds after which decoding a file, or unpacking an archive, is given up."
    )
    decode_memory_mb: int = Field(
        default=1500, ge=200, description="Memory that decoding one file may take, in megabytes."
    )
    max_table_mb: int = Field(
        default=2000, ge=1, description="Largest table or list that a command reads, unpacked, in megabytes."
    )
    max_zip_ratio: int = Field(
        default=200,
        ge=1,
        description="How many times a zip may grow: films shrink to a half or a quarter, a bomb to a thousandth.",
    )
    max_files: int = Field(default=500, ge=1, description="Most files that one drop on the page may hold.")
    queue_films: int = Field(
        default=100, ge=1, description="Films of all readers that may wait to be read in the app at the same time."
    )
    session_mb: int = Field(
        default=500, ge=1, description="Dropped files that one tab's list may hold in memory, in megabytes."
    )
    uploads_mb: int = Field(
        default=2000,
        ge=1,
        description="Uploads of all tabs that the app may hold until their pages take them over, in megabytes.",
    )
    upload_seconds: float = Field(default=300, gt=0, description="Seconds that the body of one upload may take.")
    max_sessions: int = Field(default=120, ge=1, description="Browser tabs that may be connected at the same time.")
    max_sessions_per_address: int = Field(
        default=60, ge=1, description="The same, of one address; of a proxy where it does not say whom it forwards."
    )
    max_connections: int = Field(
        default=600, ge=2, description="Connections of all kinds at the same time; one address may have half of them."
    )
    role_claim: str | None = Field(
        default=None,
        description="Claim of the ID token that says reader, reviewer or admin; dots lead into nested claims.",
    )
    readers: Names = Field(default=(), description="Verified e-mail addresses and subjects of readers.")
    reviewers: Names = Field(default=(), description="The same, of reviewers.")
    admins: Names = Field(default=(), description="The same, of administrators.")
    audit: Path | None = Field(
        default=None, description="File of the audit trail; by default audit.jsonl in the folder of runs."
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
