"""The core with an engine whose frames are known: which frames the chip gets and when, and the model's input."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fake_engine import NOISE, PERIOD, FakeEngine, noise, riff

from sidlive.chip.registers import (
    AD,
    CONTROL,
    FIRST_CONTROL,
    FREQ_HI,
    GATE,
    MODE_VOL,
    PAL,
    PULSE,
    REGISTERS,
    SR,
    Frames,
    register_of,
    silence,
)
from sidlive.errors import ControlError
from sidlive.live.core.audition import LEAD
from sidlive.live.core.core import Core
from sidlive.live.core.generator import Generator
from sidlive.live.core.tape_player import CUSHION, MARGIN
from sidlive.live.takes.take import Take
from sidlive.tune.edits import transpose
from sidlive.tune.fragment import Fragment

GATES = [register_of(voice, CONTROL) for voice in range(3)]


class Room:
    """A core and a generator, driven step by step."""

    def __init__(self, engine: FakeEngine | None = None) -> None:
        self.core = Core(Take(None, {}))
        self.engine = engine or FakeEngine()
        self.generator = Generator(self.core, self.engine, transpose)
        self.do("set", "temperature", 1.0)
        for fragment in (riff(), riff("long", 5 * PERIOD)):
            self.core.command("add", fragment)

    def do(self, verb: str, *arguments: object) -> None:
        self.core.command(verb, *arguments)

    def play(self, frames: int, generate: bool = True) -> Frames:
        """Play ``frames`` frames and return them, as the chip gets them; without ``generate`` the generator sleeps."""
        rows = []
        for _ in range(frames):
            while generate and self.generator.work():
                pass
            rows.append(self.core.next_frame())
        return np.array(rows)


def frequencies(frames: Frames) -> np.ndarray:
    """Return the three voices' 16-bit frequencies, ``int[n, 3]``."""
    return np.stack([frames[:, 7 * voice] + 256 * frames[:, 7 * voice + 1].astype(int) for voice in range(3)], axis=1)


@pytest.fixture
def room() -> Room:
    room = Room()
    room.do("prompt", "riff")
    room.do("start")
    return room


def test_the_continuation_is_heard_at_once_and_is_the_models(room: Room) -> None:
    heard = room.play(100)
    expected = np.array([riff().frames[i % PERIOD] for i in range(100)])
    expected[:, NOISE] = [noise(1, 0, 2 * PERIOD + i) for i in range(100)]
    assert np.array_equal(heard, expected)


def test_a_prompt_can_be_heard_first() -> None:
    room = Room()
    room.do("prompt", "long", True)
    room.do("start")
    heard = room.play(5 * PERIOD + 10)
    assert np.array_equal(heard[: 5 * PERIOD], riff("long", 5 * PERIOD).frames)
    assert heard[5 * PERIOD, NOISE] == noise(1, 0, 5 * PERIOD)


def test_the_models_input_is_the_prompt_and_the_frames_after_it(room: Room) -> None:
    heard = room.play(40)
    position = room.engine.position
    played = len(riff().frames) + 40
    assert np.array_equal(np.array(room.engine.heard[:played]), np.concatenate([riff().frames, heard]))
    assert position == played + int(room.core.get("ahead")) - 1, "one of them was played since"


def test_without_a_prompt_start_plays_from_nothing() -> None:
    room = Room()
    room.do("start")
    heard = room.play(20)
    assert heard[3, NOISE] == noise(1, 0, 3)


def test_before_start_and_after_stop_the_keys_are_up() -> None:
    room = Room()
    room.do("prompt", "riff")
    assert not room.play(10)[:, GATES].any()
    room.do("start")
    assert (room.play(5)[:, GATES] & GATE).all()
    room.do("stop")
    idle = room.play(200)
    assert not (idle[:, GATES] & GATE).any()
    assert (idle[:, MODE_VOL] & 0x0F == 15).all(), "releases are heard"
    assert 5 < room.core.take.length < 150, "a tail of the pause belongs to the take, the rest does not"
    room.do("start")
    assert room.play(1)[0, NOISE] == noise(1, 0, 2 * PERIOD + 5), "start() goes on where stop() left off"


