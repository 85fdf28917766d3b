"""Takes written to files: what `sidlive take` and `sidlive replay` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sidlive.chip.registers import Frames, VideoTiming
    from sidlive.tune.compiler.sid_file import Label
    from sidlive.tune.cutting import Cut

KINDS: Final = (".sid", ".npz", ".wav", ".flac")
_MIDI: Final = (".mid", ".midi")


def expect_take_name(path: Path | None) -> None:
    """Raise TuneError if no take can be written to this path; None is accepted."""
    from sidlive.errors import TuneError
    from sidlive.writing import expect_place

    if path is None:
        return
    if path.suffix.lower() not in KINDS:
        raise TuneError(f"{path}: expected a name that ends in {', '.join(KINDS)}")
    expect_place(path)


def expect_midi_name(path: Path | None) -> None:
    """Raise TuneError if no MIDI file can be written to this path; None is accepted."""
    from sidlive.errors import TuneError
    from sidlive.writing import expect_place

    if path is None:
        return
    if path.suffix.lower() not in _MIDI:
        raise TuneError(f"{path}: expected a name that ends in {' or '.join(_MIDI)}")
    expect_place(path)


def write_stems(folder: Path, name: str, cut: "Cut", chip: str, timing: "VideoTiming") -> list[Path]:
    """Write a .wav file of each voice of an edited take, with a spinner on stderr meanwhile; return the paths.

    The files have the same length and the same beginning as the take's own .wav file: see `sidlive.chip.stems`.
    """
    from sidlive.chip.stems import render_stems
    from sidlive.chip.wav import WavFile
    from sidlive.report import spinner, warn
    from sidlive.writing import make_folder

    if cut.tempo_note:
        warn(cut.tempo_note)
    make_folder(folder)
    paths = []
    with spinner(stderr=True) as report_progress:
        report_progress(f"writing {cut.seconds:.0f} s of each voice to {folder}")
        stems = render_stems(_sounding(cut), cut.rate_hz, chip, timing, control_first=cut.control_first)
        for voice, stem in enumerate(stems):
            paths.append(folder / f"{name}-voice{voice + 1}.wav")
            with WavFile(paths[-1]) as file:
                file.write(stem)
    return paths


def _sounding(cut: "Cut") -> "Frames":
    """Return the frames of a file of sound: a loop is heard twice."""
    import numpy as np

    again = cut.frames[:0] if cut.loop_frame is None else cut.frames[cut.loop_frame :]
    return np.concatenate([cut.frames, again])


def write_take_file(path: Path, cut: "Cut", chip: str, timing: "VideoTiming", about: "Label") -> None:
    """Write an edited take in the format of the path's ending, with a spinner on stderr meanwhile."""
    from sidlive.report import spinner

    with spinner(stderr=True) as report_progress:
        report_progress(f"writing {cut.seconds:.0f} s to {path.name}")
        _write_as(path, cut, chip, timing, about)


def _write_as(path: Path, cut: "Cut", chip: str, timing: "VideoTiming", about: "Label") -> None:
    """Write an edited take in the format of the path's ending. A file of sound has the loop twice."""
    from sidlive.report import warn

    if cut.tempo_note and path.suffix.lower() != ".sid":
        warn(cut.tempo_note)
    if path.suffix.lower() == ".sid":
        from sidlive.live.takes.commit import write_take

        for note in write_take(path, cut, chip, timing, about):
            warn(note)
    elif path.suffix.lower() in (".wav", ".flac"):
        from sidlive.chip.flac import write_flac
        from sidlive.chip.sid import render
        from sidlive.chip.wav import WavFile

        sound = render(_sounding(cut), cut.rate_hz, chip, timing, control_first=cut.control_first)
        if path.suffix.lower() == ".flac":
            write_flac(path, sound)
        else:
            with WavFile(path) as file:
                file.write(sound)
    else:
        from sidlive.tune.beat import beat_to_meta
        from sidlive.tune.capture.write_order import control_first_to_meta
        from sidlive.tune.formats.files import write_frames

        loop = {} if cut.loop_frame is None else {"loop_frame": str(cut.loop_frame)}
        beat = {} if cut.beat is None else beat_to_meta(cut.beat)
        texts = {"title": about.title, "author": about.author, "released": about.release}
        speed = {} if cut.speed == 1 else {"speed": repr(cut.speed)}
        meta = {"chip": chip, "timing": timing.name, **texts, **control_first_to_meta(cut.control_first), **speed}
        write_frames(path, cut.frames, cut.rate_hz, **meta, **loop, **beat)
