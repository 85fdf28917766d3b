"""Write samples to a .wav file: 16 bits, mono."""

import contextlib
import wave
from pathlib import Path
from types import TracebackType

from sidlive.chip.sid import SAMPLE_RATE, Samples
from sidlive.writing import WholeFile


class WavFile:
    """A .wav file that is written block by block, completely or not at all, see `WholeFile`.

    Every method raises DeviceError if the file cannot be written or the disk is full.
    """

    def __init__(self, path: str | Path, sample_rate: int = SAMPLE_RATE) -> None:
        self._whole = WholeFile(path)
        self.samples = 0  # number of samples written so far
        self._sound = wave.open(self._whole.file, "wb")  # noqa: SIM115
        self._sound.setnchannels(1)
        self._sound.setsampwidth(2)
        self._sound.setframerate(sample_rate)

    @property
    def path(self) -> Path:
        return self._whole.path

    def write(self, block: Samples) -> None:
        """Append a block of samples, int16[n]."""
        try:
            self._sound.writeframes(block.astype("<i2", copy=False).tobytes())
        except OSError as error:
            raise self._whole.trouble(error) from None
        self.samples += len(block)

    def close(self) -> None:
        """Finish the file and move it to its place."""
        try:
            self._sound.close()
        except OSError as error:
            self._whole.discard()
            raise self._whole.trouble(error) from None
        self._whole.close()

    def discard(self) -> None:
        """Delete the unfinished file. An earlier file at ``path`` stays."""
        with contextlib.suppress(OSError):
            self._sound.close()
        self._whole.discard()

    def __enter__(self) -> "WavFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()
