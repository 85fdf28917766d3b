"""A session without a core, for tests of the studio: frames in memory, and a clock that the test sets."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from sidlive.errors import ControlError
from sidlive.live.state import ControlState, ControlValue, Notice, State, VoiceState, Window

from .music import piece

CONTROLS = (
    ControlState("temperature", 0.9, 0.0, 2.0, "", "steer", "how daring", "CC 1"),
    ControlState("top_p", 0.95, 0.05, 1.0, "", "steer", "share of the likeliest"),
    ControlState("seed", 7, 0, 65535, "", "steer", "another future"),
    ControlState("mask", "123", None, None, "", "steer", "which voices are generated"),
    ControlState("transpose", 0, -24, 24, "semitones", "steer", "edit of the prompt", "CC 2"),
    ControlState("volume", 15, 0, 15, "", "remix", "the chip's volume"),
    ControlState("ahead", 96, 8, 256, "frames", "room", "how far ahead music is made"),
)


class FakeSession:
    """A session that plays `piece()`. ``clock``: number of the next frame. ``ahead``: frames ready after it."""

    def __init__(self, clock: int = 700, ahead: int = 96) -> None:
        self.frames = piece()
        self.clock, self.ahead = clock, ahead
        self.calls: list[tuple[Any, ...]] = []
        self.loaded: dict[str, Any] = {"arp_in_a": SimpleNamespace(name="arp_in_a"), "slow_bass": "slow_bass"}
        self.restarts = 0
        self.closed = False
        self.shown = State(
            phase="playing",
            clock=clock,
            ahead=ahead,
            model="pocket",
            speed_x=24.1,
            output="speaker pulse",
            latency_ms=21.3,
            midi="nanoKONTROL2",
            midi_ports=("nanoKONTROL2",),
            prompt="arp_in_a",
            fragments=("arp_in_a", "slow_bass", "sweeps", "toms"),
            controls={control.name: control for control in CONTROLS},
            voices=(VoiceState(), VoiceState("locked", fragment="slow_bass"), VoiceState()),
            take_s=clock / 50.125,
            take="/takes/today",
        )

    def window(self, before: int = 64, after: int = 64) -> Window:
        first = max(0, self.clock - before)
        frames = self.frames[first : min(self.clock + min(after, self.ahead), len(self.frames))]
        return Window(first, self.clock - first, frames.copy())

    def state(self) -> State:
        return replace(self.shown, clock=self.clock, ahead=self.ahead, take_s=self.clock / 50.125)

    def notice(self, text: str, level: Any = "warning") -> None:
        number = self.shown.notices[-1].number + 1 if self.shown.notices else 1
        self.shown = replace(self.shown, notices=(*self.shown.notices, Notice(number, text, level)))

    def restart(self) -> None:
        self.restarts += 1
        self.shown = replace(self.shown, alive=True)

    def close(self) -> None:
        self.closed = True


def fake_verbs(session: FakeSession) -> dict[str, Callable[..., Any]]:
    """Return verbs that append each call to ``session.calls``; completion reads their signatures."""

    def load(
        path: str, song: int | None = None, start: float = 0.0, seconds: float = 10.0, name: str | None = None
    ) -> str:
        """Read a piece of a .sid or of a frames file."""
        session.calls.append(("load", path, seconds))
        return name or path

    def fragments() -> dict[str, Any]:
        """The loaded fragments by name."""
        return dict(session.loaded)

    def prompt(fragment: Any, play: bool = False) -> None:
        """Continue from this fragment."""
        session.calls.append(("prompt", fragment))

    def start() -> None:
        """Play. From the prompt, or from where stop() left off."""
        session.calls.append(("start",))
        session.shown = replace(session.shown, phase="playing")

    def stop() -> None:
        """Let go of all keys and stop generating."""
        session.calls.append(("stop",))
        session.shown = replace(session.shown, phase="stopped")

    def temperature(value: float) -> None:
        """How daring: 0 always takes the likeliest."""
        if not 0 <= value <= 2:
            raise ControlError(f"temperature goes from 0 to 2, not {value}")
        session.calls.append(("temperature", value))
        controls = dict(session.shown.controls)
        controls["temperature"] = replace(controls["temperature"], value=value)
        session.shown = replace(session.shown, controls=controls)

    def mute(*voices: int | str) -> None:
        """Silence voices at once."""
        session.calls.append(("mute", *voices))
        _mute(voices, True)

    def unmute(*voices: int | str) -> None:
        """Hear voices again."""
        session.calls.append(("unmute", *voices))
        _mute(voices, False)

    def _mute(voices: tuple[int | str, ...], muted: bool) -> None:
        now = list(session.shown.voices)
        for voice in voices:
            now[int(voice) - 1] = replace(now[int(voice) - 1], muted=muted)
        session.shown = replace(session.shown, voices=(now[0], now[1], now[2]))

    def seed(number: int) -> None:
        """Another future."""
        session.calls.append(("seed", number))

    def set(control: str, value: ControlValue) -> None:
        """Set any control by name."""
        session.calls.append(("set", control, value))

    def panic() -> None:
        """Silence, now."""
        session.calls.append(("panic",))

    def commit(name: str, seconds: float | None = None, last: float | None = None) -> str:
        """Compile the performance to NAME.sid."""
        session.calls.append(("commit", name))
        return f"{name}.sid"

    named = (load, fragments, prompt, start, stop, temperature, seed, mute, unmute, set, panic, commit)
    return {verb.__name__: verb for verb in named}


def silent_session() -> FakeSession:
    """Return a session with nothing loaded, nothing played and no devices."""
    session = FakeSession(clock=0, ahead=0)
    session.frames = np.zeros((0, 28), np.uint8)
    session.shown = replace(
        session.shown, phase="stopped", prompt=None, fragments=(), midi="no MIDI", midi_ports=(),
        output="null output (no sound device)", latency_ms=0.0,
        voices=(VoiceState(), VoiceState(), VoiceState()), take_s=0.0,
    )  # fmt: skip
    return session
