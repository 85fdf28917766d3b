"""The tape player: decides the next frame of the chip. It plays the tape, and repeats frames when generation is late.

The core's state is kept here; `sidlive.live.core.core` adds the calls of the generator and of the session.
"""

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Literal

from sidlive.chip.registers import PAL, VideoTiming, silence
from sidlive.live.controls import SPEEDS
from sidlive.live.core.audition import Audition
from sidlive.live.core.course import Course
from sidlive.live.core.desk import Desk
from sidlive.live.core.lineage import Lineage
from sidlive.live.core.mirror import Mirror
from sidlive.live.core.prelude import Prelude
from sidlive.live.core.rests import Rests
from sidlive.live.core.schedule import Schedule
from sidlive.live.core.surroundings import (
    Chips,
    Ensemble,
    Hands,
    ListensToOsc,
    PlaysKeys,
    RecordsSound,
    Speakers,
)
from sidlive.live.core.tape import Tape
from sidlive.live.core.voices import Row, released, remixed, sounding, steady
from sidlive.live.edits.edit_list import remix_edits
from sidlive.live.edits.remix import Remix
from sidlive.live.state import GapReport, Phase
from sidlive.live.takes.take import FRAME, Take
from sidlive.live.timing.clock import Taps
from sidlive.tune.shaping.grid import BarGrid

MARGIN: Final = 0  # frames after the playhead that a change leaves as they are
CUSHION: Final = 8  # frames that must be ready before music starts
MOST_GAPS: Final = 20  # of which the core says what it did before
TAIL_S: Final = 2.0  # time after stop() that is still recorded in the take: the notes fade
QUIET_S: Final = 3.0  # time without a sounding voice after which the continuation counts as silent
SILENT, LOST = 1, 2  # levels of the control `revive`

Heard = Literal["nothing", "music", "take"]


