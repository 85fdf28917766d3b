"""Sound files that grow: readable after each save, whatever comes then."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sidlive.chip.growing_sound import ENDINGS, GrowingSound
from sidlive.errors import DeviceError


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(count).integers(-3000, 3000, count).astype(np.int16)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_closed_file_holds_all_samples(tmp_path: Path, ending: str) -> None:
    sound = GrowingSound(tmp_path / f"a{ending}", 44100)
    for part in np.split(noise(10_000), [3000, 7000]):
        sound.write(part)
    sound.close()
    written, rate = soundfile.read(sound.path, dtype="int16")
    assert rate == 44100 and np.array_equal(written, noise(10_000)) and sound.saved == 10_000


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_can_be_read_as_it_was_after_a_save_although_it_was_never_closed(tmp_path: Path, ending: str) -> None:
    sound = GrowingSound(tmp_path / f"a{ending}", 48000)
    sound.write(noise(48_000))
    sound.save()
    crashed = tmp_path / f"crashed{ending}"
    shutil.copy(sound.path, crashed)
    written = soundfile.read(crashed, dtype="int16")[0]
    assert len(written) == sound.saved > 48_000 - 4608, "at most the last block of a .flac file is missing"
    assert np.array_equal(written, noise(48_000)[: len(written)])
    sound.write(noise(500))
    sound.close()
    assert np.array_equal(soundfile.read(sound.path, dtype="int16")[0], np.append(noise(48_000), noise(500)))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "full.wav"
    path.symlink_to("/dev/full")
    sound = GrowingSound(path, 48000)
    with pytest.raises(DeviceError, match=r"full\.wav cannot be written: .*; make room or choose another place"):
        for _ in range(100):
            sound.write(noise(48_000))
            sound.save()
    sound.give_up()


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_cannot_be_opened_is_one_line(tmp_path: Path, ending: str) -> None:
    with pytest.raises(DeviceError, match="cannot be written"):
        GrowingSound(tmp_path / "missing" / f"a{ending}", 48000)


@pytest.mark.parametrize("ending", ENDINGS)
def test_giving_up_keeps_what_was_saved_and_deletes_a_file_without_sound(tmp_path: Path, ending: str) -> None:
    sound = GrowingSound(tmp_path / f"a{ending}", 48000)
    sound.give_up()
    assert not sound.path.exists()
    sound = GrowingSound(tmp_path / f"a{ending}", 48000)
    sound.write(noise(20_000))
    sound.save()
    saved = sound.saved
    sound.give_up()
    assert len(soundfile.read(sound.path)[0]) == saved > 15_000


def test_importing_loads_no_encoder() -> None:
    import subprocess

    code = "import sidlive.chip.growing_sound, sys; assert 'soundfile' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
