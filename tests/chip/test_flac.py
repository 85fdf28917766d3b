"""FLAC files hold the samples that were written."""

from pathlib import Path

import numpy as np
import pytest

from sidlive.chip.flac import write_flac
from sidlive.errors import DeviceError


def test_a_written_file_reads_back_as_the_same_samples(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    samples = np.random.default_rng(1).integers(-32768, 32768, 5000).astype(np.int16)
    path = tmp_path / "sound.flac"
    write_flac(path, samples)
    back, rate = soundfile.read(path, dtype="int16")
    assert path.read_bytes()[:4] == b"fLaC" and rate == 48_000 and np.array_equal(back, samples)
    assert [entry.name for entry in tmp_path.iterdir()] == ["sound.flac"]


def test_a_missing_folder_is_a_device_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot be written: No such file or directory"):
        write_flac(tmp_path / "none" / "sound.flac", np.zeros(10, np.int16))
