"""The surroundings of the core: what it asks of MIDI, keyboards, sound devices, recorders, chips and other clocks.

Protocols only, so that the core imports none of them, and tests can take their places.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sidlive.live.state import BindingState, ControlValue, OutputState, SyncState

if TYPE_CHECKING:
    from sidlive.live.hands.keyboards import KeyChoice
    from sidlive.live.hands.map.map_player import Knob
    from sidlive.live.hands.monitor import Heard


class Hands(Protocol):
    """The part of MIDI that the core uses (`sidlive.live.hands.midi.Midi`). No method waits or shows a notice."""

    def learn(self, deed: str, options: Mapping[str, Any] | None = None) -> None:
        """Bind the next source that moves to a deed. Raises ControlError."""

    def unlearn(self, deed: str) -> None:
        """Unbind the sources of a deed."""

    def bindings(self) -> list[BindingState]:
        """Return what each source is bound to."""
        ...

    def knobs(self, values: Mapping[str, ControlValue]) -> "dict[str, Knob]":
        """Return the knob of each control that has one."""
        ...

    def last_heard(self) -> "list[Heard]":
        """Return the last messages and what each of them did."""
        ...


class Speakers(Protocol):
    """The part of the sound devices that the core uses (`sidlive.live.sound.device_minder.DeviceMinder`)."""

    def names(self) -> list[str]:
        """Return the names of the devices."""
        ...

    def choose(self, name: str) -> list[str]:
        """Play on another device and return the names of the devices."""
        ...


class PlaysKeys(Protocol):
    """The part of the keyboards that the core uses (`sidlive.live.hands.keyboards.Keyboards`)."""

    @property
    def choices(self) -> "tuple[KeyChoice, ...]":
        """Whose keys play which voice."""
        ...

    def play(self, choice: "KeyChoice") -> None:
        """Have keys play a voice."""

    def end(self, voice: int | None = None) -> None:
        """Give a voice (1 to 3) back to the composer; None: all voices that keys play."""


class ListensToOsc(Protocol):
    """The part of Open Sound Control that the core uses (`sidlive.live.osc.osc_server.OscServer`)."""

    @property
    def place(self) -> str:
        """The place that is listened at; empty: none."""
        ...

    def listen(self, what: str | int) -> str:
        """Listen at a port, "HOST:PORT" or (with "off") nowhere; return the place."""
        ...


class RecordsSound(Protocol):
    """The part of a recorder that the core uses (`sidlive.live.sound.sound_recorder.SoundRecorder`)."""

    @property
    def path(self) -> str:
        """The file that is being recorded; empty if there is none."""
        ...

    def record(self, path: Path | None, stems: bool) -> None:
        """Record to this file from now on; None: end the recording."""


class Ensemble(Protocol):
    """The part of keeping time with others that the core uses (`sidlive.live.sync.ensemble.SyncDesk`)."""

    @property
    def state(self) -> SyncState:
        """The clock that is followed, and the clock that is sent."""
        ...

    def choose(self, what: str) -> None:
        """Follow the clock "midi", "midi:PORT" or "link"; "off": none."""

    def send(self, port: str) -> None:
        """Send our clock to a MIDI port; "off": to none."""

    def hold_start(self, beats: int) -> bool:
        """Start at the next line of the clock that is followed, ``beats`` apart; False if none is heard."""
        ...

    def forget_start(self) -> None:
        """Do not start any more."""


class Chips(Protocol):
    """The part of the chips that the core uses (`sidlive.live.outputs.patchbay.Patchbay`)."""

    @property
    def states(self) -> tuple[OutputState, ...]:
        """The chips and their ports."""
        ...

    @property
    def listening(self) -> str:
        """What is heard: "both", "chip" or "emulator"."""
        ...

    def connect(self, spec: str, on: bool, voices: object, extended: bool | None) -> None:
        """Start to play on a chip, or stop."""

    def listen(self, choice: str) -> None:
        """Have the emulator, the chips or both be heard."""
