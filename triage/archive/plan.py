"""What a job was asked for, and what it was begun with: the same command goes on with it, another one is told what differs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from models import store
from models.errors import RefusedModelError
from triage import taxonomy
from triage.desk import READS, model_folder
from triage.errors import InputError, ModelError, UsageError
from triage.tokens import DICTIONARY

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = 2  # raise it when a part is cut or written otherwise than before
RELEASE = {"format": FORMAT, **READS}  # what two programs must have in common to work on one job
AGAIN = "Give what it began with, or begin anew with --overwrite."


@dataclass(frozen=True, slots=True)
class Order:
    """A command: letters in, decisions out. ``jobs``, ``cluster`` and ``overwrite`` may change from run to run, the rest makes another job.

    ``far``: the address to which the output is brought from ``output``, where it is made.
    """

    inputs: tuple[str, ...]
    output: Path
    headers: str = "zh"
    text: str = ""
    title: str = ""
    id: str = ""
    sheet: str = ""
    encoding: str = ""
    jobs: int = 1
    overwrite: bool = False
    cluster: str = ""
    far: str = ""

    def options(self) -> dict[str, str]:
        """What shapes the output, by the names of the options."""
        return {f"--{name}": getattr(self, name) for name in ("headers", "text", "title", "id", "sheet", "encoding")}


@dataclass(frozen=True, slots=True)
class Plan:
    """All that decides what stands in the output; kept as ``job.json`` in the job's folder."""

    inputs: list[dict[str, Any]]
    options: dict[str, str]
    columns: list[str]
    model: str | None
    model_files: str
    taxonomy: str
    dictionary: str
    release: dict[str, Any]

    def as_json(self) -> bytes:
        """The plan as a file."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1).encode()

    @property
    def checksum(self) -> str:
        """A short name of exactly this plan."""
        return hashlib.sha256(self.as_json()).hexdigest()[:16]


def read_plan(path: Path) -> Plan | None:
    """The plan of an earlier run, None when there is none. Raises UsageError for one that cannot be read."""
    try:
        return Plan(**json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise UsageError(f"{path}: is no plan of this release. A job goes on in the release that began it. {AGAIN}", kind="job-changed") from error


def make_plan(home: Path, order: Order, inputs: Sequence[dict[str, Any]], columns: Sequence[str], version: str | None) -> Plan:
    """The plan for the office as it is now, with the model ``version``. Raises ModelError when that is not there any more."""
    return Plan(
        inputs=list(inputs),
        options=order.options(),
        columns=list(columns),
        model=version,
        model_files=_model_files(home, version),
        taxonomy=taxonomy.load(home).version,
        dictionary=hashlib.sha256(taxonomy.path_of(DICTIONARY, home).read_bytes()).hexdigest()[:16],
        release=RELEASE,
    )


def live(home: Path) -> str | None:
    """The version with which a job begins. Raises ModelError."""
    try:
        return store.current(model_folder(home))
    except RefusedModelError as error:
        raise ModelError(str(error)) from error


def check_same(then: Plan, now: Plan, where: str) -> None:
    """Raise InputError, ModelError or UsageError, each saying what is no longer as it was when the job began."""
    if [entry["name"] for entry in then.inputs] != [entry["name"] for entry in now.inputs]:
        was = ", ".join(entry["name"] for entry in then.inputs[:5])
        raise UsageError(f"{where}: this job began with other inputs ({was}). A job goes on with the same command. {AGAIN}", kind="job-changed")
    for before, after in zip(then.inputs, now.inputs, strict=True):
        if before != after:
            what = f"has changed since the job began ({before['bytes']:,} bytes then, {after['bytes']:,} now)"
            raise InputError(f"{after['name']}: {what}. A job goes on with the same letters. {AGAIN}", kind="input-changed")
    if then.model_files != now.model_files:
        raise ModelError(f"model {then.model}: its files are not those that the job began with. {AGAIN}", kind="model-changed")
    differ = [f'{name} (was "{was}")' for name, was in then.options.items() if now.options.get(name) != was]
    differ += [name for name in ("taxonomy", "dictionary", "release", "columns") if getattr(then, name) != getattr(now, name)]
    if differ:
        raise UsageError(f"{where}: other than when this job began: {', '.join(differ)}. A job goes on with the same command. {AGAIN}", kind="job-changed")


def _model_files(home: Path, version: str | None) -> str:
    if version is None:
        return ""
    try:
        files = store.card(model_folder(home), version)["files"]
    except RefusedModelError as error:
        raise ModelError(f"{error} The job began with this model. {AGAIN}", kind="model-changed") from error
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]
