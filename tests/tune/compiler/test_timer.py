"""Songs that play faster or slower than the video frame: CIA 1's timer calls play, at the right rate."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from takes_by_hand import noise, patchwork, song

from sidlive.bench.capture import log_of, quarters_of, states_of
from sidlive.bench.peer import Peer
from sidlive.bench.py65_player import Player
from sidlive.chip.registers import NTSC, PAL, VideoTiming
from sidlive.cli import main
from sidlive.tune.capture.recorder import capture
from sidlive.tune.compiler.block import SongFrames, timer_bytes
from sidlive.tune.compiler.sid_file import Label, block_of, compile_sid, compile_song, sid_of, verify
from sidlive.tune.formats import psid
from sidlive.tune.formats.npz import save_frames
from sidlive.tune.loading import load_fragment

TIMER = 0xDC04


@pytest.mark.parametrize("timing", [PAL, NTSC])
@pytest.mark.parametrize("speed", [0.8, 0.93, 1.01, 1.2])
def test_the_timer_calls_play_at_the_speed(timing: VideoTiming, speed: float) -> None:
    take = song(400)
    data = compile_song(SongFrames(take, speed=speed), timing=timing)
    tune = psid.parse(data)
    assert tune.uses_cia(1) and tune.to_bytes() == data
    recorded = capture(tune, 1, len(take))
    cycles = timing.clock_hz / recorded.rate_hz
    assert np.array_equal(recorded.frames, take) and cycles == pytest.approx(timing.cycles_per_frame / speed, abs=0.6)


def test_init_sets_the_timer_and_passes_the_song_on() -> None:
    takes = [SongFrames(song(90)), SongFrames(patchwork(90), speed=1.1), SongFrames(song(90, 5), speed=0.9)]
    data = sid_of(block_of(takes, PAL), Label())
    tune = psid.parse(data)
    assert [tune.uses_cia(number) for number in (1, 2, 3)] == [False, True, True]
    verify(data, *(take.frames for take in takes))
    for number, take in enumerate(takes):
        player = Player(data)
        for again in (2, number):  # a player may start one song after another
            player.init(again)
        latch = player.memory.ram[TIMER] | player.memory.ram[TIMER + 1] << 8
        assert latch + 1 == round(PAL.cycles_per_frame / take.speed)
        assert np.array_equal(player.frames(90), take.frames)


def test_at_speed_one_the_file_is_as_without_a_speed() -> None:
    take = song(200)
    assert (
        compile_song(SongFrames(take, speed=1.0)) == compile_song(SongFrames(take, speed=1.00001)) == compile_sid(take)
    )


def test_a_long_take_under_basic_starts() -> None:
    take = np.concatenate([noise(880), song(300)])
    data = compile_song(SongFrames(take, 100, speed=1.15))
    tune = psid.parse(data)
    assert 0xA000 <= tune.init < 0xC000 and tune.play < 0xA000
    verify(data, SongFrames(take, 100).proof)


def test_the_timer_costs_only_its_bytes() -> None:
    take = SongFrames(song(200))
    plain, timed = compile_song(take), compile_song(replace(take, speed=1.1))
    assert len(timed) == len(plain) + timer_bytes(1)


def test_libsidplayfp_plays_it_at_the_same_cycles(peer: Peer, tmp_path: Path) -> None:
    """Compare the registers of both players at each quarter of a video frame."""
    path = tmp_path / "fast.sid"
    path.write_bytes(compile_song(SongFrames(song(300), speed=1.17)))
    tune = psid.read(path)
    heard = peer.play(path, 1, 200)
    quarters = quarters_of(tune, 200)
    ours = states_of(log_of(tune, 1, int(quarters[-1]) + 100, heard.driver), quarters)
    assert (ours == heard.exact).all(axis=1).mean() > 0.99


def test_the_command_says_what_calls_play_and_what_loses_the_tempo(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"fast.npz": 1.1, "plain.npz": 1.0}
    for name, speed in rows.items():
        save_frames(tmp_path / name, song(300), PAL.rate_hz * speed, speed=str(speed), timing="PAL")
    out = tmp_path / "out.sid"
    options = ["-o", str(out), "--prg", "--asm", "--json"]
    assert main(["compile", *(str(tmp_path / name) for name in rows), *options]) == 0
    printed = capsys.readouterr()
    assert "CIA 1 timer A, each 17,869 cycles; 19,656 cycles" in printed.out
    assert "out.prg plays a frame each video frame; only the .sid keeps the tempo" in printed.err
    assert "call start + 3 (or play) each 17869, 19656 cycles (by song)." in out.with_suffix(".asm").read_text()
    assert [psid.read(out).uses_cia(number) for number in (1, 2)] == [True, False]


def test_frames_that_are_resampled_lose_their_speed(tmp_path: Path) -> None:
    save_frames(tmp_path / "fast.npz", song(300), PAL.rate_hz * 1.1, speed="1.1", timing="PAL")
    assert main(["capture", str(tmp_path / "fast.npz"), "-o", str(tmp_path / "video.npz"), "--video", "--json"]) == 0
    assert load_fragment(tmp_path / "fast.npz").speed == 1.1 and load_fragment(tmp_path / "video.npz").speed == 1.0
    assert len(load_fragment(tmp_path / "fast.npz").frames) == 300
    assert len(load_fragment(tmp_path / "video.npz").frames) == pytest.approx(300 / 1.1, abs=1)
