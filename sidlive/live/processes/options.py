"""The options of a room, and the core and engine made from them. Importing this loads no engine, and no numpy."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sidlive.live.osc.osc_place import OFF as OSC_OFF
from sidlive.live.osc.osc_place import parse_osc
from sidlive.live.places import working_folder
from sidlive.live.sync.choice import OFF, parse_sync

if TYPE_CHECKING:
    from sidlive.live.core.core import Core
    from sidlive.live.core.generator import EngineLike
    from sidlive.live.core.mirror import Mirror
    from sidlive.live.sound.feed import Stamp
    from sidlive.model.composer.planner import ComposerLike


@dataclass(frozen=True)
class RoomOptions:
    """The options with which a room is opened."""

    model: str = "pocket"
    device: str | None = None  # sound device: part of its name, "null" for none, None for the default
    midi: str | None = None  # part of a port's name, "none" for no MIDI, None for all ports
    outputs: tuple[str, ...] = ()  # the chips to play on: "asid:PORT", "u64:HOST", with options as `parse_chip` reads
    osc: str = OSC_OFF  # where to listen for OSC: "PORT", "HOST:PORT" or "off"
    sync: str = OFF  # the clock to follow: "midi", "midi:PORT", "link" or "off"
    takes: Path = Path("takes")  # made absolute here, so that os.chdir in a script does not change it
    chip: str = "6581"
    video: str | None = None  # "PAL" or "NTSC"; None: the first prompt's, PAL until then
    seed: int = 1
    name: str = ""  # the take's folder is named so; "": date and time
    stamp: "Callable[[], Stamp] | None" = None  # makes the callback for each block that the device takes
    engine: "Callable[[], EngineLike] | None" = None  # makes the engine; None: the engine of `model`
    composer: "Callable[[], ComposerLike] | None" = None  # makes the composer; None: that of `model`, if it has one
    home: Path = field(default_factory=working_folder)  # relative paths start here, that of the model too

    def __post_init__(self) -> None:
        parse_sync(self.sync)
        parse_osc(self.osc)
        if self.outputs:
            from sidlive.live.outputs.chip_choice import parse_chip

            for spec in self.outputs:
                parse_chip(spec)
        object.__setattr__(self, "takes", self.home / self.takes)


def make_core(options: RoomOptions, mirror: "Mirror | None" = None) -> "Core":
    """Return a core with its take."""
    from sidlive import __version__
    from sidlive.chip.registers import timing_named
    from sidlive.live.controls import CONTROLS
    from sidlive.live.core.core import Core
    from sidlive.live.takes.take import Take
    from sidlive.model.engine import ARITHMETIC
    from sidlive.report import machine

    timing = timing_named(options.video)
    folder = options.takes / (options.name or time.strftime("%Y%m%d-%H%M%S"))
    header = {
        "chip": options.chip, "timing": timing.name, "rate_hz": timing.rate_hz, "seed": options.seed,
        "controls": {name: control.default for name, control in CONTROLS.items()}, "sidlive": __version__,
        "arithmetic": ARITHMETIC, "machine": machine(),
    }  # fmt: skip
    return Core(Take(folder, header), options.chip, timing, options.seed, mirror, options.video is None)


def make_engine(options: RoomOptions, report_progress: Callable[[str], object]) -> "EngineLike":
    """Return the engine, ready to play. Its kernels are compiled here, or fetched from the cache. Raises ModelError.

    ``report_progress`` is called with a line about the work in progress.
    """
    if options.engine is not None:
        return options.engine()
    from sidlive.model.engine import load_engine

    report_progress("loading the model")

    def report_compiling(done: int, total: int) -> None:
        report_progress(f"compiling the engine, once on this machine: {done} of {total}")

    return load_engine(options.model, report_progress=report_compiling)


def make_composer(options: RoomOptions, report_progress: Callable[[str], object]) -> "ComposerLike | None":
    """Return the model's composer, ready to write; None if it has none. Raises ModelError.

    ``report_progress``: as for `make_engine`.
    """
    if options.composer is not None:
        return options.composer()
    if options.engine is not None:
        return None
    from sidlive.model.composer import load_composer
    from sidlive.model.composer.planner import warm_up_planner

    def report_compiling(done: int, total: int) -> None:
        report_progress(f"compiling the composer, once on this machine: {done} of {total}")

    path = _composer_file(options)
    composer = None if path is None else load_composer(path, report_progress=report_compiling)
    warm_up_planner(report_compiling, composer)  # without a composer too: code writes notes
    return composer


def model_digests(options: RoomOptions) -> tuple[str, str, str, str]:
    """Return the SHA-256 of the files of the model, its composer, and the composer's taste and styles.

    They identify the files under any name. "" stands for a missing file, and for all files of an engine without one.
    """
    if options.engine is not None:
        return "", "", "", ""
    from sidlive.model.composer.styles import styles_path
    from sidlive.model.composer.taste import taste_path
    from sidlive.model.weights import model_path

    composer = _composer_file(options)
    paths = (composer, taste_path(composer), styles_path(composer)) if composer else (None, None, None)
    notes, taste, styles = (_digest(path) if path and path.exists() else "" for path in paths)
    return _digest(model_path(options.model)), notes, taste, styles


def _composer_file(options: RoomOptions) -> Path | None:
    """Return the file of the model's composer; None if it has none."""
    if options.engine is not None:
        return None
    from sidlive.model.weights import composer_path

    return composer_path(options.model)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
