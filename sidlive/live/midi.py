"""Hands: MIDI controllers on controls. Knows ports and knobs, nothing of music.

MIDI may be absent in every way (no python-rtmidi, no driver, no controller, one unplugged in mid-song): that is a line
for the performer to read, never an error. Ports are looked for every other second; messages arrive in the driver's
thread, which only notes the latest value of each knob; one thread of ours applies them.
"""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from sidlive.chip.writing import write_file
from sidlive.errors import DeviceError, SidliveError
from sidlive.live.controls import CONTROLS
from sidlive.live.state import ControlValue

LOOK_S: Final = 2.0  # between looks for ports that came or went
RETRY_S: Final = 30.0  # before a driver that was not there is asked again (drivers complain at length)
_HIGHEST: Final = 127  # of a controller's value
_THROUGH: Final = "Midi Through"  # ALSA's loop, not a controller

Apply = Callable[[str, ControlValue], object]  # set a control
Tell = Callable[[str], object]  # show the performer a line


class Knobs:
    """Which controller number moves which control: defaults, then what was learned, kept in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._numbers: dict[str, int] = {name: knob.cc for name, knob in CONTROLS.items() if knob.cc is not None}

    def read(self) -> str | None:
        """Take over what was learned in earlier sessions; returns a line for the performer where that fails."""
        try:
            learned = json.loads(self._path.read_text(encoding="utf-8"))
            numbers = {str(name): cc for name, cc in learned.items() if name in CONTROLS}
            if not all(cc is None or (isinstance(cc, int) and 0 <= cc <= _HIGHEST) for cc in numbers.values()):
                raise ValueError("controller numbers are 0 to 127")
        except FileNotFoundError:
            return None
        except (OSError, ValueError, AttributeError) as error:
            return f"the MIDI knobs in {self._path} cannot be read ({error}): the usual ones hold"
        self._numbers |= numbers
        self._numbers = {name: cc for name, cc in self._numbers.items() if cc is not None}
        return None

    def write(self) -> str | None:
        """Keep them for later sessions; returns a line for the performer where that fails."""
        usual = [name for name, knob in CONTROLS.items() if knob.cc is not None]
        numbers = {name: self._numbers.get(name) for name in (*usual, *self._numbers)}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_file(self._path, json.dumps(numbers, indent=1).encode())
        except OSError as error:
            return f"the MIDI knobs cannot be kept in {self._path} ({error.strerror or error})"
        except DeviceError as error:
            return f"the MIDI knobs cannot be kept: {error}"
        return None

    def give(self, name: str, cc: int | None) -> None:
        """Have controller `cc`, and no other, move this control, and nothing else; None: no controller."""
        self._numbers = {other: number for other, number in self._numbers.items() if other != name and number != cc}
        if cc is not None:
            self._numbers[name] = cc

    def cc_of(self, name: str) -> int | None:
        """The controller that moves a control."""
        return self._numbers.get(name)

    def moved(self, cc: int, value: int) -> list[tuple[str, ControlValue]]:
        """The controls that a controller's value (0-127) sets, scaled to their ranges."""
        fraction = value / _HIGHEST
        return [(name, CONTROLS[name].scaled(fraction)) for name, number in self._numbers.items() if number == cc]


