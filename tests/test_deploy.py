"""Unit, container and handbook say what the program does."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from api import crew, figures, front, live, logs, metrics, wire, worker
from api.cli import app
from api.settings import Settings

ROOT = Path(__file__).parent.parent
UNIT, DOCKERFILE, HANDBOOK = (ROOT / name for name in ("deploy/letter-triage.service", "Dockerfile", "docs/operations.md"))
COMMANDS = {command.name or command.callback.__name__ for command in app.registered_commands} | {group.name for group in app.registered_groups}


def unit():
    parsed = configparser.RawConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str
    parsed.read(UNIT)
    return parsed


def commands_of(group):
    found = {command.name or command.callback.__name__ for command in group.registered_commands}
    return found.union(*(commands_of(inner.typer_instance) for inner in group.registered_groups if not inner.name))


@pytest.mark.parametrize("path", [UNIT, DOCKERFILE, HANDBOOK])
def test_only_commands_and_settings_that_there_are(path):
    text = path.read_text("utf-8")
    for command in re.findall(r"\btriage (?!serve\b)([a-z]+)", re.sub(r"letter-triage\b", "", text)) + re.findall(r"/triage ([a-z]+)", text):
        assert command in commands_of(app) | COMMANDS
    for setting in re.findall(r"TRIAGE_([A-Z_]+)", text):
        assert setting.lower() in Settings.model_fields


def test_the_unit_waits_longer_than_the_service_and_kills_nobody_before():
    service = unit()["Service"]
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > crew.GRACE > worker.GRACE
    assert "MemoryDenyWriteExecute" not in service
    assert service["ExecStart"].endswith("triage serve")


def test_the_unit_is_one_that_systemd_understands():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd on this machine")
    done = subprocess.run(["systemd-analyze", "verify", UNIT], capture_output=True, check=False, text=True)
    assert "Unknown" not in done.stderr


def test_the_container_copies_what_there_is_and_runs_as_nobody_special():
    lines = DOCKERFILE.read_text("utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY") for word in line.split()[1:-1]]
    assert all((ROOT / name).exists() for name in copied)
    assert {"api", "models", "training", "triage", "pyproject.toml", "LICENSE", "README.md"} == set(copied)
    assert "USER triage" in lines
    assert f"EXPOSE {Settings.model_fields['port'].default}" in lines


@pytest.mark.parametrize(
    "said",
    [
        f"past {front.REQUESTS} requests in work",
        f"past {front.FEW} when those in work would take more than {front.SOON_ENOUGH:g} s",
        f"or {front.BODIES} bodies",
        f"{wire.ARRIVAL:g} s after its first byte",
        f"after {worker.KEEP_ALIVE} s",
        f"finish what they can in {worker.ORPHANED:g} s",
        f"for {crew.SILENT:g} s: it is killed",
        f"up to every {crew.BACKOFF[-1]:g} s",
        f"keeps {wire.CONNECTIONS:,} connections",
        f"up to {logs.WAITING:,}, then",
        f"tried again every {live.AGAIN:g} s",
        f"more than {front.HEADERS} headers or {front.HEADER_BYTES // 1024} KiB",
        f"the log says {figures.CLOSED}",
        *(f"triage_{name}_total" for name in metrics.TOTALS),
    ],
)
def test_the_handbook_gives_the_numbers_of_the_program(said):
    assert said in HANDBOOK.read_text("utf-8")
