"""A recording of a performance: the sound as it is heard, and the stems of the voices if they are wanted.

The whole sound is the renderer's. The stems are made here, by chips of their own that get the same frames. Knows no
process and no renderer: in real time `sound_recorder` and `recorder_process` bring the frames here, in virtual time
`sidlive.live.offline_sound` does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.growing_sound import GrowingSound
from sidlive.chip.registers import VOICES, timing_named
from sidlive.chip.sid import SAMPLE_RATE, Row, Samples
from sidlive.chip.stems import StemChips
from sidlive.live.sound.feed import FADE

SAVE_S: Final = 1.0  # seconds of sound between two moments at which the files become readable to their end
HELD_S: Final = 0.5  # seconds of sound that are kept back, because a panic may take them back before they are heard


@dataclass(frozen=True)
class RecordedFrame:
    """A frame that the chip takes, and what decides its sound; its samples follow."""

    row: Row  # uint8[28]
    chip: str
    timing: str
    control_first: bool
    begins: bool  # music begins with it, see `Sid.settle`


def stem_path(path: Path, voice: int) -> Path:
    """Return the path of a stem beside the file of the whole sound; ``voice`` 0 to 2."""
    return path.with_stem(f"{path.stem}-voice{voice + 1}")


def free_path(path: Path) -> Path:
    """Return `path`, or the first of NAME-2, NAME-3 ... for which neither a sound file nor a stem exists."""
    number, free = 1, path
    while any(other.exists() for other in (free, *(stem_path(free, voice) for voice in range(VOICES)))):
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free


class SoundRecording:
    """The files of one recording. One thread. Methods raise DeviceError if a file cannot be written."""

    def __init__(self, path: Path, stems: bool, tell: Callable[[str], object] = lambda text: None) -> None:
        """``path`` ends in .flac or .wav and is free. ``tell`` is called with a line about each further file."""
        self.path = path
        self._wants_stems = stems
        self._tell = tell
        self._tracks: list[_Track] = []  # the whole sound, then the stems; empty until there is sound
        self._sample_rate = 0
        self._chips: StemChips | None = None
        self._chip_of: tuple[str, str] = ("", "")
        self._frame: RecordedFrame | None = None
        self._early = self._count = 0  # samples of the frame so far, before the recording and in it
        self._unsaved = 0
        self.seconds = 0.0

    def open(self, sample_rate: int = SAMPLE_RATE) -> None:
        """Open the files; sound of another sample rate replaces them, as long as there is none yet."""
        paths = [self.path, *(stem_path(self.path, voice) for voice in range(VOICES) if self._wants_stems)]
        self._sample_rate, self._tracks, self._chips = sample_rate, [], None
        for path in paths:
            self._tracks.append(_Track(GrowingSound(path, sample_rate)))

    @property
    def saved_s(self) -> float:
        """Seconds of sound that are in the last file for sure."""
        return self._tracks[0].file.saved / self._sample_rate if self._tracks else 0.0

    @property
    def paths(self) -> list[Path]:
        """The files that are being written."""
        return [track.file.path for track in self._tracks]

    def frame(self, frame: RecordedFrame) -> None:
        """Note a frame; its samples follow."""
        self._finish_frame()
        self._frame = frame

    def samples(self, block: Samples, sample_rate: int) -> None:
        """Append samples ``int16[n]`` of the frame noted last. Another sample rate begins a further file."""
        if sample_rate != self._sample_rate:
            self._reopen(sample_rate)
        self._tracks[0].append(block)
        self._count += len(block)
        self.seconds += len(block) / sample_rate

    def unheard(self, count: int) -> None:
        """Note ``count`` samples of the frame noted last that were heard before the recording begins.

        With the frames before it, the stems' envelopes and most of their oscillators begin where those of the whole
        sound are.
        """
        self._early += count

    def take_back(self, count: int) -> None:
        """Take back the last ``count`` samples, which a panic has discarded; what is left fades out within 5 ms."""
        self._finish_frame()
        for track in self._tracks:
            track.take_back(count)
        if self._chips is not None:
            self._chips.reset()

    def close(self) -> None:
        """Write the rest, and close the files."""
        self._finish_frame()
        for track in self._tracks:
            track.close()

    def give_up(self) -> None:
        """Close the files after an error; what was saved stays."""
        for track in self._tracks:
            track.file.give_up()

    def _reopen(self, sample_rate: int) -> None:
        """Open files for sound of another sample rate: further ones if there is sound in those before."""
        self.close()
        if self.seconds:
            self.path = free_path(self.path)
            self._tell(f"the sound device takes {sample_rate} samples a second: the recording goes on in {self.path}")
        self.open(sample_rate)

    def _finish_frame(self) -> None:
        """Make the stems of the frame noted last, and save now and then."""
        frame, early, count = self._frame, self._early, self._count
        self._frame, self._early, self._count = None, 0, 0
        if not early + count:
            return
        if self._wants_stems:  # the recording may begin within a frame that is not known
            silent = np.zeros((VOICES, count), dtype=np.int16)
            stems = silent if frame is None else self._stems(frame).play(frame.row, early + count)[:, early:]
            for track, stem in zip(self._tracks[1:], stems, strict=True):
                track.append(stem)
        self._unsaved += count
        if self._unsaved >= SAVE_S * self._sample_rate:
            self._unsaved = 0
            for track in self._tracks:
                track.save(round(HELD_S * self._sample_rate))

    def _stems(self, frame: RecordedFrame) -> StemChips:
        """Return the chips for a frame, new ones if the chip or the video standard has changed."""
        if self._chips is None or self._chip_of != (frame.chip, frame.timing):
            self._chip_of = frame.chip, frame.timing
            self._chips = StemChips(
                frame.chip, timing_named(frame.timing), self._sample_rate, frame.control_first, frame.row
            )
        elif frame.begins:
            self._chips.settle(frame.row)
        self._chips.control_first = frame.control_first
        return self._chips


class _Track:
    """One sound file, and the samples that are not in it yet."""

    def __init__(self, file: GrowingSound) -> None:
        self.file = file
        self._blocks: list[Samples] = []

    def append(self, block: Samples) -> None:
        self._blocks.append(block)

    def take_back(self, count: int) -> None:
        """Remove the last ``count`` samples, or all that are not in the file, and add a fade-out."""
        kept = self._joined()
        kept = kept[: max(0, len(kept) - count)]
        last = float(kept[-1]) if len(kept) else 0.0
        fade = last * (1 - (np.arange(FADE) + 0.5) / FADE)
        self._blocks = [kept, fade.astype(np.int16)]

    def save(self, held: int) -> None:
        """Write all but the last ``held`` samples, and make the file readable."""
        samples = self._joined()
        count = max(0, len(samples) - held)
        self.file.write(samples[:count])
        self._blocks = [samples[count:]]
        self.file.save()

    def close(self) -> None:
        self.file.write(self._joined())
        self.file.close()

    def _joined(self) -> Samples:
        return np.concatenate([np.zeros(0, np.int16), *self._blocks])
