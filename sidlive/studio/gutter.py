"""The gutter, left of the score: who plays a voice (GEN, OFF, HOLD, LOCK, CODE, MUTE), and its sound now."""

from typing import Final

import numpy as np

from sidlive.live.state import VoiceState
from sidlive.studio.canvas import Canvas
from sidlive.studio.colours import (
    BAD,
    CODE,
    FAINT,
    FILTER_COLOURS,
    GOOD,
    GROUND,
    HELD,
    MUTED,
    WARN,
    WAVE_COLOURS,
    WHITE,
    blend,
    ink,
)
from sidlive.studio.layout import ScoreLayout
from sidlive.studio.roll import AUDIBLE, FILTER_NAMES, FILTER_OFF, NO_WAVE, PULSE, WAVE_NAMES, Roll, note_name

_WAVE_MARKS: Final = ("──", "╱╲", "╱│", "┌┐", "▒░", "≈≈")
_BADGES: Final = {
    "generated": ("GEN", GOOD),
    "masked": ("OFF", FAINT),
    "held": ("HOLD", WARN),
    "locked": ("LOCK", HELD),
    "code": ("CODE", CODE),
    "keys": ("KEYS", CODE),
}


def voice_gutter(
    canvas: Canvas, layout: ScoreLayout, roll: Roll, now: int, voice: int, top: int, voice_state: VoiceState
) -> None:
    """Draw a voice's gutter: its number, a badge for who plays it, its note, waveform and level at the playhead.

    ``now``: number of the frame that plays next. ``top``: first row of the voice on the canvas.
    """
    wide = layout.gutter >= 12
    badge, colour = ("MUTE", BAD) if voice_state.muted else _BADGES[voice_state.mode]
    at = now - 1 - roll.start
    f = roll.features
    live = 0 <= at < len(f)
    wave = int(f.wave[at, voice]) if live else NO_WAVE
    sounding = live and wave != NO_WAVE and f.level[at, voice] > AUDIBLE and not np.isnan(f.pitch[at, voice])
    hue = WAVE_COLOURS[wave] if sounding else FAINT
    canvas.chars[top : top + layout.voice_rows, 0] = ord("▌")
    canvas.inks[top : top + layout.voice_rows, 0] = ink(colour)
    canvas.write(top, 2, str(voice + 1), WHITE, bold=True)
    if badge == "GEN":  # the usual state, so it is drawn quietly
        canvas.write(top, 4, badge, GOOD, blend(GOOD, GROUND, 0.14), bold=True)
    elif badge == "OFF":
        canvas.write(top, 4, badge, FAINT, bold=True)
    else:
        canvas.write(top, 4, badge, GROUND, colour, bold=True)
    name = note_name(float(f.pitch[at, voice])) if sounding else "···"
    note_row = top + (1 if layout.voice_rows > 2 else 0)
    if layout.voice_rows > 2:
        canvas.write(note_row, 2, name, hue, bold=True)
        canvas.write(note_row, 6, _WAVE_MARKS[wave] if sounding else "  ", hue)
    elif wide:
        canvas.write(top, layout.gutter - 3, name, hue, bold=True)
    if layout.voice_rows >= 5 and wide:
        text = WAVE_NAMES[wave]
        if wave == PULSE:
            text += f" {100 * float(f.width[at, voice]):2.0f}%"
        canvas.write(top + 2, 2, text if sounding else "", hue)
        if live and f.routed[at, voice]:
            canvas.write(top, 9, "◆", FILTER_COLOURS[f.mode[at]])
    if layout.voice_rows >= 4 and wide:
        y = top + min(3, layout.voice_rows - 1)
        level = float(f.level[at, voice]) if live else 0.0
        canvas.bar(y, 2, 7, level if sounding else 0.0, FAINT if voice_state.muted else hue, "#1c1938")
    if voice_state.fragment and layout.voice_rows >= 6:
        canvas.write(top + 4, 2, voice_state.fragment[: layout.gutter - 6], MUTED)


def filter_gutter(canvas: Canvas, layout: ScoreLayout, roll: Roll, at: int, top: int, rows: int) -> None:
    """Draw the filter's gutter: mode, resonance, routed voices, volume, at row ``at`` of the roll."""
    f = roll.features
    live = 0 <= at < len(f)
    mode = int(f.mode[at]) if live else FILTER_OFF
    hue = FILTER_COLOURS[mode]
    canvas.chars[top : top + rows, 0] = ord("▌")
    canvas.inks[top : top + rows, 0] = ink(hue)
    x = canvas.write(top, 2, "FILTER" if rows > 1 else "FLT", MUTED, bold=True)
    canvas.write(top, x + 1, FILTER_NAMES[mode], hue, bold=True)
    if rows > 1 and live:
        canvas.write(top + 1, 2, f"res {f.resonance[at]:2d}", MUTED)
        routed = "".join(str(voice + 1) for voice in range(3) if f.routed[at, voice])
        canvas.write(top + 1, 9, f"◆{routed}"[: layout.gutter - 9] if routed else "", hue)
    if rows > 2 and live:
        volume = int(f.volume[at])
        canvas.write(top + 2, 2, f"vol {volume:2d}", MUTED if volume else BAD)
