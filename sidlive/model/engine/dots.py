"""Dot products of bytes, in the instructions of each kind of CPU. All give the same integers.

A weight vector holds the bytes of 4 columns for as many rows as the CPU's vectors have 32-bit lanes. Each instruction
multiplies the 4 bytes of a lane by the 4 bytes of the vector, and adds the 4 products to the lane's sum:

- AVX-512 VNNI, AVX-VNNI: vpdpbusd, unsigned bytes times signed ones. The weights are therefore stored with 128 added,
  and 128 times the sum of the vector's bytes is taken off; vectors that are not negative need neither.
- AVX2: vpmaddubsw also takes unsigned bytes times signed ones, and its sums of two products must fit 16 bits. So the
  vector's sign moves to the weights (vpsignb): both factors are then at most 127. vpmaddwd by ones adds up pairs.
  The magnitudes of a vector's bytes are written down once, for all rows.
- ARM: sdot, signed bytes times signed ones.
- Any other CPU: bytes are widened to 16 bits; LLVM finds pmaddwd (SSE2) or what the CPU has.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import cgutils

from sidlive.model.engine.simd import (
    BYTE,
    BYTES,
    INT,
    LONG,
    load,
    magnitude_of_bytes,
    plus,
    prefetch,
    splat,
    store,
    times,
)

TILE_BYTES: Final = 32 * 4  # bytes of a tile's 32 rows for 4 columns
BIAS: Final = 128  # added to a weight to make it unsigned
BIASED: Final = ("avx512", "avxvnni")  # the instruction sets that want unsigned weights
CHAINS: Final = 8  # sums that are added to in turn, so that no instruction waits for the one before
LINE, AHEAD = 64, 16384  # bytes of a cache line; bytes between a weight in use and the one that is fetched for later
UNROLL: Final = 4  # groups of 4 columns that a matrix is padded to; the most that are unrolled


class Dots(NamedTuple):
    """How an instruction set adds up products of bytes."""

    lanes: int  # 32-bit sums in a vector
    registers: int  # sums that stay in registers beside everything else
    add: Callable[[Any, Any, Any, Any, Any], Any]  # (builder, sums, weights, numbers, magnitudes) -> sums
    spread: int = 1  # lanes of a sum in progress for each sum; `joined` adds them up
    by_magnitude: bool = False  # whether `add` wants the magnitudes of numbers that may be negative


def dots_of(isa: str) -> Dots:
    """Return how an instruction set (see `sidlive.instructions`) adds up products."""
    return _DOTS[isa]


def add_up(
    builder: Any,
    dots: Dots,
    weights: Any,
    fours: Any,
    vectors: list[Any],
    magnitudes: list[Any] | None,
    debts: list[Any] | None,
    rows: range,
) -> list[list[Any]]:
    """Return the sums of products of a tile, by vector and vector of rows, as ``<lanes x i32>``.

    ``weights``: pointer to the tile's bytes. ``fours``: groups of 4 columns, a multiple of UNROLL. ``vectors``:
    pointers to their bytes. ``magnitudes``: pointers to the bytes of `magnitudes_of` (None: no byte is negative).
    ``debts``: what each vector's sums start with. ``rows``: which vectors of rows.
    """
    kind, lanes = ir.VectorType(INT, dots.lanes * dots.spread), dots.lanes
    unroll = UNROLL
    while unroll > 1 and unroll * len(vectors) * len(rows) > max(CHAINS, dots.registers):
        unroll //= 2
    zero = ir.Constant(kind, [0] * kind.count)
    totals = [[[cgutils.alloca_once(builder, kind) for _ in rows] for _ in vectors] for _ in range(unroll)]
    for step, unrolled in enumerate(totals):
        for vector, of_vector in enumerate(unrolled):
            start = splat(builder, debts[vector], kind) if debts is not None and step == 0 else zero
            for total in of_vector:
                builder.store(start, total)
    bytes_of_rows = ir.VectorType(BYTE, 4 * lanes)
    with cgutils.for_range(builder, builder.udiv(fours, ir.Constant(LONG, unroll))) as loop:
        for step in range(unroll):
            four = plus(builder, times(builder, loop.index, unroll), step)
            here = times(builder, four, TILE_BYTES)
            places = [plus(builder, here, 4 * lanes * row) for row in rows]
            loaded = [load(builder, weights, place, bytes_of_rows) for place in places]
            for row, place in zip(rows, places, strict=True):
                if 4 * lanes * row % LINE == 0:
                    prefetch(builder, builder.gep(weights, [plus(builder, place, AHEAD)]))
            for vector, of_vector in enumerate(totals[step]):
                numbers, sizes = (
                    _four(builder, pointers[vector], four, lanes) if pointers is not None else None
                    for pointers in (vectors, magnitudes)
                )
                for weight, total in zip(loaded, of_vector, strict=True):
                    builder.store(dots.add(builder, builder.load(total), weight, numbers, sizes), total)
    results = []
    for vector in range(len(vectors)):
        joined = []
        for row in range(len(rows)):
            total = builder.load(totals[0][vector][row])
            for unrolled in totals[1:]:
                total = builder.add(total, builder.load(unrolled[vector][row]))
            joined.append(_joined(builder, total, dots))
        results.append(joined)
    return results


def _four(builder: Any, vector: Any, four: Any, lanes: int) -> Any:
    """Return a vector of words, each of which holds bytes ``4 * four`` to ``4 * four + 3``."""
    word = load(builder, vector, times(builder, four, 4), ir.VectorType(BYTE, 4))
    return splat(builder, builder.bitcast(word, INT), ir.VectorType(INT, lanes))


def magnitudes_of(builder: Any, dots: Dots, vectors: list[Any], fours: Any) -> list[Any]:
    """Return pointers to bytes, on the stack, for `add_up`: of vectors of ``4 * fours`` bytes that may be negative.

    They are magnitudes if the instructions want these, else the vectors' own bytes.
    """
    if not dots.by_magnitude:
        return vectors
    length = times(builder, fours, 4)
    found = [builder.alloca(BYTE, size=length) for _ in vectors]
    with cgutils.for_range(builder, builder.udiv(fours, ir.Constant(LONG, UNROLL))) as loop:
        at = times(builder, loop.index, 4 * UNROLL)
        for vector, magnitudes in zip(vectors, found, strict=True):
            store(builder, magnitude_of_bytes(builder, load(builder, vector, at, BYTES)), magnitudes, at)
    return found


def _joined(builder: Any, total: Any, dots: Dots) -> Any:
    """Return the sum of each lane's neighbours, if a sum in progress has two lanes."""
    if dots.spread == 1:
        return total
    halves = [ir.Constant(ir.VectorType(INT, dots.lanes), list(range(first, 2 * dots.lanes, 2))) for first in (0, 1)]
    return builder.add(*(builder.shuffle_vector(total, total, half) for half in halves))