# -- steering


def begins(room: Room, frames: int) -> list[int]:
    """Play ``frames`` frames; return the numbers of those with which music begins according to the core."""
    begun = []
    for frame in range(frames):
        room.play(1)
        if room.core.begins:
            begun.append(frame)
    return begun


def test_the_core_knows_with_which_frame_music_begins(room: Room) -> None:
    assert begins(room, 30) == [0]
    for verb in ("stop", "panic"):
        room.do(verb)
        assert begins(room, 20) == []
        room.do("start")
        assert begins(room, 20) == [0]
    room.core.audition(riff("long", 20).frames, None, 0)
    assert begins(room, 40) == [LEAD, 2 * LEAD + 20], "the take after its lead, and the music that goes on"


def test_a_change_takes_effect_one_frame_after_the_next(room: Room) -> None:
    same, other = Room(), room
    same.do("prompt", "riff")
    same.do("start")
    same.play(30)
    other.play(30)
    other.do("set", "temperature", 0.5)
    expected, heard = same.play(60), other.play(60)
    assert np.array_equal(heard[:MARGIN], expected[:MARGIN])
    assert heard[MARGIN, NOISE] == round(noise(1, 0, 2 * PERIOD + 30 + MARGIN) * 0.5)
    heard[:, NOISE] = expected[:, NOISE]
    assert np.array_equal(heard, expected), "what need not change stays"


def test_turning_back_brings_the_same_future_back(room: Room) -> None:
    same = Room()
    same.do("prompt", "riff")
    same.do("start")
    same.play(30)
    room.play(30)
    room.do("set", "seed", 7)
    while room.generator.work():
        pass
    room.do("set", "seed", 1)
    assert np.array_equal(room.play(100), same.play(100))


def test_setting_a_control_to_its_value_changes_nothing(room: Room) -> None:
    room.play(10)
    steps = room.engine.steps
    room.do("set", "temperature", 1.0)
    room.play(1)
    assert room.engine.steps == steps + 1


def test_masked_voices_are_silent_and_the_model_hears_it(room: Room) -> None:
    room.play(30)
    room.do("set", "mask", "13")
    heard = room.play(50)[MARGIN:]
    assert not (heard[:, register_of(1, CONTROL)] & GATE).any()
    assert not heard[:, [register_of(1, AD), register_of(1, SR)]].any()
    assert (heard[:, register_of(0, CONTROL)] & GATE).any()
    assert np.array_equal(np.array(room.engine.heard[-20:])[:, register_of(1, CONTROL)] & GATE, np.zeros(20))
    assert [voice.mode for voice in room.core.state().voices] == ["generated", "masked", "generated"]


def test_muted_voices_are_silent_at_once_unheard_by_the_model(room: Room) -> None:
    room.play(30)
    room.do("mute", 2)
    heard = room.play(50)
    assert not (heard[:, register_of(1, CONTROL)] & GATE).any()
    assert (np.array(room.engine.heard[-50:])[:, register_of(1, CONTROL)] & GATE).any()
    room.do("unmute")
    assert (room.play(12)[:, register_of(1, CONTROL)] & GATE).any()


def test_the_chip_can_be_asked_for_the_frame_under_way_with_new_mutes_and_volume(room: Room) -> None:
    (frame,) = room.play(1)
    assert room.core.retouch() is None, "nothing has changed"
    room.do("mute", 2)
    room.do("set", "volume", 5)
    changed = room.core.retouch()
    assert changed is not None and room.core.retouch() is None
    columns = {register_of(1, CONTROL), register_of(1, AD), register_of(1, SR), MODE_VOL}
    assert set(np.flatnonzero(changed[:REGISTERS] != frame[:REGISTERS])) <= columns
    assert not changed[register_of(1, CONTROL)] & GATE and changed[MODE_VOL] & 15 == 5
    assert np.array_equal(room.core.take.frames()[-1], frame), "the take has the frame as it was"
    room.do("unmute")
    room.do("set", "volume", 15)
    assert np.array_equal(room.core.retouch(), frame)
    room.play(1)
    assert room.core.retouch() is None


