"""Files of the SID's 25 registers, frame after frame: SID-GPT's ``.sidgpt`` and zigreSID's ``.dmp``.

Neither holds a frame rate (by custom it is the video frame rate) or the changes inside a frame. Reading sets each first
control value to the final one; writing drops the first control values.

``.sidgpt``: uint16 tokens, little-endian, in units of 26. A frame is the token 257 and one token for each register
$D400 to $D418. A separator between two pieces is 26 times the token 256.
``.dmp``: 25 bytes a frame, $D400 to $D418, nothing else.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from sidlive.chip.registers import (
    COLUMNS,
    CONTROL,
    FIRST_CONTROL,
    REGISTERS,
    USED_BITS,
    VOICES,
    Frames,
    register_of,
)
from sidlive.errors import TuneError
from sidlive.tune.formats.kinds import read_bytes
from sidlive.writing import write_file

SEPARATOR: Final = 256
FRAME: Final = 257
UNIT: Final = 1 + REGISTERS  # tokens of a frame or a separator
MOST_FRAMES: Final = 24 * 3600 * 60  # longest file that is read: a day of video frames

_CONTROLS: Final = [register_of(voice, CONTROL) for voice in range(VOICES)]


def read_sidgpt(path: str | Path) -> list[Frames]:
    """Read the pieces, uint8[T, 28] each, of a .sidgpt file. Inverse: `write_sidgpt`. Raises TuneError if broken."""
    return parse_sidgpt(_read(Path(path), 2 * UNIT * MOST_FRAMES), str(path))


def parse_sidgpt(data: bytes, what: str = "stream") -> list[Frames]:
    """Return the pieces of a .sidgpt file, without empty ones. Inverse: `sidgpt_bytes`.

    Raises TuneError with the position of the fault in bytes, the expected token and the one found.
    """
    units = len(data) // (2 * UNIT)
    tokens = np.frombuffer(data, dtype="<u2", count=units * UNIT).reshape(-1, UNIT)
    separators = (tokens == SEPARATOR).all(axis=1)
    broken = ~separators & ((tokens[:, 0] != FRAME) | (tokens[:, 1:] > 0xFF).any(axis=1))
    if broken.any():
        raise _broken(tokens, int(broken.argmax()), what)
    if rest := len(data) - units * 2 * UNIT:
        raise TuneError(
            f"{what}: ends at byte {len(data):,} inside a frame or separator, {rest} bytes after its start;"
            f" expected {2 * UNIT} bytes each"
        )
    frames = _frames(tokens[:, 1:])
    cuts = np.flatnonzero(separators)
    edges = zip([-1, *cuts], [*cuts, units], strict=True)
    pieces = [frames[before + 1 : after] for before, after in edges if after > before + 1]
    if not pieces:
        raise TuneError(f"{what}: holds no frame; expected the token {FRAME} and {REGISTERS} registers, as uint16 each")
    return pieces


def sidgpt_bytes(pieces: Sequence[Frames]) -> bytes:
    """Return ``pieces`` uint8[T, 28] as a .sidgpt file, a separator before each. Inverse: `parse_sidgpt`."""
    parts = []
    for piece in pieces:
        assert piece.dtype == np.uint8 and piece.ndim == 2 and piece.shape[1] == COLUMNS
        tokens = np.full((1 + len(piece), UNIT), SEPARATOR, dtype="<u2")
        tokens[1:, 0] = FRAME
        tokens[1:, 1:] = piece[:, :REGISTERS]
        parts.append(tokens.tobytes())
    return b"".join(parts)


def write_sidgpt(path: str | Path, pieces: Sequence[Frames]) -> None:
    """Write ``pieces`` uint8[T, 28] to a .sidgpt file. Inverse: `read_sidgpt`. Raises DeviceError if that fails."""
    write_file(path, sidgpt_bytes(pieces))


def read_dmp(path: str | Path) -> Frames:
    """Read the frames uint8[T, 28] of a .dmp file. Inverse: `write_dmp`. Raises TuneError if broken."""
    return parse_dmp(_read(Path(path), REGISTERS * MOST_FRAMES), str(path))


def parse_dmp(data: bytes, what: str = "dump") -> Frames:
    """Return the frames uint8[T, 28] of a .dmp file. Inverse: `dmp_bytes`. Raises TuneError if a frame is cut off."""
    rest = len(data) % REGISTERS
    if not data or rest:
        found = f"{rest} bytes of the last frame" if data else "nothing"
        raise TuneError(f"{what}: {len(data):,} bytes are no register dump: {found}; expected {REGISTERS} a frame")
    return _frames(np.frombuffer(data, dtype=np.uint8).reshape(-1, REGISTERS))


def dmp_bytes(frames: Frames) -> bytes:
    """Return ``frames`` uint8[T, 28] as a .dmp file, 25 bytes a frame. Inverse: `parse_dmp`."""
    assert frames.dtype == np.uint8 and frames.ndim == 2 and frames.shape[1] == COLUMNS
    return frames[:, :REGISTERS].tobytes()


def write_dmp(path: str | Path, frames: Frames) -> None:
    """Write ``frames`` uint8[T, 28] to a .dmp file. Inverse: `read_dmp`. Raises DeviceError if that fails."""
    write_file(path, dmp_bytes(frames))


def plain(frames: Frames) -> Frames:
    """Return the frames as these formats keep them: each first control value is the final one."""
    return _frames(frames[:, :REGISTERS])


def _frames(registers: np.ndarray) -> Frames:
    """Make frames uint8[T, 28] of ``registers`` [T, 25]; bits that the chip does not have become 0."""
    frames = np.empty((len(registers), COLUMNS), dtype=np.uint8)
    frames[:, :REGISTERS] = registers & 0xFF
    frames[:, FIRST_CONTROL:] = frames[:, _CONTROLS]
    frames &= USED_BITS
    return frames


def _broken(tokens: np.ndarray, unit: int, what: str) -> TuneError:
    """Return the error for a broken ``unit`` of ``tokens`` [n, 26]: its position, what was expected, what was found."""
    row = tokens[unit]
    if row[0] == FRAME:
        index = 1 + int((row[1:] > 0xFF).argmax())
        expected = f"register ${0xD3FF + index:04X} of a frame, 0 to 255"
    elif row[0] == SEPARATOR:
        index = int((row != SEPARATOR).argmax())
        expected = f"the token {SEPARATOR} {UNIT} times for a separator, found {index} of them and then another"
    else:
        index = 0
        expected = f"{FRAME} for a frame or {SEPARATOR} for a separator"
    offset = 2 * (unit * UNIT + index)
    return TuneError(f"{what}: token {row[index]} at byte {offset:,}; expected {expected}")


def _read(path: Path, most: int) -> bytes:
    """Read a file of at most ``most`` bytes. Raises TuneError if it is larger or cannot be read."""
    data = read_bytes(path, most + 1, "a file of frames")
    if len(data) > most:
        raise TuneError(
            f"{path} has more than {MOST_FRAMES:,} frames, a day of them; expected fewer: cut it into pieces"
        )
    return data
