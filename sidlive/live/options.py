"""What an instrument is opened with, and its parts made from that. Importing it loads no engine."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.chip.registers import timing_named
from sidlive.live.places import working_folder

if TYPE_CHECKING:
    from sidlive.live.core import Core
    from sidlive.live.generator import EngineLike
    from sidlive.live.mirror import Mirror
    from sidlive.live.sound.feed import Stamp


@dataclass(frozen=True)
class RoomOptions:
    """What a room is opened with."""

    model: str = "pocket"
    device: str | None = None  # of sound: part of its name, "null" for none, None for the usual one
    midi: str | None = None  # part of a port's name, "none" for no MIDI, None for all there are
    takes: Path = Path("takes")  # made absolute here: a performer's os.chdir moves no take
    chip: str = "6581"
    video: str | None = None  # "PAL" or "NTSC"; None: that of what is prompted before anything is played, PAL till then
    seed: int = 1
    name: str = ""  # of the take's folder; by date and time without
    stamp: "Callable[[], Stamp] | None" = None  # makes what is told of every block that the device takes
    engine: "Callable[[], EngineLike] | None" = None  # makes the engine; None: the model's
    home: Path = field(default_factory=working_folder)  # where relative names, the model's too, are looked for

    def __post_init__(self) -> None:
        object.__setattr__(self, "takes", self.home / self.takes)


def make_core(options: RoomOptions, mirror: "Mirror | None" = None) -> "Core":
    """A core with its take."""
    from sidlive import __version__
    from sidlive.live.controls import CONTROLS
    from sidlive.live.core import Core
    from sidlive.live.take import Take
    from sidlive.report import machine

    timing = timing_named(options.video)
    folder = options.takes / (options.name or time.strftime("%Y%m%d-%H%M%S"))
    header = {
        "chip": options.chip, "timing": timing.name, "rate_hz": timing.rate_hz, "seed": options.seed,
        "controls": {name: knob.default for name, knob in CONTROLS.items()}, "sidlive": __version__,
        "machine": machine(),
    }  # fmt: skip
    return Core(Take(folder, header), options.chip, timing, options.seed, mirror, options.video is None)


def make_engine(options: RoomOptions, told: Callable[[str], object]) -> "EngineLike":
    """The engine, ready to play: its kernels are compiled, or fetched from the cache, here. Raises ModelError.

    ``told`` hears what there is to wait for, in words.
    """
    if options.engine is not None:
        return options.engine()
    from sidlive.model.engine import load_engine

    told("loading the model")
    return load_engine(
        options.model,
        report_progress=lambda done, total: told(f"compiling the engine, once on this machine: {done} of {total}"),
    )


def model_digest(options: RoomOptions) -> str:
    """Which model's file makes the music, whatever it is called: empty for an engine that has none."""
    if options.engine is not None:
        return ""
    from sidlive.model.weights import model_path

    with model_path(options.model).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
