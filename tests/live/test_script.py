"""Scripts in virtual time, and the session's verbs in scripts."""

import sys
import wave
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_engine import NOISE, PERIOD, FakeEngine, noise, riff

from sidlive.chip.registers import MODE_VOL, PAL, RES_ROUTE
from sidlive.chip.sid import SAMPLE_RATE
from sidlive.chip.wav import WavFile
from sidlive.errors import ControlError, DeviceError, TuneError
from sidlive.live.core.core import Core
from sidlive.live.core.voices import Row
from sidlive.live.offline_sound import sound_to
from sidlive.live.script import Offline, run
from sidlive.live.session import VERBS, Session, verbs
from sidlive.live.takes.take import Take, read_take
from sidlive.tune import shipped
from sidlive.tune.formats.psid import read


class Stage:
    """An offline session that keeps every frame."""

    def __init__(self, folder: Path) -> None:
        self.rows: list[Row] = []
        self.core = Core(Take(folder / "takes" / "stage", {}))
        self.session = Session(Offline(self.core, FakeEngine(), self.rows.append), folder / "takes")
        self.session.add(riff())

    def perform(self, folder: Path, text: str, arguments: Sequence[str] = ()) -> int:
        script = folder / "script.py"
        script.write_text(text)
        status = run(script, self.session, arguments)
        self.session.close()
        return status


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


SCORE = """
prompt("riff")
temperature(0.5)
start()
wait(1)
mask("1-2"); seed(4)
wait(0.5); wait(0.5)
transpose(2); mute(1)
wait(2)
lock(3, "riff"); hold(2)
wait(1)
panic()
"""


