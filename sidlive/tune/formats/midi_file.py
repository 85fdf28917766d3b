"""Write a take as a standard MIDI file: a track for each voice, drums on their own, pitch bends, a map of the tempo.

The first track has the tempo and the bars. Voices 1 to 3 are on channels 1 to 3, with a text wherever the instrument
changes; drums of all voices are on channel 10, by pitch from the bass drum to the hi-hat. An arpeggio is written as the
chord that it is. The notes of other voices follow the frequency registers with pitch bends, over BEND_RANGE semitones.
Positions are in beats of the take's beat. The tempo changes wherever the speed did, so the file lasts as long as the
take was heard. Loops are two markers.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from sidlive.chip.pitch import frequencies
from sidlive.chip.registers import CONTROL, VOICES, register_of
from sidlive.tune.beat import UNKNOWN
from sidlive.tune.cutting import EVEN, Cut
from sidlive.tune.score import melody
from sidlive.tune.score.extract import score_of, sounds_tone
from sidlive.tune.score.notes import SINGLE, UNPITCHED, Score
from sidlive.writing import WholeFile

if TYPE_CHECKING:
    from mido import MidiFile

TICKS: Final = 480  # in a beat
BEND_RANGE: Final = 24  # semitones up and down
BEND_STEP: Final = 4  # smallest change of a bend that is written, in units of BEND_RANGE / 8192 semitones: 1.2 cents
DRUM_CHANNEL: Final = 9  # channel 10, counted from 0
DRUMS: Final = (36, 38, 42, 46, 41, 45, 48, 39, 49)  # of General MIDI: bass drum, snare, hi-hats, toms, clap, crash
LOUD: Final = 100  # velocity of an instrument at its loudest
_MIDDLE: Final = 8192  # bends in one direction
_HIGHEST: Final = 127  # note, velocity

# What happens at a tick, in this order: notes end, then the pitch changes, then notes begin.
_END, _CHANGE, _BEGIN = range(3)
Timed = tuple[int, int, Any]  # tick, one of these, mido message


def write_midi(path: Path, cut: Cut, title: str) -> int:
    """Write an edited take to a .mid file, whole or not at all; return its number of notes. Raises DeviceError."""
    score = score_of(cut.frames)
    file = midi_of(cut, score, title)
    with WholeFile(path) as out:
        file.save(file=out)
    return len(score)


def midi_of(cut: Cut, score: Score, title: str = "") -> "MidiFile":
    """Return the MIDI file of a take and its score."""
    from mido import MidiFile

    file = MidiFile(type=1, ticks_per_beat=TICKS)
    file.tracks.append(_track(title, _conductor(cut)))
    for voice in range(VOICES):
        file.tracks.append(_track(f"voice {voice + 1}", _voice(cut, score, voice)))
    file.tracks.append(_track("drums", _drums(cut, score)))
    return file


def tick_of(cut: Cut, frame: float) -> int:
    """Return the tick at which a frame begins."""
    return round(frame * TICKS / (cut.beat or UNKNOWN).frames)


def _track(name: str, events: list[Timed]) -> Any:
    """Return a track whose messages have the time since the message before."""
    from mido import MetaMessage, MidiTrack

    track, now = MidiTrack([MetaMessage("track_name", name=name.encode("latin-1", "replace").decode("latin-1"))]), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def _conductor(cut: Cut) -> list[Timed]:
    """Return the bars, the tempo wherever it changes, and the markers of a loop."""
    from mido import MetaMessage

    beat = cut.beat or UNKNOWN
    events: list[Timed] = [(0, _CHANGE, MetaMessage("time_signature", numerator=beat.bar, denominator=4))]
    speeds = np.ones(max(1, len(cut.frames))) if cut.speeds is None or not len(cut.speeds) else cut.speeds
    last = 0.0
    for frame, speed in enumerate(speeds.tolist()):
        if abs(speed - last) > EVEN / 50 * speed:  # so the sum over all frames stays exact
            last = speed
            tempo = min(round(1e6 * beat.frames / (cut.video_hz * speed)), (1 << 24) - 1)
            events.append((tick_of(cut, frame), _CHANGE, MetaMessage("set_tempo", tempo=tempo)))
    if cut.loop_frame is not None:
        for text, frame in (("loopStart", cut.loop_frame), ("loopEnd", len(cut.frames))):
            events.append((tick_of(cut, frame), _CHANGE, MetaMessage("marker", text=text)))
    return events


def _voice(cut: Cut, score: Score, voice: int) -> list[Timed]:
    """Return the notes and bends of a voice."""
    from mido import Message, MetaMessage

    events = _bend_range(voice)
    loudest = _loudest(score)
    numbers, sounds = _numbers(cut, score, voice)
    bend, named = 0, -1
    for note in score.of_voice(voice):
        if score.has(UNPITCHED)[note]:
            continue
        onset, length = int(score.onset[note]), max(1, int(score.length[note]))
        begin, end = tick_of(cut, onset), tick_of(cut, onset + length)
        pitch, chord = int(score.pitch[note]), score.chords[score.chord[note]]
        if score.instrument[note] != named:
            named = int(score.instrument[note])
            events.append((begin, _CHANGE, MetaMessage("text", text=f"instrument {named}")))
        for frame in range(onset, onset + length):
            wanted = 0
            if chord == SINGLE:
                wanted = _bend(numbers[frame] - pitch) if sounds[frame] else bend
            if abs(wanted - bend) >= BEND_STEP or (frame == onset and wanted != bend):
                bend = wanted
                events.append((tick_of(cut, frame), _CHANGE, Message("pitchwheel", channel=voice, pitch=bend)))
        velocity = _velocity(score, int(note), loudest)
        for tone in chord:
            events += _note(voice, pitch + tone, velocity, begin, end)
    return events


def _drums(cut: Cut, score: Score) -> list[Timed]:
    """Return the drums of all voices. The instruments take DRUMS in turn, lowest pitch first."""
    drums = np.flatnonzero(score.has(UNPITCHED))
    instruments = sorted(
        set(score.instrument[drums].tolist()),
        key=lambda number: float(np.median(score.pitch[drums][score.instrument[drums] == number])),
    )
    loudest, events = _loudest(score), []
    for note in drums:
        key = DRUMS[min(instruments.index(score.instrument[note]), len(DRUMS) - 1)]
        onset = int(score.onset[note])
        end = onset + max(1, int(score.length[note]))
        events += _note(DRUM_CHANNEL, key, _velocity(score, int(note), loudest), tick_of(cut, onset), tick_of(cut, end))
    return events


def _note(channel: int, key: int, velocity: int, begin: int, end: int) -> list[Timed]:
    from mido import Message

    if not 0 <= key <= _HIGHEST:
        return []
    return [
        (begin, _BEGIN, Message("note_on", channel=channel, note=key, velocity=velocity)),
        (max(end, begin + 1), _END, Message("note_off", channel=channel, note=key, velocity=0)),
    ]


def _bend_range(channel: int) -> list[Timed]:
    """Return the messages that set the range of bends (registered parameter 0)."""
    from mido import Message

    values = ((101, 0), (100, 0), (6, BEND_RANGE), (38, 0))
    return [
        (0, _END, Message("control_change", channel=channel, control=control, value=value)) for control, value in values
    ]


def _numbers(cut: Cut, score: Score, voice: int) -> tuple[Any, Any]:
    """Return a voice's pitch in each frame, as a MIDI note with a fraction, and whether it has one."""
    frequency = frequencies(cut.frames)[:, voice]
    control = cut.frames[:, register_of(voice, CONTROL)]
    return melody.numbers_of(frequency, score.tuning_cents), sounds_tone(control, frequency)


def _bend(semitones: float) -> int:
    return int(np.clip(round(float(semitones) * _MIDDLE / BEND_RANGE), -_MIDDLE, _MIDDLE - 1))


def _loudest(score: Score) -> dict[int, int]:
    """Return the highest sustain level of each instrument."""
    return {number: int(score.level[score.instrument == number].max()) for number in set(score.instrument.tolist())}


def _velocity(score: Score, note: int, loudest: dict[int, int]) -> int:
    """Return a note's velocity: LOUD, less if the instrument plays other notes louder."""
    most = loudest[int(score.instrument[note])]
    return max(1, round(LOUD * int(score.level[note]) / most)) if most else LOUD
