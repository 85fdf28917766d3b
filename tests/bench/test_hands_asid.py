"""The benchmark of ASID: it plays messages on a chip of its own, and finds the take among its frames."""

import numpy as np
import pytest

from sidlive.bench.hands_asid import place, played
from sidlive.chip.registers import PAL, silence
from sidlive.errors import DeviceError
from sidlive.live.outputs.asid import START, STOP, update
from sidlive.live.outputs.asid_stream import AsidStream
from sidlive.live.outputs.chip_stream import DueFrame


def music(count: int) -> np.ndarray:
    frames = silence(count)
    frames[:, 0] = np.arange(count) % 251
    frames[:, 24] = 15
    return frames


def test_messages_are_played_with_their_times_and_others_are_left_out() -> None:
    frames = music(3)
    heard = [(0.0, START), *((0.02 * n, update(row)) for n, row in enumerate(frames)), (1.0, STOP)]
    times, found = played(heard)
    assert times.tolist() == [0.0, 0.02, 0.04] and np.array_equal(found, frames)


def test_a_take_is_found_among_the_frames_that_came_before_it() -> None:
    frames, stream = np.concatenate([silence(40), music(300)]), AsidStream()
    heard = []
    for number, row in enumerate(frames):
        due = DueFrame(row, 0.02 * number, 0.02, "6581", PAL, False)
        heard += [(due.due_s, message) for message in stream.of(due)]
    _, found = played(heard)
    assert place(music(300), found) == 40
    damaged = found.copy()
    damaged[45] = 0
    with pytest.raises(DeviceError, match="the take's first 100 frames are not among the 340"):
        place(music(300), damaged)
