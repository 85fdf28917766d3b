"""The tape's three marks."""

import numpy as np

from sidlive.chip.registers import COLUMNS
from sidlive.live.core.tape import KEPT, Tape


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
    assert tape.cut() == 1
    tape.put(row(101), 5)
    assert [int(frame[0]) for frame in (tape.take() for _ in range(3)) if frame is not None] == [101, 2, 3]
    assert tape.rows(1, 3)[1].tolist() == [5, 0]


def test_a_cut_leaves_its_margin_as_it_is() -> None:
    tape = Tape(margin=2)
    for number in range(10):
        tape.put(row(number), 0)
    tape.take()
    assert tape.place() == tape.cut() == 3


def test_stale_frames_that_were_played_are_not_replaced() -> None:
    tape = filled(10)
    tape.cut()
    for _ in range(5):
        tape.take()
    assert tape.place() == tape.settle() == 5


def test_a_generator_that_is_overtaken_twice_is_given_a_frame_more() -> None:
    tape = filled(20)
    tape.cut()
    tape.take()
    assert tape.settle() == 1, "it may have been a moment too late: the next frame is there in time"
    tape.take()
    assert tape.place() == tape.settle() == 3, "a frame takes longer to generate than to play"
    tape.put(row(103), 0)
    tape.take()
    tape.take()
    assert tape.cut() == 4


def test_there_is_nothing_to_cut_beyond_the_end() -> None:
    tape = filled(1)
    tape.take()
    assert tape.cut() == 1


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
