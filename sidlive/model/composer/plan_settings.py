"""The settings of a plan: what decides the notes that are written from a frame on. Loads no numba.

Pitches here are as they sound: MIDI note numbers with the transposition included. Frames are those of the tape.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from sidlive.chip.registers import VOICES, Frames
from sidlive.errors import ControlError
from sidlive.model.composer.choices import NoteSampling
from sidlive.tune.beat import BEATS_A_BAR, UNKNOWN_BEAT
from sidlive.tune.score.notes import LONGEST_LEAD
from sidlive.tune.score.steps import Pattern, PatternNote
from sidlive.tune.shaping.grid import BarGrid

LOWEST_PITCH, HIGHEST_PITCH = 0, 107  # MIDI notes
ANY_PITCH: Final = (LOWEST_PITCH, HIGHEST_PITCH)
SHORTEST_HORIZON: Final = 256  # frames
KEY_HORIZON: Final = 24  # frames that are planned at once when a key is pressed; more would be heard later
KEY_STEP: Final = 8  # frames that are planned besides for each frame after it, until the horizon is reached
SHORTEST_KEY: Final = 3  # frames that a key's note lasts at least
LEAD: Final = LONGEST_LEAD  # frames in which a change leaves the notes as they are, because they are being prepared
LONGEST_STEP: Final = 5000  # frames
LONGEST_KEY: Final = 1e6  # frames that a key may be down
MOST_KEYS: Final = 16
_NEARLY: Final = 0.02  # of a beat: a beat that has just begun is taken

StepUnit = Literal["beats", "frames"]


@dataclass(frozen=True)
class CodePart:
    """A pattern of notes that code wrote for a voice.

    ``start``: frame of the first step. ``times``: number of repetitions; 0: without end. ``instrument``: its number in
    the sound bank; None: the one that the voice used most. ``sounds uint8[T, 28]``: frames of another tune, whose
    instruments play the part; None: those of the prompt.

    A part with ``tones`` is one note that is played on a keyboard, see `key_part`.
    """

    pattern: Pattern
    step_frames: float
    start: float
    times: int = 0
    instrument: int | None = None
    sounds: Frames | None = field(default=None, repr=False, compare=False)
    tones: tuple[int, ...] | None = None  # keys that are down, in semitones from the note's pitch; (): none was yet
    pressed: int = 0  # frame in which the first of these keys was pressed; without a grid the start
    _sounds_id: int = field(default=0, init=False, repr=False)  # equal parts have the same array of sounds

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sounds_id", id(self.sounds))

    def begin(self, number: int) -> int:
        """Return the frame in which note ``number`` begins, counted through all repetitions."""
        turn, place = divmod(number, len(self.pattern.notes))
        return round(self.start + (turn * self.pattern.steps + self.pattern.notes[place].step) * self.step_frames)

    def end(self, number: int) -> int:
        """Return the frame in which the gate of note ``number`` closes."""
        turn, place = divmod(number, len(self.pattern.notes))
        note = self.pattern.notes[place]
        return round(self.start + (turn * self.pattern.steps + note.step + note.steps) * self.step_frames)

    def first_from(self, frame: int) -> int:
        """Return the number of the first note that begins in ``frame`` or later; the part has notes."""
        turn = max(0, math.floor((frame - self.start) / (self.pattern.steps * self.step_frames)) - 1)
        number = turn * len(self.pattern.notes)
        while self.begin(number) < frame:
            number += 1
        return number

    def fingered(self, tones: tuple[int, ...], frame: int) -> "CodePart":
        """Return the note of a keyboard with other keys down from ``frame`` on; it ends when there are none.

        A note that waits for its grid is as long as its keys were down.
        """
        if not self.tones:
            return self
        if tones:
            return replace(self, tones=tones)
        return replace(self, step_frames=float(max(SHORTEST_KEY, frame - self.pressed)))

    def continues(self, before: "CodePart | None") -> bool:
        """Return whether this is the note of ``before``, with other keys down or with its end known."""
        return (
            before is not None
            and self.tones is not None
            and replace(before, tones=self.tones, step_frames=self.step_frames) == self
        )

    @property
    def stop(self) -> float:
        """The frame at which the part ends; infinite if it has no end."""
        return self.start + self.times * self.pattern.steps * self.step_frames if self.times else math.inf


def code_part(
    pattern: Pattern,
    step: float,
    unit: StepUnit,
    frame: int,
    beat_frames: float,
    downbeat: float,
    times: int = 0,
    instrument: int | None = None,
    sounds: Frames | None = None,
) -> CodePart:
    """Return a part that is written at ``frame`` of a tape with this beat and this downbeat (frames).

    ``step``: length of a step. If its unit is beats, the part begins with the next beat, else at once. Raises
    ControlError if a step is shorter than a frame, or a number is out of range.
    """
    step_frames = step * beat_frames if unit == "beats" else step
    if not 1 <= step_frames <= LONGEST_STEP:
        raise ControlError(f"a step lasts 1 to {LONGEST_STEP} frames, found {step_frames:.3g}; try step='1/8'")
    if times < 0 or (instrument is not None and instrument < 0):
        raise ControlError(f"times and instrument count from 0, found times={times}, instrument={instrument}")
    start = float(frame)
    if unit == "beats":
        start = downbeat + math.ceil((frame - downbeat) / beat_frames - _NEARLY) * beat_frames
    return CodePart(pattern, step_frames, start, times, instrument, sounds)


def key_part(
    pitch: int,
    tones: tuple[int, ...],
    frame: int,
    beat_frames: float,
    downbeat: float,
    grid: float = 0.0,
    instrument: int | None = None,
    sounds: Frames | None = None,
) -> CodePart:
    """Return the part of a note whose key is pressed at ``frame``; it lasts until its keys are released.

    ``tones``: the keys that are down, in semitones from ``pitch``. ``grid``: beats between the moments at which notes
    may begin; 0: at once. Raises ControlError if a number is out of range.
    """
    if not LOWEST_PITCH <= pitch <= HIGHEST_PITCH:
        raise ControlError(f"notes are MIDI notes {LOWEST_PITCH} to {HIGHEST_PITCH}, found {pitch}")
    if not 1 <= len(tones) <= MOST_KEYS or grid < 0 or (instrument is not None and instrument < 0):
        raise ControlError(f"a note has 1 to {MOST_KEYS} keys, its grid and instrument count from 0")
    start = float(frame)
    if grid:
        start = downbeat + math.ceil((frame - downbeat) / (grid * beat_frames)) * grid * beat_frames
    pattern = Pattern((PatternNote(0, 1, pitch),), 1)
    return CodePart(pattern, LONGEST_KEY, start, 1, instrument, sounds, tones, frame)


def untouched(frame: int) -> CodePart:
    """Return the part of a voice that keys play from ``frame`` on, before the first key is pressed: it rests."""
    return CodePart(Pattern((), 1), LONGEST_KEY, float(frame), 1, tones=())


Parts = tuple[CodePart | None, CodePart | None, CodePart | None]


@dataclass(frozen=True)
class PlanSettings:
    """What decides the plan from a frame on."""

    compose: bool = True  # whether the composer writes
    sampling: NoteSampling = field(default_factory=NoteSampling)
    ranges: tuple[tuple[int, int], ...] = (ANY_PITCH,) * VOICES  # lowest and highest pitch of each voice
    classes: frozenset[int] | None = None  # pitch classes that notes may have, in semitones above C; None: all
    repeats: int = 0  # times in a row that a passage may be played, see `loop_watch`; 0: any number
    returns: int = 0  # bars after which the plan returns to the music that it goes on from, likewise; 0: never
    contrast: float = 0.0  # how far sections move on from the prompt, see `sections`
    candidates: int = 1  # drafts of each section, of which the best is taken, see `drafts`
    on_beat: bool = False  # notes begin where in the beat notes of the prompt did
    known_gates: bool = False  # a gate is open for no longer than the instrument was heard with
    keep_voices: bool = False  # no voice of the prompt falls silent, see `attendance` and `hearing`
    new_sounds: float = 0.0  # how often voices get sounds that were not heard, see `composer.new_sounds`
    swing: float = 0.0  # 0: straight; 1: every second eighth comes a quarter of a beat late
    beat_frames: float = UNKNOWN_BEAT
    bar_frames: float = UNKNOWN_BEAT * BEATS_A_BAR
    downbeat: float = 0.0  # a frame in which a bar begins
    semitones: int = 0  # transposition of what is heard, which the plan does not contain
    detune_cents: float = 0.0  # pitch of a register value on this machine, relative to PAL
    parts: Parts = (None, None, None)
    taken: frozenset[int] = frozenset()  # voices (0 to 2) that belong to code, whether or not it has written notes

    @property
    def horizon(self) -> int:
        """Number of frames that the plan is ahead of the frame that is generated: a bar or more."""
        return max(SHORTEST_HORIZON, math.ceil(self.bar_frames) + 16)

    def swung(self, frame: int) -> int:
        """Return the frame to which swing moves ``frame``, see `BarGrid.swung`."""
        if not self.swing:
            return frame
        return round(BarGrid(self.beat_frames, downbeat=self.downbeat).swung(frame, self.swing))

    @property
    def keyed(self) -> bool:
        """Whether keys play a voice."""
        return any(part is not None and part.tones is not None for part in self.parts)

    def only_fingers(self, before: "PlanSettings") -> bool:
        """Return whether these settings differ from ``before`` only in the keys that are down for a note."""
        return replace(before, parts=self.parts) == self and all(
            old == new or (new is not None and new.continues(old))
            for old, new in zip(before.parts, self.parts, strict=True)
        )

    def first_change(self, before: "PlanSettings", frame: int) -> int:
        """Return the first frame whose notes these settings may change, if they follow ``before`` at ``frame``."""
        general = replace(before, parts=self.parts, taken=self.taken) != self
        starts = [
            max(frame, math.ceil(new.start)) if new is not None else frame
            for old, new in zip(before.parts, self.parts, strict=True)
            if old != new
        ]
        return min([*starts, *([frame] if before.taken != self.taken else []), *([frame + LEAD] if general else [])])