def call_llvm(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _vpdpbusd(bits: int) -> Callable[[Any, Any, Any, Any, Any], Any]:
    def add(builder: Any, sums: Any, weights: Any, numbers: Any, magnitudes: Any) -> Any:
        weights = builder.bitcast(weights, sums.type)
        factors = (weights, numbers) if magnitudes is not None else (numbers, weights)  # the unsigned one first
        return call_llvm(builder, f"llvm.x86.avx512.vpdpbusd.{bits}", sums.type, sums, *factors)

    return add


def _vpmaddubsw(builder: Any, sums: Any, weights: Any, numbers: Any, magnitudes: Any) -> Any:
    numbers = builder.bitcast(numbers, weights.type)
    if magnitudes is not None:
        weights = call_llvm(builder, "llvm.x86.avx2.psign.b", weights.type, weights, numbers)
        numbers = builder.bitcast(magnitudes, weights.type)
    shorts = ir.VectorType(ir.IntType(16), weights.type.count // 2)
    pairs = call_llvm(builder, "llvm.x86.avx2.pmadd.ub.sw", shorts, numbers, weights)
    ones = ir.Constant(shorts, [1] * shorts.count)
    return builder.add(sums, call_llvm(builder, "llvm.x86.avx2.pmadd.wd", sums.type, pairs, ones))


def _sdot(builder: Any, sums: Any, weights: Any, numbers: Any, magnitudes: Any) -> Any:
    numbers = builder.bitcast(numbers, weights.type)
    return call_llvm(builder, "llvm.aarch64.neon.sdot.v4i32.v16i8", sums.type, sums, weights, numbers)


def _widened(builder: Any, sums: Any, weights: Any, numbers: Any, magnitudes: Any) -> Any:
    shorts, ints = (ir.VectorType(ir.IntType(bits), weights.type.count) for bits in (16, 32))
    numbers = builder.bitcast(numbers, weights.type)
    wide = [builder.sext(builder.sext(part, shorts), ints) for part in (weights, numbers)]
    products = builder.mul(*wide)
    halves = [ir.Constant(ir.VectorType(INT, ints.count // 2), list(range(first, ints.count, 2))) for first in (0, 1)]
    return builder.add(sums, builder.add(*(builder.shuffle_vector(products, products, half) for half in halves)))


_DOTS: Final = {
    "avx512": Dots(16, 16, _vpdpbusd(512)),
    "avxvnni": Dots(8, 8, _vpdpbusd(256)),
    "avx2": Dots(8, 8, _vpmaddubsw, by_magnitude=True),
    "sdot": Dots(4, 16, _sdot),
    "generic": Dots(4, 4, _widened, 2),
}
