"""Every command shows titles and file names without markup, and with control characters escaped."""

from pathlib import Path

import pytest
from tunes_by_hand import sid_file

from sidlive.chip.registers import PAL
from sidlive.cli import main
from sidlive.live.takes.take import Take
from sidlive.tune.capture.recorder import capture
from sidlive.tune.formats.npz import save_frames
from sidlive.tune.formats.psid import parse, read

TITLE = "[/b] [red]x[/] \x1b[2J"  # a tag that closes nothing, a colour, and "clear the screen"
SHOWN = r"[/b] [red]x[/] \x1b[2J"
NAME = "[i]\x1b[1mtune"
NAME_SHOWN = r"[i]\x1b[1mtune"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = sid_file(name=TITLE.encode())
    (tmp_path / f"{NAME}.sid").write_bytes(data)
    made = capture(parse(data), frames=60)
    save_frames(tmp_path / f"{NAME}.npz", made.frames, made.rate_hz, title=TITLE)
    take = Take(tmp_path / NAME, {"chip": "6581", "timing": PAL.name})
    take.event("mute", NAME)
    for row in made.frames:
        take.append(row)
    take.flush()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["info", f"{NAME}.sid"], SHOWN),
        (["info", f"{NAME}.npz"], SHOWN),
        (["capture", f"{NAME}.sid", "-o", f"{NAME}.dmp", "--frames", "20"], f"{NAME_SHOWN}.dmp"),
        (["render", f"{NAME}.sid", "-o", f"{NAME}.wav", "--seconds", "0.1"], SHOWN),
        (["play", f"{NAME}.npz", "--device", "null", "--seconds", "0.1"], SHOWN),
        (["compile", f"{NAME}.npz", "-o", f"{NAME}.sid"], f"{NAME_SHOWN}.sid"),
        (["take", NAME], f"take {NAME_SHOWN}"),
        (["take", NAME, "-o", "x.npz"], NAME_SHOWN),
        (["corpus", "build", ".", "-o", f"{NAME}-corpus", "--workers", "1", "--frames", "60"], f"{NAME_SHOWN}-corpus"),
        (["info", f"{NAME}-missing.sid"], f"{NAME_SHOWN}-missing.sid: no such file"),
        (["render", f"{NAME}.sid", "-o", f"{NAME}.txt"], f"{NAME_SHOWN}.txt: expected a name that ends in .wav"),
        (["run", f"{NAME}.py", "--offline"], f"cannot read the script {NAME_SHOWN}.py"),
        (["take", f"{NAME}-none"], f"no take in {NAME_SHOWN}-none"),
        (["eval", "pocket", f"{NAME}-none"], f"{NAME_SHOWN}-none"),
        ([NAME], NAME_SHOWN),
    ],
    ids=lambda value: " ".join(value[:1]) if isinstance(value, list) else "",
)
def test_outside_text_is_shown_with_escapes_and_no_markup(
    words: list[str], shown: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "200")
    try:
        main(words)
    except SystemExit as end:
        assert end.code == 2
    printed = capsys.readouterr()
    text = " ".join((printed.out + printed.err).split())
    assert "\x1b" not in printed.out + printed.err
    assert " ".join(shown.split()) in text, text


LONG = "x" * 300


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["info", LONG], "no such file"),
        (["info", f"{LONG}.sid"], "has 304 bytes, at most 255 fit"),
        (["take", LONG], "no take in"),
        (["capture", f"{NAME}.npz", "-o", f"{LONG}.dmp"], "has 304 bytes, at most 255 fit"),
        (["render", f"{NAME}.npz", "-o", f"{LONG}.wav"], "has 304 bytes, at most 255 fit"),
        (["compile", f"{NAME}.npz", "-o", f"{LONG}.sid"], "has 304 bytes, at most 255 fit"),
        (["take", NAME, "-o", f"{LONG}/a.npz"], "has 300 bytes, at most 255 fit"),
        (["generate", "gallop", "-o", f"{LONG}.npz"], "has 304 bytes, at most 255 fit"),
        (["generate", "gallop", "-o", "a.npz", "--model", f"{LONG}.safetensors"], "no model"),
        (["run", "a.py", "--offline", "--takes", LONG], "has 300 bytes, at most 255 fit"),
        (["run", "a.py", "--offline", "--takes", f"{NAME}.sid/a"], "cannot be made a folder"),
        (["run", "a.py", "--offline", "--wav", f"{LONG}.wav"], "has 304 bytes, at most 255 fit"),
        (["corpus", "build", LONG, "-o", "c"], "is not a folder"),
        (["corpus", "build", ".", "-o", LONG], "File name too long"),
        (["eval", "pocket", LONG], "build the corpus again"),
        (["bench", "compile", "--corpus", LONG, "--takes", "0"], "is not a folder"),
        (["replay", f"{LONG}.jsonl"], "File name too long"),
    ],
)
def test_a_file_name_that_the_disk_refuses_is_one_line(
    words: list[str], shown: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.py").write_text("start()")
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert shown in printed and printed.startswith("sidlive: ") and printed.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["compile", f"{NAME}.npz", "-o", "out.sid", "--prg"],
        ["take", NAME, "-o", "out.sid"],
    ],
)
def test_options_set_title_author_and_release(
    words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    label = ["--title", "Für Elise", "--author", "Łukasz " * 6, "--release", "2026 We"]
    assert main([*words, *label]) == 0
    tune = read(folder / "out.sid")
    assert (tune.name, tune.released) == ("Für Elise", "2026 We")
    assert tune.author == ("?ukasz " * 6)[:32]
    printed = capsys.readouterr().err.splitlines()
    assert "sidlive: author: Windows-1252 has no 'Ł'; each becomes '?'" in printed
    assert any(line.startswith("sidlive: author has 42 bytes, the file keeps 32: ") for line in printed)
    if "--prg" in words:
        from sidlive.tune.compiler.program import screen_codes

        assert screen_codes("  Für Elise") in (folder / "out.prg").read_bytes()
