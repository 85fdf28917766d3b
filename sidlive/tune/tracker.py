"""A tracker: instruments, patterns and an order for each voice, played to frames like a player routine on the C64.

Music is written as text, one word for each row:

    e2      a note (also ``c#4``, ``eb4``) of the instrument named last
    e4:037  a note with a chord: these semitones (hexadecimal) above it, one after the other
    ~g4     slide to this note, without a new attack
    .       nothing new        -   close the gate        |   a bar line, which is ignored
    @bass   use the instrument of this name from here on

An order is a list of pattern names, each with a transposition in semitones: ``"verse verse+5 verse-2"``. ``Song.rows``
are the play calls of a row, taken in turn: (6,) is even, (7, 5) swings. The player routine is called once a video frame
of the song's standard, or ``Song.calls`` times. Some calls before a note it closes the gate and clears the envelope
(hard restart), so that the next attack starts at once in any state of the envelope. Then it steps through the
instrument's wave table, one step a call.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, cycle, islice
from typing import Final, NamedTuple

import numpy as np

from sidlive.chip.pitch import ACCIDENTALS, HIGHEST, LETTERS, SEMITONE, frequency_of, ratio
from sidlive.chip.registers import (
    CUTOFF_HI,
    CUTOFF_LO,
    GATE,
    MODE_VOL,
    PAL,
    RES_ROUTE,
    VOICE_STRIDE,
    VOICES,
    Frames,
    VideoTiming,
    first_control_of,
    register_of,
    silence,
)
from sidlive.errors import TuneError
from sidlive.tune.edits import resample

C0: Final = 12  # MIDI note number of c0
OCTAVES: Final = 8
FALL_FLOOR: Final = 0x0180  # frequency at which a falling drum stops
CUTOFF_MOST: Final = 2047


@cache
def pitches(timing: VideoTiming) -> tuple[int, ...]:
    """Return the values of the frequency register for c0, c#0, ... on a machine of this video standard."""
    return tuple(frequency_of(C0 + note, timing) for note in range(12 * OCTAVES))


class Step(NamedTuple):
    """Step of a wave table, played for one call."""

    control: int  # control register; its gate bit is used while the note's gate is open
    pitch: int | str = 0  # semitones above the note (and its chord), or a fixed note: "c5"
    first: int | None = None  # first control value, written earlier in the same call; None: ``control``


class Bounce(NamedTuple):
    """Pulse width, 0 to 4095, that moves by ``step`` each call between ``low`` and ``high``."""

    start: int
    step: int = 0
    low: int = 0x100
    high: int = 0xF00
    delay: int = 0  # calls after a note's start before it moves


class Vibrato(NamedTuple):
    """Vibrato: after ``delay`` calls, ``half`` calls up and ``half`` down, each by 1 / ``part`` of a semitone."""

    delay: int
    part: int
    half: int


@dataclass(frozen=True)
class Sweep:
    """Filter program: cutoff from ``start``, 0 to 2047 (None: as it is), then legs of (calls, step per call)."""

    start: int | None
    legs: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Instrument:
    """Sound of a voice: envelope, wave table and movements. Times are play calls."""

    ad: int
    sr: int
    wave: tuple[Step, ...]
    loop: int | None = None  # step that follows the last one; None: the last step stays
    gate: int = 0  # calls until the gate closes; 0: it closes at a ``-`` or before the next note
    restart: int = 2  # calls before each note with the gate closed and the envelope 0 (hard restart); 0: none
    pulse: Bounce | None = None
    pulse_runs: bool = False  # whether a new note leaves the pulse width as it is
    vibrato: Vibrato | None = None
    glide: int = 0x40  # change of the frequency register per call in a slide
    fall: int = 0  # decrease of the frequency register per call after the wave table
    tone: int = 1  # calls of each tone of a chord
    filtered: bool = False
    sweep: Sweep | None = None


@dataclass(frozen=True)
class Song:
    """Song: instruments, patterns, an order for each voice, and settings for all voices."""

    title: str
    style: str  # one line, for lists of fragments
    instruments: Mapping[str, Instrument]
    patterns: Mapping[str, str]
    orders: tuple[str, str, str]
    rows: tuple[int, ...] = (6,)  # play calls of a row, in turn
    beat: int = 4  # rows of a beat
    bar: int = 4  # beats of a bar
    calls: int = 1  # play calls of a video frame
    timing: VideoTiming = PAL
    chip: str = "6581"
    mode: int = 0x10  # filter mode, bits 4-6 of $D418
    resonance: int = 0  # 0 to 15
    sweep: Sweep = Sweep(1024)

    @property
    def beat_frames(self) -> float:
        """Video frames of the first beat; other beats may differ if ``rows`` do not divide it evenly."""
        return sum(islice(cycle(self.rows), self.beat)) / self.calls


