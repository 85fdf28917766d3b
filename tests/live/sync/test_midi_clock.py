"""Reading a MIDI clock: pulses, start, stop, continue and song position."""

import random

import pytest

from sidlive.live.hands.arrival_times import ArrivalTimes
from sidlive.live.sync.midi_clock import CONTINUE, POSITION, PULSE, PULSES, START, STOP, MidiClock, Transport

PULSE_S = 60 / 120 / PULSES


class Box:
    """A box that sends a clock of 120 beats a minute."""

    def __init__(self, wanted: str | None = None) -> None:
        self.clock = MidiClock(wanted)
        self.time_s = 100.0

    def pulses(self, count: int, port: str = "box") -> float:
        """Send pulses; return the time of the last one."""
        for _ in range(count):
            self.time_s += PULSE_S
            self.clock.hear(port, (PULSE,), self.time_s)
            self.clock.look(self.time_s)
        return self.time_s

    def send(self, *message: int, port: str = "box") -> list[Transport]:
        self.clock.hear(port, message, self.time_s)
        return self.clock.look(self.time_s)


def test_the_first_pulse_after_a_start_is_beat_nought() -> None:
    box = Box()
    box.pulses(30)
    assert not box.clock.shares_bars
    assert box.send(START) == ["start"]
    first = box.pulses(1)
    box.pulses(PULSES)
    beats, tempo = box.clock.place(first + 0.5) or (0, 0)
    assert (beats, tempo) == (pytest.approx(1), pytest.approx(120)) and box.clock.shares_bars


def test_a_continue_goes_on_from_the_song_position() -> None:
    box = Box()
    box.pulses(30)
    assert box.send(POSITION, 4, 1) == []  # 132 sixteenths, 33 beats
    assert box.send(CONTINUE) == ["start"]
    first = box.pulses(1)
    assert (box.clock.place(first) or (0, 0))[0] == pytest.approx(33)


def test_a_continue_without_a_position_goes_on_where_the_stop_was() -> None:
    box = Box()
    box.send(START)
    box.pulses(49)  # two beats, and the first pulse of the third
    assert box.send(STOP) == ["stop"]
    box.time_s += 5.0
    box.clock.look(box.time_s)
    assert box.clock.place(box.time_s) is None
    box.send(CONTINUE)
    box.pulses(PULSES)
    assert (box.clock.place(box.time_s) or (0, 0))[0] == pytest.approx((49 + PULSES - 1) / PULSES)


def test_only_one_port_is_followed_until_it_stops() -> None:
    box = Box()
    box.pulses(20, "first")
    assert box.send(START, port="second") == []
    assert box.clock.port == "first"
    box.time_s += 2.0
    box.clock.look(box.time_s)
    box.pulses(20, "second")
    assert box.clock.port == "second"


def test_only_the_wanted_port_is_heard() -> None:
    box = Box("drum")
    box.pulses(20, "other")
    assert box.clock.place(box.time_s) is None
    box.pulses(20, "A Drum Box")
    assert box.clock.place(box.time_s) is not None


@pytest.mark.parametrize("lost", [1, 2, 5])
def test_pulses_that_are_lost_on_the_way_are_counted(lost: int) -> None:
    box = Box()
    box.send(START)
    box.pulses(100)
    box.time_s += lost * PULSE_S
    box.pulses(45 - lost)
    assert (box.clock.place(box.time_s) or (0, 0))[0] == pytest.approx(144 / PULSES, abs=0.002)


def test_a_pulse_that_is_late_is_no_lost_one() -> None:
    box = Box()
    box.send(START)
    box.pulses(100)
    box.clock.hear("box", (PULSE,), box.time_s + 1.8 * PULSE_S)
    box.time_s += PULSE_S
    box.pulses(44)
    assert (box.clock.place(box.time_s) or (0, 0))[0] == pytest.approx(144 / PULSES, abs=0.01)


def test_half_the_tempo_is_not_taken_for_lost_pulses() -> None:
    box = Box()
    box.pulses(100)
    for _ in range(200):
        box.time_s += PULSE_S
        box.pulses(1)
    assert (box.clock.place(box.time_s) or (0, 0))[1] == pytest.approx(60, rel=0.01)


def test_what_is_too_slow_or_too_fast_is_no_clock() -> None:
    box = Box()
    for _ in range(40):
        box.time_s += 0.001
        box.clock.hear("box", (PULSE,), box.time_s)
    box.clock.look(box.time_s)
    assert box.clock.place(box.time_s) is None


def test_arrival_times_are_free_of_the_delays_of_this_process() -> None:
    times = ArrivalTimes()
    delays = [0.004, 0.0, 0.009, 0.002, 0.0, 0.007]
    found = [times.time_of(0.02, 5 + 0.02 * number + delay) for number, delay in enumerate(delays)]
    assert found[1:] == pytest.approx([5 + 0.02 * number for number in range(1, 6)], abs=1e-4)


def test_a_driver_whose_clock_is_set_anew_is_followed() -> None:
    times = ArrivalTimes()
    times.time_of(0.0, 1.0)
    assert times.time_of(0.02, 9.0) == pytest.approx(9.0)


@pytest.mark.parametrize("lost", [1, 3])
def test_lost_pulses_are_found_among_pulses_that_jitter(lost: int) -> None:
    box, chance = Box(), random.Random(4)
    box.send(START)
    for pulse in range(400):
        if not 200 <= pulse < 200 + lost:
            time_s = 100 + pulse * PULSE_S + chance.gauss(0, 0.003)
            box.clock.hear("box", (PULSE,), time_s)
            box.clock.look(time_s)
    assert (box.clock.place(100 + 400 * PULSE_S) or (0, 0))[0] == pytest.approx(400 / PULSES, abs=0.004)


def test_pulses_that_arrive_twice_count_once() -> None:
    box = Box()
    box.send(START)
    for pulse in range(1, 200):
        box.pulses(1)
        if pulse % 50 == 0:
            box.clock.hear("box", (PULSE,), box.time_s + 0.001)
    assert (box.clock.place(box.time_s) or (0, 0))[0] == pytest.approx(198 / PULSES, abs=0.002)


def test_pulses_that_a_busy_driver_holds_back_do_not_move_the_beat() -> None:
    box = Box()
    box.send(START)
    for pulse in range(400):
        late_s = 0.05 - pulse % 40 * PULSE_S  # two or three pulses come at once, late, each second
        box.clock.hear("box", (PULSE,), 100 + pulse * PULSE_S + max(0.0, late_s))
    box.clock.look(100 + 400 * PULSE_S)
    assert (box.clock.place(100 + 400 * PULSE_S) or (0, 0))[0] == pytest.approx(400 / PULSES, abs=0.002)
