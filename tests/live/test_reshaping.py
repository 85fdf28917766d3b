"""Edits of the music while it plays: what the model then hears, when, in which order, and how they are taken back."""

from pathlib import Path

import numpy as np
import pytest
from fake_composer import FakeComposer
from fake_engine import PERIOD, FakeEngine, riff

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies
from sidlive.chip.registers import Frames
from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.edits.edited_past import edited_past
from sidlive.live.script import Offline
from sidlive.live.session import VERBS, Session
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take
from sidlive.model.composer.events import PITCH, VOICE, Events
from sidlive.tune.edits import rotate_voices, swap_voices
from sidlive.tune.shaping.applying import apply_edits
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.moving import reverse
from sidlive.tune.shaping.past_edits import PastEdit

BEAT, BAR = 12, 48  # frames, of `riff`
GRID = BarGrid(BEAT, 4, 0.0)


class CountingEngine(FakeEngine):
    """An engine that counts how often it forgets the past, to hear another."""

    resets = 0

    def reset(self, pin: int = 0) -> None:
        super().reset(pin)
        self.resets += 1


class Stage:
    """An instrument in virtual time, with the riff playing."""

    def __init__(self, folder: Path | None = None, composer: FakeComposer | None = None) -> None:
        self.engine = CountingEngine()
        self.core = Core(Take(folder, {}))
        self.session = Session(Offline(self.core, self.engine, composer=composer))
        for name, fragment in (("riff", riff()), ("other", other())):
            assert self.session.add(fragment).name == name
        self.session.set("temperature", 0.0)  # without noise the fake engine repeats what it heard a period before
        self.session.set("ahead", 16)
        self.session.prompt("riff")
        self.session.start()

    def play(self, frames: int) -> Frames:
        before = self.core.take.length
        self.session.wait(f"{frames} frames")
        return self.core.take.frames(before)

    @property
    def notices(self) -> list[str]:
        return [notice.text for notice in self.session.state().notices]


class RecordingComposer(FakeComposer):
    """A composer that keeps the events of each past that it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.openings: list[list[list[int]]] = []

    def prefill(self, events: Events) -> None:
        self.openings.append(events.tolist())
        super().prefill(events)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def other() -> object:
    """Return a fragment whose first voice alone plays, a saw with a note every half bar."""
    from dataclasses import replace

    rows = sid.silence(2 * BAR)
    t = np.arange(len(rows))
    rows[:, sid.FREQ_HI] = 0x20
    rows[:, sid.CONTROL] = sid.SAW | np.where(t % 24 < 12, sid.GATE, 0)
    rows[:, sid.FIRST_CONTROL] = rows[:, sid.CONTROL]
    rows[:, sid.SR], rows[:, sid.MODE_VOL] = 0x82, 15
    return replace(riff("other"), frames=rows)


def of_riff(count: int, first: int = 0) -> Frames:
    """Return frames of the riff as it goes on without end, from frame ``first`` on, without the engine's noise."""
    frames = riff().frames[(first + np.arange(count)) % PERIOD].copy()
    frames[:, sid.PW_LO] = 0
    return frames


def same_notes(one: Frames, two: Frames) -> bool:
    """Return whether frames are the same but for the pulse width in which the fake engine has its noise."""
    columns = [c for c in range(sid.COLUMNS) if c % sid.VOICE_STRIDE not in (sid.PW_LO, sid.PW_HI) or c > 20]
    return np.array_equal(one[:, columns], two[:, columns])


def gates(frames: Frames) -> np.ndarray:
    return frames[:, [sid.register_of(voice, sid.CONTROL) for voice in range(3)]] & sid.GATE


# -- what the model hears


def test_the_music_goes_on_in_the_shape_of_the_edit_from_the_bar_line_on(stage: Stage) -> None:
    before = stage.play(BAR - 10)
    stage.session.rotate(1, at="bar")
    after = stage.play(10 + 2 * BAR)
    assert same_notes(np.concatenate([before, after])[:BAR], of_riff(BAR))
    assert same_notes(after[10:], rotate_voices(of_riff(2 * BAR), 1))


