"""Kernels of this package compiled from sources that have changed since: see ``sidlive.chip.freshness``."""

from functools import cache
from pathlib import Path

from sidlive.chip.freshness import drop_stale
from sidlive.model import kernels

MODULES = (
    "blocks",
    "constraints",
    "kernels",
    "parts",
    "products",
    "recall",
    "sampling",
    "simd",
    "spelling",
    "tokens",
    "vectors",
)
KERNELS = tuple(f"sidlive.model.{name}" for name in MODULES)


@cache
def drop_stale_kernels() -> None:
    """Empty the cache of the engine's kernels if it is of other sources; once a process, before the first call."""
    here = Path(__file__).parent
    sources = [here / f"{name}.py" for name in MODULES]
    drop_stale(kernels.hear, [*sources, here.parent / "chip" / "registers.py"])
