"""Garbage of the last second is collected; what is in use for longer is not visited again and again."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from sidlive.live.processes.garbage import YOUNG, collect_little, collect_young


class Ring:
    """An object that refers to itself: only the garbage collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Return the generations that are collected, as they are; afterwards all is as it was before."""
    thresholds, enabled, found = gc.get_threshold(), gc.isenabled(), list[int]()

    def collected(phase: str, about: dict[str, int]) -> None:
        if phase == "start":
            found.append(about["generation"])

    gc.callbacks.append(collected)
    yield found
    gc.callbacks.remove(collected)
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    (gc.enable if enabled else gc.disable)()


def test_only_young_objects_are_visited_however_many_there_are(collections: list[int]) -> None:
    collect_little()
    kept = []
    for _ in range(20):
        kept += [[number] for number in range(YOUNG)]
        collect_young()
    assert len(collections) >= 20 and set(collections) == {0}
    assert gc.get_freeze_count() >= len(kept) and sum(gc.get_count()) < YOUNG


def test_a_ring_of_the_last_second_is_freed_and_objects_in_use_stay(collections: list[int]) -> None:
    collect_little()
    garbage, used = Ring(), Ring()
    gone, there = weakref.ref(garbage), weakref.ref(used)
    del garbage
    collect_young()
    assert gone() is None and there() is used