def test_the_model_hears_the_prompt_and_all_that_was_played_as_edited(stage: Stage) -> None:
    stage.play(30)
    stage.session.swap(1, 3)
    stage.play(1)
    heard = np.array(stage.engine.heard)[: 2 * PERIOD + 30]
    assert same_notes(heard, swap_voices(np.concatenate([riff().frames, of_riff(30)]), 0, 2))


def test_what_was_generated_under_an_edit_is_not_edited_by_it_again(stage: Stage) -> None:
    stage.session.octave(1, 1)
    stage.play(BAR)
    stage.session.set("transpose", 12)  # the past is heard anew
    after = stage.play(BAR)
    assert frequencies(after)[-1].tolist() == [4 * 0x1300, 2 * 0x1700, 2 * 0x1B00]


def test_an_edit_of_bars_keeps_to_the_bars_of_the_tape_wherever_it_begins(stage: Stage) -> None:
    stage.play(2 * BAR + 7)
    stage.session.reverse("bar")
    after = stage.play(2 * BAR)
    expected = reverse(np.concatenate([riff().frames, of_riff(2 * BAR + 7)]), GRID, "bar")
    heard = np.array(stage.engine.heard)[: 4 * BAR + 7]
    assert same_notes(heard, expected)
    pitches = frequencies(after)[BAR - 7 :: BEAT, 0] >> 8  # one in each beat of a bar
    assert pitches[1:4].tolist() == [0x12, 0x11, 0x10]  # of the first beat, a part had been played


def test_edits_stand_one_on_the_other(stage: Stage) -> None:
    stage.session.swap(1, 2)
    stage.session.octave(1, 1)  # of the voice that plays first now
    assert stage.session.edits() == ["swap(1, 2)", "octave(1, 1)"]
    after = stage.play(20)
    assert frequencies(after)[5].tolist() == [2 * 0x1400, 0x1000, 0x1800]


def test_an_edit_stays_through_another_prompt_and_a_prompt_that_is_played_first(stage: Stage) -> None:
    stage.session.rotate(2)
    stage.session.prompt("riff", play=True)
    assert same_notes(stage.play(3 * PERIOD)[-PERIOD:], rotate_voices(of_riff(PERIOD), 2))


def test_before_the_music_begins_an_edit_is_of_the_prompt() -> None:
    stage = Stage()
    stage.session.octave(2, -1)
    assert frequencies(stage.play(5))[4].tolist() == [0x1000, 0x0A00, 0x1800]


def test_a_composer_hears_the_edited_music_and_plans_on(stage: Stage) -> None:
    composer = RecordingComposer()
    composed = Stage(composer=composer)
    composed.play(BAR)
    composed.session.octave(1, 1, at="bar")
    played = composed.play(4 * BAR)
    assert not composed.notices
    heard = [[event[PITCH] for event in events if event[VOICE] == 0] for events in composer.openings]
    assert heard[1][:4] == [pitch + 12 for pitch in heard[0][:4]]
    assert gates(played).any(axis=0).all()


class EngineLosingAVoice(FakeEngine):
    """An engine in whose continuation voice 1 has no notes."""

    def step(self, *asked: object, **more: object) -> np.ndarray:
        row = super().step(*asked, **more)  # type: ignore[arg-type]
        row[[sid.CONTROL, sid.FIRST_CONTROL]] &= 0xFE
        return row


def test_a_voice_that_loses_its_notes_under_an_edit_gets_them_back_by_the_rests_of_the_edited_music() -> None:
    core = Core(Take(None, {}))
    session = Session(Offline(core, EngineLosingAVoice()))
    session.add(riff())
    session.octave(2, 1)
    session.prompt("riff")
    session.start()
    session.wait("450 frames")  # a rest of 8 s is always allowed
    assert any("voice 1 had lost its notes: prompted again" in notice.text for notice in session.state().notices)


# -- taking back


def test_an_exact_edit_is_taken_back_from_all_that_was_heard(stage: Stage) -> None:
    stage.session.rotate(1)
    stage.play(BAR)
    stage.session.unedit()
    assert same_notes(stage.play(BAR), of_riff(BAR))
    assert stage.session.edits() == []
    assert stage.notices == ["taken back: rotate(1)"]
    assert stage.session.get("rotate") == 0


