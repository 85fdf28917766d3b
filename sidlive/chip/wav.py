"""Samples to a .wav file: 16 bits, mono."""

import contextlib
import os
import wave
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from sidlive.chip.sid import SAMPLE_RATE, Samples
from sidlive.errors import DeviceError


def write_wav(path: str | Path, blocks: Iterable[Samples], sample_rate: int = SAMPLE_RATE) -> int:
    """Write blocks int16[n], one after another; returns the number of samples.

    The file is made beside ``path`` under another name and takes its place when it is complete, so that what was
    there stays until then. Raises DeviceError when it cannot be written or the disk is full.
    """
    path = Path(path).resolve()
    special = path.exists() and not path.is_file()  # /dev/null is written to, not replaced
    made = path if special else path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            with made.open("wb") as file:
                count = _write(file, blocks, sample_rate)
            if not special:
                made.replace(path)
        except BaseException:
            if not special:
                with contextlib.suppress(OSError):
                    made.unlink()
            raise
    except OSError as error:
        raise DeviceError(f"{path} cannot be written: {error.strerror or error}") from None
    return count


def _write(file: BinaryIO, blocks: Iterable[Samples], sample_rate: int) -> int:
    count = 0
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(sample_rate)
        for block in blocks:
            sound.writeframes(block.astype("<i2", copy=False).tobytes())
            count += len(block)
    return count
