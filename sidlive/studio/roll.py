"""Frames as musical features: notes, gates, waveforms, pulse widths, the filter, estimated envelopes.

Pure numpy over a sliding window of the tape; only changed frames are computed again. Knows nothing of screens.
"""

import math
from collections import deque
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.pitch import frequencies, notes_of
from sidlive.chip.registers import PAL, Frames, VideoTiming

NO_WAVE, TRIANGLE, SAW, PULSE, NOISE, MIXED = range(6)
WAVE_NAMES: Final = ("---", "TRI", "SAW", "PUL", "NOI", "MIX")
FILTER_OFF, LOW_PASS, BAND_PASS, HIGH_PASS, FILTER_MIXED = range(5)
FILTER_NAMES: Final = ("off", "LP", "BP", "HP", "mix")
NOTE_NAMES: Final = ("C-", "C#", "D-", "D#", "E-", "F-", "F#", "G-", "G#", "A-", "A#", "B-")

# Envelope times in ms, attack and decay/release rates 0-15 (MOS 6581 data sheet, 1982).
ATTACK_MS: Final = (2, 8, 16, 24, 38, 56, 68, 80, 100, 250, 500, 800, 1000, 3000, 5000, 8000)
DECAY_MS: Final = tuple(3 * ms for ms in ATTACK_MS)

MAX_PASSED: Final = 25  # two futures are compared if at most this number of frames was played between them
AUDIBLE: Final = 0.02  # envelope level, 0 to 1: softer notes are not shown
NAMED_BY: Final = 8  # a note gets its name from this number of frames at its start
STEADY: Final = 5  # frames that a pitch must last before and after a step for the step to be a note

# Bits 4-7 of a control register -> waveform.
_WAVE_OF: Final = np.full(16, MIXED, dtype=np.uint8)
_WAVE_OF[[0, 1, 2, 4, 8]] = NO_WAVE, TRIANGLE, SAW, PULSE, NOISE
# Bits 4-6 of $D418 -> filter mode.
_MODE_OF: Final = np.full(8, FILTER_MIXED, dtype=np.uint8)
_MODE_OF[[0, 1, 2, 4]] = FILTER_OFF, LOW_PASS, BAND_PASS, HIGH_PASS


def note_name(pitch: float) -> str:
    """Return a MIDI note's name in three characters: ``C-4`` for 60."""
    note = round(pitch)
    return f"{NOTE_NAMES[note % 12]}{max(note // 12 - 1, 0)}"


@dataclass
class Features:
    """The features of T frames, a row for each frame; voices are columns 0 to 2."""

    pitch: NDArray[np.float32]  # [T, 3] MIDI notes with fractions; NaN where the frequency is 0
    wave: NDArray[np.uint8]  # [T, 3] NO_WAVE..MIXED
    gate: NDArray[np.bool_]  # [T, 3]
    onset: NDArray[np.bool_]  # [T, 3] a gate opened during this frame; it may be closed again at its end
    width: NDArray[np.float32]  # [T, 3] pulse width, 0-1
    level: NDArray[np.float32]  # [T, 3] estimated envelope, 0-1
    rising: NDArray[np.bool_]  # [T, 3] the envelope is still in its attack
    cutoff: NDArray[np.float32]  # [T] 0-1
    resonance: NDArray[np.uint8]  # [T] 0-15
    mode: NDArray[np.uint8]  # [T] FILTER_OFF..FILTER_MIXED
    routed: NDArray[np.bool_]  # [T, 3] voice goes through the filter
    volume: NDArray[np.uint8]  # [T] 0-15

    def __len__(self) -> int:
        return len(self.volume)

    def window(self, first: int, last: int) -> "Features":
        """Return rows ``first`` to ``last`` (exclusive), as views."""
        return Features(*(getattr(self, field.name)[first:last] for field in fields(self)))


