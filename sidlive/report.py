"""How commands tell figures: one JSON object with stable names, or a table for people."""

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


# What a terminal obeys instead of showing it: control characters, and the invisible ones that reverse, break or
# hide text (Unicode's bidirectional marks, line separators, zero-width spaces, tags), and broken UTF-16.
_UNSEEN: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f"
)
_NOT_IN_A_LINE: Final = re.compile(f"[{_UNSEEN}]")
_NOT_IN_LINES: Final = re.compile(f"(?![\\n\\t])[{_UNSEEN}]")


def plain(text: object, lines: bool = False) -> str:
    """Return text from outside (a title, a file's name, an error, what code printed) as it may go to a terminal.

    Control and invisible characters become Python escapes (``\\x1b``, ``\\u202e``). ``lines`` keeps newlines and tabs.
    The result may still hold square brackets: give it to Rich as ``Text(plain(title))``, which reads no markup.
    """
    unseen = _NOT_IN_LINES if lines else _NOT_IN_A_LINE
    return unseen.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


def warn(text: object) -> None:
    """Print one line on stderr, after the program's name: something to know about what is being done."""
    print(f"sidlive: {plain(text)}", file=sys.stderr)


@dataclass(frozen=True)
class Result:
    """One figure: a stable dotted name, its value and its unit (``x`` for a ratio)."""

    name: str
    value: float | int | str | bool | None
    unit: str = ""


def machine() -> dict[str, str | int]:
    """What the figures were measured on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor_name(),
        "cores": os.cpu_count() or 1,
    }


@contextmanager
def bar_of_progress() -> Iterator["Progress"]:
    """What is done of a long work, on stderr, gone when it is done; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    words = TextColumn("{task.description}", style="progress.description", markup=False)
    columns = words, BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


@contextmanager
def spinner(silent: bool = False, stderr: bool = False) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, while it is done: a function that takes the words."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    console = Console(stderr=stderr)
    dots = "dots" if console.encoding.startswith("utf") else "line"
    columns = SpinnerColumn(dots), TextColumn("{task.description}", markup=False)
    with Progress(*columns, transient=True, console=console, disable=silent or not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda doing: bar.update(task, description=plain(doing))


def emit(results: list[Result], as_json: bool, title: str = "", **more: object) -> None:
    """Print results on stdout: ``{"results": [...], **more, "machine": {...}}`` or a table (of the results alone)."""
    if as_json:
        json.dump({"results": [asdict(r) for r in results], **more, "machine": machine()}, sys.stdout)
        sys.stdout.write("\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

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
