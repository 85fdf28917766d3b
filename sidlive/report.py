"""How commands tell figures: one JSON object with stable names, or a table for people."""

import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


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
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        yield bar


@contextmanager
def spinner(silent: bool = False, stderr: bool = False) -> Iterator[Callable[[str], None]]:
    """A line that says what is being done, while it is done: a function that takes the words."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = SpinnerColumn(), TextColumn("{task.description}")
    console = Console(stderr=stderr)
    with Progress(*columns, transient=True, console=console, disable=silent or not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda doing: bar.update(task, description=doing)


def emit(results: list[Result], as_json: bool, title: str = "", **more: object) -> None:
    """Print results on stdout: ``{"results": [...], **more, "machine": {...}}`` or a table (of the results alone)."""
    if as_json:
        json.dump({"results": [asdict(r) for r in results], **more, "machine": machine()}, sys.stdout)
        sys.stdout.write("\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", show_header=False, box=None)
    for result in results:
        value = f"{result.value:,.4g}" if isinstance(result.value, float) else str(result.value)
        table.add_row(result.name, value, result.unit)
    Console().print(table)


def _processor_name() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
