"""Loops: functions called in time, whose verbs take effect at the tick; errors, redefinition, and slow functions."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import pytest
from fake_engine import FakeEngine, riff
from patience import PATIENCE_S, until

from sidlive.chip.registers import MODE_VOL, Frames
from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.processes.options import RoomOptions
from sidlive.live.processes.room import open_room
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.state import ClockState, State
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take
from sidlive.live.timing.loops import CALL_FRAMES, MOST, Loops
from sidlive.live.timing.moments import Duration

BEAT = 12  # frames of a beat of `riff`, four beats to the bar
BAR = 4 * BEAT


@pytest.fixture
def session() -> Session:
    session = Session(Offline(Core(Take(None, {})), FakeEngine()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait("1 beat")
    return session


def volumes(session: Session) -> list[int]:
    """Return the volume of each frame heard so far."""
    frames: Frames = session._core.performed()[0]
    return (frames[:, MODE_VOL] & 15).tolist()


def notices(session: Session) -> list[str]:
    return [notice.text for notice in session.state().notices if "loop" in notice.text]


def test_a_function_is_called_with_its_count_and_heard_at_each_tick(session: Session) -> None:
    @session.every("1 bar")
    def swell(count: int) -> None:
        session.set("volume", 10 + count)

    session.wait("4 bars")
    heard = volumes(session)
    assert [heard[bar * BAR - 1] for bar in range(1, 5)] == [15, 10, 11, 12]
    assert [heard[bar * BAR] for bar in range(1, 4)] == [10, 11, 12]


def test_a_function_may_take_no_count_and_have_a_name(session: Session) -> None:
    calls: list[int] = []
    session.every("1 beat", lambda: calls.append(1), name="tick")
    session.wait("2 bars")
    (loop,) = session.loops()
    assert loop.name == "tick" and loop.calls == len(calls) > 6
    assert repr(loop).startswith(f"tick  every 1 beat  called {len(calls)} times  next at 4:1")


def test_the_same_name_replaces_at_the_next_tick(session: Session) -> None:
    session.every("1 bar", lambda: session.set("volume", 5), name="level")
    session.wait("1 bar")
    session.every("1 bar", lambda: session.set("volume", 9), name="level")
    assert len(session.loops()) == 1
    session.wait("2 bars")
    heard = volumes(session)
    assert (heard[BAR], heard[2 * BAR - 1], heard[2 * BAR]) == (5, 5, 9)


def test_a_version_that_raises_is_shown_once_and_the_last_good_one_goes_on(session: Session) -> None:
    session.every("1 beat", lambda count: session.set("volume", count % 10), name="level")
    session.wait("1 bar")

    def broken(count: int) -> None:
        session.set("volume", 15)
        session.set("volume", 1 // (count - count))

    session.every("1 beat", broken, name="level")
    session.wait("2 bars")
    assert len(notices(session)) == 1
    assert "loop level: line " in notices(session)[0] and "ZeroDivisionError" in notices(session)[0]
    assert "the version before it goes on" in notices(session)[0]
    late = volumes(session)[2 * BAR :]
    assert 15 not in late and len(set(late)) >= 3, "nothing of the broken version is heard"
    assert "ZeroDivisionError" in session.loops()[0].error


def test_a_first_version_that_raises_ends(session: Session) -> None:
    session.every("1 beat", lambda: session.set("volume", 99), name="loud")
    session.wait("1 bar")
    assert session.loops() == [] and len(notices(session)) == 1
    assert "volume expects 0 to 15, found 99" in notices(session)[0] and "has ended" in notices(session)[0]


def test_a_loop_that_fails_at_some_ticks_goes_on_at_the_others(session: Session) -> None:
    session.every("1 beat", lambda count: session.set("volume", 12 // (count - 3)), name="odd")

    def level(count: int) -> None:
        session.set("volume", 4 + 0 * (1 // (count - 2)))

    session.hush()
    session.every("1 beat", level)
    session.wait("2 bars")
    assert session.loops()[0].calls > 6 and len(notices(session)) == 1


def test_loops_end(session: Session) -> None:
    for name in ("a", "b", "c"):
        session.every("1 beat", lambda: None, name=name)
    session.unloop("b")
    assert [loop.name for loop in session.loops()] == ["a", "c"]
    with pytest.raises(ControlError, match="no loop is called 'b': there are a, c"):
        session.unloop("b")
    session.hush()
    assert session.loops() == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.every("0 bars", print), "every expects a length above 0"),
        (lambda s: s.every("2 bananas", print), "every expects a length such as"),
        (lambda s: s.every("1/64 beat", print), "every expects 4 frames or more"),
        (lambda s: s.every("3 s", print), "every expects beats or bars"),
        (lambda s: s.every("1 bar", 7), "every expects a function, found 7"),
        (lambda s: s.wait("2 bananas"), "wait expects a length such as"),
    ],
)
def test_mistakes_are_one_clear_line(session: Session, call: Callable[[Session], Any], message: str) -> None:
    with pytest.raises(ControlError, match=message) as caught:
        call(session)
    assert "\n" not in str(caught.value) and session.loops() == []


def test_loops_that_define_loops_without_end_reach_a_limit(session: Session) -> None:
    def more(count: int) -> None:
        for number in range(100):
            session.every("1 bar", lambda: None, name=f"{count} {number}")

    session.every("1 bar", more)
    session.wait("3 bars")
    assert len(session.loops()) <= MOST and any("loops run already" in text for text in notices(session))


def test_the_same_script_gives_the_same_frames() -> None:
    def perform() -> Frames:
        core = Core(Take(None, {}))
        session = Session(Offline(core, FakeEngine()))
        session.add(riff())
        session.prompt("riff")
        session.start()
        session.every("1 bar", lambda count: session.transpose([0, 3, 5][count % 3]), name="keys")
        session.every("1/2 beat", lambda count: session.temperature(0.1 * (count % 9)), name="heat")
        session.wait(4)
        return core.take.frames()

    assert np.array_equal(perform(), perform())


def test_in_real_time_loops_are_heard_at_their_tick_and_a_slow_one_delays_no_other(tmp_path: Any) -> None:
    link = open_room(RoomOptions(device="null", midi="none", takes=tmp_path, name="take", engine=FakeEngine))
    session = Session(link, tmp_path)
    released = threading.Event()
    try:
        link.ready()
        session.add(riff())
        session.prompt("riff")
        session.start()
        session.every("1 bar", lambda: released.wait(PATIENCE_S), name="slow")
        session.every("1 beat", lambda count: session.set("volume", count % 16), name="level")
        assert until(lambda: {loop.name: loop.calls for loop in session.loops()}["level"] >= 16)
        slow = next(loop for loop in session.loops() if loop.name == "slow")
        assert slow.skipped >= 1
        released.set()
        session.hush()
        late = session.state().late_changes
    finally:
        released.set()
        session.close()
    log = read_take(tmp_path / "take")
    ticks = [event for event in log.events if "at" in event and event["verb"] == "set"]
    assert len(ticks) >= 16
    on_time = sum(int(event["at"]) % BEAT == 0 for event in ticks)
    assert on_time >= len(ticks) - late
    heard = {int(event["heard"]): event["arguments"][1] for event in ticks if int(event["heard"]) < len(log.frames)}
    assert {at: log.frames[at, MODE_VOL] & 15 for at in heard} == heard
    np.testing.assert_array_equal(replay(log, FakeEngine()), log.frames)


class StandingHost:
    """Stands for a session whose music stands in the middle of a beat of 24 frames, in real time."""

    def state(self) -> State:
        return State(count=ClockState(beats=3.5, beat_frames=24.0))

    def at(self, moment: str) -> AbstractContextManager[None]:
        return nullcontext()

    def tell(self, text: str) -> None:
        raise AssertionError(text)


def test_a_new_loop_begins_with_a_tick_that_its_call_can_reach() -> None:
    loops = Loops(StandingHost())
    loops.add("tick", "1 beat", Duration(1, "beats"), lambda: None)
    (loop,) = loops.states()
    assert (loop.bar, loop.beat, loop.frames) == (2, 2, 36)  # the tick before comes in 12 frames
    assert loop.frames >= CALL_FRAMES and loop.skipped == 0
    loops.close()
