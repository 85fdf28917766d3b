"""Write order of a tune: whether it writes a voice's control before or after its envelope. Frames do not hold this.

Most tunes write AD and SR first; one in eight opens the gate first. The difference is a few cycles. But between two
notes the envelope's rate counter keeps running at the rate that is set, and those cycles decide whether the attack
starts in time or 33 ms late (the "ADSR bug"). So playback writes in the tune's order.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import AD, CONTROL, GATE, SR, VOICES, register_of
from sidlive.errors import TuneError
from sidlive.tune.formats.psid import Tune

WATCHED_S: Final = 20.0  # length of music that is looked at
NEAR: Final = 1000  # cycles within which writes belong to the same note; an average play call takes 1,145
FEWEST: Final = 3  # notes with control first that are needed to conclude it

ORDERS: Final = ("envelope first", "control first")  # texts for users and files, indexed by control_first
META: Final = "writes"  # name of the text in an .npz file; only written if control comes first

Times = NDArray[np.int64]


def writes_control_first(tune: Tune, song: int | None = None) -> bool:
    """Return whether most of a song's notes open the gate first and write the envelope afterwards.

    Only notes that write the envelope count. False for a song whose processor jams.
    """
    from sidlive.tune.capture.trace import events

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
    """Return the values to which a register changes and the cycles of these changes, int64[n] each."""
    writes = log[log[:, 1] == register]
    writes = writes[np.diff(writes[:, 2], prepend=0) != 0]
    return writes[:, 2], writes[:, 0]


def _any_between(times: Times, start: Times, stop: Times) -> NDArray[np.bool_]:
    """Return bool[n]: whether one of the sorted ``times`` lies in each span from ``start`` to ``stop``."""
    return np.searchsorted(times, stop) > np.searchsorted(times, start)
