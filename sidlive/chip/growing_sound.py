"""Write a sound file whose length is not known yet: .flac or .wav, 16 bits, mono, readable after a crash.

`GrowingSound.save` makes everything written so far readable, even if the process dies then. A .wav file's header is
corrected each time. In a .flac file the length lies in the STREAMINFO block, which libsndfile writes only at the end
(RFC 9639, section 8.2): so it is written here as well.
"""

import contextlib
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from sidlive.chip.sid import Samples
from sidlive.errors import DeviceError

ENDINGS: Final = (".flac", ".wav")
_BLOCK_AT: Final = 10  # offset in a .flac file of the largest number of samples in a block, 16 bits
_LENGTH_AT: Final = 18  # offset of 64 bits; the low 36 are the number of samples
_LENGTH: Final = (1 << 36) - 1


class GrowingSound:
    """A sound file that grows. An earlier file at its path is replaced at once.

    Every method raises DeviceError if the file cannot be written or the disk is full. The file is closed then, and what
    was saved before is readable.
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        """``path`` ends in one of ENDINGS."""
        assert path.suffix.lower() in ENDINGS
        self.path = path
        self.sample_rate = sample_rate
        self.samples = 0  # number of samples written so far
        self.saved = 0  # number of samples that are in the file for sure
        self._sound: Any = None
        self._file: IO[bytes] | None = None  # of a .wav file
        with self._reported():
            if path.suffix.lower() == ".flac":
                self._sound = _flac(path, sample_rate)
            else:
                self._file = path.open("wb")
                self._sound = _wav(self._file, sample_rate)

    def write(self, block: Samples) -> None:
        """Append samples ``int16[n]``."""
        with self._reported():
            if self._file is None:
                self._sound.write(block)
            else:
                self._sound.writeframesraw(block.astype("<i2", copy=False).tobytes())
        self.samples += len(block)

    def save(self) -> None:
        """Make what was written so far readable; in a .flac file except for the last block, less than 0.1 s."""
        with self._reported():
            if self._file is None:
                self._sound.flush()
                self._note_length(self.samples)
            else:
                self._sound.writeframes(b"")  # this corrects the header
                self._file.flush()
                self.saved = self.samples

    def close(self) -> None:
        """Write the rest and close the file."""
        with self._reported():
            self._sound.close()
            if self._file is not None:
                self._file.close()
        self.saved = self.samples

    def give_up(self) -> None:
        """Close the file without writing the rest. What was saved is readable; if nothing was, the file is deleted."""
        for file in (self._sound, self._file):
            if file is not None:
                with contextlib.suppress(OSError, RuntimeError):
                    file.close()
        if self._file is None and self._sound is not None:
            with contextlib.suppress(OSError):
                self._note_length(self.saved)
        if not self.saved and self._sound is not None:
            with contextlib.suppress(OSError):
                self.path.unlink()

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Give up, and raise DeviceError, if the block fails. The errors of libsndfile are RuntimeErrors."""
        try:
            yield
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or "is the disk full?"
            self.give_up()
            raise DeviceError(f"{self.path} cannot be written: {reason}; make room or choose another place") from None

    def _note_length(self, samples: int) -> None:
        """Write into a .flac file's header how many samples it has: those of the whole blocks up to ``samples``."""
        with self.path.open("r+b") as file:
            header = file.read(_LENGTH_AT + 8)
            block = int.from_bytes(header[_BLOCK_AT : _BLOCK_AT + 2], "big")
            if block:
                self.saved = samples // block * block
                shared = int.from_bytes(header[_LENGTH_AT:], "big") & ~_LENGTH  # sample rate, channels and bits
                file.seek(_LENGTH_AT)
                file.write((shared | self.saved).to_bytes(8, "big"))


def _flac(path: Path, sample_rate: int) -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise DeviceError(f"{path} cannot be written: no FLAC encoder ({error}): pip install soundfile") from None
    return soundfile.SoundFile(path, "w", samplerate=sample_rate, channels=1, format="FLAC", subtype="PCM_16")


def _wav(file: IO[bytes], sample_rate: int) -> wave.Wave_write:
    sound = wave.open(file, "wb")  # noqa: SIM115
    sound.setnchannels(1)
    sound.setsampwidth(2)
    sound.setframerate(sample_rate)
    return sound
