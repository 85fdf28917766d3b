"""Variants of a tune's instruments, with other envelopes and waveforms, for plans that need new instruments.

Real tunes bring in new instruments as they go on. Most of them are made by the tune's own player routine: they keep its
arpeggios, vibrato, slides, pulse sweeps and hard restarts, and have another envelope, and often another waveform. A
*variant* is an instrument of the sound bank with these two changed. Envelopes come from a list of those that are most
frequent in C64 music. They are only used where a note of this instrument's usual length stays audible.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from sidlive.chip.registers import (
    AD,
    CONTROL,
    FIRST_CONTROL,
    GATE,
    NOISE,
    PULSE,
    PW_HI,
    SAW,
    SR,
    TRIANGLE,
    VOICE_STRIDE,
    Frames,
)
from sidlive.tune.score.bank import BODY, FLAGS, INSTRUMENT, LEAD, LENGTH, ONSET, SPAN, VOICE, SoundBank
from sidlive.tune.score.instruments import Ints
from sidlive.tune.score.notes import ATTACK, HELD, UNPITCHED
from sidlive.tune.score.templates import PHASES

Random = Callable[[int, int, int], float]  # of instrument, variant and draw: a number from 0 to below 1

NEW_WAVE: Final = 0.6  # share of the variants of pitched instruments with another waveform
SAME_AD, SAME_RELEASE = 0.35, 0.25  # shares of the variants that keep attack and decay, or the release
TRIES: Final = 16  # envelopes that are drawn until one fits
LOUDEST_STEP: Final = 6  # steps by which the sustain level of a variant differs at most
LONGEST_RELEASE: Final = 10  # the release of a variant, or that of its instrument if it is longer
DURING: Final = 3  # the attack takes at most this part of the open gate: a third
AUDIBLE: Final = 4  # a sustain level below this is heard only while the decay lasts
NARROWEST, WIDEST = 1, 14  # high bytes of pulse widths that sound full
_TONES: Final = TRIANGLE, SAW, PULSE
_WAVES: Final = 0xF0

# Frames (50 a second) of each attack value 0 to 15 (MOS 6581 data sheet, 1982). A decay takes three times as long.
ATTACK_FRAMES: Final = (0, 0, 1, 1, 2, 3, 3, 4, 5, 12, 25, 40, 50, 150, 250, 400)

# The most frequent envelopes of C64 music, most frequent first: AD and SR in hexadecimal, as 700 tunes use them.
# fmt: off
_TONE_LIST: Final = (
    "00AA 00F8 006C 00A9 00F9 00FA 007A 00A8 00C9 0909 005A 00B8 00E8 0888 0039 0049 0088 008A 008C 00AC 00C8 "
    "00D8 0A00 0059 006A 007C 0080 00AE 00D9 017A 0AAA 0068 0069 0089 008B 009A 00AB 00BA 00E9 00EA 00F6 0800 "
    "0808 0809 0900 0999 0AA9 0FF8 002A 0036 0048 0058 0078 008D 009B 00AD 00C0 00CA 00F0 00F7 00FC 0559 07A8 "
    "0878 003A 004C 004F 0060 006B 007B 0098 0099 00B7 00B9 00BC 00C3 00CB 00CD 00DA 00F4 00F5 0369 04AA 0569 "
    "0779 086A 0889 09AA 0FF7 0FF9 0FFA 0FFF 0025 0029 002F 0030 0037 0038 003C 0046 004A 004B 0056 005C 005D "
    "0066 0067 006F 0070 0076 0079 0087 0090 009F 00CF 00D4 00E7 00EF 00F2 0178 018A 01A9 01F9 0338 045C 04A8 "
    "0609 0669 0688 068A 06D9 0707 087A 088A 088C 0899 08A9 08AA 08F8 0989 098A 09F9 0AA0 0AA8 0B00 0F00 0FF5 "
    "0024 0028 0033 0040 0042 0044 0047 0055 0065 006D 006E 0075 0077 007D 007F 0085 0086 008F 0095 00A5 00A6 "
    "00A7 00AF 00B0 00B6 00BB 00C2 00C4 00C7 00CC 00D6 00DC 00E5 00E6 00EC 00F3 00FF 0158 0166 0179 0188 0189 "
    "018C 0198 0199"
)
_NOISE_LIST: Final = (
    "0909 00F8 0400 0600 0025 0048 0068 00A7 00A9 00E9 0500 0699 0800 08A9 0FF8 0035 0039 0049 0053 0066 0067 "
    "0069 006A 0079 0087 0088 008A 0098 00A8 00C8 00C9 00E8 00F0 00F7 00F9 0222 0235 0338 0369 0507 0568 0888 "
    "08C9 0900 0908 0A00 0AA4 0AAA 0BB8 0EE9 0F0A 9050 C0C0 0000 0002 0010 0014 0016 0019 001A 0021 0022 0026 "
    "0029"
)
# fmt: on
_TONE_ENVELOPES: Final = _TONE_LIST.split()
_NOISE_ENVELOPES: Final = _NOISE_LIST.split()


@dataclass(frozen=True)
class Sound:
    """What tells an instrument from its variants."""

    attack_decay: int
    sustain: int  # the usual one; notes may be louder or softer
    release: int
    wave: int  # TRIANGLE, SAW, PULSE or NOISE; 0 for none of them alone


def with_variants(bank: SoundBank, count: int, random: Random) -> SoundBank:
    """Return a sound bank with ``count`` variants of each instrument besides.

    Variant v (1 to ``count``) of instrument i of n has the number ``v * n + i``. ``random`` decides the variants.
    """
    score, own = bank.score, bank.notes
    size = score.instruments
    if not size or not count:
        return bank
    source, onset = _stretches(own, len(bank.frames), count)
    table = np.tile(own, (1 + count, 1))
    table[:, ONSET] = onset
    table[:, INSTRUMENT] += np.repeat(np.arange(1 + count), len(own)) * size
    frames = bank.frames[source]
    for instrument in range(size):
        mine = own[:, INSTRUMENT] == instrument
        attacks = own[mine & (own[:, FLAGS] & ATTACK > 0)]
        if len(attacks):
            usual = _Usual(bank.frames, attacks)
            for variant in range(1, 1 + count):
                changed = _variant(usual, instrument, variant, random)
                for note in table[len(own) * variant : len(own) * (1 + variant)][mine]:
                    _recolour(frames, note, usual.sound, changed)
    columns: dict[str, Any] = {
        name: np.tile(getattr(score, name), 1 + count)
        for name in ("voice", "pitch", "chord", "level", "length", "span", "lead", "flags")
    }
    more = replace(score, **columns, onset=onset, instrument=table[:, INSTRUMENT], frames=len(source))
    fixed = np.tile(bank.fixed, (1 + count, 1))
    return SoundBank(frames, more, table, bank.frequency[source], bank.numbers[source], bank.table, fixed, bank)


def _stretches(notes: Ints, size: int, count: int) -> tuple[Ints, Ints]:
    """Return which of ``size`` frames each frame of the larger bank is taken from, and where its notes begin.

    After the frames themselves follow those of each note alone, with the lead and the frame before it, ``count`` times.
    A note moves by a multiple of PHASES frames, so that arpeggios stay in phase.
    """
    parts, onsets, end = [np.arange(size)], [notes[:, ONSET]], size
    for _ in range(count):
        moved = np.empty(len(notes), dtype=np.int64)
        for place, (onset, lead, span) in enumerate(notes[:, [ONSET, LEAD, SPAN]].tolist()):
            first = max(onset - lead - 1, 0)
            room = (first - end) % PHASES
            parts.append(np.concatenate([np.full(room, first), np.arange(first, onset + span)]))
            moved[place] = end + room + onset - first
            end += len(parts[-1])
        onsets.append(moved)
    return np.concatenate(parts), np.concatenate(onsets)


class _Usual:
    """What is usual for the notes of one instrument. ``attacks``: those of its notes, rows of a note table."""

    def __init__(self, frames: Frames, attacks: Ints) -> None:
        self.sound = _sound_of(frames, attacks)
        self.drum = bool((attacks[:, FLAGS] & UNPITCHED).any())
        lengths = np.where(attacks[:, FLAGS] & HELD > 0, attacks[:, BODY], attacks[:, LENGTH])
        self.gate_frames = int(np.median(lengths))
        widths = frames[attacks[:, ONSET], attacks[:, VOICE] * VOICE_STRIDE + PW_HI] & 15
        self.pulses = bool(((widths >= NARROWEST) & (widths <= WIDEST)).all())  # whether a pulse would be heard


def _variant(usual: _Usual, instrument: int, variant: int, random: Random) -> Sound:
    """Return a variant of an instrument."""
    sound = usual.sound

    def draw(number: int) -> float:
        return random(instrument, variant, number)

    wave = sound.wave
    if not usual.drum and wave in _TONES and draw(0) < NEW_WAVE:
        others = [other for other in _TONES if other != wave and (other != PULSE or usual.pulses)]
        wave = others[int(draw(1) * len(others))]
    envelopes = _NOISE_ENVELOPES if sound.wave == NOISE else _TONE_ENVELOPES
    for number in range(2, 2 + 2 * TRIES, 2):
        value = int(envelopes[int(draw(number) * len(envelopes))], 16)
        kept = draw(number + 1)
        found = Sound(
            sound.attack_decay if kept < SAME_AD else value >> 8,
            value >> 4 & 15,
            sound.release if SAME_AD <= kept < SAME_AD + SAME_RELEASE else value & 15,
            wave,
        )
        if _fits(found, sound, usual.gate_frames) and found != sound:
            return found
    return replace(sound, wave=wave)


def _fits(found: Sound, sound: Sound, gate: int) -> bool:
    """Return whether a note of ``gate`` frames is about as loud with an envelope as with that of ``sound``."""
    attack, decay = found.attack_decay >> 4, found.attack_decay & 15
    if DURING * ATTACK_FRAMES[attack] > max(gate, DURING * ATTACK_FRAMES[sound.attack_decay >> 4]):
        return False
    if abs(found.sustain - sound.sustain) > LOUDEST_STEP or found.release > max(LONGEST_RELEASE, sound.release):
        return False
    lasts = 3 * ATTACK_FRAMES[max(decay, 0 if found.sustain >= AUDIBLE else found.release)]
    return found.sustain >= AUDIBLE or lasts >= min(gate, 3 * ATTACK_FRAMES[sound.attack_decay & 15])


def _sound_of(frames: Frames, attacks: Ints) -> Sound:
    """Return the most frequent envelope and waveform of an instrument's attacks, rows of a note table."""
    settled = np.minimum(attacks[:, ONSET] + np.minimum(attacks[:, BODY] - 1, 1), len(frames) - 1)
    column = attacks[:, VOICE] * VOICE_STRIDE
    values = frames[settled, column + AD].astype(np.int64) << 8 | frames[settled, column + SR]
    envelope = int(np.bincount(values).argmax())
    waves = np.zeros(16, np.int64)
    for note, first in zip(attacks, column.tolist(), strict=True):
        control = frames[note[ONSET] : note[ONSET] + note[BODY], first + CONTROL]
        waves += np.bincount(control[control & GATE > 0] >> 4, minlength=16)
    singles = {wave: int(waves[wave >> 4]) for wave in (*_TONES, NOISE)}
    wave = max(singles, key=lambda wave: singles[wave])
    return Sound(envelope >> 8, envelope >> 4 & 15, envelope & 15, wave if singles[wave] else 0)


def _recolour(frames: Frames, note: Ints, sound: Sound, changed: Sound) -> None:
    """Change the registers of one note, a row of a note table, from an instrument to its variant.

    Values of AD, SR and waveform that are not the instrument's usual ones stay: those of hard restarts, and of noise
    at the beginning of a note. So do differences in loudness between notes.
    """
    first, own_first = note[VOICE] * VOICE_STRIDE, FIRST_CONTROL + note[VOICE]
    rows = frames[max(note[ONSET] - note[LEAD], 0) : note[ONSET] + note[BODY]]
    ad, sr = rows[:, first + AD], rows[:, first + SR]
    ad[ad == sound.attack_decay] = changed.attack_decay
    usual = (sr & 15 == sound.release) & (ad == changed.attack_decay)
    levels = np.clip((sr >> 4).astype(np.int64) + changed.sustain - sound.sustain, 0, 15)
    sr[usual] = (levels << 4 | changed.release)[usual]
    for column in (first + CONTROL, own_first):
        control = rows[:, column]
        waved = control & _WAVES == sound.wave
        if sound.wave:
            control[waved] = control[waved] & ~np.uint8(_WAVES) | changed.wave
