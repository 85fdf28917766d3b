"""Programs written in machine code, run by our machine and by libsidplayfp: the SID's registers at the same cycles."""

from pathlib import Path

import numpy as np
from tunes_by_hand import sid_file

from sidlive.bench.capture import log_of, quarters_of, states_of
from sidlive.bench.peer import Peer
from sidlive.tune.formats.psid import read

LOAD = 0x1000


def first_difference(peer: Peer, folder: Path, program: bytes, frames: int = 60, ntsc: bool = False) -> str | None:
    """Run an RSID that starts at $1000 on both machines. Returns the first difference at a quarter frame, or None."""
    path = folder / "program.sid"
    path.write_bytes(sid_file(program, magic=b"RSID", play=0, flags=0x18 if ntsc else 0x14))
    tune = read(path)
    heard = peer.play(path, 1, frames)
    assert not heard.run.any(), "libsidplayfp jams"
    quarters = quarters_of(tune, frames)
    ours = states_of(log_of(tune, 1, int(quarters[-1]) + 100, heard.driver), quarters)
    same = (ours == heard.exact).all(axis=1)
    if same.all():
        return None
    row = int(np.argmin(same))
    register = int(np.argmax(ours[row] != heard.exact[row]))
    return f"quarter {row}, $D4{register:02X}: {ours[row, register]}, libsidplayfp {heard.exact[row, register]}"


class Code:
    """A builder of machine code at $1000. The code begins with SEI and turns both CIAs' interrupts off."""

    def __init__(self) -> None:
        self.bytes = bytearray.fromhex("78 A9 7F 8D 0D DC 8D 0D DD")

    @property
    def here(self) -> int:
        """The address of the next instruction."""
        return LOAD + len(self.bytes)

    def add(self, code: str) -> None:
        self.bytes += bytes.fromhex(code)

    def set(self, value: int, address: int) -> None:
        """Add LDA #value STA address."""
        self.bytes += bytes((0xA9, value, 0x8D, address & 0xFF, address >> 8))

    def copy(self, source: int, address: int) -> None:
        """Add LDA source STA address."""
        self.bytes += bytes((0xAD, source & 0xFF, source >> 8, 0x8D, address & 0xFF, address >> 8))

    def count_into(self, register: int) -> None:
        """Add INC $2000 LDA $2000 STA $D400 + register."""
        self.add("EE 00 20")
        self.copy(0x2000, 0xD400 + register)

    def go_to(self, address: int) -> None:
        """Add JMP address."""
        self.bytes += bytes((0x4C, address & 0xFF, address >> 8))
