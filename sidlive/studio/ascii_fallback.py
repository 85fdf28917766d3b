"""ASCII characters for a terminal whose encoding lacks those of the studio. Each fills the same number of cells."""

from typing import Final

from rich.cells import cell_len

_SIGNS: Final = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    **dict(zip("▏▎▍▌▋▊▉", "|||||##", strict=True)),
    **dict(zip("░▒▓", ".:#", strict=True)),
    **dict(zip("╱╲≈·•∘…", "/\\~..o~", strict=True)),
    **dict(zip("■▶◌‖↻♪✖▸▲◆›‹", "#>o=@&X>!*><", strict=True)),
    **dict(zip("‘’“”–—→←↑↓", "''\"\"--><^v", strict=True)),
}
_BOXES: Final = {**dict.fromkeys("─━═╌┄┈", "-"), **dict.fromkeys("│┃║╎┆┊", "|")}
_UPPER_DOTS: Final = 0x01 | 0x02 | 0x08 | 0x10  # the bits of a braille cell's two upper rows


class AsciiFallback(dict[int, str]):
    """A table for `str.translate` that keeps what ``encoding`` can write and turns the rest to ASCII of the same width.

    The studio's own signs always become ASCII, because a locale may be wrong about the terminal's encoding.
    """

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    def __missing__(self, code: int) -> str:
        self[code] = written = self._as_ascii(chr(code))
        return written

    def _as_ascii(self, char: str) -> str:
        """Return what is written for a character: itself, or ASCII characters that fill as many cells."""
        if char in _SIGNS or char in _BOXES:
            return _SIGNS.get(char) or _BOXES[char]
        code = ord(char)
        if 0x2500 <= code < 0x2580:
            return "+"
        if 0x2800 <= code < 0x2900:
            dots = code - 0x2800
            upper, lower = dots & _UPPER_DOTS, dots & ~_UPPER_DOTS
            return ":" if upper and lower else "'" if upper else "." if lower else " "
        try:
            char.encode(self._encoding)
        except UnicodeError:
            return "?" * cell_len(char)
        return char
