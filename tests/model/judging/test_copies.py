"""The search for copied runs of frames: it finds runs put there on purpose, and agrees with a simple search."""

import numpy as np
import pytest
from engines import tune

from sidlive.chip import registers as sid
from sidlive.model.judging.copies import longest_copies, longest_voice_copies
from sidlive.model.judging.measures import note_starts


def lively(count: int, seed: int) -> sid.Frames:
    """Return frames that differ from those of other seeds, with a note in every second one."""
    frames = tune(count, seed)
    frames[:, sid.register_of(0, sid.PW_LO)] = np.random.default_rng(seed).integers(0, 256, count)
    frames[:, sid.register_of(0, sid.CONTROL)] = frames[:, sid.first_control_of(0)] = 0x40 + np.arange(count) % 2
    return frames


def slow(piece: sid.Frames, source: sid.Frames) -> int:
    """Find the longest common run by trying all pairs of frames."""
    best = 0
    for i in range(len(piece)):
        for j in range(len(source)):
            count = 0
            while i + count < len(piece) and j + count < len(source) and (piece[i + count] == source[j + count]).all():
                count += 1
            opened = piece[:, sid.register_of(0, sid.CONTROL)] & 1
            if count > best and (opened[max(i, 1) : i + count] > opened[max(i, 1) - 1 : i + count - 1]).any():
                best = count
    return best


def test_a_run_that_was_put_there_is_found_with_its_length() -> None:
    sources = [lively(300, seed) for seed in range(3)]
    pieces = [lively(200, seed) for seed in range(10, 14)]
    pieces[0][50:137] = sources[1][100:187]
    pieces[1][:40] = sources[2][-40:]  # at the very ends
    pieces[2][-33:] = sources[0][:33]
    assert longest_copies(pieces, sources).tolist() == [87, 40, 33, 0]


def test_a_run_is_not_joined_across_tunes() -> None:
    whole = lively(100, 1)
    assert longest_copies([whole], [whole[:60], whole[60:]]).tolist() == [60]
    assert longest_copies([whole[:60], whole[60:]], [whole]).tolist() == [60, 40]


def test_a_single_different_byte_ends_a_run() -> None:
    whole = lively(100, 1)
    for column in (0, 8, sid.MODE_VOL, sid.COLUMNS - 1):
        other = whole.copy()
        other[30, column] ^= 2
        assert longest_copies([other], [whole]).tolist() == [69]


def test_held_notes_and_silence_are_not_copies() -> None:
    still = sid.silence(50)
    still[:, [sid.register_of(0, sid.CONTROL), sid.first_control_of(0)]] = sid.PULSE | sid.GATE  # it stays open
    assert longest_copies([sid.silence(50), still], [sid.silence(900), still]).tolist() == [0, 0]


@pytest.mark.parametrize("seed", range(6))
def test_the_result_is_that_of_a_plain_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    words = lively(6, seed)  # few different frames, so that runs abound and overlap
    piece, source = words[rng.integers(0, 6, 60)], words[rng.integers(0, 6, 80)]
    assert longest_copies([piece], [source]).tolist() == [slow(piece, source)]


def test_without_pieces_or_sources_there_are_no_copies() -> None:
    assert longest_copies([lively(9, 1)], []).tolist() == [0]
    assert longest_copies([], [lively(9, 1)]).tolist() == []
    assert longest_copies([sid.silence(0)], [lively(9, 1)]).tolist() == [0]


def riff(count: int, seed: int) -> sid.Frames:
    """Play notes of 4 to 9 frames in three voices, at pitches of this seed alone; the gate closes in the last frame."""
    rng = np.random.default_rng(seed)
    frames = sid.silence(count)
    for voice in range(sid.VOICES):
        t = 0
        while t < count:
            length = int(rng.integers(4, 10))
            note = frames[t : t + length]
            note[:, sid.register_of(voice, sid.FREQ_LO)] = rng.integers(32) * 8 + seed
            note[:, sid.register_of(voice, sid.FREQ_HI)] = rng.integers(1, 256)
            note[:, sid.register_of(voice, sid.CONTROL)] = sid.SAW | sid.GATE
            note[length - 1 :, sid.register_of(voice, sid.CONTROL)] = sid.SAW
            t += length
        frames[:, sid.first_control_of(voice)] = frames[:, sid.register_of(voice, sid.CONTROL)]
    return frames


def hand_over(piece: sid.Frames, to: int, source: sid.Frames, by: int) -> None:
    """Copy voice ``by`` of a source to voice ``to`` of a piece, without its pulse width."""
    for offset in (sid.FREQ_LO, sid.FREQ_HI, sid.CONTROL, sid.AD, sid.SR):
        piece[:, sid.register_of(to, offset)] = source[:, sid.register_of(by, offset)]
    piece[:, sid.first_control_of(to)] = source[:, sid.first_control_of(by)]


def test_a_copied_part_is_found_in_any_voice_whatever_the_others_play() -> None:
    piece, source = riff(200, 1), riff(300, 2)
    starts = np.flatnonzero(note_starts(source)[:, 0])
    begin, end = starts[10], starts[20]
    hand_over(piece[20 : 20 + end - begin + 1], 2, source[begin : end + 1], 0)
    piece[19, [sid.register_of(2, sid.CONTROL), sid.first_control_of(2)]] = sid.SAW
    long = end - begin + 1
    assert longest_voice_copies([piece, riff(200, 3)], [riff(300, 4), source]).tolist() == [long, 0]
    piece[:, sid.register_of(2, sid.PW_LO)] = np.arange(200)
    piece[:, sid.CUTOFF_HI] = np.arange(200)
    assert longest_copies([piece], [source]).tolist() == [0]
    assert longest_voice_copies([piece], [source]).tolist() == [long]


def test_frames_that_hold_the_last_copied_note_do_not_count() -> None:
    piece = sid.silence(100)
    for column in (sid.register_of(1, sid.CONTROL), sid.first_control_of(1)):
        piece[10:, column] = sid.SAW | sid.GATE
    assert longest_voice_copies([piece], [piece]).tolist() == [1]
    assert longest_voice_copies([sid.silence(100)], [piece]).tolist() == [0]
    assert longest_voice_copies([piece], []).tolist() == [0] and longest_voice_copies([], [piece]).tolist() == []
