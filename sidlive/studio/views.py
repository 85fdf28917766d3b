"""Everything drawn around the score: the masthead, the panel of controls, the control strip, the key bar.

Each is drawn on a Canvas from a State and depends on nothing else. Knows no session and no timer.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from sidlive.live.controls import CONTROLS
from sidlive.live.state import LEARNING, ControlState, LoopState, State
from sidlive.studio.canvas import Canvas
from sidlive.studio.chip_view import chip_text, chips_text
from sidlive.studio.colours import (
    ALARM,
    BAD,
    FAINT,
    GOOD,
    GROUND,
    MUTED,
    PANEL,
    PRIMARY,
    RAISED,
    RULE,
    TEXT,
    WARN,
    WHITE,
    ink,
)
from sidlive.studio.console.display import number

STRIPES: Final = ("#ff6b7d", "#ff9d52", "#ffd75e", "#8cf58a", "#6cc8ff")
_PHASES: Final = {
    "stopped": ("■ STOPPED", MUTED),
    "waiting": ("◌ WAITING", WARN),
    "playing": ("▶ PLAYING", GOOD),
    "holding": ("‖ HOLDING", BAD),
    "looping": ("↻ LOOPING", BAD),
    "hearing": ("♪ HEARING", WHITE),
}
_LOCKS: Final = {"locked": GOOD, "alone": MUTED, "out of reach": BAD}  # colours; of the others WARN
_WIDE: Final = 40  # columns: a panel this wide has room for a knob's channel beside each control
_KINDS: Final = (("steer", "STEER", PRIMARY), ("remix", "REMIX", "#5fe6d6"), ("room", "ROOM", MUTED))
_AHEAD_BAR: Final = 8  # columns of the bar in the masthead
_LEARNED_ROWS: Final = 3  # of the panel, for the controls that a controller moves
_OTHER_ROWS: Final = 12  # of the panel: prompt, the titles of three kinds of controls, take, outside
_RARE: Final = (  # controls that a low panel leaves out while nobody has turned them, in this order
    "invert3", "invert2", "invert1", "heard", "octave3", "octave2", "octave1", "thin", "rotate",
    "min_p", "top_k", "range3", "range2", "range1", "filter_heat", "timbre_heat", "rhythm_heat", "pitch_heat", "leap",
    "on_beat", "known_gates", "keep_voices", "new_sounds", "candidates", "contrast",
    "like_tel", "like_galway", "era", "swing", "chord", "compose", "speed", "revive",
)  # fmt: skip
_SHORT_KINDS: Final = (  # of knobs, pads and keys
    ("CC14 ", "cc"), ("CC ", "cc"), ("NRPN ", "nr"), ("note ", "n"), ("pad pressure ", "p"), ("pressure", "press"),
    ("pitch bend", "bend"), ("program ", "prog"),
)  # fmt: skip
_MAY_BE_UNUSED: Final = ("top_k", "min_p")  # 0 turns them off


def clock_text(seconds: float) -> str:
    """Return a time as minutes, seconds and tenths: ``1:02.3``."""
    tenths = int(seconds * 10)
    return f"{tenths // 600}:{tenths // 10 % 60:02d}.{tenths % 10}"


def masthead(canvas: Canvas, state: State) -> None:
    """Draw the masthead: phase, length of the take, a recording, frames ahead, underruns, model, chip."""
    x = 1
    for stripe in STRIPES:
        x = canvas.write(0, x, "▌", stripe, PANEL)
    x = canvas.write(0, x + 1, "SIDLIVE", WHITE, PANEL, bold=True)
    text, colour = _PHASES[state.phase]
    if not state.alive:
        text, colour = "✖ NO CORE", BAD
    elif state.trouble:
        text, colour = "✖ NO MODEL", BAD
    elif not state.model:
        text, colour = "◌ LOADING", WARN
    x = canvas.write(0, x + 3, text, colour, PANEL, bold=True)
    x = canvas.write(0, x + 2, clock_text(state.take_s), WHITE, PANEL, bold=True)
    if state.recording:
        x = canvas.write(0, x + 1, "● REC", BAD, PANEL, bold=True)

    if state.prompt is not None:
        count = state.count
        x = canvas.write(0, x + 2, f"{count.bar}:{count.beat}", PRIMARY, PANEL, bold=True)
        if state.sync.kind == "off" or canvas.width >= 100:  # else the clock that is followed takes its room
            x = canvas.write(0, x + 1, f"{count.tempo:.0f} bpm", MUTED, PANEL)
        if state.speed != 1 and state.sync.kind == "off" and canvas.width >= 100:
            x = canvas.write(0, x + 1, f"x{state.speed:.3f}", WARN, PANEL)
    text, colour = _sync(state, canvas.width >= 100)
    if text:
        x = canvas.write(0, x + 2, text, colour, PANEL)
    if state.outputs:
        x = canvas.write(0, x + 2, *chips_text(state, canvas.width >= 100), PANEL)

    ready_s = state.ahead / (state.rate_hz * state.speed)
    hue = GOOD if ready_s > 0.5 else WARN if ready_s > 0.15 else BAD
    if state.phase == "stopped":
        hue = MUTED
    ahead = state.controls.get("ahead")
    full = float(ahead.value) if ahead and isinstance(ahead.value, int | float) and ahead.value > 0 else 96.0
    x = canvas.write(0, x + 3, "ahead ", MUTED, PANEL)
    if canvas.width >= 100:
        canvas.bar(0, x, _AHEAD_BAR, state.ahead / full, hue, RULE)
        x += _AHEAD_BAR + 1
    x = canvas.write(0, x, f"{ready_s:.1f} s", hue, PANEL)
    late = BAD if state.underruns else MUTED
    x = canvas.write(0, x + 3, f"{state.underruns} underrun{'' if state.underruns == 1 else 's'}", late, PANEL)
    if state.underruns and canvas.width >= 100:
        x = canvas.write(0, x, f" {state.late_frames / state.rate_hz:.1f} s", late, PANEL)

    speed = f"{state.speed_x:.1f}x" if state.speed_x else ""
    right = "  ".join(
        part for part in (f"{_model_name(state)} {speed}".strip(), f"{state.chip} {state.timing}") if part
    )
    if canvas.width - len(right) - 1 > x + 2:
        canvas.write(0, canvas.width - len(right) - 1, right, MUTED, PANEL)


def _sync(state: State, wide: bool) -> tuple[str, str]:
    """Return a text about the clock that is followed, and its colour; empty if none is.

    It is "link locked +0.4 ms", or without the room for that "link +0 ms".
    """
    sync = state.sync
    if sync.kind == "off":
        return ("clock out", MUTED) if sync.out and wide else ("", MUTED)
    error = "" if sync.error_ms is None else f"{sync.error_ms:+.{1 if wide else 0}f} ms"
    parts = [sync.kind, sync.lock, error] if wide or not error else [sync.kind, error]
    return " ".join(part for part in parts if part), _LOCKS.get(sync.lock, WARN)


class Touched:
    """A memory of the controls that changed lately, so that they can be highlighted."""

    def __init__(self, seconds: float = 1.5) -> None:
        """``seconds``: how long a control counts as changed."""
        self.seconds = seconds
        self._seen: dict[str, tuple[object, float]] = {}

    def look(self, state: State, now: float) -> frozenset[str]:
        """Return the names of the controls whose value changed within the last ``seconds`` before ``now`` (seconds)."""
        for name, control in state.controls.items():
            if name not in self._seen:
                self._seen[name] = control.value, -1e9
            elif self._seen[name][0] != control.value:
                self._seen[name] = control.value, now
        return frozenset(name for name, (_, at) in self._seen.items() if now - at < self.seconds)


def panel(
    canvas: Canvas, state: State, touched: frozenset[str] = frozenset(), verbs: Mapping[str, str] | None = None
) -> dict[int, str]:
    """Draw the panel: prompt, controls, take, sound, MIDI, model; and the verbs (a sentence each) if they have room.

    Returns the names of the controls by their rows.
    """
    places: dict[int, str] = {}
    edits = _edit_lines(state, canvas.width - 6)
    others = (
        _OTHER_ROWS
        + bool(state.recording)
        + bool(state.osc)
        + (len(state.loops) + 1 if state.loops else 0)
        + (len(edits) + 1 if edits else 0)
    )
    shown = _most_needed(state.controls, canvas.height - others)
    groups = [(title, hue, [c for c in shown if c.kind == kind]) for kind, title, hue in _KINDS]
    rows = len(shown) + others
    gap = 1 if canvas.height >= rows + 3 else 0
    canvas.chars[:, 0], canvas.inks[:, 0] = ord("│"), ink(RULE)
    y = _prompt(canvas, state, 0)
    for title, hue, controls in groups:
        if controls:
            y = _title(canvas, y + gap, title, hue)
            for control in controls:
                control_row(canvas, y, control, control.name in touched, hue)
                places[y] = control.name
                y += 1
    if edits:
        y = _title(canvas, y + gap, "EDITS", PRIMARY)
        for line in edits:
            canvas.write(y, 3, line, WHITE)
            y += 1
    if state.loops:
        y = _title(canvas, y + gap, "LOOPS", PRIMARY)
        for loop in state.loops:
            loop_row(canvas, y, loop)
            y += 1
    y = _title(canvas, y + gap, "TAKE", WARN)
    x = canvas.write(y, 3, clock_text(state.take_s), WHITE if state.take_s else MUTED, bold=True)
    kept = "logged as it plays" if state.take else "NOT logged: no disk"
    canvas.write(y, x + 2, kept, MUTED if state.take else BAD)
    if state.recording:
        y += 1
        canvas.write(y, 3, f"● {Path(state.recording).name}"[: canvas.width - 4], BAD)
    y = _title(canvas, y + 1 + gap, "OUTSIDE", MUTED)
    for label, text, hue in _outside(state):
        canvas.write(y, 3, label, FAINT)
        for line in textwrap.wrap(text, canvas.width - 10)[:2]:
            canvas.write(y, 9, line, hue)
            y += 1
    for text in _learned(state, canvas.width < _WIDE):
        for line in textwrap.wrap(text, canvas.width - 10, max_lines=_LEARNED_ROWS, placeholder=" …"):
            canvas.write(y, 9, line, MUTED)
            y += 1
    _verb_list(canvas, y + gap, verbs or {})
    return places


def _edit_lines(state: State, width: int) -> list[str]:
    """Return the edits of the music in lines of ``width`` columns, none broken in the middle."""
    joined = "  ".join(text.replace(" ", "\xa0") for text in state.edits)
    return [line.replace("\xa0", " ") for line in textwrap.wrap(joined, width)]


def _most_needed(controls: Mapping[str, ControlState], room: int) -> list[ControlState]:
    """Return as many controls as there are rows; the first to go are those of _RARE that are as they were at first."""
    shown = dict(controls)
    for name in _RARE:
        if len(shown) > room and name in shown and shown[name].value == CONTROLS[name].default:
            del shown[name]
    return list(shown.values())


def _verb_list(canvas: Canvas, y: int, verbs: Mapping[str, str]) -> None:
    """List the verbs: a line each with its sentence, or the names alone if there is less room."""
    room = canvas.height - y - 1
    if not verbs or room < 2:
        return
    y = _title(canvas, y, "VERBS", PRIMARY)
    if room > len(verbs):
        for name, meaning in verbs.items():
            canvas.write(y, 3, name, TEXT)
            canvas.write(y, 15, short(meaning, canvas.width - 16), FAINT)
            y += 1
        return
    x = 3
    for name in verbs:
        if x + len(name) > canvas.width - 1:
            x, y = 3, y + 1
        x = canvas.write(y, x, name, MUTED) + 1


def short(text: str, width: int) -> str:
    """Cut a text at the end of a word so that it fits ``width`` columns."""
    return text if len(text) <= width else text[: width - 1].rsplit(" ", 1)[0] + "…"


def _model_name(state: State) -> str:
    """Return the model's name: a preset's, or a file's without its folders."""
    return state.model.replace("\\", "/").rsplit("/", 1)[-1].removesuffix(".safetensors")