def test_a_held_voice_keeps_its_registers(room: Room) -> None:
    room.play(30)
    room.do("hold", 1)
    heard = room.play(60)
    columns = [*range(7), 25]
    assert (heard[MARGIN:, columns] == heard[0, columns]).all()
    room.do("free", 1)
    assert (heard[-1, columns] != room.play(30)[-1, columns]).any()


def test_a_locked_voice_plays_a_fragment_in_a_loop_and_in_key(room: Room) -> None:
    room.play(30)
    room.do("lock", 3, "long", 1)
    heard = room.play(6 * PERIOD)[MARGIN:]
    loop = riff("long", 5 * PERIOD).frames
    expected = loop[np.arange(len(heard)) % len(loop)]
    assert np.array_equal(heard[:, 14:21], expected[:, 0:7])
    assert np.array_equal(heard[:, 27], expected[:, 25])
    assert room.core.state().voices[2].fragment == "long"
    room.do("set", "transpose", 12)
    assert room.play(20)[-1, register_of(2, FREQ_HI)] in (32, 33, 34, 35, 36, 37, 38)


def test_transposing_also_transposes_the_models_past(room: Room) -> None:
    played = room.play(30)
    room.do("set", "transpose", 12)
    heard = room.play(20)
    original = np.concatenate([riff().frames, played, heard[:MARGIN]])
    assert np.array_equal(np.array(room.engine.heard[: len(original)]), transpose(original, 12))
    assert np.array_equal(heard[MARGIN:, FREQ_HI], 2 * riff().frames[(30 + np.arange(MARGIN, 20)) % PERIOD, FREQ_HI])


def test_transposing_to_and_fro_leaves_no_trace(room: Room) -> None:
    """Each frame is transposed once, from the key it was generated in, however often the knob moves."""
    room.play(30)
    for semitones in (1, 5, -7, 3, 0):
        room.do("set", "transpose", semitones)
        room.play(1)
    heard = room.play(PERIOD)[MARGIN:]
    original = riff().frames[(35 + np.arange(MARGIN, PERIOD)) % PERIOD]
    off = frequencies(heard) - frequencies(original)
    assert np.abs(off).max() <= 2, "rounded when it was made, and once more"


def test_another_prompt_replaces_the_past(room: Room) -> None:
    room.play(30)
    room.do("prompt", "long")
    heard = room.play(30)
    assert heard[MARGIN, NOISE] == noise(1, 0, 5 * PERIOD)
    assert np.array_equal(np.array(room.engine.heard[: 5 * PERIOD]), riff("long", 5 * PERIOD).frames)
    assert np.array_equal(np.array(room.engine.heard[5 * PERIOD :][: 30 - MARGIN]), heard[MARGIN:])


