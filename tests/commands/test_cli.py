"""A mistyped command line gets one line, with the nearest known word."""

import re
import sys
from pathlib import Path

import pytest

from sidlive import __version__
from sidlive.cli import main
from sidlive.commands import run
from sidlive.model import weights


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["inof", "a.sid"], "sidlive: COMMAND: no 'inof': did you mean info?"),
        (["info", "gallop", "--sog", "3"], "sidlive: unrecognized arguments: --sog 3"),
        (["bench", "engin"], "sidlive bench: WHAT: no 'engin': did you mean engine?"),
        (["capture", "gallop", "-o", "a.npz", "--frames", "nan"], "--frames: expected a whole number, found 'nan'"),
        (["eval", "pocket", "corpus", "--seconds", "most"], "--seconds: expected a number, found 'most'"),
        (["eval", "pocket", "corpus", "--seed", "1,x"], "--seed: expected whole numbers from 0, separated by commas"),
        (["play", "gallop", "--chip", "zzz"], "sidlive play: --chip: no 'zzz': expected one of 6581, 8580"),
        (["run", "a.py", "--offlin", "-x"], "sidlive: unrecognized arguments: -x"),
        (["info"], "sidlive info: the following arguments are required: TUNE"),
    ],
)
def test_a_mistyped_command_line_is_one_line(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    printed = capsys.readouterr()
    assert left.value.code == 2 and not printed.out
    assert (
        expected in printed.err and printed.err.endswith("--help lists all options\n") and printed.err.count("\n") == 1
    )


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["info", "{}"], "is a folder"),
        (["info", "{}/empty.sid"], "not a .sid file: it is empty"),
        (["render", "gallop", "-o", "{}/a.mp3"], "a.mp3: expected a name that ends in .wav"),
        (["compile", "gallop", "-o", "{}/a.sid", "--max-kb", "nan"], "--max-kb nan: the player alone takes"),
        (["generate", "gallop", "-o", "{}/a.sid", "--frames", "99999999999"], "--frames expects 1 to 5,184,000"),
        (["generate", "gallop", "-o", "{}/no/a.sid"], "there is no folder"),
    ],
)
def test_invalid_values_are_one_line(
    words: list[str], expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.sid").write_bytes(b"")
    assert main([word.format(tmp_path) for word in words]) == 2
    printed = capsys.readouterr()
    assert expected in printed.err and printed.err.count("\n") == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["empty.sid"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a", "--offline", "b"], ["a", "b"]),
        (["--offline", "a", "b"], ["a", "b"]),
        (["--offline"], []),
        (["--offline", "--", "-a", "b"], ["-a", "b"]),
    ],
)
def test_a_scripts_words_stand_before_and_after_the_options(
    words: list[str], expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[list[str], bool]] = []
    monkeypatch.setattr(run, "run", lambda arguments: seen.append((arguments.args, arguments.offline)))
    assert main(["run", "script.py", *words]) == 0
    assert seen == [(expected, True)]


def test_the_version_is_one_line_whether_or_not_the_model_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = ".".join(map(str, sys.version_info[:3]))
    for assets, model in ((weights.ASSETS, r"model pocket [0-9a-f]{12}"), (tmp_path, "no model pocket")):
        monkeypatch.setattr(weights, "ASSETS", assets)
        with pytest.raises(SystemExit) as left:
            main(["--version"])
        assert not left.value.code
        assert re.fullmatch(
            rf"sidlive {re.escape(__version__)}, Python {re.escape(python)}, {model}\n", capsys.readouterr().out
        )