def _outside(state: State) -> Iterator[tuple[str, str, str]]:
    """Yield label, text and colour of each line about the sound, its gaps, MIDI and the model."""
    sound = state.output or "no output"
    bad = "null" in sound or "no " in sound
    muted = "  muted" if state.outputs and state.listening == "chip" else ""
    latency = f"  {state.latency_ms:.0f} ms" if state.latency_ms else ""
    yield "sound", sound + latency + muted, WARN if bad else MUTED if muted else TEXT
    for chip in state.outputs:
        text, colour = chip_text(chip, state.listening)
        yield "chip", text, colour
    if state.gaps:
        yield "gaps", f"{state.gaps} in the sound", BAD
    yield "midi", state.midi or "no MIDI", TEXT if state.midi_ports else MUTED
    if state.osc:
        yield "osc", state.osc, TEXT
    model = _model_name(state) or ("none" if state.trouble else "loading")
    speed = f"  {state.speed_x:.1f}x real time" if state.speed_x else ""
    yield "model", model + speed, TEXT if state.model else WARN


def _prompt(canvas: Canvas, state: State, y: int) -> int:
    y = _title(canvas, y, "PROMPT", GOOD)
    if not state.fragments and state.prompt is None:
        canvas.write(y, 3, 'none: prompt("gallop")', MUTED)
        return y + 1
    canvas.write(y, 3, f"▸ {state.prompt}" if state.prompt else "▸ nothing yet", WHITE, bold=True)
    y, x = y + 1, 5
    others = [name for name in state.fragments if name != state.prompt]
    for count, name in enumerate(others):
        if x + len(name) > canvas.width - 5 and x > 5:
            canvas.write(y, x, f"+{len(others) - count}", FAINT)
            break
        x = canvas.write(y, x, name[: canvas.width - 6], MUTED) + 2
    return y + 1


