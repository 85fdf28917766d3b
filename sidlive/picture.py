"""Draw figures as an SVG picture: bars with intervals, or curves. Does not know where the figures come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from sidlive.errors import ModelError
from sidlive.writing import expect_place, write_file

# In pixels:
WIDTH: Final = 860  # width of the picture
LABEL: Final = 250  # width of the labels; the bars begin here
BARS: Final = 400  # length of the longest bar
ROW: Final = 19  # height of a bar and its margin
GAP: Final = 13  # gap between two rows
INK: Final = "#2b2b3a"
PAPER: Final = "#fbfaf6"
COLOURS: Final = ("#6c5eb5", "#9bc069", "#c98f3c", "#b5584f", "#4f9bb5", "#8a8378")  # of series; then they repeat
LEGEND: Final = 4  # names in a line of a chart's legend
LEGEND_WIDTH: Final = 145  # of each


@dataclass(frozen=True)
class Bar:
    """A mean with its interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class ChartRow:
    """A row of a chart: its label and unit, and a bar for each series (None: no figure)."""

    label: str
    unit: str
    bars: tuple[Bar | None, ...]


@dataclass(frozen=True)
class Chart:
    """Rows of bars under a heading. ``shared``: all rows use one scale; otherwise each has its own scale and unit."""

    heading: str
    series: tuple[str, ...]  # the name of each series; the legend is drawn if there is more than one
    rows: tuple[ChartRow, ...]
    shared: bool


@dataclass(frozen=True)
class Curve:
    """A named curve: points ``(x, y)`` in the order of x, both at least 0."""

    name: str
    points: tuple[tuple[float, float], ...]


def plot(title: str, across: str, curves: Sequence[Curve]) -> str:
    """Return an SVG file's text with at most three curves, both axes from 0; ``across`` labels the x axis."""
    left, top, width, height = 70.0, 100.0, WIDTH - 110.0, 300.0
    points = [point for curve in curves for point in curve.points]
    x_scale = width / max((x for x, _ in points), default=1.0)
    y_scale = height / (1.05 * max((y for _, y in points), default=1.0))
    bottom = top + height
    parts = [text(24, 40, title, size=19, weight="bold")]
    parts.append(f'<path d="M{left} {top}V{bottom}H{left + width}" stroke="{INK}" fill="none"/>')
    for x in sorted({x for x, _ in points}):
        parts.append(text(left + x * x_scale, bottom + 20, f"{x:g}", size=12, anchor="middle"))
    parts.append(text(left + width / 2, bottom + 42, across, anchor="middle"))
    for number, curve in enumerate(curves):
        colour = COLOURS[number]
        parts.append(rectangle(left + 150 * number, 66, 11, 11, colour))
        parts.append(text(left + 17 + 150 * number, 76, curve.name))
        places = [(left + x * x_scale, bottom - y * y_scale) for x, y in curve.points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{line}" stroke="{colour}" stroke-width="2.5" fill="none"/>')
        for (x, y), (_, figure) in zip(places, curve.points, strict=True):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
            parts.append(text(x, y - 9, _figure(figure), size=12, anchor="middle"))
    return svg(bottom + 60, parts)


def draw(title: str, charts: Sequence[Chart]) -> str:
    """Return an SVG file's text with bar charts, one below another."""
    y = 40.0
    parts = [text(24, y, title, size=19, weight="bold")]
    for chart in charts:
        y += 42
        parts.append(text(24, y, chart.heading, size=15, weight="bold"))
        if len(chart.series) > 1:
            for number, name in enumerate(chart.series):
                y += 22 * (number % LEGEND == 0)
                x = LABEL + LEGEND_WIDTH * (number % LEGEND)
                parts.append(rectangle(x, y - 10, 11, 11, COLOURS[number % len(COLOURS)]))
                parts.append(text(x + 17, y, name))
        y += 14
        longest = max((bar.high for row in chart.rows for bar in row.bars if bar), default=0.0)
        for row in chart.rows:
            own = longest if chart.shared else max((bar.high for bar in row.bars if bar), default=0.0)
            parts.append(text(LABEL - 12, y + ROW * len(row.bars) / 2 + 5, row.label, anchor="end"))
            for number, bar in enumerate(row.bars):
                parts += _bar(y + ROW * number, bar, own, row.unit, COLOURS[number % len(COLOURS)])
            y += ROW * len(row.bars) + GAP
    return svg(y + 14, parts)


def expect_svg(path: Path) -> None:
    """Raise ModelError or DeviceError if no picture can be written to ``path``. Call it before the figures are made."""
    if path.suffix.lower() != ".svg":
        raise ModelError(f"{path}: expected a name that ends in .svg")
    expect_place(path)


def save(path: Path, picture: str) -> None:
    """Write a picture's text to a file. Raises DeviceError if that fails."""
    write_file(path, picture.encode())


def svg(bottom: float, parts: Sequence[str], right: float = WIDTH) -> str:
    """Return an SVG file's text: the elements ``parts`` on a background of ``right`` x ``bottom`` pixels."""
    width, height = round(right), round(bottom)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    return "\n".join([head, rectangle(0, 0, width, height, PAPER), *parts, "</svg>\n"])


def _bar(y: float, bar: Bar | None, longest: float, unit: str, colour: str) -> list[str]:
    """Return the SVG elements of a bar: the bar, its interval as a line with end marks, and its figures as text."""
    if bar is None:
        return [text(LABEL, y + 14, "none", size=12)]
    scale = BARS / longest if longest > 0 else 0.0
    low, high = LABEL + scale * bar.low, LABEL + scale * bar.high
    middle = y + ROW / 2
    lines = (
        f"M{low:.1f} {middle:.1f}H{high:.1f}"
        f"M{low:.1f} {middle - 4:.1f}v8"
        f"M{high:.1f} {middle - 4:.1f}v8"
    )  # fmt: skip
    figure = _figure(bar.mean) + (f" {unit}" if unit else "")
    return [
        rectangle(LABEL, y + 2, max(scale * bar.mean, 0.5), ROW - 4, colour),
        f'<path d="{lines}" stroke="{INK}" stroke-width="1.3" fill="none"/>',
        text(LABEL + BARS + 14, y + 14, f"{figure}  ({_figure(bar.low)} to {_figure(bar.high)})", size=12),
    ]


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.3g}"


def text(x: float, y: float, words: str, size: int = 13, weight: str = "normal", anchor: str = "start") -> str:
    """Return a line of text whose start, middle or end (``anchor``: start, middle, end) is at (x, y)."""
    style = f'font-family="sans-serif" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{INK}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    """Return a filled rectangle whose upper left corner is (x, y)."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