@dataclass(frozen=True)
class Note:
    """Event of a row: a note of ``pitch`` semitones above c0, or a closing gate (``pitch`` is None)."""

    call: int  # the play call at which it begins
    pitch: int | None
    instrument: Instrument
    chord: tuple[int, ...] = (0,)
    slides: bool = False


def play(song: Song) -> Frames:
    """Play a song to frames uint8[T, 28] at the rate of its video standard, as long as its longest order.

    Of several play calls in a video frame the frame keeps what `resample` keeps. Raises TuneError if the song's text
    cannot be read.
    """
    parts = [notes_of(song, voice) for voice in range(VOICES)]
    length = max(end for _, end in parts)
    frames = silence(length)
    routes = np.zeros(length, dtype=np.uint8)
    sweeps = {0: song.sweep}
    for voice, (notes, _) in enumerate(parts):
        columns = slice(register_of(voice, 0), register_of(voice, 0) + VOICE_STRIDE)
        at, closing = {note.call: note for note in notes}, _restarts(notes, length)
        player = Voice(pitches(song.timing))
        for t in range(length):
            frames[t, columns], frames[t, first_control_of(voice)] = player.call(at.get(t), t in closing)
        for note in notes:
            if note.pitch is not None and not note.slides:
                bit = 1 << voice
                routes[note.call :] = routes[note.call :] & (7 ^ bit) | (bit if note.instrument.filtered else 0)
                if note.instrument.sweep:
                    sweeps[note.call] = note.instrument.sweep
    cutoffs = _cutoffs(length, sweeps)
    frames[:, CUTOFF_LO], frames[:, CUTOFF_HI] = cutoffs & 7, cutoffs >> 3
    frames[:, RES_ROUTE] = song.resonance << 4 | routes
    frames[:, MODE_VOL] = song.mode | 15
    return resample(frames, song.calls)


def notes_of(song: Song, voice: int) -> tuple[list[Note], int]:
    """Return the notes of a voice (0 to 2) and the call after its last row. Raises TuneError that names a bad word."""
    words = [word for entry in song.orders[voice].split() for word in _pattern(song, entry)]
    count = sum(not word[0].startswith("@") for word in words)
    starts = list(accumulate(islice(cycle(song.rows), count), initial=0))
    notes: list[Note] = []
    instrument: Instrument | None = None
    row = 0
    for word, shift in words:
        if word.startswith("@"):
            instrument = song.instruments.get(word[1:])
            if instrument is None:
                raise TuneError(f"{song.title}: no instrument {word[1:]!r}; there are {', '.join(song.instruments)}")
            continue
        if word != ".":
            if instrument is None:
                raise TuneError(f"{song.title}: {word!r} has no instrument; expected a word like @bass before it")
            name, _, chord = word.removeprefix("~").partition(":")
            pitch = None if word == "-" else pitch_of(name) + shift
            if pitch is not None and not 0 <= pitch < 12 * OCTAVES:
                raise TuneError(f"{song.title}: {name}{shift:+d} is out of range; expected c0 to b{OCTAVES - 1}")
            above = tuple(int(digit, 16) for digit in chord) or (0,)
            notes.append(Note(starts[row], pitch, instrument, above, word.startswith("~")))
        row += 1
    return notes, starts[-1]


def pitch_of(name: str) -> int:
    """Return the semitones above c0 of a note like ``c#4``. Raises TuneError if ``name`` is no note."""
    letter, accidental, octave = name[:1], name[1:-1], name[-1:]
    if (
        letter.upper() not in LETTERS
        or accidental not in ACCIDENTALS
        or not octave.isdecimal()
        or int(octave) >= OCTAVES
    ):
        raise TuneError(f"{name!r} is no note; expected one like e2, c#4 or eb4, up to octave {OCTAVES - 1}")
    return 12 * int(octave) + LETTERS[letter.upper()] + ACCIDENTALS[accidental]


def _pattern(song: Song, entry: str) -> list[tuple[str, int]]:
    """Return the words of the pattern in an order's ``entry``, each with its transposition in semitones."""
    at = next((i for i, letter in enumerate(entry) if letter in "+-"), len(entry))
    name, shift = entry[:at], entry[at:] or "+0"
    if name not in song.patterns:
        raise TuneError(f"{song.title}: no pattern {name!r}; there are {', '.join(song.patterns)}")
    if not shift[1:].isdecimal():
        raise TuneError(f"{song.title}: {entry!r} has no transposition; expected a number like {name}+5 or {name}-2")
    return [(word, int(shift)) for word in song.patterns[name].split() if word != "|"]


