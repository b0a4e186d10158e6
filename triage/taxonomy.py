"""Categories, domains, departments and purposes: data, read from TOML and checked. An office may bring its own copy."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from triage.errors import TaxonomyError

DATA = Path(__file__).parent / "data"
FILES = ("categories.toml", "departments.toml", "guards.toml")
Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Domain:
    """One of the level-1 content classes that petition offices use nationally."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Category:
    """The finest cut at which letters go to different desks."""

    code: str
    name: str
    domain: str
    lead: str
    covers: str = ""
    co_handlers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a writer wants (信访工作条例 29-31)."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Department:
    """承办单位, with every name under which letters speak of it."""

    code: str
    name: str
    aliases: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    part_of: str = ""
    level_above: bool = False
    route: bool = True


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """Everything an office knows about where letters belong. Dictionaries keep the order of the files."""

    domains: dict[str, Domain]
    categories: dict[str, Category]
    purposes: dict[str, Purpose]
    departments: dict[str, Department]
    guards: dict[str, Any] = field(repr=False)
    version: str

    def department_named(self, name: str) -> Department:
        """The department of today behind a code, a present or a former name.

        >>> shipped().department_named("国土局").name
        '自然资源和规划局'
        """
        for department in self.departments.values():
            if name in (department.code, department.name, *department.aliases):
                return department
        known = [known for department in self.departments.values() for known in (department.name, *department.aliases)]
        raise TaxonomyError(
            f'departments.toml: no department is called "{name}" ({len(self.departments)} known{_nearest(name, known)}). Use one of them or add an alias.'
        )

    def domain_of(self, category: str) -> Domain:
        """The domain of a category's code.

        >>> shipped().domain_of("wages").name
        '劳动和社会保障'
        """
        return self.domains[self.categories[category].domain]

    def check_knows(self, labels: list[str], where: str) -> None:
        """Raise TaxonomyError when a label (a model's, a file's) is no category of this taxonomy."""
        for label in labels:
            if label not in self.categories:
                raise TaxonomyError(
                    f'{where}: category "{label}" is not in categories.toml ({len(self.categories)} known{_nearest(label, list(self.categories))}). Correct it, or add the category and retrain.'
                )


def shipped() -> Taxonomy:
    """The default taxonomy: 16 domains, 49 categories.

    >>> len(shipped().domains), len(shipped().categories)
    (16, 49)
    """
    return load(None)


def load(home: Path | None) -> Taxonomy:
    """The office's taxonomy: each file from ``home`` where it has its own copy, else the shipped one.

    Raises TaxonomyError that names file, entry and what to do.
    """
    paths = {name: path_of(name, home) for name in FILES}
    raw = {name: _read(path) for name, path in paths.items()}
    departments = _entries(paths["departments.toml"], raw["departments.toml"], "department", Department)
    domains = _entries(paths["categories.toml"], raw["categories.toml"], "domain", Domain)
    categories = _entries(paths["categories.toml"], raw["categories.toml"], "category", Category)
    purposes = _entries(paths["categories.toml"], raw["categories.toml"], "purpose", Purpose)
    _check_references(paths, domains, categories, departments)
    _check_names(paths["departments.toml"], departments)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in paths.values())).hexdigest()
    return Taxonomy(domains, categories, purposes, departments, raw["guards.toml"], f"sha256:{digest[:16]}")


def path_of(name: str, home: Path | None) -> Path:
    """A data file: the office's own copy where it has one, else the shipped one.

    >>> path_of("categories.toml", None) == DATA / "categories.toml"
    True
    """
    own = home / name if home else None
    return own if own and own.exists() else DATA / name


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise TaxonomyError(f"{path}: byte {error.start} is not UTF-8. The file must be UTF-8. Save it as UTF-8 in your editor.") from error
    except tomllib.TOMLDecodeError as error:
        raise TaxonomyError(f"{path}: {error}. The file must be TOML 1.0. Correct that line.") from error


def _entries(path: Path, raw: dict[str, Any], kind: str, make: type[Entry]) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for number, fields in enumerate(raw.get(kind, []), 1):
        where = f"{path} [[{kind}]] number {number}"
        entry = _entry(where, fields, make)
        code = fields["code"]
        if code in entries:
            raise TaxonomyError(f'{where}: code "{code}" is used twice. A code stands once. Rename or remove one of the two.')
        entries[code] = entry
    if not entries:
        raise TaxonomyError(f"{path}: no [[{kind}]] entry. At least one is needed. Add one, or remove the file to use the shipped one.")
    return entries


def _entry(where: str, fields: dict[str, Any], make: type[Entry]) -> Entry:
    allowed = set(make.__slots__)  # type: ignore[attr-defined]  # every entry is a dataclass with slots
    for name in fields:
        if name not in allowed:
            raise TaxonomyError(f'{where}: unknown field "{name}" (allowed: {", ".join(sorted(allowed))}{_nearest(name, sorted(allowed))}). Correct the name.')
    for name in ("code", "name"):
        if not isinstance(fields.get(name), str) or not fields[name].strip():
            raise TaxonomyError(f'{where}: "{name}" is missing or empty. It must be a text. Fill it in.')
    try:
        return make(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
    except TypeError as error:
        raise TaxonomyError(f"{where}: a field is missing ({error}). Fill it in.") from error


def _check_references(paths: dict[str, Path], domains: dict[str, Domain], categories: dict[str, Category], departments: dict[str, Department]) -> None:
    for category in categories.values():
        where = f'{paths["categories.toml"]} category "{category.code}"'
        if category.domain not in domains:
            raise TaxonomyError(f'{where}: unknown domain "{category.domain}"{_nearest(category.domain, list(domains))}. Use the code of a [[domain]].')
        for code in (category.lead, *category.co_handlers):
            if code not in departments or not departments[code].route:
                raise TaxonomyError(
                    f'{where}: unknown department "{code}"{_nearest(code, list(departments))}. Use the code of a [[department]] that letters are sent to.'
                )


def _check_names(path: Path, departments: dict[str, Department]) -> None:
    owner: dict[str, str] = {}
    for department in departments.values():
        for name in (department.name, *department.aliases, *department.offices):
            if owner.setdefault(name, department.code) != department.code:
                raise TaxonomyError(
                    f'{path}: "{name}" names both "{owner[name]}" and "{department.code}". A name leads to one department. Remove it from one of them.'
                )


def _nearest(name: str, known: list[str]) -> str:
    match = get_close_matches(name, known, n=1, cutoff=0.5)
    return f'; nearest "{match[0]}"' if match else ""
