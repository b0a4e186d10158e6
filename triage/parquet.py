"""Parquet -> rows of cells, one row group after the other, in a process of its own (see ``triage.sandbox``): 300 bytes can claim 4 GB."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from triage import sandbox
from triage.sandbox import RefusedFileError
from triage.spreadsheets import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROWS_A_BATCH = 1024


def read(path: str) -> Iterator[Any]:
    """Facts, then rows ``[number, cells, problem]`` in lists; rows are counted from 1. Columns of lists and structures are left out and named."""
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others reserve address space by the gigabyte
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise RefusedFileError(
            "Parquet needs pyarrow, which is not installed. Install letter-triage[parquet], or save as CSV UTF-8.", "not-installed"
        ) from error
    pa.set_cpu_count(1)
    try:
        yield from _messages(parquet.ParquetFile(path), pa.types.is_nested)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise RefusedFileError("no Parquet that can be read: damaged, cut off or encrypted. Write it again.", "damaged-file") from error


def _messages(file: Any, is_nested: Any) -> Iterator[Any]:
    columns = [field.name for field in file.schema_arrow if not is_nested(field.type)]
    left_out = [f"{field.name} ({field.type})" for field in file.schema_arrow if is_nested(field.type)]
    yield {"notes": [f"columns not read: {', '.join(left_out)}"] if left_out else [], "rows": file.metadata.num_rows}
    yield [[0, columns, ""]]
    number = 1
    for batch in file.iter_batches(ROWS_A_BATCH, columns=columns, use_threads=False):
        found = [_row(number + index, cells) for index, cells in enumerate(zip(*(column.to_pylist() for column in batch.columns), strict=True))]
        number += len(found)
        yield from sandbox.batches(iter(found))


def _row(number: int, values: tuple[Any, ...]) -> list[Any]:
    try:
        return [number, list(map(_text, values)), ""]
    except UnicodeDecodeError:
        return [number, [""] * len(values), "bytes that are not UTF-8"]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else text_of(value)


if __name__ == "__main__":
    sandbox.serve(read)