def read(frames: Frames, before: Features | None = None, timing: VideoTiming = PAL, rate_hz: float = 0.0) -> Features:
    """Return the features of ``frames[T, 28]``, which follow the last row of ``before`` (None: silence).

    ``rate_hz``: frames a second; 0: the rate of the video standard.
    """
    count = len(frames)
    voices = frames[:, : 3 * sid.VOICE_STRIDE].reshape(count, 3, sid.VOICE_STRIDE)
    control = voices[:, :, sid.CONTROL]
    wave = _WAVE_OF[control >> 4]
    wave[(control & sid.TEST) > 0] = NO_WAVE
    gate = (control & sid.GATE) > 0
    first_gate = (frames[:, sid.FIRST_CONTROL :] & sid.GATE) > 0
    earlier = np.vstack([before.gate[-1:] if before is not None and len(before) else np.zeros((1, 3), bool), gate[:-1]])
    onset = (first_gate & ~earlier) | (gate & ~first_gate)  # opened by the frame's first write or by its last
    level, rising = _envelopes(voices, gate, onset, before, rate_hz or timing.rate_hz)
    common = frames[:, sid.CUTOFF_LO : sid.REGISTERS]
    return Features(
        pitch=notes_of(frequencies(frames), timing).astype(np.float32),
        wave=wave,
        gate=gate,
        onset=onset,
        width=((voices[:, :, sid.PW_HI] & 15) * np.float32(256) + voices[:, :, sid.PW_LO]) / np.float32(4096),
        level=level,
        rising=rising,
        cutoff=((common[:, 1] * np.float32(8) + (common[:, 0] & 7)) / np.float32(2048)).astype(np.float32),
        resonance=(common[:, 2] >> 4).astype(np.uint8),
        mode=_MODE_OF[(common[:, 3] >> 4) & 7],
        routed=(common[:, 2:3] & np.array([1, 2, 4], np.uint8)) > 0,
        volume=(common[:, 3] & 15).astype(np.uint8),
    )


