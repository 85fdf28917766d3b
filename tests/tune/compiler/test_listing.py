"""Takes as sources for 64tass: the same bytes, and at another page the same music."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from takes_by_hand import patchwork, song

from sidlive.bench.py65_player import trace
from sidlive.chip.registers import PAL
from sidlive.tune.compiler.assemble import assemble
from sidlive.tune.compiler.block import MemoryBlock, SongFrames
from sidlive.tune.compiler.listing import listing_of
from sidlive.tune.compiler.sid_file import Label, block_of, sid_of

TAKES = [SongFrames(song(600)), SongFrames(patchwork(300, 3), 40)]
CONTROL_FIRST = [SongFrames(take.frames, take.loop_frame, True) for take in TAKES]

pytestmark = pytest.mark.skipif(shutil.which("64tass") is None, reason="64tass is not installed")


def source(block: MemoryBlock, folder: Path) -> Path:
    path = folder / "take.asm"
    path.write_text(listing_of(block, Label("Süße", "Line\nbreak")), encoding="utf-8")
    return path


@pytest.mark.parametrize("takes", [TAKES, CONTROL_FIRST], ids=["envelope first", "control first"])
@pytest.mark.parametrize("load", [0x0500, 0x1000, 0x8B00])
def test_it_assembles_to_the_bytes_of_the_block(load: int, takes: list[SongFrames], tmp_path: Path) -> None:
    block = block_of(takes, PAL, load)
    code, labels = assemble(source(block, tmp_path))
    assert code == block.image
    assert (labels["start"], labels["data"], labels["RINGS"]) == (block.load, block.data, block.rings)
    assert block.load < labels["init"] < labels["play"] < block.data


def test_at_another_page_it_plays_the_same(tmp_path: Path) -> None:
    path = source(block_of(TAKES, PAL), tmp_path)
    path.write_text(path.read_text(encoding="utf-8").replace("ORIGIN  = $1000", "ORIGIN  = $3700", 1), encoding="utf-8")
    code, labels = assemble(path)
    moved = MemoryBlock(0x3700, labels["data"], labels["RINGS"], block_of(TAKES, PAL).songs, code, 0x3700)
    for number, take in enumerate(TAKES):
        assert np.array_equal(trace(sid_of(moved, Label()), len(take.frames), number), take.frames)