def _title(canvas: Canvas, y: int, title: str, hue: str) -> int:
    canvas.write(y, 0, "├" + "─" * (canvas.width - 1), RULE)
    canvas.write(y, 3, f" {title} ", hue, bold=True)
    return y + 1


def control_row(canvas: Canvas, y: int, control: ControlState, touched: bool, hue: str) -> None:
    """Draw a control: name, value, the value's place in its range as a bar, the knob that moves it."""
    name_colour = WHITE if touched else TEXT
    ground = RAISED if touched else GROUND
    canvas.write(y, 1, " " * (canvas.width - 1), TEXT, ground)
    canvas.write(y, 3, control.name[:12], name_colour, ground, bold=touched)
    value = _value(control)
    shown = (
        value[:6] if control.fraction is not None else value[: canvas.width - 17]
    )  # a text may fill the bar's columns
    canvas.write(y, max(16, 21 - len(shown)), shown, WARN if touched else WHITE, ground, bold=True)
    room = 10 if canvas.width >= _WIDE else 5
    knob = _knob(control)[0]
    if len(knob) > room:
        knob = knob.split()[0][:room]
    width = canvas.width - 23 - (room + 1 if canvas.width >= 34 else 0)
    if control.moving:
        canvas.write(y, 15, "~", PRIMARY, ground, bold=True)
    if control.fraction is not None and width > 2 and _is_a_scale(control):
        _needle(canvas, y, 22, width, control, WARN if touched else hue)
    if canvas.width >= 34 and knob:
        waits = control.hand is not None or control.midi == LEARNING
        canvas.write(y, canvas.width - len(knob) - 1, knob, WARN if waits else GOOD, ground)


