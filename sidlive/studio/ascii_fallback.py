"""How the screen's characters are spelled where the locale cannot write them: one cell stays one cell."""

from typing import Final

from rich.cells import cell_len

_SPELLED: Final = {
    **dict(zip("▁▂▃▄▅▆▇█", "_.:-=+*#", strict=True)),
    **dict(zip("▏▎▍▌▋▊▉", "|||||##", strict=True)),
    **dict(zip("░▒▓", ".:#", strict=True)),
    **dict(zip("╱╲≈·•…", "/\\~..~", strict=True)),
    **dict(zip("■▶◌‖↻♪✖▸▲◆›‹", "#>o=@&X>!*><", strict=True)),
    **dict(zip("‘’“”–—→←↑↓", "''\"\"--><^v", strict=True)),
}
_BOXES: Final = {**dict.fromkeys("─━═╌┄┈", "-"), **dict.fromkeys("│┃║╎┆┊", "|")}
_UPPER_DOTS: Final = 0x01 | 0x02 | 0x08 | 0x10  # of a braille cell: its two upper rows


class AsciiFallback(dict[int, str]):
    """A table for `str.translate`: what ``encoding`` can write stays, the rest becomes ASCII of the same width.

    The studio's own signs become ASCII even where the encoding has them: a locale may be wrong about the terminal.
    """

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self._encoding = encoding

    def __missing__(self, code: int) -> str:
        self[code] = written = self._as_ascii(chr(code))
        return written

    def _as_ascii(self, char: str) -> str:
        if char in _SPELLED or char in _BOXES:
            return _SPELLED.get(char) or _BOXES[char]
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
