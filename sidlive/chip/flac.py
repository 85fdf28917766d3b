"""Write samples to a .flac file: 16 bits, mono."""

from pathlib import Path

from sidlive.chip.sid import SAMPLE_RATE, Samples
from sidlive.errors import DeviceError
from sidlive.writing import WholeFile


def write_flac(path: Path, samples: Samples, sample_rate: int = SAMPLE_RATE) -> None:
    """Write samples int16[n] to a file, completely or not at all, see `WholeFile`.

    Raises DeviceError if the file cannot be written, the disk is full or there is no encoder.
    """
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise DeviceError(f"{path} cannot be written: no FLAC encoder ({error}): pip install soundfile") from None
    try:
        with WholeFile(path) as file:
            soundfile.write(file, samples, sample_rate, format="FLAC", subtype="PCM_16")
    except soundfile.LibsndfileError as error:
        raise DeviceError(f"{path} cannot be written: {error}") from None
