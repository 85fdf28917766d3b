"""The timekeeper: a tape player with a clock and with commands that take effect at their own tape frame.

`later` accepts commands for a moment. A command for a frame that is not generated yet costs nothing; one for a frame
that is, cuts the tape there. Each call of this class runs under the core's lock.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sidlive.errors import ControlError, SidliveError
from sidlive.live.core.course import MOVING, PAST_CONTROLS, STEERING, Course
from sidlive.live.core.rests import Rests
from sidlive.live.core.schedule import Command, Waiting
from sidlive.live.core.tape_player import TapePlayer
from sidlive.live.link import TIMED
from sidlive.live.state import ClockState, PendingState
from sidlive.live.timing.moments import Moment, parse_duration, parse_moment

if TYPE_CHECKING:
    from sidlive.tune.fragment import Fragment

SOONEST: Final = 1  # frames from the playhead to the first frame for which a command can wait
LEAD: Final = 2  # further frames between a timed change and the playhead, so that it is generated in time
PREFILL_TIMES: Final = 1.5  # a change of the past is expected to take this much longer than the last one


class Timekeeper(TapePlayer):
    """A tape player whose commands may wait."""

    def later(self, moment: str, *commands: Command) -> None:
        """Run commands at a moment, "bar" or "+2 bars", all at the same frame; each is ``(name, arguments)``.

        If the music stands, the commands to prompt and to start run now: without them the moment would never come. But
        while the clock of others is followed, a start waits for their beat or bar. All commands are accepted, or none:
        raises SidliveError.
        """
        when = parse_moment(moment)
        with self._lock:
            now, then = [], list(commands)
            if when.kind == "now":
                now, then = then, []
            elif not self._playing:
                now = [command for command in commands if command[0] in ("prompt", "start")]
                then = [command for command in commands if command not in now]
            for name, _ in then:
                if name not in TIMED:
                    raise ControlError(f"{name} cannot wait: it takes effect at once")
            frame = self._frame_of(when, then) if then and self._knows_time else None
            self._schedule.trial(self._tape.end if frame is None else frame, [c for c in then if c[0] in STEERING])
            for name, arguments in now:
                if name != "start" or not self._starts_with_others(when):
                    self._command(name, arguments)
            for command in then:
                name, arguments = command
                if name == "prompt" and frame is not None and (before := self._prompts_at(frame)):
                    self._remove(before)  # the last one that is asked for wins
                if frame is not None and name in MOVING:
                    arguments = self._in_frames(name, arguments, self._schedule.trial(frame))
                self._wait((name, arguments), when, frame)
                self._desk.note(self._seconds, command[0], (*command[1], f"at {moment}"))
        self.wake()

    def _prompts_at(self, frame: int) -> list[Waiting]:
        """Return the prompts that wait for a tape frame."""
        return [entry for entry in self._schedule.waiting if entry.name == "prompt" and entry.frame == frame]

    def _starts_with_others(self, when: Moment) -> bool:
        """Have the music start at a line of the clock that is followed; return False if that is not possible."""
        if self.ensemble is None or self._playing or when.kind != "line" or when.span.unit not in ("beats", "bars"):
            return False
        beats = max(1, round(when.span.count)) * (self._course.clock.bar if when.span.unit == "bars" else 1)
        return self.ensemble.hold_start(beats)

    def waits(self, name: str, arguments: tuple[Any, ...], frame: int | None) -> None:
        """Have a command wait for a tape frame, as a log says: the replay's form of `later`."""
        with self._lock:
            self._wait((name, arguments), None, frame)

    def due(self, number: int, frame: int) -> None:
        """Give a waiting command its tape frame, as a log says."""
        with self._lock:
            self._place(number, frame)

    def cancel(self, *numbers: int) -> None:
        """Remove waiting commands by their numbers, all of them without numbers. Raises ControlError."""
        with self._lock:
            waiting = {entry.number: entry for entry in self._schedule.waiting}
            if unknown := [number for number in numbers if number not in waiting]:
                raise ControlError(f"no command {unknown[0]} is waiting; pending() lists them")
            self._remove([waiting[number] for number in numbers or waiting])
            self._desk.note(self._seconds, "cancel", numbers)
        self.wake()

    # -- the schedule, under the lock

    def _remove(self, entries: list[Waiting]) -> None:
        """Remove waiting commands, and log that."""
        frames = [entry.frame for entry in entries if entry.steers and entry.frame is not None]
        self._schedule.remove({entry.number for entry in entries})
        self._cut_at(min(frames, default=None))
        self.take.event("cancel", *(entry.number for entry in entries))

    def _command(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Run a command now, and log it."""
        epoch = self._epoch
        if name == "adjust":
            arguments = self._adjustment(*arguments)
        arguments = self._in_frames(name, arguments, self._course)
        self._run(name, arguments)
        # A command that starts a new future is logged with the take frame at which the new future begins.
        anew = {"anew": self._taken(self._tape.fresh)} if self._epoch != epoch else {}
        self.take.event(name, *arguments, **anew)
        self._desk.note(self._seconds, name, arguments)

    def _run(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in STEERING and name != "prompt":
            self._steer(name, *arguments)
        else:
            getattr(self, f"_do_{name}")(*arguments)

    def _in_frames(self, name: str, arguments: tuple[Any, ...], course: Course) -> tuple[Any, ...]:
        """Return arguments with the length of a movement in frames, so that a replay needs no clock."""
        if name not in MOVING:
            return arguments
        at = MOVING[name]
        if not at < len(arguments) or arguments[at] is None:
            return arguments
        return (
            *arguments[:at],
            f"{course.frames(arguments[at], name, self._heard_hz):.6f} frames",
            *arguments[at + 1 :],
        )

    def _taken(self, index: int) -> int:
        """Return the number that tape frame ``index`` will have in the take, if generation is never late."""
        return self.take.length + index - self._tape.playhead

    @property
    def _knows_time(self) -> bool:
        """Whether the clock runs: the music has begun, so the frames of beats and bars are known."""
        return self._course.lineage.root is not None or not self._armed

    def _frame_of(self, when: Moment, commands: list[Command]) -> int:
        """Return the tape frame of a moment. Waiting prompts change the clock, so it is asked until it agrees."""
        now = self._tape.playhead
        earliest = now + SOONEST + self.lead(commands, when.kind != "count")
        clock = self._course.clock
        frame = clock.next(when, now, earliest, self._heard_hz)
        for entry in self._schedule.waiting:
            if entry.name == "prompt" and entry.frame is not None and entry.frame < frame:
                clock = self._schedule.trial(entry.frame).clock
                frame = clock.next(when, now, max(earliest, entry.frame), self._heard_hz)
        if when.kind == "count" and frame > clock.next(when, now, 0, self._heard_hz):  # a loop's call took too long
            self.late_changes += 1
        return frame

    def _wait(self, command: Command, when: Moment | None, frame: int | None) -> None:
        """Have a command wait, and log it with its frame."""
        entry = self._schedule.add(command, when, frame)
        anew = self._cut_at(frame if entry.steers else None)
        heard = {} if frame is None else {"heard": self._taken(frame)}  # as a frame of the take
        more: dict[str, Any] = {"at": frame, "number": entry.number, **heard, **anew}
        self.take.event(command[0], *command[1], **more)

    def _cut_at(self, frame: int | None) -> dict[str, int]:
        """Cut the tape at a frame, if it was generated already; return what the log says of the new future."""
        if frame is None or frame > self._tape.fresh:
            return {}
        self._epoch += 1
        self._tape.cut_at(frame)
        self._schedule.cut(frame)
        return {"anew": self._taken(frame)}

    def _place(self, number: int, frame: int) -> None:
        self._schedule.place(number, frame)
        self._cut_at(frame)
        self.take.event("due", number, frame, heard=self._taken(frame))

    def _place_waiting(self) -> None:
        """Give the commands that waited for the music their frames, now that the clock runs."""
        for entry in self._schedule.unplaced:
            if entry.moment is None:
                continue  # a replay: the log says it
            try:
                frame = self._frame_of(entry.moment, [])
            except ControlError:  # a bar that has passed
                frame = self._tape.playhead + SOONEST
            self._place(entry.number, frame)

    def _course_at(self, index: int) -> Course:
        course = self._schedule.course_at(index)
        self._report_refused()
        return course

    def _report_refused(self) -> None:
        """Show a notice for each command that failed when its time came."""
        for entry, error in self._schedule.refused:
            self._desk.tell(f"{entry.name} was not possible when its time came: {error}", "warning")
        self._schedule.refused.clear()

    def _take_effect(self) -> None:
        playhead = self._tape.playhead
        while (entry := self._schedule.due(playhead)) is not None:
            if entry.steers and self._tape.fresh <= playhead < self._tape.end:  # the frame is an old one
                self.late_changes += 1
                self._desk.tell(f"{entry.name} came late: generation was not ready for its frame", "warning")
            try:
                if entry.name in STEERING:
                    self._schedule.apply(entry, self._course)
                else:
                    self._run(entry.name, entry.arguments)
                if entry.name == "prompt":
                    self._prompted(self._desk.fragment(str(entry.arguments[0])))
            except SidliveError as error:
                self._schedule.refused.append((entry, error))
        self._report_refused()

    def lead(self, commands: list[Command], movable: bool) -> int:
        """Return the frames that must lie between now and a change, so that it is ready in time.

        A change of the past takes a prefill. So does any change before one for which the engine was prefilled already.
        Only a change that is ``movable`` waits for that; a loop's tick stays where it is.
        """
        if not self.realtime:
            return 0
        if not movable:
            return LEAD
        made = [
            (entry.name, entry.arguments)
            for entry in self._schedule.waiting
            if entry.frame is not None and entry.frame <= self._tape.fresh
        ]
        again = any(
            name in ("prompt", "reshape", "unshape") or not PAST_CONTROLS.isdisjoint(arguments[:1])
            for name, arguments in [*commands, *made]
        )
        return LEAD + (math.ceil(PREFILL_TIMES * self.prefill_s * self._heard_hz) if again else 0)

    def _count(self) -> ClockState:
        clock, playhead = self._course.clock, self._tape.playhead
        if not self._knows_time:  # the beat is the prompt's, which is not heard yet
            clock = replace(clock, beat=self._course.beat.frames, bar=self._course.beat.bar)
        place = clock.place(playhead)
        return ClockState(
            *place, clock.beats(playhead), clock.beat, clock.bar, 60 * self._heard_hz / clock.beat, self._pace,
            clock.source, clock.confidence,
        )  # fmt: skip

    def _pending(self) -> Iterator[PendingState]:
        clock, playhead = self._course.clock, self._tape.playhead
        for entry in self._schedule.waiting:
            if entry.name == "prompt" and entry.frame is not None:  # from there on its clock counts
                clock = self._schedule.trial(entry.frame).clock
            text = f"{entry.name}({', '.join(map(repr, entry.arguments))})"
            if entry.frame is None:
                yield PendingState(entry.number, text, None, None, None)
            else:
                place = clock.place(entry.frame)
                yield PendingState(entry.number, text, place.bar, place.beat, entry.frame - playhead)

    def _prompted(self, fragment: "Fragment") -> None:
        """Do what a prompt does besides steering, when its continuation begins."""
        self._quiet = 0
        if self._rests is None or not self._course.lineage.edits:  # else those of the edited past, see `enter`
            self._rests = Rests(fragment.frames, self._rate)
        self._rests.begin()
        self.control_first = fragment.control_first
        self._armed = True
        if fragment.chip != self.chip:
            self._desk.tell(
                f"{fragment.name} was made for the {fragment.chip}; the chip here is a {self.chip}"
                f" (--chip {fragment.chip})"
            )

    def _steer(self, name: str, *arguments: Any) -> None:
        """Run a command of the course now, and cut the future if it changes."""
        course, past = self._course, self._course.lineage
        if course.do(name, arguments, self._tape.place(), self._before, self._schedule.descend):
            self._cut()
        elif course.lineage is not past:
            self._enter_soon()
        else:
            self._schedule.cut(self._tape.fresh)

    def _adjustment(self, what: str, value: float | str | None = None) -> tuple[Any, ...]:
        """Return the arguments of `_do_adjust` in frames, so that a replay knows no latency and no speed."""
        if what in ("tap", "downbeat") and value is None:
            return what, self._tape.playhead - self.latency_ms / 1000 * self._heard_hz  # what the performer hears now
        if what == "shift":
            text = str(value)
            frames = self._course.clock.frames(parse_duration(text.removeprefix("-"), "shift"), self._heard_hz)
            return what, f"{'-' if text.startswith('-') else ''}{frames:.6f} frames"
        return what, value

    def _do_adjust(self, what: str, value: float | str | None = None) -> None:
        clock, playhead = self._course.clock, self._tape.playhead
        heard = float(value) if what in ("tap", "downbeat") and value is not None else playhead
        if what in ("beat", "bar"):
            assert isinstance(value, int | float)
            clock = clock.with_beat(value, playhead) if what == "beat" else clock.with_bar(int(value), playhead)
        elif what in ("half", "double"):
            clock = clock.with_beat(clock.beat * (2 if what == "half" else 0.5), playhead)
        elif what == "shift":
            text = str(value)
            frames = clock.frames(parse_duration(text.removeprefix("-"), "shift"), self._heard_hz)
            clock = clock.shifted(-frames if text.startswith("-") else frames)
        elif what == "downbeat":
            clock = clock.with_downbeat(heard)
        elif what == "tap":
            if (beat := self._taps.tap(heard, self._heard_hz)) is not None:
                clock = clock.with_beat(beat, playhead).with_beat_at(heard)
        else:
            raise ControlError(f"no way to correct the clock is called {what!r}")
        self._course.clock = clock
        self._schedule.cut(self._tape.fresh)

    def _do_quantise(self, moment: str) -> None:
        parse_moment(moment, "quantise")
        self.quantised = moment
