"""Choose the precision of matrix products by measuring it. Only some processors multiply bfloat16 fast."""

import time
from functools import cache
from typing import Final

import torch

PRECISIONS: Final = {"fp32": torch.float32, "bf16": torch.bfloat16}
SIZES: Final = {"cpu": 512, "cuda": 4096}  # rows and columns of the matrices that are measured, by kind of device
ROUNDS: Final = 5  # products per measurement, of which the fastest counts
WORTHWHILE: Final = 1.5  # bf16 must be this many times as fast: its results are less exact


def choose_precision(name: str, device: torch.device) -> torch.dtype:
    """Return the precision called ``name``, a key of PRECISIONS; for "auto" that in which training is faster here."""
    if name != "auto":
        return PRECISIONS[name]
    speed = {kind: multiplications_per_s(kind, device) for kind in PRECISIONS.values()}
    return torch.bfloat16 if speed[torch.bfloat16] > WORTHWHILE * speed[torch.float32] else torch.float32


def name_of(precision: torch.dtype) -> str:
    """Return the name of a precision: a key of PRECISIONS."""
    return next(name for name, kind in PRECISIONS.items() if kind == precision)


@cache
def multiplications_per_s(precision: torch.dtype, device: torch.device, size: int | None = None) -> float:
    """Measure multiplications (with an addition each) per second in products of square matrices.

    On a GPU they must be large: starting a small product takes longer than the product.
    """
    size = size or SIZES[device.type]
    a, b = (torch.randn(size, size, dtype=precision, device=device) for _ in range(2))
    fastest = float("inf")
    for _ in range(ROUNDS + 1):  # the first one also prepares
        began = time.perf_counter()
        a @ b
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        fastest = min(fastest, time.perf_counter() - began)
    return float(size**3 / fastest)


def autocast(device: torch.device, precision: torch.dtype) -> torch.autocast:
    """Return the context in which matrix products have that precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == torch.bfloat16)
