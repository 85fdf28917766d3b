"""Where a take can go round: the place whose recent past is most like that of its end."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.errors import ControlError

PAST_S: Final = 5.0  # of the music before the seam that is compared
SLACK_S: Final = 2.0  # that the end may give up for a better seam
SHORTEST_S: Final = 2.0  # of a loop
ENOUGH_S: Final = 10.0  # that a loop of a long take lasts at least, and of a shorter one a quarter of it
RUNG_OUT_S: Final = 1.0  # that a stopped take holds still at least; a rest is shorter, or something moves in it
LONGEST_S: Final = 300.0  # that a loop may last
BEATS_A_BAR: Final = 4
_BEAT: Final = 0.15  # of likeness that a loop of whole beats outweighs: music that stumbles is heard first
_BAR: Final = 0.05  # and of whole bars, beside that
_NEARLY: Final = 0.01  # likenesses this near are alike: then the longer loop is taken


@dataclass(frozen=True)
class Seam:
    """After frame ``stop - 1`` the music goes on at ``start``; of the registers before both, ``likeness`` agree."""

    start: int
    stop: int
    likeness: float  # 0 to 1, pitches and gates counting most


def ending(frames: Frames, rate_hz: float) -> int:
    """How many frames there are before the music was stopped: without the second or more at the end in which no key is
    down and no register changes. All of them where it ends otherwise, with a rest or in the middle."""
    controls = [sid.register_of(voice, sid.CONTROL) for voice in range(sid.VOICES)]
    if not len(frames) or (frames[-1, [*controls, *range(sid.FIRST_CONTROL, sid.COLUMNS)]] & sid.GATE).any():
        return len(frames)
    other = np.flatnonzero((frames != frames[-1]).any(axis=1))
    stop = int(other[-1]) + 1 if len(other) else 0
    return stop if stop and len(frames) - stop >= RUNG_OUT_S * rate_hz else len(frames)


def find_seam(frames: Frames, rate_hz: float, beat_frames: int | None = None) -> Seam:
    """The best seam of a loop in ``uint8[T, 28]``; its end is the frames' or up to 2 s before. ControlError: too short.

    Where the beat is known, loops of whole beats come before others that are a little more alike, and whole bars before
    those. Of seams that are about as good the one with the longest loop is taken.
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
    said, weights = _quantities(frames)
    end = said[-past - slack :]
    lags = np.arange(shortest, longest + 1)
    agreed = np.empty((len(lags), slack + 1), dtype=np.int64)
    for row, lag in enumerate(lags):
        agree = (end == said[len(said) - len(end) - lag : len(said) - lag]) @ weights
        total = np.concatenate([[0], np.cumsum(agree)])
        agreed[row] = total[past:] - total[:-past]
    likeness = agreed / (past * int(weights.sum()))
    worth = likeness
    if beat_frames:
        whole = (lags % beat_frames == 0) * _BEAT + (lags % (BEATS_A_BAR * beat_frames) == 0) * _BAR
        worth = likeness + whole[:, None]
    row = int(np.flatnonzero((worth >= worth.max() - _NEARLY).any(axis=1))[-1])
    given_up = int(np.argmax(likeness[row][::-1]))
    stop = len(frames) - given_up
    return Seam(stop - int(lags[row]), stop, float(likeness[row, slack - given_up]))


def _quantities(frames: Frames) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """What a frame says, ``int32[T, 14]``, two registers together; and how much each counts, ``int64[14]``.

    Pulse widths and the cutoff, which players sweep without end, count little.
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
