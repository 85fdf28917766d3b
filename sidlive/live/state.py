"""The state of the instrument: plain values that cross from the core to screens and scripts. Knows no threads."""

from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames

# stopped: the chip is quiet until start(). waiting: started, the first frames are being made. playing: all is well.
# holding, looping: generation is late, so registers are held, then the last bar loops until there is music again.
# hearing: the take as edited is being played (verb `hear`); the music's own phase is not shown meanwhile.
Phase = Literal["stopped", "waiting", "playing", "holding", "looping", "hearing"]
VoiceMode = Literal["generated", "masked", "held", "locked", "code", "keys"]
ControlKind = Literal["steer", "remix", "room"]
ControlValue = float | int | str
NoticeLevel = Literal["info", "warning"]

LEARNING: Final = "move a knob"  # in place of its knob, while a control is being learned
PHASES: Final[tuple[Phase, ...]] = ("stopped", "waiting", "playing", "holding", "looping", "hearing")


def place_between(low: float | None, high: float | None, value: ControlValue) -> float | None:
    """Return the place of a value in a range, 0 to 1; None without a range."""
    if low is None or high is None or not isinstance(value, int | float):
        return None
    return (float(value) - low) / (high - low)


@dataclass(frozen=True)
class ControlState:
    """The state of a control. ``low`` and ``high`` are None for a control whose value is a text (the mask)."""

    name: str
    value: ControlValue
    low: float | None
    high: float | None
    unit: str
    kind: ControlKind
    help: str
    midi: str | None = None  # the knob that moves it, as people read it: "CC 1", "CC 16 ch 2 of nanoKONTROL2"
    hand: float | None = None  # where that knob is, 0 to 1, while it has no hold of the control
    moving: str = ""  # its movement, as people read it: "to 1.4", "0.5 to 1.5 sine", "0 3 5 7"; empty: it stays
    span: tuple[float, float] | None = None  # the lowest and highest value of its movement

    @property
    def fraction(self) -> float | None:
        """Position of the value in its range, 0 to 1; None without a range."""
        return self.place(self.value)

    def place(self, value: ControlValue) -> float | None:
        """Return the position of a value in the range, 0 to 1; None without a range."""
        return place_between(self.low, self.high, value)


@dataclass(frozen=True)
class VoiceState:
    """The state of a voice: who decides its registers, whether it is muted, and the fragment it is locked to."""

    mode: VoiceMode = "generated"
    muted: bool = False
    fragment: str | None = None


@dataclass(frozen=True, repr=False)
class ClockState:
    """The clock at the playhead: bar and beat from 1, the tempo, and where it comes from."""

    bar: int = 1
    beat: int = 1
    part: float = 0.0  # of the beat that has passed
    beats: float = 0.0  # from the beginning of bar 1; not rounded
    beat_frames: float = 24.0
    bar_beats: int = 4
    tempo: float = 125.0  # beats per minute, at the present speed
    speed: float = 1.0  # see `State.speed`
    source: str = "default"  # "file", "estimate", "default", or "you" once the performer has corrected it
    confidence: float = 0.0  # 0 to 1

    def __repr__(self) -> str:
        origin = {
            "file": "as its file says", "estimate": f"estimated, {self.confidence:.0%} sure", "you": "as you set it",
        }.get(self.source, "not known yet")  # fmt: skip
        speed = "" if self.speed == 1 else f" at speed {self.speed:.3f}"
        return (
            f"{self.bar}:{self.beat}  {self.tempo:.1f} beats a minute ({self.beat_frames:.6g} frames a beat{speed}),"
            f" {self.bar_beats} beats a bar, {origin}"
        )


@dataclass(frozen=True, repr=False)
class PendingState:
    """A command that waits for its moment."""

    number: int  # `cancel` takes it
    text: str  # the command of the core, as Python writes it: "set('temperature', 1.4)"
    bar: int | None  # the bar and beat that it waits for; None until the music has begun
    beat: int | None
    frames: int | None  # from the playhead

    def __repr__(self) -> str:
        when = "when the music has begun" if self.bar is None else f"at {self.bar}:{self.beat}"
        return f"{self.number}  {self.text}  {when}"


