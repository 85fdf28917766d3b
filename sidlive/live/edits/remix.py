"""Edits on the way to the chip: each frame that is played is changed, and the model does not hear it.

A stream of frames in, a stream of frames out: what an edit must know of earlier frames is kept here. Knows no tape.
"""

from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import GATE, NOISE, VOICES, Frames
from sidlive.live.core.voices import VOICE_COLUMNS, Row
from sidlive.tune.edits import rotate_voices, shifted, swap_voices
from sidlive.tune.shaping.grid import BarGrid
from sidlive.tune.shaping.past_edits import Edits, PastEdit

_LONGEST: Final = 2048  # frames that are kept for echoes
_CONTROLS: Final = [sid.register_of(voice, sid.CONTROL) for voice in range(VOICES)]


class Remix:
    """Changes frame after frame by edits (`edit_list.REMIXED`)."""

    def __init__(self) -> None:
        self._past: deque[Row] = deque(maxlen=_LONGEST)  # frames as they came
        self._was: Row = sid.silence(1)[0]  # the frame before, as it came
        self._places: list[tuple[int, int]] = [(0, -1)] * VOICES  # bar of the last attack, its place in it
        self._left_out: list[Row | None] = [None] * VOICES  # registers of a voice whose note is left out
        self._echoing = [False] * VOICES
        self._prompt: Frames | None = None
        self._inversions: dict[int, object] = {}  # by voice, of the prompt

    def prepare(self, prompt: Frames | None) -> None:
        """Find the pitches of a prompt, of which voices are to be inverted. Takes milliseconds, the first time."""
        if prompt is None or prompt is self._prompt:
            return
        from sidlive.tune.score.extract import score_of  # loads numba
        from sidlive.tune.shaping.pitching import Inversion

        score = score_of(prompt)
        self._inversions = {voice: Inversion.of(score, voice) for voice in range(VOICES)}
        self._tuning_cents = score.tuning_cents
        self._prompt = prompt

    def row(self, row: Row, edits: Edits, frame: int, grid: BarGrid, prompt: Frames | None) -> Row:
        """Return a frame ``uint8[28]``, number ``frame`` of the tape, as the edits change it."""
        self._past.append(row)
        changed = row.copy()
        self._count(row, frame, grid)
        for edit in edits:
            changed = self._edited(changed, edit, grid, prompt)
        self._was = row
        return changed

    def _count(self, row: Row, frame: int, grid: BarGrid) -> None:
        """Note which voices begin a note in this frame, and the note's place in its bar."""
        bar = grid.bar_of(frame)
        for voice in range(VOICES):
            if self._begins(row, self._was, voice):
                last, place = self._places[voice]
                self._places[voice] = bar, place + 1 if bar == last else 0

    @staticmethod
    def _begins(row: Row, was: Row, voice: int) -> bool:
        """Return whether a voice's gate opens in a frame, by the frame before."""
        now, first, before = row[_CONTROLS[voice]], row[sid.first_control_of(voice)], was[_CONTROLS[voice]]
        if now & GATE:
            return not (before & GATE and first & GATE)
        return bool(first & GATE and not before & GATE)

    def _edited(self, row: Row, edit: PastEdit, grid: BarGrid, prompt: Frames | None) -> Row:
        if edit.verb == "rotate":
            return rotate_voices(row[None], int(edit.arguments[0]))[0]
        if edit.verb == "swap":
            return swap_voices(row[None], edit.arguments[0] - 1, edit.arguments[1] - 1)[0]
        if edit.verb == "octave":
            return _shifted(row, edit.arguments[0] - 1, 12.0 * edit.arguments[1])
        if edit.verb == "invert":
            return self._inverted(row, edit.arguments[0] - 1, prompt)
        if edit.verb == "thin":
            return self._thinned(row, float(edit.arguments[0]))
        assert edit.verb == "echo", f"{edit.verb} is no edit on the way to the chip"
        voice, length, to = edit.arguments
        return self._echoed(row, voice - 1, round(grid.span(length)), voice - 1 if to is None else to - 1)

    def _inverted(self, row: Row, voice: int, prompt: Frames | None) -> Row:
        from sidlive.tune.score import melody
        from sidlive.tune.shaping.pitching import Inversion

        self.prepare(prompt)
        inversion = self._inversions.get(voice)
        old = _frequency(row, voice)
        if not isinstance(inversion, Inversion) or not old:
            return row
        number = float(melody.numbers_of(np.array([[old]]), self._tuning_cents)[0, 0])
        nearest = round(number)
        return _shifted(row, voice, inversion.pitch(nearest) - nearest + 2 * (nearest - number))

    def _thinned(self, row: Row, amount: float) -> Row:
        from sidlive.tune.shaping.thinning import stays

        came = self._past[-1]
        for voice in range(VOICES):
            if self._begins(came, self._was, voice):
                self._left_out[voice] = None if stays(self._places[voice][1], amount) else self._was
            if (kept := self._left_out[voice]) is not None:
                row[VOICE_COLUMNS[voice]] = kept[VOICE_COLUMNS[voice]]
                row[_CONTROLS[voice]] &= 0xFF ^ (GATE | sid.TEST)
                row[sid.first_control_of(voice)] = row[_CONTROLS[voice]]
        return row

    def _echoed(self, row: Row, voice: int, delay: int, target: int) -> Row:
        from sidlive.tune.shaping.thinning import echoed_level

        if len(self._past) < delay + 2:
            return row
        late, before = self._past[-1 - delay], self._past[-2 - delay]
        if row[_CONTROLS[target]] & (GATE | sid.TEST):  # the voice has a note of its own
            if self._echoing[target]:  # close the echo's gate first, so that the note has an attack
                row[sid.first_control_of(target)] &= 0xFF ^ GATE
            self._echoing[target] = False
            return row
        if self._begins(late, before, voice):
            self._echoing[target] = True
        if self._echoing[target] and not late[_CONTROLS[voice]] & GATE:
            self._echoing[target] = False
        if self._echoing[target]:
            row[VOICE_COLUMNS[target]] = late[VOICE_COLUMNS[voice]]
            sustain = sid.register_of(target, sid.SR)
            row[sustain] = row[sustain] & 0x0F | echoed_level(int(row[sustain]) >> 4) << 4
        return row


def _frequency(row: Row, voice: int) -> int:
    lo, hi = sid.register_of(voice, sid.FREQ_LO), sid.register_of(voice, sid.FREQ_HI)
    return int(row[hi]) << 8 | int(row[lo])


def _shifted(row: Row, voice: int, semitones: float) -> Row:
    """Shift a voice's pitch; noise stays where it is."""
    if not row[_CONTROLS[voice]] & NOISE:
        frequency: NDArray[np.int64] = shifted(np.array([_frequency(row, voice)]), semitones)
        row[sid.register_of(voice, sid.FREQ_LO)] = frequency[0] & 0xFF
        row[sid.register_of(voice, sid.FREQ_HI)] = frequency[0] >> 8
    return row
