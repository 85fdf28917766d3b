"""Several takes in one block of memory: each is a song; takes too long are refused with the length that would fit."""

import re

import numpy as np
import pytest
from takes_by_hand import noise, patchwork, song

from sidlive.bench.calls import call_cycles
from sidlive.bench.py65_player import Player, trace
from sidlive.chip.registers import PAL
from sidlive.errors import TuneError
from sidlive.tune.compiler.block import RINGS, SongFrames, TooLong, build, pack_song
from sidlive.tune.compiler.sid_file import Label, block_of, sid_of, verify

TAKES = [SongFrames(song(500)), SongFrames(patchwork(300, 3), 40), SongFrames(song(200, seed=2), 0)]


def test_each_take_is_a_song_with_its_own_end() -> None:
    sid = sid_of(block_of(TAKES, PAL), Label(), start_song=2)
    assert (int.from_bytes(sid[0x0E:0x10], "big"), int.from_bytes(sid[0x10:0x12], "big")) == (3, 2)
    verify(sid, *(take.frames for take in TAKES))
    for number, take in enumerate(TAKES):
        count = len(take.frames)
        heard = trace(sid, count + 250, number)
        assert np.array_equal(heard[:count], take.frames)
        if take.loop_frame is None:
            assert not (heard[count:, 24] & 0x0F).any()
        else:
            again = np.concatenate([take.frames[take.loop_frame :]] * 2)[:250]
            assert np.array_equal(heard[count : count + len(again)], again)


def test_a_song_follows_another_at_any_time() -> None:
    player = Player(sid_of(block_of(TAKES, PAL), Label()))
    for number, count in ((0, 77), (2, 130), (1, 299), (1, 12), (0, 500)):
        player.init(number)
        assert np.array_equal(player.frames(count), TAKES[number].frames[:count])


def test_verify_names_the_song() -> None:
    sid = sid_of(block_of(TAKES, PAL), Label())
    with pytest.raises(TuneError, match="in song 2, frame "):
        verify(sid, TAKES[0].frames, TAKES[2].frames, TAKES[1].frames)


def test_songs_share_the_player_and_the_rings() -> None:
    alone = [build([pack_song(take)]) for take in TAKES]
    together = block_of(TAKES, PAL)
    assert len(together.image) == sum(len(one.image) for one in alone) - 2 * together.data + 2 * together.load
    assert together.end - together.rings == RINGS


def test_takes_too_long_together_are_refused_with_the_seconds_that_fit() -> None:
    takes = [SongFrames(noise(1400)), SongFrames(noise(700, 2), 10)]
    with pytest.raises(TooLong, match="the 2 takes are too long") as caught:
        block_of(takes, PAL)
    shorter = [int(seconds * PAL.rate_hz) for seconds in caught.value.seconds]
    assert min(shorter) > 100
    fitting = [SongFrames(take.frames[:count], take.loop_frame) for take, count in zip(takes, shorter, strict=True)]
    verify(sid_of(block_of(fitting, PAL), Label()), *(take.frames for take in fitting))


def test_a_limit_on_the_bytes_is_kept() -> None:
    take = SongFrames(song(900))
    needed = len(pack_song(take))
    assert len(pack_song(take)) == sum(map(len, block_of([take], PAL, most=needed).songs))
    with pytest.raises(TooLong) as caught:
        block_of([take], PAL, most=needed - 1)
    assert caught.value.needed == needed
    seconds = float(re.findall(r"first ([\d.]+) s", str(caught.value))[0])
    assert 0 < seconds < len(take.frames) / PAL.rate_hz
    block_of([SongFrames(take.frames[: int(seconds * PAL.rate_hz)])], PAL, most=needed - 1)


def test_no_takes_and_too_many_are_refused() -> None:
    for takes in ([], [SongFrames(song(1))] * 257):
        with pytest.raises(TuneError, match=f"{len(takes)} takes; expected 1 to 256"):
            block_of(takes, PAL)


def test_calls_take_as_long_as_on_another_processor() -> None:
    block = block_of(TAKES, PAL)
    sid = sid_of(block, Label())
    for number in range(3):
        player = Player(sid)
        player.init(number)
        assert call_cycles(block, 250, number + 1).tolist() == [player.play() for _ in range(250)]