def _knob(control: ControlState) -> tuple[str, str]:
    """Return a control's knob in short form ("cc16 ch2") and the knob's port; both may be empty."""
    knob, _, port = (control.midi or "").partition(" of ")
    for kind, short_kind in _SHORT_KINDS:
        knob = knob.replace(kind, short_kind)
    return knob.replace(" ch ", " ch"), port


def _learned(state: State, narrow: bool) -> Iterator[str]:
    """Yield a line for each controller: the controls that its knobs move; on a narrow panel each with its knob."""
    by_port: dict[str, list[str]] = {}
    for control in state.controls.values():
        knob, port = _knob(control)
        if port:
            by_port.setdefault(port, []).append(f"{control.name} {knob}" if narrow else control.name)
    return (f"{port}: {', '.join(names)}" for port, names in by_port.items())


def _value(control: ControlState) -> str:
    """Return the value in short form: "on" or "off" for a switch, "off" for 0 if 0 turns the control off."""
    if (control.low, control.high, control.value) in ((0, 1, 0), (0, 1, 1)) and isinstance(control.value, int):
        return "on" if control.value else "off"
    return "off" if control.name in _MAY_BE_UNUSED and not control.value else number(control.value)


def _is_a_scale(control: ControlState) -> bool:
    """Return whether a bar can show the value: not of a switch, and not of a seed, whose range means nothing."""
    assert control.low is not None and control.high is not None
    return _value(control) not in ("on", "off") and control.high - control.low <= 1000


