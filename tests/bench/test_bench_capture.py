"""Our machine compared with libsidplayfp and py65: the comparisons, and the messages if one of them is missing."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import sid_file

from sidlive.bench import capture as bench
from sidlive.bench import speed
from sidlive.bench.capture import (
    TraceComparison,
    TracedTune,
    WriteLog,
    compare,
    compare_all,
    figures,
    read_oracle,
    states_of,
)
from sidlive.bench.peer import Peer
from sidlive.chip.registers import PAL, USED_BITS
from sidlive.cli import main
from sidlive.errors import TuneError
from sidlive.tune.formats import psid

FRAMES = 40


def traced(folder: Path, trace: np.ndarray, timing: str = "vbi", **header: int) -> TracedTune:
    """Write a hand-made tune and a trace to compare it with."""
    (folder / "tune.sid").write_bytes(sid_file(**header))  # type: ignore[arg-type]
    np.savez(folder / "trace.npz", state=trace)
    return TracedTune("tune.sid", folder / "tune.sid", folder / "trace.npz", timing)


def counting(frames: int) -> np.ndarray:
    """Return the registers of the hand-made tune at each quarter of a frame, ``uint8[frames, 4, 25]``.

    It counts its calls in voice 1's frequency: the high byte has $10 set. The first call follows init at once, because
    the raster has passed line 0 by then.
    """
    state = np.zeros((frames, 4, 25), dtype=np.uint8)
    state[:, :, 24], state[:, :, 6] = 0x0F, 0xF0
    state[:, :, 0] = np.arange(1, frames + 1)[:, None]
    state[:, :, 1], state[:, :, 4] = 0x10, 0x21
    return state


def test_a_tune_that_plays_as_the_trace_is_equal(tmp_path: Path) -> None:
    result = compare(traced(tmp_path, counting(FRAMES)[:, 2]), None)
    assert (result.rows, result.equal, result.frame, result.note) == (FRAMES, FRAMES, None, "")


def test_the_first_difference_is_reported(tmp_path: Path) -> None:
    trace = counting(FRAMES)
    trace[7, 1, 4] = 0x41
    trace[9, 1, 0] = 0xAA
    result = compare(traced(tmp_path, trace, "rsid"), None)
    assert (result.rows, result.equal) == (4 * FRAMES, 4 * FRAMES - 2)
    assert (result.frame, result.quarter, result.register) == (7, 2, "$D404")
    assert (result.ours, result.theirs) == (0x21, 0x41)


def test_a_row_may_be_as_late_as_the_pause_after_its_quarter(tmp_path: Path) -> None:
    late = counting(FRAMES)
    late[4, 3] = late[5, 0]  # the next call's values, which come a few cycles after the quarter
    assert compare(traced(tmp_path, late, "cia"), None).equal == 4 * FRAMES
    too_late = counting(FRAMES)
    too_late[4, 2] = too_late[5, 0]
    assert compare(traced(tmp_path, too_late, "cia"), None).equal == 4 * FRAMES - 1


def test_libsidplayfp_has_the_same_registers_at_every_quarter(tmp_path: Path, peer: Peer) -> None:
    (result,) = compare_all([traced(tmp_path, counting(FRAMES)[:, 2])], peer)
    assert (result.rows, result.equal) == (FRAMES, FRAMES)
    assert (result.exact_rows, result.exact) == (4 * FRAMES, 4 * FRAMES)


def test_a_jam_starts_the_tune_anew_on_both_sides(tmp_path: Path, peer: Peer) -> None:
    jam = "EE F0 10 AD F0 10 8D 00 D4 C9 05 90 01 02 60"  # counts its calls, and jams in the fifth
    image = bytearray(sid_file()[0x7E:])
    image[0x40 : 0x40 + 15] = bytes.fromhex(jam)
    (tmp_path / "tune.sid").write_bytes(sid_file(bytes(image)))
    heard = peer.play(tmp_path / "tune.sid", 1, FRAMES)
    assert heard.run[-1] >= 4 and not heard.run[: 4 * 4 - 1].any()
    np.savez(tmp_path / "trace.npz", state=heard.seen.reshape(FRAMES, 4, 25))
    result = compare(TracedTune("t", tmp_path / "tune.sid", tmp_path / "trace.npz", "rsid"), heard)
    assert (result.rows, result.equal) == (4 * FRAMES, 4 * FRAMES)
    assert 4 * 4 - 1 <= result.exact == result.exact_rows <= 4 * 4
    assert "jams" in result.note and "anew" in result.note


def test_a_file_that_libsidplayfp_refuses_does_not_end_the_comparison(tmp_path: Path, peer: Peer) -> None:
    good = traced(tmp_path, counting(FRAMES)[:, 2])
    (tmp_path / "broken.sid").write_bytes(b"no tune")
    broken = TracedTune("broken", tmp_path / "broken.sid", good.trace, "vbi")
    first, refused, last = compare_all([good, broken, good], peer)
    assert first == last and first.equal == first.rows == FRAMES and first.exact == 4 * FRAMES
    assert refused.equal == 0 and "broken.sid: not a .sid file" in refused.note


def test_the_peer_is_the_oracle(shared: Path, peer: Peer) -> None:
    tunes = read_oracle(shared / "oracle")
    for timing in bench.TIMINGS:
        tune = next(tune for tune in tunes if tune.timing == timing)
        with np.load(tune.trace) as archive:
            state = archive["state"][:100].reshape(100, -1, 25)
        heard = peer.play(tune.path, psid.read(tune.path).start_song, 100)
        seen = heard.seen.reshape(100, 4, 25)
        np.testing.assert_array_equal(seen if timing != "vbi" else seen[:, 2:3], state)


def test_states_before_a_cycle_and_after_a_new_start() -> None:
    log = WriteLog(np.array([[10, 0, 5], [20, 1, 7], [40, 0, 9]]), end=30)
    at = np.array([10, 11, 25, 99, 0, 11, 25])
    states = states_of(log, at, np.array([0, 0, 0, 0, 1, 1, 1], dtype=np.int32))
    assert states[:, :2].tolist() == [[0, 0], [5, 0], [5, 7], [5, 7], [5, 7], [5, 7], [5, 7]]
    log = WriteLog(np.array([[10, 0, 5], [20, 0, 6]]))
    states = states_of(log, np.array([0, 15, 25]), np.array([2, 2, 2], dtype=np.int32))
    assert states[:, 0].tolist() == [6, 5, 6]


def test_figures_are_shares_of_tunes_and_of_rows() -> None:
    table = [
        TraceComparison("a", "cia", rows=10, equal=10, exact_rows=10, exact=9),
        TraceComparison("b", "cia", rows=10, equal=5, exact_rows=10, exact=10),
        TraceComparison("c", "cia", rows=10, equal=10),
        TraceComparison("d", "vbi", rows=4, equal=4),
    ]
    values = {result.name: result.value for result in figures(table)}
    assert values["equal.cia"] == pytest.approx(2 / 3) and values["rows.cia"] == pytest.approx(25 / 30)
    assert values["exact.cia"] == 0.5 and values["tunes.cia"] == 3
    assert values["equal.vbi"] == 1 and values["exact.vbi"] is None
    assert "equal.rsid" not in values


def test_the_number_of_instructions_of_the_program_is_right() -> None:
    mpu = pytest.importorskip("py65.devices.mpu6502")
    processor = mpu.MPU(memory=list(speed.program()), pc=speed.START)
    processor.memory[2] = 3
    steps = 0
    while processor.pc != speed.STOP:
        processor.step()
        steps += 1
    assert steps == 3 * speed.INSTRUCTIONS_A_PASS + 1


def test_the_program_does_the_same_on_both_processors() -> None:
    pytest.importorskip("py65")
    assert speed.run_ours(5)[1] == speed.run_py65(5)[1] != speed.program()[0x2000:0x2300]


def test_a_race_compares_the_registers_of_both_machines(tmp_path: Path, peer: Peer) -> None:
    path = traced(tmp_path, counting(FRAMES)).path
    broken = tmp_path / "broken.sid"
    broken.write_bytes(b"no tune")
    (pace_of,) = speed.race([path, broken], FRAMES, peer, 1, lambda name: None)
    assert pace_of.same == 1 and pace_of.peer_s is not None
    assert pace_of.music_s == pytest.approx(FRAMES / PAL.rate_hz)
    ends = counting(FRAMES)[:, -1] & USED_BITS[:25]
    np.testing.assert_array_equal(speed.registers_of(psid.read(path), FRAMES), ends)


def test_speeds_are_ratios_of_total_times() -> None:
    paces = [speed.PlaySpeed(30, 1, 10, 1.0), speed.PlaySpeed(30, 2, 50, 0.5), speed.PlaySpeed(30, 3, None, None)]
    values = {result.name: result.value for result in speed.speeds(paces)}
    assert values["speed_x_libsidplayfp"] == 20 and values["speed_x_libsidplayfp.median"] == 17.5
    assert values["speed_x_libsidplayfp.same_rows"] == 0.75 and values["speed.tunes"] == 3
    assert values["realtime_x"] == 15 and values["realtime_x.all"] == 15 and values["realtime_x.libsidplayfp"] == 1
    assert speed.speeds([]) == []


def test_a_missing_program_is_reported_with_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match=r"run from a checkout"):
        Peer(tmp_path, source=tmp_path / "peer.cpp")
    with pytest.raises(TuneError, match=r"apt-get install g\+\+"):
        Peer(tmp_path, compiler="no-such-compiler")
    source = tmp_path / "peer.cpp"
    source.write_text("#include <no/such/header.h>\n")
    if shutil.which("g++"):
        with pytest.raises(TuneError, match=r"no such file.*apt-get install libsidplayfp-dev|header"):
            Peer(tmp_path, source=source)


def test_a_folder_that_is_no_oracle_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(TuneError, match=r"holds no index.json"):
        read_oracle(tmp_path)
    (tmp_path / "index.json").write_text('[{"tune": "a.sid"}]')
    with pytest.raises(TuneError, match="not an index of register traces"):
        read_oracle(tmp_path)
    (tmp_path / "index.json").write_text('[{"tune": "a.sid", "trace": "a.npz", "timing": "sundial"}]')
    with pytest.raises(TuneError, match="vbi, cia, rsid"):
        read_oracle(tmp_path)
    trace = traced(tmp_path, np.zeros((4, 3, 25), dtype=np.uint8))
    with pytest.raises(TuneError, match="3 rows a frame"):
        compare(trace, None)


def test_the_command_prints_figures_and_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(folder: Path) -> Peer:
        raise TuneError("no peer here")

    monkeypatch.setattr("sidlive.bench.peer.Peer", none)
    oracle = tmp_path / "oracle"
    oracle.mkdir()
    tune = traced(oracle, counting(FRAMES)[:, 2])
    (oracle / "index.json").write_text('[{"tune": "oracle/tune.sid", "trace": "trace.npz", "timing": "vbi"}]')
    assert main(["bench", "capture", "--oracle", str(oracle), "--only", "exact", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    values = {result["name"]: result["value"] for result in printed["results"]}
    assert values["equal.vbi"] == 1 and values["exact.vbi"] is None and printed["lacking"] == ["no peer here"]
    assert [(one["tune"], one["equal"]) for one in printed["tunes"]] == [("oracle/tune.sid", FRAMES)]
    trace = counting(FRAMES)[:, 2]
    trace[3, 0] ^= 1
    np.savez(tune.trace, state=trace)
    assert main(["bench", "capture", "--oracle", str(oracle), "--only", "exact"]) == 0
    shown = capsys.readouterr()
    assert "frame 3.3  $D400  04 not 05" in shown.out and "no peer here" in shown.err


def test_the_time_for_a_large_collection_is_extrapolated_from_a_build(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(2):
        (tmp_path / f"{number}.sid").write_bytes(sid_file(name=bytes([65 + number])))
    command = ["bench", "capture", "--corpus", str(tmp_path), "--only", "build", "--tunes", "2", "--json"]
    assert main(command) == 0
    values = {result["name"]: result["value"] for result in json.loads(capsys.readouterr().out)["results"]}
    assert values["build.tunes"] == 2 and values["build.kept"] >= 1
    assert values["hours_60k_tunes"] == pytest.approx(30_000 * values["build.seconds"] / 3600)
