"""A tune's writes, cycle by cycle, compared with the machine's own log."""

import itertools

import numpy as np
import pytest
from tunes_by_hand import RISING, program, sid_file

from sidlive.chip.registers import PAL, REGISTERS
from sidlive.errors import TuneError
from sidlive.tune.capture.performance import perform
from sidlive.tune.capture.recorder import Recorder
from sidlive.tune.capture.trace import events
from sidlive.tune.formats import psid


def song(play: str = RISING, **options: int) -> Recorder:
    return Recorder(psid.parse(sid_file(program(play=play), **options), "song"))


def test_every_write_comes_once_at_its_cycle() -> None:
    recorder = song()
    pieces = list(itertools.islice(perform(recorder), 40))
    begin = at = recorder.machine.cycle
    made = []
    for piece in pieces:
        assert abs(piece.cycles - PAL.cycles_per_frame) < 100, "an instruction more or less"
        rows = piece.writes[piece.writes[:, 1] < REGISTERS]
        assert (rows[:, 0] >= 0).all() and (rows[:, 0] < piece.cycles).all()
        made.append(rows + np.array([at, 0, 0]))
        at += piece.cycles
    log, _ = events(recorder.tune, None, at)
    log = log[(log[:, 1] < REGISTERS) & (log[:, 0] >= begin)]
    found = np.concatenate(made)
    found[:, 0] += log[0, 0] - found[0, 0]  # the first span may begin with the instruction after ``begin``
    assert np.array_equal(found, log[: len(found)]) and len(found) >= 3 * 39


def test_the_writes_of_init_come_first_in_order_with_short_pauses() -> None:
    # init: a write, a second of waiting (X * Y loops), another write; play is RISING.
    wait = "A9 01 8D 17 D4  A9 04 8D F2 10  A0 00  A2 00  CA D0 FD  88 D0 FA  CE F2 10 D0 F3  A9 0F 8D 18 D4  60"
    recorder = Recorder(psid.parse(sid_file(program(init=wait)), "song"))
    first, second = itertools.islice(perform(recorder), 2)
    assert first.before is not None and second.before is None
    rows = first.before.writes[first.before.writes[:, 1] < REGISTERS]
    assert [(int(register), int(value)) for _, register, value in rows] == [(24, 15), (23, 1), (24, 15)]
    assert recorder.begin > PAL.clock_hz and first.before.cycles < 4 * PAL.cycles_per_frame


def test_writes_before_a_jam_are_yielded() -> None:
    pieces = perform(song(play="A9 21 8D 04 D4  EE F0 10  AD F0 10  C9 04  D0 01  02  60"))
    heard = []
    with pytest.raises(TuneError, match="play jams the processor"):
        heard.extend(pieces)
    assert sum(int((piece.writes[:, 1] == 4).sum()) for piece in heard if isinstance(piece.writes, np.ndarray)) == 4
