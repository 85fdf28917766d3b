"""The tape player: decides the next frame of the chip. It plays the tape, and repeats frames when generation is late.

The core's state is kept here; `sidlive.live.core` adds the calls of the generator and of the session.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

from sidlive.chip.registers import PAL, VideoTiming, silence
from sidlive.live.audition import Audition
from sidlive.live.desk import Desk, Hands, Speakers
from sidlive.live.lineage import Lineage
from sidlive.live.mirror import Mirror
from sidlive.live.rests import Rests
from sidlive.live.state import Phase
from sidlive.live.take import FRAME, Take
from sidlive.live.tape import Tape
from sidlive.live.voices import Row, released, remixed, sounding, steady
from sidlive.tune.beat import Beat

MARGIN: Final = 1  # frames after the playhead that a change does not touch: the chip may be about to take them
CUSHION: Final = 8  # frames that must be ready before music starts
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
    ) -> None:
        """``follows``: until music has been played, a prompt for the other video standard changes to that standard."""
        self.take = take
        self.chip = chip
        self.timing = timing
        self._rate = timing.rate_hz
        self._follows = follows
        self.mirror = mirror or Mirror()
        # Set from outside, by the owner of the engine, the sound or MIDI; read by `state`.
        self.model = self.output = ""
        self.loading = ""
        self.trouble: str | None = None
        self.midi = "no MIDI"
        self.latency_ms = 0.0
        self.gaps = 0
        self.step_s = 0.0  # seconds that the engine takes for a frame, averaged over the latest frames
        self.hands: Hands | None = None
        self.speakers: Speakers | None = None
        self.control_first = False  # the prompt's tune writes a voice's control before its envelope; read by any thread
        self.begins = False  # the last frame returned was the first of the music, or of a take
        self.wake: Callable[[], None] = lambda: None  # called when there may be frames to generate
        self.hush: Callable[[], None] = lambda: None  # discards samples that wait for the device
        self.retime: Callable[[VideoTiming], None] = lambda timing: None  # runs the chip at this video standard

        self._lock = threading.Lock()
        self._tape = Tape()
        self._desk = Desk(seed, timing)
        self._prompt: str | None = None  # name of the prompted fragment
        self._notified: set[str] = set()  # fragments whose video standard already got a notice
        self._lineage = Lineage(0, silence(0), 0, 0)
        self._epoch = 0  # version of the settings; frames generated under an older one are dropped
        self._lane = 0  # number of the random stream: the next at each revival, so that the music continues differently
        self._armed = False  # there is something to generate: a prompt, or the start without one
        self._playing = False
        self._waiting = True  # started, but no frame was played yet
        self._last: Row = silence(1)[0]  # the last frame, before remix
        self._clock = 0  # frames that the chip has taken
        self._idle = 0  # frames since the music stopped
        self._late = 0  # frames held or looped since generation fell behind; 0: it is on time
        self._quiet = 0  # frames played since a voice last sounded
        self._rests: Rests | None = None  # watches the voices of the prompt; None without a prompt
        self._beat = Beat()  # of the prompt
        self._underruns = self._late_frames = 0  # see `State`
        self._audition: Audition | None = None  # a take that is heard instead of the music
        self._heard: Heard = "nothing"  # what the last frame was part of

    def next_frame(self) -> Row:
        """Return the frame that the chip gets now, ``uint8[28]``, whatever the generator does."""
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
        """Return the next frame of the music; if it is late, a repeated one."""
        if self._waiting and self._tape.ahead < min(CUSHION, self._desk.whole("ahead")):
            return released(self._last)
        self._waiting = False
        beat = self._beat.whole_frames
        looping = self._late >= beat
        # A loop is left only on its beat, and with a cushion ready; a hold is left at once.
        resumes = self._tape.ahead >= CUSHION and self._late % beat == 0 if looping else self._tape.ahead > 0
        row = self._tape.take() if resumes else None
        if row is None:
            return self._stand_in()
        self._late = 0
        self._quiet = 0 if sounding(row) else self._quiet + 1
        if self._quiet == round(QUIET_S * self._rate):
            if self._prompt is None:
                self._desk.tell(f"nothing has sounded for {QUIET_S:.0f} s: prompt() it with a fragment", "warning")
            self._revive(SILENT, f"nothing sounded for {QUIET_S:.0f} s")
        elif self._rests is not None and (lost := self._rests.lost(row, self._desk.excused)) is not None:
            self._revive(LOST, f"voice {lost + 1} had lost its notes")
        return row

    def _stand_in(self) -> Row:
        """Return a frame while generation is late: registers hold for a beat, then the last bar loops."""
        if not self._late:
            self._underruns += 1
        late, self._late = self._late, self._late + 1
        self._late_frames += 1
        beat = self._beat.whole_frames
        bar = min(self._beat.bar * beat, self._tape.playhead // beat * beat)
        if late < beat or not bar:
            return steady(self._last)
        index = self._tape.playhead - bar + late % bar
        return self._tape.rows(index, index + 1)[0][0]

    def _revive(self, level: int, why: str) -> None:
        """Prompt again, with another random stream, if the control `revive` is at ``level`` or above."""
        if self._rests is not None:
            self._rests.begin()
        if self._desk.whole("revive") < level or self._prompt is None or not self._desk.mask:
            return
        self._lane += 1
        self._quiet = 0
        self._lineage = replace(self._lineage, number=self._lineage.number + 1, root=None, opening=0)
        self._desk.tell(f"{why}: prompted again with {self._prompt} (set('revive', {level - 1}) turns this off)")
        self.take.event("revive", self._prompt)

    # -- under the lock

    def _before(self, index: int) -> tuple[Row, int]:
        """Return the frame before a tape frame, ``uint8[28]``, and its transposition in semitones."""
        past = self._lineage
        if index > (past.root or 0):
            rows, semitones = self._tape.rows(index - 1, index)
            return rows[0], int(semitones[0])
        heard = len(past.context) - past.opening
        return past.context[heard - 1] if heard else silence(1)[0], 0

    def _cut(self) -> int:
        """Make the future stale, so that it is generated anew; return its first frame."""
        self._epoch += 1
        return self._tape.cut(MARGIN)

    def _flush(self) -> None:
        """Discard the future. If the lineage would only have begun there, the engine prefills it again."""
        self._epoch += 1
        self._tape.flush()
        self.mirror.cut(self._tape.end)
        if self._lineage.root is not None and self._lineage.root > self._tape.playhead:
            self._lineage = replace(self._lineage, number=self._lineage.number + 1, root=None)

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
        return "holding" if self._late <= self._beat.whole_frames else "looping"
