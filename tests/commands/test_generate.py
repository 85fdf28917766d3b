"""``sidlive generate`` as typed on the command line."""

import shutil
from argparse import ArgumentParser
from pathlib import Path

import numpy as np
import pytest
from printed import results
from takes_by_hand import song
from tunes_by_hand import sid_file

from sidlive.chip.registers import NTSC, PAL
from sidlive.cli import main
from sidlive.commands.steering import add_steering_options, desk_with, settings_from, steering_controls
from sidlive.model.composer.shape import ComposerConfig
from sidlive.model.config import ModelConfig, Stack
from sidlive.model.judging.measures import note_starts
from sidlive.model.scales import notes_in, tones
from sidlive.model.weights import random_weights, save_weights
from sidlive.tune.capture.recorder import capture
from sidlive.tune.compiler.sid_file import Label, compile_sid
from sidlive.tune.formats import psid
from sidlive.tune.formats.npz import load_frames, save_frames

MODEL = ModelConfig("small", Stack(64, 1, 2, 1, 64), Stack(64, 1, 2, 1, 64))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_weights(random_weights(MODEL, std=0.1), path)
    return str(path)


@pytest.fixture
def prompt(tmp_path: Path) -> str:
    path = tmp_path / "prompt.npz"
    save_frames(path, song(200), PAL.rate_hz, chip="8580")
    return str(path)


