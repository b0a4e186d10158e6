"""Functions compiled to machine code on first use, by numba; what was compiled is kept for the next start."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., object])
    Bare = tuple[Any, ...]
    """A named tuple without its names, and so what is in it."""


UNKEPT = (
    "compiled code: cannot be kept, so each start compiles it anew, for half a minute. A folder is needed that this user can write. "
    "Set NUMBA_CACHE_DIR to one that nobody else can write: what lies there is run."
)


def compiled(function: Function) -> Function:
    """``function`` as machine code that runs without the interpreter's lock.

    Kept beside the source or, where that cannot be written, in the user's own cache folder (``NUMBA_CACHE_DIR`` names another one). Where
    neither can be written each process compiles for itself. Import it late: numba takes half a second.
    """
    from numba import njit

    _have_no_cache_without_a_home()
    function.__qualname__ += f"-{_sources(Path(function.__code__.co_filename).parent)}"
    try:
        return cast("Function", njit(function, nogil=True, cache=True, error_model="numpy"))
    except RuntimeError:  # no folder to keep it in
        return cast("Function", njit(function, nogil=True, error_model="numpy"))


def bare(named: tuple[Any, ...]) -> Bare:
    """Named tuples, one in another, as plain ones: numba looks up the type of each named one at every call, 4 us for a model.

    >>> from models.weights import Weights
    >>> bare(Weights("steps", "units", "intercepts"))
    ('steps', 'units', 'intercepts')
    """
    return tuple([bare(part) if isinstance(part, tuple) else part for part in named])


@cache
def _sources(folder: Path) -> str:
    """A digest of the code in a folder and in this one: a function's machine code has that of others in it, and numba looks at its own file alone."""
    files = sorted({*folder.glob("*.py"), *Path(__file__).parent.glob("*.py")})
    return hashlib.blake2b(b"".join(path.read_bytes() for path in files), digest_size=4).hexdigest()


def kept_in(function: Any) -> str | None:
    """The folder in which a compiled function is kept, None when every process compiles it anew.

    >>> from models.lookup import index
    >>> kept_in(index) in {None, str(index.stats.cache_path)}
    True
    """
    return cast("str | None", function.stats.cache_path)


def _have_no_cache_without_a_home() -> None:
    """For a user without a home numba would make a folder named "~" wherever it runs, and run the code that it finds in such a one."""
    try:
        known = Path(os.environ.get("XDG_CACHE_HOME", "~")).expanduser().is_absolute()
    except RuntimeError:  # neither HOME nor an entry among the users
        known = False
    if not known:
        os.environ["XDG_CACHE_HOME"] = os.devnull  # in which nothing can be made
