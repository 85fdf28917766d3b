"""Opens the studio and a core for it, and closes both. `run` is the public function of the package.

The core process is started first. While it opens the room, this process loads Textual and the studio; so this module
imports little, and the rest inside its functions.
"""

import gc
import sys
import time
from typing import TYPE_CHECKING, Final

from sidlive.live.processes.core_start import start_core
from sidlive.studio.terminal import Terminal, exclusive, find_terminal

if TYPE_CHECKING:
    from sidlive.live.processes.options import RoomOptions
    from sidlive.studio.app import Studio

GREETING: Final = ("help() lists the verbs; F1 shows the keys and the reference pages",)


def run(options: "RoomOptions") -> int:
    """Open a core and the studio on this terminal; return the exit status. Raises DeviceError without a terminal."""
    terminal = find_terminal()
    gc.disable()  # nothing that is loaded here becomes garbage; `show` enables it
    core = start_core(options)

    from sidlive.live.processes.room import RoomLink
    from sidlive.live.session import Session, verbs
    from sidlive.live.state import State
    from sidlive.studio.app import Studio
    from sidlive.studio.console.history import ConsoleHistory, history_path
    from sidlive.studio.console.names import ConsoleSession

    session = Session(RoomLink(options, core), options.takes)
    names = {"session": ConsoleSession(session)}
    try:
        studio = Studio(session, verbs(session), ConsoleHistory(history_path()), names, GREETING, State())
        session.answer(studio.run_pad)
        return show(studio, terminal)
    finally:
        session.close()


def show(studio: "Studio", terminal: Terminal | None = None) -> int:
    """Run the studio on a terminal (default: this process's); return the exit status, 1 if the studio failed."""
    terminal = terminal or find_terminal()
    studio.no_color = studio.no_color or not terminal.has_colours
    with exclusive(terminal):
        gc.freeze()  # garbage collection then takes little time while the score scrolls
        gc.enable()
        try:
            status = studio.run()
        except Exception as error:
            studio.fault = studio.fault or error
    if studio.fault is not None:
        _report(studio.fault, studio.now.take)
        return 1
    return status if status is not None else studio.return_code or 0


def _report(fault: Exception, take: str | None) -> None:
    """Print how the studio failed, on the terminal and in the log."""
    import traceback

    from sidlive import __version__
    from sidlive.live.places import log_path
    from sidlive.report import plain

    trace = "".join(traceback.format_exception(fault))
    log = log_path("studio")
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} sidlive {__version__}\n{trace}\n")
        where = f"the lines above are also in {log}"
    except OSError as error:
        where = f"the log {log} cannot be written: {error.strerror}"
    kept = f"; what was played is in {take}" if take else ""
    print(plain(trace, lines=True), file=sys.stderr)
    print(f"sidlive: the studio ended because of an error in sidlive; {where}{kept}", file=sys.stderr)
