"""What the instrument shows of itself: plain values that cross from the core to whoever asks. Knows no threads."""

from dataclasses import dataclass, field
from typing import Final, Literal

from sidlive.chip.registers import Frames

# stopped: the chip is quiet until start(). waiting: started, the first frames are being made. playing: all is well.
# holding, looping: generation is late, so registers are held, then the last bar loops until music is back.
# hearing: the take is heard again; what the music does meanwhile is not told.
Phase = Literal["stopped", "waiting", "playing", "holding", "looping", "hearing"]
VoiceMode = Literal["generated", "masked", "held", "locked"]
ControlKind = Literal["steer", "remix", "room"]
ControlValue = float | int | str
NoticeLevel = Literal["info", "warning"]

PHASES: Final[tuple[Phase, ...]] = ("stopped", "waiting", "playing", "holding", "looping", "hearing")


@dataclass(frozen=True)
class ControlState:
    """One control as it stands. ``low`` and ``high`` are None for a control whose value is a text (the mask)."""

    name: str
    value: ControlValue
    low: float | None
    high: float | None
    unit: str
    kind: ControlKind
    help: str
    midi: str | None = None  # the knob that moves it, for people: "CC 1", "CC 16 ch 2 of nanoKONTROL2"

    @property
    def fraction(self) -> float | None:
        """Where the value lies in its range, 0 to 1; None where there is no range."""
        if self.low is None or self.high is None or not isinstance(self.value, int | float):
            return None
        return (float(self.value) - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class VoiceState:
    """One voice: who decides its registers, whether it is muted, and the fragment that it is locked to."""

    mode: VoiceMode = "generated"
    muted: bool = False
    fragment: str | None = None


@dataclass(frozen=True)
class Notice:
    """Something the performer should know, once. ``number`` rises by one from notice to notice."""

    number: int
    text: str
    level: NoticeLevel = "info"


@dataclass(frozen=True)
class State:
    """Everything the screen shows except the frames themselves (`Session.window` has those)."""

    alive: bool = True  # False: the core process is gone; restart() opens another
    phase: Phase = "stopped"
    clock: int = 0  # frames handed to the chip since the room opened
    ahead: int = 0  # frames made and not yet played
    rate_hz: float = 50.125  # frames a second
    chip: str = "6581"
    timing: str = "PAL"
    model: str = ""  # empty while it is being loaded
    loading: str = ""  # what there is to wait for while the model is being loaded
    trouble: str | None = None  # why there is no model
    speed_x: float = 0.0  # how fast the model makes frames, times real time; 0 before it made any
    output: str = ""  # where the sound goes, for people: "speaker pulse", "null output (no sound device)"
    latency_ms: float = 0.0  # from a frame taken by the renderer to its sound at the device
    midi: str = ""  # "no MIDI", "Launch Control XL", ...
    prompt: str | None = None
    fragments: tuple[str, ...] = ()
    controls: dict[str, ControlState] = field(default_factory=dict)
    voices: tuple[VoiceState, VoiceState, VoiceState] = (VoiceState(), VoiceState(), VoiceState())
    underruns: int = 0  # times that generation came late since the room opened
    late_frames: int = 0  # frames that were held or looped instead
    gaps: int = 0  # times that the sound device had to be given silence
    quiet_s: float = 0.0  # seconds since a voice last sounded, while playing
    take_s: float = 0.0  # seconds of music in the take so far
    take: str | None = None  # the folder of its log; None when it cannot be written
    notices: tuple[Notice, ...] = ()  # the latest, oldest first


@dataclass(frozen=True)
class Window:
    """A piece of the tape: ``frames[i]`` is the frame of clock ``first + i``; rows from ``now`` on are to come."""

    first: int
    now: int  # index into frames of the row that the chip takes next
    frames: Frames  # uint8[n, 28]
