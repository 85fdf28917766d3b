"""Output of commands: figures as one JSON object or as a table, warnings, progress bars. Makes text safe to print."""

import json
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.progress import Progress


# Characters that change the display instead of being shown: control characters, unpaired surrogates, and invisible
# characters that reverse, break or hide text (bidirectional marks, line separators, zero-width spaces, tags).
_UNSAFE: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE_IN_A_LINE: Final = re.compile(f"[{_UNSAFE}]")
_UNSAFE_IN_LINES: Final = re.compile(f"(?![\\n\\t])[{_UNSAFE}]")


def plain(text: object, lines: bool = False) -> str:
    """Return text from outside (a title, a file name, an error, printed output) in a form that is safe in a terminal.

    Control and invisible characters become Python escapes (``\\x1b``, ``\\u202e``). With ``lines``, newlines and tabs
    stay. Square brackets stay too: give the result to Rich as ``Text(plain(title))``, which parses no markup.
    """
    unsafe = _UNSAFE_IN_LINES if lines else _UNSAFE_IN_A_LINE
    return unsafe.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


def warn(text: object) -> None:
    """Print one line on stderr, a warning or an error, that begins with the program's name."""
    print(f"sidlive: {plain(text)}", file=sys.stderr)


@dataclass(frozen=True)
class Result:
    """A measured figure: a stable dotted name, its value and its unit (``x`` for a ratio)."""

    name: str
    value: float | int | str | bool | None
    unit: str = ""


def machine() -> dict[str, str | int]:
    """Return the machine that the figures were measured on: Python, system, processor, number of cores."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor_name(),
        "cores": os.cpu_count() or 1,
    }


@contextmanager
def progress_bar() -> Iterator["Progress"]:
    """Show a progress bar on stderr for the duration of the context; nothing if stderr is not a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    words = TextColumn("{task.description}", style="progress.description", markup=False)
    columns = words, BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


@contextmanager
def spinner(silent: bool = False, stderr: bool = False) -> Iterator[Callable[[str], None]]:
    """Show a status line for the duration of the context. Yields the function that sets its text."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console = Console(stderr=stderr)
    dots = "dots" if console.encoding.startswith("utf") else "line"
    columns = SpinnerColumn(dots), TextColumn("{task.description}", markup=False)
    with Progress(*columns, transient=True, console=console, disable=silent or not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda text: bar.update(task, description=plain(text))


def emit(results: list[Result], as_json: bool, title: str = "", **more: object) -> None:
    """Print results on stdout as JSON, ``{"results": [...], **more, "machine": {...}}``, or as a table.

    The table has the heading ``title`` and leaves out ``more``; the JSON leaves out ``title``.
    """
    if as_json:
        json.dump({"results": [asdict(r) for r in results], **more, "machine": machine()}, sys.stdout)
        sys.stdout.write("\n")
        return
    try:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ImportError:  # on a machine that only trains
        print("\n".join(f"{plain(r.name)}: {plain(r.value)} {plain(r.unit)}".rstrip() for r in results))
        return
    table = Table(title=Text(plain(title)) if title else None, title_justify="left", show_header=False, box=None)
    for result in results:
        value = f"{result.value:,.4g}" if isinstance(result.value, float) else plain(result.value)
        table.add_row(*(Text(text) for text in (plain(result.name), value, plain(result.unit))))
    Console().print(table)


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
