"""The renderer: takes frames from a source as the device needs them, and plays them on the SID.

Instead of frames a source may give the register writes of a tune's own code, frame by frame (`WriteSpan`).

The renderer has a thread of its own. Samples in the feed can no longer be changed, so it takes a frame as late as it
can, and plays it in pieces; how late that is, `sidlive.live.sound.lead` decides. Mute and volume change between two
pieces (`retouch`), a panic at once.

Time goes on whatever fails: if the source raises, the last frame is held; if the device goes away, the null output
takes over. `move` takes the music to another output; if its sample rate differs, the chip is rendered at that rate.
"""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from sidlive.chip.registers import PAL, VideoTiming, silence
from sidlive.chip.sid import FrameGrid, Row, Samples, Sid, WriteSpan
from sidlive.errors import DeviceError
from sidlive.live.sound.audio import NullOutput, Output
from sidlive.live.sound.feed import FADE
from sidlive.live.sound.lead import SLACK_S, Lead
from sidlive.live.sound.priority import run_in_time

Source = Callable[[], Row | WriteSpan | None]  # returns the next frame; None after the last
# Gets the output, the position in its feed at which the frame begins that the source gave last, and its length.
Placed = Callable[[Output, int, int], None]

PIECE_S: Final = 0.004  # time that is rendered at once
CROSSFADE_FRAMES: Final = 3  # length of the crossfade from one chip to another
_STALLED_S: Final = 1.0  # a device that takes nothing for this long is gone
_SLEPT_S: Final = 0.25  # between two looks at the device: the machine slept, and so did the device
_STARTING_S: Final = 0.2  # time that the renderer waits for a device to start
_NAP_S: Final = 0.05  # longest sleep, so that a device that stops is noticed
_WATCH_S: Final = 0.001  # sleep while the device's times are not known, or the last samples are played
_LEAST_NAP_S: Final = 0.0002
_STORE_S: Final = 0.03  # time for which the feed is filled before a device starts, besides twice its latency
_PARTING_S: Final = 0.1  # longest wait for a closing device to play the fade, besides twice its latency
_PARTING_NAP_S: Final = 0.002  # pause between two checks during that wait


