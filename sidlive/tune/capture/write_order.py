"""Whether a tune writes a voice's control before its envelope or after it, which its frames do not say.

Most tunes write AD and SR first; one in eight opens the gate and writes them then. It is a few cycles' difference, but
at the end of one note and the beginning of the next the envelope counts on with the rates it has, and whether it comes
around in time or 33 ms late is decided there. So replay does as the tune does.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import AD, CONTROL, GATE, SR, VOICES, register_of
from sidlive.errors import TuneError
from sidlive.tune.capture.trace import events
from sidlive.tune.psid import Tune

WATCHED_S: Final = 20.0
NEAR: Final = 1000  # cycles between writes that belong together: a play call has 1,145 on average
FEWEST: Final = 3  # notes that must agree

ORDERS: Final = ("envelope first", "control first")  # for people and files
META: Final = "writes"  # under which an .npz says it, where control comes first

Times = NDArray[np.int64]


def writes_control_first(tune: Tune, song: int | None = None) -> bool:
    """Whether at most of a song's attacks whose envelope is written too, all of that is written after the gate opens.

    False for a song that cannot be watched for so long.
    """
    try:
        log, _ = events(tune, song, int(WATCHED_S * tune.timing.clock_hz))
    except TuneError:
        return False
    before = after = 0
    for voice in range(VOICES):
        values, opened = _changes(log, register_of(voice, CONTROL))
        gates = np.append(0, values & GATE)
        attacks = opened[gates[1:] > gates[:-1]]
        envelope = np.sort(np.concatenate([_changes(log, register_of(voice, offset))[1] for offset in (AD, SR)]))
        ahead = _any_between(envelope, attacks - NEAR, attacks)
        behind = _any_between(envelope, attacks, attacks + NEAR)
        before += int(ahead.sum())
        after += int((behind & ~ahead).sum())
    return after >= FEWEST and after > before


def control_first_to_meta(control_first: bool) -> dict[str, str]:
    """Return the texts that a file of frames keeps about the order. Inverse: `control_first_from_meta`."""
    return {META: ORDERS[True]} if control_first else {}


def control_first_from_meta(meta: dict[str, str]) -> bool:
    """Return whether the texts of a file of frames say that control comes first. Inverse: `control_first_to_meta`."""
    return meta.get(META) == ORDERS[True]


def _changes(log: NDArray[np.int64], register: int) -> tuple[NDArray[np.int64], Times]:
    """What a register is changed to, and when."""
    writes = log[log[:, 1] == register]
    writes = writes[np.diff(writes[:, 2], prepend=0) != 0]
    return writes[:, 2], writes[:, 0]


def _any_between(times: Times, start: Times, stop: Times) -> NDArray[np.bool_]:
    """Whether there is one of the sorted times in each of the spans."""
    return np.searchsorted(times, stop) > np.searchsorted(times, start)
