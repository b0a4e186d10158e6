"""Every setting, read once: from the environment, or the default. Each stands in the README's table."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from triage.errors import TriageError


class SettingsError(TriageError):
    """A setting has a value that it cannot have."""

    exit_status = 2
    kind = "invalid-setting"


class Settings(BaseSettings):
    """The office's settings; ``TRIAGE_`` and the name in capitals is the variable."""

    model_config = SettingsConfigDict(env_prefix="TRIAGE_", frozen=True)

    home: Path = Field(Path("office"), description="folder that holds the office's models and its own taxonomy and dictionary")
    host: str = Field("127.0.0.1", description="address to listen on", min_length=1)
    port: int = Field(8016, description="port to listen on", ge=0, le=65535)
    workers: int = Field(2, description="processes that answer; they share the model's memory", ge=1, le=64)
    max_body: int = Field(8_000_000, description="largest request body in bytes; more is answered with 413", ge=1_000)
    database: SecretStr = Field(SecretStr(""), description="where the register is: a URL of PostgreSQL; empty for register.sqlite3 in TRIAGE_HOME")
    text_key: SecretStr = Field(SecretStr(""), description="keys that seal letters' text in the register, parted by commas, the newest first")


def settings() -> Settings:
    """The settings of this process. Raises SettingsError that names every bad variable at once."""
    try:
        return Settings()  # type: ignore[call-arg]  # every field has a default; the plugin-less checker does not see it
    except ValidationError as error:
        wrong = "; ".join(f"TRIAGE_{str(part['loc'][0]).upper()}: {part['msg']}" for part in error.errors(include_input=False))
        raise SettingsError(f"environment: {wrong}. Correct or unset the variable.") from error