def test_starts_and_panics_make_no_thump_louder_than_the_music(tmp_path: Path) -> None:
    rows = riff().frames.copy()
    rows[:, MODE_VOL], rows[:, RES_ROUTE], rows[:, MODE_VOL - 2] = 0x1F, 0xF1, 0x60
    with WavFile(tmp_path / "heard.wav") as wav:
        core = Core(Take(None, {}))
        session = Session(Offline(core, FakeEngine(), sound_to(wav, core)), tmp_path)
        session.add(replace(riff(), frames=rows))
        script = tmp_path / "script.py"
        again = "mute(); wait(.5); unmute(); wait(2); stop(); wait(1); start(); wait(2); panic(); wait(1); start()"
        script.write_text(f'prompt("riff"); start(); wait(2); {again}; wait(4)')
        assert run(script, session) == 0
    with wave.open(str(tmp_path / "heard.wav")) as file:
        sound = np.abs(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(int))
    later = sound[-3 * SAMPLE_RATE :].max()
    assert later > 1000 and sound.max() <= 1.05 * later
    panicked = round(7.5 * SAMPLE_RATE)
    assert not sound[panicked + SAMPLE_RATE // 50 : panicked + SAMPLE_RATE // 2].any()


def test_a_script_plays_in_virtual_time_and_the_same_each_time(tmp_path: Path) -> None:
    takes = []
    for name in ("one", "two"):
        stage = Stage(tmp_path / name)
        assert stage.perform(tmp_path, SCORE) == 0
        takes.append(np.array(stage.rows))
    assert len(takes[0]) == int(5 * PAL.rate_hz)
    assert np.array_equal(*takes)
    assert takes[0][10, NOISE] == round(0.5 * noise(1, 0, 2 * PERIOD + 10))


def test_waits_add_up_without_drift(stage: Stage) -> None:
    for _ in range(100):
        stage.session.wait(0.01)
    assert len(stage.rows) == int(PAL.rate_hz)


def test_the_take_is_logged_to_its_last_frame(stage: Stage, tmp_path: Path) -> None:
    stage.perform(tmp_path, SCORE)
    log = read_take(tmp_path / "takes" / "stage")
    assert np.array_equal(log.frames, np.array(stage.rows)[: len(log.frames)])
    assert [event["verb"] for event in log.events][:5] == ["add", "prompt", "set", "start", "set"]
    assert next(event for event in log.events if event["verb"] == "mute")["frame"] == int(2 * PAL.rate_hz)


def test_scripts_and_consoles_speak_the_same_verbs(stage: Stage) -> None:
    names = verbs(stage.session)
    assert tuple(names) == tuple(VERBS) and all(callable(verb) and verb.__doc__ for verb in names.values())


def test_words_after_the_script_are_its_args(stage: Stage, tmp_path: Path) -> None:
    stage.perform(tmp_path, "prompt('riff'); start(); wait(float(args[0]))", ["0.5"])
    assert len(stage.rows) == 25


# -- mistakes


def test_a_mistake_shows_the_scripts_lines_and_keeps_the_take(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = stage.perform(tmp_path, "prompt('riff')\nstart()\nwait(1)\ntemperature(7)\n")
    printed = capsys.readouterr().err
    assert status == 1
    assert "line 4" in printed and "temperature(7)" in printed
    assert "ControlError: temperature expects 0.0 to 2.0, found 7" in printed
    assert "core.py" not in printed and "session.py" not in printed
    assert len(read_take(tmp_path / "takes" / "stage").frames) == 50


def test_a_scripts_own_errors_are_printed_the_same_way(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stage.perform(tmp_path, "def f():\n    return 1 / 0\nf()\n") == 1
    printed = capsys.readouterr().err
    assert "line 2" in printed and "line 3" in printed and "ZeroDivisionError" in printed


def test_a_script_that_is_not_python(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stage.perform(tmp_path, "start(\n") == 1
    assert "SyntaxError" in capsys.readouterr().err


def test_a_script_imports_what_lies_beside_it(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside_a_script.py").write_text("def play(start):\n    start()\n    raise ValueError('no riff')\n")
    monkeypatch.delitem(sys.modules, "beside_a_script", raising=False)
    before = list(sys.path)
    assert stage.perform(tmp_path, "import beside_a_script\n\nbeside_a_script.play(start)\n") == 1
    assert sys.path == before
    printed = capsys.readouterr().err
    assert "line 3, in <module>" in printed and "line 3, in play" in printed and "no riff" in printed
    assert "script.py" in printed and "sidlive/live" not in printed  # its lines and its module's, none of ours


def test_verbs_called_by_a_module_beside_the_script_fail_in_its_lines(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "riffs_of_a_script.py").write_text("def heat(set):\n    set('volume', 99)\n")
    monkeypatch.delitem(sys.modules, "riffs_of_a_script", raising=False)
    assert stage.perform(tmp_path, "from riffs_of_a_script import heat\nheat(session.set)\n") == 1
    printed = capsys.readouterr().err
    assert "line 2, in heat" in printed and "ControlError: volume expects" in printed and "controls.py" not in printed


@pytest.mark.parametrize(
    "raw",
    [
        "\N{BYTE ORDER MARK}name = 'Grün'\r\n\r\nassert name == 'Gr\u00fcn'\r\n1 / 0  # dürfte\r\n".encode(),
        "# -*- coding: latin-1 -*-\nname = 'Grün'\nassert name == 'Gr\u00fcn'\n1 / 0  # dürfte\n".encode("latin-1"),
        "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nassert '\u2026' == '…'\n1 / 0  # dürfte\n".encode(
            "cp1252"
        ),
        "name = '\f\u2028'\n\x0c\nassert len(name) == 2\n1 / 0  # dürfte\n".encode(),
    ],
)
def test_a_script_is_read_as_python_reads_it(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str], raw: bytes
) -> None:
    script = tmp_path / "script.py"
    script.write_bytes(raw)
    assert run(script, stage.session) == 1
    printed = capsys.readouterr().err
    assert "line 4" in printed and "1 / 0  # dürfte" in printed and "ZeroDivisionError" in printed


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"caf\xe9 = 1\n", "encoding declaration"),
        (b"# coding: klingon\n", "unknown encoding: klingon"),
        ("start()".encode("utf-16"), "encoding declaration"),
        (b"start()\0", "it has a null byte"),
    ],
)
def test_a_script_that_is_no_text_is_one_line(stage: Stage, tmp_path: Path, raw: bytes, why: str) -> None:
    (tmp_path / "script.py").write_bytes(raw)
    with pytest.raises(DeviceError, match=f"cannot read the script .*it is no text.*: .*{why}"):
        run(tmp_path / "script.py", stage.session)


def test_a_changed_folder_moves_files_that_are_read_but_no_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sidlive.live.processes.options import RoomOptions, make_core
    from sidlive.tune.formats.npz import save_frames

    (tmp_path / "away").mkdir()
    save_frames(tmp_path / "away" / "there.npz", riff().frames, PAL.rate_hz)
    monkeypatch.chdir(tmp_path)
    core = make_core(RoomOptions(name="mine"))
    session = Session(Offline(core, FakeEngine()))
    (tmp_path / "script.py").write_text(
        "import os\nos.chdir('away')\nprompt(load('there.npz'))\nstart(); wait(2)\n"
        "print(commit('one').exists(), commit('sub/two').exists())\n1 / 0  # where\n"
    )
    assert run(Path("script.py"), session) == 1
    session.close()
    printed = capsys.readouterr()
    assert printed.out == "True True\n" and "1 / 0  # where" in printed.err
    assert sorted(path.name for path in (tmp_path / "takes").iterdir()) == ["mine", "one.jsonl", "one.sid"]
    assert (tmp_path / "sub" / "two.sid").exists() and len(read_take(tmp_path / "takes" / "mine").frames) == 100
    assert [path.name for path in (tmp_path / "away").iterdir()] == ["there.npz"]


def test_a_script_that_is_not_there(stage: Stage, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="cannot read the script"):
        run(tmp_path / "none.py", stage.session)


def test_a_script_may_end_itself(stage: Stage, tmp_path: Path) -> None:
    assert stage.perform(tmp_path, "raise SystemExit(3)") == 3


# -- verbs with work of their own


def test_a_fragment_is_known_by_name_by_itself_and_by_path(stage: Stage, tmp_path: Path) -> None:
    session = stage.session
    session.prompt(riff("other"))
    assert set(session.fragments()) == {"riff", "other", *shipped.names()}
    assert session.state().prompt == "other"
    with pytest.raises(ControlError, match="no fragment 'nobody': loaded are other, riff"):
        session.prompt("nobody")
    with pytest.raises(ControlError, match=r"no fragment 'galop': did you mean gallop\?"):
        session.prompt("galop")
    session.prompt("gallop")  # it comes with the instrument
    assert session.state().prompt == "gallop" and session.load("drift", seconds=3).seconds == pytest.approx(3, abs=0.02)
    assert session.fragments()["drift"].seconds == pytest.approx(3, abs=0.02)  # as it was loaded
    assert session.fragments()["strut"].seconds > 20
    with pytest.raises(TuneError):
        session.prompt(str(tmp_path / "missing.sid"))


def test_a_home_folder_that_nobody_has_is_one_line(stage: Stage) -> None:
    for verb in (stage.session.load, stage.session.splice, stage.session.commit, stage.session.prompt):
        with pytest.raises(ControlError, match=r"there is no home folder ~no.such.user; write the path in full"):
            verb("~no.such.user/x.sid")


def test_a_fragment_loads_from_a_file_of_frames(stage: Stage, tmp_path: Path) -> None:
    from sidlive.tune.formats.npz import save_frames

    save_frames(tmp_path / "loop.npz", riff().frames, PAL.rate_hz)
    fragment = stage.session.load(tmp_path / "loop.npz", seconds=0.5, name="bit")
    assert len(fragment.frames) == 25 and stage.session.state().fragments == ("riff", "bit")


def test_controls_have_names_and_values(stage: Stage) -> None:
    session = stage.session
    session.set("volume", 9)
    session.temperature(0.25)
    session.mask(1, 3)
    assert (session.get("volume"), session.get("temperature"), session.get("mask")) == (9, 0.25, "13")
    assert session.controls()["temperature"].fraction == 0.125
    with pytest.raises(ControlError, match="did you mean volume"):
        session.get("volum")


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan"), "4"])
def test_a_wait_must_be_a_length(stage: Stage, seconds: float) -> None:
    with pytest.raises(ControlError, match=r"wait expects (seconds|a length)"):
        stage.session.wait(seconds)


def test_learning_without_midi_is_a_line_of_text(stage: Stage) -> None:
    stage.session.learn("temperature")
    assert "no MIDI" in stage.session.state().notices[-1].text


def test_there_is_nothing_to_commit_before_music(stage: Stage) -> None:
    with pytest.raises(TuneError, match="nothing was played yet"):
        stage.session.commit("empty")


@pytest.mark.parametrize("name", ["", "/", ".", "..", "a/..", ".sid", " ", "a\nb", "\x1b[2J", None, 3])
def test_a_take_has_a_name(stage: Stage, name: str) -> None:
    with pytest.raises(ControlError, match="expects a name"):
        stage.session.commit(name)


def test_offline_there_is_no_device_to_choose(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    assert stage.session.device() == [] and stage.session.device("usb") == []
    assert "no sound device here" in stage.session.state().notices[-1].text
    with pytest.raises(ControlError, match=r"device expects a name, as device.. lists them, found 3"):
        stage.session.device(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(("letter", "count"), [("x", 300), ("x", 250), ("é", 125), ("\ud800", 1)])
def test_a_name_that_no_disk_takes_is_one_line_and_the_take_is_kept(stage: Stage, letter: str, count: int) -> None:
    stage.session.start()
    stage.session.wait(1)
    with pytest.raises(ControlError) as caught:
        stage.session.commit(letter * count)
    text = str(caught.value)
    size = count * len(letter.encode(errors="replace")) + len(".jsonl")
    wanted = f"has {size} bytes, at most 255 fit" if count > 1 else "characters that file names cannot have"
    assert wanted in text and "the take is kept" in text and "\n" not in text
    assert stage.session.commit("kept").exists()


@pytest.mark.parametrize("name", ["x" * 249, "ends in a dot.", "con", "Größe 好", "a.b.c", "[red]", "sub/deep/x"])
def test_any_other_name_is_the_files(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(stage.session, "_home", tmp_path)
    stage.session.start()
    stage.session.wait(1)
    path = stage.session.commit(name)
    assert path.exists() and path.name == f"{Path(name).name}.sid" and path.with_suffix(".jsonl").exists()


def test_an_earlier_take_that_cannot_be_renamed_is_one_line(stage: Stage) -> None:
    stage.session.start()
    stage.session.wait(1)
    first = stage.session.commit("x" * 249)
    with pytest.raises(DeviceError, match=r"cannot keep the earlier .*commit another name"):
        stage.session.commit("x" * 249)
    assert first.exists() and first.with_suffix(".jsonl").exists()


def test_a_commit_says_who_made_it_and_where(stage: Stage) -> None:
    stage.session.start()
    stage.session.wait(1)
    tune = read(stage.session.commit("a", title="Für Elise", author="We", release="2026 Us"))
    assert (tune.name, tune.author, tune.released) == ("Für Elise", "We", "2026 Us")
    stage.session.close()
    label = read_take(stage.core.take.folder).events[-1]["arguments"][4]
    assert label == {"title": "Für Elise", "author": "We", "release": "2026 Us"}
    tune = read(stage.session.commit("b", title="Ω" * 40, author=""))
    assert (tune.name, tune.author, tune.released) == ("?" * 32, "", "")
    said = [notice.text for notice in stage.session.state().notices]
    assert "title: Windows-1252 has no 'Ω'; each becomes '?'" in said
    assert f"title has 40 bytes, the file keeps 32: {'?' * 32!r}" in said
    with pytest.raises(ControlError, match="author expects a text, found 3"):
        stage.session.commit("c", author=3)  # type: ignore[arg-type]
