"""The tape's three marks."""

import numpy as np

from sidlive.chip.registers import COLUMNS
from sidlive.live.tape import KEPT, Tape


def row(number: int) -> np.ndarray:
    return np.full(COLUMNS, number % 256, dtype=np.uint8)


def filled(frames: int) -> Tape:
    tape = Tape()
    for number in range(frames):
        tape.put(row(number), 0)
    return tape


def test_frames_are_played_in_order_and_then_none() -> None:
    tape = filled(3)
    played = [tape.take() for _ in range(4)]
    assert [None if frame is None else int(frame[0]) for frame in played] == [0, 1, 2, None]


def test_a_cut_leaves_the_stale_future_until_it_is_replaced() -> None:
    tape = filled(10)
    tape.take()
    assert tape.cut(2) == 3
    tape.put(row(103), 5)
    assert [int(frame[0]) for frame in (tape.take() for _ in range(4)) if frame is not None] == [1, 2, 103, 4]
    assert tape.rows(2, 4)[1].tolist() == [0, 5]


def test_stale_frames_that_were_played_are_not_replaced() -> None:
    tape = filled(10)
    tape.cut(1)
    for _ in range(5):
        tape.take()
    assert tape.settle(1) == 6


def test_there_is_nothing_to_cut_beyond_the_end() -> None:
    tape = filled(1)
    assert tape.cut(4) == 1


def test_flush_leaves_no_future() -> None:
    tape = filled(10)
    tape.take()
    tape.flush()
    assert tape.take() is None and tape.fresh == 1


def test_the_tape_runs_for_hours_in_the_same_memory() -> None:
    tape = Tape()
    for number in range(3 * KEPT):
        tape.put(row(number), 0)
        tape.take()
    rows, _ = tape.rows(3 * KEPT - 100, 3 * KEPT)
    assert rows[:, 0].tolist() == [number % 256 for number in range(3 * KEPT - 100, 3 * KEPT)]
