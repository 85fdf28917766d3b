"""Garbage collection in small portions, for a process in which nothing may wait for long.

While Python collects garbage, no other thread runs. A full collection visits every object: after ten minutes of music
that takes 30 ms and more, which is heard as a gap. So only objects of the last second are visited here; what is still
in use then is never visited again. Cyclic garbage that was in use for longer than that stays: a few objects for each
change that the performer makes.
"""

import gc
from typing import Final

YOUNG: Final = 5000  # new objects after which those are visited: about a millisecond
_NEVER: Final = 1_000_000_000


def collect_little() -> None:
    """Collect garbage in small portions from now on. `collect_young` must be called about once a second."""
    gc.freeze()
    gc.set_threshold(YOUNG, _NEVER, _NEVER)
    gc.enable()


def collect_young() -> None:
    """Collect the garbage among the objects made since the last call; the others stay."""
    gc.collect(0)
    gc.freeze()
