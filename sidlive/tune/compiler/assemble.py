"""Assembles player.asm and boot.asm with 64tass. Needed only after a change of these sources.

``python -m sidlive.tune.compiler.assemble`` writes boot.bin and a player for each write order beside the sources. The
JSON file of a player lists the bytes that hold page numbers, so that `block` can relocate the player without an
assembler. They are found by assembling three times, with code and rings at other addresses.
"""

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).with_name("player.asm")
BINARIES: Final = (SOURCE.with_suffix(".bin"), SOURCE.with_name("player_control_first.bin"))  # by CONTROL_FIRST
BOOT: Final = Path(__file__).with_name("boot.asm")

ORIGIN: Final = 0x1000
RINGS: Final = 0x3000
EXPORTED: Final = ("init", "play", "init_banked", "play_banked")


def assemble(source: Path = SOURCE, **symbols: int) -> tuple[bytes, dict[str, int]]:
    """Assemble ``source`` with values for ``symbols`` that it declares weak; return its bytes and labels.

    Raises FileNotFoundError without 64tass.
    """
    with tempfile.TemporaryDirectory() as folder:
        binary, labels = Path(folder, "bytes"), Path(folder, "labels")
        set_symbols = [f"-D{name}=${value:x}" for name, value in symbols.items()]
        command = ["64tass", "-q", "-C", "-a", "-Wall", "-Werror", "--nostart", *set_symbols]
        subprocess.run([*command, "-o", str(binary), "-l", str(labels), str(source)], check=True)
        found = re.findall(r"^(\w+)\s*=\s*\$([0-9a-f]+)$", labels.read_text(), re.MULTILINE)
        return binary.read_bytes(), {name: int(value, 16) for name, value in found}


def describe(control_first: bool = False) -> tuple[bytes, dict[str, Any]]:
    """Assemble the player of a write order at ORIGIN and RINGS; return its bytes and the content of its JSON file."""
    order = int(control_first)
    code, labels = assemble(ORIGIN=ORIGIN, RINGS=RINGS, CONTROL_FIRST=order)
    assert labels["songs"] - ORIGIN == len(code), "the data must follow the code"
    elsewhere = {
        "code_pages": assemble(ORIGIN=ORIGIN + 0x100, RINGS=RINGS, CONTROL_FIRST=order)[0],
        "ring_pages": assemble(ORIGIN=ORIGIN, RINGS=RINGS + 0x100, CONTROL_FIRST=order)[0],
    }
    symbols: dict[str, Any] = {"origin": ORIGIN, "rings": RINGS}
    symbols |= {name: labels[name] - ORIGIN for name in EXPORTED}
    for name, moved in elsewhere.items():
        assert len(moved) == len(code)
        symbols[name] = [i for i, (was, now) in enumerate(zip(code, moved, strict=True)) if was != now]
        assert all(moved[i] == (code[i] + 1) & 0xFF for i in symbols[name])
    return code, symbols


def main() -> None:
    """Write the assembled files."""
    for control_first, binary in enumerate(BINARIES):
        code, symbols = describe(bool(control_first))
        binary.write_bytes(code)
        binary.with_suffix(".json").write_text(json.dumps(symbols, separators=(",", ":")) + "\n", encoding="utf-8")
    boot = assemble(BOOT)[0]
    BOOT.with_suffix(".bin").write_bytes(boot)
    print(f"{len(code)} bytes, {len(boot)} bytes")


if __name__ == "__main__":
    main()
