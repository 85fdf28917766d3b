"""A MIDI desk without drivers: real maps, a real core, and controllers that a test plays by hand."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sidlive.live.core.core import Core
from sidlive.live.hands.actor import Actor
from sidlive.live.hands.map.map_folder import MapFolder
from sidlive.live.hands.midi import Midi
from sidlive.live.hands.midi_ports import Changes
from sidlive.live.state import ControlValue
from sidlive.live.takes.take import Take


class HandPorts:
    """Ports that a test opens and closes; ``sent``: what was sent to the lights, by output."""

    def __init__(self, wanted: str | None, hear: Callable[..., object], changed: Callable[..., object]) -> None:
        self.inputs: list[str] = []
        self.trouble = ""
        self.looked = threading.Event()
        self.sent: list[tuple[str, bytes]] = []
        self.changed = changed

    def start(self) -> None:
        self.looked.set()

    def close(self) -> None: ...

    def send(self, name: str, message: bytes, time_s: float = 0.0) -> bool:
        self.sent.append((name, message))
        return True

    def output_of(self, name: str) -> str | None:
        return f"{name} lights" if name in self.inputs else None


class HandStage:
    """A core, its MIDI, and the notices that the performer reads. No threads: `work` is called by hand."""

    def __init__(self, folder: Path, *inputs: str, profiles: Path | None = None) -> None:
        self.core = Core(Take(None, {}))
        self.handed: list[str] = []
        self.lines: list[str] = []
        self.folder = folder / "maps"
        self.folder.mkdir(exist_ok=True)
        self.maps = MapFolder(self.folder, profiles or folder / "no profiles")
        actor = Actor(self.core, self.handed.append)
        self.midi = Midi(self.maps, actor, self.core.state, self.lines.append)
        self.core.hands = self.midi
        self.ports = HandPorts(None, self.midi.hear, self.midi._changed)
        self.ports.start()
        self.midi.midi_ports = self.ports
        self.time_s = 100.0
        self._saves = 0
        self.plug(*inputs)

    def plug(self, *inputs: str) -> None:
        self.ports.inputs = sorted({*self.ports.inputs, *inputs})
        self.ports.changed(Changes(list(inputs), []))
        self.midi.work()
        self.lines.clear()

    def map(self, text: str, name: str = "box.toml") -> None:
        """Save a map and have it read."""
        self._saves += 1
        path = self.folder / name
        path.write_text(text)
        os.utime(path, (self._saves, self._saves))
        self.midi._look()

    def hear(self, *message: int, port: str = "box") -> None:
        """Send one message, and do what it means."""
        self.time_s += 0.2
        self.midi.hear(port, bytes(message), self.time_s)
        self.midi.work()

    def turn(self, number: int, *values: int, port: str = "box", channel: int = 1) -> None:
        """Turn a knob from value to value."""
        for value in values:
            self.hear(0xB0 | (channel - 1), number, value, port=port)

    def press(self, note: int, velocity: int = 127, port: str = "box") -> None:
        self.hear(0x90, note, velocity, port=port)

    def release(self, note: int, port: str = "box") -> None:
        self.hear(0x80, note, 0, port=port)

    def tap(self, *notes: int) -> None:
        """Press and release pads."""
        for note in notes:
            self.press(note)
            self.release(note)

    def get(self, name: str) -> ControlValue:
        return self.core.get(name)

    def set(self, name: str, value: ControlValue) -> None:
        self.core.command("set", name, value)

    def muted(self) -> list[int]:
        return [number for number, voice in enumerate(self.core.state().voices, 1) if voice.muted]

    def lights(self) -> list[str]:
        """Have the lights show the state; return what was sent to them, in hexadecimal."""
        before = len(self.ports.sent)
        self.midi._lights.show(self.midi.inputs, self.core.state())
        return [message.hex(" ") for _, message in self.ports.sent[before:]]

    def did(self) -> list[str]:
        """Return what the last messages did."""
        return [heard.did for heard in self.midi.last_heard()]

    def knob(self, name: str) -> Any:
        """Return the state of a control, with its knob."""
        return self.core.state().controls[name]
