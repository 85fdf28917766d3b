"""``sidlive doctor``: examine everything that the instrument needs from this machine.

There is a probe for each thing. A probe that raises, hangs or finds nothing becomes a finding with a remedy; the
others go on.
"""

import argparse
import os
import platform
import shutil
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sidlive.commands.arguments import add_json_option

PATIENCE_S: Final = 60.0  # time limit of a probe; the first import of numba takes a while
COLUMNS: Final = 80  # the terminal size that the studio needs, in characters
ROWS: Final = 24
DEVICE_S: Final = 3.0  # time limit for a sound device to take its first samples
SLOW_X: Final = 4.0  # multiple of real time: with a slower emulator the sound may have gaps


@dataclass(frozen=True)
class Finding:
    """The result of a probe. ``well``: it works. ``remedy``: what to do. ``vital``: nothing plays without it."""

    name: str
    well: bool
    text: str
    remedy: str = ""
    vital: bool = False


Probe = Callable[[], list[Finding]]


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``doctor`` to the command line."""
    doctor = subparsers.add_parser("doctor", help="say what works on this machine, and what to do about the rest")
    add_json_option(doctor)
    doctor.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Examine this machine; returns 1 if the instrument cannot run here."""
    findings = examine()
    show(findings, args.json)
    return 0 if ready(findings) else 1


def examine() -> list[Finding]:
    """Run all probes."""
    return [finding for name, probe, vital in PROBES for finding in _safely(name, probe, vital)]


