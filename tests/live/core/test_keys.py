"""Voices played on a keyboard: heard at the next frame, in tune, in the plan, and the same in a replay."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_composer import FakeComposer
from fake_engine import FakeEngine, riff

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies, notes_of
from sidlive.errors import ControlError
from sidlive.live.core.core import Core
from sidlive.live.hands.keyboards import Keyboards, KeyChoice
from sidlive.live.script import Offline
from sidlive.live.session import Session
from sidlive.live.state import BY_CODE, PITCH, VOICE
from sidlive.live.takes.replay import replay
from sidlive.live.takes.take import Take, read_take
from sidlive.tune.score.extract import score_of

BEAT = 12  # frames, of the riff
VOICE_2 = 1
TUNING = score_of(riff().frames).tuning_cents / 100  # semitones


class Stubborn(FakeEngine):
    """An engine that follows no guide, as a real one sometimes does not."""

    def step(self, sampling: Any, forced: Any = None, forced_mask: Any = None, *others: Any) -> np.ndarray:
        return super().step(sampling, forced, forced_mask)


class Band:
    """An instrument in virtual time, with a keyboard."""

    def __init__(self, take: Path | None = None, composed: bool = True) -> None:
        self.core = Core(Take(take, {}))
        self.core.keyboards = self.keyboards = Keyboards(self.core)
        self.session = Session(Offline(self.core, Stubborn(), composer=FakeComposer() if composed else None))
        self.session.add(riff())
        self.session.add(riff("other", 120))
        self.session.prompt("riff")
        self.session.start()
        self.session.wait(1)
        self.now_s = 0.0

    def press(self, *notes: int) -> None:
        for note in notes:
            self.keyboards.hear("Keys", bytes([0x90, note, 100]), self.now_s)

    def release(self, *notes: int) -> None:
        for note in notes:
            self.keyboards.hear("Keys", bytes([0x80, note, 0]), self.now_s)

    def play(self, frames: int) -> None:
        self.now_s += frames / sid.PAL.rate_hz
        self.session.wait(frames / sid.PAL.rate_hz)

    @property
    def frames(self) -> np.ndarray:
        return self.core.take.frames()

    def pitches(self, start: int, stop: int) -> list[int]:
        """Return the MIDI notes that voice 2 played, at the riff's own tuning."""
        notes = notes_of(frequencies(self.frames[start:stop])[:, VOICE_2])
        return np.rint(notes - TUNING).astype(int).tolist()

    def gates(self, start: int, stop: int) -> list[int]:
        return (self.frames[start:stop, sid.register_of(VOICE_2, sid.CONTROL)] & sid.GATE).tolist()


@pytest.mark.parametrize("composed", [True, False])
def test_a_key_is_heard_in_the_next_frame_as_long_as_it_is_down(composed: bool) -> None:
    band = Band(composed=composed)
    band.session.keys(2)
    band.play(30)
    at = len(band.frames)
    assert not any(band.gates(at - 20, at)), "no key is down"
    for note in (60, 67, 60):
        begin = len(band.frames)
        band.press(note)
        band.play(9)
        end = len(band.frames)
        assert band.gates(begin, end) == [1] * 9 and band.pitches(begin, end) == [note] * 9
        band.release(note)
        band.play(5)
        assert band.gates(end, end + 5) == [0] * 5


def test_a_key_that_is_pressed_again_at_once_begins_a_new_note() -> None:
    band = Band()
    band.session.keys(2)
    band.press(60)
    band.play(6)
    band.release(60)
    band.press(60)
    begin = len(band.frames)
    band.play(4)
    row = band.frames[begin]
    control, first = row[sid.register_of(VOICE_2, sid.CONTROL)], row[sid.first_control_of(VOICE_2)]
    assert control & sid.GATE and not first & sid.GATE, "the gate closes and opens within the frame"


