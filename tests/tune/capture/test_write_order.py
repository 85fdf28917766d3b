"""The order in which a tune writes control and envelope: found in its writes, kept in files and logs."""

from pathlib import Path

import pytest
from tunes_by_hand import program, sid_file

from sidlive.tune.capture.write_order import control_first_from_meta, control_first_to_meta, writes_control_first
from sidlive.tune.formats import psid
from sidlive.tune.formats.inline import fragment_from_json, fragment_to_json
from sidlive.tune.formats.npz import load_frames, save_frames
from sidlive.tune.loading import load_fragment

# INC $10F0  LDA $10F0  AND #7  BNE rest: every eighth call plays a note, each with another envelope
COUNT = "EE F0 10  AD F0 10  29 07  D0"
ENVELOPE = "AD F0 10 8D 05 D4 49 FF 8D 06 D4"  # LDA $10F0  STA $D405  EOR #$FF  STA $D406
GATE = "A9 21 8D 04 D4"
REST = "A9 20 8D 04 D4 60"  # the other calls close the gate


def tune(*parts: str) -> bytes:
    """Return a .sid file whose notes are written by the code ``parts``, one after another."""
    note = " ".join(parts) + " 60"
    return sid_file(program(play=f"{COUNT} {len(bytes.fromhex(note)):02X} {note} {REST}"))


@pytest.mark.parametrize(
    "parts, control_first",
    [
        ((GATE, ENVELOPE), True),
        ((ENVELOPE, GATE), False),
        ((ENVELOPE, GATE, "A9 00 8D 06 D4"), False),  # the sustain is written again after the gate
        ((GATE,), False),  # notes that do not write the envelope do not count
    ],
)
def test_the_order_is_found_in_the_tunes_writes(parts: tuple[str, ...], control_first: bool) -> None:
    assert writes_control_first(psid.parse(tune(*parts))) is control_first


def test_a_tune_that_jams_counts_as_envelope_first() -> None:
    assert writes_control_first(psid.parse(sid_file(program(play="02")))) is False


@pytest.mark.parametrize("control_first", [False, True])
def test_files_and_logs_keep_the_order(control_first: bool, tmp_path: Path) -> None:
    path = tmp_path / "notes.sid"
    path.write_bytes(tune(GATE, ENVELOPE) if control_first else tune(ENVELOPE, GATE))
    fragment = load_fragment(path)
    assert fragment.control_first is control_first
    save_frames(tmp_path / "notes.npz", fragment.frames, fragment.rate_hz, **control_first_to_meta(control_first))
    assert control_first_from_meta(load_frames(tmp_path / "notes.npz")[2]) is control_first
    assert load_fragment(tmp_path / "notes.npz").control_first is control_first
    assert fragment_from_json(fragment_to_json(fragment)).control_first is control_first


def test_an_older_log_counts_as_envelope_first(tmp_path: Path) -> None:
    path = tmp_path / "notes.sid"
    path.write_bytes(tune(ENVELOPE, GATE))
    older = fragment_to_json(load_fragment(path))
    del older["control_first"]
    assert fragment_from_json(older).control_first is False
