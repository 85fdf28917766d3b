"""Edits of a take as values: a list of edits applied to a take gives a new take. The take itself never changes.

An edit is a verb and its arguments, as the user wrote them. Positions refer to the take after the edits before: a
number of seconds, or a text with a unit, ``"41 s"``, ``"2050 frames"``, ``"8 bars"`` (s, f, b); negative ones count
from the end. Knows no files and no instrument.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sidlive.chip.registers import VOICES, Frames
from sidlive.errors import ControlError
from sidlive.tune import edits
from sidlive.tune.beat import Beat
from sidlive.tune.formats.inline import fragment_from_json
from sidlive.tune.fragment import Fragment
from sidlive.tune.seam import ending, find_seam

FADE_S: Final = 4.0
EVEN: Final = 0.005  # speeds that differ by less, relatively, count as one

Position = float | int | str
Speeds = NDArray[np.float64]  # [T], of each frame: a multiple of the video standard's frame rate
_POSITION: Final = re.compile(r"([+-]?\d+(?:\.\d*)?|[+-]?\.\d+)\s*(s|seconds?|f|frames?|b|bars?)?")


@dataclass(frozen=True)
class Cut:
    """Take after its edits: ``frames`` uint8[T, 28], and the frame where it continues after its end."""

    frames: Frames
    video_hz: float  # frames a second at speed 1
    beat: Beat | None = None  # None: the tempo is unknown
    loop_frame: int | None = None  # None: the take ends
    faded: bool = False
    findings: tuple[str, ...] = ()  # results of edits, for the user
    control_first: bool = False  # the prompt's tune writes a voice's control before its envelope
    speeds: Speeds | None = None  # None: all are 1

    @property
    def speed(self) -> float:
        """The mean speed: the edited take plays at it from beginning to end."""
        return 1.0 if self.speeds is None or not len(self.speeds) else float(len(self.speeds) / (1 / self.speeds).sum())

    @property
    def rate_hz(self) -> float:
        """Frames a second, at the mean speed."""
        return self.video_hz * self.speed

    @property
    def tempo_note(self) -> str:
        """A line for the user if the speed changed, since files hold only the mean; else empty."""
        if self.speeds is None or not len(self.speeds):
            return ""
        low, high, mean = float(self.speeds.min()), float(self.speeds.max()), self.speed
        if high - low < EVEN * mean:
            return ""
        return f"the tempo changed, from speed {low:.3f} to {high:.3f}: the take is written at the mean, {mean:.3f}"

    @property
    def seconds(self) -> float:
        """Length of the take in seconds, without its loop."""
        return len(self.frames) / self.rate_hz


@dataclass(frozen=True)
class Edit:
    """One edit as the user wrote it: a verb of `EDITS` and its arguments."""

    verb: str
    arguments: tuple[Any, ...] = ()

    @property
    def entry(self) -> dict[str, Any]:
        """Log entry of the edit; the log itself encodes fragments. Inverse: `edits_from`."""
        return {"verb": self.verb, "arguments": list(self.arguments)}

    def __str__(self) -> str:
        shown = [argument.name if isinstance(argument, Fragment) else argument for argument in self.arguments]
        while shown and shown[-1] is None:  # None is the default
            shown.pop()
        return f"{self.verb}({', '.join(map(repr, shown))})"


def apply(cut: Cut, edits: Iterable[Edit]) -> Cut:
    """Apply ``edits`` to a take, one after another. Raises ControlError that names an edit that is not possible."""
    for edit in edits:
        if edit.verb not in EDITS:
            raise ControlError(f"no edit {edit.verb!r}: there are {', '.join(EDITS)}")
        try:
            cut = EDITS[edit.verb](cut, *edit.arguments)
        except TypeError:
            raise ControlError(f"{edit} has arguments that {edit.verb} does not take") from None
    return cut


def edits_from(entries: Sequence[dict[str, Any]]) -> list[Edit]:
    """Return the edits in log entries, fragments encoded by `inline.fragment_to_json`. Inverse: `Edit.entry`."""
    return [
        Edit(
            str(entry.get("verb")),
            tuple(fragment_from_json(it) if isinstance(it, dict) else it for it in entry.get("arguments", [])),
        )
        for entry in entries
    ]


def frame_at(cut: Cut, spec: object, verb: str) -> int:
    """Return the frame, 0 to the take's length, of the position ``spec``; ``verb`` is named in messages.

    Raises ControlError for other values and for a position outside the take.
    """
    frames = _frames(cut, spec, verb)
    at = frames + len(cut.frames) if frames < 0 or str(spec).lstrip().startswith("-") else frames
    if not 0 <= at <= len(cut.frames):
        raise ControlError(f"{verb} expects a place in the take, 0 to {cut.seconds:.2f} s, found {spec!r}")
    return at


def trim(cut: Cut, start: Position = 0, stop: Position | None = None) -> Cut:
    """Keep the take from ``start`` to ``stop`` (None: the end)."""
    first = frame_at(cut, start, "trim")
    last = len(cut.frames) if stop is None else frame_at(cut, stop, "trim")
    if first >= last:
        raise ControlError(f"trim from {start!r} to {stop!r} leaves nothing of {cut.seconds:.2f} s; start before stop")
    loop = cut.loop_frame
    if loop is not None and (last < len(cut.frames) or first > loop):
        raise ControlError("trim would cut the loop open: unedit() takes the loop back; trim first, then loop()")
    loop = None if loop is None else loop - first
    return replace(_with_frames(cut, edits.trim(cut.frames, first, last), first), loop_frame=loop)


def loop(cut: Cut, at: Position | None = None) -> Cut:
    """Continue at ``at`` after the end; with None, find the place where the seam is heard least.

    The end is where the music was stopped; the tail that rang out afterwards would be heard in every repeat.
    """
    if cut.faded:
        raise ControlError("a take that fades out ends: unedit() takes the fade back; then loop()")
    frames, findings = cut.frames[: ending(cut.frames, cut.rate_hz)], cut.findings
    if at is None:
        seam = find_seam(frames, cut.rate_hz, cut.beat)
        start, frames = seam.start, frames[: seam.stop]
        finding = (
            f"loop: from {len(frames) / cut.rate_hz:.2f} s on to {start / cut.rate_hz:.2f} s (frame {start});"
            f" {seam.likeness:.0%} of the registers before agree"
        )
        if seam.likeness < 0.8:
            finding += ": the seam will be heard"
        findings = (*findings, finding)
    else:
        start = frame_at(cut, at, "loop")
        if start >= len(frames):
            raise ControlError(f"loop expects a place before the end, {len(frames) / cut.rate_hz:.2f} s, found {at!r}")
    before = edits.open_gates(frames[start - 1]) if start else frozenset()
    again = (edits.open_gates(frames[-1]) - before) & edits.open_gates(frames[start])
    return replace(_with_frames(cut, edits.close_gates(frames, again)), loop_frame=start, findings=findings)


def splice(cut: Cut, other: Fragment, at: Position | None = None) -> Cut:
    """Replace the take from ``at`` on (None: its end) by ``other`` from its beginning."""
    if not isinstance(other, Fragment):
        raise ControlError(f"splice expects a take or a fragment, found {other!r}")
    if cut.loop_frame is not None:
        raise ControlError("splice would cut the loop open: unedit() takes the loop back; splice first, then loop()")
    where = ending(cut.frames, cut.rate_hz) if at is None else frame_at(cut, at, "splice")
    frames, speeds = edits.splice(cut.frames, other.at_video_rate().frames, where), cut.speeds
    if speeds is not None or other.speed != 1:
        begin = np.ones(len(cut.frames)) if speeds is None else speeds
        speeds = np.append(begin[:where], np.full(len(frames) - where, other.speed))
    return replace(cut, frames=frames, speeds=speeds)


def fade(cut: Cut, length: Position = FADE_S) -> Cut:
    """Fade the volume to 0 over the last ``length`` before the music was stopped.

    A frame has one volume, so a take holds no sampled sound that the fade could miss.
    """
    if cut.loop_frame is not None:
        raise ControlError("a take that loops has no end to fade: unedit() takes the loop back; then fade()")
    frames = cut.frames[: ending(cut.frames, cut.rate_hz)]
    count = _frames(cut, length, "fade")
    if not 0 < count <= len(frames):
        raise ControlError(f"fade expects a length above 0, up to {len(frames) / cut.rate_hz:.2f} s, found {length!r}")
    return replace(_with_frames(cut, edits.fade(frames, count)), faded=True)


def silence(cut: Cut, *voices: int) -> Cut:
    """Mute ``voices`` (1, 2, 3) from beginning to end."""
    if not voices or not all(voice in range(1, VOICES + 1) for voice in voices):
        raise ControlError(f"silence expects voices, 1 to 3, found {', '.join(map(repr, voices)) or 'none'}")
    return replace(cut, frames=edits.mute_voices(cut.frames, {voice - 1 for voice in voices}))


def first(cut: Cut, seconds: float) -> Cut:
    """Keep the first ``seconds``, or the whole take if it is shorter."""
    return trim(cut, 0, f"{_span(cut, seconds, 'seconds')} f")


def last(cut: Cut, seconds: float) -> Cut:
    """Keep the last ``seconds``, or the whole take if it is shorter."""
    return trim(cut, f"{len(cut.frames) - _span(cut, seconds, 'last')} f")


def _with_frames(cut: Cut, frames: Frames, first: int = 0) -> Cut:
    """Return the take with its frames from ``first`` on replaced by ``frames``, which may end earlier."""
    return replace(cut, frames=frames, speeds=None if cut.speeds is None else cut.speeds[first : first + len(frames)])


def _span(cut: Cut, seconds: float, option: str) -> int:
    """Return a length in seconds as frames, at most the take's. Raises ControlError if it is no length."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        raise ControlError(f"{option} expects a length in seconds above 0, found {seconds!r}")
    return min(len(cut.frames), max(1, round(min(seconds, cut.seconds) * cut.rate_hz)))


EDITS: Final[dict[str, Callable[..., Cut]]] = {
    "trim": trim, "loop": loop, "splice": splice, "fade": fade, "silence": silence, "first": first, "last": last,
}  # fmt: skip


def _frames(cut: Cut, spec: object, verb: str) -> int:
    """Return a length or a position, as the user wrote it, in frames. Raises ControlError if it is neither."""
    match = None
    if isinstance(spec, str):
        match = _POSITION.fullmatch(spec.strip().lower())
    if match is not None:
        number, unit = float(match[1]), (match[2] or "s")[0]
    elif isinstance(spec, int | float) and not isinstance(spec, bool) and math.isfinite(spec):
        number, unit = float(spec), "s"
    else:
        raise ControlError(f'{verb} expects seconds, or "2050 frames" or "8 bars", found {spec!r}')
    if unit == "f":
        return round(number)
    if unit == "s":
        return round(number * cut.rate_hz)
    if cut.beat is None:
        raise ControlError(f"{verb} cannot count bars: no prompt has a tempo; use seconds or frames")
    return round(number * cut.beat.bar_frames)
