"""Music that a plan goes on from: its notes and sounds, and what a composer's events mean by them."""

from functools import cached_property, lru_cache
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES, Frames
from sidlive.model.composer.choices import ANY_WAIT, NO_LIMIT, NoteLimits, NoteSampling
from sidlive.model.composer.events import (
    CHORD,
    CHORDS,
    GLIDES,
    INSTRUMENT,
    INSTRUMENTS,
    KIND,
    LENGTH,
    LONGEST_GATE,
    LONGEST_WAIT,
    PITCH,
    REST,
    TIES,
    UNTUNED,
    VOICE,
    WAIT,
    Events,
    events_of,
    nearest_chord,
    onsets_of,
)
from sidlive.model.composer.plan_settings import ANY_PITCH, HIGHEST_PITCH, CodePart, PlanSettings
from sidlive.model.composer.sheet import FROM_THE_BEGINNING, NEVER, SheetNote
from sidlive.tune.score.bank import sound_bank
from sidlive.tune.score.notes import ATTACK, HELD, SINGLE, SLIDES, TIED, UNPITCHED
from sidlive.tune.score.planned import GIVEN

_CENTS: Final = 100.0  # in a semitone
_OCTAVE: Final = 12  # semitones
FEWEST_EVENTS: Final = 8  # music with fewer notes is not continued by a composer
FEWEST_GATES: Final = 4  # notes of an instrument from which its longest open gate is taken
FEWEST_OF_VOICE: Final = 2  # a voice with fewer notes stays silent
FEWEST_ATTACKS: Final = 4  # a voice with fewer attacks may rest for good
SHORTEST_REST: Final = 300  # frames (6 s) without an attack that a voice may always have
FLOOR_FRAMES: Final = 1024  # frames in which attacks are counted (20 s) ...
FLOOR_SHARE: Final = 0.25  # ... and the share of those heard in as many frames that a voice has at least
ROOM: Final = 7  # semitones beyond the pitches of a voice that the composer may use ...
NEW_ROOM: Final = 12  # ... and that a new part may, see `new_sounds`
LONGER: Final = 1.5  # times the longest wait that was heard
SHORTEST_WAIT: Final = 24  # frames
_WHOLE: Final = 0.05  # frames by which an estimated beat may differ from a whole number of frames
TONES_SHARE: Final = 0.98  # share of the tones that the pitch classes of the composer hold ...
CORE_SHARE: Final = 0.95  # ... and those of a new part (see `new_sounds`)
SHORTEST_TONE: Final = 300  # frames (6 s) for which a voice may always repeat a tone
DRONE: Final = 500  # frames (10 s): a voice that repeated a tone for so long, or has only one, may do so for ever


Labels = tuple[int | None, ...]  # by voice
NO_LABELS: Final[Labels] = (None,) * VOICES
NEW_LABELS: Final = 6  # labels after the prompt's instruments that are for new parts; those of other music follow


class AttackFloor(NamedTuple):
    """When the next attack of a voice is due.

    That is after ``most`` frames without one, or after ``rest`` if there were fewer than ``fewest`` in FLOOR_FRAMES.
    """

    most: int
    rest: int  # the longest time from attack to attack that was heard
    fewest: float


