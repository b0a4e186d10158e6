"""Memory asked for before it is needed, inside compiled code. Import it late: it needs numba."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

READ, KEEP, DATA = 0, 3, 1  # what llvm.prefetch is told: to be read, again soon, no code
NUMBER, BYTE = ir.IntType(32), ir.PointerType(ir.IntType(8))


def _fetch(_: Any, array: Any, place: Any) -> tuple[Any, Callable[..., Any]]:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        line = builder.bitcast(builder.gep(data, [arguments[1]]), BYTE)
        asked = ir.FunctionType(ir.VoidType(), [BYTE, NUMBER, NUMBER, NUMBER])
        prefetch = cgutils.get_or_insert_function(builder.module, asked, "llvm.prefetch.p0i8")  # type: ignore[no-untyped-call]
        builder.call(prefetch, [line, *(ir.Constant(NUMBER, value) for value in (READ, KEEP, DATA))])
        return context.get_dummy_value()

    return types.void(array, place), generate


# Bring the line of memory that holds an element, counted from the first of a contiguous array, near to the processor: LLVM Language Reference,
# ``llvm.prefetch``. It changes nothing that can be read, and no place is wrong, not even one beyond the end.
fetch = cast("Callable[[NDArray[Any], int | np.integer[Any]], None]", intrinsic(_fetch))
