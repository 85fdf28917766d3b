"""Apply edits of the past, which are values, to frames."""

from collections.abc import Callable
from typing import Final

import numpy as np

from sidlive.chip.registers import Frames
from sidlive.tune.edits import rotate_voices, swap_voices
from sidlive.tune.shaping.borrowing import rhythm, timbre
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.moving import chop, reverse, stretch, swing
from sidlive.tune.shaping.past_edits import Edits, PastEdit
from sidlive.tune.shaping.pitching import mirror, octave
from sidlive.tune.shaping.thinning import echo, thin


def _voice(number: int | None) -> int | None:
    return None if number is None else number - 1


def _octave(frames: Frames, grid: BarGrid, edit: PastEdit) -> Frames:
    return octave(frames, grid, edit.arguments[0] - 1, edit.arguments[1])


def _echo(frames: Frames, grid: BarGrid, edit: PastEdit) -> Frames:
    voice, length, to = edit.arguments
    return echo(frames, grid, voice - 1, length, _voice(to))


def _borrow(function: Callable[..., Frames]) -> Callable[[Frames, BarGrid, PastEdit], Frames]:
    def applied(frames: Frames, grid: BarGrid, edit: PastEdit) -> Frames:
        voice, source = edit.arguments
        return function(frames, grid, edit.material, voice - 1, _voice(source))

    return applied


APPLIED: Final[dict[str, Callable[[Frames, BarGrid, PastEdit], Frames]]] = {
    "swap": lambda frames, grid, edit: swap_voices(frames, edit.arguments[0] - 1, edit.arguments[1] - 1),
    "stretch": lambda frames, grid, edit: stretch(frames, grid, *edit.arguments),
    "reverse": lambda frames, grid, edit: reverse(frames, grid, *edit.arguments),
    "chop": lambda frames, grid, edit: chop(frames, grid, *edit.arguments),
    "echo": _echo,
    "timbre": _borrow(timbre),
    "rhythm": _borrow(rhythm),
    "thin": lambda frames, grid, edit: thin(frames, grid, *edit.arguments),
    "octave": _octave,
    "invert": lambda frames, grid, edit: mirror(frames, grid, edit.arguments[0] - 1),
    "swing": lambda frames, grid, edit: swing(frames, grid, *edit.arguments),
    "rotate": lambda frames, grid, edit: rotate_voices(frames, *edit.arguments),
}


def apply_edits(frames: Frames, edits: Edits, grid: BarGrid) -> Frames:
    """Return ``frames uint8[T, 28]`` after all edits, one after another, as ``uint8[T, 28]``. Raises ControlError."""
    for edit in edits:
        frames = APPLIED[edit.verb](frames, grid, edit)
    return np.ascontiguousarray(frames)
