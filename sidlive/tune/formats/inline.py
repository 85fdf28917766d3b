"""Frames and fragments as JSON values, for logs that must be complete without other files."""

import base64
import binascii
import zlib
from dataclasses import astuple
from typing import Any, Final

import numpy as np

from sidlive.chip.registers import COLUMNS, Frames, silence
from sidlive.errors import TuneError
from sidlive.tune.beat import BEATS_A_BAR, Beat
from sidlive.tune.fragment import Fragment

_MOST: Final = 64 << 20  # bytes of frames at most, about 13 hours
_TYPES: Final = {
    "name": str, "rate_hz": int | float, "source": str, "chip": str, "timing": str,
    "resampled_from_hz": int | float, "sids": int, "control_first": bool,
    "speed": int | float,
}  # fmt: skip
_BEAT_TYPES: Final = {
    "beat_frames": int | float, "bar_beats": int, "downbeat": int | float, "beat_source": str,
    "beat_confidence": int | float,
}  # fmt: skip
_LATER: Final = {  # fields missing from older logs, and their value there
    "control_first": False, "speed": 1.0, "bar_beats": BEATS_A_BAR, "downbeat": 0.0, "beat_source": "log",
    "beat_confidence": 0.0,
}  # fmt: skip


def frames_to_text(frames: Frames) -> str:
    """Encode ``frames`` uint8[T, 28] column by column, with zlib, in base64. Inverse: `frames_from_text`."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(frames.T).tobytes(), 9)).decode("ascii")


def frames_from_text(text: object) -> Frames:
    """Decode the frames uint8[T, 28] in a text of `frames_to_text`. Raises TuneError for any other text."""
    try:
        unpacker = zlib.decompressobj()
        raw = unpacker.decompress(base64.b64decode(str(text), validate=True), _MOST)
    except (binascii.Error, ValueError, zlib.error):
        raw, whole = b"", False
    else:
        whole = unpacker.eof and len(raw) % COLUMNS == 0
    if not whole:
        raise TuneError("frames in the log are damaged: expected zlib in base64, 28 columns; use another copy of it")
    return np.frombuffer(raw, dtype=np.uint8).reshape(COLUMNS, -1).T.copy() if raw else silence(0)


def fragment_to_json(fragment: Fragment) -> dict[str, Any]:
    """Return a fragment as a dictionary for JSON, without its notes. Inverse: `fragment_from_json`."""
    about = vars(fragment)
    beat = dict(zip(_BEAT_TYPES, astuple(fragment.beat), strict=True))
    return {**{name: about[name] for name in _TYPES}, **beat, "frames": frames_to_text(fragment.frames)}


def fragment_from_json(value: object) -> Fragment:
    """Return the fragment in a dictionary of `fragment_to_json`. Raises TuneError for any other value."""
    fields = {**_LATER, **value} if isinstance(value, dict) else {}
    types = _TYPES | _BEAT_TYPES
    if fields.keys() != types.keys() | {"frames"} or not all(
        isinstance(fields[name], kind) for name, kind in types.items()
    ):
        raise TuneError("a fragment in the log is damaged or of another version; use another copy of it")
    beat = Beat(*(fields[name] for name in _BEAT_TYPES))
    return Fragment(**{name: fields[name] for name in _TYPES}, beat=beat, frames=frames_from_text(fields["frames"]))
