"""Samples to a .flac file: 16 bits, mono."""

import contextlib
import os
from pathlib import Path

from sidlive.chip.sid import SAMPLE_RATE, Samples
from sidlive.errors import DeviceError


def write_flac(path: Path, samples: Samples, sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples int16[n] whole or not at all: an earlier file stays until the new one is complete.

    Raises DeviceError when the file cannot be written, the disk is full or there is no encoder.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise DeviceError(f"{path} cannot be written: no FLAC encoder ({error}): pip install soundfile") from None
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
        draft.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        reason = error.strerror if isinstance(error, OSError) else None
        raise DeviceError(f"{path} cannot be written: {reason or error}") from None
