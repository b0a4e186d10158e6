"""Which characters are traditional, and what makes them simplified: OpenCC, which is opened when the first letter needs it."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def converter() -> Any:  # opencc ships no type hints
    """OpenCC from traditional to simplified characters."""
    from opencc import OpenCC

    return OpenCC("t2s")


@cache
def characters() -> frozenset[str]:
    """Every character of the basic plane that OpenCC would change: one call decides for all later letters."""
    every = "".join(map(chr, range(0x3400, 0xA000)))
    changed = converter().convert("\n".join(every)).split("\n")
    return frozenset(before for before, after in zip(every, changed, strict=True) if before != after)