def _envelopes(
    voices: NDArray[np.uint8],
    gate: NDArray[np.bool_],
    onset: NDArray[np.bool_],
    before: Features | None,
    rate_hz: float,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return levels (0 to 1) and whether they rise, both [T, 3]: linear attack, exponential decay and release."""
    count = len(gate)
    level = np.zeros((count, 3), np.float32)
    rising = np.zeros((count, 3), bool)
    frame_ms = 1000 / rate_hz
    for voice in range(3):
        now, up = 0.0, False
        if before is not None and len(before):
            now, up = float(before.level[-1, voice]), bool(before.rising[-1, voice])
        rates = voices[:, voice, sid.AD : sid.SR + 1].tolist()
        for t, (is_on, starts) in enumerate(zip(gate[:, voice].tolist(), onset[:, voice].tolist(), strict=True)):
            ad, sr = rates[t]
            up = up or starts
            if up:
                now += frame_ms / ATTACK_MS[ad >> 4]
                if now >= 1:
                    now, up = 1.0, False
                up = up and is_on
            elif is_on:
                now = max(min(now, (sr >> 4) / 15), now * math.exp(-4 * frame_ms / DECAY_MS[ad & 15]))
            else:
                now *= math.exp(-4 * frame_ms / DECAY_MS[sr & 15])
            level[t, voice], rising[t, voice] = now, up
    return level, rising


def onset_label(features: Features, at: int, voice: int) -> str:
    """Return the name of the note that starts at row ``at``; ``▒`` for noise, ``""`` if there is no sound.

    Drums and attacks often begin with a frame of another sound, so the most common pitch of the first NAMED_BY frames
    decides; of equally common ones the lowest, which is the root of most arpeggios.
    """
    later = np.flatnonzero(features.onset[at + 1 : at + NAMED_BY, voice])
    end = at + 1 + int(later[0]) if len(later) else at + NAMED_BY
    wave, pitch = features.wave[at:end, voice], features.pitch[at:end, voice]
    tonal = (wave != NO_WAVE) & (wave != NOISE) & ~np.isnan(pitch)
    noisy = int((wave == NOISE).sum())
    if tonal.sum() <= noisy:
        return "▒" if noisy else ""
    notes, counts = np.unique(np.round(pitch[tonal]), return_counts=True)
    return note_name(float(notes[np.argmax(counts)]))


def note_starts(features: Features, voice: int, steady: int = STEADY) -> NDArray[np.intp]:
    """Return the rows where notes begin: gates that open, and steps between steady pitches under an open gate."""
    starts = features.onset[:, voice].copy()
    pitch = features.pitch[:, voice]
    notes = np.round(np.nan_to_num(pitch))
    edges = np.flatnonzero(
        np.diff(notes, prepend=np.nan, append=np.nan) != 0
    )  # the start of each run of equal notes, and the end
    runs = np.diff(edges)
    legato = edges[1:-1][(runs[1:] >= steady) & (runs[:-1] >= steady)]
    tonal = features.gate[:, voice] & (features.wave[:, voice] != NOISE) & (features.wave[:, voice] != NO_WAVE)
    legato = legato[tonal[legato] & tonal[legato - 1]]
    for at in legato.tolist():
        starts[at] |= not starts[max(0, at - steady) : at + steady].any()
    return np.flatnonzero(starts)


class Roll:
    """A window of the tape and its features. An update computes only what changed."""

    def __init__(self, timing: VideoTiming = PAL, rate_hz: float = 0.0) -> None:
        self.timing, self.rate_hz = timing, rate_hz
        self.start = 0  # number of the frame in row 0
        self.frames: Frames = sid.silence(0)
        self.features = read(self.frames)
        self._now = 0  # index of the row that plays next
        self._notes: tuple[list[tuple[int, str, int]], ...] = ([], [], [])
        self.cuts: deque[int] = deque(maxlen=16)  # frames from which on a future that was shown was generated again

    def tuned(self, timing: str, rate_hz: float) -> None:
        """Set the video standard, by name, and the frame rate."""
        standard = sid.NTSC if timing == sid.NTSC.name else PAL
        if (standard, rate_hz) != (self.timing, self.rate_hz):
            self.timing, self.rate_hz = standard, rate_hz
            self.frames = sid.silence(0)

    @property
    def end(self) -> int:
        """Number of the frame after the last row."""
        return self.start + len(self.frames)

    def show(self, first: int, frames: Frames, now: int = 0) -> int:
        """Move the window to ``frames[T, 28]``, which begin with frame number ``first``; return the rows computed.

        Rows before index ``now`` were heard. They may differ from the future that was shown (a voice was muted since).
        If the future differs from the one shown before, it was generated again: the frame is added to ``cuts``.
        """
        shift = first - self.start
        kept = 0
        if 0 <= shift < len(self.frames):
            old = self.frames[shift:]
            common = min(len(old), len(frames))
            differ = (old[:common] != frames[:common]).any(axis=1)
            kept = int(np.argmax(differ)) if differ.any() else common
        if kept:
            past = self.features.window(shift, shift + kept)
            fresh = read(frames[kept:], past, self.timing, self.rate_hz)
            parts = [(getattr(past, f.name), getattr(fresh, f.name)) for f in fields(Features)]
            self.features = Features(*(np.concatenate(pair) for pair in parts))
        else:
            self.features = read(frames, None, self.timing, self.rate_hz)
        self._note_cut(first, frames, now)
        fresh_from = first + kept
        self.start, self.frames = first, frames.copy()
        if kept < len(frames):
            self._find_notes(fresh_from)
        return len(frames) - kept

    def notes(self, voice: int) -> list[tuple[int, str, int]]:
        """Return a voice's notes in order: number of the first frame, label, waveform."""
        return self._notes[voice]

    def _find_notes(self, fresh_from: int) -> None:
        """Find the notes that may have changed with the frames from ``fresh_from`` on; keep the earlier ones."""
        begin = max(self.start, fresh_from - NAMED_BY)
        lead = max(begin - STEADY - 1, self.start)
        part = self.features.window(lead - self.start, len(self.features))
        for voice in range(3):
            notes = [note for note in self._notes[voice] if self.start <= note[0] < begin]
            for at in note_starts(part, voice).tolist():
                if lead + at >= begin and part.level[at : at + 3, voice].max() > AUDIBLE:
                    label = onset_label(part, at, voice)
                    wave = NOISE if label == "▒" else int(np.bincount(part.wave[at : at + 4, voice]).argmax())
                    notes.append((lead + at, label, wave))
            self._notes[voice][:] = notes

    def _note_cut(self, first: int, frames: Frames, now: int) -> None:
        """Add a cut if the future differs from the one shown before. A tape that only waited some frames has no cut."""
        expected_future = self.frames[self._now :]
        passed = first + now - (self.start + self._now)
        future = frames[now:]
        self._now = now
        if not 0 <= passed <= MAX_PASSED:
            return
        for shift in range(passed, -1, -1):
            expected = expected_future[shift : shift + len(future)]
            differ = (expected != future[: len(expected)]).any(axis=1)
            if not differ.any():
                return
            if shift == passed:
                cut = first + now + int(np.argmax(differ))
        self.cuts.append(cut)