def show(findings: list[Finding], as_json: bool) -> None:
    """Print findings as a table, or as JSON: ``name``, ``name.ok`` and ``name.todo`` for each."""
    if as_json:
        from sidlive.report import Result, emit

        results = []
        for finding in findings:
            results += [Result(finding.name, finding.text), Result(f"{finding.name}.ok", finding.well)]
            if finding.remedy:
                results.append(Result(f"{finding.name}.todo", finding.remedy))
        emit([*results, Result("ready", ready(findings))], True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from sidlive.report import plain

    console = Console()
    table = Table(show_header=False, box=None, padding=(0, 1))
    for finding in findings:
        answer, style = ("yes", "green") if finding.well else ("NO", "bold red") if finding.vital else ("no", "yellow")
        table.add_row(Text(answer, style), Text(finding.name), Text(plain(finding.text)))
        if finding.remedy:
            table.add_row("", "", Text(plain(f"-> {finding.remedy}"), "bold"))
    console.print(table)
    console.print("The instrument runs here." if ready(findings) else "The instrument does not run here yet.")


def ready(findings: list[Finding]) -> bool:
    """Return whether the instrument runs here."""
    return all(finding.well or not finding.vital for finding in findings)


def _safely(name: str, probe: Probe, vital: bool) -> list[Finding]:
    """Run a probe in a thread; an exception or a timeout becomes a finding."""
    found: list[list[Finding]] = []

    def run() -> None:
        try:
            found.append(probe())
        except BaseException as error:  # a driver may raise something else than an Exception
            found.append([Finding(name, False, f"{type(error).__name__}: {error}", _BROKEN, vital)])

    thread = threading.Thread(target=run, name=f"probe-{name}", daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    return found[0] if found else [Finding(name, False, f"no answer within {PATIENCE_S:g} s", _BROKEN, vital)]


def _python() -> list[Finding]:
    version = platform.python_version()
    well = sys.version_info >= (3, 11)
    return [Finding("python", well, f"{version}, {platform.system()}", "" if well else "install Python 3.11", True)]


def _processor() -> list[Finding]:
    import numba
    from llvmlite import binding  # type: ignore[import-untyped]

    has = {name for name, there in binding.get_host_cpu_features().items() if there}
    known = [name for name in ("avx2", "fma", "avx512f", "avx512vnni", "neon", "dotprod") if name in has]
    text = f"{os.cpu_count()} cores, {' '.join(known) or 'no vector units known'}; numba {numba.__version__}"
    well = bool({"avx2", "neon"} & has)
    return [
        Finding("processor", well, text, "" if well else "`sidlive bench engine` measures whether it is fast enough")
    ]


def _emulator() -> list[Finding]:
    from sidlive.chip.registers import PAL, silence
    from sidlive.chip.sid import SAMPLE_RATE, Sid, repeatable

    sid = Sid()
    row = silence(1)[0]
    row[[1, 4, 5, 6, 24, 25]] = (0x10, 0x21, 0x09, 0xF0, 0x0F, 0x21)  # a note
    begin = time.perf_counter()
    loudest = max(int(abs(sid.play(row, SAMPLE_RATE // 50).astype(int)).max()) for _ in range(25))
    speed = 0.5 / (time.perf_counter() - begin)
    if not loudest:
        return [Finding("emulator", False, "the SID is silent", "pip install --force-reinstall pyresidfp", True)]
    remedy = "" if speed >= SLOW_X else "close other programs: sound may have gaps"
    text = f"a {sid.chip} on {PAL.name}, {speed:.0f} times real time"
    if not repeatable():
        text += "; the sound of two runs differs by a few units of 32,768"
    return [Finding("emulator", True, text, remedy, True)]


def _sound() -> list[Finding]:
    from sidlive.errors import DeviceError
    from sidlive.live.sound.audio import PORTAUDIO_REMEDY, NoPortAudio, devices, open_speaker

    try:
        found = devices()
    except NoPortAudio:
        return [Finding("sound", False, "no PortAudio library", PORTAUDIO_REMEDY)]
    except DeviceError as error:
        return [Finding("sound", False, str(error), _NULL_MEANWHILE)]
    if not found:
        return [Finding("sound", False, "PortAudio finds no device", f"connect one; {_NULL_MEANWHILE}")]
    names = ", ".join(f"{device.name}{' (default)' * device.default}" for device in found)
    other = "sidlive --device NAME plays on another device; --device null plays to none"
    try:
        speaker = open_speaker()
        try:
            speaker.start()
            begin = time.monotonic()
            while not speaker.feed.delivered and time.monotonic() - begin < DEVICE_S:
                time.sleep(0.01)
        finally:
            speaker.close()
    except DeviceError as error:
        return [Finding("sound", False, f"{error}; there are {names}", other)]
    if not speaker.feed.delivered:
        return [Finding("sound", False, f"{speaker.name} opens but takes no samples; there are {names}", other)]
    text = f"{names}; {speaker.device} plays at {speaker.sample_rate} Hz, {1000 * speaker.latency_s:.0f} ms late"
    return [Finding("sound", True, text)]


def _midi() -> list[Finding]:
    from sidlive.live.hands.midi_drivers import drivers
    from sidlive.live.hands.midi_ports import PortFinder
    from sidlive.live.hands.rtmidi import PACKAGE, RtMidi
    from sidlive.live.sound.audio import quiet_stderr

    with quiet_stderr():
        found, missing = drivers(os.getpid())
        faults = {driver.name: fault for driver in found if (fault := driver.fault())}
        finder = PortFinder(None, lambda port, message, time_s: None, found, os.getpid())
        finder.look()
        names = finder.names
        finder.close()
    binding = missing or RtMidi().version
    working = [driver.name for driver in found if driver.name not in faults]
    if not working:
        why = [*faults.values(), *["no ALSA sequencer"] * (sys.platform == "linux" and "ALSA" not in faults), binding]
        remedy = _NO_DRIVER.get(sys.platform, "restart the system's MIDI service")
        also = f"; pip install {PACKAGE}" if missing else ""
        return [Finding("midi", False, f"no driver answers: {'; '.join(why)}", remedy + also)]
    controllers = ", ".join(names) or "no controller yet, connect one at any time"
    text = f"{controllers}; a port opens in {' and '.join(working)}; {binding}"
    return [Finding("midi", True, text, missing and f"for controllers without JACK: pip install {PACKAGE}")]


def _model() -> list[Finding]:
    from sidlive.errors import ModelError
    from sidlive.model.weights import load_weights, model_path

    try:
        path = model_path("pocket")
        weights = load_weights(path)
    except ModelError as error:
        return [Finding("model", False, str(error), "reinstall, or `sidlive train` one and open it with --model", True)]
    size = f"{weights.parameters / 1e6:.1f} million parameters, {path.stat().st_size / 1e6:.1f} MB"
    return [Finding("model", True, f"{path.stem}: {size}", vital=True)]


def _terminal() -> list[Finding]:
    from importlib.metadata import version

    from rich.console import Console

    textual = version("textual")
    if not sys.stdout.isatty():
        text = f"the output is no terminal; textual {textual}"
        return [Finding("terminal", False, text, "run sidlive in a terminal")]
    size = shutil.get_terminal_size()
    colours = {"standard": "16", "256": "256", "truecolor": "16 million"}.get(Console().color_system or "", "no")
    text = f"{size.columns} x {size.lines}, {colours} colours; textual {textual}"
    if size.columns < COLUMNS or size.lines < ROWS:
        return [Finding("terminal", False, text, f"make it {COLUMNS} x {ROWS} or larger")]
    return [Finding("terminal", True, text)]


def _disk() -> list[Finding]:
    from pathlib import Path

    here = Path.cwd()
    if not os.access(here, os.W_OK):
        return [Finding("takes", False, f"{here} cannot be written to", "start in another folder, or use --takes DIR")]
    free = shutil.disk_usage(here).free
    remedy = "" if free > 100e6 else "make room: a take needs about 10 MB an hour"
    return [Finding("takes", not remedy, f"{here / 'takes'}, {free / 1e9:.1f} GB free", remedy)]


_NULL_MEANWHILE: Final = "until then the instrument plays to the null output"
_NO_DRIVER: Final = {"linux": "start JACK or PipeWire, or load ALSA's sequencer: modprobe snd-seq"}
_BROKEN: Final = "reinstall sidlive in a fresh virtual environment"
PROBES: Final[tuple[tuple[str, Probe, bool], ...]] = (
    ("python", _python, True),
    ("processor", _processor, True),
    ("emulator", _emulator, True),
    ("model", _model, True),
    ("sound", _sound, False),
    ("midi", _midi, False),
    ("terminal", _terminal, True),
    ("takes", _disk, False),
)
