"""The patchbay: the chips that play beside the emulator, and which of them is heard."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidlive.chip.registers import VideoTiming
from sidlive.errors import DeviceError
from sidlive.live.outputs.chip_choice import OFF, Listening, parse_chip, parse_listening
from sidlive.live.outputs.chip_output import ChipOutput
from sidlive.live.outputs.chip_stream import DueFrame, Row
from sidlive.live.state import OutputState

MOST: Final = 8  # chips


@dataclass(frozen=True)
class ChipFacts:
    """What chips need to know about the music besides its frames."""

    chip: str  # "6581" or "8580"
    timing: VideoTiming
    control_first: bool  # each voice's control is written before its envelope


class Patchbay:
    """The chips on ports. `frame` is called by the renderer's thread; any thread may call the other methods."""

    def __init__(
        self, tell: Callable[[str], object], facts: Callable[[], ChipFacts], align_ms: Callable[[], float]
    ) -> None:
        """``facts`` and ``align_ms`` are called for each frame.

        ``align_ms`` returns by how much the chips play later than the emulator is heard; it may be negative.
        """
        self.listening: Listening = "both"
        self._tell, self._facts, self._align_ms = tell, facts, align_ms
        self._chips: tuple[ChipOutput, ...] = ()
        self._lock = threading.Lock()  # held to change `_chips`
        self._latest_s = 0.0  # due time of the last frame

    @property
    def states(self) -> tuple[OutputState, ...]:
        """The chips as the performer sees them."""
        return tuple(chip.state for chip in self._chips)

    @property
    def emulator_is_heard(self) -> bool:
        """Whether the emulator is to be heard: not while only chips are, if there is one that may play."""
        return self.listening != "chip" or all(chip.sender.status == "failed" for chip in self._chips)

    def connect(
        self, spec: str, on: bool = True, voices: object = None, extended: bool | None = None, tells: bool = False
    ) -> None:
        """Start to play on a chip, "asid:PORT" or "u64:HOST", see `parse_chip`; or stop. "off": stop on all.

        Its state says when its port is open, or why not; with ``tells`` the performer gets a notice if it does not
        open. Raises ControlError and DeviceError.
        """
        if spec == OFF:
            with self._lock:
                parting, self._chips = self._chips, ()
        else:
            choice = parse_chip(spec, voices, extended)
            with self._lock:
                parting = tuple(chip for chip in self._chips if chip.choice.name == choice.name)
                if not on and not parting:
                    raise DeviceError(f"{choice.name} is no output: out() lists them")
                self._chips = tuple(chip for chip in self._chips if chip not in parting)
        for chip in parting:
            chip.end()
        for chip in parting:
            chip.close()
        if spec == OFF or not on:
            return
        with self._lock:
            if len(self._chips) >= MOST:
                raise DeviceError(f"{MOST} chips play already: end one with out(..., on=False)")
            self._chips = *self._chips, ChipOutput(choice, self._tell, tells)

    def listen(self, choice: str) -> None:
        """Have the emulator, the chips or both be heard. Raises ControlError."""
        self.listening = parse_listening(choice)

    def frame(self, row: Row, begin_s: float, end_s: float) -> None:
        """Send a frame uint8[28] that is heard from ``begin_s`` to ``end_s``, times of `time.perf_counter`."""
        chips = self._chips
        if not chips:
            return
        facts = self._facts()
        self._latest_s = max(self._latest_s, begin_s + self._align_ms() / 1000)
        frame = DueFrame(row, self._latest_s, end_s - begin_s, facts.chip, facts.timing, facts.control_first)
        for chip in chips:
            chip.frame(frame, self.listening != "emulator")

    def hush(self) -> None:
        """Silence all chips now; frames go on."""
        for chip in self._chips:
            chip.hush()

    def close(self) -> None:
        """Silence all chips and let their ports go."""
        self.connect(OFF)
