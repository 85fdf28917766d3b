"""Timed commands: each takes effect at its exact frame, as if it had been given just then, and replays do the same."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from driven_room import BAR, BEAT, CountingEngine, Room, high
from fake_engine import NOISE, PERIOD, FakeEngine, noise, riff

from sidlive.chip.registers import FREQ_HI, GATE, MODE_VOL, Frames, register_of
from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.core.generator import Generator
from sidlive.live.core.tape_player import MARGIN
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take
from sidlive.tune.edits import transpose


@pytest.mark.parametrize(
    ("moment", "frame"), [("beat", BEAT), ("bar", BAR), ("2 bars", 2 * BAR), ("3 beats", 3 * BEAT)]
)
def test_a_change_takes_effect_in_the_first_frame_of_its_beat_or_bar(moment: str, frame: int) -> None:
    room = Room()
    room.play(5)
    room.at(moment, "set", "temperature", 0.0)
    heard = room.play(120)[:, NOISE]
    expected = [noise(1, 0, 2 * PERIOD + index) for index in range(5, 125)]
    assert heard[: frame - 5].tolist() == expected[: frame - 5] and any(expected[frame - 5 : frame - 2])
    assert not heard[frame - 5 :].any()


def test_a_change_beyond_the_generated_future_costs_nothing() -> None:
    room = Room()
    room.play(5)
    steps = room.generator._engine.steps  # type: ignore[attr-defined]
    room.at("4 bars", "set", "temperature", 0.0)
    room.play(200)
    assert room.generator._engine.steps == steps + 200  # type: ignore[attr-defined]


def test_a_change_of_the_chips_sound_waits_for_its_frame_too() -> None:
    room = Room()
    room.play(5)
    room.at("bar", "set", "volume", 0)
    room.at("2 bars", "mute", 1)
    heard = room.play(120)
    assert (heard[: BAR - 5, MODE_VOL] & 15).all() and not (heard[BAR - 5 :, MODE_VOL] & 15).any()
    gates = heard[:, register_of(0, 4)] & GATE
    assert gates[2 * BAR - 5 - BEAT : 2 * BAR - 8].any() and not gates[2 * BAR - 5 :].any()


def test_a_prompt_on_the_bar_changes_the_music_and_the_clock_there() -> None:
    room = Room()
    room.play(5)
    room.at("bar", "prompt", "high")
    heard = room.play(100)
    changed = heard[:, FREQ_HI] >= 0x40
    assert changed.tolist() == [index >= BAR - 5 for index in range(100)]
    # 80 frames of the fragment came before: its fourth beat of the second bar has 8 frames left
    assert room.core.state().count.bar == 1 + (105 - BAR + 80 % BAR) // BAR + 1


@pytest.mark.parametrize(("command", "least"), [(("set", "transpose", 12), 0x20), (("prompt", "middle"), 0x40)])
def test_a_change_of_the_past_is_heard_at_once_and_a_prompt_for_the_bar_still_begins_there(
    command: tuple[str, ...], least: int
) -> None:
    """Although the frames ahead of the change are those of the prompt already."""
    room = Room()
    rows = high().frames.copy()
    rows[:, FREQ_HI] -= 0x10
    room.core.command("add", replace(high(), name="middle", frames=rows))
    room.play(5)
    room.at("bar", "prompt", "high")
    room.play(5)
    room.core.command(*command)
    heard = room.play(100)[:, FREQ_HI]
    octave = command[1] == "transpose"
    later = heard >= (0xA0 if octave else 0x50)
    assert later.tolist() == [index >= BAR - 10 for index in range(100)]
    assert (heard[: BAR - 10] >= least).mean() > 0.9


def test_start_and_stop_on_the_bar() -> None:
    room = Room()
    room.play(5)
    room.at("bar", "stop")
    gates = room.play(60)[:, register_of(0, 4)] & GATE
    assert not gates[BAR - 5 :].any() and gates[BAR - 5 - BEAT]
    assert room.core.state().phase == "stopped"
    room.at("bar", "start")  # nothing moves while the music stands, so it starts at once
    assert room.core.state().phase != "stopped" and not room.waiting()


def test_changes_wait_for_the_music_if_it_has_not_begun() -> None:
    core = Core(Take(None, {}))
    core.command("add", riff())
    core.command("prompt", "riff")
    core.later("bar", ("set", ("temperature", 0.0)))
    assert core.state().pending[0].bar is None
    generator = Generator(core, FakeEngine(), transpose)
    core.command("start")
    while generator.work():
        pass
    assert core.state().pending[0].bar == 2 and core.state().pending[0].frames == BAR


def test_pending_lists_and_cancel_removes() -> None:
    room = Room()
    room.play(5)
    room.at("bar", "set", "temperature", 0.0)
    room.at("beat", "set", "seed", 5)
    room.at("+10 frames", "mute", 2)
    assert room.waiting() == [("set('seed', 5)", 7), ("mute(2)", 10), ("set('temperature', 0.0)", BAR - 5)]
    numbers = [entry.number for entry in room.core.state().pending]
    with pytest.raises(ControlError, match=r"no command 77 is waiting; pending\(\) lists them"):
        room.core.cancel(numbers[0], 77)
    assert len(room.waiting()) == 3
    room.core.cancel(numbers[1])
    assert len(room.waiting()) == 2
    room.core.cancel()
    assert room.waiting() == []
    assert room.play(60)[:, NOISE].tolist() == [noise(1, 0, 2 * PERIOD + index) for index in range(5, 65)]


def test_panic_removes_what_waits() -> None:
    room = Room()
    room.play(5)
    room.at("bar", "set", "temperature", 0.0)
    room.core.command("panic")
    assert room.waiting() == []


def test_several_commands_come_in_the_same_frame_or_not_at_all() -> None:
    room = Room()
    room.play(BAR - 2)
    room.core.later("bar", ("set", ("temperature", 0.0)), ("set", ("seed", 3)))
    assert {frames for _, frames in room.waiting()} == {2}
    with pytest.raises(ControlError, match=r"temperature expects 0.0 to 2.0, found 9"):
        room.core.later("bar", ("set", ("seed", 8)), ("set", ("temperature", 9)))
    assert len(room.waiting()) == 2


def test_a_control_set_twice_for_the_same_frame_waits_once() -> None:
    room = Room()
    room.play(5)
    for value in range(10):
        room.at("bar", "set", "volume", value)
    assert room.waiting() == [("set('volume', 9)", BAR - 5)]


def test_a_change_that_became_impossible_is_refused_with_a_notice_and_the_music_goes_on() -> None:
    room = Room()
    room.play(5)
    room.at("bar", "forbid", "freq_hi", "0-127")
    room.core.command("forbid", "freq_hi", "128-255")  # together they leave nothing
    heard = room.play(100)
    assert len(heard) == 100 and room.waiting() == []
    notices = [notice.text for notice in room.core.state().notices if "not possible" in notice.text]
    assert len(notices) == 1 and notices[0].startswith("forbid was not possible when its time came: ")


@pytest.mark.parametrize("wrong", ["2 bananas", "", "0 bars", "bar 0", 7, None])
def test_a_moment_that_is_none_is_one_clear_line(wrong: Any) -> None:
    room = Room()
    with pytest.raises(ControlError, match=r"^at (expects|counts bars from 1)") as caught:
        room.core.later(wrong, ("set", ("seed", 5)))
    assert "\n" not in str(caught.value) and repr(wrong) in str(caught.value)


def test_a_bar_that_has_passed_is_refused() -> None:
    room = Room()
    room.play(2 * BAR + 3)
    with pytest.raises(ControlError, match="bar 2 is past: this is bar 3"):
        room.at("bar 2", "set", "seed", 5)
    room.at("bar 5", "set", "seed", 5)
    assert room.waiting() == [("set('seed', 5)", 4 * BAR - 2 * BAR - 3)]


def test_what_cannot_wait_says_so() -> None:
    room = Room()
    with pytest.raises(ControlError, match="panic cannot wait: it takes effect at once"):
        room.at("bar", "panic")


# -- exactness: a timed command is the same as a command given one frame before its frame


CHANGES: list[Callable[[random.Random], tuple[str, tuple[object, ...]]]] = [
    lambda chance: ("set", ("temperature", round(chance.uniform(0, 2), 2))),
    lambda chance: ("set", ("seed", chance.randrange(1000))),
    lambda chance: ("set", ("transpose", chance.randrange(-12, 13))),
    lambda chance: ("set", ("mask", chance.choice(["1", "12", "123"]))),
    lambda chance: ("hold", (chance.randrange(1, 4),)),
    lambda chance: ("lock", (chance.randrange(1, 4), chance.choice(["riff", "high"]))),
    lambda chance: ("free", ()),
    lambda chance: ("prompt", (chance.choice(["riff", "high"]),)),
    lambda chance: ("prompt", (chance.choice(["riff", "high"]), True)),
    lambda chance: ("mute", (chance.randrange(1, 4),)),
    lambda chance: ("unmute", ()),
    lambda chance: ("set", ("volume", chance.randrange(16))),
    lambda chance: ("forbid", ("pw_lo", str(chance.randrange(256)))),
]
PLAYED = ("mute", "unmute")


def plan(seed: int, count: int, length: int) -> dict[int, list[tuple[str, tuple[object, ...]]]]:
    """Return changes at random frames, at most one at a frame, by frame."""
    chance = random.Random(seed)
    frames = sorted(chance.sample(range(20, length - 20), count))
    return {frame: [chance.choice(CHANGES)(chance)] for frame in frames}


def given_in_time(changes: dict[int, list[tuple[str, tuple[object, ...]]]], length: int) -> Frames:
    """Perform changes by hand: each is given when the next frame that it can still change is its own."""
    room, rows = Room(engine=CountingEngine()), []
    for frame in range(length):
        for name, arguments in changes.get(frame, []):  # the chip takes `frame` next
            if name in PLAYED or arguments[:1] == ("volume",):
                room.core.command(name, *arguments)
        for name, arguments in changes.get(frame + MARGIN, []):
            if not (name in PLAYED or arguments[:1] == ("volume",)):
                room.core.command(name, *arguments)
        rows.append(room.play(1))
    return np.concatenate(rows)


def given_early(changes: dict[int, list[tuple[str, tuple[object, ...]]]], length: int, seed: int, room: Room) -> Frames:
    """Give the same changes some time before their frames: inside and beyond the generated future, in any order."""
    chance = random.Random(seed)
    due: dict[int, list[int]] = {}
    for frame in changes:
        due.setdefault(max(1, frame - chance.randrange(1, 150)), []).append(frame)
    rows = []
    for playhead in range(length):
        for frame in chance.sample(due.get(playhead, []), len(due.get(playhead, []))):
            for name, arguments in changes[frame]:
                room.at(f"+{frame - playhead} frames", name, *arguments)
        rows.append(room.play(1))
    return np.concatenate(rows)


@pytest.mark.parametrize("seed", range(6))
def test_each_timed_command_takes_effect_at_its_exact_frame(seed: int, tmp_path: Path) -> None:
    changes = plan(seed, 60, 900)
    room = Room(Take(tmp_path / "take", {}), CountingEngine())
    performed = given_early(changes, 900, seed, room)
    np.testing.assert_array_equal(performed, given_in_time(changes, 900))
    assert room.core.late_changes == 0
    room.core.take.flush()
    log = read_take(tmp_path / "take")
    np.testing.assert_array_equal(replay(log, CountingEngine()), log.frames)


def test_a_knob_that_moves_meanwhile_changes_nothing_about_the_moment(tmp_path: Path) -> None:
    """Knobs cut the future before the frames of waiting prompts and transpositions, which are then applied again."""
    changes = plan(3, 30, 900)
    knobs = {frame: 0.1 * (frame % 17) for frame in range(30, 880, 7)}
    both = {frame: list(entries) for frame, entries in changes.items()}
    for frame, value in knobs.items():
        both[frame + MARGIN] = [("set", ("min_p", round(value / 4, 3))), *both.get(frame + MARGIN, [])]
    room = Room(Take(tmp_path / "take", {}), CountingEngine())
    chance = random.Random(1)
    due: dict[int, list[int]] = {}
    for frame in changes:
        due.setdefault(max(1, frame - chance.randrange(2, 90)), []).append(frame)
    rows = []
    for playhead in range(900):
        if playhead in knobs:
            room.core.command("set", "min_p", round(knobs[playhead] / 4, 3))
        for frame in due.get(playhead, []):
            for name, arguments in changes[frame]:
                room.at(f"+{frame - playhead} frames", name, *arguments)
        rows.append(room.play(1))
    np.testing.assert_array_equal(np.concatenate(rows), given_in_time(both, 900))
    room.core.take.flush()
    log = read_take(tmp_path / "take")
    np.testing.assert_array_equal(replay(log, CountingEngine()), log.frames)


# -- the verbs


@pytest.fixture
def session() -> Session:
    session = Session(Offline(Core(Take(None, {})), FakeEngine()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait(0.2)
    return session


def test_a_verb_takes_its_moment_and_a_block_times_all_its_verbs(session: Session) -> None:
    session.heat(pitch=1.5, rhythm=0.5, at="bar")  # type: ignore[call-arg]
    with session.at("beat"):
        session.temperature(0.3)
        session.mute(2)
        assert session.pending() == session.pending() and len(session.pending()) == 2, "the block is sent at its end"
    assert [(entry.text, entry.bar, entry.beat) for entry in session.pending()] == [
        ("set('temperature', 0.3)", 1, 2),
        ("mute(2)", 1, 2),
        ("set('pitch_heat', 1.5)", 2, 1),
        ("set('rhythm_heat', 0.5)", 2, 1),
    ]


def test_a_block_that_raises_changes_nothing(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), session.at("bar"):
        session.temperature(0.3)
        session.seed(1 // 0)
    assert session.pending() == []
    session.temperature(0.4)
    assert session.get("temperature") == 0.4, "the block has ended"


def test_of_the_prompts_for_one_moment_only_the_last_waits(session: Session) -> None:
    session.add(high())
    session.prompt("high", at="bar")  # type: ignore[call-arg]
    session.transpose(5, at="bar")  # type: ignore[call-arg]
    session.prompt("high", at="2 bars")  # type: ignore[call-arg]
    session.prompt("riff", at="bar")  # type: ignore[call-arg]
    waiting = session.pending()
    assert [entry.text for entry in waiting] == [
        "set('transpose', 5)", "prompt('riff', False)", "prompt('high', False)"
    ]  # fmt: skip
    assert waiting[0].frames == waiting[1].frames < waiting[2].frames


def test_quantise_sets_the_moment_of_verbs_and_midi(session: Session) -> None:
    session.quantise("bar")
    session.temperature(0.3)
    session._link.core.turn("volume", 3)  # type: ignore[attr-defined]
    session.seed(9, at="beat")  # type: ignore[call-arg]
    assert [(entry.text, entry.bar, entry.beat) for entry in session.pending()] == [
        ("set('seed', 9)", 1, 2),
        ("set('temperature', 0.3)", 2, 1),
        ("set('volume', 3)", 2, 1),
    ]
    assert session.state().quantise == "bar"
    session.quantise()
    session.temperature(0.5)
    assert session.get("temperature") == 0.5
    with pytest.raises(ControlError, match="quantise expects"):
        session.quantise("sometimes")


def test_the_same_script_gives_the_same_frames() -> None:
    def perform() -> Frames:
        core = Core(Take(None, {}))
        session = Session(Offline(core, FakeEngine()))
        for fragment in (riff(), high()):
            session.add(fragment)
        session.prompt("riff")
        session.transpose(7, at="bar 2")  # type: ignore[call-arg]
        session.start()
        session.prompt("high", at="4 bars")  # type: ignore[call-arg]
        session.wait(6)
        return core.take.frames()

    first = perform()
    assert np.array_equal(first, perform())
    assert (first[: 4 * BAR, FREQ_HI] < 0x40).all() and (first[4 * BAR :, FREQ_HI] >= 0x40).all()


def test_a_take_knows_its_last_prompt_though_others_were_cancelled_or_are_to_come(tmp_path: Path) -> None:
    room = Room(Take(tmp_path / "take", {}))
    room.play(5)
    room.at("bar", "prompt", "high")
    room.play(10)
    room.core.take.flush()
    assert read_take(tmp_path / "take").prompted.name == "riff"  # type: ignore[union-attr]
    room.core.cancel()
    room.play(60)
    room.core.take.flush()
    assert read_take(tmp_path / "take").prompted.name == "riff"  # type: ignore[union-attr]
    room.at("bar", "prompt", "high")
    room.play(60)
    room.core.take.flush()
    assert read_take(tmp_path / "take").prompted.name == "high"  # type: ignore[union-attr]
    room.at("bar", "prompt", "riff")
    room.core.command("panic")
    room.core.take.flush()
    assert read_take(tmp_path / "take").prompted.name == "high"  # type: ignore[union-attr]