def test_after_any_other_edit_the_music_goes_on_from_before_it_at_the_same_place_in_the_bar(stage: Stage) -> None:
    stage.play(BAR)
    stage.session.reverse("bar")
    stage.play(BAR + 5)
    stage.session.unedit()
    assert same_notes(stage.play(BAR), of_riff(BAR, 5))


def test_unedit_takes_the_latest_edit_back_and_with_all_every_one(stage: Stage) -> None:
    stage.session.rotate(1)
    stage.session.thin(0.5)
    stage.session.rotate(2)  # now the latest
    stage.session.unedit()
    assert stage.session.edits() == ["thin(0.5)"]
    stage.session.chop("1/4")
    stage.session.unedit(all=True)
    assert stage.session.edits() == []
    assert stage.notices == ["taken back: rotate(2)", "taken back: chop('1/4', 1), thin(0.5)"]
    with pytest.raises(ControlError, match="there is no edit to take back"):
        stage.session.unedit()


def test_edits_of_the_take_and_of_the_music_are_taken_back_in_the_order_in_which_they_were_made(stage: Stage) -> None:
    stage.play(2 * BAR)
    stage.session.reverse("bar")
    stage.play(5)
    stage.session.trim(0.2)
    stage.session.reverse("bar")
    stage.play(5)
    assert stage.session.edits() == ["reverse('bar')", "trim(0.2)", "reverse('bar')"]
    for left in (["reverse('bar')", "trim(0.2)"], ["reverse('bar')"], []):
        stage.session.unedit()
        assert stage.session.edits() == left


def test_an_edit_can_be_taken_back_at_a_bar_line(stage: Stage) -> None:
    stage.session.rotate(1)
    stage.play(BAR - 8)
    stage.session.unedit(at="bar")
    after = stage.play(8 + BAR)
    assert same_notes(after[:8], rotate_voices(of_riff(8, BAR - 8), 1))
    assert same_notes(after[8:], of_riff(BAR))


def test_a_knob_back_at_0_ends_its_edit(stage: Stage) -> None:
    stage.session.set("thin", 0.44)
    assert stage.session.edits() == ["thin(0.4)"]  # in tenths
    stage.session.set("thin", 0.04)
    assert stage.session.edits() == []


def test_a_moving_control_edits_as_it_moves(stage: Stage) -> None:
    stage.session.steps("octave3", [0, 1], "1 bar")
    heard = frequencies(stage.play(4 * BAR))[:, 2] >> 8
    assert [heard[bar * BAR + 5] for bar in range(4)] == [0x18, 0x30, 0x18, 0x30]


def test_an_edit_that_waits_can_be_taken_back_later_and_one_that_will_not_be_there_cannot(stage: Stage) -> None:
    stage.play(5)
    with pytest.raises(ControlError, match="there is no edit to take back"):
        stage.session.unedit(at="bar")
    stage.session.rotate(1, at="bar")
    stage.session.unedit(at="+2 bars")
    after = stage.play(4 * BAR - 5)
    assert same_notes(after[BAR - 5 :][:BAR], rotate_voices(of_riff(BAR), 1))
    assert same_notes(after[-BAR:], of_riff(BAR))


def test_a_pad_is_lit_while_its_edit_is_in_force(stage: Stage) -> None:
    stage.session.chop("1/8", 12)
    state = stage.session.state()
    lit = VERBS["chop"].lit
    assert lit is not None
    assert [lit(state), lit(state, "1/8"), lit(state, "1/8", 12), lit(state, "1/8", 1), lit(state, "1/4")] == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_an_edit_with_a_fragment_is_heard_once_and_not_anew_when_its_time_comes(stage: Stage) -> None:
    stage.play(5)
    stage.session.timbre(1, "other", at="bar")
    stage.play(BAR - 8)  # the frames after the bar line are generated
    resets = stage.engine.resets
    stage.play(BAR)
    assert stage.engine.resets == resets


# -- on the way to the chip


