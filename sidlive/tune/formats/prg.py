"""The .prg file format: programs with a BASIC line ``SYS address``, read as tunes. Runs no code.

A .prg file is a load address (little-endian) and the memory from there on. BASIC starts at $0801. A BASIC line is a
link, a line number, and text that ends with a zero byte; keywords are single bytes from $80 on.
"""

from pathlib import Path
from typing import Final

from sidlive.errors import TuneError
from sidlive.tune.formats.kinds import read_bytes
from sidlive.tune.formats.psid import MUS_REFUSAL, TEXT_BYTES, Tune, Written

BASIC: Final = 0x0801
LOWEST: Final = 0x07E8  # below it are the screen and the system's variables
LARGEST_FILE: Final = 2 + 0x10000

_QUOTE: Final = ord('"')
_REM, _SYS = 0x8F, 0x9E
_OPERATORS: Final = {0xAA: "+", 0xAB: "-", 0xAC: "*", 0xAD: "/"}
_PLAIN: Final = b"0123456789.()"
_LONGEST_SUM: Final = 80  # characters: the longest line of the screen editor
_MUS_END: Final = b"\x01\x4f"  # the command that halts a voice


def read(path: str | Path) -> Tune:
    """Read the tune in a .prg file. Raises TuneError if it cannot be read or has no BASIC line with SYS."""
    path = Path(path)
    return parse(read_bytes(path, LARGEST_FILE + 1, "a .prg file"), str(path), path.stem)


def parse(data: bytes, what: str = "file", title: str = "") -> Tune:
    """Parse a program as an RSID tune with one song: init is the address after SYS, and the program plays by itself.

    ``what`` names it in messages, ``title`` becomes the tune's name. Inverse: `prg_bytes`, of its load address and
    image. Raises TuneError with the reason if it cannot be a tune.
    """
    if is_mus(data):
        raise TuneError(f"{what}: {MUS_REFUSAL}")
    if len(data) < 3:
        raise TuneError(f"{what}: truncated: {len(data)} bytes; expected a load address and a program")
    load, image = data[0] | data[1] << 8, data[2:]
    if load + len(image) > 0x10000:
        raise TuneError(f"{what}: loads {len(image):,} bytes to ${load:04X}, past the end of memory at $FFFF")
    span = f"${load:04X}-${load + len(image) - 1:04X}"
    if not LOWEST <= load <= BASIC < load + len(image):
        raise TuneError(f"{what}: loads to {span}; expected a BASIC line with SYS at ${BASIC:04X}")
    start = _sys_address(image[BASIC - load :], what)
    if not load <= start < load + len(image):
        raise TuneError(f"{what}: SYS {start} is outside the memory that the file loads; expected an address in {span}")
    if 0xA000 <= start < 0xC000 or start >= 0xD000:
        raise TuneError(f"{what}: SYS {start} is in a ROM or an I/O chip; expected $0801-$9FFF or $C000-$CFFF")
    name = title.encode("cp1252", errors="replace")[:TEXT_BYTES].ljust(TEXT_BYTES, b"\0")
    return Tune(
        magic="RSID",
        version=2,
        load=load,
        init=start,
        play=0,
        songs=1,
        start_song=1,
        speed=0,
        texts=(name, bytes(TEXT_BYTES), bytes(TEXT_BYTES)),
        flags=0,
        start_page=0,
        page_length=0,
        second_sid=0,
        third_sid=0,
        image=image,
        written=Written(load=0, init=start, play=0, songs=1, start_song=1),
    )


def prg_bytes(load: int, image: bytes) -> bytes:
    """Return a .prg file of the memory ``image`` at the address ``load``. Inverse: `parse`."""
    return load.to_bytes(2, "little") + image


def is_mus(data: bytes) -> bool:
    """Return whether ``data`` is a Compute! Sidplayer file: load address, three lengths, three voices that halt."""
    end = 8
    for voice in range(3):
        length = int.from_bytes(data[2 + 2 * voice : 4 + 2 * voice], "little")
        end += length
        if length < 2 or data[end - 2 : end] != _MUS_END:
            return False
    return True


