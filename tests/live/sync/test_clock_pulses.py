"""Our clock for others: which messages are sent, and for which times."""

import pytest

from sidlive.live.sync.clock_out import ClockPulses
from sidlive.live.sync.midi_clock import CONTINUE, POSITION, PULSE, PULSES, START, STOP
from sidlive.live.sync.timeline import HeardFrame
from sidlive.live.timing.clock import Clock

BEAT = 25  # frames
FRAME_S = 0.02


def heard(frame: int, playing: bool = True, moves: bool = True, speed: float = 1.0) -> HeardFrame:
    length = FRAME_S / speed
    begin_s = 10 + frame * length
    return HeardFrame(begin_s, begin_s + length, frame / BEAT, (frame + moves) / BEAT, Clock(float(BEAT)), playing)


def test_each_beat_has_24_pulses_evenly_from_the_moment_it_is_heard() -> None:
    pulses = ClockPulses()
    sent = [message for frame in range(2 * BEAT) for message in pulses.of(heard(frame))]
    assert sent[0][1] == bytes([START]) and 10 - 0.01 < sent[0][0] < 10
    times = [time_s for time_s, message in sent if message == bytes([PULSE])]
    assert times == pytest.approx([10 + BEAT * FRAME_S / PULSES * number for number in range(2 * PULSES)])


def test_faster_music_has_faster_pulses() -> None:
    pulses = ClockPulses()
    sent = [message for frame in range(BEAT) for message in pulses.of(heard(frame, speed=1.25))]
    times = [time_s for time_s, message in sent if message == bytes([PULSE])]
    assert times == pytest.approx([10 + BEAT * FRAME_S / 1.25 / PULSES * number for number in range(PULSES)])


def test_music_that_stops_and_goes_on_sends_stop_position_and_continue() -> None:
    pulses = ClockPulses()
    for frame in range(30):
        pulses.of(heard(frame))
    assert pulses.of(heard(30, playing=False, moves=False)) == [(pytest.approx(10.6), bytes([STOP]))]
    assert pulses.of(heard(31, playing=False, moves=False)) == []
    sent = [message for frame in range(130, 145) for _, message in pulses.of(heard(frame))]
    marks = [message for message in sent if message != bytes([PULSE])]
    assert marks == [bytes([POSITION, 21, 0]), bytes([CONTINUE])]  # frame 130 is 20.8 sixteenths into the music
    before = sent.index(marks[0])
    assert before == 1  # of 124.8 to 126 only pulse 125 comes before the sixteenth


def test_no_pulse_is_sent_while_the_beat_stands_still() -> None:
    pulses = ClockPulses()
    pulses.of(heard(0))
    assert pulses.of(heard(1, moves=False)) == []


def test_a_port_that_is_back_is_told_where_the_music_is() -> None:
    pulses = ClockPulses()
    for frame in range(30):
        pulses.of(heard(frame))
    pulses.announce()
    sent = [message for frame in range(30, 40) for _, message in pulses.of(heard(frame))]
    assert [message for message in sent if message != bytes([PULSE])] == [bytes([POSITION, 5, 0]), bytes([CONTINUE])]