@dataclass(frozen=True, repr=False)
class LoopState:
    """A loop as the performer sees it: a function that is called in time."""

    name: str
    period: str
    calls: int
    skipped: int  # ticks without a call, because the call before took too long
    bar: int  # the next tick
    beat: int
    frames: int  # from the playhead to it
    error: str = ""  # why its newest version does not run

    def __repr__(self) -> str:
        parts = [f"{self.name}  every {self.period}  called {self.calls} times  next at {self.bar}:{self.beat}"]
        if self.skipped:
            parts.append(f"skipped {self.skipped} times")
        return "  ".join([*parts, *([self.error] if self.error else [])])


@dataclass(frozen=True, repr=False)
class SyncState:
    """The clock of others that is followed, and the clock that is sent."""

    kind: str = "off"  # "midi", "link" or "off"
    # waiting: there is no clock yet, or it has stopped. alone: no other Link peer. Then: locking, locked, out of reach.
    lock: str = "off"
    error_ms: float | None = None  # positive: our beat is heard later than theirs
    tempo: float | None = None  # theirs, in beats per minute
    source: str = ""  # the port, or the number of Link peers
    time_s: float = 0.0  # `time.perf_counter` at which a frame begins to be heard, the latest one
    beats: float = 0.0  # from the beginning of bar 1, at that time
    out: str = ""  # the port that our clock is sent to; empty: none
    out_opening: bool = False  # another port, or none, was chosen, and that is not done yet
    out_trouble: str = ""  # why the port that was chosen last is not open

    def __repr__(self) -> str:
        source = f" ({self.source})" if self.source else ""
        tempo = "" if self.tempo is None else f", {self.tempo:.1f} beats a minute"
        error = "" if self.error_ms is None else f", {self.error_ms:+.1f} ms"
        sent = f"; our clock is sent to {self.out}" if self.out else ""
        return f"sync {self.kind}{source}" + (f": {self.lock}{tempo}{error}" if self.kind != "off" else "") + sent


@dataclass(frozen=True, repr=False)
class OutputState:
    """A chip that plays beside the emulator, and its port."""

    name: str  # as the performer writes it: "asid:synth", "u64:192.168.1.64"
    status: str  # "opening", "open", "gone" (it may come back) or "failed"
    port: str = ""  # the full name of the port, if it is another one
    voices: str = "123"  # those that it plays
    error: str = ""  # why it failed
    dropped: int = 0  # messages that its process did not take in time

    def __repr__(self) -> str:
        where = f" ({self.port})" if self.port else ""
        voices = "" if self.voices == "123" else f", voices {', '.join(self.voices)}"
        dropped = f", {self.dropped} messages dropped" if self.dropped else ""
        return f"{self.name}{where}: {self.status}{voices}{dropped}" + (f": {self.error}" if self.error else "")


@dataclass(frozen=True, repr=False)
class BindingState:
    """What a part of a MIDI controller does."""

    text: str  # "CC 16 ch 2: temperature, 0.5 to 1.4"
    deed: str  # "temperature", 'prompt("drift")'
    file: str  # of its map; "built in" if there is none
    controller: str  # a part of its port's name; empty: any controller

    def __repr__(self) -> str:
        return f"{self.controller or 'any controller'}  {self.text}  ({self.file})"


@dataclass(frozen=True)
class Notice:
    """A message to the performer. ``number`` increases by one from notice to notice."""

    number: int
    text: str
    level: NoticeLevel = "info"


