"""The core: the heart of the instrument. Deterministic, without threads of its own.

Three callers meet here: the renderer (`next_frame`), the generator (`assignment`, `heard`, `rows`, `enter`, `deliver`)
and the session (`command`, `state` and the other calls). Each may be a thread of its own. One lock guards them; it is
held for microseconds, and never while the engine works. The same calls in the same order always give the same frames.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import Frames, silence, timing_named
from sidlive.errors import ControlError
from sidlive.live.core.audition import Audition
from sidlive.live.core.lineage import Assignment, Lineage
from sidlive.live.core.rests import Rests
from sidlive.live.core.timekeeper import Timekeeper
from sidlive.live.core.voices import Row
from sidlive.live.link import COMMANDS, TakeNote
from sidlive.live.outputs.chip_choice import LISTENING
from sidlive.live.state import BindingState, ControlValue, GapReport, Notes, NoticeLevel, OutputState, State, SyncState
from sidlive.live.takes.take import ASSIGN, DELIVER, ENTER, FORGET, HEARD, ROWS
from sidlive.live.timing.clock import Clock
from sidlive.tune.beat import Beat
from sidlive.tune.cutting import Speeds
from sidlive.tune.shaping.past_edits import Edits

if TYPE_CHECKING:
    from sidlive.live.hands.keyboards import KeyChoice
    from sidlive.live.hands.monitor import Heard
    from sidlive.tune.fragment import Fragment


class Core(Timekeeper):
    """The core: a timekeeper with the calls of the generator and the session."""

    # -- for the generator (`sidlive.live.core.generator.GeneratorHost`)

    def assignment(self, lineage: int, position: int) -> Assignment | None:
        """Return the next frame to generate; None if there is nothing to do.

        `lineage`: number of the lineage that the engine has prefilled. `position`: tape frame that the engine would
        generate next.
        """
        with self._lock:
            if not self._armed:
                return None
            index = self._tape.settle()
            course = self._course_at(index)
            past, desk, beat = course.lineage, course.desk, course.beat
            if past.number == lineage:
                if index >= self._tape.playhead + self._desk.whole("ahead"):
                    return None
                if past.root == position < index:  # the playhead passed the cut before its first frame was made
                    index = self._cut_again(past, position, index)
                    past = course.lineage
            self.take.step(ASSIGN)
            return Assignment(
                self._epoch, past, index, self._before(past, index)[0],
                desk.sampling(self._lane, beat.bar * beat.whole_frames), desk.constraints, desk.grips, desk.mask,
                desk.plan(self._lane, course.clock),
            )  # fmt: skip

    def _cut_again(self, past: Lineage, root: int, index: int) -> int:
        """Have a lineage begin later than at ``root``, which was passed; return the frame of the new cut.

        The plan is written anew with each cut, which may take some frames. So the new cut is as far ahead of ``index``,
        the next frame to generate, as the plan was late so far. On a busy machine it would be passed again and again.
        The clock follows the music.
        """
        if self._postpones:
            self._missed += index - root
            index = self._tape.postpone(self._missed)
        self._schedule.entered(past, index, past.at)
        if self._postpones and self._course.lineage.number == past.number:
            clock = self._course.clock
            self._course.clock = replace(clock, downbeat=clock.downbeat + index - root)
            self._schedule.cut(self._tape.fresh)
        return index

    def heard(self, root: int, most: int, at: int | None = None) -> tuple[int, Frames, NDArray[np.int8], list[Edits]]:
        """Return the tape frame of a cut made now, and the frames before it, with their transpositions and edits.

        With `at`, which is where the lineage begins, there is no cut: the next frame to generate counts instead.

        The frames are the last ones before the cut, at most `most` and none before `root`: ``uint8[n, 28]``,
        ``int8[n]`` in semitones, and the edits under which each was generated.
        """
        with self._lock:
            self.take.step(HEARD)
            if at is None:
                position = max(root, min(self._tape.playhead + self._tape.margin, self._tape.end))
            else:
                position = max(root, at, self._tape.settle())
            first = max(root, position - most)
            return position, *self._tape.rows(first, position), self._tape.edits(first, position)

    def rows(self, start: int, stop: int) -> tuple[Frames, NDArray[np.int8]]:
        """Return tape frames `start` to `stop`, ``uint8[n, 28]``, and their transpositions in semitones."""
        with self._lock:
            self.take.step(ROWS)
            return self._tape.rows(start, stop)

    def enter(self, lineage: Lineage, past: Frames | None = None) -> int | None:
        """Cut the tape for a lineage that the engine has prefilled; return the cut, None if the lineage is outdated.

        ``past uint8[n, 28]``: what an edited lineage continues; from now on its rests count, not those of the prompt.
        """
        with self._lock:
            self.take.step(ENTER)
            self._missed = 0
            begin = self._tape.place() if lineage.at is None else self._tape.settle()
            if lineage.number != self._course_at(begin).lineage.number:
                return None
            if past is not None and len(past):
                self._rests = Rests(past, self._rate)
            if lineage.root is None and not self._playing:
                self._flush()
            index = self._cut() if lineage.at is None else self._tape.settle()
            if lineage.at is None:
                self._schedule.entered(lineage, index if lineage.root is None else lineage.root, index)
                if lineage.root is None:
                    self._course.begin(index)
                    self._place_waiting()
            elif lineage.root is None:
                self._schedule.entered(lineage, index, lineage.at)
            return index

    def deliver(self, task: Assignment, row: Row) -> bool:
        """Put a frame on the tape; return False if it came too late, or from settings that have changed since."""
        with self._lock:
            self.take.step(DELIVER)
            tape = self._tape
            if task.epoch != self._epoch or task.index != tape.fresh or task.index < tape.playhead:
                return False
            tape.put(row, task.lineage.semitones, task.lineage.edits)
            self.mirror.make(task.index, row, tape.end)
            return True

    def planned(self, notes: Notes) -> None:
        """Show the planned notes."""
        with self._lock:
            self.mirror.plan(notes)

    def forgotten(self) -> None:
        """Log that the generator failed and will prefill its engine from the start."""
        with self._lock:
            self.take.step(FORGET)
            self._course.lineage = replace(self._course.lineage, at=None)  # cut now: the frames ahead may be wrong
            self._schedule.cut(self._tape.fresh)

    # -- for the session (`sidlive.live.link.CoreCalls`)

    def command(self, name: str, *arguments: Any) -> None:
        """Run one of `Commands`: it takes effect whole, or raises SidliveError and changes nothing."""
        if name not in COMMANDS:
            raise ControlError(f"no command {name!r}: expected one of {', '.join(COMMANDS)}")
        with self._lock:
            self._command(name, arguments)
        self.wake()

    def turn(self, name: str, value: ControlValue) -> None:
        """Set a control from a MIDI controller, at the moment that `quantise` says."""
        if self.get(name) == value and self.quantised == "now":
            return
        if self.quantised == "now":
            self.command("set", name, value)
        else:
            self.later(self.quantised, ("set", (name, value)))

    def has_fragment(self, name: str) -> bool:
        """Return whether a fragment of that name is loaded."""
        with self._lock:
            return name in self._desk.fragments

    def ready(self, model: str, digest: str, composer: str = "", taste: str = "", styles: str = "") -> None:
        """Note that the engine is loaded.

        `digest`, `composer`, `taste`, `styles`: SHA-256 of the files of the model, its composer, and the composer's
        taste and styles.
        """
        with self._lock:
            self.model = model
            self.take.note(model=model, digest=digest, composer=composer, taste=taste, styles=styles)

    def tell(self, text: str, level: NoticeLevel = "warning") -> None:
        """Show the performer a notice."""
        with self._lock:
            self._desk.tell(text, level)

    def get(self, name: str) -> ControlValue:
        """Return a control's value."""
        with self._lock:
            return self._desk.get(name)

    def history(self) -> list[str]:
        """Return the commands so far, oldest first, a line each."""
        with self._lock:
            return list(self._desk.history)

    def performed(self) -> tuple[Frames, Beat | None, bool, Speeds | None]:
        """Return the take's frames ``uint8[n, 28]``, the prompt's beat, its tune's write order, the frames' speeds.

        The beat is None without a prompt. The write order is True if the tune writes a voice's control
        register before its envelope. The speeds are one for each frame, None if all are 1.
        """
        with self._lock:
            frames, speeds = self.take.performed()
            beat = (
                replace(self._course.beat, downbeat=0.0) if self._course.prompt else None
            )  # the take may begin anywhere in a bar
            return frames, beat, self.control_first, speeds

    def note(self, name: TakeNote, *arguments: Any) -> None:
        """Enter an edit or a commit into the take's log and the history."""
        with self._lock:
            self.take.event(name, *arguments)
            shown = (arguments[0]["verb"], arguments[0]["arguments"]) if name == "edit" else (name, arguments[:1])
            self._desk.note(self._seconds, *shown)

    def bindings(self) -> list[BindingState]:
        """Return what each MIDI source is bound to."""
        return [] if self.hands is None else self.hands.bindings()

    def midi_log(self) -> "list[Heard]":
        """Return the last MIDI messages and what each of them did, the newest last."""
        return [] if self.hands is None else self.hands.last_heard()

    def gap_reports(self) -> list[GapReport]:
        """Return what the core did shortly before each of the last gaps in the sound, oldest first."""
        return list(self.explained_gaps)

    def log(self) -> str:
        """Return the take's log so far."""
        return self.take.log()

    def device(self, name: str | None) -> list[str]:
        """Play on another sound device, if a name is given; return the names of all devices. Raises DeviceError."""
        if self.speakers is None:
            self.tell("device(): there is no sound device here")
            return []
        return self.speakers.names() if name is None else self.speakers.choose(name)

    def record(self, path: Path | None, stems: bool = False) -> None:
        """Record what is heard to this file from now on; None: end the recording. Raises DeviceError."""
        if self.recorder is None:
            self.tell("record(): there is no sound here")
        else:
            self.recorder.record(path, stems)

    def keys(self, choice: "KeyChoice | None", voice: int | None = None) -> "tuple[KeyChoice, ...]":
        """Have keys play a voice; without a choice, none plays the voice (1 to 3; None: any) any more."""
        if self.keyboards is None:
            self.tell("keys(): there is no MIDI here")
            return ()
        if choice is None:
            self.keyboards.end(voice)
        else:
            if choice.fragment is not None:
                with self._lock:
                    self._desk.fragment(choice.fragment)
            self.keyboards.play(choice)
            if not self.midi_ports:
                self.tell(f"keys: {self.midi}: voice {choice.voice} rests until a keyboard is there")
            elif choice.port is not None and not any(choice.port.lower() in name.lower() for name in self.midi_ports):
                self.tell(f"keys: no MIDI port {choice.port!r} is open now ({self.midi}); its keys play once it is")
        return self.keyboards.choices

    def osc(self, what: str | int | None) -> str:
        """Listen for Open Sound Control at a place, "off": nowhere; return where. Raises ControlError, DeviceError."""
        if self.osc_server is None:
            self.tell("osc(): there are no live controls here")
            return ""
        return self.osc_server.place if what is None else self.osc_server.listen(what)

    def sync(self, what: str) -> None:
        """Follow the clock of others: "midi", "midi:PORT", "link", or "off". Raises ControlError."""
        if self.ensemble is None:
            self.tell("sync(): there is no clock to follow here")
        else:
            self.ensemble.choose(what)

    def clock_out(self, port: str) -> None:
        """Begin to send our clock to a MIDI port; "off": to none. `State.sync` says how that goes."""
        if self.ensemble is None:
            self.tell("clock_out(): there is no MIDI here")
        else:
            self.ensemble.send(port)

    def out(self, spec: str, on: bool = True, voices: object = None, extended: bool | None = None) -> None:
        """Start to play on a chip, or stop. Raises ControlError and DeviceError."""
        if self.chips is None:
            self.tell("out(): there are no outputs here")
        else:
            self.chips.connect(spec, on, voices, extended)

    def outputs(self) -> tuple[OutputState, ...]:
        """Return the chips that play beside the emulator."""
        return self.chips.states if self.chips is not None else ()

    def listen(self, choice: str) -> None:
        """Have the emulator, the chips or both be heard. Raises ControlError."""
        if self.chips is None:
            self.tell("listen(): there are no outputs here")
        else:
            self.chips.listen(choice)

    @property
    def started(self) -> bool:
        """Whether the performer has started the music, even if its first frames are still being made."""
        return self._playing

    def meter(self) -> tuple[Clock, int, bool]:
        """Return the clock, the tape frame that comes next, and whether music plays. Takes no lock."""
        return self._course.clock, self._tape.playhead, self._playing and not self._waiting

    def audition(self, frames: Frames, loop_frame: int | None, start: int, speed: float = 1.0) -> None:
        """Play these frames from `start` on instead of the music, which goes on unheard."""
        with self._lock:
            self._audition = Audition(frames, loop_frame, start, speed)

    def _on_keys(self) -> frozenset[int]:
        """Return the voices that are played on keyboards."""
        choices = self.keyboards.choices if self.keyboards is not None else ()
        return frozenset(choice.voice - 1 for choice in choices)

    def state(self) -> State:
        """Return everything the screen shows except the frames."""
        with self._lock:
            return State(
                phase=self._phase(),
                clock=self._clock,
                ahead=self._tape.ahead,
                rate_hz=self._rate,
                speed=self._pace,
                chip=self.chip,
                timing=self.timing.name,
                model=self.model,
                loading=self.loading,
                trouble=self.trouble,
                output=self.output,
                latency_ms=self.latency_ms,
                osc=self.osc_server.place if self.osc_server is not None else "",
                recording=self.recorder.path if self.recorder is not None else "",
                midi=self.midi,
                midi_ports=self.midi_ports,
                prompt=self._course.prompt,
                fragments=tuple(self._desk.fragments),
                controls=self._desk.controls(self.hands),
                voices=self._desk.voices(self._on_keys()),
                edits=tuple(map(str, self._course.edits)),
                underruns=self._underruns,
                late_frames=self._late_frames,
                speed_x=1 / (self.step_s * self._heard_hz) if self.step_s else 0.0,
                gaps=self.gaps,
                quiet_s=self._quiet / self._rate,
                take_s=self.take.time / self._rate,
                take=str(self.take.folder) if self.take.folder else None,
                count=self._count(),
                pending=tuple(self._pending()),
                quantise=self.quantised,
                change_frames=self.lead([("set", ("transpose",))], movable=True),
                late_changes=self.late_changes,
                sync=self.ensemble.state if self.ensemble is not None else SyncState(),
                outputs=self.outputs(),
                listening=self.chips.listening if self.chips is not None else LISTENING[0],
                notices=tuple(self._desk.notices),
            )

    # -- the commands (`sidlive.live.link.Commands`), under the lock

    def _do_add(self, fragment: "Fragment") -> None:
        self._desk.add(fragment)
        self._notified.discard(fragment.name)
        if not self._may_retime:
            self._notify_standard(fragment)

    @property
    def _may_retime(self) -> bool:
        return self._follows and not self.take.length and not self._playing

    def _notify_standard(self, fragment: "Fragment") -> None:
        """Show a notice, once a fragment, if it was made for the other video standard: how it sounds at this one."""
        if fragment.timing != self.timing.name and fragment.name not in self._notified:
            self._notified.add(fragment.name)
            self._desk.tell(
                f"{fragment.name} was made for {fragment.timing}, this is {self.timing.name}:"
                f" {timing_named(fragment.timing).heard_at(self.timing)} (--video {fragment.timing.lower()})"
            )

    def _change_standard(self, fragment: "Fragment") -> None:
        """Change to the video standard that a fragment was made for."""
        self.timing = self._desk.timing = timing_named(fragment.timing)
        self._notified.clear()
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
            self._change_standard(fragment)
        else:
            self._notify_standard(fragment)
        self._steer("prompt", name, play)
        self._prompted(fragment)

    def _do_start(self) -> None:
        self._audition = None
        if not self._playing:
            self._waiting, self._late, self._quiet = True, 0, 0
            if self._rests is not None:
                self._rests.begin()
        self._playing = self._armed = True

    def _do_stop(self) -> None:
        if self.ensemble is not None:
            self.ensemble.forget_start()
        self._audition = None
        self._playing = False

    def _do_panic(self) -> None:
        if self.ensemble is not None:
            self.ensemble.forget_start()
        self._schedule.remove({entry.number for entry in self._schedule.waiting})
        self._audition = None
        self._playing = False
        self._flush()
        self._last = silence(1)[0]
        self.hush()

    def _do_mute(self, *voices: int | str) -> None:
        self._desk.mute(*voices)

    def _do_unmute(self, *voices: int | str) -> None:
        self._desk.unmute(*voices)

    def _do_learn(self, deed: str, options: dict[str, Any] | None = None) -> None:
        if self.hands is not None:
            self.hands.learn(deed, options)
        elif deed:
            self._desk.tell(f"learn({deed!r}): there is no MIDI here")

    def _do_unlearn(self, deed: str) -> None:
        if self.hands is not None:
            self.hands.unlearn(deed)
