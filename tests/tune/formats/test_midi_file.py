"""A take as a MIDI file, read back by mido."""

from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest

from sidlive.chip.pitch import frequency_of
from sidlive.chip.registers import PAL, Frames, first_control_of, silence
from sidlive.tune.beat import Beat
from sidlive.tune.cutting import Cut
from sidlive.tune.formats.midi_file import BEND_RANGE, TICKS, write_midi

SAW, NOISE, GATE = 0x20, 0x80, 0x01
BEAT = 24  # frames


def sing(frames: Frames, voice: int, start: int, stop: int, pitch: float, wave: int = SAW, sustain: int = 15) -> None:
    """Play a note from frame ``start``; its gate closes in frame ``stop``."""
    at = 7 * voice
    for index in range(start, stop + 1):
        frequency = frequency_of(pitch)
        control = wave | (GATE if index < stop else 0)
        frames[index, at : at + 7] = frequency & 0xFF, frequency >> 8, 0, 8, control, 0x00, sustain << 4
        frames[index, first_control_of(voice)] = control


def tune() -> Frames:
    """Return two bars: quarters on voice 1, a bend on voice 2, drums on voice 3."""
    frames = silence(8 * BEAT)
    frames[:, 24] = 0x0F
    for beat in range(8):
        start = beat * BEAT
        sing(frames, 0, start, start + BEAT // 2, 60 + beat)
        for index in range(4):
            pitch = 96 - 12 * index  # a drum falls, always in the same way
            sing(frames, 2, start + index, start + index + 1, pitch, NOISE if index % 2 else SAW)
            frames[start + index, [18, first_control_of(2)]] |= GATE
        frames[start + 4, [18, first_control_of(2)]] = SAW
    sing(frames, 1, 0, 4 * BEAT, 69)
    for index in range(2 * BEAT, 4 * BEAT + 1):  # half a semitone up, from the third beat on
        frequency = frequency_of(69.5)
        frames[index, 7:9] = frequency & 0xFF, frequency >> 8
    sing(frames, 1, 6 * BEAT, 7 * BEAT, 69)
    return frames


def written(tmp_path: Path, cut: Cut) -> mido.MidiFile:
    write_midi(tmp_path / "take.mid", cut, "Take é")
    return mido.MidiFile(tmp_path / "take.mid")


def events(track: Any) -> list[tuple[int, Any]]:
    now, found = 0, []
    for message in track:
        now += message.time
        found.append((now, message))
    return found


def notes(track: Any) -> list[tuple[int, int, int]]:
    """Return (tick, length in ticks, note) of each note."""
    begun, found = {}, []
    for tick, message in events(track):
        if message.type == "note_on":
            assert message.note not in begun, "a note begins while it sounds"
            begun[message.note] = tick
        elif message.type == "note_off":
            start = begun.pop(message.note)
            found.append((start, tick - start, message.note))
    assert not begun, "each note ends"
    return sorted(found)


def test_each_voice_has_a_track_with_its_notes_at_their_beats(tmp_path: Path) -> None:
    file = written(tmp_path, Cut(tune(), PAL.rate_hz, Beat(BEAT)))
    assert file.ticks_per_beat == TICKS and file.type == 1
    assert [track.name for track in file.tracks] == ["Take é", "voice 1", "voice 2", "voice 3", "drums"]
    assert notes(file.tracks[1]) == [(beat * TICKS, TICKS // 2, 60 + beat) for beat in range(8)]
    channels = {message.channel for message in file.tracks[1] if not message.is_meta}
    assert channels == {0}


def test_drums_of_all_voices_are_on_channel_10(tmp_path: Path) -> None:
    file = written(tmp_path, Cut(tune(), PAL.rate_hz, Beat(BEAT)))
    assert not notes(file.tracks[3])
    drums = notes(file.tracks[4])
    assert [tick for tick, _, _ in drums] == [beat * TICKS for beat in range(8)]
    assert {note for _, _, note in drums} == {36}, "one kind of drum: the bass drum"
    assert {message.channel for message in file.tracks[4] if not message.is_meta} == {9}


def test_a_bend_follows_the_frequency(tmp_path: Path) -> None:
    file = written(tmp_path, Cut(tune(), PAL.rate_hz, Beat(BEAT)))
    controls = [(m.control, m.value) for m in file.tracks[2] if m.type == "control_change"]
    assert controls == [(101, 0), (100, 0), (6, BEND_RANGE), (38, 0)], "the range of bends: registered parameter 0"
    heard: list[tuple[int, float]] = []  # tick and pitch whenever that changes
    bend, note = 0.0, None
    for tick, message in events(file.tracks[2]):
        if message.type == "pitchwheel":
            bend = message.pitch * BEND_RANGE / 8192
        elif message.type == "note_on":
            note = message.note
        if note is not None and message.type in ("pitchwheel", "note_on"):
            heard.append((tick, note + bend))
    expected = [(0, 69.0), (2 * TICKS, 69.5), (6 * TICKS, 69.0)]
    for tick, pitch in expected:
        nearest = [found for at, found in heard if at <= tick][-1]
        assert nearest == pytest.approx(pitch, abs=0.02)
    assert len(heard) <= 6, "a steady pitch needs no further messages"


def test_an_arpeggio_is_written_as_its_chord(tmp_path: Path) -> None:
    frames = silence(4 * BEAT)
    frames[:, 24] = 0x0F
    for beat in (0, 2):
        sing(frames, 0, beat * BEAT, beat * BEAT + BEAT, 60)
        for index in range(beat * BEAT, beat * BEAT + BEAT):
            frequency = frequency_of(60 + (0, 4, 7)[index % 3])
            frames[index, 0:2] = frequency & 0xFF, frequency >> 8
    file = written(tmp_path, Cut(frames, PAL.rate_hz, Beat(BEAT)))
    assert notes(file.tracks[1]) == [(tick, TICKS, note) for tick in (0, 2 * TICKS) for note in (60, 64, 67)]
    assert not any(message.type == "pitchwheel" and message.pitch for message in file.tracks[1])


def test_softer_notes_have_a_lower_velocity(tmp_path: Path) -> None:
    frames = silence(4 * BEAT)
    frames[:, 24] = 0x0F
    for beat, sustain in enumerate((15, 6, 15, 6)):
        sing(frames, 0, beat * BEAT, beat * BEAT + 12, 60, sustain=sustain)
    file = written(tmp_path, Cut(frames, PAL.rate_hz, Beat(BEAT)))
    assert [message.velocity for message in file.tracks[1] if message.type == "note_on"] == [100, 40, 100, 40]


def test_the_file_lasts_as_long_as_the_take_whatever_its_tempo_was(tmp_path: Path) -> None:
    frames = tune()
    speeds = np.linspace(0.8, 1.2, len(frames))
    sing(frames, 0, len(frames) - 12, len(frames) - 1, 72)
    for cut in (Cut(frames, PAL.rate_hz, Beat(BEAT)), Cut(frames, PAL.rate_hz, Beat(BEAT), speeds=speeds)):
        file = written(tmp_path, cut)
        assert file.length == pytest.approx((len(frames) - 1) / cut.rate_hz, rel=0.01)
    tempi = [m.tempo for m in file.tracks[0] if m.type == "set_tempo"]
    assert len(tempi) > 20 and tempi == sorted(tempi, reverse=True)


def test_the_first_tempo_and_the_bar_are_those_of_the_beat(tmp_path: Path) -> None:
    file = written(tmp_path, Cut(tune(), PAL.rate_hz, Beat(BEAT, bar=3)))
    tempo = next(message.tempo for message in file.tracks[0] if message.type == "set_tempo")
    assert mido.tempo2bpm(tempo) == pytest.approx(60 * PAL.rate_hz / BEAT, abs=0.01)
    signature = next(message for message in file.tracks[0] if message.type == "time_signature")
    assert (signature.numerator, signature.denominator) == (3, 4)


def test_a_loop_is_marked(tmp_path: Path) -> None:
    file = written(tmp_path, Cut(tune(), PAL.rate_hz, Beat(BEAT), loop_frame=4 * BEAT))
    markers = [(tick, message.text) for tick, message in events(file.tracks[0]) if message.type == "marker"]
    assert markers == [(4 * TICKS, "loopStart"), (8 * TICKS, "loopEnd")]


def test_a_take_without_notes_is_a_file_without_notes(tmp_path: Path) -> None:
    file = written(tmp_path, Cut(silence(10), PAL.rate_hz))
    assert all(not notes(track) for track in file.tracks)