def test_the_output_is_the_prompt_and_its_continuation(
    prompt: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.npz"
    assert main(["generate", prompt, "-o", str(out), "--frames", "30", "--model", model, "--json"]) == 0
    figures = results(capsys.readouterr().out)
    assert (figures["prompt_frames"], figures["frames"]) == (200, 30) and figures["realtime_x.generate"] > 0
    frames, rate_hz, meta = load_frames(out)
    assert len(frames) == 230 and rate_hz == PAL.rate_hz and (meta["chip"], meta["timing"]) == ("8580", "PAL")
    np.testing.assert_array_equal(frames[:200], song(200))

    rest = tmp_path / "rest.npz"
    assert main(["generate", prompt, "-o", str(rest), "--frames", "30", "--model", model, "--continuation-only"]) == 0
    np.testing.assert_array_equal(load_frames(rest)[0], frames[200:])


def test_a_composer_beside_the_model_writes_the_notes_ahead(
    prompt: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "composed"
    folder.mkdir()
    shutil.copy(model, folder / "small.safetensors")
    shape = ComposerConfig("small", Stack(24, 1, 2, 1, 24), 16, 16, context=64)
    save_weights(random_weights(shape, std=0.3), folder / "small-composer.safetensors")
    made = {}
    for name, where, options in (
        ("plain", model, []),
        ("planned", str(folder / "small.safetensors"), []),
        ("again", str(folder / "small.safetensors"), []),
        ("off", str(folder / "small.safetensors"), ["--compose", "0"]),
    ):
        out = tmp_path / f"{name}.npz"
        assert main(["generate", prompt, "-o", str(out), "--frames", "60", "--model", where, "--json", *options]) == 0
        assert results(capsys.readouterr().out)["plan"] == (name in ("planned", "again"))
        made[name] = load_frames(out)[0]
    np.testing.assert_array_equal(made["off"], made["plain"])
    np.testing.assert_array_equal(made["again"], made["planned"])
    assert (made["planned"] != made["plain"]).any()


def test_the_video_standard_may_be_another_than_the_prompts(
    prompt: str, model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("out.sid", "out.npz"):
        arguments = ["generate", prompt, "-o", str(tmp_path / name), "--frames", "5", "--model", model]
        assert main([*arguments, "--video", "NTSC"]) == 0
        assert "prompt was made for PAL, this is NTSC: pitch 3.8% sharp" in capsys.readouterr().err
    assert psid.read(tmp_path / "out.sid").timing is NTSC
    frames, rate_hz, meta = load_frames(tmp_path / "out.npz")
    assert (rate_hz, meta["timing"]) == (NTSC.rate_hz, "NTSC") and np.array_equal(frames[:200], song(200))


def test_the_same_seed_gives_the_same_result(prompt: str, model: str, tmp_path: Path) -> None:
    made = []
    for name, knobs in (
        ("a", []),
        ("b", []),
        ("c", ["--seed", "2"]),
        ("d", ["--temperature", "0.5", "--top-p", "0.5"]),
    ):
        out = tmp_path / f"{name}.npz"
        assert main(["generate", prompt, "-o", str(out), "--frames", "20", "--model", model, *knobs]) == 0
        made.append(load_frames(out)[0])
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).any() and (made[0] != made[3]).any()


def test_heats_a_scale_and_no_filter(prompt: str, model: str, tmp_path: Path) -> None:
    made = {}
    for name, knobs in (
        ("plain", []),
        ("warm", ["--pitch-heat", "2", "--rhythm-heat", "0.1", "--timbre-heat", "2", "--filter-heat", "0.5"]),
        ("bound", ["--scale", "F# blues", "--filter", "0"]),
    ):
        out = tmp_path / f"{name}.npz"
        arguments = ["--frames", "40", "--temperature", "1.5", "--top-p", "1", "--model", model, "--continuation-only"]
        assert main(["generate", prompt, "-o", str(out), *arguments, *knobs]) == 0
        made[name] = load_frames(out)[0]
    assert (made["plain"] != made["warm"]).any()
    assert (made["plain"][:, 23] & 15).any() and not (made["bound"][:, 23] & 15).any()
    table = notes_in("F# blues", song(200))
    assert table is not None
    off_scale = {}
    for name, frames in made.items():
        starts = note_starts(frames) & ~np.isnan(tones(frames))
        starts[0] = False  # whether row 0 starts a note depends on the prompt
        frequency = frames[:, [1, 8, 15]].astype(int) << 8 | frames[:, [0, 7, 14]]
        off_scale[name] = int((starts & ~table[frequency]).sum())
    assert off_scale["bound"] == 0 < off_scale["plain"]


def test_prompt_frames_sets_the_length_of_a_tunes_prompt(model: str, tmp_path: Path) -> None:
    tune = tmp_path / "tune.sid"
    tune.write_bytes(sid_file())
    out = tmp_path / "out.npz"
    assert (
        main(["generate", str(tune), "-o", str(out), "--prompt-frames", "70", "--frames", "5", "--model", model]) == 0
    )
    np.testing.assert_array_equal(load_frames(out)[0][:70], capture(psid.read(tune), frames=70).frames)
    assert len(load_frames(out)[0]) == 75


def test_sid_and_wav_hold_the_generated_frames(prompt: str, model: str, tmp_path: Path) -> None:
    arguments = ["--frames", "25", "--prompt-frames", "50", "--model", model]
    for name in ("out.npz", "out.sid", "out.wav"):
        assert main(["generate", prompt, "-o", str(tmp_path / name), *arguments]) == 0
    frames = load_frames(tmp_path / "out.npz")[0]
    tune = psid.read(tmp_path / "out.sid")
    np.testing.assert_array_equal(capture(tune, frames=75).frames, frames)
    assert tune.chip == "8580" and tune.name == "prompt, continued"
    assert (tmp_path / "out.wav").stat().st_size == 44 + 2 * round(75 / PAL.rate_hz * 48000)


def test_a_continuation_keeps_the_write_order_of_its_tune(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a prompt with rather a long name.npz"
    save_frames(path, song(100), PAL.rate_hz, writes="control first")
    arguments = ["--frames", "20", "--model", model]
    for name in ("out.npz", "out.sid"):
        assert main(["generate", str(path), "-o", str(tmp_path / name), *arguments]) == 0
    frames, _, meta = load_frames(tmp_path / "out.npz")
    assert meta["writes"] == "control first"
    assert "title has 43 bytes, the file keeps 32: 'a prompt with rather a long name'" in capsys.readouterr().err
    label = Label("a prompt with rather a long name")
    assert (tmp_path / "out.sid").read_bytes() == compile_sid(frames, label, control_first=True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-o", "out.mp3"], "out.mp3: expected a name that ends in .sid, .wav, .npz"),
        (["-o", "out.npz", "--repeats", "-1"], "repeats expects 0 to 16 times, found -1"),
        (["-o", "out.npz", "--frames", "0"], "--frames expects 1 to 5,184,000, found 0"),
        (["-o", "out.npz", "--prompt-frames", "300"], "has 200 frames, not the 300 of --prompt-frames"),
        (["-o", "out.npz", "--temperature", "-1"], "temperature expects 0.0 to 2.0, found -1"),
        (["-o", "out.npz", "--density", "1,2"], "density expects one value, found 1 and 2"),
        (["-o", "out.npz", "--density", "thick"], "density expects a number, 0.25 to 4.0, found 'thick'"),
        (["-o", "out.npz", "--scale", "H minor"], "scale expects a tonic and a mode"),
        (["-o", "out.npz", "--model", "missing.safetensors"], "no model 'missing.safetensors'"),
        (["-o", "no/such/folder/out.npz", "--frames", "1"], "there is no folder no/such/folder"),
    ],
)
def test_impossible_options_are_one_line(
    prompt: str, model: str, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = arguments if "--model" in arguments else [*arguments, "--model", model]
    assert main(["generate", prompt, *given]) == 2
    printed = capsys.readouterr().err.strip().splitlines()[-1]
    assert printed.startswith("sidlive: ") and expected in printed


def test_a_missing_prompt_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "nothing.sid", "-o", "out.npz"]) == 2
    assert "nothing.sid" in capsys.readouterr().err


def test_each_control_that_chooses_frames_is_an_option() -> None:
    parser = ArgumentParser()
    add_steering_options(parser)
    given = ["--density", "2", "--on-beat", "0", "--chord", "Am", "--range2", "c3-c5", "--repeats", "5"]
    (settings,) = settings_from(parser.parse_args(given))
    assert settings == {"density": 2.0, "on_beat": 0, "chord": "Am", "range2": "C3-C5", "repeats": 5}
    assert settings_from(parser.parse_args([])) == [{}] == settings_from(parser.parse_args(["--density", "1"]))
    desk = desk_with(settings, 7, PAL)
    changed = {one.name: desk.get(one.name) for one in steering_controls() if desk.get(one.name) != one.default}
    assert changed == settings and desk.get("seed") == 7
    names = {one.name for one in steering_controls()}
    assert "temperature" in names and not names & {"transpose", "thin", "octave1", "volume", "ahead"}


def test_several_values_of_an_option_are_tried_in_each_combination() -> None:
    parser = ArgumentParser()
    add_steering_options(parser, several=True)
    tried = settings_from(parser.parse_args(["--temperature", ".8,1.2,.8", "--vary", "0,.5", "--chord", "C E G"]))
    pairs = [(0.8, 0.0), (0.8, 0.5), (1.2, 0.0), (1.2, 0.5)]
    assert tried == [{"temperature": heat, "vary": vary, "chord": "C E G"} for heat, vary in pairs]
