"""Keyboards: notes of MIDI keyboards are played by voices. Knows commands of the core, no drivers and no frames.

Each voice is played by the keys of a channel and a port, or of all. The first key begins a note. Further keys make it
an arpeggio: within GATHER_S of the first one they join its note, later they begin the note again. Keys that are
released leave the arpeggio; the last one ends the note. While the sustain pedal is down, released keys count as down.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sidlive.errors import SidliveError
from sidlive.model.composer.plan_settings import HIGHEST_PITCH, MOST_KEYS

GATHER_S: Final = 0.05  # keys of a chord are pressed within this time
NOTE_OFF, NOTE_ON, CONTROL_CHANGE = 0x80, 0x90, 0xB0
SUSTAIN: Final = 64  # controller number of the pedal
ENDS: Final = frozenset({120, 123})  # channel mode messages: all sound off, all notes off
HARDEST: Final = 127  # velocity

# Gets a command of the core and its arguments.
Command = Callable[..., object]


@dataclass(frozen=True)
class KeyChoice:
    """Whose keys play a voice, and how."""

    voice: int  # 1 to 3
    port: str | None = None  # part of its name; None: any
    channel: int | None = None  # 1 to 16; None: any
    instruments: tuple[int, ...] = ()  # by velocity, the softest first; none: the voice's own
    grid: float = 0.0  # beats between the moments at which notes may begin; 0: at once
    fragment: str | None = None  # whose instruments play; None: the prompt's

    def covers(self, port: str, channel: int) -> bool:
        """Return whether a message of this port and channel is for the voice."""
        return (self.port is None or self.port.lower() in port.lower()) and self.channel in (None, channel)

    def instrument(self, velocity: int) -> int | None:
        """Return the instrument for a velocity, 1 to 127."""
        if not self.instruments:
            return None
        return self.instruments[min(len(self.instruments) - 1, velocity * len(self.instruments) // (HARDEST + 1))]

    def __str__(self) -> str:
        where = "" if self.port is None else f" of {self.port}"
        return f"keys{where}{'' if self.channel is None else f' on channel {self.channel}'} play voice {self.voice}"


class KeysTaken(Protocol):
    """The part of the core that keyboards use."""

    def command(self, name: str, /, *arguments: Any) -> Any:
        """Run a command."""

    def tell(self, text: str, /) -> None:
        """Show the performer a notice."""


@dataclass
class _Keyboard:
    """The keys of one voice that are down."""

    choice: KeyChoice
    down: dict[tuple[str, int, int], int] = field(default_factory=dict)  # velocity by port, channel and note
    kept: set[tuple[str, int, int]] = field(default_factory=set)  # of these: released, held by the pedal
    pedals: set[tuple[str, int]] = field(default_factory=set)  # ports and channels whose pedal is down
    pitch: int = 0  # of the note that sounds
    began_s: float = 0.0  # time at which it began

    @property
    def pitches(self) -> list[int]:
        """The pitches of the keys that are down, ascending."""
        return sorted({note for _, _, note in self.down})[:MOST_KEYS]


class Keyboards:
    """The voices that are played. `hear` is called in the driver's thread, the others in any."""

    def __init__(self, core: KeysTaken) -> None:
        self._core = core
        self._keyboards: dict[int, _Keyboard] = {}  # by voice
        self._lock = threading.Lock()

    @property
    def choices(self) -> tuple[KeyChoice, ...]:
        """Whose keys play which voice."""
        return tuple(keyboard.choice for keyboard in list(self._keyboards.values()))

    def play(self, choice: KeyChoice) -> None:
        """Have keys play a voice from now on. Keys that played it before do not play it any more."""
        with self._lock:
            self._keyboards[choice.voice] = _Keyboard(choice)
        self._core.command("give_back", choice.voice)
        self._core.command("take_over", choice.voice)
        self._core.command("finger", choice.voice, [])

    def end(self, voice: int | None = None) -> None:
        """Give a voice back to the composer; None: all voices that keys play."""
        with self._lock:
            ended = [number for number in self._keyboards if voice in (None, number)]
            for number in ended:
                del self._keyboards[number]
        for number in ended:
            self._core.command("give_back", number)

    def hear(self, port: str, message: Sequence[int], time_s: float) -> bool:
        """Play what a message says; return whether it was a note or a pedal of keys that play a voice."""
        if len(message) != 3 or not self._keyboards:
            return False
        kind, channel = message[0] & 0xF0, (message[0] & 0x0F) + 1
        if kind not in (NOTE_ON, NOTE_OFF) and not (
            kind == CONTROL_CHANGE and (message[1] == SUSTAIN or message[1] in ENDS)
        ):
            return False
        with self._lock:
            mine = [board for board in self._keyboards.values() if board.choice.covers(port, channel)]
            try:
                for board in mine:
                    self._play(board, kind, (port, channel, message[1]), message[2], time_s)
            except SidliveError as error:
                self._core.tell(str(error))
        return bool(mine)

    # -- under the lock

    def _play(self, board: _Keyboard, kind: int, key: tuple[str, int, int], value: int, time_s: float) -> None:
        port, channel, number = key
        if kind == NOTE_ON and value:
            self._press(board, key, value, time_s)
        elif kind != CONTROL_CHANGE:
            if key in board.down:
                if (port, channel) in board.pedals:
                    board.kept.add(key)
                else:
                    self._release(board, {key})
        elif number == SUSTAIN and value >= 64:
            board.pedals.add((port, channel))
        else:
            board.pedals.discard((port, channel))
            ended = board.kept if number == SUSTAIN else set(board.down)
            self._release(board, {other for other in ended if other[:2] == (port, channel)})

    def _press(self, board: _Keyboard, key: tuple[str, int, int], velocity: int, time_s: float) -> None:
        """Begin a note, or join the one that has just begun."""
        if not 0 <= key[2] <= HIGHEST_PITCH:
            return
        joins = bool(board.down) and time_s - board.began_s < GATHER_S
        board.kept.discard(key)
        board.down.pop(key, None)  # the pedal kept it: it begins again
        board.down[key] = velocity
        choice = board.choice
        if joins:
            self._finger(board)
            return
        board.pitch, board.began_s = key[2], time_s
        self._core.command(
            "strike", choice.voice, board.pitch, self._tones(board), choice.grid, choice.instrument(velocity),
            choice.fragment,
        )  # fmt: skip

    def _release(self, board: _Keyboard, keys: set[tuple[str, int, int]]) -> None:
        if not keys:
            return
        for key in keys:
            board.down.pop(key, None)
        board.kept -= keys
        self._finger(board)

    def _finger(self, board: _Keyboard) -> None:
        self._core.command("finger", board.choice.voice, self._tones(board))

    @staticmethod
    def _tones(board: _Keyboard) -> list[int]:
        return [pitch - board.pitch for pitch in board.pitches]