class Hearing:
    """The notes and sounds of ``frames uint8[T, 28]``."""

    def __init__(self, frames: Frames) -> None:
        self.frames = len(frames)
        self.bank = sound_bank(frames)

    def __len__(self) -> int:
        """Return the number of notes."""
        return len(self.bank.score)

    @property
    def instruments(self) -> int:
        """The number of instruments."""
        return self.bank.score.instruments

    @cached_property
    def digest(self) -> int:
        """A number that tells this music from other music, 0 to 2**32 - 1."""
        return crc32(self.bank.frames.tobytes())

    @cached_property
    def events(self) -> Events:
        """The notes as a composer hears them."""
        return events_of(self.bank.score)

    @cached_property
    def pace(self) -> float:
        """The mean number of frames between two events."""
        events = self.events
        return min(max(float(events[1:, WAIT].mean()), 0.1), 1000.0) if len(events) > 1 else NoteSampling().pace

    @cached_property
    def idle_voices(self) -> frozenset[int]:
        """The voices (0 to 2) for which the composer writes nothing, because they play next to nothing."""
        counts = np.bincount(self.events[:, VOICE], minlength=VOICES)[:VOICES]
        enough = counts.sum() >= FEWEST_EVENTS
        return frozenset(voice for voice in range(VOICES) if not enough or counts[voice] < FEWEST_OF_VOICE)

    @cached_property
    def attack_floors(self) -> tuple[AttackFloor | None, ...]:
        """The fewest attacks that each voice has in a plan with `PlanSettings.keep_voices`; None: any number."""
        score, floors = self.bank.score, []
        for voice in range(VOICES):
            attacks = score.onset[score.has(ATTACK) & (score.voice == voice)]
            rest = max(int(np.diff(attacks).max(initial=0)), SHORTEST_WAIT)
            longest = max(rest, self.frames - int(attacks[-1])) if len(attacks) else rest
            fewest = max(1.0, FLOOR_SHARE * len(attacks) * FLOOR_FRAMES / max(self.frames, FLOOR_FRAMES))
            most = max(round(LONGER * longest), SHORTEST_REST)
            floors.append(AttackFloor(most, rest, fewest) if len(attacks) >= FEWEST_ATTACKS else None)
        return tuple(floors)

    @cached_property
    def longest_wait(self) -> int:
        """The most frames that the composer may let pass without a note."""
        onsets = self.bank.score.onset
        return max(SHORTEST_WAIT, round(LONGER * int(np.diff(onsets).max(initial=0))))

    @cached_property
    def voice_labels(self) -> tuple[frozenset[int] | None, ...]:
        """The instruments that each voice plays, as events name them; None for a voice without notes.

        A sound that was only heard from the first frame on is left out if the voice has another one: the music may have
        been cut there, so that its beginning is unknown.
        """
        events, labels = self.events, self.events[:, INSTRUMENT]
        later = (onsets_of(events) > 0) & (events[:, VOICE] < VOICES)
        begun = np.isin(labels, labels[later])  # whether the beginning of the event's sound was heard
        found = []
        for voice in range(VOICES):
            mine = events[:, VOICE] == voice
            found.append(frozenset(labels[mine & begun if (mine & begun).any() else mine].tolist()) or None)
        return tuple(found)

    @cached_property
    def ranges(self) -> tuple[tuple[int, int], ...]:
        """The lowest and highest pitch that each voice may be written, if the performer sets no range."""
        events, ranges = self.events, []
        for voice in range(VOICES):
            pitches = events[(events[:, VOICE] == voice) & (events[:, PITCH] < UNTUNED), PITCH]
            low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else ANY_PITCH
            ranges.append((max(low - ROOM, 0), min(high + ROOM, HIGHEST_PITCH)))
        return tuple(ranges)

    @cached_property
    def classes(self) -> int | None:
        """The fewest pitch classes with nearly all of the music's tones, as in `NoteLimits`; None if it has none."""
        return self._classes_with(TONES_SHARE)

    @cached_property
    def core_classes(self) -> int | None:
        """The fewest pitch classes with most of the music's tones, likewise."""
        return self._classes_with(CORE_SHARE)

    def _classes_with(self, share: float) -> int | None:
        """Return the fewest pitch classes with this share of the music's tones, likewise."""
        events = self.events
        tuned = events[(events[:, VOICE] < REST) & (events[:, PITCH] < UNTUNED)]
        counts = np.zeros(_OCTAVE)
        for pitch, chord in tuned[:, [PITCH, CHORD]].tolist():
            counts[[(pitch + tone) % _OCTAVE for tone in CHORDS[chord]]] += 1
        order = np.argsort(-counts, kind="stable")
        enough = int(np.searchsorted(np.cumsum(counts[order]), share * counts.sum())) + 1
        return sum(1 << int(number) for number in order[:enough] if counts[number]) or None

    @cached_property
    def longest_tones(self) -> tuple[int, ...]:
        """The frames for which the composer may let each voice begin one tone again and again, as in `NoteLimits`."""
        events, onsets, found = self.events, onsets_of(self.events), []
        for voice in range(VOICES):
            mine = (events[:, VOICE] == voice) & (events[:, PITCH] < UNTUNED)
            tones, begun = np.stack([events[mine, PITCH] % _OCTAVE, events[mine, CHORD]], axis=1), onsets[mine]
            changes = np.flatnonzero((tones[1:] != tones[:-1]).any(axis=1)) + 1
            first, last = np.append(0, changes), np.append(changes, len(tones)) - 1
            longest = int((begun[last] - begun[first]).max()) if len(changes) else DRONE
            found.append(max(SHORTEST_TONE, round(LONGER * longest)) if longest < DRONE else NO_LIMIT)
        return tuple(found)

    @cached_property
    def _drums(self) -> NDArray[np.int64]:
        """The pitch of each instrument that is a drum, -1 for the others: ``int64[instruments]``."""
        score = self.bank.score
        pitches = np.full(self.instruments, -1)
        drums = score.has(UNPITCHED)
        pitches[score.instrument[drums]] = score.pitch[drums]
        return pitches

    def is_drum(self, instrument: int) -> bool:
        """Return whether an instrument sounds the same at every pitch."""
        return bool(self._drums[instrument] >= 0)

    def drums_mostly(self, voice: int) -> bool:
        """Return whether most attacks of a voice (0 to 2) are drums, or it has none."""
        score = self.bank.score
        mine = score.has(ATTACK) & (score.voice == voice)
        return not mine.any() or bool(score.has(UNPITCHED)[mine].mean() > 0.5)

    def playing_tones(self, fewest: int) -> tuple[int, ...]:
        """Return the pitched instruments that attacked a single tone at least ``fewest`` times."""
        score = self.bank.score
        single = score.instrument[score.has(ATTACK) & (score.chord == 0)]
        counts = np.bincount(single, minlength=self.instruments)
        return tuple(name for name in range(self.instruments) if counts[name] >= fewest and not self.is_drum(name))

    @cached_property
    def _gates(self) -> dict[tuple[int, int], int]:
        """The most frames of open gate that a voice (VOICES: any) played an instrument with."""
        score, found = self.bank.score, {}
        attacks = score.has(ATTACK)
        for instrument in range(self.instruments):
            own = attacks & (score.instrument == instrument)
            for voice in range(VOICES + 1):
                lengths = score.length[own & ((score.voice == voice) | (voice == VOICES))]
                if len(lengths) >= FEWEST_GATES:
                    found[voice, instrument] = int(lengths.max())
        return found

    def longest_gate(self, voice: int, instrument: int) -> int:
        """Return the most frames of open gate that an instrument was heard with; NEVER if it was heard seldom."""
        return self._gates.get((voice, instrument), self._gates.get((VOICES, instrument), NEVER))

    def sound(self, label: int, pitch: int) -> tuple[int, int]:
        """Return the instrument and the pitch, as the sound bank has them, that an event's fields stand for."""
        instrument = min(label, self.instruments - 1)
        if pitch == UNTUNED:
            pitch = max(0, int(self._drums[instrument]))
        return instrument, pitch

    def label(self, instrument: int, others: int = 0) -> int:
        """Return the number by which an event names an instrument; ``others`` are numbered before it."""
        return min(instrument + others, INSTRUMENTS - 1)

    def usual_instrument(self, voice: int) -> int:
        """Return the instrument that a voice (0 to 2) played most; if it played no pitched one, that of all voices."""
        score = self.bank.score
        attacks = score.has(ATTACK)
        pitched = attacks & ~score.has(UNPITCHED)
        for mine in (pitched & (score.voice == voice), pitched, attacks):
            if mine.any():
                return int(np.bincount(score.instrument[mine]).argmax())
        return 0

    def shift(self, settings: PlanSettings) -> int:
        """Return the semitones from a pitch in the sound bank to the pitch that is heard, without transposition."""
        return round((self.bank.score.tuning_cents + settings.detune_cents) / _CENTS)

    def pitch_of(self, written: int, settings: PlanSettings) -> int:
        """Return the pitch in the sound bank that is heard as ``written``, a MIDI note number, if not transposed."""
        return min(max(written - self.shift(settings), 0), HIGHEST_PITCH)

    def notes(self, first: int) -> list[SheetNote]:
        """Return all notes as they stand in a plan; ``first``: tape frame of the first frame heard."""
        score = self.bank.score
        chords = [nearest_chord(chord) for chord in score.chords]
        rows = zip(
            (score.onset.astype(np.int64) + first).tolist(), score.voice.tolist(), score.pitch.tolist(),
            score.chord.tolist(), score.instrument.tolist(), score.length.tolist(), (score.flags & GIVEN).tolist(),
            strict=True,
        )  # fmt: skip
        return [
            SheetNote(
                frame=onset, onset=onset, voice=voice, pitch=pitch, chord=chords[chord], instrument=instrument,
                length=length, flags=flags, event=(), written=FROM_THE_BEGINNING, sounds=self.bank,
            )
            for onset, voice, pitch, chord, instrument, length, flags in rows
        ]  # fmt: skip


