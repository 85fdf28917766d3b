"""The sound of an offline core: written to a file from beginning to end, and to the files that `record` names."""

from collections.abc import Callable
from pathlib import Path

from sidlive.chip.registers import VideoTiming
from sidlive.chip.sid import SAMPLE_RATE, FrameGrid, Sid
from sidlive.chip.wav import WavFile
from sidlive.errors import DeviceError
from sidlive.live.core.core import Core
from sidlive.live.core.voices import Row
from sidlive.live.sound.recording import RecordedFrame, SoundRecording


def sound_to(wav: WavFile | None, core: Core) -> Callable[[Row], None]:
    """Return a sink that plays each frame on the core's chip, into a file if there is one.

    The core's panic silences that chip too, and the core's `record` records it.
    """
    sound = OfflineSound(wav, core)
    core.hush, core.retime, core.recorder = sound.hush, sound.retime, sound
    return sound.play


class OfflineSound:
    """The chip of an offline core. It runs while there is a file to write."""

    def __init__(self, wav: WavFile | None, core: Core) -> None:
        self._wav = wav
        self._core = core
        self._recording: SoundRecording | None = None
        self.retime(core.timing)

    @property
    def path(self) -> str:
        """The file that is being recorded; empty if there is none."""
        return "" if self._recording is None else str(self._recording.path)

    def record(self, path: Path | None, stems: bool = False) -> None:
        """Record to this file from now on; None: end the recording. Raises DeviceError if it cannot be written."""
        before, self._recording = self._recording, None
        if before is not None:
            before.close()
            self._core.tell(f"recorded {', '.join(p.name for p in before.paths)}: {before.seconds:.1f} s", "info")
        if path is not None:
            recording = SoundRecording(path, stems)
            recording.open()
            self._recording = recording

    def hush(self) -> None:
        """Silence the chip; its sound fades out within 5 ms."""
        if self._sid is not None:
            self._sid.reset(fade=True)
        if self._recording is not None:
            self._recording.take_back(0)

    def retime(self, timing: VideoTiming) -> None:
        """Run at another video standard from the next frame on."""
        self._sid: Sid | None = None
        self._grid = FrameGrid(timing.rate_hz)

    def play(self, row: Row) -> None:
        """Play a frame ``uint8[28]`` into the files."""
        count = self._grid.advance(self._core.speed)
        if self._wav is None and self._recording is None:
            self._sid = None
            return
        if self._sid is None:
            self._sid = Sid(self._core.chip, self._core.timing, first_row=row)
        core, sid = self._core, self._sid
        sid.control_first = core.control_first
        if core.begins:
            sid.settle(row)
        block = sid.play(row, count)
        if self._wav is not None:
            self._wav.write(block)
        if self._recording is not None:
            try:
                self._recording.frame(RecordedFrame(row, core.chip, core.timing.name, core.control_first, core.begins))
                self._recording.samples(block, SAMPLE_RATE)
            except DeviceError as error:
                recording, self._recording = self._recording, None
                recording.give_up()
                core.tell(f"the recording has ended, the music goes on: {error}; {recording.saved_s:.1f} s are kept")
