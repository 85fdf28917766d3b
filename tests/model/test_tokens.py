"""The token language: frames to tokens and back, with one spelling for each frame."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sidlive.chip import registers as sid
from sidlive.chip.registers import Frames
from sidlive.model import tokens as tk

FREQ = int(tk.HI_SLOTS[0])
CUTOFF = int(tk.HI_SLOTS[-1])


def frames_of_frequency(values: list[int]) -> Frames:
    """Make frames in which only voice 1's frequency changes."""
    frames = sid.silence(len(values))
    frames[:, sid.FREQ_LO] = np.array(values) & 255
    frames[:, sid.FREQ_HI] = np.array(values) >> 8
    return frames


def hi_tokens(values: list[int]) -> list[int]:
    """Return the hi tokens of voice 1's frequency."""
    return tk.encode(frames_of_frequency(values))[:, FREQ].tolist()


def test_the_first_rule_that_applies_is_the_spelling() -> None:
    assert hi_tokens([0]) == [tk.KEEP]  # the chip is in reset before
    assert hi_tokens([0x1234, 0x1234]) == [0x12, tk.KEEP]
    # A constant step is RAMP from its second frame on; a turn back is BACK.
    assert hi_tokens([0x1000, 0x1010, 0x1020, 0x1010]) == [0x10, 0x10, tk.RAMP, tk.BACK]
    # A three-note arpeggio: its second round is ECHO3 throughout. Four notes: ECHO4.
    assert hi_tokens([0x1000, 0x1400, 0x1900] * 2)[3:] == [tk.ECHO3] * 3
    assert hi_tokens([0x1000, 0x1300, 0x1900, 0x2000] * 2)[4:] == [tk.ECHO4] * 4
    # A sweep that moves only in every second or third frame.
    assert hi_tokens([0x1000, 0x1020, 0x1020, 0x1040, 0x1040, 0x1060])[2:] == [tk.KEEP, tk.STEP2, tk.KEEP, tk.STEP2]
    assert hi_tokens([0x1000, 0x1020, 0x1020, 0x1020, 0x1040])[4:] == [tk.STEP3]
    # STEP2 comes before STEP3, whatever the last step was.
    assert hi_tokens([0x1000, 0x1010, 0x1030, 0x1040, 0x1060])[3:] == [tk.STEP2, tk.STEP2]
    assert hi_tokens([0x1000, 0x1010, 0x1030, 0x1080, 0x1090])[4:] == [tk.STEP3]
    assert hi_tokens([0x1000, 0xFFE0, 0xFFF0, 0xFFF0, 0x0000])[4:] == [tk.STEP2]


def test_a_ramp_wraps_at_the_range_of_the_quantity() -> None:
    assert hi_tokens([0xFFE0, 0xFFF0, 0x0000]) == [0xFF, 0xFF, tk.RAMP]
    frames = sid.silence(3)
    cutoff = np.array([0x7FE, 0x7FF, 0x000])
    frames[:, sid.CUTOFF_LO], frames[:, sid.CUTOFF_HI] = cutoff & 7, cutoff >> 3
    assert tk.encode(frames)[2, CUTOFF] == tk.RAMP
    frames = sid.silence(3)
    width = np.array([0xFFE, 0xFFF, 0x000])
    frames[:, sid.PW_LO], frames[:, sid.PW_HI] = width & 255, width >> 8
    assert tk.encode(frames)[2, tk.HI_SLOTS[1]] == tk.RAMP


def test_after_a_motion_the_lo_slot_is_silent() -> None:
    tokens = tk.encode(frames_of_frequency([0x1234, 0x1234, 0x1256]))
    assert tokens[:, FREQ + 1].tolist() == [0x34, tk.SKIP, 0x56]


def test_keep_in_first_control_means_the_final_control_value() -> None:
    frames = sid.silence(2)
    frames[:, sid.CONTROL] = (0x41, 0x41)
    frames[:, sid.FIRST_CONTROL] = (0x41, 0x40)
    tokens = tk.encode(frames)
    assert tokens[:, tk.CONTROL].tolist() == [0x41, tk.KEEP]
    assert tokens[:, tk.FIRST_CONTROL].tolist() == [tk.KEEP, 0x40]


@st.composite
def lively_frames(draw: st.DrawFn) -> Frames:
    """Draw random frames with held values, constant steps and arpeggios among them."""
    count = draw(st.integers(1, 24))
    frames = draw(hnp.arrays(np.uint8, (count, sid.COLUMNS))) & sid.USED_BITS
    for row in range(1, count):
        source = draw(st.sampled_from([0, 1, 2, 3, 4, 5]))
        if 0 < source <= row:
            kept = draw(hnp.arrays(np.bool_, sid.COLUMNS))
            frames[row, kept] = frames[row - source, kept]
        elif source == 5 and row > 1:
            frames[row] = (2 * frames[row - 1] - frames[row - 2]) & sid.USED_BITS
    return frames


@settings(max_examples=150, deadline=None)
@given(lively_frames(), st.integers(0, 23))
def test_decode_is_the_inverse_of_encode(frames: Frames, cut: int) -> None:
    tokens = tk.encode(frames)
    assert np.array_equal(tk.decode(tokens), frames)
    cut = min(cut, len(frames) - 1)
    later = tk.encode(frames[cut:], frames[:cut])
    assert np.array_equal(later, tokens[cut:])
    assert np.array_equal(tk.decode(later, frames[:cut]), frames[cut:])


@settings(max_examples=50, deadline=None)
@given(lively_frames())
def test_only_allowed_tokens_are_encoded(frames: Frames) -> None:
    table = np.pad(tk.allowed(), ((0, 0), (0, 1)), constant_values=True)  # SKIP
    table[~tk.IS_LO, tk.SKIP] = False
    tokens = tk.encode(frames)
    assert table[np.arange(tk.SLOTS), tokens].all()


def test_real_tunes_make_the_round_trip(shared) -> None:  # type: ignore[no-untyped-def]
    traces = sorted((shared / "oracle" / "registers").glob("*.npz"))[:20]
    for trace in traces:
        state = np.load(trace)["state"].reshape(-1, sid.REGISTERS)
        frames = np.concatenate([state, state[:, [4, 11, 18]]], axis=1) & sid.USED_BITS
        assert np.array_equal(tk.decode(tk.encode(frames)), frames), trace.name
