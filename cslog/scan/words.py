"""Eight bytes at a time: what numba lacks to look at text in machine words."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD = ir.IntType(64)
_intrinsic: Any = intrinsic  # what it makes of a function is called with one argument less


@_intrinsic
def pointer(typing_context: Any, array: Any) -> Any:
    """Where the items of ``array`` begin, to be indexed like it.

    For functions that are called for every row: numba counts references to arrays that are handed on, and not to
    pointers. So the array must be an argument of the compiled function or returned by it: one that is only made
    there is freed when it was named for the last time.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    return types.CPointer(array.dtype)(array), generate  # type: ignore[no-untyped-call]


@_intrinsic
def bytes_at(typing_context: Any, address: Any) -> Any:
    """The pointer to the bytes at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.CPointer(types.uint8)(types.int64), generate  # type: ignore[no-untyped-call]


@_intrinsic
def word_at(typing_context: Any, data: Any, place: Any) -> Any:
    """The eight bytes behind the pointer ``data`` (uint8) from ``place`` on as a number, the first byte the lowest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.gep(arguments[0], [arguments[1]])
        return builder.load(builder.bitcast(place, _WORD.as_pointer()), align=1)

    return types.uint64(data, types.int64), generate


@_intrinsic
def put_word(typing_context: Any, data: Any, place: Any, word: Any) -> Any:
    """Write a word as eight bytes behind the pointer ``data`` (uint8) from ``place`` on, the lowest byte first."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.gep(arguments[0], [arguments[1]])
        builder.store(arguments[2], builder.bitcast(place, _WORD.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, types.uint64), generate


@_intrinsic
def first_byte(typing_context: Any, word: Any) -> Any:
    """Index of the lowest byte of ``word`` that is not zero; 8 for a word that is zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))
        return builder.lshr(bits, ir.Constant(_WORD, 3))

    return types.int64(types.uint64), generate


@_intrinsic
def folded_product(typing_context: Any, one: Any, other: Any) -> Any:
    """The upper half of the 128-bit product of two words, exclusive-or its lower half."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(word, wide) for word in arguments))
        upper = builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), _WORD)
        return builder.xor(upper, builder.trunc(product, _WORD))

    return types.uint64(types.uint64, types.uint64), generate
