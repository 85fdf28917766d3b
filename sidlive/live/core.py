"""The heart of the instrument: what is heard next, and what every command means. Deterministic, without threads.

Three callers meet here: whoever plays (`next_frame`), whoever generates (`assignment`, `heard`, `rows`, `enter`,
`deliver`) and whoever commands (`command`, `state`). Each may be a thread of its own; one lock is held for microseconds
and never while an engine works. Called in turn by one thread, the same commands give the same frames, always.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import PAL, Frames, VideoTiming, silence, timing_named
from sidlive.live.audition import Audition
from sidlive.live.controls import control, one_voice, parse_voices, turnable
from sidlive.live.desk import Desk, Hands, Speakers
from sidlive.live.lineage import Assignment, Lineage
from sidlive.live.link import COMMANDS, TakeNote
from sidlive.live.mirror import Mirror
from sidlive.live.state import ControlValue, NoticeLevel, Phase, State
from sidlive.live.take import ASSIGN, DELIVER, ENTER, FORGET, FRAME, HEARD, ROWS, Take
from sidlive.live.tape import Tape
from sidlive.live.voices import Held, Locked, Row, released, remixed, sounding, steady

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment

MARGIN: Final = 1  # frames past the playhead that a change leaves alone: the chip may be about to take them
CUSHION: Final = 8  # frames that must be ready before music starts
TAIL_S: Final = 2.0  # of the silence after stop(), what belongs to the take
QUIET_S: Final = 3.0  # without a sounding voice: the model has lost the thread
BEATS_A_BAR: Final = 4
DEFAULT_BEAT: Final = 24  # frames, where no fragment says: 125 beats a minute

Heard = Literal["nothing", "music", "take"]


class Core:
    """The tape, the controls, the take, and how they move together."""

    def __init__(
        self,
        take: Take,
        chip: str = "6581",
        timing: VideoTiming = PAL,
        seed: int = 1,
        mirror: Mirror | None = None,
        follows: bool = False,
    ) -> None:
        """``follows``: before anything was played, a prompt that was made for another video standard brings it."""
        self.take = take
        self.chip = chip
        self.timing = timing
        self._rate = timing.rate_hz
        self._follows = follows
        self.mirror = mirror or Mirror()
        # Set by whoever owns the part, read by state().
        self.model = self.output = ""
        self.loading = ""
        self.trouble: str | None = None
        self.midi = "no MIDI"
        self.latency_ms = 0.0
        self.gaps = 0
        self.step_s = 0.0  # that the engine takes for a frame, lately
        self.hands: Hands | None = None
        self.speakers: Speakers | None = None
        self.control_first = False  # the prompt's tune writes a voice's control before its envelope; any thread reads
        self.begins = False  # with the frame given last music begins, out of silence or instead of other music
        self.wake: Callable[[], None] = lambda: None  # there may be frames to make
        self.hush: Callable[[], None] = lambda: None  # throw away sound that is on its way to the device
        self.retime: Callable[[VideoTiming], None] = lambda timing: None  # have the chip run at this video standard

        self._lock = threading.Lock()
        self._tape = Tape()
        self._desk = Desk(seed, timing)
        self._prompt: str | None = None
        self._lineage = Lineage(0, silence(0), 0, 0)
        self._epoch = 0
        self._lane = 0  # another for each revival, so that the same prompt does not die the same death
        self._armed = False  # there is something to continue
        self._playing = False
        self._waiting = True  # started, and no frame yet
        self._last: Row = silence(1)[0]  # the frame that the chip took last, before remix
        self._clock = 0
        self._idle = 0  # frames since the music stopped
        self._late = 0  # frames held or looped since generation came late
        self._quiet = 0  # frames played since a voice sounded
        self._beat = DEFAULT_BEAT
        self._underruns = self._late_frames = 0
        self._audition: Audition | None = None  # what is heard instead of the music
        self._heard: Heard = "nothing"
        self._commands: dict[str, Callable[..., None]] = {name: getattr(self, f"_do_{name}") for name in COMMANDS}

    # -- for whoever plays

    def next_frame(self) -> Row:
        """The frame that the chip gets now, ``uint8[28]``. Always returns one, whatever the generator does."""
        with self._lock:
            self.take.step(FRAME)
            row = self._play() if self._playing else released(self._last)
            self._last = row
            volume = self._desk.whole("volume")
            row = remixed(row, self._desk.muted, volume)
            self._idle = 0 if self._playing else self._idle + 1
            tail = bool(self.take.length) and 0 < self._idle <= TAIL_S * self._rate
            if tail or (self._playing and not self._waiting):
                self.take.append(row)
            heard: Heard = "music" if self._playing and not self._waiting else "nothing"
            if self._audition is not None and (again := self._audition.row(row)) is not None:
                row = remixed(again, frozenset(), volume)
                heard = "take" if self._audition.begun else "nothing"
            else:
                self._audition = None
            self.begins = heard not in ("nothing", self._heard)
            self._heard = heard
            self.mirror.play(self._clock, row, self._tape.playhead, self._tape.end)
            self._clock += 1
        self.wake()
        return row

    def _play(self) -> Row:
        """The next frame of the music, or of what stands in for it."""
        if self._waiting and self._tape.ahead < min(CUSHION, self._desk.whole("ahead")):
            return released(self._last)
        self._waiting = False
        looping = self._late >= self._beat
        back = self._tape.ahead >= CUSHION and self._late % self._beat == 0 if looping else self._tape.ahead > 0
        row = self._tape.take() if back else None
        if row is None:
            return self._stand_in()
        self._late = 0
        self._quiet = 0 if sounding(row) else self._quiet + 1
        if self._quiet == round(QUIET_S * self._rate):
            self._revive()
        return row

    def _stand_in(self) -> Row:
        """Generation is late: registers hold for a beat, then the last bar loops until music is back on a beat."""
        if not self._late:
            self._underruns += 1
        late, self._late = self._late, self._late + 1
        self._late_frames += 1
        bar = min(BEATS_A_BAR * self._beat, self._tape.playhead // self._beat * self._beat)
        if late < self._beat or not bar:
            return steady(self._last)
        index = self._tape.playhead - bar + late % bar
        return self._tape.rows(index, index + 1)[0][0]

    def _revive(self) -> None:
        """The continuation has died: prompt again, and let chance fall otherwise."""
        if self._prompt is None:
            self._desk.tell(f"nothing has sounded for {QUIET_S:.0f} s: prompt() it with a fragment", "warning")
        if not self._desk.whole("revive") or self._prompt is None or not self._desk.mask:
            return
        self._lane += 1
        self._quiet = 0
        self._lineage = replace(self._lineage, number=self._lineage.number + 1, root=None, opening=0)
        self._desk.tell(
            f"nothing sounded for {QUIET_S:.0f} s: prompted again with {self._prompt} (set('revive', 0) lets it be)"
        )
        self.take.event("revive", self._prompt)

    # -- for whoever generates

    def assignment(self, lineage: int, position: int) -> Assignment | None:
        """The next frame to make, for a generator whose engine heard that lineage and stands at `position`."""
        with self._lock:
            if not self._armed:
                return None
            index = self._tape.settle(MARGIN)
            past = self._lineage
            if past.number == lineage:
                if index >= self._tape.playhead + self._desk.whole("ahead"):
                    return None
                if past.root == position < index:  # the prompt came too late for its cut: it follows at this one
                    self._lineage = past = replace(past, root=index)
            self.take.step(ASSIGN)
            return Assignment(
                self._epoch, past, index, self._before(index)[0], self._desk.sampling(self._lane),
                self._desk.constraints, self._desk.grips, self._desk.mask,
            )  # fmt: skip

    def heard(self, root: int, most: int) -> tuple[int, Frames, NDArray[np.int8]]:
        """Where a cut would fall now, and up to `most` frames of the tape before it, from `root` on, with semitones."""
        with self._lock:
            self.take.step(HEARD)
            position = max(root, min(self._tape.playhead + MARGIN, self._tape.end))
            return position, *self._tape.rows(max(root, position - most), position)

    def rows(self, start: int, stop: int) -> tuple[Frames, NDArray[np.int8]]:
        """Frames of the tape and the transposition that each was made in."""
        with self._lock:
            self.take.step(ROWS)
            return self._tape.rows(start, stop)

    def enter(self, lineage: Lineage) -> int | None:
        """The engine has heard this lineage: cut the tape; returns where, None when it is out of date already."""
        with self._lock:
            self.take.step(ENTER)
            if lineage.number != self._lineage.number:
                return None
            if lineage.root is None and not self._playing:
                self._flush()
            index = self._cut()
            if lineage.root is None:
                self._lineage = replace(lineage, root=index)
            return index

    def deliver(self, task: Assignment, row: Row) -> bool:
        """Put a frame on the tape; False when it is out of date."""
        with self._lock:
            self.take.step(DELIVER)
            tape = self._tape
            if task.epoch != self._epoch or task.index != tape.fresh or task.index < tape.playhead:
                return False
            tape.put(row, task.lineage.semitones)
            self.mirror.make(task.index, row, tape.end)
            return True

    def forgotten(self) -> None:
        """The generator failed: whatever it was at is lost, and its engine hears everything anew."""
        with self._lock:
            self.take.step(FORGET)

    def _before(self, index: int) -> tuple[Row, int]:
        """The frame before a tape frame, and the transposition that it was made in."""
        past = self._lineage
        if index > (past.root or 0):
            rows, semitones = self._tape.rows(index - 1, index)
            return rows[0], int(semitones[0])
        heard = len(past.context) - past.opening
        return past.context[heard - 1] if heard else silence(1)[0], 0

    def _cut(self) -> int:
        """The future is to be made anew; returns the first frame of it."""
        self._epoch += 1
        return self._tape.cut(MARGIN)

    def _flush(self) -> None:
        """Throw the future away. A past that begins in it is entered again."""
        self._epoch += 1
        self._tape.flush()
        self.mirror.cut(self._tape.end)
        if self._lineage.root is not None and self._lineage.root > self._tape.playhead:
            self._lineage = replace(self._lineage, number=self._lineage.number + 1, root=None)

    # -- for whoever commands

    def command(self, name: str, *arguments: Any) -> None:
        """Do one of `Commands`, which takes effect at once or not at all. Raises SidliveError."""
        with self._lock:
            epoch = self._epoch
            self._commands[name](*arguments)
            anew = {"anew": self.take.length + self._tape.fresh - self._tape.playhead} if self._epoch != epoch else {}
            self.take.event(name, *arguments, **anew)
            self._desk.note(self._clock / self._rate, name, arguments)
        self.wake()

    def ready(self, model: str, digest: str) -> None:
        """The engine is loaded: music can be made. `digest` is of the model's file."""
        with self._lock:
            self.model = model
            self.take.note(model=model, digest=digest)

    def tell(self, text: str, level: NoticeLevel = "warning") -> None:
        """Something that the performer should know."""
        with self._lock:
            self._desk.tell(text, level)

    def get(self, name: str) -> ControlValue:
        """A control's value."""
        with self._lock:
            return self._desk.get(name)

    def history(self) -> list[str]:
        """The commands so far, oldest first."""
        with self._lock:
            return list(self._desk.history)

    def performed(self) -> tuple[Frames, int | None, bool]:
        """The take, ``uint8[n, 28]`` as the chip got it, and what the last prompt told: frames a beat, None without
        one, and whether its tune writes a voice's control before its envelope."""
        return self.take.frames(), self._beat if self._prompt else None, self.control_first

    def note(self, name: TakeNote, *arguments: Any) -> None:
        """Enter an edit or a commit into the take's log and the history."""
        with self._lock:
            self.take.event(name, *arguments)
            shown = (arguments[0]["verb"], arguments[0]["arguments"]) if name == "edit" else (name, arguments[:1])
            self._desk.note(self._clock / self._rate, *shown)

    def log(self) -> str:
        """The take's log so far."""
        return self.take.log()

    def device(self, name: str | None) -> list[str]:
        """Play on another sound device; without a name, the names of those there are. Raises DeviceError."""
        if self.speakers is None:
            self.tell("device(): there is no sound device here")
            return []
        return self.speakers.names() if name is None else self.speakers.choose(name)

    def audition(self, frames: Frames, loop_frame: int | None, start: int) -> None:
        """Have these frames heard from `start` on, and the music go on unheard meanwhile."""
        with self._lock:
            self._audition = Audition(frames, loop_frame, start)

    def state(self) -> State:
        """Everything the screen shows except the frames."""
        with self._lock:
            return State(
                phase=self._phase(),
                clock=self._clock,
                ahead=self._tape.ahead,
                rate_hz=self._rate,
                chip=self.chip,
                timing=self.timing.name,
                model=self.model,
                loading=self.loading,
                trouble=self.trouble,
                output=self.output,
                latency_ms=self.latency_ms,
                midi=self.midi,
                prompt=self._prompt,
                fragments=tuple(self._desk.fragments),
                controls=self._desk.controls(self.hands),
                voices=self._desk.voices(),
                underruns=self._underruns,
                late_frames=self._late_frames,
                speed_x=1 / (self.step_s * self._rate) if self.step_s else 0.0,
                gaps=self.gaps,
                quiet_s=self._quiet / self._rate,
                take_s=self.take.length / self._rate,
                take=str(self.take.folder) if self.take.folder else None,
                notices=tuple(self._desk.notices),
            )

    def _phase(self) -> Phase:
        if self._audition is not None:
            return "hearing"
        if not self._playing:
            return "stopped"
        if self._waiting:
            return "waiting"
        if not self._late:
            return "playing"
        return "holding" if self._late <= self._beat else "looping"

    # -- the commands (`sidlive.live.link.Commands`), under the lock

    def _do_add(self, fragment: "Fragment") -> None:
        self._desk.add(fragment)
        if not self._may_retime:
            self._tell_standard(fragment)

    @property
    def _may_retime(self) -> bool:
        return self._follows and not self.take.length and not self._playing

    def _tell_standard(self, fragment: "Fragment") -> None:
        """Say how a fragment that was made for another video standard sounds here."""
        if fragment.timing != self.timing.name:
            self._desk.tell(
                f"{fragment.name} was made for {fragment.timing}, this is {self.timing.name}:"
                f" {timing_named(fragment.timing).heard_at(self.timing)} (--video {fragment.timing.lower()})"
            )

    def _take_standard(self, fragment: "Fragment") -> None:
        """Run at the video standard that a fragment was made for."""
        self.timing = timing_named(fragment.timing)
        self._rate = self.timing.rate_hz
        self.take.restate(timing=self.timing.name, rate_hz=self._rate)
        self.retime(self.timing)
        self._desk.tell(
            f"{fragment.name} was made for {fragment.timing}: the instrument runs at {self._rate:.2f} frames a second"
            f" now, as {fragment.timing} does"
        )

    def _do_prompt(self, name: str, play: bool = False) -> None:
        fragment = self._desk.fragment(name)
        if fragment.timing != self.timing.name and self._may_retime:
            self._take_standard(fragment)
        else:
            self._tell_standard(fragment)
        self._desk.hear(fragment.frames, self.timing)
        self._prompt, self._beat, self._quiet = name, max(1, fragment.beat_frames), 0
        self.control_first = fragment.control_first
        self._armed = True
        self._lineage = Lineage(
            self._lineage.number + 1, fragment.frames, None, self._lineage.semitones,
            len(fragment.frames) if play else 0,
        )  # fmt: skip
        if fragment.chip != self.chip:
            self._desk.tell(
                f"{name} was made for the {fragment.chip}; the chip here is a {self.chip} (--chip {fragment.chip})"
            )

    def _do_start(self) -> None:
        self._audition = None
        if not self._playing:
            self._waiting, self._late, self._quiet = True, 0, 0
        self._playing = self._armed = True

    def _do_stop(self) -> None:
        self._audition = None
        self._playing = False

    def _do_panic(self) -> None:
        self._audition = None
        self._playing = False
        self._flush()
        self._last = silence(1)[0]
        self.hush()

    def _do_set(self, name: str, value: ControlValue) -> None:
        if not self._desk.set(name, value):
            return
        if name == "transpose":
            number = self._lineage.number + 1
            self._lineage = replace(self._lineage, number=number, semitones=self._desk.whole("transpose"))
        elif control(name).kind == "steer":
            self._cut()

    def _do_mute(self, *voices: int | str) -> None:
        self._desk.mute(*voices)

    def _do_unmute(self, *voices: int | str) -> None:
        self._desk.unmute(*voices)

    def _do_hold(self, *voices: int | str) -> None:
        chosen = parse_voices(*voices or ("all",))
        row, semitones = self._before(self._cut())
        self._desk.grip(chosen, Held(row, semitones))

    def _do_lock(self, voice: int | str, name: str, source: int | None = None) -> None:
        chosen, fragment = one_voice(voice), self._desk.fragment(name)
        taken = chosen if source is None else one_voice(source)
        self._desk.grip({chosen}, Locked(name, fragment.frames, taken, self._cut()))

    def _do_free(self, *voices: int | str) -> None:
        self._desk.grip(parse_voices(*voices or ("all",)), None)
        self._cut()

    def _do_forbid(self, column: str, values: str, *voices: int | str) -> None:
        self._desk.forbid(column, values, *voices)
        self._cut()

    def _do_permit(self, column: str | None = None, *voices: int | str) -> None:
        self._desk.permit(column, *voices)
        self._cut()

    def _do_learn(self, name: str) -> None:
        turnable(name)
        if self.hands is None:
            self._desk.tell(f"learn({name!r}): there is no MIDI here")
        else:
            self.hands.learn(name)

    def _do_unlearn(self, name: str) -> None:
        turnable(name)
        if self.hands is not None:
            self.hands.unlearn(name)