class Renderer:
    """A player of frames on an output. Any thread may call any method; its own thread calls the source."""

    def __init__(
        self,
        source: Source,
        output: Output,
        chip: str = "6581",
        timing: VideoTiming = PAL,
        rate_hz: float | None = None,
        slack_s: float = SLACK_S,
        report: Callable[[str], None] = lambda text: None,
        order: Callable[[], bool] = lambda: False,
        begins: Callable[[], bool] = lambda: False,
        speed: Callable[[], float] = lambda: 1.0,
        placed: Placed = lambda output, position, count: None,
        retouch: Callable[[], Row | None] = lambda: None,
        heard: Callable[[Samples], object] = lambda samples: None,
        audible: Callable[[], bool] = lambda: True,
        note: Callable[[str, float], object] = lambda what, began_s: None,
    ) -> None:
        """``rate_hz``: frames a second, the video standard's by default. ``report(text)`` is called once per fault.

        ``order``, ``begins`` and ``speed`` are called after each frame from the source. ``order`` returns whether a
        voice's control is written before its envelope. ``begins`` returns whether music begins with the frame: then
        volume and filter are set before it, see `Sid.settle`. ``speed`` returns how fast the frame is played: at 0.8 it
        lasts 1.25 times as long as ``rate_hz`` says. The chip's own clock stays.
        ``placed`` is called as soon as the first piece of a frame is in the feed; the frame's length in samples is an
        estimate for a `WriteSpan`. ``retouch`` is called before each further piece: it returns the frame under way with
        other mutes or another volume, None if they are as they were. ``heard`` gets each piece that is in the feed.
        ``note`` gets what this thread did, and when it began, by `time.perf_counter`.
        ``audible`` is called before each piece: if it returns False, the device gets silence instead, and time goes on.
        ``slack_s``: least time by which the feed is filled before the device needs it.
        """
        self.output = output
        self.frames = 0  # played, held ones included
        self.held = 0  # frames held because the source raised
        self.failovers = 0  # devices lost
        self.ended = threading.Event()  # the source has no more frames and the device has taken all samples
        self._source = source
        self._timing = timing
        self._rate_hz = rate_hz or timing.rate_hz
        self._report = report
        self._order = order
        self._begins = begins
        self._speed = speed
        self._placed = placed
        self._retouch = retouch
        self._heard = heard
        self._audible = audible
        self._note = note
        self._level = 1.0  # of the last piece's end: 0 while it is not audible
        self._slack_s = slack_s
        self._sid = Sid(chip, timing, output.sample_rate)
        self._next_sid: Sid | None = None
        self._coming: tuple[Output, Sid | None] | None = (
            None  # the output to move to, and a new chip if the sample rate differs
        )
        self._refused: tuple[Output, str] | None = None  # an output that did not start, and why
        self._underruns = 0  # underruns of the earlier outputs
        self._faded = 0  # frames of the crossfade played so far
        self._row: Row | WriteSpan = silence(1)[0]
        self._fault = ""
        self._grid = FrameGrid(self._rate_hz, output.sample_rate)
        self._pieces: Iterator[Samples] | None = None  # what is left of the frame under way
        self._store: list[Samples] = []  # pieces not yet in the feed
        self._sounding: tuple[Sid, ...] = ()  # the chips that play it
        self._lead = Lead(output.block, output.sample_rate, slack_s)
        self._planned_s: float | None = None  # when the next piece was to be begun; None: there is no such plan
        self._calmed = False  # the lead is to be the shortest again
        self._busy = False  # no processor is ever idle
        self._begun = False  # music has begun
        self._reported_long = False  # the performer knows that the lead is long
        self._hushed = False
        self._retimed: VideoTiming | None = None  # the video standard to change to
        self._lock = (
            threading.Lock()
        )  # held to write the feed, which `panic` flushes, and for the fields that other threads set
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="renderer", daemon=True)

    @property
    def chip(self) -> str:
        """The chip that is heard, or that is being changed to."""
        return (self._next_sid or self._sid).chip

    @property
    def underruns(self) -> int:
        """Number of holes in the sound: a frame was not ready, or the device took a block too late."""
        feed = self.output.feed
        return self._underruns + feed.underruns + feed.dry

    def take_gaps(self) -> list[float]:
        """Return when the latest gaps were that no call has returned yet, by `time.perf_counter`. One thread."""
        gaps, found = self.output.feed.gaps, list[float]()
        while gaps:
            found.append(gaps.popleft())
        return found

    @property
    def latency_ms(self) -> float:
        """Longest time from taking a frame from the source to its sound."""
        return 1000 * (self._lead.seconds + PIECE_S + self.output.latency_s)

    def start(self) -> None:
        """Begin to play. If the output does not start, the null output replaces it, and that is reported."""
        self._thread.start()

    def close(self) -> None:
        """Stop playing. The sound fades within 5 ms, if the device still takes blocks."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    def panic(self) -> None:
        """Silence the sound now: waiting samples are discarded and the chip is reset. Frames are still played."""
        with self._lock:
            self._hushed = True
            self.output.feed.flush()
        self._wake.set()

    def retime(self, timing: VideoTiming) -> None:
        """Run at another video standard from the next frame on, with a new chip; to be called before there is music."""
        self._retimed = timing
        self._wake.set()

    def calm(self) -> None:
        """Return to the shortest lead: what disturbed so far, such as loading the model, is over."""
        self._calmed = True

    def expect(self, busy: bool) -> None:
        """Keep a longer lead as long as the machine is busy: no processor is ever idle."""
        self._busy = busy

    def set_chip(self, chip: str) -> None:
        """Crossfade to another chip while the music plays; takes 50 ms in the caller's thread. Raises ControlError."""
        while chip != self.chip:
            coming = self._fitting(None, chip, self.output)
            with self._lock:
                if coming.sample_rate == self.output.sample_rate:  # else the output changed meanwhile
                    self._next_sid = coming

    def move(self, output: Output) -> None:
        """Play on another output, opened and not started: what waits for the output before, and all that follows.

        The output before is closed. If the sample rate differs, a new chip takes over the registers; this takes 50 ms
        in the caller's thread.
        """
        same = output.sample_rate == self.output.sample_rate
        sid = None if same else self._fitting(None, self.chip, output)
        with self._lock:
            unused, self._coming = self._coming, (output, sid)
        self._wake.set()
        if unused is not None:
            unused[0].close()

    # -- the renderer's thread

    def _run(self) -> None:
        more = self._begin(True)
        run_in_time()  # not before: the source may compile its code first
        taken, since_s = -1, time.perf_counter()
        looked_s = since_s
        while not self._closing:
            self._obey()
            if self._coming is not None:
                self._obey_move()
                more, taken = self._begin(more), -1
            refused, self._refused = self._refused, None
            if refused is not None and refused[0] is self.output:
                self._fail_over(refused[1])
            feed, now_s = self.output.feed, time.perf_counter()
            if now_s - looked_s > _SLEPT_S:
                since_s = now_s
            looked_s = now_s
            self._lead.observe(feed)
            self._lead.expect(self._busy, now_s)
            over = feed.written - self._lead.filled_to(now_s, feed)  # samples that are not needed yet
            if more and over < 0:
                before = feed.written
                more = self._play_piece()
                self._note("renderer: a piece", now_s)
                if feed.written > before:
                    self._note_delay()
                continue
            self._lead.reached()
            self._report_lead()
            if not more and not feed.waiting:
                self.ended.set()
                break
            if feed.delivered != taken:
                taken, since_s = feed.delivered, now_s
            elif self.output.lost or now_s - since_s > _STALLED_S:
                self._fail_over(f"{self.output.name} has gone")
                since_s = now_s
            known = more and self._lead.known
            rest_s = over / self.output.sample_rate
            self._planned_s = now_s + rest_s if known and rest_s < _NAP_S else None
            self._wake.wait(min(_NAP_S, max(_LEAST_NAP_S, rest_s)) if known else _WATCH_S)
            self._wake.clear()
        _close_after_fade(self.output)
        if self._coming is not None:
            self._coming[0].close()

    def _begin(self, more: bool) -> bool:
        """Start the device, after filling the feed with what the device takes at once for its own buffer.

        ``more``: whether the source has more frames. Returns whether it still has.
        """
        feed = self.output.feed
        ahead = min(round((2 * self.output.latency_s + _STORE_S) * self.output.sample_rate), feed.room // 2)
        while more and not self._closing and feed.written < self._lead.filled_to(0.0, feed) + ahead:
            self._obey()
            more = self._play_piece()
        starter = threading.Thread(target=self._start_device, args=(self.output,), name="start-device", daemon=True)
        starter.start()
        starter.join(_STARTING_S)  # a driver whose server died may never return: then the device counts as stalled
        return more

    def _start_device(self, output: Output) -> None:
        """Start a device, or note why that failed, in a thread of its own, from which the device's thread comes."""
        run_in_time()
        try:
            output.start()
        except DeviceError as error:
            self._refused = output, str(error)

    def _note_delay(self) -> None:
        """Note how late the first piece after a wait is in the feed."""
        planned_s, self._planned_s = self._planned_s, None
        if planned_s is not None:
            now_s = time.perf_counter()
            self._lead.delayed(now_s - planned_s, now_s)
            self._note("renderer: late", planned_s)

    def _rest(self) -> None:
        """Expect no samples for a moment: the renderer has other work, and a gap meanwhile is no underrun."""
        self.output.feed.rest()
        self._excuse()

    def _excuse(self) -> None:
        """Note that samples will be late for a moment, because the renderer has other work."""
        self._lead.excuse()
        self._planned_s = None

    def _report_lead(self) -> None:
        """Tell the performer, once until it is short again, that the lead has grown long."""
        if self._lead.long and self._begun and not self._reported_long:
            self._reported_long = True
            more_ms = 1000 * (self._lead.slack_s - self._slack_s)
            self._report(f"the machine is busy: the sound comes {more_ms:.0f} ms later now, until it is less busy")
        elif self._lead.short:
            self._reported_long = False

    def _fitting(self, sid: Sid | None, chip: str, output: Output) -> Sid:
        """Return `sid` if it has this chip and the output's sample rate, else a new one, settled for the frame."""
        if sid is not None and (sid.chip, sid.sample_rate) == (chip, output.sample_rate):
            return sid
        row = self._row
        return Sid(chip, self._timing, output.sample_rate, first_row=None if isinstance(row, WriteSpan) else row)

    def _obey_move(self) -> None:
        """Change to the output that `move` gave."""
        self._planned_s = None
        with self._lock:
            assert self._coming is not None
            (output, sid), self._coming = self._coming, None
            before, self.output = self.output, output
            self._underruns += before.feed.underruns + before.feed.dry
            output.feed.gaps.extend(before.feed.gaps)
            if len(waiting := before.feed.withdraw()):  # without these samples the music would jump ahead
                output.feed.put(resampled(waiting, before.sample_rate, output.sample_rate))
            self._lead = Lead(output.block, output.sample_rate, self._slack_s)
            self._grid.sample_rate = output.sample_rate
        if sid is not None or self._sid.sample_rate != output.sample_rate:
            sid = self._fitting(sid, self.chip, output)
            if isinstance(
                self._row, WriteSpan
            ):  # a frame sets all registers, a tune's writes only some: copy the others
                sid.adopt(self._sid)
            with self._lock:
                self._sid, self._next_sid, self._faded = sid, None, 0
            self._pieces = None
            self._store.clear()
        threading.Thread(target=_close_after_fade, args=(before,), name="close-output", daemon=True).start()

    def _obey(self) -> None:
        """Carry out a pending `panic` or `retime`."""
        with self._lock:
            timing, self._retimed = self._retimed, None
            hushed, self._hushed = self._hushed, False
            calmed, self._calmed = self._calmed, False
            if hushed and self._next_sid is not None:
                self._sid, self._next_sid, self._faded = self._next_sid, None, 0
        if calmed:
            self._lead.calm()
        if timing is not None:
            self._rest()  # making a chip takes 50 ms
            sid = Sid(self.chip, timing, self.output.sample_rate)
            with self._lock:
                self._sid, self._next_sid, self._faded = sid, None, 0
            self._timing, self._rate_hz = timing, timing.rate_hz
            self._grid = FrameGrid(timing.rate_hz, self.output.sample_rate)
            self._pieces = None
        elif hushed:
            self._pieces = None
            self._store.clear()
            self._excuse()  # a reset takes 50 ms
            self._sid.reset()

    def _play_piece(self) -> bool:
        """Play the next piece, of the frame under way or of a new one, into the feed; return False after the last."""
        begins, count = self._pieces is None, 0
        if self._pieces is None:
            row = self._next_row()
            if row is None:
                self._put_store()
                self._rest()
                return False
            count = self._grid.advance(self._speed())
            self._pieces = self._sound(row, count)
        elif (changed := self._retouch()) is not None:
            for sid in self._sounding:
                sid.retouch(changed)
        piece = next(self._pieces, None)
        if piece is None:
            self._pieces = None
            return True
        position = self._put(self._leveled(piece))
        if position is not None:
            self._heard(piece)
            if begins:
                self._placed(self.output, position, count)
        return True

    def _leveled(self, piece: Samples) -> Samples:
        """Return a piece as the device gets it: silent while the chip is not audible, with a fade in between."""
        before, self._level = self._level, 1.0 if self._audible() else 0.0
        if before == self._level == 1.0:
            return piece
        return (piece * np.linspace(before, self._level, len(piece))).astype(np.int16)

    def _put(self, piece: Samples) -> int | None:
        """Put a piece into the feed; return its position, None if a panic discards it.

        After a pause the first pieces are put together, so that the device finds more than one block.
        """
        feed = self.output.feed
        position = feed.written + sum(map(len, self._store))
        self._store.append(piece)
        enough = position + len(piece) - feed.written >= self.output.block + self._slack_s * self.output.sample_rate
        if feed.expecting or enough:
            self._put_store()
        return None if self._hushed else position

    def _put_store(self) -> None:
        """Put the pieces that were kept back into the feed, unless a panic discards them."""
        with self._lock:
            if self._store and not self._hushed:
                self.output.feed.put(np.concatenate(self._store))
            self._store.clear()

    def _next_row(self) -> Row | WriteSpan | None:
        began_s = time.perf_counter()
        try:
            row = self._source()
        except Exception as error:  # the music goes on, whatever the source raises
            self.held += 1
            fault = f"{type(error).__name__}: {error}"
            if fault != self._fault:
                self._fault = fault
                self._report(f"no frame, the last one is held: {fault}")
            row = self._row
        else:
            self._fault = ""
        self._note("renderer: the next frame", began_s)
        if row is not None:
            self.frames += 1
            self._row = row
        return row

    def _sound(self, row: Row | WriteSpan, count: int) -> Iterator[Samples]:
        """Yield a frame's samples in pieces; during a change of chips, those of both, crossfaded."""
        if isinstance(row, WriteSpan):
            self._sounding = ()
            yield from self._sid.span_pieces(row, round(PIECE_S * self._timing.clock_hz))
            return
        coming, begins = self._next_sid, self._begins()
        self._sounding = (self._sid,) if coming is None else (self._sid, coming)
        if begins:
            self._rest()  # the chip takes 30 ms to settle
            self._begun = True
        for sid in self._sounding:
            sid.control_first = self._order()
            if begins:
                sid.settle(row)
        size = round(PIECE_S * self.output.sample_rate)
        pieces = self._sid.pieces(row, count, size)
        if coming is None:
            yield from pieces
            return
        done = 0
        for old, new in zip(pieces, coming.pieces(row, count, size), strict=True):
            share = (self._faded + (done + np.arange(len(old)) + 0.5) / count) / CROSSFADE_FRAMES
            done += len(old)
            yield (old * (1 - share) + new * share).astype(np.int16)
        self._faded += 1
        if self._faded == CROSSFADE_FRAMES:
            with self._lock:
                self._sid, self._faded = coming, 0
                if self._next_sid is coming:
                    self._next_sid = None

    def _fail_over(self, why: str) -> None:
        """Replace a lost device by the null output. The device is closed in a thread of its own."""
        self.failovers += 1
        lost = self.output
        threading.Thread(target=lost.close, name="close-output", daemon=True).start()
        notice = f"{why}: the music goes on unheard, until the device is back"
        self.output = NullOutput(lost.feed, notice, lost.block, lost.sample_rate)
        self.output.start()
        self._report(notice)


def resampled(samples: Samples, rate_hz: int, wanted_hz: int) -> Samples:
    """Return samples at another rate, in straight lines between them: good enough for a moment."""
    if rate_hz == wanted_hz:
        return samples
    places = np.arange(round(len(samples) * wanted_hz / rate_hz)) * (rate_hz / wanted_hz)
    return np.interp(places, np.arange(len(samples)), samples).astype(np.int16)


def _close_after_fade(output: Output) -> None:
    """Discard the samples that wait for an output, let it take and play the fade out, then close it.

    A driver may drop its buffers when it stops: by then they hold only silence.
    """
    feed, parting_s = output.feed, 2 * output.latency_s
    feed.flush()
    target = feed.delivered + output.block + FADE + round(parting_s * output.sample_rate)
    deadline = time.monotonic() + parting_s + _PARTING_S
    while feed.delivered < target and not output.lost and time.monotonic() < deadline:
        time.sleep(_PARTING_NAP_S)
    output.close()
