"""JSON Lines, or one JSON array of objects -> rows of cells; a bad line is a row with its problem.

Numbers stay as they are written: an id of 18 digits keeps all of them.
"""

from __future__ import annotations

import json
from functools import partial
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from triage import decoding
from triage.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

KEYS_FROM = 1000  # lines whose keys become the columns
MAX_ARRAY = 1 << 26  # characters of a JSON array: it is held in memory, lines are not
MAX_CELL = 1 << 24  # characters of one line, as in a CSV file


def rows(path: Path, encoding: str, where: str, *, lenient: bool = False) -> Iterator[tuple[int, list[str], str]]:
    """``(line, cells, problem)``, the keys first as row 0. Raises InputError when no line is an object.

    The columns are the keys of the first ``KEYS_FROM`` lines in the order of appearance; a key that turns up later is a problem of its row.
    """
    lines = ((number, line) for number, line in enumerate(decoding.lines(path, encoding, where, lenient=lenient), 1) if line.strip("\ufeff \t\r\n"))
    yield from _under_columns(((number, *_record(line)) for number, line in lines), where)


def array_rows(path: Path, encoding: str, where: str) -> Iterator[tuple[int, list[str], str]]:
    """As ``rows``; the numbers count the objects of the array from 1. Raises InputError for more than ``MAX_ARRAY`` characters."""
    with decoding.open_text(path, encoding) as file:
        text = file.read(MAX_ARRAY + 1)
    if len(text) > MAX_ARRAY:
        raise InputError(f"{where}: a JSON array of more than {MAX_ARRAY:,} characters. Write one object a line (JSON Lines).", kind="array-too-large")
    items, problem = _parsed(text.strip("\ufeff \t\r\n"))
    if problem or not isinstance(items, list):
        raise InputError(
            f"{where}: not a JSON array ({problem or 'something else'}). An array of objects, or one object a line is allowed.", kind="invalid-json"
        )
    yield from _under_columns(((number, *_object(item)) for number, item in enumerate(items, 1)), where)


def _under_columns(records: Iterator[tuple[int, dict[str, Any], str]], where: str) -> Iterator[tuple[int, list[str], str]]:
    first = list(islice(records, KEYS_FROM))
    columns = list(dict.fromkeys(key for _, record, _ in first for key in record))
    if first and not columns:
        raise InputError(
            f"{where} line {first[0][0]}: {first[0][2] or 'an empty object'}. One JSON object a line is allowed. Correct the line.", kind="invalid-json"
        )
    if columns:
        yield 0, columns, ""
    for number, record, problem in chain(first, records):
        cells, why = _cells(record, columns)
        yield number, cells, problem or why


def _record(line: str) -> tuple[dict[str, Any], str]:
    if len(line) > MAX_CELL:
        return {}, f"more than {MAX_CELL:,} characters on one line"
    item, problem = _parsed(line.strip("\ufeff \t\r\n"))
    return ({}, problem) if problem else _object(item)


def _parsed(text: str) -> tuple[Any, str]:
    try:
        return json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_once), ""
    except json.JSONDecodeError as error:
        return None, f"not JSON (column {error.colno})"
    except RecursionError:
        return None, "not JSON that a person wrote (too many brackets in brackets)"
    except ValueError as error:
        return None, str(error)


def _object(item: Any) -> tuple[dict[str, Any], str]:
    return (item, "") if isinstance(item, dict) else ({}, "not a JSON object")


def _no_number(name: str) -> None:
    raise ValueError(f"not JSON ({name} is no number)")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice")
    return record


def _cells(record: dict[str, Any], columns: list[str]) -> tuple[list[str], str]:
    texts = list(map(partial(_text, record), columns))
    later = [key for key in record if key not in columns]
    nested = [column for column in columns if isinstance(record.get(column), dict | list)]
    if later:
        return texts, f'key "{later[0][:40]}" is not among those of the first {KEYS_FROM:,} lines'
    if nested:
        return texts, f'"{nested[0][:40]}" holds a list or an object, not a text'
    if not _is_unicode(texts):
        return texts, "half a character (a lone surrogate)"
    return texts, ""


def _text(record: dict[str, Any], column: str) -> str:
    value = record.get(column)
    return value if isinstance(value, str) else {True: "true", False: "false"}.get(value, "") if isinstance(value, bool) else ""


def _is_unicode(texts: Iterable[str]) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
