"""A tune's register writes as frames for a chip."""

import numpy as np

from sidlive.chip.sid import WriteSpan
from sidlive.live.outputs.span_rows import APART, MOST, SpanRows

CYCLES = 19_656


def span(*writes: tuple[int, int, int], before: WriteSpan | None = None) -> WriteSpan:
    return WriteSpan(np.array(writes, dtype=np.int64).reshape(-1, 3), CYCLES, before)


def test_a_frame_holds_the_last_values_and_the_first_ones_of_the_control_registers() -> None:
    ((cycle, row),) = SpanRows().of(span((500, 4, 0x40), (510, 0, 7), (520, 4, 0x41), (530, 0, 9)))
    assert cycle == 0 and row[0] == 9 and (row[25], row[4]) == (0x40, 0x41)


def test_registers_stay_from_frame_to_frame_and_a_control_that_is_not_written_is_steady() -> None:
    rows = SpanRows()
    rows.of(span((500, 4, 0x40), (520, 4, 0x41)))
    ((_, row),) = rows.of(span((500, 24, 15)))
    assert (row[25], row[4], row[24]) == (0x41, 0x41, 15)
    ((_, row),) = rows.of(span())
    assert (row[4], row[24]) == (0x41, 15)


def test_a_player_that_is_called_twice_makes_two_frames() -> None:
    (first, one), (second, two) = SpanRows(calls=2).of(
        span((500, 0, 1), (600, 4, 0x41), (10_000, 0, 2), (10_100, 4, 0x40))
    )
    assert (first, one[0], one[4]) == (0, 1, 0x41)
    assert (second, two[0], two[25], two[4]) == (10_000, 2, 0x40, 0x40)


def test_a_player_that_pauses_between_its_writes_makes_one_frame() -> None:
    ((_, row),) = SpanRows().of(span((500, 0, 1), (9_000, 4, 0x41)))
    assert (row[0], row[4]) == (1, 0x41)


def test_samples_do_not_flood_the_chip() -> None:
    found = SpanRows(calls=13).of(span(*((number * (APART + 1), 24, number) for number in range(13))))
    assert len(found) == MOST and found[-1][1][24] == 12


def test_what_init_writes_is_there_and_other_registers_and_bits_are_not() -> None:
    ((_, row),) = SpanRows().of(span((9, 3, 0xFF), (10, 30, 1), before=span((0, 24, 15), (5, 5, 0x10))))
    assert (row[24], row[5], row[3]) == (15, 0x10, 0x0F)
