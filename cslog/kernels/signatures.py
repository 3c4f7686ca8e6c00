"""Array types of the kernels' arguments. Declared read-only, they take writable arrays as well."""

from __future__ import annotations

from numba import types

I8 = types.Array(types.int8, 1, "C", readonly=True)
I32 = types.Array(types.int32, 1, "C", readonly=True)
I32_2 = types.Array(types.int32, 2, "C", readonly=True)
I64 = types.Array(types.int64, 1, "C", readonly=True)
DUTY = types.UniTuple(I64, 4)  # type: ignore[no-untyped-call]
INT = types.int64
BOOL = types.boolean
