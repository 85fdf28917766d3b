"""Finds the seam of a loop: the place in a take where the music before it is most like the music before the end."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import ControlError
from sidlive.tune.beat import Beat

PAST_S: Final = 5.0  # length of music before the seam that is compared
SLACK_S: Final = 2.0  # longest part that may be cut off the end for a better seam
SHORTEST_S: Final = 2.0  # shortest loop
ENOUGH_S: Final = 10.0  # shortest loop of a long take; a shorter take needs a loop of a quarter of its length
RUNG_OUT_S: Final = (
    1.0  # shortest stillness after a stop; rests inside music are shorter, or some register moves in them
)
LONGEST_S: Final = 300.0  # longest loop
_BEAT: Final = 0.15  # bonus in likeness for a loop of whole beats: a broken beat is heard first
_BAR: Final = 0.05  # further bonus in likeness for a loop of whole bars
_NEARLY: Final = 0.01  # loops whose likeness differs by no more count as equal: the longest wins


@dataclass(frozen=True)
class Seam:
    """Seam of a loop: after frame ``stop`` - 1 the music continues at ``start``."""

    start: int
    stop: int
    likeness: float  # share of registers that agree before ``start`` and ``stop``, 0 to 1; pitches and gates count most


def ending(frames: Frames, rate_hz: float) -> int:
    """Return the frame where the music was stopped: a second or more without open gates and changes follows to the end.

    Return the length of ``frames`` if the take ends in any other way, with a short rest or within the music.
    """
    controls = [sid.register_of(voice, sid.CONTROL) for voice in range(sid.VOICES)]
    if not len(frames) or (frames[-1, [*controls, *range(sid.FIRST_CONTROL, sid.COLUMNS)]] & sid.GATE).any():
        return len(frames)
    other = np.flatnonzero((frames != frames[-1]).any(axis=1))
    stop = int(other[-1]) + 1 if len(other) else 0
    return stop if stop and len(frames) - stop >= RUNG_OUT_S * rate_hz else len(frames)


def find_seam(frames: Frames, rate_hz: float, beat: Beat | None = None) -> Seam:
    """Find the best seam of a loop in ``frames`` uint8[T, 28]. The loop ends with the frames or up to 2 s before.

    If the beat is known, a loop of whole beats or bars is preferred, even if another loop is a little more alike. Of
    seams that are about equally good, the longest loop wins. Raises ControlError if the frames are too short.
    """
    past, slack, shortest, enough = (round(seconds * rate_hz) for seconds in (PAST_S, SLACK_S, SHORTEST_S, ENOUGH_S))
    shortest = max(shortest, min(enough, len(frames) // 4))
    past = min(past, len(frames) // 3)
    slack = min(slack, len(frames) // 6)
    longest = min(len(frames) - past - slack, round(LONGEST_S * rate_hz))
    if longest < shortest:
        raise ControlError(
            f"{len(frames) / rate_hz:.1f} s are too short to find a loop in: expected {2 * SHORTEST_S:.0f} s or more;"
            " say where with loop(0)"
        )
    values, weights = _quantities(frames)
    end = values[-past - slack :]
    lags = np.arange(shortest, longest + 1)
    agreed = np.empty((len(lags), slack + 1), dtype=np.int64)
    for row, lag in enumerate(lags):
        agree = (end == values[len(values) - len(end) - lag : len(values) - lag]) @ weights
        total = np.concatenate([[0], np.cumsum(agree)])
        agreed[row] = total[past:] - total[:-past]
    likeness = agreed / (past * int(weights.sum()))
    worth = likeness
    if beat is not None:
        whole = _multiples(lags, beat.frames) * _BEAT + _multiples(lags, beat.bar_frames) * _BAR
        worth = likeness + whole[:, None]
    row = int(np.flatnonzero((worth >= worth.max() - _NEARLY).any(axis=1))[-1])
    given_up = int(np.argmax(likeness[row][::-1]))
    stop = len(frames) - given_up
    return Seam(stop - int(lags[row]), stop, float(likeness[row, slack - given_up]))


def _multiples(lags: NDArray[np.int64], length: float) -> NDArray[np.bool_]:
    """Return whether each lag is, to the nearest frame, a whole number of times ``length``."""
    nearest: NDArray[np.bool_] = lags == np.rint(np.rint(lags / length) * length)
    return nearest


def _quantities(frames: Frames) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return pairs of registers as numbers, int32[T, 14], and their weights, int64[14].

    Pulse widths and the cutoff have little weight: many players sweep them without end.
    """
    pairs: list[tuple[int, int, int]] = []
    for voice in range(sid.VOICES):
        base = voice * sid.VOICE_STRIDE
        pairs += [
            (base + sid.FREQ_LO, base + sid.FREQ_HI, 8),
            (base + sid.CONTROL, sid.first_control_of(voice), 8),
            (base + sid.AD, base + sid.SR, 4),
            (base + sid.PW_LO, base + sid.PW_HI, 1),
        ]
    pairs += [(sid.CUTOFF_LO, sid.CUTOFF_HI, 1), (sid.RES_ROUTE, sid.MODE_VOL, 4)]
    columns = [frames[:, lo].astype(np.int32) | frames[:, hi].astype(np.int32) << 8 for lo, hi, _ in pairs]
    return np.stack(columns, axis=1), np.array([weight for *_, weight in pairs])
