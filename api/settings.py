"""Every setting, read once: from the environment, or the default. Each stands in the README's table."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
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
    max_body: int = Field(8_000_000, description="largest request body in bytes, 125 times as much for a file of letters; more is answered with 413", ge=1_000)
    database: SecretStr = Field(SecretStr(""), description="where the register is: a URL of PostgreSQL; empty for register.sqlite3 in TRIAGE_HOME")
    text_key: SecretStr = Field(SecretStr(""), description="keys that seal letters' text in the register, parted by commas, the newest first")
    rate_limit: int = Field(6_000, description="calls that a key may make in a minute; more is answered with 429", ge=1)

    @field_validator("home")
    @classmethod
    def _home(cls, home: Path) -> Path:
        return home.expanduser()


def settings() -> Settings:
    """The settings of this process. Raises SettingsError that names every bad or mistyped variable at once."""
    wrong = _mistyped()
    try:
        known = Settings()  # type: ignore[call-arg]  # every field has a default; the plugin-less checker does not see it
    except ValidationError as error:
        wrong += [f"TRIAGE_{str(part['loc'][0]).upper()}: {part['msg']}" for part in error.errors(include_input=False)]
    if wrong:
        raise SettingsError(f"environment: {'; '.join(wrong)}. Correct or unset the variable.")
    return known


def _mistyped() -> list[str]:
    """Variables that are nearly a setting. Others may belong to somebody else."""
    known = [f"TRIAGE_{name.upper()}" for name in Settings.model_fields]
    strange = sorted(name for name in os.environ if name.startswith("TRIAGE_") and name not in known)
    near = {name: get_close_matches(name, known, n=1, cutoff=0.85) for name in strange}
    return [f"{name}: no such setting, nearest {found[0]}" for name, found in near.items() if found]