def note_of(event: NDArray[np.int16], frame: int, heard: Hearing, settings: PlanSettings, written: int) -> SheetNote:
    """Return the note of an event by the composer that happens in ``frame``."""
    fields = tuple(event.tolist())
    if fields[VOICE] == REST:
        return SheetNote(frame, frame, REST, 0, 0, 0, 0, 0, fields, written, heard.bank)
    instrument, pitch = heard.sound(fields[INSTRUMENT], fields[PITCH])
    flags = (TIED if fields[KIND] & TIES else ATTACK) | (SLIDES if fields[KIND] & GLIDES else 0)
    onset, length = settings.swung(frame), 0
    if fields[LENGTH]:
        length = max(settings.swung(frame + fields[LENGTH] - 1) - onset, min(fields[LENGTH] - 1, 1))
    else:
        flags |= HELD
    most = heard.longest_gate(fields[VOICE], instrument) if settings.known_gates and flags & ATTACK else NEVER
    return SheetNote(
        frame, onset, fields[VOICE], pitch, fields[CHORD], instrument, length, flags, fields, written, heard.bank,
        most=most,
    )  # fmt: skip


def code_note(
    part: CodePart,
    number: int,
    begin: int,
    voice: int,
    heard: Hearing,
    prompt: Hearing,
    settings: PlanSettings,
    written: int,
) -> SheetNote:
    """Return note ``number`` of a part, from frame ``begin`` on, with the sounds of ``heard``.

    Its event has no WAIT yet.

    For the composer, instruments that are not the prompt's are numbered after those of the ``prompt`` and of new parts.
    """
    instrument = heard.usual_instrument(voice) if part.instrument is None else part.instrument
    instrument = min(instrument, max(heard.instruments - 1, 0))
    note = part.pattern.notes[number % len(part.pattern.notes)]
    end = begin + part.end(number) - part.begin(number)
    tones = note.chord if part.tones is None else part.tones
    pitch, chord = heard.pitch_of(note.pitch, settings), nearest_chord(tuple(tone - tones[0] for tone in tones))
    label = heard.label(instrument, 0 if heard is prompt else prompt.instruments + NEW_LABELS)
    drum = len(heard) and heard.is_drum(instrument)
    lowest = UNTUNED if drum else min(max(pitch + tones[0], 0), HIGHEST_PITCH)
    event = (0, voice, 0, label, lowest, chord, 1 + min(end - begin, LONGEST_GATE))
    onset, length = settings.swung(begin), settings.swung(end) - settings.swung(begin)
    if part.tones is not None:  # the keys say when it begins; the arpeggio is made as the keys change, see `keyed`
        onset, length, chord = begin, end - begin, 0
    return SheetNote(
        begin, onset, voice, pitch, chord, instrument, length, ATTACK, event, written, heard.bank,
        part=part, number=number,
    )  # fmt: skip


