"""The past that the model is to hear under edits: what was played before, each part changed as far as it needs.

If a part was made under an edit that cannot be taken back, it cannot be brought under the wanted edits. It is left out,
in whole bars, so that the music before it goes on at the right place in the bar. Pure functions of frames.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from sidlive.chip.registers import Frames, silence
from sidlive.errors import SidliveError
from sidlive.tune.shaping.applying import apply_edits
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.past_edits import Edits, converted

# Frames ``uint8[n, 28]``, or the number of frames that are gone; and the edits under which they were made.
Part = tuple[Frames | int, Edits]


def edited_past(parts: list[Part], wanted: Edits, grid: BarGrid, most: int, tell: Callable[[str], object]) -> Frames:
    """Return at most ``most`` frames ``uint8[n, 28]`` that end now, as they are under the edits ``wanted``.

    ``parts``: oldest first; the last one ends now. ``grid`` counts from now. ``tell`` is called with the reason why an
    edit was not possible; then it is left out.
    """
    kept: list[tuple[Frames, Edits]] = []  # the latest first, each with the edits that it needs
    left_out = count = 0
    for frames, made in reversed(parts):
        change = None if isinstance(frames, int) else converted(made, wanted)
        if change is None or isinstance(frames, int):
            left_out += frames if isinstance(frames, int) else len(frames)
            continue
        more = round(math.ceil(left_out / grid.bar_frames) * grid.bar_frames) - left_out  # up to a whole bar
        if more >= len(frames):
            left_out += len(frames)
            continue
        frames, left_out = frames[max(0, len(frames) - more - most) : len(frames) - more], 0
        kept.append((frames, change))
        count += len(frames)
        if count >= most:
            break
    return _joined(kept, grid, tell)[-most:]


def _joined(kept: list[tuple[Frames, Edits]], grid: BarGrid, tell: Callable[[str], object]) -> Frames:
    """Return the parts, the latest first, as frames in order; neighbours that need the same edits are edited as one."""
    groups: list[tuple[list[Frames], Edits]] = []
    for frames, change in kept:
        if groups and groups[-1][1] == change:
            groups[-1][0].insert(0, frames)
        else:
            groups.append(([frames], change))
    joined: list[Frames] = []
    after = 0
    for several, change in groups:
        frames = np.concatenate(several)
        after += len(frames)
        joined.insert(0, edited(frames, change, grid.moved(after), tell))
    return np.concatenate(joined) if joined else silence(0)


def edited(frames: Frames, edits: Edits, grid: BarGrid, tell: Callable[[str], object]) -> Frames:
    """Return frames with the edits applied. An edit that fails is left out, and ``tell`` gets the reason."""
    for edit in edits:
        try:
            frames = apply_edits(frames, (edit,), grid)
        except SidliveError as error:
            tell(f"{edit} changes nothing: {error}")
    return frames


def runs_of(rows: Frames, edits: list[Edits]) -> list[Part]:
    """Split rows ``uint8[n, 28]`` where the edits under which they were made change."""
    edges = [place for place in range(1, len(rows)) if edits[place] != edits[place - 1]]
    return [(rows[a:b], edits[a]) for a, b in pairwise([0, *edges, len(rows)]) if b > a]
