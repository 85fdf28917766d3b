"""The settings of a choice of notes: `NoteSampling`, and `NoteLimits` on what may be written. Loads no numba."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES
from sidlive.errors import ControlError
from sidlive.model.composer.events import CHORD, FIELDS, INSTRUMENTS, LONGEST_WAIT, PITCH, UNTUNED, WAIT
from sidlive.model.composer.styles import WIDEST_STYLE, Amounts
from sidlive.model.engine.sampling import SEEDS, Sampling

OCTAVE: Final = 12
NO_LIMIT: Final = 1 << 30  # frames
EVERY_CLASS: Final = (1 << OCTAVE) - 1
LONG_WAIT: Final = 4.0  # times the pace: density tilts longer waits as this one
LEAP_NATS: Final = 0.25  # nats per semitone by which `NoteSampling.leap` tilts pitches at most
STEP: Final = 2  # semitones of the largest step, which `leap` leaves alone, so that notes do not just repeat


@dataclass(frozen=True)
class NoteSampling:
    """Settings for choosing the next event from the composer's probabilities.

    ``seed``, ``lane``: choose the random numbers, as for `engine.Sampling`.
    ``temperature``, ``top_p``, ``top_k``, ``min_p``: as for `engine.Sampling`.
    ``vary``: how much the suggestions of `memory` avoid the last ``near`` frames. 0 takes the best from anywhere, 1
        none from there.
    ``near``: frames.
    ``follow``: nats added to the trust in the first suggestions of a pitch and a chord, of the next event and of a
        motif. More repeats earlier music, less (it may be negative) writes more that is new.
    ``rhythm_follow``: the same for all other fields. Music repeats its rhythm more exactly than its pitches.
    ``wait_follow``: nats added besides to the trust in the first suggestions of a wait.
    ``density``: the number of notes, as a multiple of the music's own (see ``pace``). At 1 the waits stay as the
        composer would choose them, unless ``steady`` is above 0. Else they are tilted towards short or long ones, the
        more, the further the last events are from the wanted number.
    ``pace``: mean number of frames between two events of the music itself: what a density of 1 stands for.
    ``steady``: how strictly the number of notes is kept: waits are tilted at least by this (see `wait_gain`).
        Cut-offs and low temperatures favour short waits; without a tilt the music gets denser and denser.
    ``leap``: below 1 favours small intervals from a voice's note before, above 1 large ones.
    ``same_pitch``: nats added to the pitch that a voice played last.
    ``clash``: nats taken from each pitch that is a second or a seventh away from what another voice played last.
    ``styles``: how far the notes are moved towards each of `styles.STYLES`, before all else.

    The settings from ``follow`` to ``clash`` change the logits; then the limits apply, then the three cut-offs, then
    the temperature. Raises ControlError if a value is out of range.
    """

    seed: int = 0
    lane: int = 0
    temperature: float = 0.9
    top_p: float = 0.98
    top_k: int = 0
    min_p: float = 0.0
    vary: float = 0.0
    near: int = 400
    follow: float = 0.0
    rhythm_follow: float = 0.0
    wait_follow: float = 0.0
    density: float = 1.0
    pace: float = 5.0
    steady: float = 0.0
    leap: float = 1.0
    same_pitch: float = 0.0
    clash: float = 0.0
    styles: Amounts = ()

    def __post_init__(self) -> None:
        for name, least, most in (
            ("seed", 0, SEEDS - 1),
            ("lane", 0, SEEDS - 1),
            ("temperature", 0.0, 100.0),
            ("top_p", 0.0, 1.0),
            ("top_k", 0, 1 << 16),
            ("min_p", 0.0, 1.0),
            ("vary", 0.0, 1.0),
            ("near", 1, 1 << 16),
            ("follow", -20.0, 20.0),
            ("rhythm_follow", -20.0, 20.0),
            ("wait_follow", -20.0, 20.0),
            ("steady", 0.0, 100.0),
            ("density", 0.25, 4.0),
            ("pace", 0.1, 1000.0),
            ("leap", 0.0, 2.0),
            ("same_pitch", -20.0, 20.0),
            ("clash", -20.0, 20.0),
        ):
            value = getattr(self, name)
            if not (math.isfinite(value) and least <= value <= most):
                raise ControlError(f"{name} must be from {least} to {most}, not {value}")
            if isinstance(least, int) and value != int(value):
                raise ControlError(f"{name} must be a whole number, not {value}")
        for name, amount in self.styles:
            if not abs(amount) <= WIDEST_STYLE:
                raise ControlError(f"{name} must be from {-WIDEST_STYLE} to {WIDEST_STYLE}, not {amount}")

    @property
    def wanted_wait(self) -> float:
        """Frames between two events that ``density`` asks for, on average."""
        return self.pace / self.density

    @property
    def wait_gain(self) -> float:
        """Nats per frame of a wait by which its logit falls while events come e times too seldom."""
        return max(self.steady, min(1.0, abs(math.log2(self.density)))) / self.pace

    @property
    def follows(self) -> NDArray[np.float64]:
        """Return the nats added to the trust in the first suggestions, by field: ``float64[FIELDS]``."""
        table = np.full(FIELDS, self.rhythm_follow)
        table[[PITCH, CHORD]] = self.follow
        table[WAIT] += self.wait_follow
        return table

    @property
    def long_wait(self) -> float:
        """Frames from which on all waits are tilted alike."""
        return LONG_WAIT * self.pace

    @property
    def leap_tilt(self) -> float:
        """Nats by which each semitone of a leap raises the logit of its pitch, up to an octave."""
        return LEAP_NATS * (self.leap - 1.0)


# How notes are chosen beside the settings for the frames that will play them. With these numbers and the instrument's
# defaults, the statistics of the notes are nearest to those of real tunes (see the card of the composer).
PLAYED_WARMTH: Final = 1.0625  # times the frames' temperature
PLAYED_VARY: Final = 1.25  # times the frames' ``vary``, at most 1
PLAYED_FOLLOW: Final = -1.25  # nats added to the frames' ``follow``, for pitches ...
PLAYED_RHYTHM_FOLLOW: Final = 1.25  # ... and for all other fields
PLAYED_STEADY: Final = 2.0
# At a low temperature a voice repeats its tone more often than in real tunes, and clashes with other voices more often.
PLAYED_SAME_PITCH: Final = -0.3
PLAYED_CLASH: Final = 0.25
# Another number of notes than the music's own is against all that the composer has heard and is suggested. So with each
# doubling or halving of the density ...
DENSITY_STEADY: Final = 20.0  # ... the number is kept this much more strictly,
DENSITY_FOLLOW: Final = -4.0  # and these nats are added to the trust in suggestions of waits


def notes_like(sampling: Sampling, density: float = 1.0, leap: float = 1.0, styles: Amounts = ()) -> NoteSampling:
    """Return the settings for notes that fit the settings for the frames that will play them."""
    away = abs(math.log2(density))
    return NoteSampling(
        seed=sampling.seed,
        lane=sampling.lane,
        temperature=PLAYED_WARMTH * sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        min_p=sampling.min_p,
        vary=min(1.0, PLAYED_VARY * sampling.vary),
        near=sampling.near,
        follow=sampling.follow + PLAYED_FOLLOW,
        rhythm_follow=sampling.follow + PLAYED_RHYTHM_FOLLOW,
        wait_follow=DENSITY_FOLLOW * away,
        density=density,
        leap=leap,
        same_pitch=PLAYED_SAME_PITCH,
        clash=PLAYED_CLASH,
        styles=styles,
        steady=PLAYED_STEADY + DENSITY_STEADY * away,
    )


@dataclass(frozen=True)
class NoteLimits:
    """What the composer may write. A *label* is the number of an instrument, as in `events.INSTRUMENT`.

    ``lowest``, ``highest``: the range of pitches of each voice, both included.
    ``classes``: the pitch classes that each voice may play, bit 0 for C to bit 11 for B; None for all.
    ``silent_voices``: voices that are not written at all, because something else plays them.
    ``instruments``: number of instruments in the sound bank: labels from this number on are never written.
    ``voice_instruments``: the labels that each voice may use; None for all.
    ``longest_wait``: most frames in which no voice begins a note.
    ``new_labels``: labels beyond those of the sound bank that may be written with a pitch although they were never
        heard; a voice uses them only if ``voice_instruments`` says so.
    ``longest_tones``: frames for which each voice may begin one tone (pitch class and chord) again and again.

    Besides, any other label that was never heard is not written, and drums stay drums: a label is written UNTUNED, or
    with a pitch, only if it was heard so. Where nothing is left, the limits give way in this order:

    - a range without any of the pitch classes grows by a semitone at both ends until it has one;
    - a voice none of whose labels was heard takes any label that was heard;
    - before any label was heard, all instruments of the sound bank are allowed;
    - after ``longest_wait`` frames without a note, which only `least_wait` of `Composer.write` can cause, any wait is
        allowed;
    - if a wait of 0 was forced and only silent voices can follow, one of them is written.

    When all voices are silent, only rests are written. Raises ControlError if a value is out of range.
    """

    lowest: tuple[int, ...] = (0,) * VOICES
    highest: tuple[int, ...] = (UNTUNED - 1,) * VOICES
    classes: tuple[int | None, ...] = (None,) * VOICES
    silent_voices: frozenset[int] = frozenset()
    instruments: int = INSTRUMENTS
    voice_instruments: tuple[frozenset[int] | None, ...] = (None,) * VOICES
    longest_wait: int = NO_LIMIT
    new_labels: frozenset[int] = frozenset()
    longest_tones: tuple[int, ...] = (NO_LIMIT,) * VOICES

    def __post_init__(self) -> None:
        for name in ("lowest", "highest", "classes", "voice_instruments", "longest_tones"):
            if len(getattr(self, name)) != VOICES:
                raise ControlError(f"{name} must have one entry for each of {VOICES} voices, not {getattr(self, name)}")
        for voice, (low, high) in enumerate(zip(self.lowest, self.highest, strict=True)):
            if not 0 <= low <= high < UNTUNED:
                raise ControlError(
                    f"the pitches of voice {voice + 1} must be a range within 0 to {UNTUNED - 1}, not {low} to {high}"
                )
        for own in self.classes:
            if own is not None and not 0 < own <= EVERY_CLASS:
                raise ControlError(f"classes must be masks of at least one of 12 pitch classes, not {self.classes}")
        if not set(self.silent_voices) <= set(range(VOICES)):
            raise ControlError(f"silent_voices must be among 0 to {VOICES - 1}, not {sorted(self.silent_voices)}")
        if self.longest_wait < 1:
            raise ControlError(f"longest_wait must be at least 1 frame, not {self.longest_wait}")
        if self.instruments < 1:
            raise ControlError(f"instruments must be at least 1, not {self.instruments}")

    @property
    def pitches(self) -> NDArray[np.bool_]:
        """The pitches that each voice may play, ``bool[VOICES, UNTUNED]``: at least one for each voice."""
        number = np.arange(UNTUNED)
        table = np.zeros((VOICES, UNTUNED), dtype=np.bool_)
        for voice, (low, high) in enumerate(zip(self.lowest, self.highest, strict=True)):
            classes = self.classes[voice]
            fits = ((EVERY_CLASS if classes is None else classes) >> number % OCTAVE & 1) > 0
            while not table[voice].any():
                table[voice] = fits & (low <= number) & (number <= high)
                low, high = low - 1, high + 1
        return table

    @property
    def known(self) -> NDArray[np.bool_]:
        """Whether a label is an instrument of the sound bank, ``bool[INSTRUMENTS]``."""
        return np.arange(INSTRUMENTS) < self.instruments

    @property
    def labels(self) -> NDArray[np.bool_]:
        """The labels that each voice may use, ``bool[VOICES, INSTRUMENTS]``."""
        table = np.tile(self.known, (VOICES, 1))
        for voice, allowed in enumerate(self.voice_instruments):
            if allowed is not None:
                table[voice] = (self.known | self.new) & np.isin(np.arange(INSTRUMENTS), list(allowed))
        return table

    @property
    def new(self) -> NDArray[np.bool_]:
        """Whether a label is one of ``new_labels``, ``bool[INSTRUMENTS]``."""
        return np.isin(np.arange(INSTRUMENTS), list(self.new_labels))


UNLIMITED: Final = NoteLimits()
ANY_WAIT: Final = np.ones(LONGEST_WAIT + 1, np.bool_)