class TapePlayer:
    """The tape, the desk and the take, and the frame that is heard next."""

    def __init__(
        self,
        take: Take,
        chip: str = "6581",
        timing: VideoTiming = PAL,
        seed: int = 1,
        mirror: Mirror | None = None,
        follows: bool = False,
        margin: int = MARGIN,
        postpones: bool = True,
    ) -> None:
        """``follows``: until music has been played, a prompt for the other video standard changes to that standard.

        ``margin``: see `Tape`. ``postpones``: a cut that comes too late is put farther ahead, see `Core`; False for
        logs older than that. The take's header has both.
        """
        self.take = take
        take.restate(margin=margin, postpones=postpones)
        self.chip = chip
        self.timing = timing
        self._rate = timing.rate_hz
        self._follows = follows
        self.mirror = mirror or Mirror()
        # Set from outside, by the owner of the engine, the sound or MIDI; read by `state`.
        self.model = self.output = ""
        self.loading = ""
        self.trouble: str | None = None
        self.midi, self.midi_ports = "no MIDI", tuple[str, ...]()
        self.latency_ms = 0.0
        self.gaps = 0
        self.explained_gaps: deque[GapReport] = deque(maxlen=MOST_GAPS)  # what was done before each of the last gaps
        self.compiling = False  # the engine is being compiled, which takes a while
        self.realtime = False  # frames are played at their time, so a change must be made in time
        self.quantised = "now"  # the moment at which changes of MIDI controllers take effect
        self.prefill_s = 0.0  # seconds that a prefill of a past takes; the longest one fades
        self.step_s = 0.0  # seconds that the engine takes for a frame, averaged over the latest frames
        self.hands: Hands | None = None
        self.speakers: Speakers | None = None
        self.recorder: RecordsSound | None = None
        self.keyboards: PlaysKeys | None = None
        self.osc_server: ListensToOsc | None = None
        self.ensemble: Ensemble | None = None
        self.chips: Chips | None = None
        self.control_first = False  # the prompt's tune writes a voice's control before its envelope; read by any thread
        self.speed = 1.0  # of the last frame returned, see `State.speed`; read by any thread
        self.begins = False  # the last frame returned was the first of the music, or of a take
        self.wake: Callable[[], None] = lambda: None  # called when there may be frames to generate
        self.hush: Callable[[], None] = lambda: None  # discards samples that wait for the device
        self.retime: Callable[[VideoTiming], None] = lambda timing: None  # runs the chip at this video standard

        self._lock = threading.Lock()
        self._tape = Tape(margin)
        self._desk = Desk(seed, timing)
        self._course = Course(self._desk, Lineage(0, silence(0), 0, 0))  # of the frame that the chip takes next
        self._schedule = Schedule(self._course, self._before)
        self.late_changes = 0  # timed changes that took effect after their frame, since generation was late
        self._notified: set[str] = set()  # fragments whose video standard already got a notice
        self._taps = Taps()
        self._postpones = postpones
        self._missed = 0  # frames by which the plan of a new lineage was late, since the lineage was entered
        self._epoch = 0  # version of the settings; frames generated under an older one are dropped
        self._lane = 0  # number of the random stream: the next at each revival, so that the music continues differently
        self._armed = False  # there is something to generate: a prompt, or the start without one
        self._playing = False
        self._waiting = True  # started, but no frame was played yet
        self._last: Row = silence(1)[0]  # the last frame, before remix
        self._clock = 0  # frames that the chip has taken
        self._time = 0.0  # their length as it was heard, in frames at speed 1
        self._idle = 0  # frames since the music stopped
        self._late = 0  # frames held or looped since generation fell behind; 0: it is on time
        self._quiet = 0  # frames played since a voice last sounded
        self._remix = Remix()  # the edits on the way to the chip
        self._rests: Rests | None = None  # watches the voices of the prompt; None without a prompt
        self._underruns = self._late_frames = 0  # see `State`
        self._followed: float | None = None  # speed of the clock that is followed; None: the control's value counts
        self._prelude: Prelude | None = None  # what is heard until there is music
        self._held = False  # the music is held back, although frames may be ready
        self._audition: Audition | None = None  # a take that is heard instead of the music
        self._heard: Heard = "nothing"  # what the last frame was part of
        self._mix = self._last, frozenset[int](), 15  # the last frame before remix, its mutes and its volume

    def next_frame(self) -> Row:
        """Return the frame that the chip gets now, ``uint8[28]``, whatever the generator does."""
        with self._lock:
            self._mind_prelude()
            self.take.step(FRAME)
            if self._playing:
                self._take_effect()
                self._schedule.play(self._tape.playhead)
            row = self._play() if self._playing else released(self._last)
            self._last = row
            speed = self._pace
            volume = self._desk.whole("volume")
            if edits := remix_edits(self._course.edits):
                clock = self._course.clock
                grid = BarGrid(clock.beat, clock.bar, clock.downbeat)
                row = self._remix.row(row, edits, self._tape.playhead - 1, grid, self._desk.prompt)
            unmixed, muted = row, self._desk.muted
            row = remixed(row, muted, volume)
            self._idle = 0 if self._playing else self._idle + 1
            tail = bool(self.take.length) and 0 < self._idle <= TAIL_S * self._rate
            if tail or (self._playing and not self._waiting):
                self.take.append(row, speed)
            heard: Heard = "music" if self._playing and not self._waiting else "nothing"
            if self._audition is not None and (again := self._audition.row(row)) is not None:
                unmixed, muted = again, frozenset[int]()
                row = remixed(again, muted, volume)
                heard = "take" if self._audition.begun else "nothing"
                speed = self._audition.speed
            else:
                self._audition = None
                if self._prelude is not None:
                    unmixed, heard = self._prelude.row(), "music"
                    row = remixed(unmixed, muted, volume)
            self.begins = heard not in ("nothing", self._heard)
            self._heard = heard
            self._mix = unmixed, muted, volume
            self.speed = speed
            self.mirror.play(self._clock, row, self._tape.playhead, self._tape.end)
            self._clock += 1
            self._time += 1 / speed
        self.wake()
        return row

    def retouch(self) -> Row | None:
        """Return the last frame with the present mutes and volume, ``uint8[28]``; None if they have not changed.

        For the chip only, between two frames: the take has the frame as `next_frame` returned it.
        """
        with self._lock:
            row, muted, volume = self._mix
            now = self._desk.muted if self._audition is None else muted, self._desk.whole("volume")
            if now == (muted, volume):
                return None
            self._mix = row, *now
            return remixed(row, *now)

    @property
    def ready_to_start(self) -> bool:
        """Whether the music would begin in the frame after a start. Takes no lock."""
        return not self._armed or self._cushioned

    def follow(self, speed: float | None) -> float:
        """Play at this speed from the next frame on, whatever the control `speed` says; None: as the control says.

        For what follows another clock and corrects the speed again and again: nothing is logged. Returns the speed,
        limited to what is possible. Any thread.
        """
        with self._lock:
            self._followed = None if speed is None else min(SPEEDS[1], max(SPEEDS[0], speed))
            return self._pace

    @property
    def _cushioned(self) -> bool:
        """Whether enough frames are ready for the music to begin."""
        return self._tape.ahead >= min(CUSHION, self._desk.whole("ahead"))

    def hold(self, held: bool) -> None:
        """Hold the music back, although frames are ready, or let it begin; as a log says."""
        with self._lock:
            self._hold(held)

    def _hold(self, held: bool) -> None:
        self._held = held
        self.take.event("hold_back", held)

    def _mind_prelude(self) -> None:
        """Play the prompt itself while the engine is being compiled; end that where the prompt ends."""
        name = self._course.prompt
        if self._prelude is None and (self.model or not self.compiling):
            return
        if name is None or not self._playing or not self._waiting or self._audition is not None:
            if self._prelude is not None:
                self._prelude = None
                self._hold(False)
            return
        fragment = self._desk.fragment(name)
        if self._prelude is None:
            self._desk.tell(f"{name} plays as it is until the engine is ready; then the model goes on where it ends")
            self._hold(True)
        elif self.model and self._cushioned and self._prelude.at_end:
            self._prelude = None
            self._hold(False)
            return
        if self._prelude is None or self._prelude.fragment is not fragment:
            self._prelude = Prelude(fragment)

    def _take_effect(self) -> None:
        """Let the waiting commands take effect whose frame the chip takes next."""

    def _play(self) -> Row:
        """Return the next frame of the music; if it is late, a repeated one."""
        if self._waiting and (self._held or not self._cushioned):
            return released(self._last)
        self._waiting = False
        beat = self._course.beat.whole_frames
        looping = self._late >= beat
        # A loop is left only on its beat, and with a cushion ready; a hold is left at once.
        resumes = self._tape.ahead >= CUSHION and self._late % beat == 0 if looping else self._tape.ahead > 0
        row = self._tape.take() if resumes else None
        if row is None:
            return self._stand_in()
        self._late = 0
        self._quiet = 0 if sounding(row) else self._quiet + 1
        if self._quiet == round(QUIET_S * self._rate):
            if self._course.prompt is None:
                self._desk.tell(f"nothing has sounded for {QUIET_S:.0f} s: prompt() it with a fragment", "warning")
            self._revive(SILENT, f"nothing sounded for {QUIET_S:.0f} s")
        elif self._rests is not None:
            lost = self._rests.lost(row, self._desk.excused, float(self._desk.get("density")))
            if lost is not None:
                self._revive(LOST, f"voice {lost + 1} had lost its notes")
        return row

    def _stand_in(self) -> Row:
        """Return a frame while generation is late: registers hold for a beat, then the last bar loops."""
        if not self._late:
            self._underruns += 1
        late, self._late = self._late, self._late + 1
        self._late_frames += 1
        beat = self._course.beat.whole_frames
        bar = min(self._course.beat.bar * beat, self._tape.playhead // beat * beat)
        if late < beat or not bar:
            return steady(self._last)
        index = self._tape.playhead - bar + late % bar
        return self._tape.rows(index, index + 1)[0][0]

    def _revive(self, level: int, why: str) -> None:
        """Prompt again, with another random stream, if the control `revive` is at ``level`` or above."""
        if self._rests is not None:
            self._rests.begin()
        if self._desk.whole("revive") < level or self._course.prompt is None or not self._desk.mask:
            return
        self._lane += 1
        self._quiet = 0
        self._course.lineage = self._schedule.descend(self._course.lineage, root=None, opening=0)
        self._enter_soon()
        self._desk.tell(f"{why}: prompted again with {self._course.prompt} (set('revive', {level - 1}) turns this off)")
        self.take.event("revive", self._course.prompt)

    # -- under the lock

    @property
    def _pace(self) -> float:
        """The speed of the music."""
        return float(self._desk.get("speed")) if self._followed is None else self._followed

    @property
    def _seconds(self) -> float:
        """Seconds of frames that the chip has taken."""
        return self._time / self._rate

    @property
    def _heard_hz(self) -> float:
        """Frames of music that are played in a second."""
        return self._rate * self._pace

    def _before(self, past: Lineage, index: int) -> tuple[Row, int]:
        """Return the frame before a tape frame of a lineage, ``uint8[28]``, and its transposition in semitones."""
        if index > (past.root or 0):
            rows, semitones = self._tape.rows(index - 1, index)
            return rows[0], int(semitones[0])
        heard = len(past.context) - past.opening
        return past.context[heard - 1] if heard else silence(1)[0], 0

    def _enter_soon(self) -> None:
        """Have the next frame be generated under the present lineage, which is new.

        If a waiting command gives frames that are on the tape already a lineage of their own, that one is new, too, and
        would begin where the tape ends. So the tape is cut.
        """
        self._schedule.cut(self._tape.fresh)
        if self._schedule.course_at(self._tape.settle()).lineage is not self._course.lineage:
            self._cut()

    def _cut(self) -> int:
        """Make the future stale, so that it is generated anew; return its first frame."""
        self._epoch += 1
        fresh = self._tape.cut()
        self._schedule.cut(fresh)
        return fresh

    def _flush(self) -> None:
        """Discard the future. If the lineage would only have begun there, the engine prefills it again."""
        self._epoch += 1
        self._tape.flush()
        self.mirror.cut(self._tape.end)
        if self._course.lineage.root is not None and self._course.lineage.root > self._tape.playhead:
            self._course.lineage = self._schedule.descend(self._course.lineage, root=None)
        self._schedule.cut(self._tape.fresh)

    def _phase(self) -> Phase:
        """Return the present phase."""
        if self._audition is not None:
            return "hearing"
        if not self._playing:
            return "stopped"
        if self._waiting:
            return "waiting"
        if not self._late:
            return "playing"
        return "holding" if self._late <= self._course.beat.whole_frames else "looping"
