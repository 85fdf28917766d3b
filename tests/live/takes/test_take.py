"""The take on disk: it survives any crash, and on a full disk the performer gets one notice."""

from pathlib import Path

import numpy as np
import pytest

from sidlive.chip.registers import COLUMNS, Frames
from sidlive.errors import DeviceError, TuneError
from sidlive.live.takes.take import Take, read_take


def some_frames(count: int) -> Frames:
    return np.random.default_rng(count).integers(0, 256, (count, COLUMNS), dtype=np.uint8)


def played(folder: Path | None, frames: Frames) -> Take:
    take = Take(folder, {"chip": "6581"})
    for number, row in enumerate(frames):
        if number % 10 == 0:
            take.event("set", "temperature", number)
        take.append(row)
    return take


def test_what_was_played_is_read_back(tmp_path: Path) -> None:
    frames = some_frames(7000)
    take = played(tmp_path / "take", frames)
    take.flush()
    log = read_take(tmp_path / "take")
    assert np.array_equal(log.frames, frames)
    assert log.header["chip"] == "6581"
    assert log.events[3] == {"frame": 30, "verb": "set", "arguments": ["temperature", 30]}


def test_each_flush_adds_what_is_new(tmp_path: Path) -> None:
    frames = some_frames(50)
    take = Take(tmp_path / "take", {})
    for row in frames:
        take.append(row)
        take.event("mute", 1)
        take.flush()
    log = read_take(tmp_path / "take")
    assert np.array_equal(log.frames, frames) and len(log.events) == 50


def test_any_range_of_frames_can_be_read_from_memory(tmp_path: Path) -> None:
    frames = some_frames(6500)
    take = played(None, frames)
    for start, stop in ((0, None), (0, 10), (2990, 3010), (3000, 6000), (6499, 6600), (10, 10)):
        assert np.array_equal(take.frames(start, stop), frames[start:stop])


def test_a_take_truncated_at_any_byte_is_readable(tmp_path: Path) -> None:
    frames = some_frames(21)
    played(tmp_path / "take", frames).flush()
    whole = read_take(tmp_path / "take")
    raw, log = ((tmp_path / "take" / name).read_bytes() for name in ("frames.bin", "log.jsonl"))
    for kept in range(len(log) + 1):
        (tmp_path / "take" / "frames.bin").write_bytes(raw[:kept])
        (tmp_path / "take" / "log.jsonl").write_bytes(log[:kept])
        cut = read_take(tmp_path / "take")
        lines = log[: kept + 1].count(b"\n")  # a line that has lost only its newline still counts
        assert np.array_equal(cut.frames, frames[: kept // COLUMNS])
        assert cut.header == (whole.header if lines else {})
        assert cut.events == whole.events[: max(0, lines - 1)]


def test_a_take_never_writes_over_another(tmp_path: Path) -> None:
    for count in (1, 2, 3):
        played(tmp_path / "take", some_frames(count)).flush()
    assert [len(read_take(tmp_path / name).frames) for name in ("take", "take-2", "take-3")] == [1, 2, 3]


def test_nothing_played_leaves_nothing_behind(tmp_path: Path) -> None:
    take = Take(tmp_path / "take", {})
    take.event("set", "temperature", 1)
    take.flush()
    assert not (tmp_path / "take").exists()


def test_a_write_error_is_reported_once_and_no_frame_is_lost(tmp_path: Path) -> None:
    (tmp_path / "takes").write_text("a file where the folder should be")
    frames = some_frames(30)
    take = played(tmp_path / "takes" / "take", frames)
    with pytest.raises(DeviceError, match="the music goes on"):
        take.flush()
    take.flush()
    assert take.folder is None
    assert np.array_equal(take.frames(), frames)


def test_a_full_disk(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    take = played(tmp_path / "take", some_frames(5))
    take.flush()
    (tmp_path / "take" / "frames.bin").unlink()
    (tmp_path / "take" / "frames.bin").symlink_to(full)
    take.append(some_frames(1)[0])
    with pytest.raises(DeviceError, match="No space left"):
        take.flush()


def test_a_missing_take_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match="no take in"):
        read_take(tmp_path)