def test_keys_that_are_down_together_are_an_arpeggio_and_change_without_a_new_attack() -> None:
    band = Band()
    band.session.keys(2)
    band.play(20)
    begin = len(band.frames)
    band.press(60, 64, 67)
    band.play(9)
    assert band.pitches(begin, begin + 9) == [60, 64, 67] * 3
    band.release(60)
    band.play(8)
    assert sorted(set(band.pitches(begin + 9, begin + 17))) == [64, 67]
    assert band.pitches(begin + 9, begin + 17).count(64) == 4
    assert band.gates(begin, begin + 17) == [1] * 17
    firsts = band.frames[begin + 1 : begin + 17, sid.first_control_of(VOICE_2)]
    assert (firsts & sid.GATE).all(), "no attack"


def test_the_plan_shows_the_note_and_the_composer_hears_it() -> None:
    band = Band()
    band.session.keys(2)
    band.play(10)
    band.press(60, 64, 67)
    band.play(2)
    window = band.session.window(0, 0)
    mine = window.notes[(window.notes[:, VOICE] == VOICE_2) & (window.notes[:, BY_CODE] > 0)]
    assert mine[:, PITCH].tolist() == [60]
    composer = band.session._link._generator._composer  # type: ignore[attr-defined]
    heard = [event for event in composer.heard if event[1] == VOICE_2][-1]
    assert heard[4] == 60
    assert set(window.notes[:, VOICE]) == {0, 1, 2}, "the composer plays the others"


def test_with_a_step_notes_begin_on_the_grid_and_are_as_long_as_the_key_was_down() -> None:
    band = Band()
    band.session.keys(2, step="1/4")
    while len(band.frames) % BEAT != 5:
        band.play(1)
    line = (len(band.frames) // BEAT + 1) * BEAT
    band.press(60)
    band.play(3)
    band.release(60)
    band.play(2 * BEAT)
    gates = band.gates(line - 6, line + 10)
    assert gates == [0] * 6 + [1] * 3 + [0] * 7


def test_a_transposed_key_sounds_at_its_own_pitch() -> None:
    band = Band()
    band.session.transpose(5)
    band.session.keys(2)
    band.play(10)
    begin = len(band.frames)
    band.press(60)
    band.play(5)
    assert band.pitches(begin + 1, begin + 5) == [60] * 4


def test_another_fragments_instrument_can_be_played() -> None:
    band = Band()
    band.session.keys(2, fragment="other", instrument=[0])
    band.play(10)
    begin = len(band.frames)
    band.press(65)
    band.play(5)
    assert band.pitches(begin, begin + 5) == [65] * 5


def test_masked_and_held_voices_stay_as_they_are() -> None:
    band = Band()
    band.session.keys(2)
    band.session.mask(1, 3)
    band.press(60)
    band.play(10)
    assert not any(band.gates(len(band.frames) - 8, len(band.frames)))


def test_the_voice_is_the_composers_again_when_keys_end() -> None:
    band = Band()
    band.session.keys(2)
    band.press(60)
    band.play(10)
    assert band.session.state().voices[VOICE_2].mode == "keys"
    band.session.keys(None)
    band.play(20)
    assert band.session.state().voices[VOICE_2].mode == "generated"
    band.press(60)
    begin = len(band.frames)
    band.play(5)
    assert band.pitches(begin, begin + 5) != [60] * 5


@pytest.mark.parametrize("seed", range(3))
def test_a_performance_with_keys_happens_again(seed: int, tmp_path: Path) -> None:
    band, chance = Band(tmp_path / "take"), random.Random(seed)
    session = band.session
    session.keys(2, step=chance.choice([None, "1/16"]))
    acts = [
        lambda: band.press(*chance.sample([48, 55, 60, 64], chance.randrange(1, 4))),
        lambda: band.release(48, 55),
        lambda: band.release(60, 64),
        lambda: session.density(chance.choice([0.5, 2.0])),
        lambda: session.transpose(chance.choice([0, 3])),
        lambda: session.keys(2),
        lambda: session.keys("off"),
        lambda: session.keys(1, fragment="other"),
        lambda: session.prompt(chance.choice(["riff", "other"])),
        lambda: session.score("C3 E3", 3),
        session.panic,
        session.start,
        session.start,
    ]
    for _ in range(60):
        chance.choice(acts)()
        band.play(chance.randrange(6))
    session.start()
    band.play(60)
    session.close()
    log = read_take(tmp_path / "take")
    assert len(log.frames) > 150
    np.testing.assert_array_equal(replay(log, Stubborn(), composer=FakeComposer()), log.frames)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda session: session.keys(4), "voices are 1, 2 and 3"),
        (lambda session: session.keys(2, port=3), "keys expects a port's name or part of it, found 3"),
        (lambda session: session.keys(2, channel=17), "keys expects a channel, 1 to 16, found 17"),
        (lambda session: session.keys(2, instrument=-1), "keys expects instruments from 0 on, found -1"),
        (lambda session: session.keys(2, step=7), "keys expects a part of a whole note as its step"),
        (lambda session: session.keys(2, fragment="rif"), "did you mean riff"),
    ],
)
def test_a_slip_is_one_line(call: Any, words: str) -> None:
    with pytest.raises(ControlError) as refused:
        call(Band().session)
    assert words in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("midi", ["no MIDI controller", "MIDI is off", "whatever says so"])