@pytest.mark.parametrize("pin", [0, 16])
def test_the_engine_hears_as_much_of_a_new_prompt_as_it_can_recall(pin: int) -> None:
    """The engine hears the pinned first frames of the prompt, then its last frames."""
    for context in (16, 40, 100):
        room = Room(FakeEngine(context=context, pinnable=min(pin, context // 2)))
        room.do("prompt", "long")
        room.do("start")
        room.generator.work()
        prompt, pinned = riff("long", 5 * PERIOD).frames, min(pin, context // 2)
        heard = np.concatenate([prompt[:pinned], prompt[pinned:][-(2 * context - pinned) :]])
        assert np.array_equal(np.array(room.engine.heard)[: len(heard)], heard), context


def test_during_the_music_the_engine_hears_no_more_than_its_context() -> None:
    room = Room(FakeEngine(context=64))
    room.do("prompt", "long")
    room.do("start")
    room.play(100)
    room.do("set", "transpose", 2)
    room.generator.work()
    assert room.engine.position == 64


def test_a_pinned_prompt_is_heard_again_before_the_frames_played_last() -> None:
    """The prompt's first frames stay, however old they are; the rest of the context comes from the tape."""
    room = Room(FakeEngine(context=64, pinnable=32))
    room.do("prompt", "long")
    room.do("start")
    played = room.play(100)
    assert room.engine.pinned == 32
    room.do("set", "transpose", 2)
    room.generator.work()
    heard = transpose(np.concatenate([riff("long", 5 * PERIOD).frames[:32], played[-32:]]), 2)
    assert np.array_equal(np.array(room.engine.heard)[: len(heard)], heard)
    assert room.engine.position == 64


@pytest.mark.parametrize("pin", [0, 32])
@pytest.mark.parametrize("after", [10, 45, 200])
def test_a_prompt_that_was_itself_played_is_prefilled_once(after: int, pin: int) -> None:
    """Also when the context no longer reaches back to the prompt on the tape."""
    room = Room(FakeEngine(context=64, pinnable=pin))
    room.do("prompt", "long", True)
    room.do("start")
    played = room.play(after)
    room.do("set", "transpose", 2)
    room.generator.work()
    heard = np.array(room.engine.heard)
    prompt, music = riff("long", 5 * PERIOD).frames, played
    tape = min(64 - pin, len(music))
    before = min(len(prompt), len(music) - tape)
    first = max(pin, before + tape - (64 - pin))
    expected = np.concatenate([prompt[: min(pin, before)], prompt[first:before], music[-tape:]])
    assert np.array_equal(heard, transpose(expected, 2))


# -- when generation is late


def test_steering_alone_never_leaves_a_hole(room: Room) -> None:
    """The old future plays on until the new one is there."""
    room.play(30)
    room.do("set", "temperature", 0.5)
    heard = room.play(20, generate=False)
    assert list(heard[:, NOISE]) == [noise(1, 0, 2 * PERIOD + 30 + i) for i in range(20)]
    heard = room.play(20)
    assert heard[MARGIN, NOISE] == round(noise(1, 0, 2 * PERIOD + 50 + MARGIN) * 0.5)
    assert room.core.state().underruns == 0


def test_a_frame_made_under_old_settings_is_dropped(room: Room) -> None:
    room.play(30)
    step = room.engine.step

    def step_and_meanwhile(*arguments):
        room.engine.step = step
        row = step(*arguments)
        room.do("set", "temperature", 0.5)
        return row

    room.core.next_frame()
    room.engine.step = step_and_meanwhile
    heard = room.play(100)
    assert list(heard[MARGIN:, NOISE]) == [round(noise(1, 0, 2 * PERIOD + 31 + i) * 0.5) for i in range(MARGIN, 100)]


def test_late_frames_hold_then_loop_the_last_bar_and_music_rejoins_on_the_beat(room: Room) -> None:
    beat = riff().beat.whole_frames
    played = room.play(100)
    ahead = room.core.state().ahead
    played = np.concatenate([played, room.play(ahead, generate=False)])
    late = room.play(beat, generate=False)
    assert (late == late[0]).all() and np.array_equal(late[0, :25], played[-1, :25])
    assert room.core.state().phase == "holding"
    looped = room.play(2 * beat + 5, generate=False)
    bar = played[-4 * beat :]
    assert np.array_equal(looped, np.concatenate([bar, bar])[beat : 3 * beat + 5])
    assert room.core.state().phase == "looping"
    back = room.play(20)
    assert np.array_equal(back[: beat - 5], np.concatenate([bar, bar])[3 * beat + 5 : 4 * beat])
    assert back[beat - 5, NOISE] == noise(1, 0, 2 * PERIOD + len(played)), "nothing of the music is lost"
    state = room.core.state()
    assert (state.phase, state.underruns, state.late_frames) == ("playing", 1, 4 * beat)


def test_a_short_delay_ends_as_soon_as_it_can(room: Room) -> None:
    room.play(30)
    ahead = room.core.state().ahead
    room.play(ahead + 3, generate=False)
    assert room.play(1)[0, NOISE] == noise(1, 0, 2 * PERIOD + 30 + ahead)
    assert room.core.state().late_frames == 3


def test_music_begins_with_a_cushion() -> None:
    room = Room()
    room.do("prompt", "riff")
    room.do("start")
    room.generator.work()  # prefills the prompt
    for _ in range(CUSHION - 1):
        room.generator.work()
    assert not room.play(1, generate=False).any()
    assert room.core.state().phase == "waiting"
    room.generator.work()
    assert room.play(1, generate=False)[0, GATES].all()


# -- panic, silence, revival


def test_panic_is_silence_now(room: Room) -> None:
    hushed = []
    room.core.hush = lambda: hushed.append(True)
    room.play(30)
    room.do("panic")
    assert not room.play(10).any() and hushed
    room.do("start")
    assert room.play(1)[0, NOISE] == noise(1, 0, 2 * PERIOD + 30)


def test_panic_before_a_prompt_is_heard_keeps_the_prompt(room: Room) -> None:
    room.play(30)
    room.do("prompt", "long")
    while room.generator.work():
        pass
    room.do("panic")
    room.do("start")
    heard = room.play(10)
    assert heard[0, NOISE] == noise(1, 0, 5 * PERIOD)
    assert np.array_equal(np.array(room.engine.heard[: 5 * PERIOD]), riff("long", 5 * PERIOD).frames)


def test_a_continuation_that_went_silent_is_prompted_again_with_other_noise() -> None:
    room = Room()
    room.do("add", replace(riff("dead"), frames=silence(2 * PERIOD)))
    room.do("prompt", "dead")
    room.do("start")
    heard = room.play(200)
    assert heard[140, NOISE] == noise(1, 0, 2 * PERIOD + 140)
    assert heard[170, NOISE] == noise(1, 1, 2 * PERIOD + 170 - 150 - MARGIN), "another lane, from the prompt"
    assert "prompted again" in room.core.state().notices[-1].text


def losing_voice_2() -> Fragment:
    """Ten periods with a note of each voice every beat. Voice 2 rests in the last one, which the engine repeats."""
    frames = riff("losing", 10 * PERIOD).frames.copy()
    frames[9 * PERIOD :, [register_of(1, CONTROL), FIRST_CONTROL + 1]] = PULSE
    return replace(riff("losing", 10 * PERIOD), frames=frames)


def test_a_voice_that_lost_its_notes_gets_them_back() -> None:
    room = Room()
    room.do("add", losing_voice_2())
    room.do("prompt", "losing")
    room.do("start")
    room.play(round(8 * PAL.rate_hz))
    assert not any("prompted again" in notice.text for notice in room.core.state().notices)
    room.play(20)
    assert "voice 2 had lost its notes: prompted again" in room.core.state().notices[-1].text


def test_a_voice_may_rest_longer_in_thinner_music() -> None:
    room = Room()
    room.do("add", losing_voice_2())
    room.do("prompt", "losing")
    room.do("set", "density", 0.5)
    room.do("start")
    room.play(round(15.5 * PAL.rate_hz))
    assert not any("prompted again" in notice.text for notice in room.core.state().notices)
    room.play(round(PAL.rate_hz))
    assert "voice 2 had lost its notes: prompted again" in room.core.state().notices[-1].text


@pytest.mark.parametrize("verb", [("set", "revive", 1), ("set", "mask", "13"), ("hold", 2), ("lock", 2, "losing")])
def test_a_voice_may_rest_if_the_performer_wants_it(verb: tuple[Any, ...]) -> None:
    room = Room()
    room.do("add", losing_voice_2())
    room.do("prompt", "losing")
    room.do(*verb)
    room.do("start")
    room.play(round(20 * PAL.rate_hz))
    assert not any("prompted again" in notice.text for notice in room.core.state().notices)


def test_revival_can_be_turned_off() -> None:
    room = Room()
    room.do("add", replace(riff("dead"), frames=silence(2 * PERIOD)))
    room.do("prompt", "dead")
    room.do("set", "revive", 0)
    room.do("start")
    assert room.play(300)[-1, NOISE] == noise(1, 0, 2 * PERIOD + 299)
    assert room.core.state().quiet_s == pytest.approx(6, abs=0.1)


# -- take, window, notices


def test_the_take_is_what_the_chip_got(room: Room) -> None:
    room.do("mute", 1)
    heard = room.play(60)
    assert np.array_equal(room.core.performed()[0], heard)


def test_the_window_shows_what_was_heard_and_what_is_to_come(room: Room) -> None:
    heard = room.play(60)
    window = room.core.mirror.window(30, 20)
    assert (window.first, window.now) == (30, 30)
    assert np.array_equal(window.frames[:30], heard[30:])
    assert np.array_equal(window.frames[30:], room.play(20))


def test_volume_scales_on_the_way_out(room: Room) -> None:
    room.play(10)
    room.do("set", "volume", 5)
    assert room.play(1)[0, MODE_VOL] == 5
    assert room.engine.heard[-1][MODE_VOL] == 15


def test_refused_commands_change_nothing(room: Room) -> None:
    room.play(10)
    before = room.core.state()
    for verb, arguments in (
        ("set", ("temperature", 7)),
        ("set", ("tempo", 1)),
        ("prompt", ("nobody",)),
        ("lock", (4, "riff")),
        ("mute", ("5",)),
        ("set", ("mask", "9")),
    ):
        with pytest.raises(ControlError):
            room.do(verb, *arguments)
    assert room.core.state() == before


def test_history_lists_commands_with_their_times(room: Room) -> None:
    room.play(50)
    room.do("set", "temperature", 0.5)
    assert room.core.history()[-1].split() == ["1.00", "s", "set('temperature',", "0.5)"]


def test_a_fragment_for_another_chip_is_pointed_out() -> None:
    room = Room()
    room.do("add", riff("bright", chip="8580"))
    room.do("prompt", "bright")
    assert "8580" in room.core.state().notices[-1].text


def test_a_fragment_of_another_rate_is_resampled_with_a_notice() -> None:
    room = Room()
    quick = riff("quick")
    room.do("add", replace(quick, frames=np.repeat(quick.frames, 2, axis=0), rate_hz=2 * quick.rate_hz))
    assert "quick sets the chip 100.2 times a second; resampled to the video frame, 50.1" in (
        room.core.state().notices[-1].text
    )
    room.do("prompt", "quick", True)
    room.do("start")
    assert np.array_equal(room.play(PERIOD), riff().frames[:PERIOD])
    count = len(room.core.state().notices)
    room.do("add", riff("usual"))
    assert len(room.core.state().notices) == count


def test_oddities_and_silence_of_a_fragment_get_a_notice() -> None:
    room = Room()
    room.do("add", replace(riff("odd"), notes=("it starts with song 0 of 1: song 1 is played",)))
    room.do("add", replace(riff("quiet"), frames=silence(100)))
    said = [notice.text for notice in room.core.state().notices]
    assert said == [
        "odd: it starts with song 0 of 1: song 1 is played",
        "quiet is silent: its volume is 0 in all frames; try another start, song or length",
    ]


def test_of_several_sids_the_first_is_loaded_with_a_notice() -> None:
    room = Room()
    room.do("add", replace(riff("stereo"), sids=2))
    assert "stereo plays 2 SIDs; the first one's part is loaded" in room.core.state().notices[-1].text


def test_silence_is_a_prompt_like_any_other() -> None:
    room = Room()
    room.do("add", replace(riff("quiet"), frames=silence(1)))
    room.do("prompt", "quiet")
    room.do("start")
    assert len(room.play(10)) == 10
