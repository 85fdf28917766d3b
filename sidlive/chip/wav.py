"""Samples to a .wav file: 16 bits, mono."""

import contextlib
import os
import wave
from pathlib import Path
from types import TracebackType

from sidlive.chip.sid import SAMPLE_RATE, Samples
from sidlive.errors import DeviceError


class WavFile:
    """A .wav file being written, block by block.

    It is made beside ``path`` under another name and takes its place when it is closed, so that what was there stays
    until then; as a context manager it is thrown away when an exception leaves the block. Every method raises
    DeviceError when the file cannot be written or the disk is full.
    """

    def __init__(self, path: str | Path, sample_rate: int = SAMPLE_RATE) -> None:
        self.path = Path(path).resolve()
        self.samples = 0
        special = self.path.exists() and not self.path.is_file()  # /dev/null is written to, not replaced
        self._made = self.path if special else self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self._file = self._made.open("wb")
        except OSError as error:
            raise self._trouble(error) from None
        self._sound = wave.open(self._file, "wb")  # noqa: SIM115
        self._sound.setnchannels(1)
        self._sound.setsampwidth(2)
        self._sound.setframerate(sample_rate)

    def write(self, block: Samples) -> None:
        """Append samples int16[n]."""
        try:
            self._sound.writeframes(block.astype("<i2", copy=False).tobytes())
        except OSError as error:
            raise self._trouble(error) from None
        self.samples += len(block)

    def close(self) -> None:
        """Finish the file and put it in its place."""
        try:
            self._sound.close()
            self._file.close()
            if self._made != self.path:
                self._made.replace(self.path)
        except OSError as error:
            self.discard()
            raise self._trouble(error) from None

    def discard(self) -> None:
        """Throw away what was written; what was at ``path`` before stays."""
        with contextlib.suppress(OSError):
            self._sound.close()
        with contextlib.suppress(OSError):
            self._file.close()
        if self._made != self.path:
            with contextlib.suppress(OSError):
                self._made.unlink()

    def __enter__(self) -> "WavFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def _trouble(self, error: OSError) -> DeviceError:
        return DeviceError(f"{self.path} cannot be written: {error.strerror or error}")