class Midi:
    """The controllers that are there, their knobs, and learning. `start` opens ports; `close` ends it."""

    def __init__(self, knobs: Knobs, apply: Apply, tell: Tell, port: str | None = None) -> None:
        """`port`: part of the name of the only port to open; None for all there are, "none" for no MIDI."""
        self.label = "no MIDI"  # for people
        self._knobs, self._apply, self._tell, self._wanted = knobs, apply, tell, port
        self._learning: str | None = None
        self._latest: dict[int, int] = {}
        self._news = threading.Event()
        self._closing = False
        self._thread: threading.Thread | None = None
        self._finder: PortFinder | None = None

    # -- any thread

    def learn(self, name: str) -> None:
        """The next controller that moves becomes this control's knob."""
        self._learning = name

    def unlearn(self, name: str) -> None:
        """No controller moves this control."""
        self._learning = None
        self._knobs.give(name, None)
        self._keep()

    def knob(self, name: str) -> str | None:
        """The knob that moves a control, for people: "CC 1", "moving ..." while one is being learned."""
        if self._learning == name:
            return "move a knob"
        cc = self._knobs.cc_of(name)
        return None if cc is None else f"CC {cc}"

    def hear(self, message: Any) -> None:
        """A message arrived (driver's thread): note it and be gone."""
        if message.type == "control_change":
            self._latest[message.control] = message.value
            self._news.set()

    def start(self) -> None:
        """Look for controllers from now on."""
        complaint = self._knobs.read()
        if complaint:
            self._tell(complaint)
        if self._wanted == "none":
            self.label = "MIDI is off"
            return
        try:
            self._finder = PortFinder(self._wanted, self.hear)
        except ImportError as error:
            self.label = f"no MIDI: {error}"
            return
        self._thread = threading.Thread(target=self._run, name="midi", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Close all ports."""
        self._closing = True
        self._news.set()
        if self._thread is not None:
            self._thread.join(LOOK_S)

    # -- our own thread

    def _run(self) -> None:
        assert self._finder is not None
        look_at = 0.0
        while not self._closing:
            if time.monotonic() >= look_at:
                self._look(self._finder)
                look_at = time.monotonic() + LOOK_S
            self._news.wait(LOOK_S)
            self._news.clear()
            self.apply_news()
        self._finder.close()

    def apply_news(self) -> None:
        """Set the controls whose knobs have moved, each to its latest value."""
        while self._latest:
            cc, value = self._latest.popitem()
            if self._learning is not None:
                name, self._learning = self._learning, None
                self._knobs.give(name, cc)
                self._tell(f"CC {cc} moves {name} from now on")
                self._keep()
            for name, setting in self._knobs.moved(cc, value):
                try:
                    self._apply(name, setting)
                except SidliveError as error:
                    self._tell(str(error))

    def _look(self, finder: "PortFinder") -> None:
        come, gone = finder.look()
        for name in come:
            self._tell(f"MIDI: {name} is connected")
        for name in gone:
            self._tell(f"MIDI: {name} is gone")
        self.label = ", ".join(finder.names) or "no MIDI controller"

    def _keep(self) -> None:
        complaint = self._knobs.write()
        if complaint:
            self._tell(complaint)


class PortFinder:
    """The input ports of every MIDI driver of this machine, opened as they appear. One thread."""

    def __init__(self, wanted: str | None, hear: Callable[[Any], None]) -> None:
        """Raises ImportError, saying so, where python-rtmidi is missing."""
        try:
            import mido
            import rtmidi
        except ImportError:
            raise ImportError("python-rtmidi is not installed (pip install python-rtmidi)") from None
        self._hear, self._wanted = hear, wanted
        self._open: dict[tuple[str, str], Any] = {}
        self._apis = {
            api: getattr(rtmidi, f"API_{api}")
            for api in mido.Backend("mido.backends.rtmidi").module.get_api_names()
            if api != "RTMIDI_DUMMY"
        }
        self._watchers: dict[str, Any] = {}  # one client a driver: to make one each time would disturb JACK
        self._retry_at = dict.fromkeys(self._apis, 0.0)

    @property
    def names(self) -> list[str]:
        """The open ports."""
        return sorted({name for _, name in self._open})

    def look(self) -> tuple[list[str], list[str]]:
        """Open what has come and close what is gone; returns the names of both."""
        come: list[str] = []
        gone: list[str] = []
        for api in self._apis:
            there = self._ports(api)
            for key in [key for key in self._open if key[0] == api and key[1] not in there]:
                _close(self._open.pop(key))
                gone.append(key[1])
            come += [name for name in there if (api, name) not in self._open and self._open_port(api, name)]
        return come, gone

    def close(self) -> None:
        """Close every port."""
        for port in self._open.values():
            _close(port)
        self._open.clear()
        for watcher in self._watchers.values():
            watcher.delete()
        self._watchers.clear()

    def _ports(self, api: str) -> list[str]:
        """The wanted input ports of a driver; none where it does not answer."""
        import rtmidi

        if api not in self._watchers:
            if time.monotonic() < self._retry_at[api]:
                return []
            try:
                self._watchers[api] = rtmidi.MidiIn(rtapi=self._apis[api], name="sidlive looks")
            except Exception:  # drivers raise what they like: a missing one is not an error
                self._retry_at[api] = time.monotonic() + RETRY_S
                return []
        try:
            names = self._watchers[api].get_ports()
        except Exception:  # the driver went away: ask it anew later
            self._watchers.pop(api).delete()
            self._retry_at[api] = time.monotonic() + RETRY_S
            return []
        wanted = (self._wanted or "").lower()
        return [name for name in dict.fromkeys(names) if wanted in name.lower() and not name.startswith(_THROUGH)]

    def _open_port(self, api: str, name: str) -> bool:
        import mido

        try:
            port = mido.Backend(f"mido.backends.rtmidi/{api}").open_input(name, callback=self._hear)
        except Exception:  # taken by another program, or gone again: the next look tries anew
            return False
        self._open[api, name] = port
        return True


def _close(port: Any) -> None:
    try:
        port.close()
    except Exception:  # the device is gone already
        return