def limits_of(
    heard: Hearing, settings: PlanSettings, silent: frozenset[int], new_labels: Labels = NO_LABELS
) -> NoteLimits:
    """Return the limits on what the composer may write. ``new_labels``: of the voices that have a new part."""
    shift = heard.shift(settings) + settings.semitones
    return _limits_at(heard, settings.ranges, settings.classes, shift, silent, new_labels)


@lru_cache(maxsize=32)
def _limits_at(
    heard: Hearing,
    ranges: tuple[tuple[int, int], ...],
    classes: frozenset[int] | None,
    shift: int,
    silent: frozenset[int],
    new_labels: Labels,
) -> NoteLimits:
    """Return the limits for pitches that are heard ``shift`` semitones higher than they are written.

    Where the performer asks for no range or no scale, the notes stay near those heard.
    """
    lowest, highest = zip(
        *(_ends(heard, shift, voice, ranges[voice], new_labels[voice]) for voice in range(VOICES)), strict=True
    )
    if classes is None:
        bits = tuple(heard.classes if new is None else heard.core_classes for new in new_labels)
    else:
        bits = (sum(1 << (number - shift) % _OCTAVE for number in classes),) * VOICES
    labels = tuple(
        heard.voice_labels[voice] if new is None else (heard.voice_labels[voice] or frozenset()) | {new}
        for voice, new in enumerate(new_labels)
    )
    return NoteLimits(
        lowest,
        highest,
        bits,
        silent,
        min(heard.instruments, INSTRUMENTS),
        labels,
        heard.longest_wait,
        frozenset(label for label in new_labels if label is not None),
        heard.longest_tones,
    )


