"""The rate of captures compared with libsidplayfp, on hand-made tunes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tunes_by_hand import program, sid_file

from sidlive.bench.peer import Peer
from sidlive.bench.tempo import Tempo, tempi, tempo_figures
from sidlive.errors import TuneError
from sidlive.tune.capture import recorder as capture

COUNT = "EE F0 10 AD F0 10 8D 01 D4"  # INC $10F0 LDA $10F0 STA $D401
FRAMES = 400


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    try:
        return Peer(tmp_path_factory.mktemp("peer"))
    except TuneError as error:
        pytest.skip(str(error))


def tune_at(folder: Path, latch: int) -> Path:
    """Write a tune that counts its play calls and sets the timer's latch in each of them."""
    path = folder / f"{latch}.sid"
    play = f"{COUNT} A9 {latch & 0xFF:02X} 8D 04 DC A9 {latch >> 8:02X} 8D 05 DC 60"
    path.write_bytes(sid_file(program("60", play), speed=1))
    return path


@pytest.mark.parametrize("latch", [9827, 16421, 19455, 30000])
def test_frames_keep_the_time_of_a_timer_set_in_play(tmp_path: Path, peer: Peer, latch: int) -> None:
    (tempo,) = tempi([(tune_at(tmp_path, latch), 1)], FRAMES, peer)
    assert tempo.right and tempo.in_time is not None and tempo.in_time > 0.95


@pytest.mark.parametrize("wrong", [0.95, 1.02, 3.0])
def test_a_wrong_rate_is_seen(tmp_path: Path, peer: Peer, monkeypatch: pytest.MonkeyPatch, wrong: float) -> None:
    finish = capture.Recorder.finish

    def finish_wrong(self: capture.Recorder, count: int | None = None) -> capture.Capture:
        made = finish(self, count)
        return replace(made, rate_hz=made.rate_hz * wrong)

    monkeypatch.setattr(capture.Recorder, "finish", finish_wrong)
    (tempo,) = tempi([(tune_at(tmp_path, 19455), 1)], FRAMES, peer)
    assert tempo.in_time is not None and not tempo.right


def test_a_file_that_is_no_tune_is_not_judged(tmp_path: Path, peer: Peer) -> None:
    path = tmp_path / "broken.sid"
    path.write_bytes(b"no tune")
    (tempo,) = tempi([(path, 1)], FRAMES, peer)
    assert tempo.in_time is None and tempo.note


def test_the_figure_is_the_share_of_the_songs_that_could_be_judged() -> None:
    tempos = [Tempo("a", 1, 50.0, 1.0), Tempo("b", 1, 50.0, 0.1), Tempo("c", 1, 50.0, 0.9), Tempo("d", 1, note="jams")]
    values = {result.name: result.value for result in tempo_figures(tempos)}
    assert values["tempo_right"] == pytest.approx(2 / 3)
    assert values["tempo.songs"] == 3 and values["tempo.not_judged"] == 1
    assert np.isclose(values["tempo.in_time"], 0.9)  # type: ignore[arg-type]
    assert tempo_figures([])[0].value is None
