"""Functions compiled to machine code on first use, by numba; what was compiled is kept for the next start."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """``function`` as machine code that runs without the interpreter's lock.

    Kept beside the source or, where that cannot be written, in the user's own cache folder (``NUMBA_CACHE_DIR`` names another one). Where
    neither can be written each process compiles for itself. Import it late: numba takes half a second.
    """
    from numba import njit

    try:
        return cast("Function", njit(function, nogil=True, cache=True, error_model="numpy"))
    except RuntimeError:  # no folder to keep it in
        return cast("Function", njit(function, nogil=True, error_model="numpy"))