def _ends(heard: Hearing, shift: int, voice: int, asked: tuple[int, int], new_label: int | None) -> tuple[int, int]:
    """Return the lowest and highest pitch that a voice may be written. ``asked``: its range as it is heard."""
    low, high = heard.ranges[voice] if asked == ANY_PITCH else (end - shift for end in asked)
    room = NEW_ROOM - ROOM if asked == ANY_PITCH and new_label is not None else 0
    return min(max(low - room, 0), HIGHEST_PITCH), max(min(high + room, HIGHEST_PITCH), 0)


def waits_of(heard: Hearing, settings: PlanSettings, now: int) -> NDArray[np.bool_]:
    """Return the waits after which a note may begin, ``bool[LONGEST_WAIT + 1]``.

    With `PlanSettings.on_beat` a note begins in a frame of the beat in which one that was heard began; with a density
    below 1 only where in the beat most of them began, so that thinner music keeps a rhythm. ``now``: the last event's
    frame, counted from the first frame heard. Notes of the same frame, and of none within LONGEST_WAIT, may follow
    anyway. A beat that is no whole number of frames is not kept to, because the music's own rows are not known then.
    """
    beat = round(settings.beat_frames)
    if not settings.on_beat or beat < 2 or abs(settings.beat_frames - beat) > _WHOLE:
        return ANY_WAIT
    waits = _places(heard, beat, min(1.0, settings.sampling.density))[(now + np.arange(LONGEST_WAIT + 1)) % beat]
    waits[[0, LONGEST_WAIT]] = True
    return waits


@lru_cache(maxsize=16)
def _places(heard: Hearing, beat: int, share: float) -> NDArray[np.bool_]:
    """Return the fewest frames of a beat in which at least this share of the notes begin, ``bool[beat]``.

    A beat begins with the first frame heard.
    """
    counts = np.bincount(heard.bank.score.onset % beat, minlength=beat)
    order = np.argsort(-counts, kind="stable")
    enough = int(np.searchsorted(np.cumsum(counts[order]), np.ceil(share * counts.sum()))) + 1
    found = np.zeros(beat, np.bool_)
    found[order[:enough]] = True
    return found


@lru_cache(maxsize=1024)
def fitting_chord(chord: int, pitch: int, classes: int) -> int:
    """Return the index of the chord nearest to ``chord`` whose tones above ``pitch`` are all in the pitch classes."""
    fitting = [tones for tones in CHORDS if all(classes >> (pitch + tone) % _OCTAVE & 1 for tone in tones)]
    wanted = set(CHORDS[chord])
    best = max(fitting, key=lambda tones: len(wanted & set(tones)) / len(wanted | set(tones)), default=SINGLE)
    return nearest_chord(best)