def _needle(canvas: Canvas, y: int, x: int, width: int, control: ControlState, hue: str) -> None:
    """Draw the value as a bar, from the left or, if the range has both signs, from zero."""
    assert control.fraction is not None and control.low is not None and control.high is not None
    if control.low < 0 < control.high:
        zero = round(-control.low / (control.high - control.low) * (width - 1))
        at = round(control.fraction * (width - 1))
        canvas.write(y, x, " " * width, hue, RULE)
        left, right = min(zero, at), max(zero, at)
        canvas.write(y, x + left, "█" * (right - left + 1) if left != right else "│", hue, RULE)
    else:
        canvas.bar(y, x, width, control.fraction, hue, RULE)
    for value in control.span or ():
        place = control.place(value)
        assert place is not None, "a control with a scale has a place for each value"
        canvas.write(y, x + round(place * (width - 1)), "┊", WHITE, RULE)  # where its movement turns or ends
    if control.hand is not None:  # where its knob is, which has to come to the value first
        canvas.write(y, x + round(control.hand * (width - 1)), "◆", WARN, RULE, bold=True)


def loop_row(canvas: Canvas, y: int, loop: LoopState) -> None:
    """Draw a loop: name, next tick as bar and beat, period, and what is wrong with it."""
    canvas.write(y, 3, loop.name[:12], BAD if loop.error else TEXT)
    next_tick = f"{loop.bar}:{loop.beat}"
    canvas.write(y, max(16, 21 - len(next_tick)), next_tick, WHITE, bold=True)
    faults = "failed" if loop.error else f"{loop.skipped} skipped" if loop.skipped else ""
    canvas.write(y, 22, f"every {loop.period}"[: canvas.width - 24 - len(faults)], MUTED)
    canvas.write(y, canvas.width - len(faults) - 1, faults, BAD if loop.error else WARN)


def control_strip(canvas: Canvas, state: State, touched: frozenset[str] = frozenset()) -> None:
    """Draw the control strip of a narrow screen: a line of controls, a line of prompt, take, sound and MIDI."""
    x = 1
    for control in state.controls.values():
        value = _value(control)
        unused = control.name in _MAY_BE_UNUSED and not control.value
        if unused or x + len(control.name) + len(value) + 1 > canvas.width:
            continue
        hot = control.name in touched
        x = canvas.write(0, x, control.name, WHITE if hot else MUTED, bold=hot)
        x = canvas.write(0, x + 1, value, WARN if hot else WHITE, bold=True) + 2
    x = canvas.write(1, 1, "prompt", MUTED)
    x = canvas.write(1, x + 1, state.prompt or "none", GOOD if state.prompt else FAINT, bold=True)
    x = canvas.write(1, x + 2, "take", MUTED)
    x = canvas.write(1, x + 1, clock_text(state.take_s), WHITE, bold=True)
    for label, text, hue in _outside(state):
        text = f"{label} {text}" if label == "gaps" else text
        if x + 3 + len(text) < canvas.width and label != "model":
            x = canvas.write(1, x + 2, text, hue)


def key_bar(canvas: Canvas, keys: Sequence[tuple[str, str, str]]) -> list[tuple[int, int]]:
    """Draw the line of keys, each (key, title, colour of the title); return the columns of each as (start, end)."""
    spans, x = [], 1
    for key, title, colour in keys:
        start = x
        if colour == BAD:
            x = canvas.write(0, x, f" {key} {title} ", WHITE, ALARM, bold=True)
        else:
            x = canvas.write(0, x, key, WARN, PANEL, bold=True)
            x = canvas.write(0, x + 1, title, colour, PANEL)
        spans.append((start, x))
        x += 3 if canvas.width >= 112 else 2
    return spans