def test_a_movement_leaves_an_edit_where_it_is_and_a_hand_moves_it_to_where_the_switch_says(stage: Stage) -> None:
    stage.session.thin(0.6, heard=False)
    stage.session.ramp("thin", 0.2, over="1 bar")
    stage.play(BAR // 2)
    assert stage.session.edits() == ["thin(0.4, heard=False)"]
    stage.session.set("thin", 0.4)
    assert stage.session.edits() == ["thin(0.4)"]


def test_an_edit_that_the_model_does_not_hear_changes_only_what_the_chip_gets(stage: Stage) -> None:
    stage.play(20)
    stage.session.rotate(1, heard=False)
    stage.session.octave(1, 1, heard=False)
    after = stage.play(20)
    assert stage.session.edits() == ["rotate(1, heard=False)", "octave(1, 1, heard=False)"]
    expected = apply_edits(of_riff(20, 20), (PastEdit("octave", (1, 1)), PastEdit("rotate", (1,))), GRID)
    assert same_notes(after, expected)
    assert same_notes(np.array(stage.engine.heard)[2 * PERIOD :][:30], of_riff(30))
    stage.session.unedit(all=True)
    assert same_notes(stage.play(20), of_riff(20, 40))


def test_one_switch_says_where_knobs_and_verbs_edit(stage: Stage) -> None:
    stage.session.set("heard", 0)
    stage.session.set("octave1", 1)
    stage.session.echo(1, "1/8")
    stage.session.rotate(1, heard=True)
    assert stage.session.edits() == ["octave(1, 1, heard=False)", "echo(1, '1/8', heard=False)", "rotate(1)"]
    stage.session.octave(1, 1, heard=True)
    assert stage.session.edits() == ["echo(1, '1/8', heard=False)", "rotate(1)", "octave(1, 1)"]


def test_thinned_on_the_way_every_second_note_is_left_out_and_none_hangs(stage: Stage) -> None:
    stage.session.thin(0.5, heard=False)
    heard = gates(stage.play(2 * BAR))
    assert all(heard[beat * BEAT + 3].all() == (beat % 2 == 0) for beat in range(8))
    assert not heard[BEAT : 2 * BEAT].any()


def test_inverted_on_the_way_each_note_has_the_pitch_of_its_mirror_image(stage: Stage) -> None:
    stage.session.invert(1, heard=False)
    heard = frequencies(stage.play(BAR))[5::BEAT, 0]
    assert (np.diff(heard) < 0).all()


def test_an_echo_on_the_way_fills_rests_and_lets_notes_begin_anew() -> None:
    stage = Stage()
    stage.session.prompt("other")
    stage.play(1)
    stage.session.echo(1, "1/4", to=2, heard=False)
    heard = gates(stage.play(3 * BAR))
    assert heard[BAR:, 1].any()
    assert np.array_equal(heard[BAR + BEAT :, 1], heard[BAR:-BEAT, 0])


def test_edits_that_have_no_twin_on_the_way_are_always_heard(stage: Stage) -> None:
    stage.session.set("heard", 0)
    stage.session.reverse("bar")
    assert stage.session.edits() == ["reverse('bar')"]


# -- with other fragments


def test_timbre_and_rhythm_borrow_from_a_loaded_fragment(stage: Stage) -> None:
    stage.session.timbre(2, "other", 1)
    stage.session.rhythm(3, "other", 1)
    after = stage.play(2 * BAR)
    assert set((after[BAR:, sid.register_of(1, sid.CONTROL)] & 0xF0).tolist()) == {sid.SAW}
    assert np.flatnonzero(np.diff(gates(after)[BAR:, 2].astype(int)) > 0).tolist() == [23]
    assert stage.session.edits() == ["timbre(2, 'other', 1)", "rhythm(3, 'other', 1)"]


def test_a_fragment_of_ours_is_loaded_by_its_name(stage: Stage) -> None:
    stage.session.timbre(1, "gallop")
    assert "gallop" in stage.session.state().fragments


# -- mistakes


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("swap", (1, 1), "swap expects two voices, found 1 twice"),
        ("swap", (1, 4), "voices are 1, 2 and 3"),
        ("octave", (1, 9), "octave1 expects -3 to 3 octaves, found 9"),
        ("octave", ("all", 1), "expects one voice"),
        ("thin", (1.0,), "thin expects 0.0 to 0.9"),
        ("rotate", (0.5,), "rotate expects a whole number"),
        ("stretch", (3,), "stretch expects 0.5, double speed, or 2, half speed, found 3"),
        ("reverse", ("4",), 'expected a length, as "1/8"'),
        ("chop", ("1/4", -1), "chop expects a seed, a whole number from 0 on"),
        ("echo", (1, "soon"), "expected a length"),
        ("timbre", (1, "nobody"), "no fragment 'nobody'"),
        ("rhythm", (1, "other", 2), "rhythm: other has no notes in voice 2; name another of its voices"),
    ],
)
def test_a_mistake_is_one_clear_line_and_changes_nothing(
    stage: Stage, verb: str, arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises(ControlError) as error:
        getattr(stage.session, verb)(*arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert stage.session.edits() == []
    assert same_notes(stage.play(20), of_riff(20))


@pytest.mark.parametrize(("name", "value", "heard"), [("temperature", 1.0, False), ("thin", 0.5, "maybe")])
def test_only_controls_of_edits_can_be_unheard(stage: Stage, name: str, value: float, heard: object) -> None:
    with pytest.raises((ControlError, TypeError)):
        if name == "thin":
            stage.session.thin(value, heard=heard)  # type: ignore[arg-type]
        else:
            stage.core.command("set", name, value, heard)
    assert stage.session.edits() == []


def test_an_edit_that_turns_out_to_be_impossible_is_said_and_the_music_goes_on(stage: Stage) -> None:
    stage.session.chop("1/64")  # slices of less than a frame
    assert same_notes(stage.play(BAR), of_riff(BAR))
    assert any("chop('1/64', 1) changes nothing: chop expects slices of 4 frames or more" in n for n in stage.notices)


# -- replays


def test_a_log_with_timed_edits_and_knobs_gives_the_same_frames(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "take")
    stage.play(20)
    for moment in ("bar", "beat"):
        stage.session.chop("1/4", 3, at=moment)
        stage.session.ramp("thin", 0.5, over="2 bars", at=moment)
        stage.play(BAR)
        stage.session.octave(2, 1, heard=False, at="beat")
        stage.session.timbre(1, "other", at="+1 beat")
        stage.play(BAR)
        stage.session.unedit(at="bar")
        stage.play(BAR + 7)
    stage.session.close()
    log = read_take(tmp_path / "take")
    assert len(log.frames) > 6 * BAR
    assert np.array_equal(replay(log, FakeEngine())[: len(log.frames)], log.frames)


def test_in_a_log_older_than_edits_swing_is_the_plans_alone(tmp_path: Path) -> None:
    """Such a log has controls, but not the switch of edits."""
    controls = {"volume": 15, "compose": 0, "vary": 0.8, "temperature": 0.0}
    core = Core(Take(tmp_path / "take", {"seed": 1, "controls": controls}))
    for name, value in {**controls, "heard": 0}.items():
        core.command("set", name, value)
    core.take.restate(seed=1)
    session = Session(Offline(core, FakeEngine()))
    session.add(riff())
    session.prompt("riff")
    session.start()
    session.wait(0.5)
    session.swing(0.7)
    session.wait(1)
    session.close()
    log = read_take(tmp_path / "take")
    log.entries[:] = [entry for entry in log.entries if "heard" not in entry.get("arguments", [])]
    assert np.array_equal(replay(log, FakeEngine())[: len(log.frames)], log.frames)


# -- the past


def test_music_under_an_edit_that_cannot_be_taken_back_is_left_out_in_whole_bars() -> None:
    frames = np.zeros((300, sid.COLUMNS), dtype=np.uint8)
    frames[:, 0] = np.arange(300) % 256
    parts = [(frames[:200], ()), (70, ()), (frames[200:230], (PastEdit("reverse", ("bar",)),))]
    past = edited_past(parts, (), BarGrid(12, 4, 0.0), 1000, print)  # type: ignore[arg-type]
    assert len(past) == 200 - (144 - 100)  # three bars hold the 100 frames
    assert past[-1, 0] == 155