def _sys_address(basic: bytes, what: str) -> int:
    """Return the address after the first SYS of a BASIC program; ``basic`` is the memory from $0801 on."""
    begin, lines = 0, 0
    while begin + 4 < len(basic) and basic[begin + 1]:  # a link below $0100 ends the program; RUN rebuilds the others
        end = basic.find(0, begin + 4)
        text = basic[begin + 4 : end if end >= 0 else len(basic)]
        argument = _sys_argument(text)
        if argument is not None:
            number = basic[begin + 2] | basic[begin + 3] << 8
            return _value(argument, f"{what}: line {number}: SYS{_listed(argument)}")
        if end < 0:
            break
        begin, lines = end + 1, lines + 1
    found = f"{lines} BASIC lines without one" if lines else f"the bytes {basic[:8].hex(' ').upper()}"
    raise TuneError(f"{what}: expected a BASIC line with SYS at ${BASIC:04X}, found {found}")


def _sys_argument(text: bytes) -> bytes | None:
    """Return the text between the first SYS of a line and the next statement, or None if there is no SYS."""
    quoted = False
    for index, byte in enumerate(text):
        if byte == _QUOTE:
            quoted = not quoted
        elif not quoted and byte == _REM:
            return None
        elif not quoted and byte == _SYS:
            return text[index + 1 :].partition(b":")[0]
    return None


def _listed(argument: bytes) -> str:
    """Return an argument roughly as LIST shows it, cut to a screen line."""
    shown = "".join(_OPERATORS.get(byte, chr(byte) if 32 <= byte < 127 else "?") for byte in argument[:40])
    return shown if shown.startswith(" ") else f" {shown}"


class _Sum:
    """Value of the sum at the start of an argument, as BASIC reads it: digits, + - * /, parentheses, blanks anywhere.

    The rest of the argument is ignored: BASIC too jumps before it looks at it. Raises ValueError if there is no number.
    """

    def __init__(self, argument: bytes) -> None:
        shown = (_OPERATORS.get(byte, chr(byte) if byte in _PLAIN else "?") for byte in argument if byte != 0x20)
        self._text = "".join(shown)[:_LONGEST_SUM] + "?"
        self._at = 0
        self.value = self._terms()

    def _take(self, symbols: str) -> str:
        """Return and consume the next symbol if it is in ``symbols``, else return ""."""
        symbol = self._text[self._at]
        if symbol not in symbols:
            return ""
        self._at += 1
        return symbol

    def _terms(self) -> float:
        """Evaluate a sum from the next symbol on."""
        total = self._factors()
        while sign := self._take("+-"):
            term = self._factors()
            total += term if sign == "+" else -term
        return total

    def _factors(self) -> float:
        """Evaluate a product from the next symbol on."""
        product = self._factor()
        while sign := self._take("*/"):
            factor = self._factor()
            if sign == "/" and not factor:
                raise ValueError("division by zero")
            product = product * factor if sign == "*" else product / factor
        return product

    def _factor(self) -> float:
        """Evaluate a number, a signed factor or a sum in parentheses."""
        if sign := self._take("+-"):
            return self._factor() if sign == "+" else -self._factor()
        if self._take("("):
            value = self._terms()
            if not self._take(")"):
                raise ValueError("no closing parenthesis")
            return value
        digits = ""
        while digit := self._take("0123456789."):
            digits += digit
        return float(digits)


def _value(argument: bytes, what: str) -> int:
    """Return the address at the start of an argument. Raises TuneError if there is none."""
    try:
        value = _Sum(argument).value
    except ValueError:
        raise TuneError(f"{what}: expected a number or a sum of numbers after SYS") from None
    if not 0 <= value < 0x10000:
        raise TuneError(f"{what}: expected an address, 0 to 65535")
    return int(value)