@dataclass(frozen=True)
class State:
    """The state of the instrument: everything the screen shows except the frames (`Session.window`)."""

    alive: bool = True  # False: the core process is gone; restart() opens another
    phase: Phase = "stopped"
    clock: int = 0  # frames handed to the chip since the room opened
    ahead: int = 0  # frames generated and not yet played
    rate_hz: float = 50.125  # frames a second at speed 1
    speed: float = 1.0  # multiple of that rate at which frames are played
    chip: str = "6581"
    timing: str = "PAL"
    model: str = ""  # empty while it is being loaded
    loading: str = ""  # progress while the model is being loaded
    trouble: str | None = None  # why there is no model
    speed_x: float = 0.0  # speed of generation; 1 is real time, 0 before the first frame
    output: str = ""  # where the sound goes, as people read it: "speaker pulse", "null output (no sound device)"
    latency_ms: float = 0.0  # from a frame taken by the renderer to its sound at the device
    osc: str = ""  # where Open Sound Control is listened to, "127.0.0.1:9000"; empty: nowhere
    recording: str = ""  # the file that is being recorded, see `record`; empty: none
    midi: str = ""  # the open ports or why there are none, as people read it: "no MIDI", "Launch Control XL"
    midi_ports: tuple[str, ...] = ()  # the open ports: controllers and keyboards
    prompt: str | None = None
    fragments: tuple[str, ...] = ()
    controls: dict[str, ControlState] = field(default_factory=dict)
    edits: tuple[str, ...] = ()  # of the music, in force at the playhead, as they are typed; the latest last
    voices: tuple[VoiceState, VoiceState, VoiceState] = (VoiceState(), VoiceState(), VoiceState())
    underruns: int = 0  # number of times that generation came late since the room opened
    late_frames: int = 0  # frames that were held or looped because of that
    gaps: int = 0  # number of holes in the sound: no samples were ready, or the device took them too late
    quiet_s: float = 0.0  # seconds since a voice last sounded, while playing
    take_s: float = 0.0  # seconds of music in the take so far
    take: str | None = None  # its folder; None if it is in memory only
    count: ClockState = ClockState()  # bars and beats
    pending: tuple[PendingState, ...] = ()  # commands that wait, in the order in which they take effect
    loops: tuple[LoopState, ...] = ()  # they run beside the session, so the core does not know them
    quantise: str = "now"  # when a command takes effect that does not say it
    sync: SyncState = SyncState()
    outputs: tuple[OutputState, ...] = ()  # the chips that play beside the emulator
    listening: str = "both"  # what is heard: "both", "chip" or "emulator"
    change_frames: int = 0  # frames by which a change of what the model has heard must be given before its own frame
    late_changes: int = 0  # timed changes that came after their frame because generation was late
    notices: tuple[Notice, ...] = ()  # the latest 20, oldest first


# Columns of planned notes. ONSET: frame in which the note begins. VOICE: 0 to 2. PITCH: MIDI note as it will sound, -1
# for a drum. CHORD: index into `events.CHORDS`. INSTRUMENT: its number in the prompt. LENGTH: frames until the gate
# closes. BY_CODE: 1 if code wrote it.
PLAN_COLUMNS: Final = 7
ONSET, VOICE, PITCH, CHORD, INSTRUMENT, LENGTH, BY_CODE = range(PLAN_COLUMNS)
Notes = NDArray[np.int64]  # [n, PLAN_COLUMNS]


def no_notes() -> Notes:
    """Return an empty table of planned notes."""
    return np.zeros((0, PLAN_COLUMNS), dtype=np.int64)


class GapReport(NamedTuple):
    """A gap in the sound, and what was done shortly before it."""

    at_s: float  # by `time.perf_counter`
    text: str  # a line


@dataclass(frozen=True)
class Window:
    """The tape around the playhead: ``frames[i]`` has the chip's frame number ``first + i``."""

    first: int
    now: int  # index in `frames` of the row that the chip takes next; rows from here on are to come
    frames: Frames  # uint8[n, 28]
    notes: Notes = field(default_factory=no_notes)  # the planned notes, from the playhead on; ONSET counts as `first`
