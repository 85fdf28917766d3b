"""`sidlive run`, `sidlive bench live` and `sidlive` itself, as typed."""

import argparse
import json
import os
import subprocess
import sys
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engine import FakeEngine

from sidlive.chip.registers import PAL
from sidlive.chip.sid import repeatable
from sidlive.cli import main
from sidlive.commands import run as run_command
from sidlive.live.processes.options import RoomOptions
from sidlive.live.takes.take import read_take

FIRST_LIGHT = Path(__file__).resolve().parents[2] / "sessions" / "first_light.py"


@pytest.fixture(autouse=True)
def _model_of_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a fake engine; all other options are as typed."""
    typed = run_command.room_options

    def options(arguments: argparse.Namespace, name: str = "") -> RoomOptions:
        return replace(typed(arguments, name), engine=FakeEngine)

    monkeypatch.setattr(run_command, "room_options", options)


def run(folder: Path, script: Path, *words: str) -> int:
    return main(["run", str(script), *words, "--takes", str(folder), "--device", "null", "--midi", "none"])


def test_a_session_offline_is_the_same_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        assert run(tmp_path / name, FIRST_LIGHT, "--offline") == 0
        assert f"committed {tmp_path / name / 'first_light.sid'}" in capsys.readouterr().err
    files = [(tmp_path / name / "first_light.sid").read_bytes() for name in ("one", "two")]
    logs = [read_take(tmp_path / name / "first_light") for name in ("one", "two")]
    assert files[0] == files[1]
    assert np.array_equal(logs[0].frames, logs[1].frames) and logs[0].events == logs[1].events


def test_another_seed_is_another_performance(tmp_path: Path) -> None:
    for seed in ("1", "2"):
        run(tmp_path / seed, FIRST_LIGHT, "--offline", "--seed", seed)
    assert (tmp_path / "1" / "first_light.sid").read_bytes() != (tmp_path / "2" / "first_light.sid").read_bytes()


def test_offline_sound_is_written_to_a_wav_file(tmp_path: Path) -> None:
    script = tmp_path / "short.py"
    script.write_text("start(); wait(2)")
    assert run(tmp_path, script, "--offline", "--wav", str(tmp_path / "out.wav")) == 0
    with wave.open(str(tmp_path / "out.wav")) as sound:
        assert sound.getframerate() == 48000
        assert sound.getnframes() == pytest.approx(int(2 * PAL.rate_hz) / PAL.rate_hz * 48000, abs=1)


def test_two_runs_write_the_same_bytes_of_sound(tmp_path: Path) -> None:
    """Three processes at once, each as a performer would run it."""
    if not repeatable():
        pytest.skip("the system does not let threads run in turn here (ulimit -r)")
    script = tmp_path / "sound.py"
    script.write_text(
        "from fake_engine import FakeEngine, riff\n"
        "from sidlive.chip.wav import WavFile\n"
        "from sidlive.live.processes.options import RoomOptions\n"
        "from sidlive.live.script import open_offline\n"
        "from sidlive.live.session import Session\n"
        "import sys\n"
        "with WavFile(sys.argv[1]) as wav:\n"
        "    session = Session(open_offline(RoomOptions(engine=FakeEngine), wav, print))\n"
        "    session.prompt(riff()); session.start(); session.wait(1)\n"
        "    session.panic(); session.start(); session.wait(1)\n"
    )
    folder = Path(__file__).parent
    runs = [
        subprocess.Popen([sys.executable, script, tmp_path / f"{number}.wav"], env={**os.environ, "PYTHONPATH": path})
        for number, path in enumerate([os.pathsep.join([str(folder), *sys.path])] * 3)
    ]
    assert [run.wait() for run in runs] == [0, 0, 0]
    assert len({(tmp_path / f"{number}.wav").read_bytes() for number in range(3)}) == 1


def test_a_live_script_plays_in_real_time_and_commits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "short.py"
    script.write_text("start(); wait(1); print(commit('short')); print(state().output)")
    assert run(tmp_path, script) == 0
    assert (tmp_path / "short.sid").exists()
    assert capsys.readouterr().out.split("\n")[1] == "null output"


def test_a_mistake_in_a_script_is_status_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "wrong.py"
    script.write_text("temperature('hot')")
    assert run(tmp_path, script, "--offline") == 1
    assert "ControlError: temperature expects a number" in capsys.readouterr().err


def test_video_takes_upper_and_lower_case(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "standard.py"
    script.write_text("print(state().timing, round(state().rate_hz, 2))")
    for words, expected in (((), "PAL 50.12"), (("--video", "ntsc"), "NTSC 59.83"), (("--video", "PAL"), "PAL 50.12")):
        assert run(tmp_path, script, "--offline", *words) == 0
        assert capsys.readouterr().out == f"{expected}\n"
    with pytest.raises(SystemExit):
        run(tmp_path, script, "--offline", "--video", "secam")


def test_mistakes_on_the_command_line_are_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, tmp_path / "none.py", "--offline") == 2
    assert run(tmp_path, FIRST_LIGHT, "--wav", "out.wav") == 2
    assert run(tmp_path, FIRST_LIGHT, "--offline", "--seed", "-1") == 2
    printed = capsys.readouterr().err
    assert printed.count("sidlive: ") == 3 and "--offline" in printed and "seed expects" in printed


def test_bench_live_reports_figures_by_stable_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "live", "--json", "--changes", "2"]) == 0
    report = json.loads(capsys.readouterr().out)
    values = {result["name"]: result["value"] for result in report["results"]}
    assert 0 < values["steer_ms.p50"] <= values["steer_ms.p99"]
    assert {"underruns", "gaps", "changes.heard"} <= set(values) and "cores" in report["machine"]


def test_without_a_terminal_the_studio_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "terminal" in capsys.readouterr().err