class Voice:
    """State of one voice of the player routine from call to call. ``table``: the pitches of the machine."""

    def __init__(self, table: tuple[int, ...]) -> None:
        self._table = table
        self._note: Note | None = None  # the note that sounds
        self._age = 0  # calls since it began
        self._open = False  # whether the gate is open
        self._envelope = 0, 0  # attack and decay, sustain and release
        self._base = self._target = 0  # frequency without chord and vibrato, and the target of a slide
        self._frequency = self._sway = 0  # frequency without vibrato, and the vibrato's offset
        self._width, self._way = 0, 1  # pulse width, and the direction in which it moves

    def call(self, event: Note | None, restarts: bool) -> tuple[list[int], int]:
        """Return the voice's seven registers after the next call, and its first control value.

        ``event``: the row's note that begins now; ``restarts``: whether the next note's hard restart covers this call.
        """
        if event is not None:
            self._begin(event)
        if self._note is None:
            return [0] * VOICE_STRIDE, 0
        sound = self._note.instrument
        if sound.gate and self._age >= sound.gate:
            self._open = False
        if restarts:
            self._open, self._envelope = False, (0, 0)
        step = _step(sound, self._age)
        self._move(self._note, step)
        control = step.control if self._open else step.control & ~GATE
        heard = min(max(self._frequency + self._sway, 0), HIGHEST)
        self._age += 1
        registers = [heard & 255, heard >> 8, self._width & 255, self._width >> 8, control, *self._envelope]
        return registers, control if step.first is None else step.first

    def _begin(self, event: Note) -> None:
        """Start the event of a row."""
        if event.pitch is None:
            self._open = False
        elif event.slides and self._note is not None:
            self._target = self._table[event.pitch]
        else:
            sound = event.instrument
            self._note, self._age, self._open, self._sway = event, 0, True, 0
            self._base = self._target = self._table[event.pitch]
            self._envelope = sound.ad, sound.sr
            if sound.pulse and not (sound.pulse_runs and self._width):
                self._width, self._way = sound.pulse.start, 1

    def _move(self, note: Note, step: Step) -> None:
        """Move frequency, vibrato and pulse width by a call."""
        sound = note.instrument
        assert note.pitch is not None
        if sound.fall and sound.loop is None and self._age >= len(sound.wave):
            self._frequency = max(FALL_FLOOR, self._frequency - sound.fall)
        elif isinstance(step.pitch, str):
            self._frequency = self._table[pitch_of(step.pitch)]
        elif self._base != self._target or self._target != self._table[note.pitch]:  # during or after a slide
            way = min(sound.glide, abs(self._target - self._base))
            self._base += way if self._base < self._target else -way
            self._frequency = self._base
        else:
            above = note.chord[self._age // sound.tone % len(note.chord)] + step.pitch
            self._frequency = self._table[min(max(note.pitch + above, 0), len(self._table) - 1)]
        if sound.vibrato and self._age >= sound.vibrato.delay:
            self._sway += _sway(sound.vibrato, self._age, self._base)
        if sound.pulse and self._age >= sound.pulse.delay:
            self._width, self._way = _bounced(self._width, self._way, sound.pulse)


def _restarts(notes: list[Note], length: int) -> set[int]:
    """Return the calls of hard restarts before notes; the first row counts as following the last."""
    return {
        (note.call - n) % length
        for note in notes
        if note.pitch is not None and not note.slides
        for n in range(1, note.instrument.restart + 1)
    }


def _step(sound: Instrument, age: int) -> Step:
    """Return the step of the wave table ``age`` calls after the note's start."""
    if age < len(sound.wave):
        return sound.wave[age]
    if sound.loop is None:
        return sound.wave[-1]
    return sound.wave[sound.loop + (age - sound.loop) % (len(sound.wave) - sound.loop)]


def _sway(vibrato: Vibrato, age: int, base: int) -> int:
    """Return the vibrato's change of frequency in a call: up for a quarter, down for a half, up for a quarter."""
    step = max(1, round(base * (ratio(SEMITONE) - 1) / vibrato.part))
    phase = (age - vibrato.delay + vibrato.half // 2) % (2 * vibrato.half)
    return step if phase < vibrato.half else -step


def _bounced(width: int, way: int, pulse: Bounce) -> tuple[int, int]:
    """Return the next pulse width and direction."""
    if not pulse.low <= width + way * pulse.step <= pulse.high:
        way = -1 if width + pulse.step > pulse.high else 1
    return min(max(width + way * pulse.step, 0), 0xFFF), way


def _cutoffs(length: int, sweeps: Mapping[int, Sweep]) -> np.ndarray:
    """Return the cutoff after each call, int64[length]. ``sweeps``: filter programs by the call where they begin."""
    cutoffs = np.empty(length, dtype=np.int64)
    now = 0
    steps: Iterator[int] = iter(())
    for t in range(length):
        if t in sweeps:
            start, legs = sweeps[t].start, sweeps[t].legs
            now = now if start is None else start
            steps = iter([step for calls, step in legs for _ in range(calls)])
        cutoffs[t] = now
        now = min(max(now + next(steps, 0), 0), CUTOFF_MOST)
    return cutoffs
