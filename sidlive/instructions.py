"""The instruction sets that the kernels are written for, and the one that this process compiles them for.

That is the best one that the CPU has, or the one that the environment variable SIDLIVE_ISA names: to measure or test
what another CPU would run. All give the same results, to the bit. The file of a compiled kernel belongs to one CPU and
one set of features (see `compiling`), so different sets never mix. Importing this module loads neither numba nor LLVM.
"""

import os
from functools import cache
from typing import Final, NamedTuple

from sidlive.errors import ControlError

VARIABLE: Final = "SIDLIVE_ISA"


class InstructionSet(NamedTuple):
    """An instruction set by the features that LLVM knows it by.

    ``needs``: the features that a CPU must have for it. ``cpu``, ``features``: LLVM's names of a CPU that has this set
    and nothing better; empty for the sets that are only chosen, never forced on a CPU that has a better one.
    """

    needs: frozenset[str]
    cpu: str = ""
    features: str = ""


_V3: Final = "+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+popcnt"
SETS: Final = {  # from the best to the one that every CPU has
    "avx512": InstructionSet(frozenset({"avx512vnni", "avx512bw", "avx512vl"})),  # vpdpbusd, 64 bytes at once
    "avxvnni": InstructionSet(frozenset({"avxvnni"}), "x86-64-v3", f"{_V3},+avxvnni"),  # vpdpbusd, 32 bytes
    "avx2": InstructionSet(frozenset({"avx2"}), "x86-64-v3", _V3),  # vpmaddubsw, 32 bytes
    "sdot": InstructionSet(frozenset({"dotprod"})),  # sdot of ARM, 16 bytes
    "generic": InstructionSet(frozenset(), "generic"),
}


def best_of(features: frozenset[str]) -> str:
    """Return the name of the best instruction set for a CPU with these features."""
    return next(name for name, one in SETS.items() if one.needs <= features)


@cache
def host() -> str:
    """Return the best instruction set of this computer's CPU."""
    from llvmlite import binding  # type: ignore[import-untyped]

    return best_of(frozenset(name for name, there in binding.get_host_cpu_features().items() if there))


@cache
def forced() -> InstructionSet | None:
    """Return the instruction set that SIDLIVE_ISA names, or None. Raises ControlError if it cannot run here."""
    name, best = os.environ.get(VARIABLE, ""), host()
    possible = possible_here()
    if not name or name == best:
        return None
    if name not in possible:
        raise ControlError(
            f"{VARIABLE} expects an instruction set that this CPU has ({', '.join(possible)}), found {name!r}"
        )
    return SETS[name]


def possible_here() -> tuple[str, ...]:
    """Return the instruction sets that this CPU can run: its best one, and each lower one, which can be forced."""
    names, best = list(SETS), host()
    from llvmlite import binding

    there = {name for name, has in binding.get_host_cpu_features().items() if has}
    return (best, *(name for name in names[names.index(best) + 1 :] if SETS[name].cpu and SETS[name].needs <= there))


def of_code(cpu_features: str) -> str:
    """Return the instruction set of compiled code from LLVM's list of features, as in "+avx2,-avx512f"."""
    return best_of(frozenset(word[1:] for word in cpu_features.split(",") if word[:1] == "+"))


@cache
def in_use() -> str:
    """Return the name of the instruction set that this process compiles kernels for."""
    set_numba_up()
    from numba.core.registry import cpu_target

    return of_code(cpu_target.target_context.codegen().magic_tuple()[2])


def set_numba_up() -> None:
    """Let numba compile for the forced instruction set, if there is one. Call it before the first kernel is made."""
    chosen = forced()
    if chosen is not None:
        from numba import config

        config.CPU_NAME, config.CPU_FEATURES = chosen.cpu, chosen.features