def test_without_any_keyboard_the_performer_is_told_that_the_voice_rests(midi: str) -> None:
    band = Band()
    band.core.midi = midi
    band.session.keys(2)
    assert band.core.state().notices[-1].text == f"keys: {midi}: voice 2 rests until a keyboard is there"


def test_a_port_that_is_not_there_is_a_notice_and_its_keys_play_once_it_is() -> None:
    band = Band()
    band.core.midi, band.core.midi_ports = "Launchpad", ("Launchpad",)
    band.session.keys(2, port="launch")
    assert not any("no MIDI port" in notice.text for notice in band.core.state().notices)
    band.session.keys(2, port="Keys")
    text = band.core.state().notices[-1].text
    assert text == "keys: no MIDI port 'Keys' is open now (Launchpad); its keys play once it is"
    begin = len(band.frames)
    band.press(60)
    band.play(5)
    assert band.pitches(begin, begin + 5) == [60] * 5


def test_without_midi_it_is_a_notice() -> None:
    session = Session(Offline(core := Core(Take(None, {})), FakeEngine()))
    session.keys(2)
    assert core.state().notices[-1].text == "keys(): there is no MIDI here"


def test_a_choice_of_keys_crosses_the_pipe() -> None:
    import pickle

    choice = KeyChoice(2, "Keystep", 3, (1, 2), 0.25)
    assert pickle.loads(pickle.dumps(choice)) == choice


@pytest.mark.parametrize("down", [1, 2, 3, 9])
def test_a_key_is_heard_even_if_generation_was_late(down: int) -> None:
    """The chip takes two frames of the old future, in which the key is not heard, before there is a new one."""
    band = Band()
    band.session.keys(2)
    band.play(30)
    band.press(60)
    begin = len(band.frames)
    for number in range(2):
        if number == down:
            band.release(60)
        band.core.next_frame()
    if down >= 2:
        band.play(down - 2)
        band.release(60)
    band.play(12)
    gates = band.gates(begin, begin + 14)
    first = gates.index(1)
    length = gates[first:].index(0)
    assert first <= 3 and 3 <= length <= max(3, down) and sum(gates) == length
    assert band.pitches(begin + first, begin + first + length) == [60] * length
    band.play(40)
    assert sum(band.gates(begin, len(band.frames))) == length, "it is not heard again"


def test_a_key_that_is_down_sounds_on_in_another_prompt_and_a_released_one_does_not() -> None:
    for down in (True, False):
        band = Band()
        band.session.keys(2)
        band.press(60)
        band.play(5)
        if not down:
            band.release(60)
            band.play(2)
        band.session.prompt("other")
        band.play(30)
        assert any(band.gates(len(band.frames) - 20, len(band.frames))) == down
